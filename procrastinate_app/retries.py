"""Unit jobs that fail: every failure is recorded, and SQL decides what follows.

The worker's middleware calls jobs.record_attempt(), which answers when to try again; the answer
travels to procrastinate as an exception that its retry strategy reads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import structlog
from procrastinate import BaseRetryStrategy, JobContext, RetryDecision
from procrastinate.job_context import AbortReason
from procrastinate.jobs import Job
from procrastinate.worker import Worker
from psycopg.types.json import Jsonb

from procrastinate_app.db import FromNow, call_again
from procrastinate_app.logging import describe
from procrastinate_app.outcome import Result, Undelivered
from procrastinate_app.services import Services, services
from procrastinate_app.tracing import Origin

log = structlog.get_logger(__name__)

UNRECORDED_WAIT = timedelta(minutes=1)
# Past by anybody's clock: the worker's own may be wrong.
AT_ONCE = datetime.fromtimestamp(0, UTC)


class TryAgain(Exception):
    """The job runs again at this time."""

    def __init__(self, at: datetime) -> None:
        super().__init__(at.isoformat())
        self.at = at


class _AsSqlDecides(BaseRetryStrategy):
    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        return RetryDecision(retry_at=exception.at) if isinstance(exception, TryAgain) else None


AS_SQL_DECIDES = _AsSqlDecides()


async def record_attempts(
    call_next: Callable[[], Awaitable[Any]], context: JobContext, worker: Worker
) -> Any:
    """Worker middleware: bind the log context, time the job, record why it failed."""
    given, job = services(context), context.job
    origin = Origin.take_from(job.task_kwargs)
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(
        job_id=job.id, task=job.task_name, queue=job.queue, attempt=job.attempts + 1
    )
    if origin.caller.request_id:
        structlog.contextvars.bind_contextvars(request_id=origin.caller.request_id)
    with (
        given.metrics.job(job.task_name, job.queue, origin.waited) as ended,
        given.tracing.job(job.task_name, job.queue, job.id, origin.caller) as span,
    ):
        structlog.contextvars.bind_contextvars(**span.log_context())
        outcome, error_class = "succeeded", None
        try:
            return await call_next()
        except asyncio.CancelledError:
            outcome = "aborted"
            if context.abort_reason() is AbortReason.SHUTDOWN:
                raise TryAgain(AT_ONCE) from None
            raise
        except Exception as error:
            outcome, error_class = "failed", describe(error).error_class
            if retry_at := await _decide(given, job, error):
                outcome = "retried"
                raise TryAgain(retry_at) from error
            raise
        finally:
            ended.outcome = outcome
            span.end_as(outcome, error_class)


async def _decide(given: Services, job: Job, error: Exception) -> datetime | None:
    """Record the failure; when SQL wants the job to run again, None for never."""
    outcome, retry_after, failure = "failed", None, describe(error)
    if isinstance(error, Undelivered):
        retry_after, failure = error.outcome.retry_after, error.outcome.failure or failure
        if error.outcome.result is Result.REJECTED:
            outcome = "rejected"
        elif retry_after is not None:
            outcome = "snoozed"
    try:
        [row] = await call_again(
            given.pool,
            "jobs.record_attempt",
            job.id,
            outcome,
            Jsonb(failure.as_json()),
            None if retry_after is None else FromNow(retry_after),
            seconds=given.settings.lease,
        )
        decided: datetime | None = row["record_attempt"]
    except psycopg.Error as unrecorded:
        # a failure that cannot be recorded must not end the job: nobody would know of it. There is
        # no database to ask the time of.
        log.error("attempt not recorded", exc_info=unrecorded)
        decided = datetime.now(UTC) + UNRECORDED_WAIT
    log.warning(
        "job " + outcome,
        error=failure.error_class,
        error_message=failure.message,
        trace=failure.trace,
        retry_at=decided and decided.isoformat(),
    )
    return decided
