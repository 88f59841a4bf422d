"""`hub worker`, and `hub health`, which asks a running one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from procrastinate_app.commands import stop

# "the configuration is wrong": a supervisor need not try again
REFUSED = 78


def register(app: typer.Typer) -> None:
    app.command("worker")(_worker)
    app.command("health")(_health)


def _worker() -> None:
    """Run the worker until SIGTERM. Settings are HUB_* variables; the output is JSON logs."""
    from procrastinate_app.settings import Settings

    try:
        settings = Settings.model_validate({})
    except (ValueError, OSError) as error:
        for line in complaints(error):
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

    logging.configure(settings.log_level, settings.log_sample)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run())
    except Refused as error:
        structlog.get_logger(__name__).error("refused", reason=str(error))
        raise typer.Exit(REFUSED) from None


def _health(
    url: Annotated[
        str | None, typer.Option(help="The worker's address; else as HUB_HTTP_* say.")
    ] = None,
) -> None:
    """Ask the worker of this machine whether it can work. Exit code 0: yes; for health checks."""
    import urllib.error
    import urllib.request

    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"{url or _own_address()}/readyz", timeout=5) as answer:
            typer.echo(answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            stop(error.read().decode())
    except (OSError, ValueError) as error:
        stop(f"no worker answers: {error}")


def _own_address() -> str:
    """From the file the worker wrote, else from the host and port it was given."""
    if file := os.environ.get("HUB_HTTP_PORT_FILE"):
        return Path(file).read_text(encoding="utf-8").strip()
    port = os.environ.get("HUB_HTTP_PORT") or "0"
    if port == "0":
        stop("Which worker? Give --url, or the HUB_HTTP_PORT or HUB_HTTP_PORT_FILE it runs with.")
    host = os.environ.get("HUB_HTTP_HOST") or "127.0.0.1"
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def complaints(error: Exception) -> list[str]:
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
