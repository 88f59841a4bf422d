"""Databases for tests: the loaded template and its clones."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import UUID

import psycopg
from psycopg import sql

from procrastinate_app.deploy import deploy
from procrastinate_app.local import hosted, postgres, shim
from tests.support.callers import become

Connection = psycopg.Connection[tuple[Any, ...]]

# HOSTED=1: on a server and databases that look like hosted Supabase (see local/hosted.py)
HOSTED = bool(os.environ.get("HOSTED"))
NUMBER = itertools.count(1)
QUIET_SECONDS = 5.0
POLL_SECONDS = 0.001


def load_system(
    *, host: str, port: int, user: str, dbname: str, password: str | None, autocommit: bool
) -> None:
    """Make a database what production is after a deploy. Called by pytest-postgresql."""
    url = f"postgresql://{user}:{password}@{host}:{port}/{dbname}"
    make_supabase(url)
    deploy(url)


def make_supabase(url: str) -> None:
    """Make an empty database what a Supabase project is before the first deploy."""
    if HOSTED:
        hosted.prepare(url)
    else:
        with psycopg.connect(url, autocommit=True) as conn:
            shim.apply(conn)


def give_old_grants(url: str) -> None:
    """Let API roles have whatever is made in public, as projects before October 2026 do."""
    if HOSTED:
        hosted.give_old_grants(url)
    else:
        with psycopg.connect(url, autocommit=True) as conn:
            shim.apply(conn, old_project=True)


def superuser_url(server: postgres.Server, dbname: str) -> str:
    """For what no owner may do, such as damaging the catalogue."""
    return server.url(dbname, hosted.ADMIN if HOSTED else postgres.Server.superuser)


@dataclass
class Cluster:
    """What pytest-postgresql asks of a server, and the connection that makes databases."""

    server: postgres.Server
    admin: Connection
    user: str = postgres.Server.superuser
    options: str = ""
    maintenance_dbname: str = "postgres"
    template_dbname: str = "template1"

    @property
    def host(self) -> str:
        return self.server.host

    @property
    def port(self) -> int:
        return self.server.port

    @property
    def password(self) -> str:
        return self.server.password_of(self.user)

    def wait_until_unused(self, dbname: str) -> None:
        """Wait until the last backend has left; whoever stays longer is ended.

        Dropping or cloning earlier would sleep 100 ms inside the server.
        """
        deadline = time.monotonic() + QUIET_SECONDS
        while self._backends(dbname):
            if time.monotonic() > deadline:
                self.admin.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s",
                    [dbname],
                )
                deadline += QUIET_SECONDS
            time.sleep(POLL_SECONDS)

    def _backends(self, dbname: str) -> int:
        row = self.admin.execute(
            "select count(*) from pg_stat_activity where datname = %s", [dbname]
        ).fetchone()
        assert row is not None
        return int(row[0])


@dataclass
class FreshDatabase:
    """A clone of the template. Connections opened here are closed with it."""

    server: postgres.Server
    name: str
    _open: list[Connection] = field(default_factory=list, repr=False)

    @property
    def url(self) -> str:
        """For the owner, who is superuser unless HOSTED."""
        return self.server.url(self.name)

    def url_of(self, user: str) -> str:
        """For another login, such as authenticator."""
        return self.server.url(self.name, user)

    def connect(self, *, autocommit: bool = True, user: str = "postgres") -> Connection:
        """A new connection, as owner unless said otherwise."""
        conn = psycopg.connect(self.url_of(user), autocommit=autocommit)
        self._open.append(conn)
        return conn

    @contextmanager
    def as_user(
        self,
        user_id: UUID | str | None,
        role: str = "authenticated",
        *,
        headers: Mapping[str, str] | None = None,
        **claims: Any,
    ) -> Iterator[Connection]:
        """One request as the API makes it: a login without rights, a role and claims for one
        transaction, committed at the end unless the block fails."""
        with (
            psycopg.connect(self.url_of("authenticator"), autocommit=True) as conn,
            conn.transaction(),
        ):
            become(conn, user_id, role, headers=headers, **claims)
            yield conn

    @classmethod
    @contextmanager
    def clone(cls, cluster: Cluster, template: str) -> Iterator[Self]:
        """Make a clone of the template and drop it afterwards."""
        name = f"fresh_{next(NUMBER)}"
        cluster.wait_until_unused(template)
        cluster.admin.execute(
            sql.SQL("create database {} template {} strategy file_copy").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        made = cls(cluster.server, name)
        try:
            yield made
        finally:
            for conn in made._open:
                conn.close()
            cluster.wait_until_unused(name)
            cluster.admin.execute(sql.SQL("drop database {}").format(sql.Identifier(name)))
