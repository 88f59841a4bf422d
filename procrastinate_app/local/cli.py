"""`hub local` and `hub up`: the local stack from the command line."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from procrastinate_app import commands
from procrastinate_app.local.errors import LocalError

Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]

local = typer.Typer(
    help="The local stack: Postgres, schema, Supabase API, sandbox, worker.",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    """Add these commands to `hub`."""
    app.add_typer(local, name="local")
    app.command("up")(up)


@local.command("start")
def start(as_json: Json = False) -> None:
    """Start everything in the background, or join what runs; wait until it is ready.

    Data is kept until `hub local reset` or `make clean`.
    """
    from procrastinate_app.local.supervisor import start_background

    commands.need_checkout("hub local start")
    with _clear_errors():
        stack = start_background(report=_reporter(as_json))
    _show(stack.to_dict(), as_json)


@local.command("db")
def db(as_json: Json = False) -> None:
    """Start Postgres with the schema only, in the background."""
    from procrastinate_app.local.supervisor import start_background

    commands.need_checkout("hub local db")
    with _clear_errors():
        stack = start_background(extent="database", report=_reporter(as_json))
    _show({"database_url": stack.database_url}, as_json)


@local.command("stop")
def stop(as_json: Json = False) -> None:
    """Stop what `hub local start`, `hub local db` or `hub up` runs from this checkout."""
    from procrastinate_app.local.supervisor import stop_background

    with _clear_errors():
        stopped = stop_background()
    if as_json:
        typer.echo(json.dumps({"stopped": stopped}))
    else:
        typer.echo("stopped" if stopped else "nothing was running")


@local.command("reset")
def reset() -> None:
    """Stop everything and remove the local data."""
    from procrastinate_app.local.supervisor import forget_data

    with _clear_errors():
        forget_data()
    typer.echo("the local data is gone")


@local.command("status")
def status(as_json: Json = False) -> None:
    """Tell each part's health. Exit code: 0 all well, 1 something is not, 3 not running."""
    from procrastinate_app.local.supervisor import health

    with _clear_errors():
        found = health()
    well = found["running"] and found["phase"] == "ready" and all(found["parts"].values())
    if as_json:
        typer.echo(json.dumps(found))
    elif not found["running"]:
        typer.echo("not running")
    else:
        typer.echo(f"{found['phase']} {found['doing']}".strip())
        for part, answers in found["parts"].items():
            typer.echo(f"  {part:9} {'well' if answers else 'does not answer'}")
    if not well:
        raise typer.Exit(1 if found["running"] else 3)


@local.command("shim")
def shim(database_url: commands.DatabaseUrl = None) -> None:
    """Give a plain Postgres of your own the roles and schemas a Supabase database has.

    For local work and tests only; refuses on a Supabase database. The four logins it makes get the
    password of the login it connects with: who has one of them is as good as the owner.
    """
    import psycopg

    from procrastinate_app.local.shim import apply

    with _clear_errors(), psycopg.connect(commands.address(database_url)) as conn:
        apply(conn)
    typer.echo("done: `hub deploy` may follow")


def up() -> None:
    """Run everything in the foreground until Ctrl-C."""
    from procrastinate_app.local import supervisor

    with _clear_errors():
        lock = supervisor.lock_or_join()
        if lock is None:
            _show(supervisor.start_background().to_dict(), as_json=False)
            typer.echo("\nThis runs in another process already; `hub local stop` ends it.")
            return
        supervisor.end_on_signals()
        with supervisor.supervised(lock, "all", _reporter(quiet=False)) as running:
            _show(running.to_dict(), as_json=False)
            typer.echo("\nCtrl-C ends it.")
            signal.pause()


@contextmanager
def _clear_errors() -> Iterator[None]:
    """Turn errors made for people into one message and exit code 1."""
    import psycopg

    try:
        yield
    except (LocalError, psycopg.OperationalError) as error:
        commands.stop(error)


def _reporter(quiet: bool) -> Callable[[str], None]:
    """Progress on stderr, so that stdout holds the answer alone."""

    def report(said: str) -> None:
        if said and not quiet:
            typer.echo(said, err=True)

    return report


def _show(values: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(values))
        return
    for name, value in values.items():
        if value is not None:
            typer.echo(f"{name:18} {value}")
