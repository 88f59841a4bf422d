"""APP-9: what is final is sealed, in the order of (transaction, id), whatever happens meanwhile."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import psycopg
import pytest

from tests.support.callers import Connection, as_user, call, one, refused
from tests.support.databases import FreshDatabase
from tests.support.parallel import refusals, together, wait_until_gone
from tests.support.people import make_moderator, make_user
from tests.support.seals import checks, record, seal_all, sealed


def test_rows_are_sealed_in_batches_that_follow_each_other(conn: Connection) -> None:
    """APP-9"""
    record(conn, 25)
    assert [one(conn, "select seals.seal(10)") for _ in range(4)] == [10, 10, 5, 0]
    assert [row["seal_no"] for row in sealed(conn)] == [1, 2, 3]
    assert [row["row_count"] for row in sealed(conn)] == [10, 10, 5]
    assert checks(conn) == []
    assert one(conn, "select row_count from seals.tail('audit.events', 100)") == 0


def test_a_digest_can_be_recomputed_without_the_database(conn: Connection) -> None:
    """APP-9: by what docs/how-to/audit.md says of it, from the rows as text alone."""
    conn.execute(
        "select audit.record('looked', 'user', 'ü\"\\/\t' || chr(1) || chr(127), e'a\\nb',"
        " '{\"n\": 1.50}')"
    )
    record(conn, 2)
    seal_all(conn)
    [batch] = sealed(conn)
    conn.execute("set timezone = 'UTC'")
    names = ", ".join(f"{name}::text" for name in batch["columns"])
    rows = conn.execute(f"select {names} from audit.events order by xid, id".encode()).fetchall()
    digests = b"".join(_sha256(list(row)) for row in rows)
    assert batch["rows_digest"] == hashlib.sha256(digests).digest()
    assert batch["previous_digest"] == hashlib.sha256(b"audit.events").digest()
    header = [
        "hub seal 1", "audit.events", "1", "1", None, None, None,
        str(batch["to_xid"]), str(batch["to_id"]), str(batch["max_id"]), "3",
        json.dumps(batch["columns"], separators=(",", ":")),
        batch["rows_digest"].hex(), batch["previous_digest"].hex(),
        batch["sealed_at"].strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    ]  # fmt: skip
    assert batch["digest"] == _sha256(header)


def _sha256(values: list[str | None]) -> bytes:
    text = json.dumps(values, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).digest()


@pytest.mark.parametrize(
    "setting",
    [
        ("datestyle", "German"), ("timezone", "Asia/Kathmandu"), ("intervalstyle", "sql_standard"),
        ("extra_float_digits", "-10"), ("bytea_output", "escape"), ("search_path", "audit"),
        ("default_transaction_isolation", "serializable"),
    ],
    ids=lambda setting: setting[0],
)  # fmt: skip
def test_a_session_with_other_habits_finds_the_same_digests(
    conn: Connection, fresh_db: FreshDatabase, setting: tuple[str, str]
) -> None:
    """APP-9: sealed under one set of habits, verified under another."""
    record(conn, 5)
    seal_all(conn)
    with fresh_db.connect() as other:
        other.execute("select set_config(%s, %s, false)", setting)
        assert checks(other) == []
        record(other, 5)
        seal_all(other)
    assert checks(conn) == []
    assert len(sealed(conn)) == 2


def test_a_late_commit_is_not_passed_over(conn: Connection, fresh_db: FreshDatabase) -> None:
    """APP-9: it took its id first and commits last; sealing waits below it."""
    record(conn, 3)
    late = fresh_db.connect(autocommit=False)
    record(late, 1)
    record(conn, 3)
    assert seal_all(conn) == 3
    assert one(conn, "select row_count from seals.tail('audit.events', 100)") == 3
    late.commit()
    assert one(conn, "select row_count from seals.tail('audit.events', 100)") == 4
    assert seal_all(conn) == 4
    assert checks(conn) == []


def test_a_row_with_a_lower_id_and_a_later_transaction_is_sealed(conn: Connection) -> None:
    """APP-9: ids and transactions need not agree in their order."""
    low = one(conn, "select nextval(pg_get_serial_sequence('audit.events', 'id'))")
    record(conn, 2)
    seal_all(conn)
    conn.execute(
        "insert into audit.events (id, actor_role, action, subject_type, subject_id, request_id)"
        " overriding system value values (%s, 'system', 'looked', 'user', '1', 'r')",
        [low],
    )
    assert seal_all(conn) == 1
    assert checks(conn) == []
    assert sealed(conn)[-1]["to_id"] == low < sealed(conn)[0]["to_id"]


def test_two_sealers_at_once_leave_one_chain(conn: Connection, fresh_db: FreshDatabase) -> None:
    """APP-9"""
    record(conn, 300)
    sealers = [fresh_db.connect() for _ in range(4)]
    while one(conn, "select row_count from seals.tail('audit.events', 1)"):
        found = together([lambda c=sealer: one(c, "select seals.seal(7)") for sealer in sealers])
        assert refusals(found) == []
    assert checks(conn) == []
    assert sum(row["row_count"] for row in sealed(conn)) == 300


def test_a_second_sealer_leaves_instead_of_waiting(
    conn: Connection, fresh_db: FreshDatabase
) -> None:
    """APP-9"""
    record(conn, 3)
    first = fresh_db.connect(autocommit=False)
    assert one(first, "select seals.seal(10)") == 3
    assert one(conn, "select seals.seal(10)") == 0
    first.rollback()
    assert one(conn, "select seals.seal(10)") == 3


def test_a_sealer_killed_anywhere_is_continued(conn: Connection, fresh_db: FreshDatabase) -> None:
    """APP-9: killed with its batch written and not committed; nothing is lost or sealed twice."""
    record(conn, 9)
    assert one(conn, "select seals.seal(4)") == 4
    for _ in range(3):
        doomed = fresh_db.connect(autocommit=False)
        assert one(doomed, "select seals.seal(4)") == 4
        conn.execute("select pg_terminate_backend(%s)", [doomed.info.backend_pid])
        wait_until_gone(conn, doomed.info.backend_pid)
        with pytest.raises(psycopg.OperationalError):
            doomed.commit()
    assert seal_all(conn, 4) == 5
    assert [row["row_count"] for row in sealed(conn)] == [4, 4, 1]
    assert checks(conn) == []


def test_writers_and_sealers_neither_wait_nor_lose_a_row(
    conn: Connection, fresh_db: FreshDatabase
) -> None:
    """APP-9: rows of many transactions, some rolled back, sealed while they are written."""
    writers = [fresh_db.connect(autocommit=False) for _ in range(3)]

    def write(writer: Connection) -> None:
        for n in range(40):
            record(writer, 1 + n % 3)
            if n % 5 == 0:
                writer.rollback()
            else:
                writer.commit()

    def seal() -> None:
        with fresh_db.connect() as sealer:
            for _ in range(60):
                sealer.execute("select seals.seal(11)")

    together([*(lambda w=writer: write(w) for writer in writers), seal])
    seal_all(conn)
    assert checks(conn) == []
    written = one(conn, "select count(*) from audit.events")
    assert sum(row["row_count"] for row in sealed(conn)) == written > 100


def test_sealing_holds_no_lock_that_a_writer_would_meet(
    conn: Connection, fresh_db: FreshDatabase
) -> None:
    """APP-9: not on the table and not on a row of it; no trigger works for it."""
    record(conn, 3)
    sealer = fresh_db.connect(autocommit=False)
    sealer.execute("select seals.seal(10)")
    held = conn.execute(
        "select distinct mode from pg_locks where pid = %s and relation = 'audit.events'::regclass",
        [sealer.info.backend_pid],
    ).fetchall()
    assert held == [("AccessShareLock",)]
    conn.execute("set lock_timeout = '1ms'")
    record(conn, 1)
    assert conn.execute(
        "select tgname from pg_trigger where tgrelid = 'audit.events'::regclass"
        " and not tgisinternal and tgtype & 4 > 0"
    ).fetchall() == []  # fmt: skip


def test_rows_from_before_the_column_come_first(conn: Connection) -> None:
    """APP-9: they carry transaction 0, as the migration's default gives them."""
    record(conn, 2)
    conn.execute("alter table audit.events disable trigger _100_refuse_change")
    conn.execute("update audit.events set xid = '0'")
    conn.execute("alter table audit.events enable always trigger _100_refuse_change")
    record(conn, 2)
    assert seal_all(conn, 2) == 4
    first, second = sealed(conn)
    assert (first["to_xid"], int(second["to_xid"]) > 0) == ("0", True)
    assert checks(conn) == []


def test_a_column_added_later_leaves_old_seals_valid(conn: Connection) -> None:
    """APP-9: a seal names the columns it covers."""
    record(conn, 2)
    seal_all(conn)
    conn.execute("alter table audit.events add column place text")
    record(conn, 2)
    seal_all(conn)
    assert checks(conn) == []
    assert [("place" in row["columns"]) for row in sealed(conn)] == [False, True]


def test_another_table_is_sealed_by_a_row_of_its_own(conn: Connection) -> None:
    """APP-9: also where the number repeats within a transaction, as the two legs of a transfer."""
    conn.execute("create schema shop")
    conn.execute(
        "create table shop.legs (transfer_id bigint, amount bigint, at timestamptz default now(),"
        " xid xid8 not null default pg_current_xact_id())"
    )
    conn.execute("create index on shop.legs (xid, transfer_id)")
    conn.execute("insert into seals.chains values ('shop.legs', 'transfer_id', 'at')")
    conn.execute("insert into seals.epochs values ('shop.legs', 1)")
    conn.execute(
        "insert into shop.legs (transfer_id, amount)"
        " select n, a from generate_series(1, 5) as n, unnest('{3,-3}'::int[]) as a"
    )
    record(conn, 1)
    while one(conn, "select seals.seal(3)"):
        pass
    found = conn.execute(
        "select row_count from seals.batches where chain = 'shop.legs' order by seal_no"
    ).fetchall()
    assert found == [(4,), (4,), (2,)]
    assert checks(conn, chain="shop.legs") == checks(conn) == []


def test_an_upgrade_in_place_goes_on(conn: Connection) -> None:
    """APP-9: it changes the server's identifier and keeps its transaction ids."""
    record(conn, 5)
    seal_all(conn, 3)
    conn.execute("update seals.chains set cluster = 1 where true")
    record(conn, 2)
    assert seal_all(conn, 3) == 2
    assert {row["epoch"] for row in sealed(conn)} == {1}
    assert checks(conn) == []


def test_sealing_stops_where_the_row_sealed_last_is_gone(conn: Connection) -> None:
    """APP-9: going on would bury the hole."""
    record(conn, 3)
    seal_all(conn)
    conn.execute("alter table audit.events disable trigger _100_refuse_change")
    conn.execute("delete from audit.events where id = (select max(id) from audit.events)")
    record(conn, 1)
    with refused(conn, "XX000") as refusal:
        conn.execute("select seals.seal(10)")
    assert "sealed last is gone" in refusal.message
    assert one(conn, "select value from seals.metrics() where metric = 'unsealed_rows'") == 1


def test_staff_see_how_far_it_is_sealed(conn: Connection) -> None:
    """APP-9"""
    staff, person = make_moderator(conn), make_user(conn)
    seal_all(conn)
    record(conn, 2)
    [newest] = sealed(conn)
    with as_user(conn, staff):
        [(chain, seal_no, digest, sealed_at, rows, seconds)] = call(conn, "seal_status")
    assert (chain, seal_no, digest, sealed_at, rows) == (
        "audit.events", 1, newest["digest"].hex(), newest["sealed_at"], 2,
    )  # fmt: skip
    assert seconds > 0
    with as_user(conn, person), refused(conn, "not_permitted"):
        call(conn, "seal_status")


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role"])
def test_no_api_role_reaches_the_seals(conn: Connection, role: str) -> None:
    """APP-9"""
    record(conn, 1)
    seal_all(conn)
    statements: list[Any] = [
        "select * from seals.batches", "select * from seals.chains", "select * from seals.epochs",
        "insert into seals.chains values ('a.b', 'id', 'at')", "select seals.seal(1)",
        "select * from seals.verify('audit.events')", "delete from seals.batches",
        "select * from seals.heads()", "select * from seals.metrics()",
    ]  # fmt: skip
    for statement in statements:
        with as_user(conn, make_user(conn), role=role), refused(conn, "42501"):
            conn.execute(statement)
    assert len(sealed(conn)) == 1
