"""Upkeep of the queue."""

from __future__ import annotations

from procrastinate import Blueprint, JobContext

from procrastinate_app.retries import AS_SQL_DECIDES
from procrastinate_app.tasks.batches import until_none_left

blueprint = Blueprint()


@blueprint.periodic(cron="27 3 * * *")
@blueprint.task(
    name="purge",
    queue="upkeep",
    priority=10,
    queueing_lock="jobs:purge",
    pass_context=True,
    retry=AS_SQL_DECIDES,
)
async def purge(context: JobContext, timestamp: int) -> None:
    """Forget delivered events, old attempts and old dead letters."""
    await until_none_left(context, "jobs.purge", 1000)
