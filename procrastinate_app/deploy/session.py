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

from procrastinate_app.deploy.blockers import Blockers
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


class _InUse(Exception):
    """A statement's lock could not be had just now; `where` names file, line and statement."""

    def __init__(self, where: str) -> None:
        self.where = where


@dataclass(frozen=True)
class Session:
    """Runs pieces of SQL on one connection. `patience`: seconds to keep trying for a lock."""

    conn: Connection
    report: Report
    patience: float = 120.0

    def transaction(self, what: str, work: Callable[[], None]) -> None:
        """Run `work` in its own transaction, again and again while others hold its locks.

        From the second attempt on a second connection looks who they are.
        """
        give_up = time.monotonic() + self.patience
        attempt = 0
        with Blockers(self.conn) as blockers:
            while True:
                try:
                    with self.conn.transaction():
                        self._be_brief()
                        return work()
                except (_InUse, *_YIELD) as error:
                    attempt += 1
                    if time.monotonic() > give_up and attempt > 1:
                        raise DeployFailed(self._gave_up(what, error, blockers)) from error
                    blockers.watch()
                    if attempt % 10 == 1:
                        self.report(f"{what}: in use, trying again")
                    time.sleep(random.uniform(0.02, min(1.0, 0.1 * 2 ** min(attempt, 4))))
                except psycopg.Error as error:
                    raise DeployFailed(_broke_off(what, error)) from error

    def _be_brief(self) -> None:
        self.conn.execute(_BRIEF, (f"{LOCK_TIMEOUT_MS}ms",))

    def script(self, path: str, parts: Iterable[Statement]) -> None:
        """Run a file's statements; a failure names file and line."""
        for part in parts:
            try:
                self.conn.execute(part.text.encode(), prepare=False)
            except _YIELD as error:
                raise _InUse(_place(path, part, error)) from error
            except psycopg.Error as error:
                raise DeployFailed(_explain(path, part, error)) from error

    def alone(self, path: str, part: Statement) -> None:
        """Run one statement outside a transaction. It may work for hours, but does not wait longer
        than our patience for one and the same other session."""
        with Blockers(self.conn) as blockers:
            blockers.watch(give_up_after=self.patience)
            try:
                self.conn.execute(part.text.encode(), prepare=False)
            except errors.QueryCanceled as error:
                if not blockers.gave_up:
                    raise DeployFailed(_explain(path, part, error, undone=False)) from error
                raise DeployFailed(
                    f"{_place(path, part, error)}\n  it waited {self.patience:.0f} s for others:\n"
                    f"{blockers.told()}\n  An unfinished index may be left: no query uses it, and "
                    "the next run drops it first. Then run deploy again."
                ) from error
            except psycopg.Error as error:
                raise DeployFailed(_explain(path, part, error, undone=False)) from error

    def _gave_up(self, what: str, error: Exception, blockers: Blockers) -> str:
        where = f"\n  waiting at {error.where}" if isinstance(error, _InUse) else ""
        return (
            f"{what}: its lock could not be had within {self.patience:.0f} s.{where}\n"
            f"{blockers.told()}\n"
            "  This step was undone: the database is as it was before it. Run deploy again when "
            "they have ended; it goes on from here."
        )


def _place(path: str, part: Statement, error: psycopg.Error) -> str:
    """File, line and the statement's beginning."""
    before = part.text[: int(error.diag.statement_position or 1) - 1]
    opening = " ".join(part.text.split())
    opening = opening if len(opening) <= 80 else f"{opening[:79]}…"
    return f"{path}:{part.line + before.count(chr(10))}: {opening}"


def _explain(path: str, part: Statement, error: psycopg.Error, *, undone: bool = True) -> str:
    diag = error.diag
    line, _, statement = _place(path, part, error).removeprefix(f"{path}:").partition(": ")
    said = [f"{path}:{line}: {_said(error)}", f"statement: {statement}"]
    said += [f"{name}: {text}" for name, text in _further(diag) if text]
    said.append(f"do: {_advice(error)}")
    if undone:
        said.append(
            "Nothing of this step was kept, everything before it was: the next deploy goes on "
            "from here."
        )
    return "\n  ".join(said)


def _broke_off(what: str, error: psycopg.Error) -> str:
    """An error outside the file's own statements: at the commit, or the connection is gone."""
    return f"{what}: {_said(error)}\n  do: {_advice(error)}"


def _said(error: psycopg.Error) -> str:
    text = error.diag.message_primary or " ".join(str(error).split())
    return f"{text} ({error.sqlstate or 'no connection'})"


# by SQLSTATE, or its class
_ADVICE = {
    "53100": (
        "the server's disk is full. Make room there, or a larger disk; nothing here is damaged. "
        "Then run deploy again."
    ),
    "25006": (
        "the database takes no writes: it is a standby, or its provider made it read-only because "
        "the disk is nearly full (Supabase does). Make room, or give the primary's address."
    ),
    "42501": "connect as the role that owns the objects; on Supabase that is postgres.",
    "53200": "the server is out of memory: run deploy again at a quieter time.",
    "57014": "somebody cancelled the statement, or a statement_timeout did. Run deploy again.",
    "57P": "the server was stopped meanwhile. When it is back, run deploy again.",
    "08": "the connection broke. When the server is back, run deploy again.",
    "23": (
        "rows that are there break what the file demands. Mend the rows, or the file, and run "
        "deploy again."
    ),
}


def _advice(error: psycopg.Error) -> str:
    state = error.sqlstate or "08"
    for size in (5, 3, 2):
        if state[:size] in _ADVICE:
            return _ADVICE[state[:size]]
    return "mend the file, and run deploy again."


def _further(diag: errors.Diagnostic) -> list[tuple[str, str | None]]:
    return [("detail", diag.message_detail), ("hint", diag.message_hint), ("in", diag.context)]
