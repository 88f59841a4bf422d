"""One wheel and one installation of it for all these tests."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from procrastinate_app.local import postgres
from tests.packaging.installed import Installed, build, copy_sources, install
from tests.support.databases import make_supabase

NUMBER = itertools.count()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as `make build` builds it: an sdist, and the wheel from that alone."""
    return build(copy_sources(tmp_path_factory.mktemp("sources")))


@pytest.fixture(scope="session")
def installed(wheel: Path) -> Iterator[Installed]:
    """Below /tmp itself: an ordinary user cannot enter pytest's own folders."""
    root = Path(tempfile.mkdtemp(prefix="hub-installed-"))
    yield install(wheel, root)
    shutil.rmtree(root)


@pytest.fixture
def empty_database(server: postgres.Server) -> Iterator[Callable[[], str]]:
    """Makes databases like new Supabase projects; gives their addresses."""
    made: list[str] = []

    def make() -> str:
        made.append(f"packaging_{next(NUMBER)}")
        with psycopg.connect(server.url(), autocommit=True) as conn:
            conn.execute(f"create database {made[-1]}")
        make_supabase(server.url(made[-1]))
        return server.url(made[-1])

    yield make
    with psycopg.connect(server.url(), autocommit=True) as conn:
        for name in made:
            conn.execute(f"drop database if exists {name} with (force)")
