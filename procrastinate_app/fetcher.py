"""procrastinate's worker, but for one thing: a job that this release does not know is not its own.

While a new release is rolled out, jobs of its tasks are on the queue before its last worker runs;
so are jobs whose arguments an older worker does not take. procrastinate would fail them for good.
Here SQL puts them back (jobs.give_back) for a worker that knows them.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import psycopg
import structlog
from procrastinate.job_context import JobContext
from procrastinate.jobs import Job
from procrastinate.tasks import Task
from procrastinate.worker import Worker

from procrastinate_app.db import call_again
from procrastinate_app.services import services

log = structlog.get_logger(__name__)

RESERVED = "_context"  # what fetching adds to the arguments, and the middleware takes away


class Fetcher(Worker):
    async def _process_job(self, context: JobContext) -> None:
        task = self.app.tasks.get(context.job.task_name)
        if task is not None and takes(task, context.job):
            await super()._process_job(context)
        else:
            # to the end: a job in our hands that nobody finishes would stay ours
            await asyncio.shield(give_back(context))


def takes(task: Task[Any, Any, Any], job: Job) -> bool:
    """Whether the task can be called with the job's arguments."""
    given = {name: value for name, value in job.task_kwargs.items() if name != RESERVED}
    before = (None,) if task.pass_context else ()
    try:
        inspect.signature(task.func).bind(*before, **given)
    except TypeError:
        return False
    return True


async def give_back(context: JobContext) -> None:
    """Let another worker have the job."""
    given, job = services(context), context.job
    try:
        [row] = await call_again(given.pool, "jobs.give_back", job.id, seconds=given.settings.lease)
    except psycopg.Error as error:
        # it stays in our hands until this worker ends; then it is rescued
        log.error("job not given back", job_id=job.id, task=job.task_name, exc_info=error)
        return
    outcome = row["give_back"]
    given.metrics.jobs.labels("unknown", outcome).inc()
    log.warning("job of another release", job_id=job.id, task=job.task_name, outcome=outcome)
