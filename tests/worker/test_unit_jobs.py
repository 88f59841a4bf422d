"""JOB-5, JOB-6: unit jobs in the real worker."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.callers import Connection
from tests.support.databases import FreshDatabase
from tests.support.events import let_time_pass, value
from tests.support.running import WorkerProcess, until

StartWorker = Callable[..., WorkerProcess]

SCRIPT = Path(__file__).with_name("unit_tasks.py")
DEAD = "select task, reason, attempts, error_class from jobs.dead_letters"


@pytest.fixture
def start_worker(
    fresh_db: FreshDatabase, conn: Connection, workers: StartWorker
) -> Callable[[], WorkerProcess]:
    """Starts workers that know the test's tasks, as does the database."""
    conn.execute(
        "create or replace function jobs.task_catalog() returns table (task text, queue text,"
        " priority integer, arguments text[], max_attempts integer, description text)"
        " language sql immutable set search_path = '' as $$"
        " select t, 'test', 50, array['number'], 2, ''"
        " from unnest(array['test:kill', 'test:fail', 'test:refuse', 'test:count']) as t $$"
    )
    conn.execute(
        "update jobs.settings set backoff_base = '50 ms', backoff_cap = '50 ms' where true"
    )
    return lambda: workers(fresh_db.url, command=[sys.executable, str(SCRIPT)])


def defer(conn: Connection, task: str, number: int = 1) -> int:
    return int(
        value(conn, "select jobs.defer(%s, jsonb_build_object('number', %s))", [task, number])
    )


def test_job_that_kills_its_workers_is_given_up(
    conn: Connection, start_worker: StartWorker
) -> None:
    """JOB-6: and the next worker lives."""
    defer(conn, "test:kill")
    for _ in range(3):
        worker = start_worker()
        until(lambda worker=worker: worker.process.poll() is not None, worker.output)
        let_time_pass(conn)
    worker = start_worker()
    # a periodic job that was in the same hands three times is given up with it
    given_up = worker.wait_until(
        lambda: [row for row in conn.execute(DEAD).fetchall() if row[0].startswith("test:")]
    )
    assert given_up == [("test:kill", "killed_workers", 3, "WorkerLost")]
    defer(conn, "test:count", 42)
    worker.wait_until(lambda: "counted 42" in worker.output())


def test_failing_job_is_tried_again_and_given_up(
    conn: Connection, start_worker: StartWorker
) -> None:
    """JOB-5"""
    job_id = defer(conn, "test:fail")
    worker = start_worker()
    worker.wait_until(lambda: conn.execute(DEAD).fetchall())
    assert conn.execute(DEAD).fetchall() == [("test:fail", "exhausted", 2, "ValueError")]
    attempts = conn.execute(
        "select job_id, outcome, error_message, error_trace like 'unit_tasks.py:%% fail < %%'"
        " from jobs.attempts"
    ).fetchall()
    assert attempts == [(job_id, "failed", "number 1 with [hidden] and user:hush@host", True)] * 2
    until(lambda: status(conn, job_id) == "failed")


def test_rejected_job_is_given_up_at_once(conn: Connection, start_worker: StartWorker) -> None:
    """JOB-4"""
    defer(conn, "test:refuse")
    worker = start_worker()
    worker.wait_until(lambda: conn.execute(DEAD).fetchall())
    assert conn.execute(DEAD).fetchall() == [("test:refuse", "rejected", 1, "Gone")]


def test_redriven_job_runs(conn: Connection, start_worker: StartWorker) -> None:
    """JOB-6"""
    conn.execute(
        "insert into jobs.dead_letters (job_id, task, args, reason, attempts)"
        " values (0, 'test:count', '{\"number\": 7}', 'exhausted', 2)"
    )
    conn.execute("select * from jobs.redrive_dead_letters(p_reason => 'x', p_dry_run => false)")
    worker = start_worker()
    worker.wait_until(lambda: "counted 7" in worker.output())


def test_finished_jobs_leave_no_row(conn: Connection, start_worker: StartWorker) -> None:
    for number in range(20):
        defer(conn, "test:count", number)
    worker = start_worker()
    worker.wait_until(lambda: worker.output().count("counted") == 20)
    left = "select count(*) from procrastinate.procrastinate_jobs where queue_name = 'test'"
    until(lambda: value(conn, left) == 0)


def status(conn: Connection, job_id: int) -> str:
    query = "select status::text from procrastinate.procrastinate_jobs where id = %s"
    return str(value(conn, query, [job_id]))
