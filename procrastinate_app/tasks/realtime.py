"""Carrying the outbox to Supabase Realtime."""

from __future__ import annotations

import structlog
from procrastinate import Blueprint, JobContext

from procrastinate_app.delivery import take
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
            outcome = await given.realtime.broadcast(due.rows, request_id=request_id)
            due.settle(outcome)
            given.metrics.batches.labels(stream, outcome.result).inc()
            given.metrics.deliveries.labels(stream, outcome.result).inc(len(due.rows))
            log.info(
                "batch settled",
                stream=stream,
                lease_id=str(due.lease_id),
                request_id=request_id,
                events=len(due.rows),
                outcome=outcome.result.value,
                error=outcome.failure and outcome.failure.error_class,
            )
