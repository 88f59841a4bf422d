"""APP-9, R37: whatever was changed shows; against a head kept outside, also what was rebuilt."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.callers import Connection, one
from tests.support.seals import checks, head, record, seal_all, seal_by_hand, sealed

ROWS = "sealed rows are what was sealed"
LINKS = "seals follow each other without a gap"
DIGESTS = "every seal is what its digest says"
STRAY = "no row was added behind the seals"
HEAD = "the outside head is in the chain"
COVERED = "every seal covers all columns"

# what somebody does who may switch triggers off
COPY = (
    "insert into audit.events overriding system value"
    " select 8, at, actor_id, actor_role, action, subject_type, subject_id, reason, details,"
    " request_id, xid from audit.events where id = 7"
)
SWAP = (
    "update audit.events as e set subject_id = o.subject_id, details = o.details"
    " from audit.events as o where (e.id, o.id) in ((3, 4), (4, 3))"
)
REORDER = (
    "update audit.events as e set xid = o.xid from audit.events as o"
    " where (e.id, o.id) in ((7, 9), (9, 7))"
)
TAMPERING = {
    "an edited reason": "update audit.events set reason = 'another' where id = 5",
    "an edited detail": "update audit.events set details = '{\"n\": 6}' where id = 5",
    "a moved time": "update audit.events set at = at + interval '1 microsecond' where id = 5",
    "another actor": "update audit.events set actor_id = gen_random_uuid() where id = 5",
    "a null made empty": "update audit.events set reason = '' where id = 12",
    "a deleted row": "delete from audit.events where id = 5",
    "the first row deleted": "delete from audit.events where id = 1",
    "the last row deleted": "delete from audit.events where id = 12",
    "all rows deleted": "delete from audit.events",
    "an inserted row": COPY,
    "a row before the first": COPY.replace("select 8", "select -9223372036854775808").replace(
        ", xid from", ", '0' from"
    ),
    "swapped contents": SWAP,
    "re-ordered rows": REORDER,
    "a moved transaction": "update audit.events set xid = '1' where id = 9",
}
SEALS = {
    "a seal's count": ("update seals.batches set row_count = 3 where seal_no = 2", DIGESTS),
    "a seal's time": (
        "update seals.batches set sealed_at = sealed_at - interval '1 day' where seal_no = 2",
        DIGESTS,
    ),
    "a column left out": (
        "update seals.batches set columns = array_remove(columns, 'reason') where seal_no = 2",
        DIGESTS,
    ),
    "a digest": ("update seals.batches set digest = sha256('x') where seal_no = 2", LINKS),
    "the first seal gone": ("delete from seals.batches where seal_no = 1", LINKS),
    "a seal in the middle gone": ("delete from seals.batches where seal_no = 2", LINKS),
    "an epoch that ends early": ("update seals.epochs set upto_id = 11", LINKS),
    "an epoch that begins late": ("update seals.epochs set after_id = 1", LINKS),
}


@pytest.fixture
def outside(conn: Connection) -> str:
    """A chain of three seals over the ids 1 to 7 and 9 to 12, and its head."""
    record(conn, 7)
    conn.execute("select nextval(pg_get_serial_sequence('audit.events', 'id'))")
    conn.execute("select audit.record('looked', 'user', 'x', 'why')")
    record(conn, 2)
    conn.execute("select audit.record('looked', 'user', 'no reason')")
    seal_all(conn, 4)
    assert [row["row_count"] for row in sealed(conn)] == [4, 4, 3]
    kept = head(conn)
    assert checks(conn) == checks(conn, kept) == []
    return kept


def as_a_replica(conn: Connection, statement: str) -> None:
    """As a superuser who switches the guards off."""
    tables = ("audit.events", "seals.batches")
    conn.execute("set session_replication_role = replica")
    for table in tables:
        conn.execute(f"alter table {table} disable trigger user".encode())
    conn.execute(statement.encode())
    for table in tables:
        conn.execute(f"alter table {table} enable always trigger _100_refuse_change".encode())
    conn.execute("reset session_replication_role")


@pytest.mark.parametrize("what", TAMPERING)
def test_a_changed_row_shows(conn: Connection, outside: str, what: str) -> None:
    """APP-9, R37: with a head outside, and without one while the seals are left alone."""
    as_a_replica(conn, TAMPERING[what])
    assert ROWS in checks(conn, outside)
    assert ROWS in checks(conn)


@pytest.mark.parametrize("what", SEALS)
def test_a_changed_seal_shows(conn: Connection, outside: str, what: str) -> None:
    """APP-9, R37"""
    statement, check = SEALS[what]
    as_a_replica(conn, statement)
    assert check in checks(conn)
    assert check in checks(conn, outside)


def test_a_chain_cut_off_at_its_end_shows_against_the_head_alone(
    conn: Connection, outside: str
) -> None:
    """APP-9: with the rows too, what remains agrees with itself."""
    as_a_replica(conn, "delete from seals.batches where seal_no = 3")
    as_a_replica(conn, "delete from audit.events where id > 9")
    assert checks(conn) == []
    assert checks(conn, outside) == [HEAD]


def test_a_chain_rebuilt_whole_shows_against_the_head_alone(conn: Connection, outside: str) -> None:
    """APP-9: a row rewritten and everything sealed again, by somebody who may do all."""
    as_a_replica(conn, "update audit.events set reason = 'another' where id = 5")
    as_a_replica(conn, "delete from seals.batches")
    seal_all(conn, 4)
    assert checks(conn) == []
    assert checks(conn, outside) == [HEAD]


def test_a_chain_that_was_dropped_shows(conn: Connection, outside: str) -> None:
    """APP-9"""
    as_a_replica(conn, "delete from seals.batches")
    assert checks(conn, outside) == [HEAD]
    conn.execute("delete from seals.epochs")
    conn.execute("delete from seals.chains")
    rows = conn.execute("select * from seals.verify('audit.events', %s)", [outside]).fetchall()
    assert rows == [("the chain is known", False, 1, "no chain is called audit.events")]


def test_it_says_where(conn: Connection, outside: str) -> None:
    """APP-9"""
    as_a_replica(conn, "delete from audit.events where id = 6")
    row = conn.execute(
        "select found, details from seals.verify('audit.events', %s) where check_name = %s",
        [outside, ROWS],
    ).fetchone()
    assert row is not None
    assert row[0] == 1
    assert row[1].startswith("seal 2,")
    assert row[1].endswith("sealed 4 rows, there are 3")


def test_an_older_head_proves_what_it_covers(conn: Connection, outside: str) -> None:
    """APP-9: what came after it is told apart."""
    record(conn, 2)
    seal_all(conn)
    row = conn.execute(
        "select holds, found, details from seals.verify('audit.events', %s) where check_name = %s",
        [outside, HEAD],
    ).fetchone()
    assert row == (True, 1, "proved up to seal 3, 1 came after it")


def test_without_a_head_it_does_not_say_yes(conn: Connection, outside: str) -> None:
    """APP-9: null is not a yes, and the reason stands beside it."""
    row = conn.execute(
        "select holds, details from seals.verify('audit.events') where check_name = %s", [HEAD]
    ).fetchone()
    assert row is not None
    assert row[0] is None
    assert row[1].startswith("no head was given")


@pytest.mark.parametrize("wrong", ["", "3", "x:y", "3:00", "99:" + "0" * 64, "-1:" + "0" * 64])
def test_what_is_no_head_of_this_chain_proves_nothing(
    conn: Connection, outside: str, wrong: str
) -> None:
    """APP-9"""
    assert checks(conn, wrong) == [HEAD]


def test_the_unsealed_tail_is_told(conn: Connection, outside: str) -> None:
    """APP-9: how many rows, and how old the oldest is."""
    conn.execute("select app.freeze_clock(now() - interval '1 hour')")
    record(conn, 2)
    row = conn.execute(
        "select holds, found, details from seals.verify('audit.events')"
        " where check_name = 'rows not sealed yet'"
    ).fetchone()
    assert row is not None
    assert row[:2] == (None, 2)
    assert int(row[2].split()[3]) >= 3600
    gauges = dict(conn.execute("select metric, value from seals.metrics()").fetchall())
    assert gauges["unsealed_rows"] == 2
    assert gauges["unsealed_seconds"] >= 3600


def test_verifying_meets_no_writer(conn: Connection, outside: str) -> None:
    """APP-9: it reads in one snapshot and locks no row."""
    with conn.transaction():
        conn.execute("set transaction read only")
        assert one(conn, "select bool_and(holds is not false) from seals.verify('audit.events')")


def test_a_row_added_to_an_epoch_that_ended_shows(conn: Connection, outside: str) -> None:
    """APP-9: after a move to another server the old epoch takes no more rows."""
    conn.execute("update seals.epochs set upto_id = 12")
    conn.execute("insert into seals.epochs values ('audit.events', 2, 12)")
    record(conn, 2)
    seal_all(conn)
    kept = head(conn)
    assert checks(conn, kept) == []
    as_a_replica(conn, COPY.replace(", xid from", ", '99999999' from"))
    assert checks(conn, kept) == [STRAY]


SHRUNK = {
    "ids alone": ("array['id']", "seal 4 leaves out the column at"),
    "one column less": ("array_remove(columns, 'reason')", "seal 4 leaves out the column reason"),
    "one column twice": ("columns || '{reason}'", "seal 4 names the column reason twice"),
}


@pytest.mark.parametrize("how", SHRUNK)
def test_a_seal_by_hand_that_leaves_columns_out_shows(
    conn: Connection, outside: str, how: str
) -> None:
    """APP-9, R37: its digest is right and the head may be taken over it, but it is not a yes."""
    columns, details = SHRUNK[how]
    record(conn, 1)
    seal_by_hand(conn, columns)
    assert checks(conn, head(conn)) == [COVERED]
    record(conn, 1)
    seal_all(conn)
    assert COVERED in checks(conn, head(conn))
    said = "select details from seals.verify('audit.events') where check_name = %s"
    assert one(conn, said, [COVERED]) == details


def test_a_first_seal_by_hand_that_leaves_columns_out_shows(conn: Connection) -> None:
    """APP-9, R37"""
    record(conn, 1)
    seal_by_hand(conn, "array['id']")
    assert checks(conn, head(conn)) == [COVERED]


def test_a_column_added_later_is_covered_from_then_on(conn: Connection, outside: str) -> None:
    """APP-9: old seals stay as they are, new ones may not fall back."""
    conn.execute("alter table audit.events add column more text")
    record(conn, 1)
    seal_all(conn)
    assert "more" in sealed(conn)[-1]["columns"]
    assert checks(conn, head(conn)) == []
    record(conn, 1)
    seal_by_hand(conn, "array_remove(columns, 'more')")
    assert checks(conn, head(conn)) == [COVERED]


@pytest.mark.parametrize("column", ["reason", "id", "at"])
def test_a_sealed_column_that_is_gone_is_said(conn: Connection, outside: str, column: str) -> None:
    """APP-9: an answer, not an error; and nothing is sealed over it."""
    conn.execute(f"alter table audit.events rename column {column} to another".encode())
    said = conn.execute(
        "select holds, details from seals.verify('audit.events', %s) where check_name = %s",
        [outside, ROWS],
    ).fetchone()
    assert said is not None
    assert said[0] is False
    assert said[1].endswith(f"column {column} is gone")


def test_nothing_is_sealed_over_a_column_that_is_gone(conn: Connection, outside: str) -> None:
    """APP-9"""
    conn.execute("alter table audit.events rename column request_id to another")
    conn.execute(
        "insert into audit.events (actor_role, action, subject_type, subject_id, details, another)"
        " values ('x', 'looked', 'user', '1', '{}', 'x')"
    )
    with pytest.raises(psycopg.errors.InternalError_, match="sealed column request_id is gone"):
        seal_all(conn)
    assert len(sealed(conn)) == 3
