"""People, as Supabase Auth makes them and staff promote them."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

from tests.support.callers import Connection


def make_user(
    conn: Connection,
    *,
    confirmed: bool = True,
    anonymous: bool = False,
    phone: str | None = None,
    user_metadata: dict[str, Any] | None = None,
    app_metadata: dict[str, Any] | None = None,
) -> UUID:
    """Sign somebody up; the deployed trigger makes the profile. A member unless said otherwise."""
    user_id = uuid4()
    conn.execute(
        "insert into auth.users (id, email, email_confirmed_at, phone, is_anonymous,"
        " raw_user_meta_data, raw_app_meta_data)"
        " values (%s, %s, case when %s then now() end, %s, %s, %s, %s)",
        [
            user_id,
            None if anonymous else f"{user_id}@example.org",
            confirmed and not anonymous,
            phone,
            anonymous,
            json.dumps(user_metadata or {}),
            json.dumps(app_metadata or {}),
        ],
    )
    return user_id


def make_people(conn: Connection, count: int) -> list[UUID]:
    """Several members at once, in one statement."""
    ids = [uuid4() for _ in range(count)]
    conn.execute(
        "insert into auth.users (id, email, email_confirmed_at)"
        " select id, id || '@example.org', now() from unnest(%s::uuid[]) as u (id)",
        [ids],
    )
    return ids


def give_role(conn: Connection, user_id: UUID, role: str) -> UUID:
    """Record a role as the database's owner does for the first admin."""
    conn.execute("select identity.add_role(%s, %s, 'made by a test')", [user_id, role])
    return user_id


def make_admin(conn: Connection) -> UUID:
    """A member who is admin."""
    return give_role(conn, make_user(conn), "admin")


def make_moderator(conn: Connection) -> UUID:
    """A member who is moderator."""
    return give_role(conn, make_user(conn), "moderator")
