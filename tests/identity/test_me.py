"""IDN-1: oneself in one call."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tests.support.callers import Connection, as_user, one, refused
from tests.support.money import open_wallet
from tests.support.people import give_role, make_people, make_user


def me(db: Connection, user_id: UUID) -> dict[str, Any]:
    with as_user(db, user_id):
        found: dict[str, Any] = one(db, "select to_jsonb(m) from public.me() as m")
    return found


def test_a_new_member_sees_themselves(db: Connection) -> None:
    user_id = make_user(db)
    assert {k: v for k, v in me(db, user_id).items() if k != "created_at"} == {
        "id": str(user_id),
        "handle": "user_" + user_id.hex[-20:],
        "display_name": "",
        "avatar_path": None,
        "bio": "",
        "locale": "en",
        "timezone": "UTC",
        "phone_verified_at": None,
        "is_member": True,
        "roles": [],
        "wallets": [],
        "flags": [],
    }


def test_roles_and_wallets_are_ones_own_only(db: Connection) -> None:
    ama, kofi = make_people(db, 2)
    give_role(db, ama, "tutor")
    give_role(db, ama, "moderator")
    give_role(db, kofi, "admin")
    open_wallet(db, ama, "USD", 500)
    open_wallet(db, ama, "GHS")
    open_wallet(db, kofi, "USD", 900)
    seen = me(db, ama)
    assert seen["roles"] == ["tutor", "moderator"]
    assert seen["wallets"] == [
        {"currency": "GHS", "posted": 0, "held": 0, "available": 0, "pending": 0},
        {"currency": "USD", "posted": 500, "held": 0, "available": 500, "pending": 0},
    ]


def test_a_phone_is_verified_when_auth_has_confirmed_it(db: Connection) -> None:
    """Auth knows; there is no copy of it that somebody could write."""
    ama, kofi = make_user(db, confirmed=False, phone="+233200000001"), make_user(db)
    assert (me(db, ama)["phone_verified_at"], me(db, ama)["is_member"]) == (None, False)
    db.execute(
        "update auth.users set phone_confirmed_at = '2026-03-01 12:00+00' where id = %s", [ama]
    )
    seen = me(db, ama)
    assert str(seen["phone_verified_at"]).startswith("2026-03-01T12:00:00")
    assert seen["is_member"] is True
    assert me(db, kofi)["phone_verified_at"] is None
    columns = one(
        db,
        "select array_agg(attname::text order by attnum) from pg_attribute"
        " where attrelid = 'identity.private_profiles'::regclass"
        " and attnum > 0 and not attisdropped",
    )
    assert columns == ["user_id", "locale", "timezone"]


def test_promised_money_shows_as_pending(db: Connection) -> None:
    ama, kofi = make_people(db, 2)
    mine, theirs = open_wallet(db, ama), open_wallet(db, kofi, balance=100)
    db.execute(
        "select ledger.place_holds(array[row(%s, %s, 30, 'gift', gen_random_uuid(), null)"
        "::ledger.hold_request])",
        [theirs, mine],
    )
    assert me(db, ama)["wallets"][0]["pending"] == 30
    assert me(db, kofi)["wallets"][0] == {
        "currency": "USD", "posted": 100, "held": 30, "available": 70, "pending": 0,
    }  # fmt: skip


def test_somebody_unconfirmed_sees_that_they_are_no_member_yet(db: Connection) -> None:
    assert me(db, make_user(db, confirmed=False))["is_member"] is False


def test_nobody_is_refused(db: Connection) -> None:
    with as_user(db, None), refused(db, "not_authenticated"):
        db.execute("select public.me()")
    with as_user(db, None, role="anon"), refused(db, "42501"):
        db.execute("select public.me()")


def test_everybody_sees_public_profiles_and_nobody_private_ones(db: Connection) -> None:
    ama, kofi = make_people(db, 2)
    columns = one(
        db,
        "select array_agg(attname::text order by attnum) from pg_attribute"
        " where attrelid = 'public.profiles'::regclass and attnum > 0 and not attisdropped",
    )
    assert columns == [
        "id", "handle", "display_name", "avatar_path", "bio", "created_at", "updated_at",
    ]  # fmt: skip
    for role, user_id in (("anon", None), ("authenticated", ama)):
        with as_user(db, user_id, role=role):
            assert one(db, "select count(*) from public.profiles") == 2
            with refused(db, "42501"):
                db.execute("select * from identity.private_profiles")
            with refused(db, "42501"):
                db.execute("select * from identity.user_roles")
    assert one(db, "select count(*) from identity.private_profiles where user_id = %s", [kofi]) == 1
