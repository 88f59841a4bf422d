"""APP-1: one door to the caller."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.support.callers import Connection, as_user, one, refused


def test_the_subject_of_the_token_is_the_caller(db: Connection) -> None:
    user_id = uuid4()
    with as_user(db, user_id):
        assert one(db, "select app.user_id()") == user_id


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role"])
def test_a_token_without_subject_is_nobody(db: Connection, role: str) -> None:
    with as_user(db, None, role=role), refused(db, "not_authenticated") as refusal:
        db.execute("select app.user_id()")
    assert refusal.status == 401


def test_no_claims_at_all_are_nobody(db: Connection) -> None:
    for claims in ("", "{}", '{"sub": null}', '{"sub": ""}'):
        db.execute("select set_config('request.jwt.claims', %s, true)", [claims])
        with refused(db, "22P02" if '""' in claims else "not_authenticated"):
            db.execute("select app.user_id()")


def test_a_null_caller_never_equals_anybody(db: Connection) -> None:
    """A comparison with a null id is unknown, not false; the door refuses before one is made."""
    with as_user(db, None), refused(db, "not_authenticated"):
        db.execute("select app.user_id() <> %s", [uuid4()])
