"""JOB-8: a worker killed at any step of a delivery loses nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.support.callers import Connection
from tests.support.databases import FreshDatabase
from tests.support.events import Client, emit, let_time_pass, value
from tests.support.running import Sandbox, WorkerProcess, until

StartWorker = Callable[..., WorkerProcess]

WAITING = (
    "select count(*) from pg_stat_activity"
    " where datname = current_database() and wait_event_type = 'Lock' and query like %s"
)


@pytest.fixture
def stream_lock(fresh_db: FreshDatabase) -> Callable[[], object]:
    """Keeps the stream's row from being locked, so that the worker's next take or settle waits.

    A table lock: locking the row would take a transaction id, and hold all younger events back."""

    @contextmanager
    def hold() -> Iterator[None]:
        holder = fresh_db.connect()
        with holder.transaction():
            holder.execute("lock table jobs.streams in exclusive mode")
            yield

    return hold


def blocked(conn: Connection, function: str) -> Callable[[], bool]:
    return lambda: value(conn, WAITING, [f'%"{function}"%']) > 0


def gone(conn: Connection) -> Callable[[], bool]:
    """Whether the killed worker's statements are over."""
    query = "select count(*) from pg_stat_activity where application_name = 'hub worker'"
    return lambda: value(conn, query) == 0


def finish(
    conn: Connection, sandbox: Sandbox, start_worker: StartWorker, made: list[int]
) -> list[int]:
    """Let another worker carry on; gives all ids as they arrived."""
    let_time_pass(conn)
    worker = start_worker()
    worker.wait_until(lambda: set(made) <= set(sandbox.accepted_ids()))
    worker.wait_until(
        lambda: value(conn, "select bool_and(closed_at is not null) from jobs.stream_leases")
    )
    worker.wait_until(
        lambda: (
            value(
                conn,
                "select count(*) from procrastinate.procrastinate_jobs"
                " where task_name = 'realtime:deliver_events' and status in ('todo', 'doing')",
            )
            == 0
        )
    )
    client = Client()
    for message in sandbox.accepted():
        client.receive(message)
    assert len(client.applied) == len(set(client.applied))
    assert max(client.shown.values()) == len(made)
    return sandbox.accepted_ids()


def test_before_taking(
    conn: Connection, sandbox: Sandbox, start_worker: StartWorker, stream_lock: Callable
) -> None:
    """JOB-8"""
    worker = start_worker().wait_ready()
    with stream_lock():
        made = emit(conn, 3)
        worker.wait_until(blocked(conn, "take_events"))
        worker.kill()
    until(gone(conn))
    assert finish(conn, sandbox, start_worker, made) == made


def test_after_taking_before_the_provider_has_it(
    conn: Connection, sandbox: Sandbox, start_worker: StartWorker
) -> None:
    """JOB-8"""
    sandbox.fail("hold")
    made = emit(conn, 3)
    worker = start_worker()
    worker.wait_until(sandbox.holds_one)
    worker.kill()
    assert sandbox.accepted() == []
    assert finish(conn, sandbox, start_worker, made) == made


def test_after_the_provider_has_it_before_its_answer(
    conn: Connection, sandbox: Sandbox, start_worker: StartWorker
) -> None:
    """JOB-8: sent twice, applied once."""
    sandbox.fail("hold_after_accept")
    made = emit(conn, 3)
    worker = start_worker()
    worker.wait_until(lambda: sandbox.accepted_ids() == made)
    worker.kill()
    assert finish(conn, sandbox, start_worker, made) == made + made


def test_after_the_answer_before_settling(
    conn: Connection, sandbox: Sandbox, start_worker: StartWorker, stream_lock: Callable
) -> None:
    """JOB-8: sent twice, applied once."""
    sandbox.fail("hold_after_accept")
    made = emit(conn, 3)
    worker = start_worker()
    worker.wait_until(lambda: sandbox.accepted_ids() == made)
    with stream_lock():
        sandbox.release()
        worker.wait_until(blocked(conn, "settle_events"))
        worker.kill()
        # the statement on its way may still be done by the server; end it as a dead machine would
        conn.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'hub worker'"
        )
        until(gone(conn))
    assert finish(conn, sandbox, start_worker, made) == made + made


def test_after_settling(conn: Connection, sandbox: Sandbox, start_worker: StartWorker) -> None:
    """JOB-8: what is settled is not sent again."""
    made = emit(conn, 4)
    [topic] = {row[0] for row in conn.execute("select topic from jobs.outbox")}
    sandbox.fail("hold", topic=f"{topic}-held")
    conn.execute("update jobs.outbox set topic = topic || '-held' where id = any(%s)", [made[2:]])
    worker = start_worker(batch_size="2")
    worker.wait_until(sandbox.holds_one)
    still_out = "select count(*) from jobs.stream_leases where closed_at is null"
    worker.wait_until(lambda: value(conn, still_out) == 1)
    worker.kill()
    assert sandbox.accepted_ids() == made[:2]
    let_time_pass(conn)
    worker = start_worker(batch_size="2")
    worker.wait_until(lambda: set(made) <= set(sandbox.accepted_ids()))
    assert sandbox.accepted_ids() == made


def test_again_and_again_under_load(
    conn: Connection, sandbox: Sandbox, start_worker: StartWorker
) -> None:
    """JOB-8: killed five times somewhere in the middle."""
    made: list[int] = []
    for round_number in range(5):
        worker = start_worker(batch_size="3").wait_ready()
        version = len(made)
        for _ in range(10):
            made += [
                row[0]
                for row in conn.execute(
                    "insert into jobs.outbox (topic, event, payload)"
                    " select 'user:load', 'balance_updated', jsonb_build_object('version', %s + n)"
                    " from generate_series(1, 3) as n returning id",
                    [version],
                )
            ]
            version += 3
        goal = len(set(sandbox.accepted_ids())) + 3 + round_number * 4
        worker.wait_until(lambda goal=goal: len(set(sandbox.accepted_ids())) >= goal)
        worker.kill()
        let_time_pass(conn)
    finish(conn, sandbox, start_worker, made)
    assert set(sandbox.accepted_ids()) == set(made)
