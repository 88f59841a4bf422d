"""JOB-5, JOB-6: attempts, dead letters, redrive and rescue of unit jobs."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.support.callers import Connection, as_user
from tests.support.databases import FreshDatabase
from tests.support.events import emit, ids, settle, take, value
from tests.support.parallel import together, wait_until_waiting

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
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
    again = conn.execute(
        "select * from jobs.redrive_dead_letters(p_reason => 'again', p_dry_run => false)"
    ).fetchall()
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
        "p_created_since => now() - interval '1 hour'": 2,
        "p_created_since => now() + interval '1 hour'": 0,
        "p_text => 'NO ANSWER'": 1,
        "p_text => 'an_wer'": 0,
        "p_after_id => 1": 1,
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
    redrive(conn)
    batch = take(conn)
    assert ids(batch) == [made]
    settle(conn, batch)
    assert take(conn) == []


def redrive(conn: Connection, options: str = "") -> list[tuple[Any, ...]]:
    """Redrive; gives id, new job and what was wrong."""
    return conn.execute(
        "select id, job_id, refused from jobs.redrive_dead_letters("
        f"p_reason => 'mended', p_operator => 'ama', p_dry_run => false{options})"
    ).fetchall()


@pytest.mark.parametrize("reason", ["null", "''", "'  '"])
def test_redrive_needs_a_reason(conn: Connection, reason: str) -> None:
    """JOB-6"""
    fail(conn, defer(conn), "rejected")
    with pytest.raises(psycopg.errors.InternalError_, match="needs a reason"):
        conn.execute(
            f"select * from jobs.redrive_dead_letters(p_reason => {reason}, p_dry_run => false)"
        )
    assert value(conn, "select redriven_at from jobs.dead_letters") is None


def test_letter_that_cannot_be_redriven_keeps_nobody(conn: Connection) -> None:
    """JOB-6: its task went with a release; it stays dead and says why."""
    conn.execute(
        "insert into jobs.dead_letters (job_id, task, args, reason, attempts)"
        " values (0, 'test:gone', '{}', 'exhausted', 1)"
    )
    fail(conn, defer(conn), "rejected")
    [(gone, nothing, refused), (_, job_id, fine)] = redrive(conn)
    assert (nothing, refused) == (None, "unknown task test:gone")
    assert fine is None
    assert start(conn) is not None
    assert job_id
    assert value(conn, "select id from jobs.dead_letters where redriven_at is null") == gone
    assert value(conn, "select count(*) from audit.events") == 1


def test_two_redrives_at_once_redrive_each_letter_once(fresh_db: FreshDatabase) -> None:
    """JOB-6"""
    first, second = fresh_db.connect(autocommit=False), fresh_db.connect()
    observer = fresh_db.connect()
    for _ in range(3):
        emit(observer)
        settle(observer, take(observer), "rejected")
    results: list[int] = []

    def waits() -> None:
        results.append(len(redrive(second)))

    def goes_first() -> None:
        wait_until_waiting(observer, second.info.backend_pid)
        first.commit()

    assert len(redrive(first)) == 3
    together([waits, goes_first])
    assert results == [0]
    assert value(observer, "select count(*) from audit.events") == 3
    assert value(observer, "select count(*) from jobs.outbox_retries") == 3


def test_redrive_while_the_worker_settles(fresh_db: FreshDatabase) -> None:
    """JOB-6, JOB-8: whatever comes first, the event goes out, and nobody waits for nobody."""
    worker, operator = fresh_db.connect(), fresh_db.connect()
    emit(worker, 2)
    dead, carried = take(worker, 1), take(worker, 1)
    settle(worker, dead, "rejected")
    results = together([lambda: settle(worker, carried, "rejected"), lambda: redrive(operator)])
    assert results[0] is True
    left = value(operator, "select count(*) from jobs.dead_letters where redriven_at is null")
    retried = value(operator, "select count(*) from jobs.outbox_retries")
    assert left + retried == 2
    redrive(operator)
    assert sorted(ids(take(worker)) + ids(take(worker))) == sorted(ids(dead) + ids(carried))


def test_redriven_job_keeps_the_context_of_its_request(conn: Connection) -> None:
    """JOB-6, APP-10, OPS-1"""
    with as_user(conn, None, "postgres", headers={"x-request-id": "r-1", "traceparent": TRACE}):
        old = defer(conn)
    fail(conn, old, "rejected")
    conn.execute("delete from procrastinate.procrastinate_jobs where id = %s", [old])
    [(_, new, _)] = redrive(conn)
    assert conn.execute(
        "select request_id, traceparent from jobs.contexts where job_id = %s", [new]
    ).fetchall() == [("r-1", TRACE)]


def test_what_waits_for_later_is_tried_now(conn: Connection) -> None:
    """JOB-6: a scheduled job, a retried event; nothing else."""
    job_id = value(
        conn, "select jobs.defer('test:pay', '{\"payout_id\": 7}', now() + interval '1 day')"
    )
    emit(conn)
    settle(conn, take(conn), "retry", retry_in="1 day")
    conn.execute("update jobs.streams set paused_until = null where true")
    assert start(conn) is None
    assert take(conn) == []
    retry = "select jobs.retry_now(%s, 'now')"
    assert value(conn, retry, [str(job_id)]) == "test:pay"
    assert value(conn, retry, ["e1"]) == "realtime balance_updated"
    assert start(conn) == job_id
    assert ids(take(conn)) == [1]
    for nothing in (str(job_id), "e1", "e99", "99"):
        assert value(conn, retry, [nothing]) is None
    assert value(conn, "select count(*) from audit.events") == 2


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
