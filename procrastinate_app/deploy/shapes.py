"""What clients see of the schema public, read from the catalogue: rows, types and doors.

The reference and the Python models are written from it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import psycopg

Connection = psycopg.Connection[Any]

_RELATIONS = """
select c.oid, c.relname::text, c.relkind = 'v', obj_description(c.oid, 'pg_class')
from pg_class as c
where c.relnamespace = 'public'::regnamespace
  and c.relkind in ('r', 'p', 'v', 'm')
  and not c.relispartition
order by c.relname
"""

_COMPOSITES = """
select c.oid, t.typname::text, obj_description(t.oid, 'pg_type')
from pg_type as t
inner join pg_class as c on c.oid = t.typrelid and c.relkind = 'c'
where t.typnamespace = 'public'::regnamespace
order by t.typname
"""

_ENUMS = """
select t.typname::text,
  array(
    select e.enumlabel::text from pg_enum as e
    where e.enumtypid = t.oid
    order by e.enumsortorder
  ),
  obj_description(t.oid, 'pg_type')
from pg_type as t
where t.typnamespace = 'public'::regnamespace
  and t.typtype = 'e'
order by t.typname
"""

_COLUMNS = """
select a.attname::text, format_type(a.atttypid, null), a.attnotnull,
  col_description(a.attrelid, a.attnum)
from pg_attribute as a
where a.attrelid = %s
  and a.attnum > 0
  and not a.attisdropped
order by a.attnum
"""

_COLUMN = """
select a.attnotnull, col_description(a.attrelid, a.attnum)
from pg_attribute as a
where a.attrelid = %s and a.attnum = %s
"""

_DOORS = """
select p.oid, p.proname::text, obj_description(p.oid, 'pg_proc'),
  format_type(p.prorettype, null), p.proretset, p.provolatile = 'v'
from pg_proc as p
where p.pronamespace = 'public'::regnamespace
  and p.prokind = 'f'
  and not exists (select from pg_depend as d where d.objid = p.oid and d.deptype = 'e')
order by p.proname
"""

# Modes: in and inout are given; table and out come back.
_ARGUMENTS = """
select coalesce(a.name, ''), format_type(a.type, null), coalesce(a.mode, 'i')::text,
  case
    when coalesce(a.mode, 'i') = 'i' and a.nth > p.pronargs - p.pronargdefaults
    then pg_get_function_arg_default(p.oid, a.nth::integer)
  end
from pg_proc as p
cross join lateral unnest(
  coalesce(p.proallargtypes, p.proargtypes::oid[]), p.proargnames, p.proargmodes::text[]
) with ordinality as a (type, name, mode, nth)
where p.oid = %s
order by a.nth
"""

_OUTER_JOIN = re.compile(r"\b(left|right|full) (outer )?join\b", re.IGNORECASE)
_SAYS_NULL = re.compile(r"\bnull\b")


@dataclass(frozen=True)
class Column:
    """A column or attribute; `meaning` is its comment."""

    name: str
    type: str
    may_be_null: bool
    meaning: str


@dataclass(frozen=True)
class Relation:
    name: str
    is_view: bool
    meaning: str
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Composite:
    name: str
    meaning: str
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Enum:
    name: str
    labels: tuple[str, ...]
    meaning: str


@dataclass(frozen=True)
class Argument:
    """`default` is SQL, or None when the argument is needed."""

    name: str
    type: str
    default: str | None


@dataclass(frozen=True)
class Door:
    """A function of the API; `columns` when it returns a table of its own shape."""

    name: str
    meaning: str
    arguments: tuple[Argument, ...]
    returns: str
    is_set: bool
    columns: tuple[Column, ...]
    writes: bool

    @property
    def is_idempotent(self) -> bool:
        """Whether a call can be repeated under its key."""
        return bool(self.arguments) and self.arguments[-1].name == "idempotency_key"


@dataclass(frozen=True)
class Shapes:
    relations: tuple[Relation, ...]
    composites: tuple[Composite, ...]
    enums: tuple[Enum, ...]
    doors: tuple[Door, ...]


def read(conn: Connection) -> Shapes:
    """The schema public as it is. Types of public stand without it, others in full."""
    with conn.transaction():
        conn.execute("set local search_path = public, pg_catalog")
        return Shapes(
            tuple(
                Relation(
                    name, is_view, comment or "", _view(conn, oid) if is_view else _table(conn, oid)
                )
                for oid, name, is_view, comment in conn.execute(_RELATIONS).fetchall()
            ),
            tuple(
                Composite(name, comment or "", _composite(conn, oid))
                for oid, name, comment in conn.execute(_COMPOSITES).fetchall()
            ),
            tuple(
                Enum(name, tuple(labels), comment or "")
                for name, labels, comment in conn.execute(_ENUMS).fetchall()
            ),
            tuple(_door(conn, *row) for row in conn.execute(_DOORS).fetchall()),
        )


def _table(conn: Connection, oid: int) -> tuple[Column, ...]:
    return tuple(
        Column(name, type_, not not_null, comment or "")
        for name, type_, not_null, comment in conn.execute(_COLUMNS, (oid,)).fetchall()
    )


def _composite(conn: Connection, oid: int) -> tuple[Column, ...]:
    """Postgres knows no attribute that is never null; its comment says when one may be."""
    return tuple(
        Column(name, type_, bool(_SAYS_NULL.search(comment or "")), comment or "")
        for name, type_, _, comment in conn.execute(_COLUMNS, (oid,)).fetchall()
    )


def _view(conn: Connection, oid: int) -> tuple[Column, ...]:
    """A column that is one of a table's has that one's meaning, and is null only when that may be.

    What is computed is null when its comment says so, or when it has none; behind an outer join
    everything may be.
    """
    (definition,) = conn.execute("select pg_get_viewdef(%s::oid)", (oid,)).fetchall()[0]
    outer = bool(_OUTER_JOIN.search(definition))
    described = conn.execute(f"select * from ({definition.rstrip('; ')}) as v limit 0".encode())
    assert described.pgresult is not None
    origins = [
        (described.pgresult.ftable(at), described.pgresult.ftablecol(at))
        for at in range(described.pgresult.nfields)
    ]
    found = []
    rows = conn.execute(_COLUMNS, (oid,)).fetchall()
    for (name, type_, _, comment), origin in zip(rows, origins, strict=True):
        source = conn.execute(_COLUMN, origin).fetchone()
        if source:
            not_null, meaning = bool(source[0]), comment or source[1] or ""
        else:
            not_null, meaning = bool(comment) and not _SAYS_NULL.search(comment), comment or ""
        found.append(Column(name, type_, outer or not not_null, meaning))
    return tuple(found)


def _door(
    conn: Connection,
    oid: int,
    name: str,
    comment: str | None,
    returns: str,
    is_set: bool,
    writes: bool,
) -> Door:
    rows = conn.execute(_ARGUMENTS, (oid,)).fetchall()
    return Door(
        name,
        comment or "",
        tuple(Argument(each, type_, default) for each, type_, mode, default in rows if mode == "i"),
        returns,
        is_set,
        tuple(
            Column(each, type_, False, "") for each, type_, mode, _ in rows if mode in ("t", "o")
        ),
        writes,
    )
