"""JOB-7: queues and streams are paused in the database, for all workers at once."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.support.callers import Connection, as_user
from tests.support.databases import FreshDatabase
from tests.support.events import emit, end_pause, ids, let_time_pass, settle, take, value
from tests.support.parallel import together, wait_until_waiting

FETCH = "select (jobs.fetch_job(%s, null)).id"
CARRY = "select jobs.defer('realtime:deliver_events', '{\"stream\": \"realtime\"}')"
PURGE = "select jobs.defer('jobs:purge', '{\"timestamp\": 0}')"


@pytest.fixture
def conn(fresh_db: FreshDatabase) -> Connection:
    return fresh_db.connect()


def turn(conn: Connection, verb: str, name: str, reason: str = "why") -> list[tuple[Any, ...]]:
    """Pause or resume as Ama; gives kind, name and whether it changed."""
    return conn.execute(
        f"select kind, name, is_changed from jobs.{verb}(%s, %s, 'ama')", [name, reason]
    ).fetchall()


def test_paused_queue_is_not_fetched_from_and_others_are(conn: Connection) -> None:
    """JOB-7: also where the paused queue stands before the others."""
    carrier, purge = value(conn, CARRY), value(conn, PURGE)
    assert turn(conn, "pause", "queue:realtime") == [("queue", "realtime", True)]
    assert value(conn, FETCH, [None]) == purge
    assert value(conn, FETCH, [None]) is None
    assert value(conn, FETCH, [["realtime"]]) is None
    assert turn(conn, "resume", "queue:realtime") == [("queue", "realtime", True)]
    assert value(conn, FETCH, [None]) == carrier


def test_queues_asked_for_stay_the_only_ones(conn: Connection) -> None:
    """JOB-7: a pause elsewhere opens nothing."""
    value(conn, PURGE)
    turn(conn, "pause", "clock")
    assert value(conn, FETCH, [["realtime"]]) is None


def test_fetch_without_pauses_is_procrastinates_own(conn: Connection) -> None:
    """JOB-7: the row is the job's, and empty when there is none."""
    first, second = value(conn, PURGE), value(conn, CARRY)
    assert value(conn, FETCH, [["upkeep"]]) == first
    row = conn.execute("select id, status::text, worker_id from jobs.fetch_job(null, null)")
    assert row.fetchall() == [(second, "doing", None)]
    row = conn.execute("select id, args from jobs.fetch_job(null, null)")
    assert row.fetchall() == [(None, None)]


def test_paused_stream_hands_out_nothing_and_loses_nothing(conn: Connection) -> None:
    """JOB-7, JOB-8"""
    made = emit(conn, 3)
    turn(conn, "pause", "stream:realtime")
    assert value(conn, "select jobs.ring()") == 0
    assert take(conn) == []
    made += emit(conn, 2)
    turn(conn, "resume", "stream:realtime")
    assert value(conn, "select jobs.ring()") == 1
    batch = take(conn)
    assert ids(batch) == made
    assert settle(conn, batch)


def test_batch_in_hand_is_settled_while_its_stream_is_paused(conn: Connection) -> None:
    """JOB-7: and what it did not deliver is retried after the pause."""
    made = emit(conn, 2)
    first, second = take(conn, 1), take(conn, 1)
    turn(conn, "pause", "realtime")
    assert settle(conn, first)
    assert settle(conn, second, "abandoned")
    assert take(conn) == []
    turn(conn, "resume", "realtime")
    end_pause(conn)
    assert ids(take(conn)) == [made[1]]


def test_lease_that_runs_out_during_a_pause_is_retried_after_it(conn: Connection) -> None:
    """JOB-8"""
    made = emit(conn, 2)
    take(conn)
    turn(conn, "pause", "realtime")
    let_time_pass(conn)
    assert take(conn) == []
    turn(conn, "resume", "realtime")
    end_pause(conn)
    assert ids(take(conn)) == made


def test_pausing_waits_for_a_take_under_way_and_the_next_sees_it(fresh_db: FreshDatabase) -> None:
    """JOB-7: once the pause has committed, no worker takes."""
    worker, operator, other = (fresh_db.connect(autocommit=False) for _ in range(3))
    observer = fresh_db.connect()
    emit(observer, 3)
    assert len(take(worker, 1)) == 1

    def pause() -> None:
        turn(operator, "pause", "stream:realtime")
        operator.commit()

    def release() -> None:
        wait_until_waiting(observer, operator.info.backend_pid)
        worker.commit()

    together([pause, release])
    assert take(other) == []


def test_a_name_means_both_and_can_mean_one(conn: Connection) -> None:
    assert turn(conn, "pause", "realtime") == [
        ("queue", "realtime", True),
        ("stream", "realtime", True),
    ]
    assert turn(conn, "resume", "stream:realtime") == [("stream", "realtime", True)]
    assert value(conn, "select kind from jobs.pauses") == "queue"
    assert turn(conn, "pause", "clock") == [("queue", "clock", True)]
    assert turn(conn, "pause", "nobody") == []


def test_second_pause_keeps_the_first_ones_story(conn: Connection) -> None:
    turn(conn, "pause", "clock", "first")
    assert turn(conn, "pause", "clock", "second") == [("queue", "clock", False)]
    assert value(conn, "select reason from jobs.pauses") == "first"
    assert value(conn, "select count(*) from audit.events") == 1
    assert turn(conn, "resume", "clock") == [("queue", "clock", True)]
    assert turn(conn, "resume", "clock") == [("queue", "clock", False)]


def test_two_operators_pause_at_once(fresh_db: FreshDatabase) -> None:
    """JOB-7: one of them did it."""
    operators = [fresh_db.connect() for _ in range(4)]
    results = together([lambda conn=conn: turn(conn, "pause", "realtime") for conn in operators])
    changed = [row for rows in results for row in rows if row[2]]
    assert sorted(changed) == [("queue", "realtime", True), ("stream", "realtime", True)]
    assert value(operators[0], "select count(*) from audit.events") == 2


def test_pausing_is_audited_with_the_operator(conn: Connection) -> None:
    """JOB-7, APP-9"""
    turn(conn, "pause", "clock", "bank is down")
    turn(conn, "resume", "clock", "bank is back")
    assert conn.execute(
        "select action, subject_type, subject_id, reason, details ->> 'operator',"
        " details ->> 'login', actor_role from audit.events order by id"
    ).fetchall() == [
        ("queue_paused", "queue", "clock", "bank is down", "ama", "postgres", "postgres"),
        ("queue_resumed", "queue", "clock", "bank is back", "ama", "postgres", "postgres"),
    ]


@pytest.mark.parametrize("reason", ["", "  ", None])
def test_nothing_is_paused_without_a_reason(conn: Connection, reason: str | None) -> None:
    with pytest.raises(psycopg.Error):
        conn.execute("select * from jobs.pause('clock', %s)", [reason])
    assert value(conn, "select count(*) from jobs.pauses") == 0


def test_idle_workers_are_woken_by_a_resume(fresh_db: FreshDatabase) -> None:
    """JOB-7: instead of finding the jobs at their next poll."""
    listener, conn = fresh_db.connect(), fresh_db.connect()
    turn(conn, "pause", "clock")
    listener.execute("listen procrastinate_any_queue_v1")
    turn(conn, "resume", "clock")
    assert [note.channel for note in listener.notifies(timeout=30, stop_after=1)] == [
        "procrastinate_any_queue_v1"
    ]


def test_list_shows_who_why_and_since(conn: Connection) -> None:
    """JOB-7"""
    emit(conn, 3)
    value(conn, PURGE)
    turn(conn, "pause", "realtime", "too fast")
    rows = {
        (row[0], row[1]): row[2:]
        for row in conn.execute(
            "select kind, name, waiting, paused_by, reason, paused_at <= clock_timestamp()"
            " from jobs.list_queues()"
        )
    }
    assert rows["stream", "realtime"] == (3, "ama", "too fast", True)
    assert rows["queue", "realtime"] == (0, "ama", "too fast", True)
    assert rows["queue", "upkeep"] == (1, None, None, None)


def test_pauses_are_a_metric(conn: Connection) -> None:
    """OPS-2"""
    turn(conn, "pause", "realtime")
    conn.execute("update jobs.pauses set paused_at = now() - interval '1 hour' where true")
    found = {
        (row[0], row[1]): row[2] for row in conn.execute("select * from jobs.gauges()").fetchall()
    }
    assert found["queue_paused_seconds", "realtime"] >= 3600
    assert found["stream_paused_seconds", "realtime"] >= 3600
    assert found["queue_paused_seconds", "clock"] == 0


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role"])
@pytest.mark.parametrize(
    "call",
    [
        "jobs.pause('realtime', 'x')",
        "jobs.resume('realtime', 'x')",
        "jobs.list_queues()",
        "jobs.retry_now('1', 'x')",
        "jobs.find_dead_letters()",
        "jobs.redrive_dead_letters(p_reason => 'x', p_dry_run => false)",
        "jobs.find_history('dead', now())",
        "jobs.purge_history('dead', now(), null, null, null, null, 1, 'x')",
        "jobs.fetch_job(null, null)",
        "jobs.pauses",
        "jobs.contexts",
    ],
)
def test_operators_functions_are_closed_to_the_api(db: Connection, role: str, call: str) -> None:
    """JOB-2"""
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        as_user(db, "11111111-1111-4111-8111-111111111111", role),
    ):
        db.execute(f"select * from {call}")
