"""The queue: does somebody work on it, is something stuck. And the books, when asked deeply."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import errors

from procrastinate_app.doctor.finding import Case, Finding, Level

SILENT = "1 minute"
OVERDUE = "5 minutes"
LAG = "2 minutes"
LEAVING = "1 hour"


def queue(case: Case) -> Iterator[Finding]:
    if not case.exists("procrastinate.procrastinate_jobs"):
        yield Finding(Level.ERROR, "queue", "the queue is not installed", "hub deploy")
        return
    found = [
        *_workers(case), *_stalled(case), *_unknown(case), *_dead(case), *_paused(case),
        *_lagging(case), *_erasures(case),
    ]  # fmt: skip
    yield from found
    if not any(finding.level > Level.OK for finding in found):
        yield Finding(Level.OK, "queue", "nothing is stuck")


def _workers(case: Case) -> Iterator[Finding]:
    alive, overdue, oldest = case.row(
        "select (select count(*) from procrastinate.procrastinate_workers"
        "   where last_heartbeat > now() - %s::interval), count(*),"
        " date_trunc('second', max(now() - due.at))::text"
        " from (select coalesce(j.scheduled_at, (select min(e.at)"
        "     from procrastinate.procrastinate_events as e where e.job_id = j.id)) as at"
        "   from procrastinate.procrastinate_jobs as j where j.status = 'todo' limit 10000) as due"
        " where due.at < now() - %s::interval",
        [SILENT, OVERDUE],
    )
    if overdue and not alive:
        yield Finding(
            Level.ERROR, "queue", f"no worker runs, and {overdue} jobs are overdue, the oldest by "
            f"{oldest}", "systemctl start hub-worker, or hub worker",
        )  # fmt: skip
    elif overdue:
        yield Finding(
            Level.WARNING, "queue", f"{overdue} jobs are overdue, the oldest by {oldest}: too few "
            "workers, or paused queues", "hub jobs list --state waiting",
        )  # fmt: skip
    elif not alive:
        yield Finding(Level.NOTE, "queue", "no worker runs", "systemctl start hub-worker")
    else:
        yield Finding(Level.OK, "queue", f"{alive} fetchers are at work")


def _stalled(case: Case) -> Iterator[Finding]:
    count = case.value(
        "select count(*) from procrastinate.procrastinate_jobs as j"
        " left join procrastinate.procrastinate_workers as w on w.id = j.worker_id"
        " where j.status = 'doing'"
        "   and (w.id is null or w.last_heartbeat < now() - %s::interval)",
        [SILENT],
    )
    if count:
        yield Finding(
            Level.WARNING, "queue", f"{count} jobs are stalled: their worker is gone",
            "Any running worker puts them back; see hub jobs list --state running.",
        )  # fmt: skip


def _unknown(case: Case) -> Iterator[Finding]:
    if not case.rows("select from pg_proc as p where p.pronamespace = to_regnamespace('jobs')"
                     " and p.proname = 'task_catalog'"):  # fmt: skip
        return
    for task, count in case.rows(
        "select j.task_name, count(*) from procrastinate.procrastinate_jobs as j"
        " where j.status in ('todo', 'doing')"
        "   and not exists (select from jobs.task_catalog() as c where c.task = j.task_name)"
        " group by 1 order by 1"
    ):
        yield Finding(
            Level.WARNING, "queue", f"{count} jobs of {task} wait: no task of this schema",
            "Start a worker of the release that knows it, or hub jobs cancel them.",
        )  # fmt: skip


def _dead(case: Case) -> Iterator[Finding]:
    if not case.exists("jobs.dead_letters"):
        return
    for what, count, since in case.rows(
        "select coalesce(task, stream), count(*), date_trunc('second', min(created_at))::text"
        " from jobs.dead_letters where redriven_at is null group by 1 order by 1"
    ):
        yield Finding(
            Level.WARNING, "queue", f"{count} dead letters of {what}, the oldest of {since}",
            f"hub jobs list --state dead --what {what}",
        )  # fmt: skip


def _paused(case: Case) -> Iterator[Finding]:
    """What operators paused, and streams whose provider is down."""
    if case.exists("jobs.pauses"):
        for kind, name, who, since, reason in case.rows(
            "select kind, name, paused_by, date_trunc('second', paused_at)::text, reason"
            " from jobs.pauses order by paused_at"
        ):
            yield Finding(
                Level.WARNING, "queue", f"the {kind} {name} is paused since {since} by {who}: "
                f"{reason}", f"hub jobs resume --{kind} {name}",
            )  # fmt: skip
    if case.exists("jobs.streams"):
        for stream, until in case.rows(
            "select stream, date_trunc('second', paused_until)::text from jobs.streams"
            " where paused_until > now() + interval '1 minute' order by 1"
        ):
            yield Finding(
                Level.WARNING, "queue", f"the stream {stream} waits for its provider until {until}",
                "See the provider's status; hub jobs list --state retrying says what it answered.",
            )  # fmt: skip


def _lagging(case: Case) -> Iterator[Finding]:
    if not case.exists("jobs.streams"):
        return
    for stream, lag in case.rows(
        "select s.stream, date_trunc('second', now() - o.created_at)::text from jobs.streams as s"
        " cross join lateral (select created_at from jobs.outbox as o where o.stream = s.stream"
        "   and (o.xid, o.id) > (s.cursor_xid, s.cursor_id) order by o.xid, o.id limit 1) as o"
        " where o.created_at < now() - %s::interval order by 1",
        [LAG],
    ):
        yield Finding(
            Level.WARNING, "queue", f"the oldest event of {stream} waits since {lag}",
            "Start a worker; if one runs, look for long transactions (above) and pauses.",
        )  # fmt: skip


def _erasures(case: Case) -> Iterator[Finding]:
    """Who left and is not gone yet: the job tries for ever, so somebody must be told."""
    if not case.exists("identity.erasures"):
        return
    signed, unfinished = case.row(
        "select count(*) filter (where sign_in_deleted_at is null),"
        " count(*) filter (where sign_in_deleted_at is not null)"
        " from identity.erasures where finished_at is null and erased_at < now() - %s::interval",
        [LEAVING],
    )
    if signed:
        yield Finding(
            Level.WARNING, "queue", f"{signed} erased accounts still have their sign-in",
            "hub jobs list --what identity:delete_sign_in",
        )  # fmt: skip
    if unfinished:
        yield Finding(
            Level.WARNING, "queue", f"{unfinished} erasures are not finished: they fail, or money "
            "is held", "The log of the server says why: look for `erasure of`.",
        )  # fmt: skip


def books(case: Case) -> Iterator[Finding]:
    """ledger.verify(): reads every entry, so only when asked."""
    if not case.exists("ledger.entries"):
        return
    if not case.deep:
        yield Finding(Level.NOTE, "books", "not proved", "hub doctor --deep")
        return
    try:
        with case.conn.transaction():
            checks = case.rows("select check_name, holds, violations from ledger.verify()")
    except errors.UndefinedFunction:
        yield Finding(Level.ERROR, "books", "ledger.verify() is missing", "hub deploy")
        return
    broken = [(name, violations) for name, holds, violations in checks if not holds]
    for name, violations in broken:
        yield Finding(
            Level.ERROR, "books", f"does not hold: {name} ({violations} rows)",
            "Stop paying out; find who wrote past the ledger's functions (hub jobs, audit.events).",
        )  # fmt: skip
    if not broken:
        yield Finding(Level.OK, "books", f"{len(checks)} checks hold")
