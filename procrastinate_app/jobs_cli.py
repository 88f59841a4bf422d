"""`hub jobs`: what waits, runs, failed or was given up; trying it again; cancelling it.

Ids say what they are: 12 is a job, e12 an event that is retried, d12 a dead letter.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from procrastinate_app.commands import DatabaseUrl, address, stop

Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
Reason = Annotated[str | None, typer.Option(help="Why; goes into the audit record.")]

STATES = "waiting, running, failed, cancelled, aborted, retrying, dead or redriven"

jobs = typer.Typer(
    name="jobs",
    help="What waits, runs, failed or was given up; trying it again; cancelling it.",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    app.add_typer(jobs)


@jobs.command("list")
def list_jobs(
    database_url: DatabaseUrl = None,
    state: Annotated[str | None, typer.Option(help=STATES)] = None,
    what: Annotated[str | None, typer.Option(help="Task or stream its name begins with.")] = None,
    limit: int = 100,
    as_json: Json = False,
) -> None:
    """List jobs, retried events (e…) and dead letters (d…), newest first."""
    rows = _call(database_url, "jobs.list_jobs", None, state, what, limit)
    _show(rows, as_json, hide={"details", "error_message"})


@jobs.command("show")
def show_job(job_id: str, database_url: DatabaseUrl = None, as_json: Json = False) -> None:
    """Show one job, event (e…) or dead letter (d…) with its failed tries."""
    rows = _call(database_url, "jobs.list_jobs", job_id, None, None, 1)
    if not rows:
        stop(f"nothing on the queue has the id {job_id}")
    attempts = _call(database_url, "jobs.list_attempts", job_id)
    if as_json:
        typer.echo(json.dumps(rows[0] | {"attempts_made": attempts}, default=str))
        return
    for name, value in rows[0].items():
        if value is not None:
            typer.echo(f"{name:14} {_text(value)}")
    if attempts:
        typer.echo("")
        _show(attempts, False)


@jobs.command("retry")
def retry_jobs(
    database_url: DatabaseUrl = None,
    dead_letter: Annotated[str | None, typer.Argument(help="One dead letter, d12.")] = None,
    task: Annotated[str | None, typer.Option(help="All of this task.")] = None,
    stream: Annotated[str | None, typer.Option(help="All of this stream.")] = None,
    error: Annotated[str | None, typer.Option(help="All with this error class.")] = None,
    before: Annotated[datetime | None, typer.Option(help="All given up before (UTC).")] = None,
    reason: Reason = None,
    limit: int = 1000,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would be.")] = False,
    as_json: Json = False,
) -> None:
    """Try dead letters again: one by id, or all that match every option given."""
    if dead_letter and not _is_dead_letter(dead_letter):
        stop(f"{dead_letter} is not a dead letter: their ids are like d12")
    if not (dead_letter or task or stream or error or before):
        stop("name a dead letter, or say which by --task, --stream, --error or --before")
    rows = _call(
        database_url,
        "jobs.redrive_dead_letters",
        int(dead_letter[1:]) if dead_letter else None,
        task,
        stream,
        error,
        before and before.replace(tzinfo=before.tzinfo or UTC),
        reason,
        dry_run,
        limit,
    )
    if dead_letter and not rows:
        stop(f"no dead letter {dead_letter} waits")
    _show(rows, as_json)
    if not as_json:
        typer.echo(f"{len(rows)} {'would be tried' if dry_run else 'are tried'} again")


@jobs.command("cancel")
def cancel_job(
    job_id: int,
    database_url: DatabaseUrl = None,
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Cancel a waiting job, or ask a running one to stop."""
    [row] = _call(database_url, "jobs.cancel_job", job_id, reason)
    if row["cancel_job"] is None:
        stop(f"no job {job_id} waits or runs")
    state = row["cancel_job"]
    typer.echo(json.dumps({"id": job_id, "state": state}) if as_json else state.replace("_", " "))


def _call(database_url: str | None, function: str, *args: Any) -> list[dict[str, Any]]:
    import psycopg
    from psycopg import sql
    from psycopg.rows import dict_row

    query = sql.SQL("select * from {}({})").format(
        sql.Identifier(*function.split(".")), sql.SQL(", ").join([sql.Placeholder()] * len(args))
    )
    try:
        with psycopg.connect(address(database_url), row_factory=dict_row) as conn:
            return conn.execute(query, args).fetchall()
    except psycopg.Error as error:
        stop(error.diag.message_primary or str(error).strip())


def _show(rows: list[dict[str, Any]], as_json: bool, hide: set[str] | None = None) -> None:
    if as_json:
        typer.echo(json.dumps(rows, default=str))
        return
    if not rows:
        typer.echo("nothing")
        return
    names = [name for name in rows[0] if name not in (hide or set())]
    lines = [names, *([_text(row[name]) for name in names] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


def _text(value: Any) -> str:
    """The value on one line, whole, and without what would command the terminal. Times in UTC."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    text = json.dumps(value) if isinstance(value, dict) else str(value)
    return "".join(character if character.isprintable() else " " for character in text)


def _is_dead_letter(text: str) -> bool:
    return text.startswith("d") and text[1:].isdecimal()
