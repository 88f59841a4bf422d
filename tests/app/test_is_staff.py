"""IDN-2, IDN-5: staff are members with a role, from moment to moment."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.support.callers import Connection, as_user, one
from tests.support.people import give_role, make_admin, make_moderator, make_user


@pytest.mark.parametrize(
    ("role", "is_staff"),
    [
        ("student", False), ("tutor", False), ("ambassador", False), ("moderator", True),
        ("admin", True),
    ],
)  # fmt: skip
def test_moderators_and_admins_are_staff(db: Connection, role: str, is_staff: bool) -> None:
    with as_user(db, give_role(db, make_user(db), role)):
        assert one(db, "select app.is_staff()") is is_staff


@pytest.mark.parametrize(
    "end",
    [
        "update auth.users set banned_until = now() + '1 hour'::interval where id = %s",
        "update auth.users set deleted_at = now() where id = %s",
        "update auth.users set email_confirmed_at = null where id = %s",
        "delete from auth.users where id = %s",
        "delete from identity.user_roles where user_id = %s",
    ],
)
def test_who_is_no_member_or_has_no_role_any_more_is_no_staff_at_once(
    db: Connection, end: str
) -> None:
    for staff in (make_moderator(db), make_admin(db)):
        with as_user(db, staff):
            assert one(db, "select app.is_staff()") is True
        db.execute(end, [staff])
        with as_user(db, staff, app_metadata={"role": "admin"}):
            assert one(db, "select app.is_staff()") is False
            assert one(db, "select count(*) from public.audit_events") == 0
    assert one(db, "select count(*) from audit.events") > 0


def test_a_ban_that_is_over_is_no_ban(db: Connection) -> None:
    admin = make_admin(db)
    db.execute(
        "update auth.users set banned_until = now() - '1 s'::interval where id = %s", [admin]
    )
    with as_user(db, admin):
        assert one(db, "select app.is_staff()") is True


def test_nobody_and_anon_are_told_no_and_never_null(db: Connection) -> None:
    for who, role in ((None, "anon"), (None, "authenticated"), (uuid4(), "authenticated")):
        with as_user(db, who, role):
            assert one(db, "select app.is_staff()") is False
