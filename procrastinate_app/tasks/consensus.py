"""What the clock settles in consensus."""

from __future__ import annotations

from procrastinate import Blueprint, JobContext

from procrastinate_app.retries import AS_SQL_DECIDES
from procrastinate_app.tasks.batches import until_none_left

blueprint = Blueprint()


@blueprint.periodic(cron="* * * * *")
@blueprint.task(
    name="settle_due_clips",
    queue="clock",
    priority=20,
    queueing_lock="consensus:settle_due_clips",
    pass_context=True,
    retry=AS_SQL_DECIDES,
)
async def settle_due_clips(context: JobContext, timestamp: int) -> None:
    """Settle decided clips whose holding time is over, a transaction per batch."""
    await until_none_left(context, "consensus.settle_due_clips", 100)
