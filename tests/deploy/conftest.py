"""Databases to deploy into, and a small project to deploy."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from procrastinate_app.local import postgres
from tests.deploy.project import FILES, Connection, Project
from tests.support.databases import make_supabase

NUMBER = itertools.count()


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    project = Project(tmp_path / "project")
    for path, text in FILES.items():
        project.write(path, text)
    return project


@pytest.fixture(scope="session")
def supabase_template(server: postgres.Server) -> str:
    """A database that looks like a new Supabase project."""
    name = "supabase_template"
    with psycopg.connect(server.url(), autocommit=True) as conn:
        conn.execute(f"create database {name}")
    make_supabase(server.url(name))
    return name


@pytest.fixture
def new_database(server: postgres.Server, supabase_template: str) -> Iterator[Callable[[], str]]:
    """Makes databases like new Supabase projects; gives their names."""
    made: list[str] = []

    def make() -> str:
        made.append(f"deploy_{next(NUMBER)}")
        with psycopg.connect(server.url(), autocommit=True) as conn:
            conn.execute(f"create database {made[-1]} template {supabase_template}")
        return made[-1]

    yield make
    with psycopg.connect(server.url(), autocommit=True) as conn:
        for name in made:
            conn.execute(f"drop database if exists {name} with (force)")


@pytest.fixture
def url(server: postgres.Server, new_database: Callable[[], str]) -> str:
    """A new database to deploy into."""
    return server.url(new_database())


@pytest.fixture
def conn(url: str) -> Iterator[Connection]:
    """A second look at the same database, as owner."""
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection
