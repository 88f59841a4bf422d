"""Several callers at once, and knowing when one of them waits for another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg

from tests.support.callers import Connection, Refusal, one

PATIENCE_SECONDS = 30.0
POLL_SECONDS = 0.002


def together(actions: Iterable[Callable[[], Any]]) -> list[Any]:
    """Run all actions at the same moment; a database refusal is a result, in the same place.

    Any other failure is raised here.
    """
    todo = list(actions)
    gate = threading.Barrier(len(todo))

    def run(action: Callable[[], Any]) -> Any:
        gate.wait(PATIENCE_SECONDS)
        try:
            return action()
        except psycopg.Error as error:
            return Refusal.of(error)

    with ThreadPoolExecutor(len(todo)) as pool:
        return list(pool.map(run, todo))


def refusals(results: Iterable[object]) -> list[str]:
    """The codes of those results that are refusals, sorted."""
    return sorted(result.code for result in results if isinstance(result, Refusal))


def wait_until_waiting(observer: Connection, *pids: int) -> None:
    """Return as soon as each of these backends waits for a lock."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while one(
        observer,
        "select count(*) from pg_stat_activity where pid = any (%s) and wait_event_type = 'Lock'",
        [list(pids)],
    ) != len(pids):
        assert time.monotonic() < deadline, f"{pids} do not wait for a lock"
        time.sleep(POLL_SECONDS)


def wait_until_any_waits(observer: Connection) -> None:
    """Return as soon as some backend of the observer's database waits for a lock."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not one(
        observer,
        "select count(*) from pg_stat_activity"
        " where datname = current_database() and wait_event_type = 'Lock'",
    ):
        assert time.monotonic() < deadline, "nobody waits for a lock"
        time.sleep(POLL_SECONDS)


def wait_until_gone(observer: Connection, pid: int) -> None:
    """Return as soon as a backend that was ended has left."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while one(observer, "select count(*) from pg_stat_activity where pid = %s", [pid]):
        assert time.monotonic() < deadline, f"{pid} does not end"
        time.sleep(POLL_SECONDS)
