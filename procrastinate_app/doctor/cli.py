"""`hub doctor`."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from procrastinate_app.commands import DatabaseUrl, address

WARNED, FAILED = 1, 2


def register(app: typer.Typer) -> None:
    app.command("doctor")(_doctor)


def _doctor(
    database_url: DatabaseUrl = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Also prove the books: reads every entry.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Only what is amiss: no `ok` lines.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of text.")] = False,
) -> None:
    """Look at the database and this machine: what is wrong, and how to mend it. Changes nothing.

    Exit code: 0 all well, 1 with a warning, 2 with an error.
    """
    from procrastinate_app.doctor import Level, examine

    found = list(examine(address(database_url), deep=deep))
    shown = [one for one in found if one.level > Level.OK or not quiet]
    if as_json:
        typer.echo(json.dumps([one.as_json() for one in shown], indent=2))
    else:
        for one in shown:
            level = one.level.name.lower()
            color = {"error": "red", "warning": "yellow", "ok": "green"}.get(level)
            typer.echo(f"{typer.style(f'{level:8}', fg=color)} {one.check:12} {one.text}")
            if one.mend:
                typer.echo(f"{'':21} → {one.mend}")
    worst = max(one.level for one in found)
    if worst >= Level.WARNING:
        sys.stdout.flush()
        raise typer.Exit(FAILED if worst is Level.ERROR else WARNED)
