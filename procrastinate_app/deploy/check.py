"""What must be true of a database before deploy, and before the worker starts."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import psycopg

from procrastinate_app.deploy.session import Connection
from procrastinate_app.deploy.tree import DeployRefused
from procrastinate_app.project import PROJECT_ROOT

ROLES = ("anon", "authenticated", "service_role")
_OLDEST = 150000

_HISTORY = "select to_regclass('supabase_migrations.schema_migrations')"
_NEWEST = "select max(version) from supabase_migrations.schema_migrations where version = any(%s)"


class SchemaTooOld(Exception):
    """The database lacks migrations that this code needs."""


def ensure_ready(conn: Connection) -> None:
    """Refuse a database that deploy could not, or must not, work on."""
    if conn.info.server_version < _OLDEST:
        raise DeployRefused(
            f"Postgres {conn.info.server_version // 10000} is too old: 15 to 18 are supported."
        )
    if conn.execute("select pg_is_in_recovery()").fetchone() == (True,):
        raise DeployRefused("This is a standby: give the primary's address.")
    found = conn.execute("select rolname from pg_roles where rolname = any(%s)", (list(ROLES),))
    missing = sorted(set(ROLES) - {str(row[0]) for row in found})
    if conn.execute("select to_regnamespace('auth')").fetchone() == (None,):
        missing.append("schema auth")
    if missing:
        raise DeployRefused(
            f"This is not a Supabase database: {', '.join(missing)} missing. "
            "Deploy into a Supabase project, or start a local one with `hub local db`."
        )


@cache
def _versions_on_disk(root: Path) -> tuple[str, ...]:
    return tuple(sorted(path.name[:14] for path in (root / "migrations").glob("*.sql")))


def latest_version(root: Path = PROJECT_ROOT) -> str:
    """The newest migration of this code, which the database must have."""
    versions = _versions_on_disk(root)
    if not versions:
        raise FileNotFoundError(f"{root} has no migrations/")
    return versions[-1]


async def schema_version(
    conn: psycopg.AsyncConnection[Any], root: Path = PROJECT_ROOT
) -> str | None:
    """The newest migration of this code that the database has, None for none.

    A database ahead of the code answers `latest_version()`: during a rolling upgrade the old
    workers go on with the new schema.
    """
    if (await (await conn.execute(_HISTORY)).fetchone()) == (None,):
        return None
    cursor = await conn.execute(_NEWEST, (list(_versions_on_disk(root)),))
    [newest] = await cursor.fetchone() or (None,)
    return newest


async def require_schema(conn: psycopg.AsyncConnection[Any], root: Path = PROJECT_ROOT) -> None:
    """Raise SchemaTooOld unless the database has every migration this code knows."""
    found, needed = await schema_version(conn, root), latest_version(root)
    if found is None or found < needed:
        raise SchemaTooOld(
            f"the database is at schema {found or 'none'}, this code needs {needed}: "
            "run `hub deploy` first"
        )
