"""A database of its own per test: only committed rows are sealed."""

from __future__ import annotations

import pytest

from tests.support.callers import Connection
from tests.support.databases import FreshDatabase


@pytest.fixture
def conn(fresh_db: FreshDatabase) -> Connection:
    """The owner's connection, which commits every statement."""
    return fresh_db.connect()
