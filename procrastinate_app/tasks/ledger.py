"""What the clock does in the ledger."""

from __future__ import annotations

import structlog
from procrastinate import Blueprint, JobContext

from procrastinate_app.db import call
from procrastinate_app.retries import AS_SQL_DECIDES
from procrastinate_app.services import services
from procrastinate_app.tasks.batches import until_none_left

blueprint = Blueprint()
log = structlog.get_logger(__name__)


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


@blueprint.periodic(cron="41 * * * *")
@blueprint.task(
    name="check_books",
    queue="upkeep",
    priority=10,
    queueing_lock="ledger:check_books",
    pass_context=True,
    retry=AS_SQL_DECIDES,
)
async def check_books(context: JobContext, timestamp: int) -> None:
    """Prove the books; the verdict is a metric."""
    [row] = await call(services(context).pool, "ledger.check_books")
    if row["check_books"]:
        log.error("books do not balance", problems=row["check_books"])
