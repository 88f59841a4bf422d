"""`hub worker` with a few unit tasks more, that fail as tests ask: run as a script."""

from __future__ import annotations

import os
import signal
import sys

from procrastinate import Blueprint, JobContext

from procrastinate_app import app, cli
from procrastinate_app.logging import Failure
from procrastinate_app.outcome import Outcome, Result, Undelivered
from procrastinate_app.retries import AS_SQL_DECIDES

blueprint = Blueprint()
OPTIONS = {"queue": "test", "priority": 50, "pass_context": True, "retry": AS_SQL_DECIDES}


@blueprint.task(name="kill", **OPTIONS)
async def kill(context: JobContext, *, number: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@blueprint.task(name="fail", **OPTIONS)
async def fail(context: JobContext, *, number: int) -> None:
    raise ValueError(f"number {number} with sb_secret_0123456789 and user:hush@host")


@blueprint.task(name="refuse", **OPTIONS)
async def refuse(context: JobContext, *, number: int) -> None:
    raise Undelivered(Outcome(Result.REJECTED, failure=Failure("Gone", "no such number")))


@blueprint.task(name="count", **OPTIONS)
async def count(context: JobContext, *, number: int) -> None:
    print("counted", number, flush=True)


if __name__ == "__main__":
    app.NAMESPACES["test"] = blueprint
    sys.argv = ["hub", "worker"]
    cli.app()
