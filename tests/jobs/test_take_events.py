"""JOB-3, JOB-8: what a stream hands out, to whom, and in which order."""

from __future__ import annotations

from threading import Thread
from typing import Any

from tests.support.databases import FreshDatabase
from tests.support.events import emit, end_pause, ids, settle, take, tune_stream, value


def test_events_come_in_order_and_once(fresh_db: FreshDatabase) -> None:
    """JOB-3"""
    conn = fresh_db.connect()
    made = emit(conn, 5)
    first, second, third = take(conn, 2), take(conn, 2), take(conn, 2)
    assert ids(first) + ids(second) + ids(third) == made
    assert len({batch[0]["lease_id"] for batch in (first, second, third)}) == 3
    assert take(conn, 2) == []


def test_each_event_carries_its_id(fresh_db: FreshDatabase) -> None:
    """JOB-8: so that a client drops what it has seen."""
    conn = fresh_db.connect()
    [made] = emit(conn, text="hello")
    [row] = take(conn)
    assert row["payload"] == {"id": str(made), "version": 1, "text": "hello"}
    assert row["request_id"] == "req-1"


def test_late_commit_is_not_passed_over(fresh_db: FreshDatabase) -> None:
    """JOB-8: a transaction that took its id earlier and commits later."""
    early, late, reader = fresh_db.connect(), fresh_db.connect(autocommit=False), fresh_db.connect()
    [held] = emit(late)
    [quick] = emit(early)
    assert take(reader) == []
    late.commit()
    assert ids(take(reader)) == [held, quick]


def test_later_id_of_an_older_transaction_is_not_passed_over(fresh_db: FreshDatabase) -> None:
    """JOB-8: the cursor is the pair of transaction and id."""
    old, young, reader = fresh_db.connect(autocommit=False), fresh_db.connect(), fresh_db.connect()
    old.execute("select pg_current_xact_id()")
    [first] = emit(young)
    [second] = emit(old)
    assert second > first
    assert take(reader) == []
    old.commit()
    assert ids(take(reader)) == [second, first]


def test_rolled_back_event_is_never_seen(fresh_db: FreshDatabase) -> None:
    """JOB-1"""
    rule, reader = fresh_db.connect(autocommit=False), fresh_db.connect()
    emit(rule)
    rule.rollback()
    [kept] = emit(reader)
    assert ids(take(reader)) == [kept]


def test_batches_are_bounded_in_bytes(fresh_db: FreshDatabase) -> None:
    """JOB-3"""
    conn = fresh_db.connect()
    tune_stream(conn, batch_bytes=5000)
    emit(conn, 10, text="x" * 1000)
    assert len(take(conn)) == 4
    [large] = emit(conn, text="x" * 9000)
    batches = []
    while batch := take(conn):
        batches.append(ids(batch))
    assert batches[-1] == [large]


def test_many_consumers_at_once_share_without_doubles(fresh_db: FreshDatabase) -> None:
    """JOB-3: real connections, real locks."""
    made = emit(fresh_db.connect(), 300)
    found: list[int] = []

    def consume() -> None:
        conn = fresh_db.connect()
        while batch := take(conn, 7):
            found.extend(ids(batch))
            settle(conn, batch)

    consumers = [Thread(target=consume) for _ in range(4)]
    for consumer in consumers:
        consumer.start()
    for consumer in consumers:
        consumer.join()
    assert sorted(found) == made


def test_lease_that_ran_out_is_handed_out_again(fresh_db: FreshDatabase) -> None:
    """JOB-8: a worker killed after taking."""
    conn = fresh_db.connect()
    made = emit(conn, 3)
    lost = take(conn, lease="0 seconds")
    again = take(conn)
    assert ids(lost) == ids(again) == made
    assert not settle(conn, lost)
    assert settle(conn, again)
    assert take(conn) == []
    outcomes = conn.execute(
        "select outcome, delivered from jobs.stream_leases order by taken_at"
    ).fetchall()
    assert outcomes == [("abandoned", 0), ("delivered", 3)]


def test_closed_leases_record_what_was_delivered(fresh_db: FreshDatabase) -> None:
    """JOB-4"""
    conn = fresh_db.connect()
    made = emit(conn, 3)
    batch = take(conn)
    settle(conn, batch)
    kept = conn.execute(
        "select outbox_id from jobs.lease_items(%s) order by 1", [batch[0]["lease_id"]]
    ).fetchall()
    assert [row[0] for row in kept] == made


def test_fresh_events_and_retries_take_turns(fresh_db: FreshDatabase) -> None:
    """JOB-8: a failed item does not block its topic, nor do fresh ones starve it."""
    conn = fresh_db.connect()
    emit(conn, 2)
    settle(conn, take(conn), "rejected")
    emit(conn, 2)
    sizes: list[Any] = []
    while batch := take(conn, 1):
        sizes.append(batch[0]["id"])
        settle(conn, batch)
    assert sizes in ([1, 3, 2, 4], [3, 1, 4, 2])


def test_paused_stream_hands_out_nothing(fresh_db: FreshDatabase) -> None:
    """JOB-5"""
    conn = fresh_db.connect()
    emit(conn, 2)
    settle(conn, take(conn, 1), "retry")
    assert take(conn) == []
    assert value(conn, "select jobs.ring()") == 0
    end_pause(conn)
    assert value(conn, "select jobs.ring()") == 1
    assert len(take(conn)) == 1


def test_ring_defers_one_carrier_while_work_is_due(fresh_db: FreshDatabase) -> None:
    """JOB-3"""
    conn = fresh_db.connect()
    assert value(conn, "select jobs.ring()") == 0
    emit(conn, 2)
    assert [value(conn, "select jobs.ring()") for _ in range(3)] == [1, 0, 0]
    conn.execute("select procrastinate.procrastinate_fetch_job_v2(null, null)")
    assert value(conn, "select jobs.ring()") == 1


def test_ring_stops_at_the_streams_lanes(fresh_db: FreshDatabase) -> None:
    """JOB-3: a slow provider does not draw all of the workers in."""
    conn = fresh_db.connect()
    emit(conn, 5)
    tune_stream(conn, lanes=2)
    take(conn, 1)
    assert value(conn, "select jobs.ring()") == 1
    conn.execute("select procrastinate.procrastinate_fetch_job_v2(null, null)")
    take(conn, 1)
    assert value(conn, "select jobs.ring()") == 0


def test_stream_that_cannot_be_rung_is_reported_not_raised(fresh_db: FreshDatabase) -> None:
    """JOB-3: it must not keep the others waiting."""
    conn = fresh_db.connect()
    emit(conn)
    conn.execute("update jobs.streams set carrier_task = 'no:such' where true")
    heard: list[str] = []
    conn.add_notice_handler(lambda notice: heard.append(str(notice.message_primary)))
    assert value(conn, "select jobs.ring()") == 0
    assert heard == ["stream realtime was not rung: unknown task no:such"]
