"""What the database remembers of earlier deploys.

Migrations are kept where the Supabase CLI keeps its own, in its shape, so that both agree. Beside
it, `deploy.files` keeps each file's digest: an edited migration is found, and unchanged code is
not applied again. `oids` are the objects that a code file made: an object missing, or there under
another oid, was dropped since (by cascade, or by hand), and took its grants with it. A restore
from a logical dump gives every object a new oid, so the deploy after it says all code once more.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from psycopg.rows import args_row

from procrastinate_app.deploy.session import Connection
from procrastinate_app.deploy.tree import CodeFile, Migration

SETUP = """
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (
  version text not null primary key,
  statements text[],
  name text
);
create schema if not exists deploy;
comment on schema deploy is 'What hub deploy has applied. Written by hub deploy only.';
create table if not exists deploy.files (
  path text primary key,
  digest text not null,
  oids oid[] not null default '{}',
  applied_at timestamptz not null default now(),
  tool text not null
);
alter table deploy.files enable row level security;
comment on table deploy.files is
'Digest of each applied file, the objects it made, and the version of the tool that applied it.';
create table if not exists deploy.queue (
  singleton boolean primary key default true check (singleton),
  version text not null,
  migration text not null,
  applied_at timestamptz not null default now()
);
alter table deploy.queue enable row level security;
comment on table deploy.queue is
'The procrastinate release whose schema is installed, and its newest applied migration file.';
revoke all on schema deploy from public;
revoke all on all tables in schema deploy from public, anon, authenticated, service_role;
"""


@dataclass(frozen=True)
class Applied:
    """One row of deploy.files."""

    digest: str
    oids: tuple[int, ...]


def tool_version() -> str:
    try:
        return version("hybrid-hub")
    except PackageNotFoundError:
        return "unpackaged"


def set_up(conn: Connection) -> None:
    """Create what is missing; say nothing twice, so that a second run writes nothing."""
    if not is_there(conn, "deploy.queue"):
        with conn.transaction():
            conn.execute(SETUP.encode(), prepare=False)


def is_there(conn: Connection, table: str) -> bool:
    """Has this table of the history been made? Before the first deploy there is none."""
    return conn.execute("select to_regclass(%s) is not null", (table,)).fetchone() == (True,)


def queue(conn: Connection) -> tuple[str, str] | None:
    """The procrastinate release whose schema is installed, and its newest applied migration."""
    row = conn.execute("select version, migration from deploy.queue").fetchone()
    return (str(row[0]), str(row[1])) if row else None


def applied_versions(conn: Connection) -> set[str]:
    rows = conn.execute("select version from supabase_migrations.schema_migrations")
    return {str(row[0]) for row in rows}


def applied_files(conn: Connection) -> dict[str, Applied]:
    with conn.cursor(row_factory=args_row(_as_applied)) as cursor:
        return dict(cursor.execute("select path, digest, oids from deploy.files").fetchall())


def _as_applied(path: str, digest: str, oids: list[int]) -> tuple[str, Applied]:
    return path, Applied(digest, tuple(oids))


def record_migration(conn: Connection, migration: Migration) -> None:
    conn.execute(
        """
        insert into supabase_migrations.schema_migrations (version, statements, name)
        values (%s, %s, %s)
        """,
        (migration.version, [part.text for part in migration.statements], migration.name),
    )
    record_file(conn, migration.path, migration.digest)


def record_code(conn: Connection, file: CodeFile, oids: list[int]) -> None:
    record_file(conn, file.path, file.digest, oids)


def record_file(conn: Connection, path: str, digest: str, oids: list[int] | None = None) -> None:
    conn.execute(
        """
        insert into deploy.files (path, digest, oids, tool)
        values (%s, %s, %s::oid[], %s)
        on conflict (path) do update
        set digest = excluded.digest,
          oids = excluded.oids,
          applied_at = now(),
          tool = excluded.tool
        """,
        (path, digest, oids or [], tool_version()),
    )


def forget(conn: Connection, paths: list[str]) -> None:
    conn.execute("delete from deploy.files where path = any(%s)", (paths,))
