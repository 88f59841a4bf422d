"""Crowds for tests: votes that decide, rules changed, and many requests at the same moment."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from queue import Queue
from threading import Barrier
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from tests.support.callers import Connection, Refusal, as_user, become, call, one
from tests.support.databases import FreshDatabase
from tests.support.money import account, post
from tests.support.work import vote

STUCK_SECONDS = 60
POLL_SECONDS = 0.002
PATIENCE = f"-c statement_timeout={STUCK_SECONDS}s"


def cast(conn: Connection, voters: Iterable[UUID], clip: UUID, label: str = "valid") -> None:
    """Everybody votes the same, one after the other."""
    for voter in voters:
        vote(conn, voter, clip, label)


def change_rule(conn: Connection, kind: str = "voice", /, **numbers: Any) -> None:
    """Change columns of consensus.kinds, as an operator does."""
    settings = sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in numbers
    )
    conn.execute(
        sql.SQL("update consensus.kinds set {} where kind = {}").format(
            settings, sql.Placeholder("__kind")
        ),
        {**numbers, "__kind": kind},
    )


def fund_one_slot(conn: Connection, amount: int, slot: int = 0) -> None:
    """Put money into a single slot of the pool, so that what is left is easy to count."""
    post(conn, account(conn, "funding"), account(conn, "reward_pool", slot=slot), amount)


def freeze(conn: Connection, moment: datetime | str) -> None:
    """Stop the rules' clock."""
    conn.execute("select app.freeze_clock(%s)", [moment])


def advance(conn: Connection, interval: str) -> None:
    """Move the rules' clock on, from where it stands or from now."""
    conn.execute("select app.freeze_clock(app.now() + %s::interval)", [interval])


def settle_all(conn: Connection, limit: int = 100) -> int:
    """Run the settlement as the worker does, until nothing is due; gives how many settled."""
    total = 0
    while done := int(one(conn, "select consensus.settle_due_clips(%s)", [limit])):
        total += done
    return total


def set_status(
    conn: Connection, staff: UUID, clip: UUID, status: str, reason: str = "listened to it"
) -> tuple[Any, ...]:
    """Staff set a validation status through the door; gives the outcome."""
    with as_user(conn, staff):
        return call(conn, "set_validation_status", clip_id=clip, status=status, reason=reason)[0]


def review(
    conn: Connection, reviewer: UUID, max_clips: int = 10, language: str = "sw"
) -> list[UUID]:
    """Ask for clips to review; gives their ids in the order offered."""
    with as_user(conn, reviewer):
        rows = call(conn, "next_clips_to_review", language=language, max_clips=max_clips)
    return [row[0] for row in rows]


def rewards(conn: Connection, clip: UUID, state: str = "pending") -> dict[UUID, tuple[str, int]]:
    """Holds of a clip in this state: who is promised what, and as what."""
    rows = conn.execute(
        "select a.owner_id, h.cause, h.amount from ledger.holds as h"
        " inner join ledger.accounts as a on a.id = h.credit_account_id"
        " where h.cause_id = %s and h.state = %s::ledger.hold_state",
        [clip, state],
    ).fetchall()
    assert len({row[0] for row in rows}) == len(rows), "somebody is promised twice for one clip"
    return {owner: (cause, amount) for owner, cause, amount in rows}


def posted(conn: Connection, owner: UUID) -> int:
    """What is booked on a person's wallet; 0 without a wallet."""
    found = one(
        conn,
        "select posted from ledger.accounts where owner_id = %s and purpose = 'wallet'",
        [owner],
    )
    return int(found or 0)


def state_of(conn: Connection, clip: UUID) -> str:
    """Where voting on a clip stands: open, disputed, decided or settled."""
    return str(one(conn, "select state from consensus.items where clip_id = %s", [clip]))


@dataclass(frozen=True)
class Item:
    """The votable side of a clip."""

    state: str
    tally: list[int]
    votes_needed: int
    label: str | None


def item(conn: Connection, clip: UUID) -> Item:
    """The item as its owner sees it."""
    row = conn.execute(
        "select state::text, tally, votes_needed, label from consensus.items where clip_id = %s",
        [clip],
    ).fetchone()
    assert row is not None
    return Item(*row)


def begin(database: FreshDatabase, caller: UUID | None) -> Connection:
    """A request under way: a transaction of this caller that the test ends itself."""
    conn = database.connect(
        autocommit=False, user="postgres" if caller is None else "authenticator"
    )
    if caller is not None:
        become(conn, caller)
    return conn


Request = tuple[UUID | None, Callable[[Connection], Any]]


def at_once(database: FreshDatabase, requests: Sequence[Request]) -> list[Any]:
    """Make all requests at the same moment, each on its own connection and transaction.

    A request is a caller (None: the owner, as the worker is) and what to do. Gives, in order,
    what each returned, or the Refusal it met.
    """
    gate = Barrier(len(requests))

    def make(request: Request) -> Any:
        caller, action = request
        login = "postgres" if caller is None else "authenticator"
        with psycopg.connect(database.url_of(login), autocommit=True, options=PATIENCE) as conn:
            gate.wait(STUCK_SECONDS)
            try:
                with conn.transaction():
                    if caller is not None:
                        become(conn, caller)
                    return action(conn)
            except psycopg.Error as error:
                return Refusal.of(error)

    with ThreadPoolExecutor(len(requests)) as threads:
        return list(threads.map(make, requests))


def codes(answers: Iterable[Any]) -> list[str]:
    """The codes of the refusals among the answers, sorted."""
    return sorted(answer.code for answer in answers if isinstance(answer, Refusal))


@contextmanager
def meanwhile(database: FreshDatabase, *requests: Request) -> Iterator[list[Future[Any]]]:
    """Start requests one after the other and enter the block when each has ended or waits for a
    lock that somebody holds. They have ended after the block."""

    def make(request: Request, backend: Queue[int]) -> Any:
        caller, action = request
        login = "postgres" if caller is None else "authenticator"
        with psycopg.connect(database.url_of(login), autocommit=True, options=PATIENCE) as conn:
            backend.put(conn.info.backend_pid)
            try:
                with conn.transaction():
                    if caller is not None:
                        become(conn, caller)
                    return action(conn)
            except psycopg.Error as error:
                return Refusal.of(error)

    with (
        psycopg.connect(database.url, autocommit=True) as watch,
        ThreadPoolExecutor(len(requests)) as threads,
    ):
        started: list[Future[Any]] = []
        for request in requests:
            backend: Queue[int] = Queue()
            started.append(threads.submit(make, request, backend))
            pid = backend.get(timeout=STUCK_SECONDS)
            deadline = time.monotonic() + STUCK_SECONDS
            while not started[-1].done() and not one(
                watch, "select cardinality(pg_blocking_pids(%s)) > 0", [pid]
            ):
                assert time.monotonic() < deadline, "it neither ended nor waited"
                time.sleep(POLL_SECONDS)
        yield started


def everything(conn: Connection) -> dict[str, str]:
    """A digest of each table's rows, of all our schemas."""
    tables = conn.execute(
        "select n.nspname, c.relname from pg_class as c"
        " inner join pg_namespace as n on n.oid = c.relnamespace"
        " where c.relkind = 'r'"
        " and n.nspname in ('app', 'audit', 'clips', 'consensus', 'identity', 'jobs', 'ledger',"
        " 'procrastinate', 'public')"
    ).fetchall()
    digests = {}
    for schema, table in tables:
        rows = conn.execute(
            sql.SQL("select t::text from {} as t order by 1").format(sql.Identifier(schema, table))
        ).fetchall()
        digests[f"{schema}.{table}"] = hashlib.sha256(repr(rows).encode()).hexdigest()
    return digests
