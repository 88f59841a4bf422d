"""OPS-5: what the worker tells systemd."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.callers import Connection
from tests.support.databases import FreshDatabase
from tests.support.events import emit, tune_stream
from tests.support.running import PATIENCE, Sandbox, WorkerProcess

StartWorker = Callable[..., WorkerProcess]

SCRIPT = Path(__file__).with_name("blocking_tasks.py")
QUIET_SECONDS = 1.0  # twenty times what the watchdog asks for


class Systemd:
    """The socket a service manager listens on."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))

    def close(self) -> None:
        self._socket.close()

    def hear(self, seconds: float = PATIENCE) -> list[str]:
        """The states of the next message; none when there is none for so long."""
        self._socket.settimeout(seconds)
        try:
            return self._socket.recv(4096).decode().splitlines()
        except TimeoutError:
            return []

    def forget(self) -> None:
        """Drop what was said so far."""
        self._socket.setblocking(False)
        try:
            while True:
                self._socket.recv(4096)
        except BlockingIOError:
            return

    def hear_until(self, state: str) -> list[str]:
        """All states up to the message with this one."""
        heard: list[str] = []
        while state not in heard:
            message = self.hear()
            assert message, f"{state} never came, only {heard}"
            heard += message
        return heard


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    """Asks for a sign of life every 50 ms."""
    listening = Systemd(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "50000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    yield listening
    listening.close()


def test_ready_alive_stopping(systemd: Systemd, start_worker: StartWorker) -> None:
    worker = start_worker()
    heard = systemd.hear_until("READY=1")
    assert "STATUS=waiting for the database" in heard
    systemd.hear_until("WATCHDOG=1")
    worker.terminate()
    systemd.hear_until("STOPPING=1")
    assert worker.wait() == 0


def test_alive_until_the_last_job_is_done(
    systemd: Systemd, conn: Connection, sandbox: Sandbox, start_worker: StartWorker
) -> None:
    """Finishing what runs may take long: that is no reason to be killed."""
    tune_stream(conn, lanes=1)
    sandbox.fail("hold")
    emit(conn, 1)
    worker = start_worker()
    worker.wait_until(sandbox.holds_one)
    worker.terminate()
    systemd.hear_until("STOPPING=1")
    systemd.forget()
    systemd.hear_until("WATCHDOG=1")
    sandbox.release()
    assert worker.wait() == 0


def test_refusing_worker_is_never_ready(
    systemd: Systemd, conn: Connection, start_worker: StartWorker
) -> None:
    conn.execute("delete from supabase_migrations.schema_migrations where true")
    assert start_worker().wait() == 78
    heard: list[str] = []
    while message := systemd.hear(0.1):
        heard += message
    assert "READY=1" not in heard
    assert "STATUS=waiting for the database" in heard


def test_starting_worker_asks_for_time_while_the_database_is_away(
    systemd: Systemd, workers: StartWorker
) -> None:
    """Or systemd would end it before Postgres is up."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        workers(f"postgresql://u@127.0.0.1:{free.getsockname()[1]}/x")
        for _ in range(3):
            assert "EXTEND_TIMEOUT_USEC=60000000" in systemd.hear_until(
                "STATUS=waiting for the database"
            )


def test_blocked_event_loop_stops_the_signs_of_life(
    systemd: Systemd,
    fresh_db: FreshDatabase,
    conn: Connection,
    workers: StartWorker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So that systemd restarts it."""
    released = tmp_path / "released"
    monkeypatch.setenv("RELEASED", str(released))
    conn.execute(
        "insert into procrastinate.procrastinate_jobs (queue_name, task_name, args)"
        " values ('test', 'test:block', '{\"number\": 1}')"
    )
    worker = workers(fresh_db.url, command=[sys.executable, str(SCRIPT)])
    worker.wait_until(lambda: "blocked" in worker.output())
    systemd.forget()
    assert systemd.hear(QUIET_SECONDS) == []
    released.touch()
    systemd.hear_until("WATCHDOG=1")


def test_nobody_asked_nobody_is_told(
    start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC"):
        monkeypatch.delenv(name, raising=False)
    worker = start_worker().wait_ready()
    worker.terminate()
    assert worker.wait() == 0


def test_watchdog_of_another_process_is_not_fed(
    systemd: Systemd, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """WATCHDOG_PID names whom it is for."""
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    start_worker()
    assert "WATCHDOG=1" not in systemd.hear_until("READY=1")
    assert systemd.hear(QUIET_SECONDS) == []
