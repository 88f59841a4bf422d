"""The world that the attacks happen in."""

from __future__ import annotations

import pytest

from tests.support.callers import Connection
from tests.support.world import World, make_world


@pytest.fixture
def world(db: Connection) -> World:
    return make_world(db)
