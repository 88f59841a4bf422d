"""What the worker refuses to start on: each would lose or misdirect work later."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from procrastinate_app.db import KEEPALIVE
from procrastinate_app.deploy import SchemaTooOld, require_schema
from procrastinate_app.settings import Settings, database_host

TRANSACTION_PORT = "6543"
NOTIFY_SECONDS = 2.0

POOLER = (
    "this connection goes through a transaction pooler, which swallows notifications: use the "
    "direct connection, or the pooler's session mode (port 5432), in HUB_DATABASE_URL"
)


class Refused(Exception):
    """The worker will not start; the message says why and what to do."""


async def refuse_unfit(settings: Settings) -> None:
    """Raise Refused unless this database suits this worker. Other errors: it cannot be reached."""
    url = settings.database_url.get_secret_value()
    port = str(conninfo_to_dict(url).get("port") or "")
    if port == TRANSACTION_PORT and "pooler" in database_host(url):
        raise Refused(POOLER)
    async with await _connect(url) as conn:
        await _refuse_swallowed_notifications(url, conn)
        try:
            await require_schema(conn)
        except SchemaTooOld as error:
            raise Refused(str(error)) from None
        await _refuse_another_environment(settings, conn)
        if settings.environment == "production":
            row = await (await conn.execute("select app.clock_is_frozen()")).fetchone()
            if row == (True,):
                raise Refused(
                    "the business clock of this database is stopped, as only tests do: "
                    "delete the row of app.clock, or set HUB_ENVIRONMENT=test"
                )


async def _refuse_another_environment(
    settings: Settings, conn: psycopg.AsyncConnection[Any]
) -> None:
    """The first worker stamps the database with its environment; after that only such may work."""
    row = await (
        await conn.execute("select settings.claim_environment(%s)", [settings.environment])
    ).fetchone()
    if row != (settings.environment,):
        raise Refused(
            f"this database belongs to {row and row[0]}, but HUB_ENVIRONMENT is "
            f"{settings.environment}: take the other database, or if this one is a copy, declare "
            f"it as its owner: select settings.set_environment('{settings.environment}', '<why>')"
        )


async def _refuse_swallowed_notifications(url: str, listener: psycopg.AsyncConnection[Any]) -> None:
    """A notification from one connection must reach another, or new jobs are found by polling only,
    and sessions are not what they seem."""
    channel = sql.Identifier(f"hub_probe_{uuid4().hex}")
    await listener.execute(sql.SQL("listen {}").format(channel))
    async with await _connect(url) as teller:
        await teller.execute(sql.SQL("notify {}").format(channel))
    heard = [tell async for tell in listener.notifies(timeout=NOTIFY_SECONDS, stop_after=1)]
    if not heard:
        raise Refused(POOLER)
    await listener.execute("unlisten *")


async def _connect(url: str) -> psycopg.AsyncConnection[Any]:
    return await psycopg.AsyncConnection.connect(
        url, autocommit=True, prepare_threshold=None, application_name="hub worker", **KEEPALIVE
    )
