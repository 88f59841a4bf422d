"""Where the objects that files define stand in the database's catalogue."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from procrastinate_app.deploy.meaning import FUNCTION, POLICY, TABLE, TRIGGER, VIEW, Object
from procrastinate_app.deploy.session import Connection

_NAMED = {
    FUNCTION: """
        select n.nspname, o.proname, '', o.oid
        from pg_proc as o
        join pg_namespace as n on n.oid = o.pronamespace
        join unnest(%s::text[], %s::text[], %s::text[]) as d (schema, name, on_table)
          on (d.schema, d.name) = (n.nspname, o.proname)
        order by o.oid
    """,
    TRIGGER: """
        select n.nspname, o.tgname, r.relname, o.oid
        from pg_trigger as o
        join pg_class as r on r.oid = o.tgrelid
        join pg_namespace as n on n.oid = r.relnamespace
        join unnest(%s::text[], %s::text[], %s::text[]) as d (schema, name, on_table)
          on (d.schema, d.name, d.on_table) = (n.nspname, o.tgname, r.relname)
        where o.tgparentid = 0
    """,
    POLICY: """
        select n.nspname, o.polname, r.relname, o.oid
        from pg_policy as o
        join pg_class as r on r.oid = o.polrelid
        join pg_namespace as n on n.oid = r.relnamespace
        join unnest(%s::text[], %s::text[], %s::text[]) as d (schema, name, on_table)
          on (d.schema, d.name, d.on_table) = (n.nspname, o.polname, r.relname)
    """,
}
_RELATION = """
    select n.nspname, o.relname, '', o.oid
    from pg_class as o
    join pg_namespace as n on n.oid = o.relnamespace
    join unnest(%s::text[], %s::text[], %s::text[]) as d (schema, name, on_table)
      on (d.schema, d.name) = (n.nspname, o.relname)
"""

Oids = dict[Object, list[int]]


def find(conn: Connection, objects: Iterable[Object]) -> Oids:
    """The oids of each object that exists; several for an overloaded function."""
    wanted: dict[str, list[Object]] = defaultdict(list)
    for target in set(objects):
        wanted[target.kind].append(target)
    found: Oids = {}
    for kind, targets in wanted.items():
        query = _NAMED.get(kind, _RELATION) if kind not in (TABLE, VIEW) else _RELATION
        columns = (
            [target.schema for target in targets],
            [target.name for target in targets],
            [target.table for target in targets],
        )
        for schema, name, table, oid in conn.execute(query.encode(), columns):
            target = Object(kind, str(schema), str(name), str(table))
            found.setdefault(target, []).append(int(str(oid)))
    return found


def signatures(conn: Connection, target: Object) -> list[str]:
    """Every argument list under which a function exists."""
    rows = conn.execute(
        """
        select format('%%I.%%I(%%s)', n.nspname, p.proname,
          pg_get_function_identity_arguments(p.oid))
        from pg_proc as p
        join pg_namespace as n on n.oid = p.pronamespace
        where (n.nspname, p.proname) = (%s, %s)
        order by p.oid
        """,
        (target.schema, target.name),
    )
    return [str(row[0]) for row in rows]


def strangers(conn: Connection, table: Object, declared: set[str]) -> list[str]:
    """The policies on a table that its file does not name."""
    rows = conn.execute(
        """
        select o.polname
        from pg_policy as o
        join pg_class as r on r.oid = o.polrelid
        join pg_namespace as n on n.oid = r.relnamespace
        where (n.nspname, r.relname) = (%s, %s)
        """,
        (table.schema, table.name),
    )
    return sorted({str(row[0]) for row in rows} - declared)
