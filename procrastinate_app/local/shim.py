"""Makes plain Postgres look like a fresh Supabase database. For local work and tests only."""

from __future__ import annotations

from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from procrastinate_app.local.errors import LocalError
from procrastinate_app.local.logins import password_of

SCRIPT = Path(__file__).with_name("shim.sql")

# Projects made before 2026 give API roles everything in public by default; newer ones nothing.
# Our schema must come out the same on both, so tests can ask for either.
OLD_PROJECT_GRANTS: LiteralString = """
alter default privileges in schema public
grant all on tables to anon, authenticated, service_role;
alter default privileges in schema public
grant all on functions to anon, authenticated, service_role;
alter default privileges in schema public
grant all on sequences to anon, authenticated, service_role;
"""


WITHOUT_PASSWORD = """
select rolname from pg_catalog.pg_authid
where rolcanlogin and rolpassword is null and rolname in (
  'authenticator', 'supabase_auth_admin', 'supabase_storage_admin', 'supabase_read_only_user'
)
"""


class ShimRefused(LocalError):
    """The database is a real Supabase database, or the login may not make roles."""


def apply(conn: psycopg.Connection[Any], *, old_project: bool = False) -> None:
    """Make Supabase's roles and its auth, storage and realtime look-alikes. Idempotent.

    old_project: also the default privileges that projects made before 2026 have.
    """
    with conn.transaction():
        _refuse_supabase(conn)
        conn.execute("set local client_min_messages = warning")
        conn.execute("set local search_path = pg_catalog")
        conn.execute(SCRIPT.read_bytes())
        give_passwords(conn, conn.info.password)
        if old_project:
            conn.execute(OLD_PROJECT_GRANTS)


def give_passwords(conn: psycopg.Connection[Any], owner_password: str) -> None:
    """Let the logins in where the server asks for passwords. One that has its own keeps it.

    The server is told the verifier alone: what it is told may stand in its log.
    """
    if not owner_password or not conn.execute(WITHOUT_PASSWORD).fetchone():
        return
    conn.execute("lock table pg_catalog.pg_authid in share row exclusive mode")
    for (role,) in conn.execute(WITHOUT_PASSWORD).fetchall():
        password = password_of(role, owner_password)
        verifier = conn.pgconn.encrypt_password(
            password.encode(), role.encode(), b"scram-sha-256"
        ).decode()
        conn.execute(
            sql.SQL("alter role {} password {}").format(sql.Identifier(role), sql.Literal(verifier))
        )


def _refuse_supabase(conn: psycopg.Connection[Any]) -> None:
    """Stop before touching a database that has its own auth, storage and realtime."""
    row = conn.execute(
        "select to_regrole('supabase_admin') is not null, rolsuper"
        " from pg_catalog.pg_roles where rolname = current_user"
    ).fetchone()
    assert row is not None
    is_supabase, is_superuser = row
    if is_supabase:
        raise ShimRefused("This is a Supabase database: it needs no look-alikes and gets none.")
    if not is_superuser:
        raise ShimRefused("The look-alikes need a superuser login to make roles.")
