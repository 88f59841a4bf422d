"""What must be true of a database before deploy, and before the worker starts."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import psycopg

from procrastinate_app.deploy.session import Connection
from procrastinate_app.deploy.tree import PROJECT_ROOT, DeployRefused

ROLES = ("anon", "authenticated", "service_role")
_OLDEST = 150000

_HAS_HISTORY = "select to_regclass('supabase_migrations.schema_migrations') is not null"
_VERSIONS = "select version from supabase_migrations.schema_migrations where version = any(%s)"


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


def schema_version(conn: psycopg.Connection[Any], root: Path = PROJECT_ROOT) -> str | None:
    """The newest migration of this code that the database has, None for none.

    A database ahead of the code answers `latest_version()`: during a rolling upgrade the old
    workers go on with the new schema.
    """
    if not (conn.execute(_HAS_HISTORY).fetchone() or (False,))[0]:
        return None
    rows = conn.execute(_VERSIONS, (list(_versions_on_disk(root)),)).fetchall()
    return max((str(row[0]) for row in rows), default=None)


def require_schema(conn: psycopg.Connection[Any], root: Path = PROJECT_ROOT) -> None:
    """Raise SchemaTooOld unless the database has every migration this code knows."""
    _compare(schema_version(conn, root), latest_version(root))


async def require_schema_async(
    conn: psycopg.AsyncConnection[Any], root: Path = PROJECT_ROOT
) -> None:
    """The same, on the worker's connection."""
    found: str | None = None
    if (await (await conn.execute(_HAS_HISTORY)).fetchone() or (False,))[0]:
        cursor = await conn.execute(_VERSIONS, (list(_versions_on_disk(root)),))
        found = max((str(row[0]) for row in await cursor.fetchall()), default=None)
    _compare(found, latest_version(root))


def _compare(found: str | None, needed: str) -> None:
    if found is None or found < needed:
        raise SchemaTooOld(
            f"the database is at schema {found or 'none'}, this code needs {needed}: "
            "run `hub deploy` first"
        )
