"""The worker's connections, and calling SQL functions over them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeAlias

import psycopg
from psycopg import sql
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

Connection: TypeAlias = psycopg.AsyncConnection[DictRow]
Pool: TypeAlias = AsyncConnectionPool[Connection]

# notice within half a minute that the other side is gone without having said so
KEEPALIVE: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20000,
}
LOST = (psycopg.OperationalError, psycopg.InterfaceError)


@dataclass(frozen=True)
class FromNow:
    """An argument: the time that is so far from now by the database's clock, not the worker's."""

    wait: timedelta


def make_pool(url: str, *, size: int) -> Pool:
    """A pool, not yet open. Connections are not checked before use: whoever finds one broken says
    so to the worker, which then checks them all. (A check costs one round trip per statement.)"""
    return AsyncConnectionPool(
        url,
        kwargs={**KEEPALIVE, "application_name": "hub worker", "row_factory": dict_row},
        configure=_configure,
        min_size=min(4, size),
        max_size=size,
        timeout=10,
        reconnect_timeout=2,
        check=None,
        open=False,
    )


async def _configure(conn: Connection) -> None:
    """One statement is one transaction; procrastinate's bare names are found."""
    await conn.set_autocommit(True)
    await conn.execute("set search_path = procrastinate, pg_temp")


async def call(pool: Pool, function: str, *args: Any) -> list[DictRow]:
    """The rows of `select * from schema.function(args…)`."""
    places = [
        sql.SQL("clock_timestamp() + %s") if isinstance(arg, FromNow) else sql.Placeholder()
        for arg in args
    ]
    query = sql.SQL("select * from {}({})").format(
        sql.Identifier(*function.split(".")), sql.SQL(", ").join(places)
    )
    values = [arg.wait if isinstance(arg, FromNow) else arg for arg in args]
    async with pool.connection() as conn:
        return await (await conn.execute(query, values)).fetchall()


async def call_again(pool: Pool, function: str, *args: Any, seconds: float) -> list[DictRow]:
    """The same, over and over while the database cannot be reached. For calls safe to repeat."""
    deadline = asyncio.get_running_loop().time() + seconds
    wait = 0.1
    while True:
        try:
            return await call(pool, function, *args)
        except LOST:
            if asyncio.get_running_loop().time() + wait > deadline:
                raise
            await asyncio.sleep(wait)
            wait = min(wait * 2, 2)
