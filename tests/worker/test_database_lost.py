"""JOB-8: the worker outlives its database, and nothing is lost with it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest

from procrastinate_app.deploy import deploy
from procrastinate_app.local import postgres, shim
from tests.support.events import Client, emit, tune_stream, value
from tests.support.running import Sandbox, WorkerProcess

StartWorker = Callable[..., WorkerProcess]

# what a lost connection leaves behind is found soon
SOON = {
    "realtime_timeout": "2",
    "auth_timeout": "2",
    "lease": "3",
    "heartbeat_interval": "0.5",
    "stalled_after": "3",
    "batch_size": "5",
}


@pytest.fixture(scope="module")
def own_server() -> Iterator[postgres.Server]:
    """A server that may be restarted, which keeps what it has confirmed."""
    with postgres.start(settings={"synchronous_commit": "on"}) as running:
        with psycopg.connect(running.url()) as conn:
            shim.apply(conn)
        deploy(running.url(), report=lambda _: None)
        yield running


class Load:
    """Appends events until told to stop; knows those whose commit was confirmed."""

    def __init__(self, url: str) -> None:
        self.confirmed: list[int] = []
        self._url = url
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._version = 0

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._enough.is_set():
            try:
                with psycopg.connect(self._url, autocommit=True) as conn:
                    while not self._enough.wait(0.002):
                        self._version += 1
                        self.confirmed.append(self._emit(conn))
            except psycopg.OperationalError:
                continue

    def _emit(self, conn: psycopg.Connection) -> int:
        [row] = conn.execute(
            "insert into jobs.outbox (topic, event, payload) values"
            " ('user:load', 'balance_updated', jsonb_build_object('version', %s::int))"
            " returning id",
            [self._version],
        )
        return int(row[0])


@pytest.mark.parametrize("how", ["fast", "crash"])
def test_postgres_restarted_under_load(
    own_server: postgres.Server, workers: StartWorker, sandbox: Sandbox, how: str
) -> None:
    """JOB-8"""
    with psycopg.connect(own_server.url(), autocommit=True) as conn:
        tune_stream(conn, backoff_base="50 ms", backoff_cap="200 ms")
    worker = workers(own_server.url(), **SOON).wait_ready()
    with Load(own_server.url()) as load:
        for _ in range(2):
            seen = len(sandbox.accepted())
            worker.wait_until(lambda seen=seen: len(sandbox.accepted()) > seen + 20)
            if how == "crash":
                own_server.crash()
                worker.wait_until(lambda: worker.get("/readyz")[0] == 503)
                assert worker.get("/healthz")[0] == 200
                assert "hub_database_up 0" in worker.get("/metrics")[1]
            own_server.restart()
            worker.wait_ready()
            worker.wait_until(
                lambda load=load: set(load.confirmed[:-50]) <= set(sandbox.accepted_ids())
            )
    worker.wait_until(lambda: set(load.confirmed) <= set(sandbox.accepted_ids()))
    client = Client()
    for message in sandbox.accepted():
        client.receive(message)
    assert len(client.applied) == len(set(client.applied))
    with psycopg.connect(own_server.url(), autocommit=True) as conn:
        assert value(conn, "select count(*) from jobs.dead_letters") == 0
        worker.wait_until(
            lambda: (
                value(
                    conn,
                    "select count(*) from procrastinate.procrastinate_jobs where status = 'doing'",
                )
                == 0
            )
        )
    worker.terminate()
    assert worker.wait() == 0


def test_connections_cut_one_by_one(
    own_server: postgres.Server, workers: StartWorker, sandbox: Sandbox
) -> None:
    """JOB-8: as a firewall or a failing proxy would."""
    worker = workers(own_server.url(), **SOON).wait_ready()
    with psycopg.connect(own_server.url(), autocommit=True) as conn:
        for _ in range(5):
            made = emit(conn, 10)
            conn.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where application_name = 'hub worker'"
            )
            worker.wait_until(lambda made=made: set(made) <= set(sandbox.accepted_ids()))
        worker.wait_ready()


def test_worker_started_before_its_database(
    own_server: postgres.Server, workers: StartWorker, sandbox: Sandbox
) -> None:
    """OPS-1: it waits, and says so."""
    own_server.crash()
    worker = workers(own_server.url())
    try:
        worker.wait_until(lambda: worker.said("database away"))
        assert worker.get("/readyz")[0] == 503
    finally:
        own_server.restart()
    worker.wait_ready()
