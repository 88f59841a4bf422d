"""A throw-away database with this tree deployed into it, for what is generated from the schema."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from procrastinate_app.deploy.run import deploy
from procrastinate_app.local import postgres, shim
from procrastinate_app.project import PROJECT_ROOT

MAJOR = 18  # one major for generated files, so that they come out the same everywhere


@dataclass(frozen=True)
class Fresh:
    server: postgres.Server
    dbname: str
    conn: psycopg.Connection[Any]


@contextmanager
def fresh_database(root: Path = PROJECT_ROOT, *, major: int = MAJOR) -> Iterator[Fresh]:
    """Start a server, deploy, hand it out, and leave nothing behind."""
    with postgres.start(major=major) as server:
        url = server.url("postgres")
        with psycopg.connect(url, autocommit=True) as conn:
            shim.apply(conn)
            deploy(url, root=root)
            yield Fresh(server, "postgres", conn)
