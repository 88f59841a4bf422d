"""`hub jobs`: what waits, runs, failed or was given up; trying it again; pausing; clearing away.

Ids say what they are: 12 is a job, e12 an event that is retried, d12 a dead letter. Whatever
changes something is audited, with a reason and the operator's name: --as, else the account that hub
runs under.
"""

from __future__ import annotations

import json
import os
import pwd
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, LiteralString

import typer

from procrastinate_app.commands import DatabaseUrl, address, stop

Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
Reason = Annotated[str | None, typer.Option(help="Why; goes into the audit record.")]
Why = Annotated[str, typer.Option("--reason", help="Why; goes into the audit record.")]
As = Annotated[
    str | None,
    typer.Option(
        "--as", envvar="HUB_OPERATOR", help="Who, for the audit record; else this account's name."
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only tell how many, and show some.")]
Batch = Annotated[int, typer.Option("--batch", min=1, max=10000, help="Rows a transaction.")]
Target = Annotated[
    str, typer.Argument(help="A queue, a stream, or queue:NAME, stream:NAME for the one of both.")
]

SAMPLE = 10
STATES = "waiting, running, failed, cancelled, aborted, retrying, dead or redriven"

jobs = typer.Typer(
    name="jobs",
    help="What waits, runs, failed or was given up; trying it again; pausing; clearing away.",
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


@jobs.command("queues")
def list_queues(database_url: DatabaseUrl = None, as_json: Json = False) -> None:
    """List queues and streams: what waits, and who paused them, why, since when."""
    _show(_call(database_url, "jobs.list_queues"), as_json)


@jobs.command("pause")
def pause(
    target: Target,
    reason: Why,
    database_url: DatabaseUrl = None,
    operator: As = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Hand nothing more out of a queue or stream. What is in hand is finished, nothing is lost."""
    _turn("jobs.pause", target, reason, database_url, operator, dry_run, as_json)


@jobs.command("resume")
def resume(
    target: Target,
    reason: Why,
    database_url: DatabaseUrl = None,
    operator: As = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Let a paused queue or stream go on; what waited drains at once."""
    _turn("jobs.resume", target, reason, database_url, operator, dry_run, as_json)


@jobs.command("retry")
def retry(
    job_id: Annotated[str, typer.Argument(metavar="ID", help="A job, 12, or an event, e12.")],
    reason: Why,
    database_url: DatabaseUrl = None,
    operator: As = None,
    as_json: Json = False,
) -> None:
    """Try now what waits for its next try. Dead letters: redrive."""
    if _is_dead_letter(job_id):
        stop(f"{job_id} was given up: hub jobs redrive {job_id}")
    if not re.fullmatch(r"e?[0-9]+", job_id):
        stop(f"{job_id} is neither a job, like 12, nor an event, like e12")
    [row] = _call(database_url, "jobs.retry_now", job_id, reason, _operator(operator))
    if row["retry_now"] is None:
        stop(f"{job_id} does not wait for a later time")
    told = {"id": job_id, "what": row["retry_now"]}
    typer.echo(json.dumps(told) if as_json else f"{told['what']} is tried now")


@jobs.command("redrive")
def redrive(
    reason: Why,
    dead_letter: Annotated[str | None, typer.Argument(help="One dead letter, d12.")] = None,
    database_url: DatabaseUrl = None,
    task: Annotated[str | None, typer.Option(help="All of this task.")] = None,
    stream: Annotated[str | None, typer.Option(help="All of this stream.")] = None,
    error: Annotated[str | None, typer.Option(help="All with this error class.")] = None,
    text: Annotated[str | None, typer.Option(help="All whose error's message holds this.")] = None,
    since: Annotated[datetime | None, typer.Option(help="All given up since (UTC).")] = None,
    before: Annotated[datetime | None, typer.Option(help="All given up before (UTC).")] = None,
    operator: As = None,
    batch: Batch = 500,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Try dead letters again: one by id, or all that match every option given."""
    if dead_letter and not _is_dead_letter(dead_letter):
        stop(f"{dead_letter} is not a dead letter: their ids are like d12")
    if not (dead_letter or task or stream or error or text or since or before):
        stop(
            "name a dead letter, or say which by --task, --stream, --error, --text, --since "
            "or --before"
        )
    with _connection(database_url) as ask:
        [now] = ask("clock_timestamp")
        # what fails again meanwhile is a new dead letter, and not tried once more
        until = min(_utc(before), now["clock_timestamp"]) if before else now["clock_timestamp"]
        which = [
            int(dead_letter[1:]) if dead_letter else None,
            task,
            stream,
            error,
            _utc(since) if since else None,
            until,
            text,
        ]
        if dry_run:
            _preview(ask, "jobs.find_dead_letters", [*which, 0], as_json, "would be redriven")
            return
        done: list[dict[str, Any]] = []
        last = 0
        while rows := ask(
            "jobs.redrive_dead_letters", *which, last, batch, *(reason, _operator(operator), False)
        ):
            done += rows
            last = rows[-1]["id"]
            _progress(f"{len(done)} redriven")
    if dead_letter and not done:
        stop(f"no dead letter {dead_letter} waits")
    _conclude(done, as_json)


@jobs.command("purge")
def purge(
    kind: Annotated[
        Literal["finished", "dead", "attempts"],
        typer.Argument(help="Finished jobs, dead letters, or recorded attempts."),
    ],
    reason: Why,
    older_than: Annotated[str, typer.Option(help="Age, like 30d, 12h, 90m or 0s.")],
    database_url: DatabaseUrl = None,
    what: Annotated[str | None, typer.Option(help="Task or stream its name begins with.")] = None,
    state: Annotated[
        str | None,
        typer.Option(help="Job: succeeded, failed, cancelled, aborted. Letter: dead, redriven."),
    ] = None,
    error: Annotated[str | None, typer.Option(help="With this error class.")] = None,
    text: Annotated[str | None, typer.Option(help="Whose error's message holds this.")] = None,
    operator: As = None,
    batch: Batch = 5000,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Delete old history in bounded batches. A purged dead letter is given up for good."""
    age = _age(older_than)
    with _connection(database_url) as ask:
        [now] = ask("clock_timestamp")
        which = [kind, now["clock_timestamp"] - age, what, state, error, text]
        if dry_run:
            _preview(ask, "jobs.find_history", which, as_json, "would be deleted")
            return
        gone = 0
        while more := ask("jobs.purge_history", *which, batch, reason, _operator(operator))[0][
            "purge_history"
        ]:
            gone += more
            _progress(f"{gone} deleted")
    typer.echo(json.dumps({"kind": kind, "count": gone}) if as_json else f"{gone} deleted")


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


def _turn(
    function: str,
    target: str,
    reason: str,
    database_url: str | None,
    operator: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Pause or resume, and show how it stands now."""
    if not reason.strip():
        stop("say why: --reason must not be empty")
    if dry_run:
        rows = _call(database_url, "jobs.find_targets", target)
    else:
        rows = _call(database_url, function, target, reason, _operator(operator))
    if not rows:
        stop(f"{target} is neither a queue nor a stream: hub jobs queues lists them")
    _show(rows, as_json)


def _operator(given: str | None) -> str:
    """Who it is: as told, else the account, seen through sudo."""
    if given:
        return given
    if os.getuid() == 0 and (behind := os.environ.get("SUDO_USER")):
        return behind
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


class _Ask:
    """Calls SQL functions over one connection, each call its own transaction."""

    def __init__(self, conn: Any) -> None:
        self._conn = conn

    def __call__(self, function: str, *args: Any) -> list[dict[str, Any]]:
        return self._select("*", function, args)

    def count(self, function: str, *args: Any) -> int:
        """How many rows it gives."""
        return int(self._select("count(*)", function, args)[0]["count"])

    def _select(self, what: LiteralString, function: str, args: Any) -> list[dict[str, Any]]:
        from psycopg import sql

        query = sql.SQL("select {} from {}({})").format(
            sql.SQL(what),
            sql.Identifier(*function.split(".")),
            sql.SQL(", ").join([sql.Placeholder()] * len(args)),
        )
        rows: list[dict[str, Any]] = self._conn.execute(query, args).fetchall()
        return rows


@contextmanager
def _connection(database_url: str | None) -> Iterator[_Ask]:
    """The database; ends the command with a message when it refuses or cannot be reached."""
    import psycopg
    from psycopg.rows import dict_row

    try:
        with psycopg.connect(address(database_url), autocommit=True, row_factory=dict_row) as conn:
            yield _Ask(conn)
    except psycopg.Error as error:
        stop(error.diag.message_primary or str(error).strip())


def _call(database_url: str | None, function: str, *args: Any) -> list[dict[str, Any]]:
    with _connection(database_url) as ask:
        return ask(function, *args)


def _preview(ask: _Ask, function: str, which: list[Any], as_json: bool, what: str) -> None:
    """How many, and the first few."""
    count, sample = ask.count(function, *which), ask(function, *which, SAMPLE)
    if as_json:
        told = {"dry_run": True, "count": count, "sample": sample}
        typer.echo(json.dumps(told, default=str))
        return
    _show(sample, False)
    typer.echo(f"{count} {what}")


def _conclude(done: list[dict[str, Any]], as_json: bool) -> None:
    """What was redriven, and what could not be, with the reason."""
    refused = [row for row in done if row["refused"]]
    count = len(done) - len(refused)
    if as_json:
        told = {"count": count, "sample": done[:SAMPLE], "refused": refused}
        typer.echo(json.dumps(told, default=str))
    else:
        _show([*[row for row in done if not row["refused"]][:SAMPLE], *refused], False)
        typer.echo(f"{count} redriven" + (f", {len(refused)} refused" if refused else ""))
    if refused:
        raise typer.Exit(1)


def _progress(text: str) -> None:
    """How far it is: on standard error, so that the output stays whole."""
    typer.echo(text, err=True)


def _age(text: str) -> timedelta:
    units = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
    found = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    if not found:
        stop(f"{text} is no age: 30d, 12h, 90m or 0s")
    return timedelta(**{units[found[2]]: int(found[1])})


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=moment.tzinfo or UTC)


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
