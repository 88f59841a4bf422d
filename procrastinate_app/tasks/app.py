"""Upkeep of the kernel."""

from __future__ import annotations

from procrastinate import Blueprint, JobContext

from procrastinate_app.retries import AS_SQL_DECIDES
from procrastinate_app.tasks.batches import until_none_left

blueprint = Blueprint()


@blueprint.periodic(cron="13 * * * *")
@blueprint.task(
    name="purge_idempotency_keys",
    queue="upkeep",
    priority=10,
    queueing_lock="app:purge_idempotency_keys",
    pass_context=True,
    retry=AS_SQL_DECIDES,
)
async def purge_idempotency_keys(context: JobContext, timestamp: int) -> None:
    """Forget stored answers older than their retention."""
    await until_none_left(context, "app.purge_idempotency_keys", 1000)
