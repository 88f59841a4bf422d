"""`hub worker`."""

from __future__ import annotations

import typer

# "the configuration is wrong": a supervisor need not try again
REFUSED = 78


def register(app: typer.Typer) -> None:
    app.command("worker")(_worker)


def _worker() -> None:
    """Run the worker until SIGTERM. Settings are HUB_* variables; the output is JSON logs."""
    from procrastinate_app.settings import Settings

    try:
        settings = Settings.model_validate({})
    except (ValueError, OSError) as error:
        for line in _complaints(error):
            typer.echo(line, err=True)
        raise typer.Exit(REFUSED) from None

    import asyncio

    import structlog
    import uvloop

    from procrastinate_app import logging
    from procrastinate_app.checks import Refused
    from procrastinate_app.worker import Worker

    async def run() -> None:
        await Worker(settings).run()

    logging.configure(settings.log_level)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run())
    except Refused as error:
        structlog.get_logger(__name__).error("refused", reason=str(error))
        raise typer.Exit(REFUSED) from None


def _complaints(error: Exception) -> list[str]:
    """What is wrong with which variable, without its value."""
    from pydantic import ValidationError

    from procrastinate_app.settings import PREFIX

    if not isinstance(error, ValidationError):
        return [str(error)]
    found = error.errors(include_input=False, include_context=False, include_url=False)
    return [
        f"{PREFIX}{'_'.join(map(str, item['loc'])).upper()}: {item['msg']}"
        if item["loc"]
        else item["msg"]
        for item in found
    ]
