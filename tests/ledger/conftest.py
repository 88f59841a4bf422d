"""Two people with money."""

from __future__ import annotations

import pytest

from tests.support.books import Books, make_books
from tests.support.callers import Connection


@pytest.fixture
def books(db: Connection) -> Books:
    """Ama with 1000 USD and Kofi with nothing."""
    return make_books(db)
