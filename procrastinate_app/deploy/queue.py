"""procrastinate's own schema, from the installed package, kept out of everybody's way.

It lives in the schema `procrastinate`, out of reach of API clients. Its functions use bare names,
which fail under a caller's `search_path = ''`, and hold PUBLIC EXECUTE: after each install and
upgrade both are mended.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from procrastinate.schema import SchemaManager, migrations_path
from psycopg import sql

from procrastinate_app.deploy import history
from procrastinate_app.deploy.lexer import statements
from procrastinate_app.deploy.session import Connection, Session
from procrastinate_app.deploy.tree import DeployRefused

SCHEMA = "procrastinate"
INSTALLED_FROM = "procrastinate/sql/schema.sql"
UPGRADED_FROM = "procrastinate/sql/migrations/"
PINNED = "search_path=procrastinate, pg_temp"

ABOUT = "comment on schema procrastinate is 'The job queue; reached by jobs.defer().'"
CLOSE = """
revoke all on schema procrastinate from public, anon, authenticated, service_role;
revoke all on all tables in schema procrastinate from public, anon, authenticated, service_role;
revoke all on all sequences in schema procrastinate from public, anon, authenticated, service_role;
revoke all on all routines in schema procrastinate from public, anon, authenticated, service_role;
"""


def package_migrations() -> list[Path]:
    """The package's migration files, oldest first; names are `xx.yy.zz_nn_what.sql`."""
    return sorted(migrations_path.glob("*.sql"))


@dataclass(frozen=True)
class Due:
    """What is to be done: `installed` is None for a new database."""

    release: str
    installed: str | None
    pending: tuple[Path, ...]

    @property
    def nothing(self) -> bool:
        return self.installed == self.release and not self.pending


def due(conn: Connection, known: tuple[str, str] | None) -> Due:
    """Compare the installed package with what deploy wrote down, (release, newest migration)."""
    release = version("procrastinate")
    if known is None:
        _refuse_foreign(conn)
        return Due(release, None, ())
    installed, newest = known
    if _as_numbers(installed) > _as_numbers(release):
        raise DeployRefused(
            f"The database has procrastinate {installed}, this installation {release}. "
            "Deploy with the newer release; its schema has no way back."
        )
    pending = tuple(path for path in package_migrations() if path.name > newest)
    return Due(release, installed, pending)


def bring_up_to_date(session: Session) -> str | None:
    """Install or upgrade; returns what was done, None when there was nothing to do."""
    conn = session.conn
    work = due(conn, history.queue(conn))
    if work.installed is None:
        return _install(session, work.release)
    for path in work.pending:
        _upgrade(session, path)
    if work.installed == work.release:
        return None
    newest = package_migrations()[-1].name
    session.transaction(SCHEMA, lambda: _close(conn, work.release, newest))
    return f"{work.installed} upgraded to {work.release}, {len(work.pending)} migrations"


def _refuse_foreign(conn: Connection) -> None:
    if conn.execute("select to_regclass('procrastinate.procrastinate_jobs')").fetchone() != (None,):
        raise DeployRefused(
            "The schema procrastinate is there, but not from hub deploy, so its version is "
            "unknown. If it was made by another tool, record it: insert into deploy.queue "
            "(version, migration) values ('<release>', '<newest applied migration file>')."
        )


def _install(session: Session, release: str) -> str:
    conn = session.conn

    def install() -> None:
        conn.execute("create schema if not exists procrastinate")
        conn.execute("set local search_path = procrastinate")
        session.script(INSTALLED_FROM, statements(SchemaManager.get_schema()))
        conn.execute(ABOUT.encode())
        _close(conn, release, package_migrations()[-1].name)

    session.transaction(SCHEMA, install)
    return f"{release} installed"


def _upgrade(session: Session, path: Path) -> None:
    """One migration file in its own transaction, remembered, so that a kill loses nothing."""
    conn = session.conn

    def upgrade() -> None:
        conn.execute("set local search_path = procrastinate")
        session.script(f"{UPGRADED_FROM}{path.name}", statements(path.read_text("utf-8")))
        installed = conn.execute("select version from deploy.queue").fetchone()
        _close(conn, str(installed[0]) if installed else "", path.name)

    session.transaction(path.name, upgrade)
    session.report(f"procrastinate: {path.name}")


def _close(conn: Connection, release: str, newest: str) -> None:
    """Pin every function's path, take every right from clients, and write down what is there."""
    conn.execute("set local search_path = ''")
    unpinned = conn.execute(
        """
        select p.oid::regprocedure::text
        from pg_catalog.pg_proc as p
        where p.pronamespace = 'procrastinate'::regnamespace
          and not coalesce(p.proconfig, '{}') @> array[%s]
        """,
        (PINNED,),
    ).fetchall()
    for (signature,) in unpinned:
        conn.execute(
            sql.SQL("alter routine {} set search_path = procrastinate, pg_temp").format(
                sql.SQL(str(signature))
            )
        )
    conn.execute(CLOSE.encode(), prepare=False)
    conn.execute(
        """
        insert into deploy.queue (version, migration)
        values (%s, %s)
        on conflict (singleton) do update
        set version = excluded.version,
          migration = excluded.migration,
          applied_at = now()
        """,
        (release, newest),
    )


def _as_numbers(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split(".") if part.isdigit())
