"""Unit jobs that fail: every failure is recorded, and SQL decides what follows.

The worker's middleware calls jobs.record_attempt(), which answers when to try again; the answer
travels to procrastinate as an exception that its retry strategy reads.
"""

from __future__ import annotations

import asyncio
import time
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

from procrastinate_app.db import call_again
from procrastinate_app.logging import describe
from procrastinate_app.outcome import Result, Undelivered
from procrastinate_app.services import Services, services

log = structlog.get_logger(__name__)

UNRECORDED_WAIT = timedelta(minutes=1)


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
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(
        job_id=job.id, task=job.task_name, queue=job.queue, attempt=job.attempts + 1
    )
    if request_id := job.task_kwargs.get("request_id"):
        structlog.contextvars.bind_contextvars(request_id=request_id)
    started, outcome = time.monotonic(), "succeeded"
    try:
        return await call_next()
    except asyncio.CancelledError:
        outcome = "aborted"
        if context.abort_reason() is AbortReason.SHUTDOWN:
            raise TryAgain(datetime.now(UTC)) from None
        raise
    except Exception as error:
        outcome = "failed"
        if retry_at := await _decide(given, job, error):
            outcome = "retried"
            raise TryAgain(retry_at) from error
        raise
    finally:
        given.metrics.jobs.labels(job.task_name, outcome).inc()
        given.metrics.job_seconds.labels(job.task_name).observe(time.monotonic() - started)


async def _decide(given: Services, job: Job, error: Exception) -> datetime | None:
    """Record the failure; when SQL wants the job to run again, None for never."""
    outcome, retry_at, failure = "failed", None, describe(error)
    if isinstance(error, Undelivered):
        retry_at, failure = error.outcome.retry_at, error.outcome.failure or failure
        if error.outcome.result is Result.REJECTED:
            outcome = "rejected"
        elif retry_at:
            outcome = "snoozed"
    try:
        [row] = await call_again(
            given.pool,
            "jobs.record_attempt",
            job.id,
            outcome,
            Jsonb(failure.as_json()),
            retry_at,
            seconds=given.settings.lease,
        )
        decided: datetime | None = row["record_attempt"]
    except psycopg.Error as unrecorded:
        # a failure that cannot be recorded must not end the job: nobody would know of it
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
