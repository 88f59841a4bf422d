"""JOB-4, JOB-5, JOB-8: what follows from each outcome."""

from __future__ import annotations

import json

import psycopg
import pytest

from tests.support.callers import Connection
from tests.support.databases import FreshDatabase
from tests.support.events import emit, end_pause, ids, settle, take, tune_stream, value

DEAD = "select outbox_id, reason, attempts, error_class from jobs.dead_letters order by id"


def deliver_all_but(conn: Connection, poison: int, outcome: str, tries: int = 60) -> list[int]:
    """Carry the stream with a provider that fails whenever it meets the poison."""
    delivered: list[int] = []
    for _ in range(tries):
        batch = take(conn)
        if not batch:
            end_pause(conn)
            batch = take(conn)
        if not batch:
            return delivered
        if poison in ids(batch):
            settle(conn, batch, outcome)
        else:
            settle(conn, batch)
            delivered += ids(batch)
    return delivered


def test_rejected_batch_is_split_and_the_poison_isolated(fresh_db: FreshDatabase) -> None:
    """JOB-3, JOB-6: its neighbours arrive, it becomes a dead letter at its first try alone."""
    conn = fresh_db.connect()
    made = emit(conn, 10)
    delivered = deliver_all_but(conn, made[4], "rejected")
    assert sorted(delivered) == [i for i in made if i != made[4]]
    assert conn.execute(DEAD).fetchall() == [(made[4], "rejected", 1, "HTTP 500")]
    assert value(conn, "select count(*) from jobs.outbox_retries") == 0


def test_poison_that_breaks_the_provider_is_isolated(fresh_db: FreshDatabase) -> None:
    """JOB-3: failed batches are split in the end, and only the poison spends attempts."""
    conn = fresh_db.connect()
    tune_stream(conn, split_after=2, max_attempts=3)
    made = emit(conn, 10)
    emit_more = [emit(conn)[0] for _ in range(3)]
    delivered = deliver_all_but(conn, made[4], "retry")
    while not conn.execute(DEAD).fetchall():
        emit_more += emit(conn)
        delivered += deliver_all_but(conn, made[4], "retry")
    assert sorted(delivered) == sorted({*made, *emit_more} - {made[4]})
    [(outbox_id, reason, attempts, _)] = conn.execute(DEAD).fetchall()
    assert (outbox_id, reason, attempts) == (made[4], "exhausted", 3)


def test_outage_spends_nobodys_attempts(fresh_db: FreshDatabase) -> None:
    """JOB-5: however long it lasts, nothing is given up."""
    conn = fresh_db.connect()
    tune_stream(conn, max_attempts=1, split_after=2)
    made = emit(conn, 4)
    for _ in range(30):
        if batch := take(conn):
            settle(conn, batch, "unknown")
        end_pause(conn)
    assert conn.execute(DEAD).fetchall() == []
    assert value(conn, "select max(attempts) from jobs.outbox_retries") == 0
    assert sorted(deliver_all_but(conn, -1, "retry")) == made


def test_outage_backs_the_stream_off_further_each_time(fresh_db: FreshDatabase) -> None:
    """JOB-5: doubling, never under half, never over the cap."""
    conn = fresh_db.connect()
    tune_stream(conn, backoff_base="1 second", backoff_cap="10 seconds")
    emit(conn)
    pause = "select extract(epoch from paused_until - clock_timestamp()) from jobs.streams"
    for full in (1, 2, 4, 8, 10, 10):
        settle(conn, take(conn), "retry")
        assert full / 2 - 0.5 < float(value(conn, pause)) <= full
        end_pause(conn)
    settle(conn, take(conn))
    assert value(conn, "select outages from jobs.streams") == 0


def test_retry_after_is_a_snooze_and_shrinks_the_batch(fresh_db: FreshDatabase) -> None:
    """JOB-5: not an attempt; a batch over the provider's rate would be refused for ever."""
    conn = fresh_db.connect()
    tune_stream(conn, split_after=1)
    made = emit(conn, 8)
    settle(conn, take(conn), "retry", retry_in="1 hour")
    state = "select outages, paused_until > now() + interval '50 minutes' from jobs.streams"
    assert conn.execute(state).fetchall() == [(0, True)]
    assert value(conn, "select count(*) from jobs.attempts") == 0
    assert conn.execute(
        "select distinct stalls, alone, attempts from jobs.outbox_retries"
    ).fetchall() == [(0, False, 0)]
    end_pause(conn)
    batch = take(conn)
    assert len(batch) == 4
    settle(conn, batch)
    assert ids(batch) + deliver_all_but(conn, -1, "retry") == made


def test_retry_after_holds_for_the_stream_even_when_others_got_through(
    fresh_db: FreshDatabase,
) -> None:
    """JOB-5"""
    conn = fresh_db.connect()
    emit(conn, 2)
    slow, quick = take(conn, 1), take(conn, 1)
    settle(conn, quick)
    settle(conn, slow, "retry", retry_in="1 hour")
    emit(conn)
    assert take(conn) == []
    assert value(conn, "select attempts from jobs.outbox_retries") == 0


def test_outcomes_can_differ_within_a_batch(fresh_db: FreshDatabase) -> None:
    """JOB-4"""
    conn = fresh_db.connect()
    good, bad, later, snoozed = emit(conn, 4)
    items = [
        {"id": bad, "outcome": "rejected", "error": {"class": "Gone"}},
        {"id": later, "outcome": "retry", "error": {"class": "Busy"}},
        {"id": snoozed, "outcome": "retry", "retry_at": "2999-01-01T00:00:00Z"},
    ]
    batch = take(conn)
    settle(conn, batch, items=json.dumps(items))
    assert conn.execute(DEAD).fetchall() == [(bad, "rejected", 1, "Gone")]
    retries = conn.execute(
        "select outbox_id, attempts, next_try_at > '2900-01-01' from jobs.outbox_retries order by 1"
    ).fetchall()
    assert retries == [(later, 1, False), (snoozed, 0, True)]
    assert value(conn, "select delivered from jobs.stream_leases") == 1
    assert value(conn, "select paused_until from jobs.streams") is None
    assert good not in [row[0] for row in retries]


def test_attempts_keep_class_message_and_trace(fresh_db: FreshDatabase) -> None:
    """JOB-5"""
    conn = fresh_db.connect()
    [made] = emit(conn)
    settle(conn, take(conn), "unknown")
    assert conn.execute(
        "select outbox_id, stream, outcome, error_class, error_message, error_trace"
        " from jobs.attempts"
    ).fetchall() == [(made, "realtime", "unknown", "HTTP 500", "no", "here")]


def test_second_settling_changes_nothing(fresh_db: FreshDatabase) -> None:
    """JOB-4"""
    conn = fresh_db.connect()
    emit(conn, 2)
    batch = take(conn)
    assert settle(conn, batch)
    assert not settle(conn, batch, "rejected")
    assert value(conn, "select count(*) from jobs.outbox_retries") == 0


def test_unknown_lease_settles_nothing(fresh_db: FreshDatabase) -> None:
    """JOB-4"""
    conn = fresh_db.connect()
    assert not settle(conn, [{"lease_id": "11111111-1111-4111-8111-111111111111"}])


def test_unknown_outcome_is_a_mistake(db: Connection) -> None:
    """JOB-4"""
    with pytest.raises(psycopg.errors.InternalError_, match="unknown outcome"), db.transaction():
        db.execute("select jobs.settle_events(gen_random_uuid(), 'ok')")


def test_event_that_kills_its_workers_is_given_up(fresh_db: FreshDatabase) -> None:
    """JOB-6: while others get through."""
    conn = fresh_db.connect()
    tune_stream(conn, max_attempts=2, split_after=1)
    [poison] = emit(conn)
    for _ in range(12):
        batch = take(conn, lease="0 seconds")
        if poison not in ids(batch):
            settle(conn, batch)
        emit(conn)
        end_pause(conn)
    assert [row[:2] for row in conn.execute(DEAD)] == [(poison, "killed_workers")]
