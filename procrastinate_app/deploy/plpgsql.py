"""plpgsql_check over every plpgsql function of ours: no error and no warning.

`python -m procrastinate_app.deploy.plpgsql` deploys into a throw-away Postgres 15 and asks there,
for Debian packages the extension for that one (postgresql-15-plpgsql-check). Where the machine has
none, it says so and lets everything pass.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from procrastinate_app.deploy import access

MAJOR = 15
LIBRARY = Path(f"/usr/lib/postgresql/{MAJOR}/lib/plpgsql_check.so")
PACKAGE = f"postgresql-{MAJOR}-plpgsql-check"

# (function, message): why it is right as it is
_ENDLESS = "its loop is left by return alone, which the check does not follow"
_LATER = "the query is text, which fills its columns unseen; format() quotes every name in it"
_SETTLES = "whatever settles a delivery takes the same arguments"
ALLOWED: dict[tuple[str, str], str] = {
    ("jobs.defer", "control reached end of function without RETURN"): _ENDLESS,
    ("ledger.lock_pool_slot", "control reached end of function without RETURN"): _ENDLESS,
    ("identity.settle_sign_in", 'unused parameter "p_error"'): _SETTLES,
    ("identity.settle_sign_in", 'unused parameter "p_retry_at"'): _SETTLES,
    ("seals.digest_rows", "text type variable is not sanitized"): _LATER,
    ("seals.digest_rows", 'OUT variable "max_id" is maybe unmodified'): _LATER,
    ("seals.digest_rows", 'OUT variable "row_count" is maybe unmodified'): _LATER,
    ("seals.digest_rows", 'OUT variable "rows_digest" is maybe unmodified'): _LATER,
}

# A trigger function is checked on each table it fires on: its rows have that table's columns.
_CHECKED = """
with checked as (
  select p.oid, coalesce(t.relid, 0) as relid, t.old_rows, t.new_rows
  from pg_proc as p
  inner join pg_language as l on l.oid = p.prolang and l.lanname = 'plpgsql'
  inner join pg_namespace as n on n.oid = p.pronamespace
  left join lateral (
    select g.tgrelid as relid, g.tgoldtable as old_rows, g.tgnewtable as new_rows
    from pg_trigger as g
    where g.tgfoid = p.oid and not g.tgisinternal and g.tgparentid = 0
  ) as t on true
  where n.nspname = any (%(schemas)s)
    and (p.prorettype <> 'trigger'::regtype or t.relid is not null)
)
select c.oid::regprocedure::text, nullif(c.relid, 0)::regclass::text, r.lineno, r.level, r.message
from checked as c
cross join lateral plpgsql_check_function_tb(
  c.oid, c.relid, fatal_errors => false, other_warnings => true, extra_warnings => true,
  performance_warnings => false, security_warnings => true,
  oldtable => c.old_rows, newtable => c.new_rows
) as r
order by 1, 2, 3
"""

_UNFIRED = """
select p.oid::regprocedure::text
from pg_proc as p
inner join pg_namespace as n on n.oid = p.pronamespace
where n.nspname = any (%(schemas)s)
  and p.prorettype = 'trigger'::regtype
  and not exists (select from pg_trigger as t where t.tgfoid = p.oid)
"""

_COUNT = """
select count(*)
from pg_proc as p
inner join pg_language as l on l.oid = p.prolang and l.lanname = 'plpgsql'
inner join pg_namespace as n on n.oid = p.pronamespace
where n.nspname = any (%(schemas)s)
"""


@dataclass(frozen=True)
class Finding:
    """What plpgsql_check says about one statement of a function."""

    function: str
    table: str | None
    line: int | None
    level: str
    message: str

    @property
    def key(self) -> tuple[str, str]:
        """Its function without arguments, and the message."""
        return self.function.split("(")[0], self.message

    def __str__(self) -> str:
        on = f" on {self.table}" if self.table else ""
        return f"{self.function}{on}, line {self.line}: {self.level}: {self.message}"


def is_installed() -> bool:
    return LIBRARY.exists()


def install(conn: psycopg.Connection[Any]) -> None:
    """Put the extension where it is found and out of the way. Needs a superuser."""
    conn.execute("create extension plpgsql_check schema extensions")
    conn.execute("set search_path = extensions, pg_catalog")


def count(conn: psycopg.Connection[Any]) -> int:
    """How many functions there are to check."""
    row = conn.execute(_COUNT, {"schemas": schemas(conn)}).fetchone()
    return int(row[0]) if row else 0


def findings(conn: psycopg.Connection[Any]) -> list[Finding]:
    """What is wrong with our functions."""
    given = {"schemas": schemas(conn)}
    found = [
        Finding(function, table, line, level, message)
        for function, table, line, level, message in conn.execute(_CHECKED, given).fetchall()
    ]
    return found + [
        Finding(function, None, None, "error", "a trigger function that no trigger calls")
        for (function,) in conn.execute(_UNFIRED, given).fetchall()
    ]


def complaints(found: list[Finding]) -> list[str]:
    """What is found and not allowed, and what is allowed and found no more."""
    keys = {finding.key for finding in found}
    return [str(finding) for finding in found if finding.key not in ALLOWED] + [
        f"{function}: {message!r} is allowed and not found any more"
        for function, message in ALLOWED
        if (function, message) not in keys
    ]


def schemas(conn: psycopg.Connection[Any]) -> list[str]:
    """Ours; procrastinate's functions are procrastinate's."""
    return [name for name in access.schemas(conn) if name != "procrastinate"]


def main() -> None:
    from procrastinate_app.deploy import deploy
    from procrastinate_app.local import hosted

    if not is_installed():
        print(f"plpgsql_check: skipped, this machine has no Postgres {MAJOR} with it ({PACKAGE})")
        return
    # as on hosted Supabase: there is a vault, which rules name where they use it
    with hosted.start(major=MAJOR) as server:
        hosted.prepare(server.url())
        deploy(server.url())
        with psycopg.connect(server.url(user=hosted.ADMIN), autocommit=True) as conn:
            install(conn)
            found, checked = findings(conn), count(conn)
    said = complaints(found)
    for line in said:
        print(line)
    if said:
        sys.exit(1)
    print(f"plpgsql_check: {checked} functions, no errors, no warnings")


if __name__ == "__main__":
    main()
