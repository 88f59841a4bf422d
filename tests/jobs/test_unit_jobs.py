"""JOB-5, JOB-6: attempts, dead letters, redrive and rescue of unit jobs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.callers import Connection
from tests.support.databases import FreshDatabase
from tests.support.events import emit, ids, settle, take, value

ERROR = '{"class": "Timeout", "message": "no answer", "trace": "here"}'
FETCH = "select (procrastinate.procrastinate_fetch_job_v2(null, %s)).id"
STATUS = "select status::text from procrastinate.procrastinate_jobs where id = %s"


@pytest.fixture
def conn(fresh_db: FreshDatabase) -> Connection:
    """A queue that also knows a unit task, tried three times."""
    made = fresh_db.connect()
    made.execute(
        "create or replace function jobs.task_catalog() returns table (task text, queue text,"
        " priority integer, arguments text[], max_attempts integer, description text)"
        " language sql immutable set search_path = '' as $$ values"
        " ('test:pay', 'pay', 50, array['payout_id'], 3, ''),"
        " ('test:tick', 'tick', 40, array[]::text[], null, '') $$"
    )
    return made


def defer(conn: Connection, task: str = "test:pay", **options: Any) -> int:
    args = '{"payout_id": 7}' if task == "test:pay" else "{}"
    return int(
        value(
            conn,
            "select jobs.defer(%s, %s, p_queueing_lock => %s)",
            [task, args, options.get("queueing_lock")],
        )
    )


def start(conn: Connection, worker: int | None = None) -> Any:
    return value(conn, FETCH, [worker])


def register(conn: Connection, *, heard: str = "0 s") -> int:
    return int(
        value(
            conn,
            "insert into procrastinate.procrastinate_workers (last_heartbeat)"
            " values (now() - %s::interval) returning id",
            [heard],
        )
    )


def fail(conn: Connection, job_id: int, outcome: str = "failed") -> Any:
    """When it is tried again; None for never."""
    return value(
        conn,
        "select jobs.record_attempt(%s, %s, %s, %s)",
        [job_id, outcome, ERROR, "2999-01-01" if outcome == "snoozed" else None],
    )


def test_failures_are_retried_until_the_last(conn: Connection) -> None:
    """JOB-5, JOB-6"""
    job_id = defer(conn)
    start(conn)
    assert fail(conn, job_id) is not None
    assert fail(conn, job_id) is not None
    assert fail(conn, job_id) is None
    assert conn.execute(
        "select job_id, task, args, reason, attempts, error_class from jobs.dead_letters"
    ).fetchall() == [(job_id, "test:pay", {"payout_id": 7}, "exhausted", 3, "Timeout")]


def test_snooze_is_not_an_attempt(conn: Connection) -> None:
    """JOB-5"""
    job_id = defer(conn)
    for _ in range(10):
        assert fail(conn, job_id, "snoozed").year == 2999
    assert fail(conn, job_id) is not None
    assert value(conn, "select count(*) from jobs.dead_letters") == 0


def test_rejection_is_final(conn: Connection) -> None:
    """JOB-4"""
    assert fail(conn, defer(conn), "rejected") is None
    assert value(conn, "select reason from jobs.dead_letters") == "rejected"


def test_task_that_comes_again_by_itself_is_neither_retried_nor_kept(conn: Connection) -> None:
    """JOB-6"""
    assert fail(conn, defer(conn, "test:tick")) is None
    assert value(conn, "select count(*) from jobs.dead_letters") == 0
    assert value(conn, "select error_class from jobs.attempts") == "Timeout"


def test_only_jobs_of_lost_workers_are_rescued(conn: Connection) -> None:
    """JOB-6"""
    alive, lost = register(conn), register(conn, heard="1 hour")
    jobs = [defer(conn) for _ in range(3)]
    started = [start(conn, worker) for worker in (alive, lost, None)]
    assert started == jobs
    rescued = conn.execute("select job_id, action from jobs.rescue_stalled()").fetchall()
    assert rescued == [(jobs[1], "queued"), (jobs[2], "queued")]
    assert [value(conn, STATUS, [job]) for job in jobs] == ["doing", "todo", "todo"]


def test_stalled_job_with_a_waiting_sibling_is_merged(conn: Connection) -> None:
    """JOB-6: procrastinate's own sweeper dies on it, and the job stays for ever."""
    stalled = defer(conn, queueing_lock="one")
    assert start(conn) == stalled
    sibling = defer(conn, queueing_lock="one")
    other = defer(conn)
    assert start(conn) in (sibling, other)
    conn.execute(
        "update procrastinate.procrastinate_jobs set status = 'todo' where id = %s", [sibling]
    )
    conn.execute(
        "update procrastinate.procrastinate_jobs set status = 'doing' where id = %s", [other]
    )
    rescued = conn.execute("select job_id, action from jobs.rescue_stalled()").fetchall()
    assert rescued == [(stalled, "merged"), (other, "queued")]
    assert value(conn, STATUS, [sibling]) == "todo"


def test_job_that_cannot_be_rescued_does_not_stop_the_others(conn: Connection) -> None:
    """JOB-6: each in its own savepoint."""
    odd, fine = defer(conn), defer(conn)
    assert [start(conn), start(conn)] == [odd, fine]
    conn.execute(
        "create function pg_temp.refuse() returns trigger language plpgsql"
        " as $$ begin raise exception 'odd'; end; $$"
    )
    conn.execute(
        f"create trigger refuse before update on procrastinate.procrastinate_jobs"
        f" for each row when (old.id = {odd}) execute function pg_temp.refuse()"
    )
    rescued = conn.execute("select job_id, action from jobs.rescue_stalled()").fetchall()
    assert rescued == [(fine, "queued")]


@pytest.mark.parametrize(("task", "letters"), [("test:pay", 1), ("test:tick", 0)])
def test_job_that_kills_its_workers_is_given_up(conn: Connection, task: str, letters: int) -> None:
    """JOB-6"""
    job_id = defer(conn, task)
    actions = []
    for _ in range(3):
        assert start(conn) == job_id
        actions += [row[0] for row in conn.execute("select action from jobs.rescue_stalled()")]
    assert actions == ["queued", "queued", "given_up"]
    assert value(conn, STATUS, [job_id]) == "failed"
    assert (
        value(conn, "select count(*) from jobs.dead_letters where reason = 'killed_workers'")
        == letters
    )


def test_dry_run_changes_nothing(conn: Connection) -> None:
    """JOB-6"""
    fail(conn, defer(conn), "rejected")
    listed = conn.execute("select what from jobs.redrive_dead_letters()").fetchall()
    assert listed == [("test:pay",)]
    assert value(conn, "select redriven_at from jobs.dead_letters") is None
    assert value(conn, "select count(*) from audit.events") == 0


def test_redriven_job_is_deferred_anew_and_audited(conn: Connection) -> None:
    """JOB-6"""
    old = defer(conn)
    start(conn)
    fail(conn, old, "rejected")
    conn.execute("select procrastinate.procrastinate_finish_job_v1(%s, 'failed', false)", [old])
    [(letter, new)] = conn.execute(
        "select id, job_id from jobs.redrive_dead_letters("
        "p_task => 'test:pay', p_reason => 'bank is back', p_dry_run => false)"
    ).fetchall()
    assert new != old
    assert start(conn) == new
    assert conn.execute(
        "select action, subject_type, subject_id, reason from audit.events"
    ).fetchall() == [("dead_letter_redriven", "dead_letter", str(letter), "bank is back")]
    again = conn.execute("select * from jobs.redrive_dead_letters(p_dry_run => false)").fetchall()
    assert again == []


def test_filters_narrow_the_redrive(conn: Connection) -> None:
    """JOB-6"""
    fail(conn, defer(conn), "rejected")
    [made] = emit(conn)
    settle(conn, take(conn), "rejected")
    count = "select count(*) from jobs.redrive_dead_letters({})"
    for options, expected in {
        "": 2,
        "p_task => 'test:pay'": 1,
        "p_stream => 'realtime'": 1,
        "p_error_class => 'Timeout'": 1,
        "p_error_class => 'Timeout', p_stream => 'realtime'": 0,
        "p_created_before => now() - interval '1 hour'": 0,
        "p_id => -1": 0,
        "p_limit => 1": 1,
    }.items():
        assert value(conn, count.format(options)) == expected, options
    assert made


def test_redriven_event_goes_out_again_alone(conn: Connection) -> None:
    """JOB-6"""
    [made] = emit(conn)
    settle(conn, take(conn), "rejected")
    assert take(conn) == []
    conn.execute("select * from jobs.redrive_dead_letters(p_dry_run => false)")
    batch = take(conn)
    assert ids(batch) == [made]
    settle(conn, batch)
    assert take(conn) == []


def test_cancelling_is_audited(conn: Connection) -> None:
    """JOB-6"""
    waiting, running = defer(conn), defer(conn)
    assert start(conn) == waiting
    assert value(conn, "select jobs.cancel_job(%s, 'twice')", [running]) == "cancelled"
    assert value(conn, "select jobs.cancel_job(%s)", [waiting]) == "asked_to_stop"
    assert value(conn, "select jobs.cancel_job(%s)", [running]) is None
    assert conn.execute("select action, subject_id from audit.events order by id").fetchall() == [
        ("job_cancelled", str(running)),
        ("job_cancelled", str(waiting)),
    ]
