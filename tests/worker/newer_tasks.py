"""`hub worker` of a later release: one task more, and one argument more. Run as a script."""

from __future__ import annotations

import sys

from procrastinate import Blueprint

from procrastinate_app import app, cli
from procrastinate_app.tasks import jobs

newer = Blueprint()


@newer.task(name="greet", queue="upkeep", queueing_lock="newer:greet")
async def greet(*, name: str) -> None:
    print("greeted", name, flush=True)


@newer.task(name="purge", queue="upkeep")
async def purge(*, timestamp: int, kind: str) -> None:
    print("purged", kind, flush=True)


if __name__ == "__main__":
    app.NAMESPACES["newer"] = newer
    del jobs.blueprint.tasks["purge"]
    jobs.blueprint.tasks["purge"] = newer.tasks.pop("purge")
    jobs.blueprint.periodic_registry.periodic_tasks.clear()
    sys.argv = ["hub", "worker"]
    cli.app()
