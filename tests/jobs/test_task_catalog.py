"""JOB-2: task names and argument shapes are one contract between SQL and Python."""

from __future__ import annotations

import inspect
import itertools

from procrastinate_app.app import make_app
from procrastinate_app.retries import AS_SQL_DECIDES
from tests.support.callers import Connection

BUILT_IN = ("builtin:", "procrastinate.")


def test_python_and_sql_know_the_same_tasks(db: Connection) -> None:
    """JOB-2"""
    tasks = {
        name: (task.queue, task.priority, list(inspect.signature(task.func).parameters)[1:])
        for name, task in make_app().tasks.items()
        if not name.startswith(BUILT_IN)
    }
    catalog = db.execute("select task, queue, priority, arguments from jobs.task_catalog()")
    assert tasks == {row[0]: (row[1], row[2], row[3]) for row in catalog}


def test_every_task_is_retried_as_sql_decides() -> None:
    """JOB-5"""
    for name, task in make_app().tasks.items():
        if not name.startswith(BUILT_IN):
            assert task.retry_strategy is AS_SQL_DECIDES, name
            assert task.pass_context, name


def test_queue_names_can_be_notified(db: Connection) -> None:
    """JOB-2: over 40 bytes an insert fails."""
    for (queue,) in db.execute("select queue from jobs.task_catalog()"):
        assert len(queue.encode()) <= 40


def test_each_queue_has_its_own_band_of_priorities(db: Connection) -> None:
    """JOB-3: one queue's backlog does not stand before another's."""
    bands = db.execute(
        "select queue, min(priority), max(priority) from jobs.task_catalog()"
        " group by queue order by 2"
    ).fetchall()
    for (_, _, highest), (_, lowest, _) in itertools.pairwise(bands):
        assert highest < lowest


def test_every_carrier_is_a_task(db: Connection) -> None:
    """JOB-3"""
    assert not db.execute(
        "select carrier_task from jobs.streams except select task from jobs.task_catalog()"
    ).fetchall()
