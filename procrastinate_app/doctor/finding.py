"""What a check says, and what it may look at."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import IntEnum
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import psycopg

from procrastinate_app.deploy.tree import Tree, read_tree
from procrastinate_app.project import PROJECT_ROOT

Connection = psycopg.Connection[tuple[Any, ...]]

API_ROLES = ("anon", "authenticated", "service_role")


class Level(IntEnum):
    """How bad it is. A warning will hurt some day, an error hurts now."""

    OK = 0
    NOTE = 1
    WARNING = 2
    ERROR = 3


@dataclass(frozen=True)
class Finding:
    """What was found; `mend` is a command or SQL that puts it right. Never holds a secret."""

    level: Level
    check: str
    text: str
    mend: str = ""

    def as_json(self) -> dict[str, str]:
        return {**asdict(self), "level": self.level.name.lower()}


@dataclass(frozen=True)
class Case:
    """What is examined. `conn` is in a read-only transaction while a check runs."""

    conn: Connection
    url: str
    environment: Mapping[str, str]
    deep: bool = False
    root: Path = PROJECT_ROOT
    now: Callable[[], float] = time.time

    @cached_property
    def tree(self) -> Tree:
        return read_tree(self.root)

    @cached_property
    def domains(self) -> list[str]:
        """Our schemas, but for public, which the API shows."""
        return sorted({file.domain for file in self.tree.code} - {"public", "realtime"})

    @property
    def is_production(self) -> bool:
        return (self.environment.get("HUB_ENVIRONMENT") or "production") == "production"

    def rows(self, query: str, parameters: Iterable[Any] | Mapping[str, Any] = ()) -> list[Any]:
        given = parameters if isinstance(parameters, Mapping) else tuple(parameters)
        return self.conn.execute(query.encode(), given or None).fetchall()

    def row(self, query: str, parameters: Iterable[Any] = ()) -> Any:
        return self.rows(query, parameters)[0]

    def value(self, query: str, parameters: Iterable[Any] = ()) -> Any:
        return self.row(query, parameters)[0]

    def exists(self, relation: str) -> bool:
        """Whether a table or view is there, whoever may read it."""
        return bool(
            self.rows(
                "select from pg_class as c join pg_namespace as n on n.oid = c.relnamespace"
                " where n.nspname = %s and c.relname = %s",
                relation.split("."),
            )
        )


Check: TypeAlias = Callable[[Case], Iterator[Finding]]
