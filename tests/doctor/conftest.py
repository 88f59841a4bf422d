"""A deployed database of the test's own, and what the doctor finds in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from procrastinate_app.doctor import Finding, Level, examine
from tests.support.callers import Connection
from tests.support.databases import FreshDatabase
from tests.support.running import KEY

Diagnose = Callable[..., list[Finding]]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A worker's, on a test machine."""
    monkeypatch.setenv("HUB_ENVIRONMENT", "test")
    monkeypatch.setenv("HUB_SUPABASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("HUB_SECRET_KEY", KEY)
    return monkeypatch


@pytest.fixture
def conn(fresh_db: FreshDatabase) -> Connection:
    return fresh_db.connect()


@pytest.fixture
def diagnose(fresh_db: FreshDatabase) -> Diagnose:
    """The findings worse than a note; of one check where it is named."""

    def ask(
        check: str | None = None,
        *,
        least: Level = Level.WARNING,
        url: str | None = None,
        **options: Any,
    ) -> list[Finding]:
        return [
            found
            for found in examine(url or fresh_db.url, **options)
            if found.level >= least and check in (None, found.check)
        ]

    return ask
