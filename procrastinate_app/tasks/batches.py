"""Work that SQL does in bounded batches, each its own transaction."""

from __future__ import annotations

import structlog
from procrastinate import JobContext

from procrastinate_app.db import call
from procrastinate_app.services import services

log = structlog.get_logger(__name__)


async def until_none_left(context: JobContext, function: str, limit: int) -> None:
    """Call `function(limit)`, which answers how many it did, until it answers 0."""
    given = services(context)
    total = 0
    while not given.stopping.is_set():
        [row] = await call(given.pool, function, limit)
        (done,) = row.values()
        if not done:
            break
        total += done
    if total:
        log.info("batches done", function=function, rows=total)
