"""A pytest plugin: repeats each test in turn with the others and writes what each one took."""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--turns", type=int, default=1)
    parser.addoption("--timings", type=Path)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "turn" in metafunc.fixturenames:
        metafunc.parametrize("turn", range(metafunc.config.getoption("--turns")))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Turn by turn, not test by test; every other turn the other way round."""

    def place(item: pytest.Item) -> tuple[int, int]:
        name, turn = _which(item)
        nth = ("test_none", "test_rolled_back", "test_clean").index(name)
        return turn, nth if turn % 2 else -nth

    items.sort(key=place)


TAKEN: list[tuple[str, int, float]] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Set-up, call and tear-down together, in milliseconds."""
    started = time.perf_counter()
    done = yield
    TAKEN.append((*_which(item), (time.perf_counter() - started) * 1000))
    return done


def _which(item: pytest.Item) -> tuple[str, int]:
    assert isinstance(item, pytest.Function)
    turn = item.callspec.params["turn"]
    assert isinstance(turn, int)
    return item.originalname, turn


def pytest_sessionfinish(session: pytest.Session) -> None:
    path = session.config.getoption("--timings")
    if path:
        path.write_text(json.dumps(TAKEN))
