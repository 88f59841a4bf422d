"""Who asks, and how they are refused. Everything here takes a connection."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

Connection = psycopg.Connection[tuple[Any, ...]]

SETTINGS = ("role", "request.jwt.claims", "request.headers", "app.request_id")


def become(
    conn: Connection,
    user_id: UUID | str | None,
    role: str = "authenticated",
    *,
    headers: Mapping[str, str] | None = None,
    **claims: Any,
) -> None:
    """Set role, claims and headers for the running transaction, as the API does per request."""
    known: dict[str, Any] = {"role": role, "aud": role}
    if user_id is not None:
        known["sub"] = str(user_id)
    conn.execute(
        "select set_config('role', %s, true), set_config('request.jwt.claims', %s, true),"
        " set_config('request.headers', %s, true), set_config('app.request_id', '', true)",
        [role, json.dumps({**known, **claims}), json.dumps(dict(headers or {}))],
    )


@contextmanager
def as_user(
    conn: Connection,
    user_id: UUID | str | None,
    role: str = "authenticated",
    *,
    headers: Mapping[str, str] | None = None,
    **claims: Any,
) -> Iterator[Connection]:
    """Be this caller inside the block, and whoever one was before after it.

    What the block wrote stays when it ends well and is undone when it fails. Nothing is committed
    unless the connection commits by itself.
    """
    if not conn.autocommit:
        conn.execute("select")
    with conn.transaction():
        before = [
            row[0]
            for row in conn.execute(
                "select coalesce(current_setting(s, true), '')"
                " from unnest(%s::text[]) with ordinality as u (s, nth) order by nth",
                [list(SETTINGS)],
            )
        ]
        become(conn, user_id, role, headers=headers, **claims)
        yield conn
        conn.execute(
            "select set_config(s, v, true) from unnest(%s::text[], %s::text[]) as u (s, v)",
            [list(SETTINGS), before],
        )


@dataclass
class Refusal:
    """How a statement was refused; filled in when the block of `refused` ends."""

    sqlstate: str = ""
    code: str = ""
    status: int | None = None
    message: str = ""
    details: str | None = None
    hint: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, error: psycopg.Error) -> Refusal:
        """Read an error as the API does: SQLSTATE PGRST carries code and status in JSON."""
        text = error.diag.message_primary or str(error)
        refusal = cls(sqlstate=error.sqlstate or "", code=error.sqlstate or "", message=text)
        if error.sqlstate == "PGRST":
            body, answer = json.loads(text), json.loads(error.diag.message_detail or "")
            refusal.code = body["code"]
            refusal.message = body["message"]
            refusal.details = body["details"]
            refusal.hint = body["hint"]
            refusal.status = answer["status"]
            refusal.headers = answer["headers"]
        return refusal


@contextmanager
def refused(conn: Connection, code: str) -> Iterator[Refusal]:
    """Expect the block to fail with this code of app.error_catalog(), or with this SQLSTATE.

    The failure is undone to a savepoint, so that the test goes on in its transaction.
    """
    refusal = Refusal()
    try:
        with conn.transaction():
            yield refusal
    except psycopg.Error as error:
        refusal.__dict__.update(Refusal.of(error).__dict__)
        is_sqlstate = re.fullmatch(r"[0-9A-Z]{5}", code)
        found = refusal.sqlstate if is_sqlstate else refusal.code
        if found != code:
            pytest.fail(f"refused with {found} instead of {code}: {error}")
    else:
        pytest.fail(f"not refused; expected {code}")


def call(conn: Connection, door: str, /, **arguments: Any) -> list[tuple[Any, ...]]:
    """Call a door by name with named arguments, as the API does; give its rows."""
    given = sql.SQL(", ").join(
        sql.SQL("{} => {}").format(sql.Identifier(name), sql.Placeholder(name))
        for name in arguments
    )
    query = sql.SQL("select * from {}({})").format(sql.Identifier("public", door), given)
    return conn.execute(query, arguments).fetchall()


def one(conn: Connection, query: str, parameters: Any = None) -> Any:
    """The first column of the first row, or None when there is no row."""
    row = conn.execute(sql.SQL(query), parameters).fetchone()
    return row[0] if row else None
