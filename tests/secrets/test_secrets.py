"""APP-7: several active values per name, none without a provider that somebody chose."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.callers import Connection, as_user, one, refused
from tests.support.databases import FreshDatabase
from tests.support.parallel import refusals, together
from tests.support.people import make_admin

CANARY = "canary-7f3a91c2"


def active(conn: Connection, name: str = "hook") -> list[str]:
    return [row[0] for row in conn.execute("select secrets.active(%s)", [name])]


def put(conn: Connection, value: str | None, name: str | None = "hook") -> int:
    return int(one(conn, "select secrets.put(%s, %s, 'a reason')", [name, value]))


@pytest.fixture
def kept(db: Connection) -> Connection:
    """A database whose operator chose the table."""
    db.execute("select secrets.use_provider('table')")
    return db


def test_without_a_provider_it_fails_and_says_what_to_do(db: Connection) -> None:
    """APP-7: never a table of plain values by default, never silently nothing."""
    assert one(db, "select secrets.provider()") == "none"
    for statement in ("select secrets.active('hook')", f"select secrets.put('hook', '{CANARY}')"):
        with refused(db, "XX000") as refusal:
            db.execute(statement.encode())
        assert "no place for secrets" in refusal.message
        assert CANARY not in refusal.message


def test_several_are_active_newest_first(kept: Connection) -> None:
    """APP-7: rotation is: add the new one, both are active, retire the old one."""
    assert active(kept) == []
    old = put(kept, "old")
    put(kept, "other", "another")
    new = put(kept, "new")
    assert active(kept) == ["new", "old"]
    assert one(kept, "select secrets.retire(%s)", [old]) == "hook"
    assert active(kept) == ["new"]
    assert one(kept, "select count(*) from secrets.stored_values where version_id = %s", [old]) == 0
    assert one(kept, "select secrets.retire(%s)", [old]) == "hook"
    with refused(kept, "XX000") as refusal:
        kept.execute("select secrets.retire(%s)", [new])
    assert "last active secret of hook" in refusal.message
    kept.execute("select secrets.retire(%s, null, true)", [new])
    assert active(kept) == []


def test_two_operators_cannot_retire_the_last_two_at_once(fresh_db: FreshDatabase) -> None:
    """APP-7"""
    conn = fresh_db.connect()
    conn.execute("select secrets.use_provider('table')")
    for _ in range(5):
        ids = [put(conn, "a"), put(conn, "b")]
        for (id_,) in conn.execute("select id from secrets.versions where retired_at is null"):
            if id_ not in ids:
                conn.execute("select secrets.retire(%s)", [id_])
        others = [fresh_db.connect() for _ in ids]
        found = together(
            [
                lambda c=other, i=id_: c.execute("select secrets.retire(%s)", [i])
                for other, id_ in zip(others, ids, strict=True)
            ]
        )
        assert refusals(found) == ["XX000"]
        assert len(active(conn)) == 1


@pytest.mark.parametrize("value", ["", None, "x" * 65_537])
def test_what_is_no_secret_is_refused_without_being_repeated(
    kept: Connection, value: str | None
) -> None:
    """APP-7"""
    with refused(kept, "XX000") as refusal:
        put(kept, value)
    assert refusal.message == "a secret has 1 to 65536 characters"


@pytest.mark.parametrize("name", ["", None, "Hook", "hook; drop", "ho ok", "1st", "x" * 64])
def test_what_is_no_name_is_refused(kept: Connection, name: str | None) -> None:
    """APP-7: and where a value was given in its place, it is not repeated."""
    with refused(kept, "XX000") as refusal:
        put(kept, CANARY, name)
    assert "at most 63" in refusal.message
    assert CANARY not in refusal.message


def test_the_provider_is_not_left_while_it_is_used(kept: Connection) -> None:
    """APP-7"""
    put(kept, "x")
    with refused(kept, "XX000"):
        kept.execute("select secrets.use_provider('none')")
    with refused(kept, "XX000"):
        kept.execute("select secrets.use_provider('vault')")


def test_what_is_done_is_on_record_and_the_value_is_not(kept: Connection) -> None:
    """APP-7, APP-9"""
    first = put(kept, CANARY)
    put(kept, "next")
    kept.execute("select secrets.retire(%s, 'left the company')", [first])
    rows = kept.execute(
        "select action, subject_id, reason, details::text from audit.events"
        " where subject_type = 'secret' order by id"
    ).fetchall()
    assert [row[:3] for row in rows] == [
        ("secret_set", "hook", "a reason"),
        ("secret_set", "hook", "a reason"),
        ("secret_retired", "hook", "left the company"),
    ]
    assert CANARY not in str(rows)


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role"])
def test_no_api_role_reaches_a_secret(kept: Connection, role: str) -> None:
    """APP-7, R48: as an admin, too."""
    put(kept, CANARY)
    admin = make_admin(kept)
    statements: list[Any] = [
        "select * from secrets.stored_values",
        "select * from secrets.versions",
        "select * from secrets.settings",
        "select secrets.active('hook')",
        "select secrets.put('hook', 'mine')",
        "select secrets.retire(1, 'x', true)",
        "select secrets.list_versions()",
        "select secrets.use_provider('none')",
        "copy secrets.stored_values to stdout",
    ]
    for statement in statements:
        with as_user(kept, admin, role=role), refused(kept, "42501"):
            kept.execute(statement)
    assert active(kept) == [CANARY]
