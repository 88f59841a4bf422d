"""JOB-1, JOB-2: one door to the queue, in the caller's transaction."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.callers import Connection, as_user
from tests.support.databases import FreshDatabase
from tests.support.events import value

CARRY = "select jobs.defer('realtime:deliver_events', '{\"stream\": \"realtime\"}'"
JOBS = "select count(*) from procrastinate.procrastinate_jobs"


def test_commit_makes_exactly_one_job(fresh_db: FreshDatabase) -> None:
    """JOB-1"""
    rule, other = fresh_db.connect(autocommit=False), fresh_db.connect()
    job_id = value(rule, CARRY + ")")
    assert value(other, JOBS) == 0
    rule.commit()
    row = other.execute(
        "select id, queue_name, priority, status::text, args from procrastinate.procrastinate_jobs"
    ).fetchall()
    assert row == [(job_id, "realtime", 30, "todo", {"stream": "realtime"})]


def test_rollback_makes_no_job(fresh_db: FreshDatabase) -> None:
    """JOB-1"""
    rule = fresh_db.connect(autocommit=False)
    value(rule, CARRY + ")")
    rule.rollback()
    assert value(rule, JOBS) == 0


def test_caller_may_have_an_empty_search_path(db: Connection) -> None:
    """JOB-2"""
    db.execute("set local search_path = ''")
    assert value(db, CARRY + ")") > 0


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        ("jobs.defer('realtime:deliver_event')", "unknown task"),
        ("jobs.defer(null)", "unknown task"),
        ("jobs.defer('realtime:deliver_events')", "does not take these arguments"),
        ("jobs.defer('realtime:deliver_events', null)", "does not take these arguments"),
        (
            'jobs.defer(\'realtime:deliver_events\', \'{"stream": "realtime", "x": 1}\')',
            "does not take these arguments",
        ),
    ],
)
def test_wrong_names_stop_the_rule(db: Connection, call: str, complaint: str) -> None:
    """JOB-2"""
    with pytest.raises(psycopg.errors.InternalError_, match=complaint), db.transaction():
        db.execute(f"select {call}")
    assert value(db, JOBS) == 0


def test_queue_name_too_long_to_notify_is_refused(db: Connection) -> None:
    """JOB-2"""
    db.execute(
        "create or replace function jobs.task_catalog() returns table (task text, queue text,"
        " priority integer, arguments text[], max_attempts integer, description text)"
        " language sql immutable set search_path = ''"
        " as $$ values ('a:b', repeat('q', 41), 0, '{}'::text[], null::integer, '') $$"
    )
    with pytest.raises(psycopg.errors.InternalError_, match="over 40 bytes"), db.transaction():
        db.execute("select jobs.defer('a:b')")


def test_clash_of_queueing_locks_merges(db: Connection) -> None:
    """JOB-2"""
    first = value(db, CARRY + ", p_queueing_lock => 'one')")
    assert value(db, CARRY + ", p_queueing_lock => 'one')") == first
    assert value(db, JOBS) == 1


def test_merged_job_starts_after_the_caller_commits(fresh_db: FreshDatabase) -> None:
    """JOB-1: else it could run without seeing what the caller wrote."""
    rule, worker = fresh_db.connect(autocommit=False), fresh_db.connect()
    job_id = value(worker, CARRY + ", p_queueing_lock => 'one')")
    worker.execute("insert into procrastinate.procrastinate_workers default values")
    fetch = (
        "select (procrastinate.procrastinate_fetch_job_v2(null, w.id)).id"
        " from procrastinate.procrastinate_workers as w"
    )
    assert value(rule, CARRY + ", p_queueing_lock => 'one')") == job_id
    assert value(worker, fetch) is None
    rule.commit()
    assert value(worker, fetch) == job_id


def test_started_sibling_leaves_room_for_a_new_job(fresh_db: FreshDatabase) -> None:
    """JOB-2"""
    conn = fresh_db.connect()
    first = value(conn, CARRY + ", p_queueing_lock => 'one')")
    conn.execute("select procrastinate.procrastinate_fetch_job_v2(null, null)")
    assert value(conn, CARRY + ", p_queueing_lock => 'one')") != first


@pytest.mark.parametrize("role", ["anon", "authenticated"])
@pytest.mark.parametrize(
    "query",
    [
        "select jobs.defer('realtime:deliver_events')",
        "select * from jobs.outbox",
        "insert into jobs.outbox (topic, event, payload) values ('t', 'e', '{}')",
        "select * from jobs.dead_letters",
        "select * from jobs.take_events('realtime', 1, '1 s')",
        "select * from jobs.task_catalog()",
        "select * from procrastinate.procrastinate_jobs",
        "insert into procrastinate.procrastinate_jobs (queue_name, task_name) values ('q', 't')",
    ],
)
def test_clients_cannot_reach_the_queue(db: Connection, role: str, query: str) -> None:
    """JOB-2"""
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        as_user(db, "11111111-1111-4111-8111-111111111111", role),
    ):
        db.execute(query)


def test_a_context_left_of_another_job_does_not_stop_it(db: Connection) -> None:
    """JOB-1, JOB-2: ids come again after a restore; nor is it taken for a clash of locks."""
    for arguments in ("", ", p_queueing_lock => 'one'"):
        db.execute(
            "insert into jobs.contexts (job_id, request_id)"
            " select last_value + g, 'stale'"
            " from procrastinate.procrastinate_jobs_id_seq, generate_series(0, 20) as g"
            " on conflict do nothing"
        )
        db.execute("select set_config('app.request_id', 'mine', true)")
        job_id = value(db, CARRY + arguments + ")")
        context = f"select request_id from jobs.contexts where job_id = {job_id}"
        assert value(db, context) == value(db, "select app.request_id()") != "stale"
