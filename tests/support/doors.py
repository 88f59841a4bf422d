"""The doors as the catalogue has them, and how the API calls one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from tests.support.callers import Connection

DOMAINS = """
select nspname::text
from pg_namespace
where nspname !~ '^pg_'
  and nspname not in (
    'information_schema', 'public', 'auth', 'storage', 'realtime', 'extensions', 'vault',
    'pgbouncer'
  )
order by 1
"""

FUNCTIONS = """
select
  p.oid,
  n.nspname::text,
  p.proname::text,
  p.provolatile = 'v',
  p.prosecdef,
  p.prosrc,
  coalesce((
    select jsonb_agg(jsonb_build_array(
      a.name,
      format_type(t.oid, null),
      t.typtype = 'e',
      (
        select e.enumlabel
        from pg_enum as e
        where e.enumtypid = t.oid
        order by e.enumsortorder
        limit 1
      ),
      a.nth > p.pronargs - p.pronargdefaults,
      a.nth = p.pronargs and p.provariadic <> 0
    ) order by a.nth)
    from unnest(p.proargtypes::oid[], p.proargnames[:p.pronargs])
      with ordinality as a (type, name, nth)
    inner join pg_type as t on t.oid = a.type
  ), '[]')
from pg_proc as p
inner join pg_namespace as n on n.oid = p.pronamespace
where n.nspname = any (%s)
  and p.prokind = 'f'
  and not exists (select from pg_depend as d where d.objid = p.oid and d.deptype = 'e')
order by 2, 3
"""


@dataclass(frozen=True)
class Argument:
    """One argument; `first_label` when its type is an enum."""

    name: str | None
    type: str
    is_enum: bool
    first_label: str | None
    has_default: bool
    is_variadic: bool


@dataclass(frozen=True)
class Function:
    """A function of the catalogue."""

    oid: int
    schema: str
    name: str
    is_volatile: bool
    is_definer: bool
    source: str
    arguments: tuple[Argument, ...]

    @property
    def qualified(self) -> str:
        return f"{self.schema}.{self.name}"


def domains(conn: Connection) -> list[str]:
    """Every schema of ours that the API does not expose, procrastinate's and deploy's too."""
    return [row[0] for row in conn.execute(DOMAINS)]


def functions(conn: Connection, *schemas: str) -> list[Function]:
    """The functions of these schemas."""
    return [
        Function(oid, schema, name, volatile, definer, source, tuple(Argument(*a) for a in given))
        for oid, schema, name, volatile, definer, source, given in conn.execute(
            FUNCTIONS, [list(schemas)]
        )
    ]


def doors(conn: Connection) -> list[Function]:
    """Whatever the API exposes as /rpc."""
    return functions(conn, "public")


def json_body(arguments: Mapping[str, Any]) -> str:
    """A request body; a value given as `Raw` is put in as it is, valid JSON or not."""
    parts = (
        f"{json.dumps(name)}: {value.text if isinstance(value, Raw) else json.dumps(value)}"
        for name, value in arguments.items()
    )
    return "{" + ", ".join(parts) + "}"


@dataclass(frozen=True)
class Raw:
    """JSON text as an attacker sends it."""

    text: str


def _record(door: Function, names: list[str]) -> sql.Composed:
    """json_to_record(body) as a (name type, …), which is how PostgREST reads a body."""
    types = {argument.name: argument.type for argument in door.arguments}
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(types[name])) for name in names
    )
    return sql.SQL("json_to_record(%s::json) as a ({})").format(columns)


def read_body(conn: Connection, door: Function, names: list[str], body: str) -> None:
    """Only read the arguments: fails with Postgres's own input errors, SQLSTATE class 22."""
    if names:
        conn.execute(sql.SQL("select * from {}").format(_record(door, names)), [body])


def call_body(conn: Connection, door: Function, names: list[str], body: str) -> list[Any]:
    """Call a door with a request body as PostgREST does."""
    function = sql.Identifier(door.schema, door.name)
    if not names:
        return conn.execute(sql.SQL("select * from {}()").format(function)).fetchall()
    given = sql.SQL(", ").join(
        sql.SQL("{} => a.{}").format(sql.Identifier(name), sql.Identifier(name)) for name in names
    )
    query = sql.SQL("select d.* from {}, lateral {}({}) as d").format(
        _record(door, names), function, given
    )
    return conn.execute(query, [body]).fetchall()


def call_positional(conn: Connection, function: Function) -> None:
    """Call any function with nulls, to see whether it may be called at all.

    The nulls come out of a subquery: Postgres would leave out a strict function of plain nulls,
    and with it the check of the right to execute it.
    """
    columns = [sql.Identifier(f"a{nth}") for nth in range(len(function.arguments))]
    given = sql.SQL(", ").join(
        sql.SQL("variadic {}" if argument.is_variadic else "{}").format(column)
        for argument, column in zip(function.arguments, columns, strict=True)
    )
    nulls = sql.SQL(", ").join(
        sql.SQL("null::{} as {}").format(sql.SQL(argument.type), column)
        for argument, column in zip(function.arguments, columns, strict=True)
    )
    name = sql.Identifier(function.schema, function.name)
    conn.execute(sql.SQL("select {}({}) from (select {} offset 0) as n").format(name, given, nulls))
