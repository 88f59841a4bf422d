"""OPS-1: lines said for every batch can be thinned; warnings and errors never are."""

from __future__ import annotations

import io
import itertools
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from pydantic import ValidationError

from procrastinate_app.logging import configure, dropped_lines
from procrastinate_app.settings import Settings
from tests.support.callers import Connection
from tests.support.events import emit
from tests.support.running import KEY, Sandbox, WorkerProcess

StartWorker = Callable[..., WorkerProcess]


Begin = Callable[..., io.StringIO]


@pytest.fixture
def begin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Begin]:
    """Starts our logging, with rates; gives what it writes. The test run's own is put back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def start(rates: dict[str, float] | None = None) -> io.StringIO:
        written = io.StringIO()
        monkeypatch.setattr("sys.stdout", written)
        configure("info", rates)
        return written

    yield start
    configure("info")
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def said(output: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("rate", "kept"),
    [(1, list(range(8))), (0.5, [0, 2, 4, 6]), (0.25, [0, 4]), (0.1, [0]), (0, [])],
)
def test_a_share_of_the_lines_passes_evenly(begin: Begin, rate: float, kept: list[int]) -> None:
    """OPS-1: the first, then every so manyth, each telling how many it stands for."""
    output = begin({"batch settled": rate})
    log = structlog.get_logger("x")
    for number in range(8):
        log.info("batch settled", number=number)
    lines = said(output)
    assert [line["number"] for line in lines] == kept
    between = [after - before - 1 for before, after in itertools.pairwise(kept)]
    assert [line.get("dropped", 0) for line in lines[1:]] == between
    assert dropped_lines() == {"batch settled": 8 - len(kept)}


def test_a_small_rate_keeps_its_share_exactly(begin: Begin) -> None:
    output = begin({"e": 0.001})
    log = structlog.get_logger("x")
    for _ in range(10_000):
        log.info("e")
    assert len(said(output)) == 10
    assert dropped_lines() == {"e": 9_990}


def test_warnings_errors_and_other_events_always_pass(begin: Begin) -> None:
    """OPS-1"""
    output = begin({"batch settled": 0})
    log = structlog.get_logger("x")
    log.info("batch settled")
    log.warning("batch settled")
    log.error("batch settled")
    log.info("stopping")
    logging.getLogger("some.library").warning("batch settled")
    assert [(line["event"], line["level"]) for line in said(output)] == [
        ("batch settled", "warning"),
        ("batch settled", "error"),
        ("stopping", "info"),
        ("batch settled", "warning"),
    ]


def test_nothing_is_sampled_unless_said(begin: Begin) -> None:
    output = begin()
    for _ in range(3):
        structlog.get_logger("x").info("batch settled")
    assert len(said(output)) == 3
    assert dropped_lines() == {}


@pytest.mark.parametrize("rate", [-0.1, 1.1, "often"])
def test_an_absurd_rate_refuses_to_start(rate: Any) -> None:
    with pytest.raises(ValidationError, match="log_sample"):
        Settings(
            environment="test",
            database_url="postgresql://postgres@127.0.0.1/x",
            supabase_url="http://127.0.0.1",
            secret_key=KEY,
            log_sample={"batch settled": rate},
        )


def test_the_worker_thins_delivered_batches_and_keeps_failed_ones(
    conn: Connection, sandbox: Sandbox, start_worker: StartWorker
) -> None:
    """OPS-1, OPS-2: what is left out is counted, in /metrics and at the end."""
    sandbox.fail("500", times=2)
    worker = start_worker(
        log_sample='{"batch settled": 0}', batch_size="1", fetchers="1", concurrency="1"
    )
    made = emit(conn, 5)
    worker.wait_until(lambda: set(made) <= set(sandbox.accepted_ids()))
    counted = 'hub_log_lines_dropped_total{event="batch settled"} 5.0'
    worker.wait_until(lambda: counted in worker.get("/metrics")[1])
    worker.terminate()
    assert worker.wait() == 0
    assert [(line["level"], line["outcome"]) for line in worker.said("batch settled")] == [
        ("warning", "retry"),
        ("warning", "retry"),
    ]
    [last] = worker.said("log lines dropped")
    assert last["events"] == {"batch settled": 5}
