"""Running the checks: each in a read-only transaction of its own, so that one that fails, or may
not look, keeps nobody else from looking."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
from psycopg import errors

from procrastinate_app.deploy.connect import CannotConnect
from procrastinate_app.deploy.tree import DeployRefused
from procrastinate_app.doctor import (
    connection,
    grants,
    limits,
    machine,
    queue,
    roles,
    schema,
    secrets,
    server,
)
from procrastinate_app.doctor.finding import Case, Check, Finding, Level
from procrastinate_app.project import PROJECT_ROOT

CHECKS: dict[str, Check] = {
    "connection": connection.mode,
    "tls": connection.encryption,
    "server": server.release,
    "settings": server.settings,
    "connections": server.connections,
    "disk": server.disk,
    "roles": roles.roles,
    "timeouts": roles.timeouts,
    "exposed": roles.exposed,
    "extensions": schema.extensions,
    "schema": schema.version,
    "code": schema.code,
    "objects": schema.objects,
    "grants": grants.grants,
    "limits": limits.addresses,
    "clock": machine.clock,
    "worker": machine.settings,
    "secrets": secrets.secrets,
    "queue": queue.queue,
    "books": queue.books,
}
SECONDS, DEEP_SECONDS = 10, 3600


def examine(
    url: str,
    *,
    deep: bool = False,
    root: Path = PROJECT_ROOT,
    now: Callable[[], float] = time.time,
) -> Iterator[Finding]:
    """Every finding, as it is found. Reads only; `deep` also proves the books."""
    try:
        conn = connection.connect(url)
    except CannotConnect as error:
        yield connection.unreachable(error)
        return
    with conn:
        case = Case(conn, url, os.environ, deep, root, now)
        for name, check in CHECKS.items():
            yield from _findings(name, check, case)


def _findings(name: str, check: Check, case: Case) -> list[Finding]:
    found: list[Finding] = []
    seconds = DEEP_SECONDS if case.deep else SECONDS
    try:
        with case.conn.transaction():
            case.conn.execute("select set_config('statement_timeout', %s, true)", (f"{seconds}s",))
            found.extend(check(case))
    except errors.InsufficientPrivilege as error:
        found.append(
            Finding(
                Level.NOTE,
                name,
                f"not looked at: {error.diag.message_primary}",
                "Ask as the role that owns the objects (postgres).",
            )
        )
    except errors.QueryCanceled:
        found.append(Finding(Level.WARNING, name, f"no answer within {seconds} s"))
    except (DeployRefused, OSError) as error:
        found.append(Finding(Level.ERROR, name, f"this program's own files: {error}"))
    except psycopg.Error as error:
        text = error.diag.message_primary or type(error).__name__
        found.append(Finding(Level.WARNING, name, f"could not be looked at: {text}"))
    return found
