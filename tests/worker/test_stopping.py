"""OPS-1, JOB-8: SIGTERM finishes what runs; a second one does not wait."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.callers import Connection
from tests.support.events import emit, let_time_pass, tune_stream, value
from tests.support.running import Sandbox, WorkerProcess

StartWorker = Callable[..., WorkerProcess]


def test_sigterm_finishes_the_running_batch(
    conn: Connection, sandbox: Sandbox, start_worker: StartWorker
) -> None:
    tune_stream(conn, lanes=1)
    sandbox.fail("hold")
    made = emit(conn, 4)
    worker = start_worker(fetchers="1", concurrency="1", batch_size="2")
    worker.wait_until(sandbox.holds_one)
    worker.terminate()
    worker.wait_until(lambda: worker.said("stopping"))
    assert worker.get("/readyz")[0] == 503
    sandbox.release()
    assert worker.wait() == 0
    assert sandbox.accepted_ids() == made[:2]
    assert conn.execute("select outcome, delivered from jobs.stream_leases").fetchall() == [
        ("delivered", 2)
    ]
    assert value(conn, "select count(*) from procrastinate.procrastinate_workers") == 0
    assert worker.said("stopped")


def test_idle_worker_stops(start_worker: StartWorker) -> None:
    worker = start_worker().wait_ready()
    worker.terminate()
    assert worker.wait() == 0


def test_worker_told_to_stop_while_its_fetchers_connect_stops(start_worker: StartWorker) -> None:
    """A cancellation in that moment was once swallowed, and the worker stayed for ever."""
    for _ in range(3):
        worker = start_worker()
        worker.wait_until(lambda worker=worker: worker.said("working"))
        worker.terminate()
        assert worker.wait() == 0


def test_second_signal_ends_at_once_and_loses_nothing(
    conn: Connection, sandbox: Sandbox, start_worker: StartWorker
) -> None:
    """JOB-8"""
    sandbox.fail("hold")
    made = emit(conn, 2)
    worker = start_worker()
    worker.wait_until(sandbox.holds_one)
    worker.terminate()
    worker.wait_until(lambda: worker.said("stopping"))
    worker.terminate()
    assert worker.wait() == 1
    assert sandbox.holds_one()
    let_time_pass(conn)
    start_worker().wait_until(lambda: sandbox.accepted_ids() == made)


def test_batch_that_outlasts_the_grace_is_abandoned_and_sent_again(
    conn: Connection, sandbox: Sandbox, start_worker: StartWorker
) -> None:
    """JOB-8: at once by the next worker, not when the lease runs out."""
    sandbox.fail("hold")
    made = emit(conn, 2)
    worker = start_worker(lease="3600", shutdown_graceful_timeout="0.1")
    worker.wait_until(sandbox.holds_one)
    worker.terminate()
    assert worker.wait() == 0
    assert value(conn, "select outcome from jobs.stream_leases") == "abandoned"
    start_worker().wait_until(lambda: sandbox.accepted_ids() == made)
