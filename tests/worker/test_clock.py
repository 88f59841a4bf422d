"""JOB-6, JOB-8: a worker whose clock is two minutes off works on, and is not taken for dead.

Leases, heartbeats and due times are the database's: the worker's own clock decides none of them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.callers import Connection
from tests.support.clock import shifted_clock
from tests.support.databases import FreshDatabase
from tests.support.events import emit, value
from tests.support.running import Sandbox, WorkerProcess

# procrastinate_workers belongs to procrastinate; JOB-6 rescues by its heartbeats
FRESHEST = """
select abs(extract(epoch from now() - max(last_heartbeat))) < 30
from procrastinate.procrastinate_workers
"""
RESCUED = "select count(*) from jobs.attempts where outcome = 'stalled'"


@pytest.mark.parametrize("seconds", [120, -120])
def test_worker_two_minutes_off_delivers_and_lives(
    seconds: int,
    fresh_db: FreshDatabase,
    conn: Connection,
    sandbox: Sandbox,
    workers: Callable[..., WorkerProcess],
    tmp_path: Path,
) -> None:
    """It delivers at once, and so does what comes while it runs; its heartbeats are fresh."""
    program = [sys.executable, "-m", "procrastinate_app", "worker"]
    first = emit(conn, 3)

    worker = workers(fresh_db.url, command=[*shifted_clock(tmp_path, seconds), *program])
    worker.wait_until(lambda: set(first) <= set(sandbox.accepted_ids()))
    second = emit(conn, 3)
    worker.wait_until(lambda: set(second) <= set(sandbox.accepted_ids()))

    worker.wait_until(lambda: value(conn, FRESHEST))
    assert value(conn, RESCUED) == 0
    assert sandbox.accepted_ids() == [*first, *second]


@pytest.mark.parametrize("seconds", [120, -120])
def test_a_wait_that_a_provider_asks_for_is_by_the_databases_clock(
    seconds: int,
    fresh_db: FreshDatabase,
    conn: Connection,
    sandbox: Sandbox,
    workers: Callable[..., WorkerProcess],
    tmp_path: Path,
) -> None:
    """JOB-5: neither two minutes late nor too early."""
    sandbox.fail(kind="429", seconds=2)
    events = emit(conn, 1)

    program = [sys.executable, "-m", "procrastinate_app", "worker"]
    worker = workers(fresh_db.url, command=[*shifted_clock(tmp_path, seconds), *program])
    sleeps = "select extract(epoch from max(paused_until) - clock_timestamp()) from jobs.streams"
    worker.wait_until(lambda: value(conn, sleeps) is not None)
    assert 0 < value(conn, sleeps) <= 2
    worker.wait_until(lambda: sandbox.accepted_ids() == events)
