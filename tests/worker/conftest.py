"""The real worker against a database of its own and the sandbox of the run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from procrastinate_app.local.tether import end_with_parent
from tests.support.callers import Connection
from tests.support.databases import FreshDatabase
from tests.support.events import tune_stream
from tests.support.running import KEY, QUICK, Sandbox, WorkerProcess

StartWorker = Callable[..., WorkerProcess]


@pytest.fixture(scope="session")
def sandbox_process() -> Iterator[Sandbox]:
    command = [sys.executable, "-m", "procrastinate_app.local.sandbox", "--key", KEY]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, preexec_fn=partial(end_with_parent, os.getpid())
    ) as process:
        assert process.stdout is not None
        yield Sandbox(json.loads(process.stdout.readline())["url"])
        process.kill()


@pytest.fixture
def sandbox(sandbox_process: Sandbox) -> Iterator[Sandbox]:
    """Realtime, having seen nothing."""
    sandbox_process.forget()
    yield sandbox_process
    sandbox_process.forget()


@pytest.fixture
def workers(sandbox: Sandbox, tmp_path: Path) -> Iterator[Callable[..., WorkerProcess]]:
    """Starts workers on any database; what is left of them is killed in the end."""
    started: list[WorkerProcess] = []

    def start(database_url: str, *, command: Any = None, **env: str) -> WorkerProcess:
        given = {
            **QUICK,
            "HUB_DATABASE_URL": database_url,
            "HUB_SUPABASE_URL": sandbox.url,
            "HUB_SECRET_KEY": KEY,
            **{f"HUB_{name.upper()}": text for name, text in env.items()},
        }
        worker = WorkerProcess(given, tmp_path, *([tuple(command)] if command else []))
        started.append(worker)
        return worker

    yield start
    for worker in started:
        worker.kill()


@pytest.fixture
def conn(fresh_db: FreshDatabase) -> Connection:
    """The owner's connection to the worker's database, whose stream backs off only shortly."""
    made = fresh_db.connect()
    tune_stream(made, backoff_base="50 ms", backoff_cap="200 ms", split_after=3)
    return made


@pytest.fixture
def start_worker(
    fresh_db: FreshDatabase, conn: Connection, workers: StartWorker
) -> Callable[..., WorkerProcess]:
    """Starts workers on the test's database."""

    def start(**env: str) -> WorkerProcess:
        return workers(fresh_db.url, **env)

    return start
