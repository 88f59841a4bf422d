"""Reaching the database: by which way, and whether others can listen in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from procrastinate_app.checks import NOTIFY_SECONDS, TRANSACTION_PORT
from procrastinate_app.deploy.connect import CannotConnect
from procrastinate_app.deploy.connect import connect as open_connection
from procrastinate_app.doctor.finding import Case, Connection, Finding, Level
from procrastinate_app.settings import database_host, is_here

_SESSION_MODE = "Use the direct connection, or the pooler's session mode (port 5432)."


def connect(url: str) -> Connection:
    """A connection that writes nothing, and that a transaction pooler can bear. Raises
    CannotConnect."""
    conn: Connection = open_connection(url, application="hub doctor")
    conn.read_only = True
    return conn


def unreachable(error: CannotConnect) -> Finding:
    """Why it could not be reached, and what helps."""
    said, _, advice = str(error).partition("\n")
    return Finding(Level.ERROR, "connection", said, advice)


def mode(case: Case) -> Iterator[Finding]:
    """Direct, session pooler or transaction pooler."""
    info = case.conn.info
    port = str(conninfo_to_dict(case.url).get("port") or "")
    pooled = case.value("select pg_backend_pid()") != info.backend_pid
    if (port == TRANSACTION_PORT and "pooler" in database_host(case.url)) or not _hears(case):
        yield Finding(
            Level.ERROR,
            "connection",
            "a transaction pooler: it swallows notifications and changes sessions, so neither "
            "deploy nor the worker can use it",
            _SESSION_MODE,
        )
    else:
        way = "through a pooler in session mode" if pooled else "direct"
        yield Finding(Level.OK, "connection", f"{way}, as {info.user} on {info.dbname}")


def _hears(case: Case) -> bool:
    """Whether a notification from another connection arrives here."""
    with connect(case.url) as listener, connect(case.url) as teller:
        channel = sql.Identifier(f"hub_probe_{uuid4().hex}")
        listener.execute(sql.SQL("listen {}").format(channel))
        teller.execute(sql.SQL("notify {}").format(channel))
        return any(True for _ in listener.notifies(timeout=NOTIFY_SECONDS, stop_after=1))


def encryption(case: Case) -> Iterator[Finding]:
    host = database_host(case.url)
    given: dict[str, Any] = dict(conninfo_to_dict(case.url))
    if not case.conn.pgconn.ssl_in_use:
        if is_here(host):
            yield Finding(Level.OK, "tls", "none needed: the database is on this machine")
        else:
            yield Finding(
                Level.ERROR,
                "tls",
                "the connection is not encrypted: whoever is on the way reads everything",
                "Add sslmode=verify-full to the address (and ssl = on in the server).",
            )
    elif given.get("sslmode") not in ("verify-full", "verify-ca") and not is_here(host):
        yield Finding(
            Level.NOTE,
            "tls",
            "encrypted, but the server's certificate is not verified: whoever can stand in "
            "between can read along",
            "Add sslmode=verify-full&sslrootcert=<the provider's certificate> to the address.",
        )
    else:
        yield Finding(Level.OK, "tls", "encrypted")
