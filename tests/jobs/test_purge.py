"""JOB-3: history is kept for its time and then goes, in bounded batches."""

from __future__ import annotations

from tests.support.callers import Connection
from tests.support.databases import FreshDatabase
from tests.support.events import emit, ids, settle, take, tune_stream, value

LEFT = "select array_agg(id order by id) from jobs.outbox"


def age_everything(conn: Connection) -> None:
    for table, column in {
        "outbox": "created_at",
        "stream_leases": "closed_at",
        "attempts": "created_at",
        "dead_letters": "created_at",
    }.items():
        conn.execute(
            f"update jobs.{table} set {column} = {column} - interval '30 days'"
            f" where {column} is not null"
        )


def test_only_what_was_delivered_is_forgotten(fresh_db: FreshDatabase) -> None:
    """JOB-3: not what waits, is in hand, is retried or was given up."""
    conn = fresh_db.connect()
    emit(conn, 2)
    settle(conn, take(conn))
    [dead] = emit(conn)
    settle(conn, take(conn), "rejected")
    [retried] = emit(conn)
    settle(conn, take(conn), "abandoned")
    conn.execute("update jobs.outbox_retries set next_try_at = 'infinity' where true")
    [held] = emit(conn)
    assert ids(take(conn)) == [held]
    [waiting] = emit(conn)
    age_everything(conn)
    assert value(conn, "select jobs.purge(100)") > 0
    assert value(conn, LEFT) == [dead, retried, held, waiting]
    assert value(conn, "select jobs.purge(100)") == 0


def test_young_history_stays(fresh_db: FreshDatabase) -> None:
    """JOB-3"""
    conn = fresh_db.connect()
    emit(conn, 2)
    settle(conn, take(conn))
    assert value(conn, "select jobs.purge(100)") == 0


def test_batches_are_bounded(fresh_db: FreshDatabase) -> None:
    """JOB-3"""
    conn = fresh_db.connect()
    emit(conn, 25)
    settle(conn, take(conn))
    age_everything(conn)
    gone = [value(conn, "select jobs.purge(10)") for _ in range(4)]
    assert gone == [11, 10, 5, 0]


def test_given_up_letters_are_kept_longer_and_then_go(fresh_db: FreshDatabase) -> None:
    """JOB-6"""
    conn = fresh_db.connect()
    tune_stream(conn, keep_for="0 s")
    emit(conn)
    settle(conn, take(conn), "rejected")
    assert value(conn, LEFT) is not None
    conn.execute("update jobs.settings set keep_dead_letters = '0 s' where true")
    while value(conn, "select jobs.purge(10)"):
        pass
    assert value(conn, LEFT) is None


def test_finished_jobs_go(fresh_db: FreshDatabase) -> None:
    """JOB-3"""
    conn = fresh_db.connect()
    emit(conn)
    conn.execute("select jobs.ring()")
    conn.execute("select procrastinate.procrastinate_cancel_job_v1(1, false, false)")
    assert value(conn, "select jobs.purge(10)") == 0
    conn.execute("update jobs.settings set keep_finished_jobs = '0 s' where true")
    assert value(conn, "select jobs.purge(10)") == 1


def test_metrics_tell_the_queues_state(fresh_db: FreshDatabase) -> None:
    """OPS-1"""
    conn = fresh_db.connect()
    emit(conn, 3)
    settle(conn, take(conn, 1), "rejected")
    settle(conn, take(conn, 1), "retry")
    conn.execute("update jobs.outbox set created_at = now() - interval '1 minute' where true")
    conn.execute("select jobs.defer('jobs:purge', '{\"timestamp\": 0}')")
    found = {(row[0], row[1]): row[2] for row in conn.execute("select * from jobs.metrics()")}
    assert found["jobs_waiting", "upkeep"] == 1
    assert found["outbox_waiting", "realtime"] == 1
    assert found["outbox_lag_seconds", "realtime"] >= 60
    assert found["outbox_retries", "realtime"] == 1
    assert found["stream_paused_seconds", "realtime"] > 0
    assert found["dead_letters", "realtime"] == 1
