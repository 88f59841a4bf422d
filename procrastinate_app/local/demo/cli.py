"""`hub demo`: plays the whole path and shows what happened."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from procrastinate_app import commands
from procrastinate_app.local.errors import LocalError

if TYPE_CHECKING:
    from procrastinate_app.local.demo.screen import Screen
    from procrastinate_app.local.stack import Stack


def register(app: typer.Typer) -> None:
    """Add this command to `hub`."""
    app.command("demo")(demo)


def demo(
    votes: Annotated[
        Path | None, typer.Option(help="Recorded votes: CSV with task,worker,label (0 or 1).")
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(help="The truth of the tasks: CSV with task,truth.")
    ] = None,
    clips: Annotated[int, typer.Option(min=1, max=2000, help="Clips of the made-up crowd.")] = 60,
    reviewers: Annotated[int, typer.Option(min=2, max=200, help="Its reviewers.")] = 12,
    seed: Annotated[int, typer.Option(help="Another seed, another crowd.")] = 1,
) -> None:
    """Play the whole path: people join, submit, vote, are paid and told; then show it in tables.

    Without files a crowd of known skill is made up. Runs a stack of its own and leaves nothing
    behind; with HUB_DATABASE_URL and HUB_SUPABASE_URL it plays on an existing project, for good.
    """
    import psycopg

    from procrastinate_app.local.demo.crowd import make_crowd
    from procrastinate_app.local.demo.files import read_recorded
    from procrastinate_app.local.demo.screen import Screen

    try:
        if (votes is None) != (truth is None):
            raise LocalError("--votes and --truth come together")
        recorded = read_recorded(votes, truth) if votes and truth else None
        crowd = None if recorded else make_crowd(seed=seed, reviewers=reviewers, clips=clips)
        screen = Screen()
        with _ended_by_signals(), _stack(screen) as stack:
            from procrastinate_app.local.demo.run import play_crowd, play_recorded

            if recorded:
                proved = asyncio.run(play_recorded(stack, screen, recorded))
            else:
                assert crowd is not None
                proved = asyncio.run(play_crowd(stack, screen, crowd))
    except (LocalError, psycopg.OperationalError) as error:
        commands.stop(error)
    except KeyboardInterrupt:
        typer.echo("stopped, nothing is left running", err=True)
        raise typer.Exit(130) from None
    if not proved:
        commands.stop("the books do not hold")


@contextmanager
def _stack(screen: Screen) -> Iterator[Stack]:
    from procrastinate_app.local.stack import running_stack

    with screen.step("start the local stack") as step:
        running = running_stack(report=step.say)
        stack = running.__enter__()
    try:
        yield stack
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        running.__exit__(None, None, None)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM ends the demo as Ctrl-C does; while it cleans up neither disturbs it."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGTERM, before[1])
