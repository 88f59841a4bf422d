"""IDN-3, R47: the access token hook tells roles, loses nothing, and never stops a sign-in."""

from __future__ import annotations

import json
import threading
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from tests.support.callers import Connection, as_user, one, refused
from tests.support.databases import FreshDatabase
from tests.support.people import give_role, make_people, make_user

# what Supabase Auth sends; it checks afterwards that none of the required ones is lost
CLAIMS: dict[str, Any] = {
    "iss": "https://x.supabase.co/auth/v1",
    "aud": "authenticated",
    "exp": 1893459600,
    "iat": 1893456000,
    "sub": "",
    "role": "authenticated",
    "aal": "aal1",
    "session_id": "c506fb0c-7ebe-4cf4-9537-beb374712b0a",
    "email": "a@example.org",
    "phone": "",
    "is_anonymous": False,
    "amr": [{"method": "password", "timestamp": 1893456000}],
    "app_metadata": {"provider": "email"},
    "user_metadata": {},
}


def event(user_id: UUID, **claims: Any) -> dict[str, Any]:
    return {
        "user_id": str(user_id),
        "claims": {**CLAIMS, "sub": str(user_id), **claims},
        "authentication_method": "password",
    }


def answer(database: FreshDatabase, given: Any) -> Any:
    """What the hook says to Supabase Auth, asked by its own login."""
    with psycopg.connect(database.url_of("supabase_auth_admin")) as auth:
        return one(auth, "select identity.custom_access_token(%s::jsonb)", [json.dumps(given)])


def test_roles_are_told_and_every_other_claim_stays(fresh_db: FreshDatabase) -> None:
    """IDN-3"""
    db = fresh_db.connect()
    user = make_user(db)
    for role in ("admin", "tutor"):
        give_role(db, user, role)
    given = event(user)
    assert answer(fresh_db, given) == {
        "claims": {**given["claims"], "app_roles": ["tutor", "admin"]}
    }


def test_who_has_no_role_is_told_so(fresh_db: FreshDatabase) -> None:
    """IDN-3: an empty list, also for somebody without a profile."""
    db = fresh_db.connect()
    for user in (make_user(db), uuid4()):
        assert answer(fresh_db, event(user))["claims"]["app_roles"] == []


def test_what_the_user_writes_is_not_believed(fresh_db: FreshDatabase) -> None:
    """IDN-2, IDN-3: not in the metadata, and not as a claim of that name."""
    db = fresh_db.connect()
    user = make_user(db, user_metadata={"app_roles": ["admin"], "roles": ["admin"]})
    given = event(user, app_roles=["admin"], user_metadata={"app_roles": ["admin"]})
    told = answer(fresh_db, given)["claims"]
    assert told["app_roles"] == []
    assert told["role"] == "authenticated"
    assert told["user_metadata"] == {"app_roles": ["admin"]}


def test_a_revoked_role_is_gone_from_the_next_token_and_never_counted(
    fresh_db: FreshDatabase,
) -> None:
    """IDN-2: an older token's claim opens nothing."""
    db = fresh_db.connect()
    user = give_role(db, make_user(db), "moderator")
    db.execute("delete from identity.user_roles where user_id = %s", [user])
    assert answer(fresh_db, event(user))["claims"]["app_roles"] == []
    with as_user(db, user, app_roles=["moderator"]):
        assert one(db, "select app.is_staff()") is False


@pytest.mark.parametrize(
    "given",
    [
        None, {}, [], "x", 1, {"claims": None}, {"claims": []}, {"claims": {"a": 1}},
        {"user_id": "not a uuid", "claims": CLAIMS}, {"user_id": {"x": 1}, "claims": CLAIMS},
    ],
    ids=str,
)  # fmt: skip
def test_it_never_fails_whatever_it_is_given(fresh_db: FreshDatabase, given: Any) -> None:
    """IDN-3: and keeps what claims there are."""
    told = answer(fresh_db, given)
    claims = given.get("claims") if isinstance(given, dict) else None
    if isinstance(claims, dict):
        told["claims"].pop("app_roles", None)
        assert told == {"claims": claims}
    else:
        assert set(told) == {"claims"}


def test_our_own_mistake_does_not_stop_a_sign_in(fresh_db: FreshDatabase) -> None:
    """IDN-3: the token goes out, without the claim; a stale one is not passed on."""
    db = fresh_db.connect()
    user = give_role(db, make_user(db), "tutor")
    db.execute("alter table identity.user_roles rename to elsewhere")
    given = event(user)
    assert answer(fresh_db, given) == {"claims": given["claims"]}
    assert answer(fresh_db, event(user, app_roles=["admin"])) == {"claims": given["claims"]}


def test_a_locked_table_delays_a_sign_in_only_shortly(fresh_db: FreshDatabase) -> None:
    """IDN-3: Supabase Auth gives up after two seconds."""
    owner = fresh_db.connect()
    user = give_role(owner, make_user(owner), "tutor")
    blocker = fresh_db.connect(autocommit=False)
    blocker.execute("lock table identity.user_roles in access exclusive mode")
    found: list[Any] = []

    def ask() -> None:
        with psycopg.connect(fresh_db.url_of("supabase_auth_admin")) as auth:
            auth.execute("set statement_timeout = '2s'")
            found.append(
                one(
                    auth,
                    "select identity.custom_access_token(%s::jsonb)",
                    [json.dumps(event(user))],
                )
            )

    asking = threading.Thread(target=ask)
    asking.start()
    asking.join(30)
    assert found == [{"claims": event(user)["claims"]}]
    blocker.rollback()


def test_it_reads_an_index_and_nothing_else(db: Connection) -> None:
    """IDN-3: its time does not grow with the number of people."""
    people = make_people(db, 500)
    db.execute(
        "insert into identity.user_roles (user_id, role)"
        " select u, 'tutor' from unnest(%s::uuid[]) as u",
        [people],
    )
    db.execute("analyze identity.user_roles")
    plan = db.execute(
        "explain select r.role from identity.user_roles as r where r.user_id = %s", [people[0]]
    ).fetchall()
    assert "user_roles_pkey" in str(plan)


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role"])
def test_clients_cannot_call_it(db: Connection, role: str) -> None:
    """IDN-3, R47"""
    with as_user(db, make_user(db), role=role), refused(db, "42501"):
        db.execute("select identity.custom_access_token('{}')")
    assert one(db, "select to_regproc('public.custom_access_token')") is None
