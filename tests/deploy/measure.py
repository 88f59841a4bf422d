"""What a statement really does: executed in a transaction, with the locks it then holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from procrastinate_app.deploy.locks import Mode
from tests.deploy.project import Connection

# Parts count as their table: an index, a TOAST table, the sequence of a column. Inserting takes
# ROW EXCLUSIVE on a sequence, which only a change of that sequence could ever meet. A composite
# type has no rows that anybody could wait for.
_HOME = """
create temporary view home as
select c.oid,
  coalesce(i.indrelid, d.refobjid, t.oid, c.oid) as table_oid,
  c.relkind
from pg_class as c
left join pg_index as i on i.indexrelid = c.oid
left join pg_class as t on t.reltoastrelid = c.oid
left join pg_depend as d on c.relkind = 'S' and d.classid = 'pg_class'::regclass
  and d.objid = c.oid and d.refobjsubid > 0 and d.deptype in ('a', 'i')
"""
_BEFORE = """
create temporary table before as
select h.oid, coalesce(above.table_oid, h.table_oid) as table_oid, h.relkind,
  pg_relation_filenode(h.oid) as file,
  format('%s.%s', n.nspname, c.relname) as name
from home as h
left join home as above on above.oid = h.table_oid
join pg_class as c on c.oid = coalesce(above.table_oid, h.table_oid)
join pg_namespace as n on n.oid = c.relnamespace
where n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
  and n.nspname not like 'pg_temp%'
  and c.relkind <> 'c'
"""
_LOCKS = """
select distinct b.name, l.mode
from pg_locks as l
join pg_temp.before as b on b.oid = l.relation
where l.pid = %s
  and l.locktype = 'relation'
  and not (b.relkind = 'S' and l.mode = 'RowExclusiveLock')
"""
_REWRITTEN = """
select b.name
from pg_temp.before as b
where b.oid = b.table_oid
  and b.relkind in ('r', 'm')
  and pg_relation_filenode(b.oid) is distinct from b.file
  and exists (select from pg_class as c where c.oid = b.oid)
"""
_READ = """
select b.name
from pg_temp.before as b
where b.oid = b.table_oid
  and pg_stat_get_xact_tuples_returned(b.oid) > 0
"""


@dataclass(frozen=True)
class Measured:
    """The strongest lock by table, tables with a new file, and tables whose rows were read."""

    locks: dict[str, Mode]
    rewritten: set[str]
    read: set[str]


def remember(conn: Connection) -> None:
    """Note what is there now. The connection stays in autocommit between statements."""
    conn.execute(_HOME.encode())
    conn.execute(_BEFORE.encode())


def measure(conn: Connection, statements: Sequence[str]) -> Measured:
    """Run the statements in the open transaction, and look. Call `forget_reads` before it opens."""
    for statement in statements:
        conn.execute(statement.encode(), prepare=False)
    return Measured(held(conn), rewritten(conn), read(conn))


def forget_reads(conn: Connection) -> None:
    """Send the statistics that are waiting, so that only what comes is counted."""
    conn.execute("select pg_stat_force_next_flush()")


def held(conn: Connection) -> dict[str, Mode]:
    """The strongest lock that the transaction holds, by table."""
    locks: dict[str, Mode] = {}
    for name, words in conn.execute(_LOCKS, (conn.info.backend_pid,)):
        mode = Mode.named(words)
        locks[name] = max(mode, locks.get(name, mode))
    return locks


def rewritten(conn: Connection) -> set[str]:
    """Tables whose rows lie in another file than at first."""
    return {str(row[0]) for row in conn.execute(_REWRITTEN)}


def read(conn: Connection) -> set[str]:
    """Tables of which rows were read since `forget_reads`."""
    return {str(row[0]) for row in conn.execute(_READ)}
