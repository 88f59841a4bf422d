"""JOB-8: after a logical restore onto another server nothing is lost."""

from __future__ import annotations

from tests.support.callers import Connection
from tests.support.databases import FreshDatabase
from tests.support.events import emit, ids, settle, take, value

FAR = 5_000_000_000


def take_all(conn: Connection) -> list[int]:
    found: list[int] = []
    quiet = 0
    while quiet < 3:
        batch = take(conn)
        if batch:
            settle(conn, batch)
            found += ids(batch)
        else:
            quiet += 1
    return found


def restore_elsewhere(conn: Connection, ahead: int = FAR) -> None:
    """What a dump of this database, loaded into a younger server, would look like."""
    for table, column in (
        ("outbox", "xid"),
        ("streams", "cursor_xid"),
        ("stream_leases", "lo_xid"),
        ("stream_leases", "hi_xid"),
    ):
        conn.execute(
            f"update jobs.{table} set {column} = ({column}::text::bigint + %s)::text::xid8"
            f" where {column} is not null",
            [ahead],
        )
    conn.execute("update jobs.streams set cluster = 1 where true")


def test_undelivered_and_new_events_are_delivered_once(fresh_db: FreshDatabase) -> None:
    """JOB-8"""
    conn = fresh_db.connect()
    done = emit(conn, 3)
    settle(conn, take(conn))
    waiting = emit(conn, 3)
    restore_elsewhere(conn)
    new = emit(conn, 3)
    found = take_all(conn)
    assert sorted(found) == waiting + new
    assert not set(found) & set(done)
    assert value(conn, "select epoch from jobs.streams") == 2


def test_batch_in_flight_is_delivered_again(fresh_db: FreshDatabase) -> None:
    """JOB-8: nobody on this server can settle it."""
    conn = fresh_db.connect()
    made = emit(conn, 3)
    lost = take(conn)
    restore_elsewhere(conn)
    assert take_all(conn) == made
    assert not settle(conn, lost)


def test_event_inserted_meanwhile_is_not_lost(fresh_db: FreshDatabase) -> None:
    """JOB-8: its transaction is older than the rebasing one and commits after it."""
    conn, rule = fresh_db.connect(), fresh_db.connect(autocommit=False)
    emit(conn, 2)
    settle(conn, take(conn))
    restore_elsewhere(conn)
    [held] = emit(rule)
    assert take(conn) == []
    rule.commit()
    assert take_all(conn) == [held]


def test_new_server_that_overtook_the_cursor_is_noticed_too(fresh_db: FreshDatabase) -> None:
    """JOB-8: by the server's identity, not by its transaction ids alone."""
    conn = fresh_db.connect()
    emit(conn, 2)
    settle(conn, take(conn))
    waiting = emit(conn, 2)
    restore_elsewhere(conn, ahead=20)
    new = emit(conn, 1)
    for _ in range(40):
        conn.execute("select pg_current_xact_id()")
    assert sorted(take_all(conn)) == waiting + new


def test_same_server_is_never_rebased(fresh_db: FreshDatabase) -> None:
    """JOB-8"""
    conn = fresh_db.connect()
    emit(conn, 2)
    take_all(conn)
    assert value(conn, "select epoch from jobs.streams") == 1
