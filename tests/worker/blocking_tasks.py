"""`hub worker` with a task that blocks the event loop until a file is there: run as a script."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from procrastinate import Blueprint

from procrastinate_app import app, cli

blueprint = Blueprint()


@blueprint.task(name="block", queue="test")
async def block(*, number: int) -> None:
    wait_without_giving_way(Path(os.environ["RELEASED"]))


def wait_without_giving_way(released: Path) -> None:
    print("blocked", flush=True)
    while not released.exists():
        time.sleep(0.01)


if __name__ == "__main__":
    app.NAMESPACES["test"] = blueprint
    sys.argv = ["hub", "worker"]
    cli.app()
