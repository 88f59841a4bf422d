"""One server for the run, one template that holds the deployed system, and databases made of it.

`db` is for one connection and is rolled back; `fresh_db` is a clone, for concurrency, the worker
and the API. Plain helpers that work with both live in tests/support.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from pytest_postgresql import factories
from pytest_postgresql.executors import NoopExecutor

from procrastinate_app.local import hosted, postgres
from tests.support.databases import HOSTED, Cluster, Connection, FreshDatabase, load_system

# These bring servers of their own, or need none; or are about what plain Postgres has instead of
# the platform's roles and Vault, for which there is tests/hosted; or need a superuser.
collect_ignore = (
    [
        *("benchmarks", "demo", "examples", "local", "monitoring", "packaging"),
        *("secrets", "security/test_access.py", "deploy/test_doors_page.py"),
        "deploy/test_plan_locks.py",
    ]
    if HOSTED
    else []
)


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Server]:
    """A running server, one per test process."""
    with hosted.start() if HOSTED else postgres.start() as running:
        yield running


@pytest.fixture(scope="session")
def cluster(server: postgres.Server) -> Iterator[Cluster]:
    """The server as pytest-postgresql wants it, with one connection that makes databases."""
    with psycopg.connect(server.url(), autocommit=True) as admin:
        yield Cluster(server=server, admin=admin)


system = factories.postgresql_noproc(dbname="system", load=[load_system], depends_on="cluster")


@pytest.fixture(scope="session")
def deployed_template(system: NoopExecutor) -> str:
    """The name of a database with the whole system in it; clone it, do not write to it."""
    return system.template_dbname


@pytest.fixture(scope="session")
def shared_db(cluster: Cluster, deployed_template: str) -> Iterator[Connection]:
    """The connection behind `db`: everything on it is rolled back."""
    with (
        FreshDatabase.clone(cluster, deployed_template) as database,
        database.connect(autocommit=False) as conn,
    ):
        yield conn


@pytest.fixture
def db(shared_db: Connection) -> Iterator[Connection]:
    """The deployed system as its owner sees it, in one transaction that is rolled back."""
    with shared_db.transaction(force_rollback=True):
        yield shared_db


@pytest.fixture
def fresh_db(cluster: Cluster, deployed_template: str) -> Iterator[FreshDatabase]:
    """A database of one's own, where commits stay until the test ends."""
    with FreshDatabase.clone(cluster, deployed_template) as database:
        yield database
