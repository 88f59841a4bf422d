"""Spending limits, for the tests of this folder."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tests.support.callers import Connection, as_user, call, one

HOME = "203.0.113.7"
NOON = "2026-03-01 12:00+00"


def headers(address: str = HOME, **others: str) -> dict[str, str]:
    """What a request brings along, with the address as the proxy in front sees it."""
    return {"cf-connecting-ip": address, **{k.replace("_", "-"): v for k, v in others.items()}}


def freeze(conn: Connection, moment: str = NOON, *, later: float = 0) -> None:
    """Stop the rules' clock."""
    conn.execute(
        "select app.freeze_clock(%s::timestamptz + %s * interval '1 second')", [moment, later]
    )


def rename(conn: Connection, user: UUID, address: str = HOME, **others: str) -> Any:
    """A cheap call of a limited door."""
    with as_user(conn, user, headers=headers(address, **others)):
        return call(conn, "update_profile", bio="hello")


def spent(conn: Connection) -> int:
    return int(one(conn, "select count(*) from limits.buckets"))


def address_of(conn: Connection, given: str | None) -> str:
    """The address a request with these headers counts under; None for no request."""
    conn.execute("select set_config('request.headers', %s, true)", [given or ""])
    return str(one(conn, "select limits.client_address()"))
