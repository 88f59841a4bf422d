"""How big the tables are, who reads and writes them now, and who would make deploy wait."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from psycopg import errors

from procrastinate_app.deploy.locks import Mode
from procrastinate_app.deploy.plan_catalog import Relation
from procrastinate_app.deploy.plan_model import Holder, Table
from procrastinate_app.deploy.session import Connection

_RECENT = timedelta(minutes=1)
_SIZE_WAIT = "200ms"

_COUNTS = """
select relid::bigint, coalesce(seq_scan, 0) + coalesce(idx_scan, 0),
  n_tup_ins + n_tup_upd + n_tup_del
from pg_stat_all_tables
where relid = any(%s)
"""
_LAST_SCAN = """
select relid::bigint, greatest(last_seq_scan, last_idx_scan) > clock_timestamp() - %s
from pg_stat_all_tables
where relid = any(%s)
"""
# reltuples is -1 before the first vacuum or analyze
_ROWS = """
select c.oid::bigint,
  greatest(
    case when c.reltuples >= 0 then c.reltuples else pg_stat_get_live_tuples(c.oid) end, 0
  )::bigint,
  (
    select coalesce(sum(p.relpages), 0) * current_setting('block_size')::bigint
    from pg_class as p
    where p.oid in (c.oid, c.reltoastrelid)
      or p.oid in (select i.indexrelid from pg_index as i where i.indrelid = c.oid)
  )::bigint
from pg_class as c
where c.oid = any(%s)
"""
_BYTES = "select pg_total_relation_size(%s::bigint::regclass)"
_HELD = """
select distinct l.relation::bigint, l.mode, a.pid, a.usename::text, a.application_name,
  coalesce(a.state, a.backend_type), coalesce(a.xact_start, a.backend_start),
  extract(epoch from clock_timestamp() - coalesce(a.xact_start, a.backend_start))::float8,
  left(coalesce(a.query, ''), 200)
from pg_locks as l
join pg_stat_activity as a on a.pid = l.pid
where l.locktype = 'relation'
  and l.granted
  and l.database = (select oid from pg_database where datname = current_database())
  and l.relation = any(%s)
  and l.pid <> pg_backend_pid()
"""
# which modes cannot be held beside each other: https://postgresql.org/docs/current/explicit-locking
_CONFLICTS = {
    1: {8},
    2: {7, 8},
    3: {5, 6, 7, 8},
    4: {4, 5, 6, 7, 8},
    5: {3, 4, 6, 7, 8},
    6: {3, 4, 5, 6, 7, 8},
    7: {2, 3, 4, 5, 6, 7, 8},
    8: {1, 2, 3, 4, 5, 6, 7, 8},
}


class Watch:
    """Counts begin with this; `tables` looks again and tells what happened in between."""

    def __init__(self, conn: Connection, seconds: float) -> None:
        self.conn, self.seconds = conn, seconds
        self.began = time.monotonic()
        conn.execute("set local stats_fetch_consistency = none")
        rows = conn.execute(
            """
            select relid::bigint, coalesce(seq_scan, 0) + coalesce(idx_scan, 0),
              n_tup_ins + n_tup_upd + n_tup_del
            from pg_stat_user_tables
            """
        )
        self.before: dict[int, tuple[int, int]] = {
            _int(oid): (_int(reads), _int(writes)) for oid, reads, writes in rows
        }

    def tables(self, wanted: dict[Relation, Mode]) -> dict[Relation, Table]:
        """The facts about each; `wanted` says which lock the plan would take."""
        if not wanted:
            return {}
        time.sleep(max(0.0, self.began + self.seconds - time.monotonic()))
        passed = max(time.monotonic() - self.began, 0.001)
        oids = [relation.oid for relation in wanted]
        after = {
            _int(oid): (_int(reads), _int(writes))
            for oid, reads, writes in self.conn.execute(_COUNTS, (oids,))
        }
        recent = self._recently_read(oids)
        sizes = self._sizes(wanted)
        held = self._held(oids)
        found: dict[Relation, Table] = {}
        for relation, mode in wanted.items():
            now, before = after.get(relation.oid, (0, 0)), self.before.get(relation.oid)
            reads, writes = (
                max(0, now[0] - before[0]) / passed if before else 0.0,
                max(0, now[1] - before[1]) / passed if before else 0.0,
            )
            modes = {mode for mode, _ in held[relation.oid]}
            rows, size = sizes.get(relation.oid, (0, 0))
            found[relation] = Table(
                name=str(relation),
                rows=rows,
                bytes=size,
                reads_per_second=round(reads, 1),
                writes_per_second=round(writes, 1),
                is_read=reads > 0 or relation.oid in recent or Mode.ACCESS_SHARE in modes,
                is_written=writes > 0 or Mode.ROW_EXCLUSIVE in modes,
                holders=_in_the_way(mode, held[relation.oid]),
            )
        return found

    def _recently_read(self, oids: list[int]) -> set[int]:
        """Postgres 16 and newer keep the time of the last scan."""
        if self.conn.info.server_version < 160000:
            return set()
        rows = self.conn.execute(_LAST_SCAN, (_RECENT, oids))
        return {_int(oid) for oid, is_recent in rows if is_recent}

    def _sizes(self, wanted: Iterable[Relation]) -> dict[int, tuple[int, int]]:
        """Rows and bytes. Asking for the size waits behind a strong lock; then an estimate does."""
        found = {
            _int(oid): (_int(rows), _int(size))
            for oid, rows, size in self.conn.execute(_ROWS, ([r.oid for r in wanted],))
        }
        self.conn.execute(f"set local lock_timeout = '{_SIZE_WAIT}'".encode())
        for relation in wanted:
            try:
                with self.conn.transaction():
                    row = self.conn.execute(_BYTES, (relation.oid,)).fetchone()
            except (errors.LockNotAvailable, errors.UndefinedTable):
                continue
            if row is not None and row[0] is not None:
                found[relation.oid] = (found.get(relation.oid, (0, 0))[0], _int(row[0]))
        return found

    def _held(self, oids: list[int]) -> dict[int, list[tuple[Mode, Holder]]]:
        found: dict[int, list[tuple[Mode, Holder]]] = defaultdict(list)
        for oid, mode, pid, user, application, state, since, seconds, query in self.conn.execute(
            _HELD, (oids,)
        ):
            holder = Holder(
                pid=_int(pid),
                user=str(user or ""),
                application=str(application or ""),
                state=str(state),
                since=_any(since),
                seconds=round(float(str(seconds)), 1),
                query=" ".join(str(query).split()),
            )
            found[_int(oid)].append((Mode.named(str(mode)), holder))
        return found


def _in_the_way(mode: Mode, held: list[tuple[Mode, Holder]]) -> tuple[Holder, ...]:
    """Who holds what this mode must wait for, the longest first."""
    found = {holder.pid: holder for other, holder in held if other in _CONFLICTS[mode]}
    return tuple(sorted(found.values(), key=lambda holder: holder.since))


def _int(value: object) -> int:
    return int(str(value))


def _any(value: object) -> Any:
    return value
