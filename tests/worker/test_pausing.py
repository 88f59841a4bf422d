"""JOB-7: the real worker honours pauses, and takes up again what waited."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.callers import Connection
from tests.support.events import emit, value
from tests.support.running import Sandbox, WorkerProcess

StartWorker = Callable[..., WorkerProcess]

LEFT = "select count(*) from procrastinate.procrastinate_jobs where task_name = 'jobs:purge'"


def pause(conn: Connection, name: str) -> None:
    conn.execute("select * from jobs.pause(%s, 'a test')", [name])


def resume(conn: Connection, name: str) -> None:
    conn.execute("select * from jobs.resume(%s, 'a test')", [name])


def run_one_purge(conn: Connection, worker: WorkerProcess) -> None:
    """Return when a job of another queue has come and gone: the worker works."""
    conn.execute("select jobs.defer('jobs:purge', '{\"timestamp\": 0}')")
    worker.wait_until(lambda: value(conn, LEFT) == 0)


def test_paused_stream_waits_through_restarts_and_drains_on_resume(
    conn: Connection, sandbox: Sandbox, start_worker: StartWorker
) -> None:
    """JOB-7, JOB-8"""
    pause(conn, "stream:realtime")
    first = start_worker().wait_ready()
    made = emit(conn, 5)
    run_one_purge(conn, first)
    first.kill()
    second = start_worker().wait_ready()
    run_one_purge(conn, second)
    assert sandbox.requests() == []
    resume(conn, "stream:realtime")
    second.wait_until(lambda: sandbox.accepted_ids() == made)


def test_pause_while_a_batch_is_carried(
    conn: Connection, sandbox: Sandbox, start_worker: StartWorker
) -> None:
    """JOB-7: what is in hand is settled, the rest waits."""
    sandbox.fail("hold")
    made = emit(conn, 4)
    worker = start_worker(batch_size="2", fetchers="1", concurrency="1")
    worker.wait_until(sandbox.holds_one)
    pause(conn, "realtime")
    sandbox.release()
    worker.wait_until(lambda: sandbox.accepted_ids() == made[:2])
    worker.wait_until(
        lambda: value(conn, "select count(*) from jobs.stream_leases where closed_at is null") == 0
    )
    run_one_purge(conn, worker)
    assert sandbox.accepted_ids() == made[:2]
    resume(conn, "realtime")
    worker.wait_until(lambda: sandbox.accepted_ids() == made)


def test_paused_queue_keeps_its_jobs(conn: Connection, start_worker: StartWorker) -> None:
    """JOB-7: while the others run."""
    pause(conn, "clock")
    conn.execute("select jobs.defer('ledger:expire_holds', '{\"timestamp\": 0}')")
    worker = start_worker().wait_ready()
    run_one_purge(conn, worker)
    waiting = (
        "select count(*) from procrastinate.procrastinate_jobs"
        " where task_name = 'ledger:expire_holds' and args ->> 'timestamp' = '0'"
    )
    assert value(conn, f"{waiting} and status = 'todo'") == 1
    resume(conn, "clock")
    worker.wait_until(lambda: value(conn, waiting) == 0)
