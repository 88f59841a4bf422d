"""Hosted look-alikes, whatever the other tests run on."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import psycopg
import pytest

from procrastinate_app.deploy import deploy
from procrastinate_app.local import hosted, postgres

NUMBER = itertools.count()


@pytest.fixture(scope="session")
def platform() -> Iterator[postgres.Server]:
    """A server where supabase_admin is superuser and `postgres` is not."""
    with hosted.start() as server:
        yield server


@pytest.fixture
def new_project(platform: postgres.Server) -> Callable[[], str]:
    """Makes new projects; gives the address for `postgres`."""

    def make() -> str:
        name = f"project_{next(NUMBER)}"
        with psycopg.connect(platform.url(), autocommit=True) as conn:
            conn.execute(f"create database {name}")
        hosted.prepare(platform.url(name))
        return platform.url(name)

    return make


@pytest.fixture(scope="session")
def deployed(platform: postgres.Server) -> str:
    """The address, for `postgres`, of one project with the system in it. Look, do not touch."""
    with psycopg.connect(platform.url(), autocommit=True) as conn:
        conn.execute("create database deployed")
    hosted.prepare(platform.url("deployed"))
    deploy(platform.url("deployed"))
    return platform.url("deployed")
