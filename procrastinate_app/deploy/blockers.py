"""Who makes us wait. Asked on a second connection, while the first one waits."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg.conninfo import make_conninfo

_POLL_SECONDS = 0.03
# pid 0 stands for a prepared transaction, which has no process
_ASK = """
select b.pid,
  coalesce(a.backend_type, 'prepared transaction'),
  a.usename::text,
  a.application_name,
  host(a.client_addr),
  a.state,
  date_trunc('second', a.xact_start)::text,
  extract(epoch from clock_timestamp() - a.xact_start)::float8,
  left(a.query, 100)
from unnest(pg_blocking_pids(%s)) as b (pid)
left join pg_stat_activity as a on a.pid = b.pid
"""
_PREPARED = """
select gid, date_trunc('second', prepared)::text
from pg_prepared_xacts
where database = current_database()
order by prepared
limit 3
"""
_OLDEST = """
select pid, backend_type, usename::text, application_name, host(client_addr), state,
  date_trunc('second', xact_start)::text,
  extract(epoch from clock_timestamp() - xact_start)::float8,
  left(query, 100)
from pg_stat_activity
where xact_start < clock_timestamp() - interval '1 second'
  and datname = current_database()
  and pid <> pg_backend_pid()
order by xact_start
limit 3
"""
_Row = tuple[Any, ...]


class Blockers:
    """Looks on while `conn` works, from `watch()` to the end of the block."""

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        self._conn = conn
        self._pid = conn.info.backend_pid
        self._found: list[_Row] = []
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._second: psycopg.Connection[Any] | None = None
        self._patience: float | None = None
        self.gave_up = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        if self._second is not None:
            self._second.close()

    def watch(self, *, give_up_after: float | None = None) -> None:
        """Begin to look, if that is not so already. After `give_up_after` seconds of waiting for
        the same session the statement is cancelled. Without a second connection nobody looks."""
        if self._thread is not None:
            return
        self._patience = give_up_after
        info = self._conn.info
        with suppress(psycopg.Error):
            given = {**info.get_parameters(), "password": info.password, "connect_timeout": "5"}
            self._second = psycopg.connect(make_conninfo("", **given), autocommit=True)
        if self._second is not None:
            self._thread = threading.Thread(target=self._look, daemon=True)
            self._thread.start()

    def _look(self) -> None:
        assert self._second is not None
        since: dict[int, float] = {}
        try:
            while not self._stop.wait(_POLL_SECONDS):
                rows = self._second.execute(_ASK, (self._pid,)).fetchall()
                self._found = rows or self._found
                now = time.monotonic()
                since = {row[0]: since.get(row[0], now) for row in rows}
                waited = now - min(since.values(), default=now)
                if self._patience is not None and waited > self._patience:
                    self.gave_up = True
                    self._conn.cancel()
                    return
        except psycopg.Error:
            return

    def told(self) -> str:
        """Who it was, and how to end them."""
        rows = list({row[0]: row for row in self._found}.values())
        if rows:
            return "\n".join(line for row in rows[:3] for line in self._tell(row, "held by"))
        with suppress(psycopg.Error):
            rows = self._conn.execute(_OLDEST).fetchall()
            if rows:
                told = [line for row in rows for line in self._tell(row, "perhaps")]
                return "\n".join(told)
        return "  Who held it could not be seen: look into pg_stat_activity and pg_locks."

    def _tell(self, row: _Row, how: str) -> list[str]:
        pid, kind, user, application, host, state, since, age, query = row
        if not pid:
            return self._tell_prepared()
        who = ", ".join(str(part) for part in (user, application or "no name", host, state) if part)
        end = f"select pg_terminate_backend({pid});"
        if kind != "client backend":
            who = f"{kind}, {state}" if state else str(kind)
            end = f"it ends by itself; or select pg_cancel_backend({pid});"
        told = [f"  {how} pid {pid} ({who})"]
        if since is not None:
            told[0] += f", in a transaction since {since} ({_ago(float(age))})"
        if query:
            told.append(f"    its query: {' '.join(str(query).split())}")
        return [*told, f"    to end it: {end}"]

    def _tell_prepared(self) -> list[str]:
        found: list[_Row] = []
        with suppress(psycopg.Error):
            found = self._conn.execute(_PREPARED).fetchall()
        return [
            f"  held by the prepared transaction {gid}, since {since}\n"
            f"    to end it: rollback prepared '{gid}';"
            for gid, since in found
        ] or ["  held by a prepared transaction: see pg_prepared_xacts"]


def _ago(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
