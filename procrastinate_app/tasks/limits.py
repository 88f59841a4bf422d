"""Upkeep of rate limits."""

from __future__ import annotations

from procrastinate import Blueprint, JobContext

from procrastinate_app.retries import AS_SQL_DECIDES
from procrastinate_app.tasks.batches import until_none_left

blueprint = Blueprint()


@blueprint.periodic(cron="41 * * * *")
@blueprint.task(
    name="purge_idle_buckets",
    queue="upkeep",
    priority=10,
    queueing_lock="limits:purge_idle_buckets",
    pass_context=True,
    retry=AS_SQL_DECIDES,
)
async def purge_idle_buckets(context: JobContext, timestamp: int) -> None:
    """Forget what was used of limits that have long refilled."""
    await until_none_left(context, "limits.purge_idle_buckets", 5000)
