"""IDN-5: a member has a confirmed e-mail or phone and is not anonymous; read at every call."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.support.callers import Connection, as_user, call, one, refused
from tests.support.people import make_user


def is_member(db: Connection, user_id: UUID) -> bool:
    with as_user(db, user_id):
        return bool(one(db, "select is_member from public.me()"))


def member_call(db: Connection) -> None:
    """A door that only members may use, with arguments that would do."""
    call(db, "next_clips_to_review", language="sw")


def test_a_confirmed_email_makes_a_member(db: Connection) -> None:
    user_id = make_user(db)
    assert is_member(db, user_id)
    with as_user(db, user_id):
        member_call(db)


def test_a_confirmed_phone_makes_a_member(db: Connection) -> None:
    user_id = make_user(db, confirmed=False, phone="+233200000001")
    assert not is_member(db, user_id)
    db.execute("update auth.users set phone_confirmed_at = now() where id = %s", [user_id])
    assert is_member(db, user_id)


@pytest.mark.parametrize(
    "change",
    [
        "email_confirmed_at = null",
        "is_anonymous = true",
        "banned_until = now() + interval '1 hour'",
        "deleted_at = now()",
    ],
)
def test_what_ends_membership_ends_it_at_once(db: Connection, change: str) -> None:
    user_id = make_user(db)
    with as_user(db, user_id):
        member_call(db)
    db.execute(f"update auth.users set {change} where id = %s", [user_id])
    assert not is_member(db, user_id)
    with as_user(db, user_id), refused(db, "not_a_member") as refusal:
        member_call(db)
    assert refusal.status == 403


def test_a_ban_that_is_over_counts_no_more(db: Connection) -> None:
    user_id = make_user(db)
    db.execute(
        "update auth.users set banned_until = now() - interval '1 second' where id = %s", [user_id]
    )
    assert is_member(db, user_id)


def test_an_anonymous_sign_in_may_read_but_not_act(db: Connection) -> None:
    """APP-1: anonymous sign-ins may read, not vote, earn, pay or message."""
    user_id = make_user(db, anonymous=True)
    with as_user(db, user_id, is_anonymous=True):
        assert one(db, "select id from public.me()") == user_id
        assert one(db, "select count(*) from public.languages") > 0
        with refused(db, "not_a_member"):
            member_call(db)


def test_claims_do_not_make_a_member(db: Connection) -> None:
    user_id = make_user(db, confirmed=False, user_metadata={"email_verified": True})
    claims: dict[str, Any] = {
        "is_anonymous": False,
        "email_verified": True,
        "user_metadata": {"member": True},
    }
    with as_user(db, user_id, **claims), refused(db, "not_a_member"):
        member_call(db)


def test_a_token_of_somebody_who_does_not_exist_is_no_member(db: Connection) -> None:
    with as_user(db, uuid4()), refused(db, "not_a_member"):
        member_call(db)
    assert one(db, "select count(*) from public.profiles") == 0


def test_a_missing_profile_is_made_at_the_first_call(db: Connection) -> None:
    user_id = make_user(db)
    db.execute("delete from identity.private_profiles where user_id = %s", [user_id])
    db.execute("delete from public.profiles where id = %s", [user_id])
    with as_user(db, user_id):
        member_call(db)
    assert one(db, "select count(*) from public.profiles where id = %s", [user_id]) == 1
    assert (
        one(db, "select count(*) from identity.private_profiles where user_id = %s", [user_id]) == 1
    )
