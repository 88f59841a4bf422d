"""IDN-2: roles live in a table, are given by admins, and end at once."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.support.callers import Connection, as_user, call, one, refused
from tests.support.databases import FreshDatabase
from tests.support.parallel import refusals, together, wait_until_waiting
from tests.support.people import give_role, make_admin, make_moderator, make_people, make_user

ROLES = ["student", "tutor", "ambassador", "moderator", "admin"]


def roles_of(db: Connection, user_id: UUID) -> list[str]:
    return [
        row[0]
        for row in db.execute(
            "select role::text from identity.user_roles where user_id = %s order by role", [user_id]
        )
    ]


def audited(db: Connection, action: str) -> list[tuple[Any, ...]]:
    return db.execute(
        "select actor_id, subject_id, reason, details ->> 'role' from audit.events"
        " where action = %s and actor_id is not null order by id",
        [action],
    ).fetchall()


@pytest.mark.parametrize("role", ROLES)
def test_an_admin_gives_and_takes_each_role_and_it_is_audited(db: Connection, role: str) -> None:
    admin, user = make_admin(db), make_user(db)
    with as_user(db, admin):
        call(db, "grant_role", user_id=user, role=role, reason="earned")
    assert roles_of(db, user) == [role]
    with as_user(db, user):
        assert one(db, "select app.is_staff()") is (role in ("moderator", "admin"))
    with as_user(db, admin):
        call(db, "revoke_role", user_id=user, role=role, reason="left")
    assert roles_of(db, user) == []
    assert audited(db, "role_granted") == [(admin, str(user), "earned", role)]
    assert audited(db, "role_revoked") == [(admin, str(user), "left", role)]


def test_taking_one_role_leaves_the_others_and_other_people(db: Connection) -> None:
    admin, user, other = make_admin(db), make_user(db), make_user(db)
    for person, role in ((user, "tutor"), (user, "student"), (other, "tutor")):
        give_role(db, person, role)
    with as_user(db, admin):
        call(db, "revoke_role", user_id=user, role="tutor", reason="left")
    assert roles_of(db, user) == ["student"]
    assert roles_of(db, other) == ["tutor"]


def test_giving_or_taking_twice_changes_and_audits_nothing_more(db: Connection) -> None:
    admin, user = make_admin(db), make_user(db)
    with as_user(db, admin):
        for _ in range(2):
            call(db, "grant_role", user_id=user, role="tutor", reason="earned")
        for _ in range(2):
            call(db, "revoke_role", user_id=user, role="tutor", reason="left")
    assert len(audited(db, "role_granted")) == len(audited(db, "role_revoked")) == 1


def test_nobody_promotes_themselves(db: Connection) -> None:
    people = [make_user(db), make_moderator(db), give_role(db, make_user(db), "tutor")]
    for user in people:
        before = roles_of(db, user)
        with as_user(db, user):
            for role in ROLES:
                with refused(db, "not_permitted") as refusal:
                    call(db, "grant_role", user_id=user, role=role, reason="me")
                assert refusal.status == 403
        assert roles_of(db, user) == before


def test_an_admin_gives_themselves_nothing(db: Connection) -> None:
    admin = make_admin(db)
    with as_user(db, admin), refused(db, "own_role") as refusal:
        call(db, "grant_role", user_id=admin, role="moderator", reason="me")
    assert refusal.status == 403
    assert roles_of(db, admin) == ["admin"]


@pytest.mark.parametrize(
    "claims",
    [
        {"user_metadata": {"role": "admin", "roles": ["admin"]}},
        {"app_metadata": {"role": "admin", "roles": ["admin"], "admin": True}},
        {"roles": ["admin"], "app_role": "admin", "user_role": "admin", "is_admin": True},
    ],
    ids=["user_metadata", "app_metadata", "root"],
)
def test_no_claim_makes_a_role(db: Connection, claims: dict[str, Any]) -> None:
    user = make_user(
        db, user_metadata={"role": "admin"}, app_metadata={"role": "admin", "roles": ["admin"]}
    )
    other = make_user(db)
    with as_user(db, user, **claims):
        assert one(db, "select app.is_staff()") is False
        assert one(db, "select roles::text from public.me()") == "{}"
        with refused(db, "not_permitted"):
            call(db, "grant_role", user_id=other, role="tutor", reason="x")
        with refused(db, "not_permitted"):
            call(db, "set_validation_status", clip_id=uuid4(), status="valid", reason="x")
    assert one(db, "select count(*) from identity.user_roles") == 0


@pytest.mark.parametrize("role", ["admin", "postgres", "supabase_admin"])
def test_a_forged_role_claim_changes_nothing(db: Connection, role: str) -> None:
    """The role in force is the one the API set, not the word in the token."""
    user = make_user(db)
    with as_user(db, user):
        db.execute(
            "select set_config('request.jwt.claims', jsonb_build_object('sub', %s::text,"
            " 'role', %s::text)::text, true)",
            [user, role],
        )
        assert one(db, "select app.is_staff()") is False
        with refused(db, "not_permitted"):
            call(db, "grant_role", user_id=make_user_id(db), role="tutor", reason="x")


def make_user_id(db: Connection) -> UUID:
    """Somebody who need not exist: the caller is refused before they are looked up."""
    return uuid4()


def test_a_role_ends_at_once_whatever_the_token_says(db: Connection) -> None:
    boss, admin, user = make_admin(db), make_admin(db), make_user(db)
    with as_user(db, admin):
        call(db, "grant_role", user_id=user, role="tutor", reason="earned")
    with as_user(db, boss):
        call(db, "revoke_role", user_id=admin, role="admin", reason="left")
    with as_user(db, admin, app_metadata={"role": "admin"}):
        assert one(db, "select app.is_staff()") is False
        assert one(db, "select count(*) from public.audit_events") == 0
        with refused(db, "not_permitted"):
            call(db, "revoke_role", user_id=boss, role="admin", reason="revenge")
    assert roles_of(db, boss) == ["admin"]
    assert one(db, "select count(*) from audit.events") > 0


def test_an_admin_who_is_no_member_any_more_may_do_nothing(db: Connection) -> None:
    admin, user = make_admin(db), make_user(db)
    db.execute("update auth.users set banned_until = 'infinity' where id = %s", [admin])
    with as_user(db, admin), refused(db, "not_a_member"):
        call(db, "grant_role", user_id=user, role="tutor", reason="x")
    assert roles_of(db, user) == []


def test_the_last_admin_stays(db: Connection) -> None:
    admin = make_admin(db)
    with as_user(db, admin), refused(db, "last_admin") as refusal:
        call(db, "revoke_role", user_id=admin, role="admin", reason="tired")
    assert refusal.status == 409
    assert roles_of(db, admin) == ["admin"]


def test_an_admin_may_leave_when_another_stays(db: Connection) -> None:
    admin, other = make_admin(db), make_admin(db)
    with as_user(db, admin):
        call(db, "revoke_role", user_id=admin, role="admin", reason="tired")
    assert roles_of(db, admin) == []
    with as_user(db, other), refused(db, "last_admin"):
        call(db, "revoke_role", user_id=other, role="admin", reason="tired")


GONE = [
    "update auth.users set banned_until = 'infinity' where id = %s",
    "update auth.users set deleted_at = now() where id = %s",
    "delete from auth.users where id = %s",
]


@pytest.mark.parametrize("gone", GONE)
def test_an_admin_who_is_gone_does_not_count_as_one_who_stays(db: Connection, gone: str) -> None:
    """Else the last one who can act could leave, and nobody could make another."""
    admin, dead = make_admin(db), make_admin(db)
    db.execute(gone, [dead])
    with as_user(db, admin), refused(db, "last_admin"):
        call(db, "revoke_role", user_id=admin, role="admin", reason="tired")
    assert (roles_of(db, admin), roles_of(db, dead)) == (["admin"], ["admin"])


@pytest.mark.parametrize("gone", GONE)
def test_the_last_admin_takes_the_role_from_one_who_is_gone(db: Connection, gone: str) -> None:
    admin, dead = make_admin(db), make_admin(db)
    db.execute(gone, [dead])
    with as_user(db, admin):
        call(db, "revoke_role", user_id=dead, role="admin", reason="left long ago")
    assert (roles_of(db, admin), roles_of(db, dead)) == (["admin"], [])
    assert audited(db, "role_revoked") == [(admin, str(dead), "left long ago", "admin")]


def test_an_admin_whose_ban_is_over_counts_again(db: Connection) -> None:
    admin, other = make_admin(db), make_admin(db)
    db.execute(
        "update auth.users set banned_until = now() - '1 s'::interval where id = %s", [other]
    )
    with as_user(db, admin):
        call(db, "revoke_role", user_id=admin, role="admin", reason="tired")
    assert (roles_of(db, admin), roles_of(db, other)) == ([], ["admin"])


def test_taking_admin_from_somebody_who_is_none_leaves_the_last_one(db: Connection) -> None:
    admin, user = make_admin(db), make_user(db)
    with as_user(db, admin):
        call(db, "revoke_role", user_id=user, role="admin", reason="x")
    assert roles_of(db, admin) == ["admin"]
    assert audited(db, "role_revoked") == []


@pytest.mark.parametrize("how", ["each other", "themselves"])
def test_two_admins_leaving_at_once_leave_one(fresh_db: FreshDatabase, how: str) -> None:
    with fresh_db.connect() as owner:
        for _ in range(10):
            owner.execute("delete from identity.user_roles where true")
            ama, kofi = make_admin(owner), make_admin(owner)

            def take(admin: UUID, user: UUID) -> Any:
                with fresh_db.as_user(admin) as conn:
                    return call(conn, "revoke_role", user_id=user, role="admin", reason="x")

            pairs = (
                [(ama, kofi), (kofi, ama)] if how == "each other" else [(ama, ama), (kofi, kofi)]
            )
            results = together([partial(take, *pair) for pair in pairs])
            expected = "not_permitted" if how == "each other" else "last_admin"
            assert refusals(results) == [expected]
            assert one(owner, "select count(*) from identity.user_roles where role = 'admin'") == 1


def test_the_second_of_two_admins_is_judged_after_the_first(fresh_db: FreshDatabase) -> None:
    """The same race with its order fixed: the second waits on a lock, then sees the change."""
    with fresh_db.connect() as owner:
        ama, kofi = make_admin(owner), make_admin(owner)
        first, second = (fresh_db.connect(autocommit=False) for _ in range(2))
        with as_user(first, ama):
            call(first, "revoke_role", user_id=kofi, role="admin", reason="x")

        def strike_back() -> Any:
            with as_user(second, kofi):
                return call(second, "revoke_role", user_id=ama, role="admin", reason="x")

        def commit_once_waited_for() -> Any:
            wait_until_waiting(owner, second.info.backend_pid)
            first.commit()

        assert refusals(together([strike_back, commit_once_waited_for])) == ["not_permitted"]
        second.rollback()
        assert roles_of(owner, ama) == ["admin"]
        assert roles_of(owner, kofi) == []


@pytest.mark.parametrize("door", ["grant_role", "revoke_role"])
def test_bad_input_is_refused(db: Connection, door: str) -> None:
    admin, user = make_admin(db), make_user(db)
    good = {"user_id": user, "role": "tutor", "reason": "x"}
    with as_user(db, admin):
        for change, code in (
            ({"user_id": None}, "user_not_found"),
            ({"user_id": uuid4()}, "user_not_found"),
            ({"role": None}, "invalid_input"),
            ({"role": "king"}, "22P02"),
            ({"role": ""}, "22P02"),
            ({"reason": None}, "invalid_input"),
            ({"reason": "  "}, "invalid_input"),
            ({"reason": "x" * 2001}, "invalid_input"),
            ({"reason": "x" * 10_000_000}, "invalid_input"),
        ):
            with refused(db, code):
                call(db, door, **{**good, **change})
    assert roles_of(db, user) == []


def test_clients_cannot_touch_the_roles_table_or_the_rule_behind(db: Connection) -> None:
    users = make_people(db, 1)
    for role in ("anon", "authenticated", "service_role"):
        with as_user(db, users[0], role=role):
            for statement in (
                "insert into identity.user_roles (user_id, role) values (%s, 'admin')",
                "select identity.add_role(%s, 'admin', 'x')",
                "select app.is_member(%s)",
            ):
                with refused(db, "42501"):
                    db.execute(statement, [users[0]])
    assert roles_of(db, users[0]) == []
