"""Short transactions that give way.

A statement that waits for an ACCESS EXCLUSIVE lock stops everyone who comes after it, so deploy
waits briefly, lets go, and tries again after a random pause. The wait is shorter than the server's
deadlock_timeout (1 s): where two transactions wait for each other it is always deploy that yields,
never a user's transaction that is cancelled.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import psycopg
from psycopg import errors

from procrastinate_app.deploy.lexer import Statement

Report = Callable[[str], None]
Connection = psycopg.Connection[tuple[object, ...]]

LOCK_TIMEOUT_MS = 250

# An autovacuum that stands in the way is cancelled only by the deadlock check, so that check comes
# before our lock_timeout, where the role may say so.
_BRIEF = """
    select set_config('lock_timeout', %s, true),
      set_config('statement_timeout', '0', true),
      case when has_parameter_privilege('deadlock_timeout', 'set')
        then set_config('deadlock_timeout', '100ms', true)
      end
"""
_YIELD = (errors.LockNotAvailable, errors.DeadlockDetected)


class DeployFailed(Exception):
    """The database refused a statement. What was done before it stays; run again after mending."""


@dataclass(frozen=True)
class Session:
    """Runs pieces of SQL on one connection. `patience`: seconds to keep trying for a lock."""

    conn: Connection
    report: Report
    patience: float = 120.0

    def transaction(self, what: str, work: Callable[[], None]) -> None:
        """Run `work` in its own transaction, again and again while others hold its locks."""
        give_up = time.monotonic() + self.patience
        attempt = 0
        while True:
            try:
                with self.conn.transaction():
                    self._be_brief()
                    return work()
            except _YIELD as error:
                attempt += 1
                if time.monotonic() > give_up:
                    raise DeployFailed(self._still_locked(what, error)) from error
                if attempt % 10 == 1:
                    self.report(f"{what}: in use, trying again")
                time.sleep(random.uniform(0.02, min(1.0, 0.1 * 2 ** min(attempt, 4))))

    def _be_brief(self) -> None:
        self.conn.execute(_BRIEF, (f"{LOCK_TIMEOUT_MS}ms",))

    def script(self, path: str, parts: Iterable[Statement]) -> None:
        """Run a file's statements; a failure names file and line."""
        for part in parts:
            try:
                self.conn.execute(part.text.encode(), prepare=False)
            except _YIELD:
                raise
            except psycopg.Error as error:
                raise DeployFailed(_explain(path, part, error)) from error

    def _still_locked(self, what: str, error: psycopg.Error) -> str:
        holders = self.conn.execute(
            """
            select format('pid %s (%s, %s, since %s)', pid, backend_type, state,
              date_trunc('second', xact_start))
            from pg_stat_activity
            where xact_start < now() - interval '5 seconds'
              and datname = current_database()
              and pid <> pg_backend_pid()
            order by xact_start
            limit 5
            """
        ).fetchall()
        oldest = "; ".join(str(row[0]) for row in holders) or "none over 5 s"
        return (
            f"{what}: its lock could not be had within {self.patience:.0f} s "
            f"({error.diag.message_primary}). Long transactions now: {oldest}. "
            "Nothing is half done; run deploy again when they have ended."
        )


def _explain(path: str, part: Statement, error: psycopg.Error) -> str:
    diag = error.diag
    before = part.text[: int(diag.statement_position or 1) - 1]
    line = part.line + before.count("\n")
    said = [f"{path}:{line}: {diag.message_primary or error} ({diag.sqlstate or 'no connection'})"]
    said += [f"{name}: {text}" for name, text in _further(diag) if text]
    return "\n  ".join(said)


def _further(diag: errors.Diagnostic) -> list[tuple[str, str | None]]:
    return [("detail", diag.message_detail), ("hint", diag.message_hint), ("in", diag.context)]
