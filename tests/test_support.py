"""The tests' own tools can fail, and keep tests apart."""

from __future__ import annotations

import contextlib
from uuid import uuid4

import psycopg
import pytest

from tests.support.callers import Connection, as_user, one, refused
from tests.support.databases import FreshDatabase
from tests.support.money import broken_checks, fund
from tests.support.people import make_user


@pytest.mark.parametrize("turn", [1, 2])
def test_what_a_rolled_back_test_writes_the_next_does_not_see(db: Connection, turn: int) -> None:
    assert one(db, "select count(*) from public.profiles") == 0
    make_user(db)
    db.execute("create table public.leftover ()")
    db.execute("select set_config('request.jwt.claims', '{}', false)")
    assert one(db, "select count(*) from public.profiles") == 1


def test_a_rolled_back_test_cannot_commit_by_mistake(db: Connection) -> None:
    with pytest.raises(psycopg.ProgrammingError):
        db.commit()


@pytest.mark.parametrize("turn", [1, 2])
def test_each_fresh_database_is_as_deployed(fresh_db: FreshDatabase, turn: int) -> None:
    with fresh_db.connect() as owner:
        assert one(owner, "select count(*) from ledger.entries") == 0
        fund(owner)
        assert broken_checks(owner) == []


def test_a_request_is_committed_when_it_ends_well_and_undone_when_not(
    fresh_db: FreshDatabase,
) -> None:
    with fresh_db.connect() as owner:
        user = make_user(owner)
        with fresh_db.as_user(user) as conn:
            assert one(conn, "select session_user || ' as ' || current_user") == (
                "authenticator as authenticated"
            )
            conn.execute("select public.update_profile(bio => 'kept')")
        with contextlib.suppress(ZeroDivisionError), fresh_db.as_user(user) as conn:
            conn.execute("select public.update_profile(bio => 'lost')")
            raise ZeroDivisionError
        assert one(owner, "select bio from public.profiles") == "kept"


def test_an_expected_refusal_that_does_not_come_fails_the_test(db: Connection) -> None:
    with pytest.raises(pytest.fail.Exception, match="not refused"), refused(db, "own_clip"):
        db.execute("select 1")


@pytest.mark.parametrize("code", ["own_clip", "42501", "PGRST"])
def test_another_refusal_than_the_expected_one_fails_the_test(db: Connection, code: str) -> None:
    with pytest.raises(pytest.fail.Exception, match="instead of"), refused(db, code):
        db.execute("select 1 / 0")


def test_one_is_who_one_was_after_being_somebody_else(db: Connection) -> None:
    ama, kofi = uuid4(), uuid4()
    who = "select current_user || ' ' || coalesce(auth.uid()::text, '')"
    with as_user(db, ama):
        with as_user(db, kofi, role="service_role"):
            assert one(db, who) == f"service_role {kofi}"
        assert one(db, who) == f"authenticated {ama}"
        with refused(db, "22012"), as_user(db, kofi):
            db.execute("select 1 / 0")
        assert one(db, who) == f"authenticated {ama}"
    assert one(db, who) == "postgres "
