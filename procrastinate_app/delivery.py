"""Take, call, settle: how anything leaves the database.

SQL hands out what is still due under a lease (`<schema>.take_<what>`), Python calls the provider,
SQL records the outcome and decides what follows (`<schema>.settle_<what>`). A process killed at any
point leaves a lease that runs out: what it held is handed out again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
import structlog
from procrastinate import JobContext
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from procrastinate_app.db import FromNow, call, call_again
from procrastinate_app.logging import describe
from procrastinate_app.outcome import Outcome, Result
from procrastinate_app.services import Services, services
from procrastinate_app.tracing import Caller

log = structlog.get_logger(__name__)


@dataclass
class Due:
    """What one take handed out: rows of one lease, to be settled together."""

    lease_id: UUID
    rows: Sequence[DictRow]
    outcome: Outcome | None = field(default=None, init=False)

    def settle(self, outcome: Outcome) -> None:
        """Say what became of it; recorded when the `take` block ends."""
        self.outcome = outcome


@asynccontextmanager
async def take(context: JobContext, function: str, *args: Any) -> AsyncIterator[Due | None]:
    """Lease what is due from `function(*args, lease)`; None when nothing is.

    An exception inside leaves the outcome unknown; a job told to stop abandons its lease, so that
    another worker need not wait for it to run out.
    """
    given = services(context)
    rows = await call(given.pool, function, *args, given.settings.lease_time)
    if not rows:
        yield None
        return
    due = Due(rows[0]["lease_id"], rows)
    try:
        yield due
    except asyncio.CancelledError:
        due.outcome = due.outcome or Outcome(Result.ABANDONED)
        raise
    except Exception as error:
        due.outcome = due.outcome or Outcome(Result.UNKNOWN, failure=describe(error))
        raise
    finally:
        await asyncio.shield(_settle(given, function.replace(".take_", ".settle_"), due))


async def callers(context: JobContext, due: Due) -> list[Caller]:
    """The traced requests behind a lease's events; not asked for when nobody collects traces."""
    given = services(context)
    if not given.tracing.exports:
        return []
    try:
        rows = await call(given.pool, "jobs.lease_traces", due.lease_id)
    except psycopg.Error as error:
        log.warning("traces unknown", exc_info=error)
        return []
    return [Caller(traceparent=row["traceparent"], tracestate=row["tracestate"]) for row in rows]


async def _settle(given: Services, function: str, due: Due) -> None:
    """Record the outcome. Tried for as long as the lease lasts: it says what is known to have
    happened outside, and after that SQL assumes it does not know."""
    outcome = due.outcome
    if outcome is None:
        raise RuntimeError(f"lease {due.lease_id} was not settled")
    failure = Jsonb(outcome.failure.as_json()) if outcome.failure else None
    [row] = await call_again(
        given.pool,
        function,
        due.lease_id,
        outcome.result.value,
        None if outcome.retry_after is None else FromNow(outcome.retry_after),
        failure,
        seconds=given.settings.lease,
    )
    if False in row.values():
        log.warning("lease lost", lease_id=str(due.lease_id), outcome=outcome.result.value)
