"""JOB-6, OPS-6: operators clear history away by filter and age, in bounded batches."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.support.callers import Connection
from tests.support.databases import FreshDatabase
from tests.support.events import emit, settle, take, value
from tests.support.parallel import together


@pytest.fixture
def conn(fresh_db: FreshDatabase) -> Connection:
    """A dead event a day old, a dead job now, attempts of both, a failed and a cancelled job."""
    made = fresh_db.connect()
    emit(made)
    settle(made, take(made), "rejected")
    made.execute(
        "insert into jobs.attempts (job_id, task, outcome, error_class, error_message)"
        " values (77, 'old:task', 'failed', 'Timeout', 'no answer')"
    )
    made.execute("update jobs.dead_letters set created_at = now() - interval '1 day' where true")
    made.execute(
        "insert into jobs.dead_letters (job_id, task, args, reason, attempts, error_class)"
        " values (77, 'old:task', '{}', 'exhausted', 3, 'Timeout')"
    )
    for status in ("failed", "cancelled", "todo"):
        job_id = value(
            made,
            "insert into procrastinate.procrastinate_jobs (queue_name, task_name, priority)"
            " values ('q', 'x:y', 0) returning id",
        )
        made.execute(
            "update procrastinate.procrastinate_jobs set status = %s where id = %s",
            [status, job_id],
        )
    return made


def purge(conn: Connection, kind: str, *, limit: int = 100, **options: Any) -> Any:
    given = {"before": "infinity", "reason": "space", **options}
    names = ", ".join(
        f"p_{name} => %({name})s"
        for name in ("before", "what", "state", "error_class", "text", "reason", "operator")
    )
    known = {"what": None, "state": None, "error_class": None, "text": None, "operator": "ama"}
    return value(
        conn,
        f"select jobs.purge_history(p_kind => %(kind)s, p_limit => %(limit)s, {names})",
        {**known, **given, "kind": kind, "limit": limit},
    )


def ids(conn: Connection, kind: str, **options: Any) -> list[int]:
    names = "".join(f", p_{name} => %({name})s" for name in options)
    query = f"select id from jobs.find_history(p_kind => %(kind)s, p_before => 'infinity'{names})"
    return [row[0] for row in conn.execute(query, {"kind": kind, **options})]


@pytest.mark.parametrize(
    ("kind", "options", "found"),
    [
        ("dead", {}, 2),
        ("dead", {"what": "old:"}, 1),
        ("dead", {"what": "realtime"}, 1),
        ("dead", {"error_class": "Timeout"}, 1),
        ("dead", {"state": "redriven"}, 0),
        ("attempts", {"text": "NO ANSWER"}, 1),
        ("attempts", {"state": "rejected"}, 1),
        ("finished", {}, 2),
        ("finished", {"state": "failed"}, 1),
        ("finished", {"what": "x:"}, 2),
        ("finished", {"error_class": "Timeout"}, 0),
    ],
)
def test_what_is_listed_is_what_goes(
    conn: Connection, kind: str, options: dict[str, Any], found: int
) -> None:
    """JOB-6: the dry run and the purge agree."""
    listed = ids(conn, kind, **options)
    assert len(listed) == found
    assert purge(conn, kind, **options) == found
    assert ids(conn, kind, **options) == []


def test_jobs_that_wait_or_run_stay(conn: Connection) -> None:
    """OPS-6"""
    assert purge(conn, "finished") == 2
    statuses = "select array_agg(status::text) from procrastinate.procrastinate_jobs"
    assert value(conn, statuses) == ["todo"]


def test_younger_history_stays(conn: Connection) -> None:
    """OPS-6"""
    before = value(conn, "select now() - interval '1 hour'")
    assert purge(conn, "dead", before=before) == 1
    assert value(conn, "select task from jobs.dead_letters") == "old:task"
    assert purge(conn, "attempts", before=before) == 0
    assert purge(conn, "finished", before=before) == 0


def test_batches_are_bounded_and_end(conn: Connection) -> None:
    """OPS-6"""
    assert [purge(conn, "attempts", limit=1) for _ in range(3)] == [1, 1, 0]


def test_each_batch_is_on_record(conn: Connection) -> None:
    """APP-9"""
    purge(conn, "dead", what="old:")
    purge(conn, "dead", what="old:")
    assert conn.execute(
        "select action, subject_id, reason, details ->> 'operator', details -> 'rows',"
        " details ->> 'what' from audit.events"
    ).fetchall() == [("history_purged", "dead", "space", "ama", 1, "old:")]


@pytest.mark.parametrize(
    ("kind", "reason", "complaint"),
    [("dead", " ", "needs a reason"), ("everything", "x", "is not finished, dead or attempts")],
)
def test_refused_without_reason_or_kind(
    conn: Connection, kind: str, reason: str, complaint: str
) -> None:
    """JOB-6"""
    with pytest.raises(psycopg.errors.InternalError_, match=complaint):
        purge(conn, kind, reason=reason)
    assert value(conn, "select count(*) from jobs.dead_letters") == 2


def test_letter_that_is_being_redriven_is_passed_over(
    fresh_db: FreshDatabase, conn: Connection
) -> None:
    """JOB-6: the redrive wins, and the purge does not wait for it."""
    operator = fresh_db.connect(autocommit=False)
    redriven = operator.execute(
        "select id from jobs.redrive_dead_letters("
        "p_stream => 'realtime', p_reason => 'x', p_dry_run => false)"
    ).fetchall()
    assert purge(conn, "dead", state="dead") == 1
    operator.commit()
    assert value(conn, "select array_agg(id) from jobs.dead_letters") == [redriven[0][0]]
    assert purge(conn, "dead", state="dead") == 0


def test_two_purges_at_once_delete_each_row_once(fresh_db: FreshDatabase) -> None:
    """OPS-6"""
    conns = [fresh_db.connect() for _ in range(2)]
    conns[0].execute(
        "insert into jobs.dead_letters (job_id, task, args, reason, attempts)"
        " select n, 'a:b', '{}', 'exhausted', 1 from generate_series(1, 500) as n"
    )

    def drain(conn: Connection) -> int:
        gone = 0
        while more := purge(conn, "dead", limit=50):
            gone += more
        return gone

    assert sum(together([lambda conn=conn: drain(conn) for conn in conns])) == 500
    counted = "select sum((details -> 'rows')::integer) from audit.events"
    assert value(conns[0], counted) == 500
