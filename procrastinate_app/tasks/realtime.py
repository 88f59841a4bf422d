"""Carrying the outbox to Supabase Realtime."""

from __future__ import annotations

import structlog
from procrastinate import Blueprint, JobContext

from procrastinate_app.delivery import callers, take
from procrastinate_app.outcome import Result
from procrastinate_app.retries import AS_SQL_DECIDES
from procrastinate_app.services import services

blueprint = Blueprint()
log = structlog.get_logger(__name__)


@blueprint.task(
    name="deliver_events", queue="realtime", priority=30, pass_context=True, retry=AS_SQL_DECIDES
)
async def deliver_events(context: JobContext, *, stream: str) -> None:
    """Carry one stream until nothing is due. Several may run: each batch has its own lease."""
    given = services(context)
    while not given.stopping.is_set():
        async with take(context, "jobs.take_events", stream, given.settings.batch_size) as due:
            if due is None:
                return
            request_ids = {row["request_id"] for row in due.rows} - {None}
            request_id = request_ids.pop() if len(request_ids) == 1 else str(due.lease_id)
            event_ids = [row["id"] for row in due.rows]
            with (
                given.tracing.batch(stream, event_ids, await callers(context, due)) as span,
                given.metrics.call_seconds.labels(stream).time(),
            ):
                outcome = await given.realtime.broadcast(due.rows, request_id=request_id)
                error = outcome.failure.error_class if outcome.failure else None
                span.end_as(outcome.result.value, error)
            due.settle(outcome)
            given.metrics.batches.labels(stream, outcome.result).inc()
            given.metrics.deliveries.labels(stream, outcome.result).inc(len(due.rows))
            tell = log.info if outcome.result is Result.DELIVERED else log.warning
            tell(
                "batch settled",
                stream=stream,
                lease_id=str(due.lease_id),
                request_id=request_id,
                events=len(due.rows),
                outcome=outcome.result.value,
                error=error,
                **span.log_context(),
            )
