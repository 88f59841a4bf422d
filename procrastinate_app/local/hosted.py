"""A cluster and databases that look like hosted Supabase. For tests only.

Unlike the shim's, their owner `postgres` is no superuser: `supabase_admin` is, as on the platform.
What the platform's own libraries do (supautils, safeupdate) can only be imitated: hosted.sql says
how, docs/how-to/supabase.md what that leaves untested.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from procrastinate_app.local import postgres, shim
from procrastinate_app.local.logins import password_of

ADMIN = "supabase_admin"
SCRIPT = Path(__file__).with_name("hosted.sql")

# Projects made before October 2026 give API roles everything in public, whoever makes it.
OLD_PROJECT_GRANTS: LiteralString = """
alter default privileges for role postgres, supabase_admin in schema public
grant all on tables to postgres, anon, authenticated, service_role;
alter default privileges for role postgres, supabase_admin in schema public
grant all on functions to postgres, anon, authenticated, service_role;
alter default privileges for role postgres, supabase_admin in schema public
grant all on sequences to postgres, anon, authenticated, service_role;
"""

_HELPER = "hub_renames_the_superuser"


@contextmanager
def start(
    *, major: int | None = None, settings: Mapping[str, str] | None = None
) -> Iterator[postgres.Server]:
    """An ephemeral server on which `postgres` is what it is on hosted."""
    with postgres.start(major=major, settings=settings) as server:
        _demote_postgres(server)
        yield server


def prepare(database_url: str) -> None:
    """Make a database, empty and owned by `postgres`, look like a new project's.

    database_url: for `postgres`.
    """
    with psycopg.connect(_as_admin(database_url), autocommit=True) as conn, conn.transaction():
        conn.execute("set local client_min_messages = warning")
        conn.execute("set local search_path = pg_catalog")
        conn.execute(shim.SCRIPT.read_bytes())
        shim.give_passwords(conn, _owner_password(database_url))
        conn.execute(SCRIPT.read_bytes())


def give_old_grants(database_url: str) -> None:
    """Make it a project of before October 2026, by its default privileges."""
    with psycopg.connect(_as_admin(database_url), autocommit=True) as conn:
        conn.execute(OLD_PROJECT_GRANTS)


def _demote_postgres(server: postgres.Server) -> None:
    """Let another superuser rename the one that initdb made, which nobody may demote."""
    with psycopg.connect(server.url(), autocommit=True) as conn:
        _make_login(conn, _HELPER, server.password_of(_HELPER), "superuser")
    with psycopg.connect(server.url(user=_HELPER), autocommit=True) as conn:
        conn.execute("alter role postgres rename to supabase_admin")
        _give_password(conn, ADMIN, server.password_of(ADMIN))
        _make_login(
            conn, "postgres", server.password_of("postgres"), "createdb createrole replication"
        )
        conn.execute("alter role postgres bypassrls")
        conn.execute("alter database postgres owner to postgres")
    with psycopg.connect(server.url(user=ADMIN), autocommit=True) as conn:
        conn.execute(sql.SQL("drop role {}").format(sql.Identifier(_HELPER)))


def _make_login(
    conn: psycopg.Connection[Any], role: str, password: str, options: LiteralString
) -> None:
    conn.execute(sql.SQL("create role {} login {}").format(sql.Identifier(role), sql.SQL(options)))
    _give_password(conn, role, password)


def _give_password(conn: psycopg.Connection[Any], role: str, password: str) -> None:
    """The server is told the verifier alone, as by the shim."""
    verifier = conn.pgconn.encrypt_password(
        password.encode(), role.encode(), b"scram-sha-256"
    ).decode()
    conn.execute(
        sql.SQL("alter role {} password {}").format(sql.Identifier(role), sql.Literal(verifier))
    )


def _as_admin(database_url: str) -> str:
    return psycopg.conninfo.make_conninfo(
        database_url, user=ADMIN, password=password_of(ADMIN, _owner_password(database_url))
    )


def _owner_password(database_url: str) -> str:
    return str(psycopg.conninfo.conninfo_to_dict(database_url).get("password") or "")
