"""The schema as text: what `docs/reference/schema.sql` holds, and what proves two deploys equal."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Protocol

import psycopg

from procrastinate_app.project import PROJECT_ROOT

COMMITTED = PROJECT_ROOT / "docs" / "reference" / "schema.sql"
_NOT_OURS = (
    *("auth", "storage", "realtime", "vault", "extensions", "pgbouncer"),
    *("procrastinate", "supabase_migrations"),
)
# `\\restrict` guards a restore with a random key, and the versions name the machine, not the schema
_NOISE = re.compile(r"^(\\(un)?restrict .*|-- Dumped (from|by) .*)\n", re.MULTILINE)
_HEAD = "-- The whole schema as deploy leaves it. Written by `hub schema dump`; do not edit.\n\n"
_GUESTS_HEAD = "--\n-- Ours on tables of others\n--\n\n"

# schemas of others are left out, but not what we hang on their tables
_GUESTS = """
select pg_get_triggerdef(t.oid) || ';' as statement
from pg_trigger as t
join pg_class as c on c.oid = t.tgrelid
join pg_proc as p on p.oid = t.tgfoid
where not t.tgisinternal
  and c.relnamespace::regnamespace::text = any(%(others)s)
  and not p.pronamespace::regnamespace::text = any(%(others)s)
union all
select format('CREATE POLICY %%I ON %%I.%%I AS %%s FOR %%s TO %%s', policyname, schemaname,
    tablename, permissive, cmd, array_to_string(roles, ', '))
  || coalesce(format(' USING (%%s)', qual), '')
  || coalesce(format(' WITH CHECK (%%s)', with_check), '') || ';'
from pg_policies
where schemaname = any(%(others)s)
order by statement
"""


class Server(Protocol):
    """A local server (procrastinate_app.local.postgres.Server)."""

    def program(self, name: str) -> Path: ...

    def url(self, dbname: str = ..., user: str = ...) -> str: ...

    def env(self, dbname: str = ...) -> dict[str, str]: ...


def dump(server: Server, dbname: str, *, schemas: tuple[str, ...] = ()) -> str:
    """The database's schema by the server's own pg_dump; only `schemas` where given."""
    if schemas:
        return _pg_dump(server, dbname, *(f"--schema={name}" for name in schemas))
    whole = _pg_dump(server, dbname, *(f"--exclude-schema={name}" for name in _NOT_OURS))
    with psycopg.connect(server.url(dbname)) as conn:
        guests = [str(row[0]) for row in conn.execute(_GUESTS, {"others": list(_NOT_OURS)})]
    return _HEAD + whole.strip("\n") + "\n\n" + _GUESTS_HEAD + "\n".join(guests) + "\n"


def _pg_dump(server: Server, dbname: str, *which: str) -> str:
    done = subprocess.run(
        [str(server.program("pg_dump")), "--schema-only", "--no-owner", *which],
        env=server.env(dbname),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"pg_dump failed: {done.stderr.strip()}")
    return re.sub(r"\n{3,}", "\n\n", _NOISE.sub("", done.stdout))
