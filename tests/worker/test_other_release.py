"""JOB-6, OPS-5: an older worker leaves a newer release's jobs to those that know them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.callers import Connection
from tests.support.databases import FreshDatabase
from tests.support.events import value
from tests.support.running import WorkerProcess, until

StartWorker = Callable[..., WorkerProcess]

NEWER = Path(__file__).with_name("newer_tasks.py")
DUE = "update procrastinate.procrastinate_jobs set scheduled_at = null where status = 'todo'"


@pytest.fixture
def newer(fresh_db: FreshDatabase, conn: Connection, workers: StartWorker) -> StartWorker:
    """Starts workers of the later release, whose catalogue the database has."""
    conn.execute(
        "create or replace function jobs.task_catalog() returns table (task text, queue text,"
        " priority integer, arguments text[], max_attempts integer, description text)"
        " language sql immutable set search_path = '' as $$ values"
        " ('newer:greet', 'upkeep', 10, array['name'], 3, ''),"
        " ('jobs:purge', 'upkeep', 10, array['timestamp', 'kind'], 3, '') $$"
    )
    return lambda: workers(fresh_db.url, command=[sys.executable, str(NEWER)])


@pytest.mark.parametrize(
    ("task", "args", "done"),
    [
        ("newer:greet", '{"name": "Ada"}', "greeted Ada"),
        ("jobs:purge", '{"timestamp": 1, "kind": "all"}', "purged all"),
    ],
)
def test_newer_job_waits_for_a_newer_worker(
    conn: Connection,
    start_worker: StartWorker,
    newer: StartWorker,
    task: str,
    args: str,
    done: str,
) -> None:
    """Its task, or an argument of it, is unknown to the worker that has it first."""
    job_id = value(conn, "select jobs.defer(%s, %s)", [task, args])
    older = start_worker()
    older.wait_until(lambda: older.said("job of another release"))
    state = "select status::text from procrastinate.procrastinate_jobs where id = %s"
    older.wait_until(lambda: value(conn, state, [job_id]) == "todo")
    assert value(conn, "select count(*) from jobs.attempts where job_id = %s", [job_id]) == 0

    later = newer()

    def is_done() -> bool:
        conn.execute(DUE)  # it need not wait out its pause
        return done in later.output()

    until(is_done, lambda: older.output() + later.output())
    until(lambda: conn.execute(state, [job_id]).fetchone() is None)
    assert value(conn, "select count(*) from jobs.dead_letters") == 0
    assert older.process.poll() is None


def test_queueing_lock_does_not_hold_the_job_in_the_older_worker(
    conn: Connection, start_worker: StartWorker
) -> None:
    """Another one, deferred meanwhile, does the work."""
    conn.execute(
        "insert into procrastinate.procrastinate_jobs (queue_name, task_name, queueing_lock)"
        " values ('upkeep', 'newer:greet', 'one')"
    )
    older = start_worker()
    older.wait_until(lambda: older.said("job of another release"))
    conn.execute(DUE)
    older.wait_until(lambda: len(older.said("job of another release")) > 1)
    held = "select count(*) from procrastinate.procrastinate_jobs where status = 'doing'"
    older.wait_until(lambda: value(conn, held) == 0)
