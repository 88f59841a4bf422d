"""What the clock does in the ledger."""

from __future__ import annotations

from procrastinate import Blueprint, JobContext

from procrastinate_app.retries import AS_SQL_DECIDES
from procrastinate_app.tasks.batches import until_none_left

blueprint = Blueprint()


@blueprint.periodic(cron="* * * * *")
@blueprint.task(
    name="expire_holds",
    queue="clock",
    priority=20,
    queueing_lock="ledger:expire_holds",
    pass_context=True,
    retry=AS_SQL_DECIDES,
)
async def expire_holds(context: JobContext, timestamp: int) -> None:
    """Give back holds that were neither settled nor released in time."""
    await until_none_left(context, "ledger.expire_holds", 100)
