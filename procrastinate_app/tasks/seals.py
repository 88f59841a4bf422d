"""Sealing the append-only tables."""

from __future__ import annotations

from procrastinate import Blueprint, JobContext

from procrastinate_app.db import call
from procrastinate_app.retries import AS_SQL_DECIDES
from procrastinate_app.services import services

blueprint = Blueprint()

BATCH = 5000


@blueprint.periodic(cron="* * * * *")
@blueprint.task(
    name="seal",
    queue="upkeep",
    priority=10,
    queueing_lock="seals:seal",
    pass_context=True,
    retry=AS_SQL_DECIDES,
)
async def seal(context: JobContext, timestamp: int) -> None:
    """Seal what is final, a transaction per batch, and keep the new heads outside.

    A batch that is not full was the last: writers who never rest would keep it busy for ever.
    """
    given = services(context)
    sealed = BATCH
    while sealed >= BATCH and not given.stopping.is_set():
        [row] = await call(given.pool, "seals.seal", BATCH)
        sealed = row["seal"]
    await given.heads.keep(given.pool)
