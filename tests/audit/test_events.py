"""APP-9: who, what, when, why; appended by rules, changed by nobody, read by staff."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from tests.support.callers import Connection, as_user, call, one, refused
from tests.support.people import give_role, make_admin, make_moderator, make_user

CHANGES = [
    "update audit.events set reason = 'x'",
    "update audit.events set reason = reason where id = -1",
    "delete from audit.events",
    "delete from audit.events where id = -1",
    "truncate audit.events",
    "truncate audit.events cascade",
    "insert into audit.events overriding system value"
    " select * from audit.events on conflict (id) do update set reason = 'x'",
]


@pytest.fixture
def recorded(db: Connection) -> UUID:
    """Somebody an audit row is about."""
    user = make_user(db)
    db.execute("select audit.record('looked', 'user', %s, 'because', '{\"n\": 1}')", [str(user)])
    return user


def rows(db: Connection) -> list[tuple[object, ...]]:
    return db.execute("select * from audit.events order by id").fetchall()


@pytest.mark.parametrize("change", CHANGES)
def test_the_owner_cannot_change_the_record(db: Connection, recorded: UUID, change: str) -> None:
    before = rows(db)
    with refused(db, "append_only") as refusal:
        db.execute(change)
    assert refusal.status == 403
    assert rows(db) == before != []


@pytest.mark.parametrize("session", ["replica", "local"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_session_that_calls_itself_a_replica_cannot_either(
    db: Connection, recorded: UUID, change: str, session: str
) -> None:
    """A superuser's tools turn most triggers off that way; this one stays on."""
    before = rows(db)
    db.execute(f"set local session_replication_role = {session}")
    with refused(db, "append_only"):
        db.execute(change)
    assert rows(db) == before != []


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role"])
@pytest.mark.parametrize("change", CHANGES)
def test_no_api_role_can_change_the_record(
    db: Connection, recorded: UUID, role: str, change: str
) -> None:
    before = rows(db)
    with as_user(db, recorded, role=role), refused(db, "42501"):
        db.execute(change)
    assert rows(db) == before != []


@pytest.mark.parametrize("change", CHANGES)
def test_even_a_role_granted_everything_cannot_change_it(
    db: Connection, recorded: UUID, change: str
) -> None:
    """A grant made by mistake is not enough: the trigger binds whoever holds it."""
    db.execute("grant all on audit.events to service_role")
    before = rows(db)
    with as_user(db, recorded, role="service_role"), refused(db, "append_only"):
        db.execute(change)
    assert rows(db) == before != []


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role"])
def test_no_api_role_writes_a_row(db: Connection, recorded: UUID, role: str) -> None:
    with as_user(db, recorded, role=role):
        with refused(db, "42501"):
            db.execute(
                "insert into audit.events (actor_role, action, subject_type, subject_id,"
                " request_id) values ('admin', 'looked', 'user', '1', 'x')"
            )
        with refused(db, "42501"):
            db.execute("select audit.record('looked', 'user', '1')")
        with refused(db, "42501"):
            db.execute("insert into public.audit_events (action) values ('looked')")
    assert len(rows(db)) == 1


def test_a_row_says_who_what_when_why_and_in_which_request(db: Connection) -> None:
    admin, user = make_admin(db), make_user(db)
    db.execute("select app.freeze_clock('2030-01-01 12:00+00')")
    with as_user(db, admin, headers={"x-request-id": "req-9"}):
        call(db, "grant_role", user_id=user, role="tutor", reason="passed the exam")
    found = db.execute(
        "select at::text, actor_id, actor_role, action, subject_type, subject_id, reason,"
        " details, request_id from audit.events order by id desc limit 1"
    ).fetchone()
    assert found == (
        "2030-01-01 12:00:00+00", admin, "authenticated", "role_granted", "user", str(user),
        "passed the exam", {"role": "tutor"}, "req-9",
    )  # fmt: skip


def test_an_operator_is_seen_by_the_database_role(db: Connection, recorded: UUID) -> None:
    found = db.execute("select actor_id, actor_role from audit.events").fetchall()
    assert found == [(None, "postgres")]


def test_staff_read_the_record(db: Connection, recorded: UUID) -> None:
    for staff in (make_admin(db), make_moderator(db)):
        with as_user(db, staff):
            found = one(db, "select count(*) from public.audit_events where action = 'looked'")
            assert found == 1


def test_service_role_reads_the_record(db: Connection, recorded: UUID) -> None:
    with as_user(db, None, role="service_role"):
        assert one(db, "select count(*) from public.audit_events") == 1


def test_nobody_else_sees_a_row(db: Connection, recorded: UUID) -> None:
    tutor = give_role(db, make_user(db), "tutor")
    for user_id in (recorded, tutor, None):
        with as_user(db, user_id):
            for view in ("public.audit_events", "audit.events"):
                assert one(db, f"select count(*) from {view}") == 0
    with as_user(db, None, role="anon"):
        for view in ("public.audit_events", "audit.events"):
            with refused(db, "42501"):
                db.execute(f"select * from {view}")
    assert len(rows(db)) == 2


def test_claims_open_nothing(db: Connection, recorded: UUID) -> None:
    claims: dict[str, Any] = {
        "app_metadata": {"role": "admin"},
        "user_metadata": {"role": "admin"},
        "admin": True,
    }
    with as_user(db, recorded, **claims):
        assert one(db, "select count(*) from public.audit_events") == 0
    assert len(rows(db)) == 1


def test_a_leaky_condition_sees_no_hidden_row(db: Connection, recorded: UUID) -> None:
    """A cheap function in WHERE runs after the policy, so it cannot tell of hidden rows."""
    with as_user(db, recorded):
        db.execute(
            "create function pg_temp.tell(text) returns boolean language plpgsql cost 0.0000001"
            " as $$ begin raise exception 'saw %', $1; end $$"
        )
        for view in ("public.audit_events", "audit.events"):
            found = db.execute(f"select * from {view} where pg_temp.tell(action)").fetchall()
            assert found == []
    assert len(rows(db)) == 1


def test_the_record_outlives_the_person(db: Connection, recorded: UUID) -> None:
    """Rows hold ids only; no foreign key pulls them away with the sign-in."""
    db.execute("delete from auth.users where id = %s", [recorded])
    assert one(db, "select count(*) from audit.events where subject_id = %s", [str(recorded)]) == 1
    assert (
        one(
            db,
            "select count(*) from pg_constraint where contype = 'f'"
            " and conrelid = 'audit.events'::regclass",
        )
        == 0
    )
