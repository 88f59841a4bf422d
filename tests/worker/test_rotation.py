"""APP-7: the provider's key is changed under load, and nothing is refused, lost or given up."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.callers import Connection
from tests.support.events import emit, value
from tests.support.running import KEY, Sandbox, WorkerProcess

StartWorker = Callable[..., WorkerProcess]

NEW = "sb_secret_sandbox_the_next_one_0123456789"
NEWER = "sb_secret_sandbox_the_one_after_0123456789"


@pytest.fixture(autouse=True)
def _old_key_afterwards(sandbox: Sandbox) -> Iterator[None]:
    yield
    sandbox.know(KEY)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return write(tmp_path / "keys", KEY)


def write(path: Path, *keys: str) -> Path:
    """Replace the file as systemd, Kubernetes and careful people do: in one step."""
    fresh = path.with_suffix(".new")
    fresh.write_text("".join(f"{key}\n" for key in keys))
    fresh.replace(path)
    return path


class Load:
    """Events in small batches, and whether all arrived."""

    def __init__(self, conn: Connection, sandbox: Sandbox, worker: WorkerProcess) -> None:
        self.conn, self.sandbox, self.worker = conn, sandbox, worker
        self.made: list[int] = []

    def deliver(self, rounds: int = 5) -> None:
        for _ in range(rounds):
            self.made += emit(self.conn, 20)
            self.worker.wait_until(lambda: set(self.made) <= set(self.sandbox.accepted_ids()))

    def nothing_failed(self) -> bool:
        return (
            value(self.conn, "select count(*) from jobs.dead_letters") == 0
            and value(self.conn, "select count(*) from jobs.attempts") == 0
            and value(self.conn, "select count(*) from jobs.outbox_retries") == 0
            and value(self.conn, "select outages from jobs.streams") == 0
        )


@pytest.fixture
def load(conn: Connection, sandbox: Sandbox, start_worker: StartWorker, key_file: Path) -> Load:
    worker = start_worker(
        secret_key="", secret_key_file=str(key_file), batch_size="5", log_level="debug"
    )
    return Load(conn, sandbox, worker.wait_ready())


def test_a_key_is_changed_while_events_are_carried(load: Load, key_file: Path) -> None:
    """APP-7: the file first, the provider next, the old key last; no try counts as failed."""
    load.deliver()
    write(key_file, NEW, KEY)
    load.deliver()
    load.sandbox.know(KEY, NEW)
    load.deliver()
    load.sandbox.know(NEW)
    load.deliver()
    write(key_file, NEW)
    load.deliver()
    assert load.nothing_failed()
    assert sorted(load.sandbox.accepted_ids()) == sorted(load.made)
    text = load.worker.output()
    assert [key for key in (KEY, NEW) if key in text] == []


def test_a_key_the_provider_changed_first_is_found_in_the_file(load: Load, key_file: Path) -> None:
    """APP-7: refused with all it knows, the worker reads the file again within the same try."""
    load.deliver(1)
    write(key_file, NEWER, KEY)
    load.sandbox.know(NEWER)
    load.deliver()
    assert load.nothing_failed()


def test_a_file_that_is_empty_or_gone_for_a_moment_changes_nothing(
    load: Load, key_file: Path
) -> None:
    """APP-7: the keys in hand are used on."""
    load.deliver(1)
    key_file.write_text("")
    load.deliver(1)
    key_file.unlink()
    load.deliver(1)
    write(key_file, NEW, KEY)
    load.deliver(1)
    assert load.nothing_failed()


def test_while_no_key_is_right_events_wait(load: Load, key_file: Path) -> None:
    """APP-7, JOB-5: refused keys cost no event an attempt; the right one mends it unasked."""
    load.deliver(1)
    load.sandbox.know(NEW)
    load.made += emit(load.conn, 3)
    load.worker.wait_until(lambda: value(load.conn, "select outages > 2 from jobs.streams"))
    assert value(load.conn, "select coalesce(max(attempts), 0) from jobs.outbox_retries") == 0
    write(key_file, NEW)
    load.deliver(1)
    assert value(load.conn, "select count(*) from jobs.dead_letters") == 0


def test_the_workers_key_shows_nowhere(
    conn: Connection, sandbox: Sandbox, start_worker: StartWorker, key_file: Path
) -> None:
    """APP-7, R48: one that looks like nothing a filter knows, refused and then accepted, at the
    finest log level; in no log line, metric, job, attempt or any other row."""
    nameless = f"{uuid4().hex}{uuid4().hex}"
    sandbox.know(nameless)
    write(key_file, nameless + "x")
    worker = start_worker(
        secret_key="", secret_key_file=str(key_file), log_level="debug", environment="production"
    )
    load = Load(conn, sandbox, worker.wait_ready())
    load.made += emit(conn, 3)
    worker.wait_until(lambda: value(conn, "select outages > 1 from jobs.streams"))
    write(key_file, nameless)
    load.deliver(1)
    assert nameless not in worker.output() + worker.get("/metrics")[1]
    assert nameless not in json.dumps(sandbox.requests())
    tables = conn.execute(
        "select c.oid::regclass::text from pg_class as c"
        " where c.relkind = 'r' and c.relnamespace <> 'information_schema'::regnamespace"
    ).fetchall()
    assert len(tables) > 50
    for (table,) in tables:
        found = f"select coalesce(string_agg(t::text, '|'), '') from {table} as t"
        assert nameless not in value(conn, found), table
