"""OPS-1, OPS-2: the numbers that alerts are made of."""

from __future__ import annotations

import pytest

from tests.support.callers import Connection
from tests.support.databases import FreshDatabase
from tests.support.events import emit, settle, take, value
from tests.support.money import open_wallet
from tests.support.people import make_people

PURGE = "select jobs.defer('jobs:purge', '{\"timestamp\": 0}')"


@pytest.fixture
def conn(fresh_db: FreshDatabase) -> Connection:
    return fresh_db.connect()


def gauges(conn: Connection) -> dict[tuple[str, str | None], float]:
    return {(row[0], row[1]): row[2] for row in conn.execute("select * from jobs.gauges()")}


def age(conn: Connection, by: str = "1 hour") -> None:
    """Let this much time pass for what waits."""
    for table, column in {
        "jobs.outbox": "created_at",
        "procrastinate.procrastinate_events": "at",
        "procrastinate.procrastinate_workers": "last_heartbeat",
    }.items():
        conn.execute(f"update {table} set {column} = {column} - %s::interval where true", [by])


def test_idle_queues_and_streams_show_zero(conn: Connection) -> None:
    """OPS-2: a series that is not there raises no alert."""
    found = gauges(conn)
    queues = [row[0] for row in conn.execute("select distinct queue from jobs.task_catalog()")]
    for queue in queues:
        for metric in ("jobs_waiting", "jobs_running", "job_oldest_seconds", "jobs_stalled"):
            assert found[metric, queue] == 0
    for metric in ("outbox_lag_seconds", "outbox_blocked_seconds", "stream_backoff_seconds"):
        assert found[metric, "realtime"] == 0


def test_the_oldest_due_job_counts_not_the_scheduled_one(conn: Connection) -> None:
    """OPS-2"""
    value(conn, "select jobs.defer('jobs:purge', '{\"timestamp\": 0}', now() + interval '2 hours')")
    age(conn)
    assert gauges(conn)["job_oldest_seconds", "upkeep"] == 0
    value(conn, PURGE)
    age(conn, "10 minutes")
    found = gauges(conn)
    assert 600 <= found["job_oldest_seconds", "upkeep"] < 3600
    assert found["jobs_waiting", "upkeep"] == 2


def test_a_job_tried_again_waits_since_its_new_time(conn: Connection) -> None:
    """OPS-2"""
    job_id = value(conn, PURGE)
    age(conn)
    conn.execute(
        "update procrastinate.procrastinate_jobs set scheduled_at = now() - interval '1 minute'"
        " where id = %s",
        [job_id],
    )
    assert 60 <= gauges(conn)["job_oldest_seconds", "upkeep"] < 600


def test_stalled_jobs_are_those_of_lost_workers(conn: Connection) -> None:
    """OPS-2"""
    worker = "insert into procrastinate.procrastinate_workers default values returning id"
    for _ in range(2):
        value(conn, PURGE)
        value(conn, "select (jobs.fetch_job(null, %s)).id", [value(conn, worker)])
    assert gauges(conn)["jobs_stalled", "upkeep"] == 0
    assert gauges(conn)["fetchers_alive", None] == 2
    conn.execute(
        "update procrastinate.procrastinate_workers set last_heartbeat = now() - interval '1 hour'"
        " where id = (select min(id) from procrastinate.procrastinate_workers)"
    )
    found = gauges(conn)
    assert found["jobs_stalled", "upkeep"] == 1
    assert found["jobs_running", "upkeep"] == 2
    assert found["fetchers_alive", None] == 1


def test_an_old_transaction_that_holds_events_back_is_told(fresh_db: FreshDatabase) -> None:
    """OPS-2: and it is told apart from workers that are late."""
    conn, old = fresh_db.connect(), fresh_db.connect(autocommit=False)
    emit(conn)
    age(conn)
    found = gauges(conn)
    assert found["outbox_lag_seconds", "realtime"] >= 3600
    assert found["outbox_blocked_seconds", "realtime"] == 0
    old.execute("select pg_current_xact_id()")
    emit(conn)
    conn.execute("update jobs.outbox set created_at = now() - interval '1 hour' where true")
    settle(conn, take(conn))
    found = gauges(conn)
    assert found["outbox_blocked_seconds", "realtime"] >= 3600
    assert found["oldest_writer_seconds", None] > 0
    old.rollback()
    assert gauges(conn)["outbox_blocked_seconds", "realtime"] == 0


def test_a_reader_holds_nothing_back(fresh_db: FreshDatabase) -> None:
    """OPS-2"""
    conn, reader = fresh_db.connect(), fresh_db.connect(autocommit=False)
    reader.execute("select count(*) from jobs.outbox")
    emit(conn)
    age(conn)
    assert gauges(conn)["outbox_blocked_seconds", "realtime"] == 0


def test_counters_only_grow(conn: Connection) -> None:
    """OPS-1: also when what they count is gone."""
    value(conn, PURGE)
    emit(conn, 3)
    settle(conn, take(conn, 1), "rejected")
    conn.execute("delete from procrastinate.procrastinate_jobs where true")
    conn.execute("delete from jobs.dead_letters where true")
    found = gauges(conn)
    assert found["jobs_deferred_total", None] == 1
    assert found["outbox_events_total", None] == 3
    assert found["dead_letters_written_total", None] == 1


def test_the_books_verdict_is_kept_for_the_metrics(conn: Connection) -> None:
    """OPS-2, LED-8: when they hold and when they do not."""
    [ama] = make_people(conn, 1)
    wallet = open_wallet(conn, ama, balance=5)
    assert ("check_problems", "books") not in gauges(conn)
    assert value(conn, "select ledger.check_books()") == 0
    assert gauges(conn)["check_problems", "books"] == 0
    assert value(conn, "select findings from jobs.check_results") == []
    conn.execute("update ledger.accounts set posted = posted + 1 where id = %s", [wallet])
    assert value(conn, "select ledger.check_books()") > 0
    found = gauges(conn)
    assert found["check_problems", "books"] > 0
    assert found["check_age_seconds", "books"] >= 0
    told = value(conn, "select findings from jobs.check_results")
    assert "every account's balance is the sum of its entries" in [row["check"] for row in told]


def test_older_workers_find_the_names_they_know_and_no_others(conn: Connection) -> None:
    """OPS-5: they fail on a name they do not know."""
    value(conn, PURGE)
    known = {
        "jobs_waiting",
        "jobs_running",
        "outbox_waiting",
        "outbox_lag_seconds",
        "outbox_retries",
        "stream_paused_seconds",
        "dead_letters",
    }
    rows = conn.execute("select metric, label, value from jobs.metrics()").fetchall()
    assert {row[0] for row in rows} <= known
    assert None not in {row[1] for row in rows}
