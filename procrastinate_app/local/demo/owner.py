"""What an operator does as the database's owner: fund the pool, appoint staff, watch the queue."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, LiteralString

import psycopg
from psycopg.rows import DictRow, dict_row

KIND = "voice"


@dataclass(frozen=True)
class Kind:
    """The rule clips of the demo are decided and paid by. Rewards in minor units."""

    currency: str
    minor_digits: int
    author_reward: int
    reviewer_reward: int
    daily_reward_cap: int
    min_votes: int
    max_votes: int
    settle_after: timedelta


@dataclass(frozen=True)
class Carried:
    """How far the outbox has been carried."""

    waiting: int
    retrying: int
    in_flight: int
    dead: int

    @property
    def all_done(self) -> bool:
        return not (self.waiting or self.retrying or self.in_flight)


class Owner:
    """One connection as the owner."""

    def __init__(self, conn: psycopg.AsyncConnection[DictRow]) -> None:
        self._conn = conn

    async def _rows(self, query: LiteralString, *values: object) -> list[dict[str, Any]]:
        return await (await self._conn.execute(query, values)).fetchall()

    async def _value(self, query: LiteralString, *values: object) -> Any:
        [row] = await self._rows(query, *values)
        return next(iter(row.values()))

    # -- settings ---------------------------------------------------------------------------

    async def kind(self) -> Kind:
        [row] = await self._rows(
            "select k.currency, c.minor_digits, k.author_reward, k.reviewer_reward,"
            " k.daily_reward_cap, k.min_votes, k.max_votes, k.settle_after"
            " from consensus.kinds as k join ledger.currencies as c on c.code = k.currency"
            " where k.kind = %s",
            KIND,
        )
        return Kind(**row)

    async def set_daily_cap(self, amount: int) -> None:
        await self._rows(
            "update consensus.kinds set daily_reward_cap = %s where kind = %s returning kind",
            amount,
            KIND,
        )

    async def limits(self) -> list[dict[str, Any]]:
        """How often each door may be called."""
        return await self._rows("select door, scope::text, burst, period from limits.rules")

    async def widen_limits(self) -> None:
        """Let a few people call as often as a crowd of thousands would."""
        await self._rows(
            "update limits.rules set burst = 1000000, period = '1 minute' where true returning door"
        )

    async def set_limits(self, rules: list[dict[str, Any]]) -> None:
        for rule in rules:
            await self._rows(
                "update limits.rules set burst = %s, period = %s"
                " where door = %s and scope = %s::limits.scope returning door",
                rule["burst"],
                rule["period"],
                rule["door"],
                rule["scope"],
            )

    async def fund(self, currency: str, amount: int) -> None:
        await self._rows("select ledger.fund_reward_pool(%s, %s)", currency, amount)

    async def appoint(self, user_id: str, role: str) -> None:
        await self._rows(
            "select identity.add_role(%s, %s, 'appointed for the demo')", user_id, role
        )

    # -- the clock --------------------------------------------------------------------------

    async def move_clock(self, ahead: timedelta | None) -> None:
        """Stop the rules' clock some time ahead of now; None lets it run again."""
        await self._rows("select app.freeze_clock(now() + %s)", ahead)

    async def ring_settlement(self) -> None:
        """Ask the worker for what its clock does every minute."""
        await self._rows(
            "select jobs.defer('consensus:settle_due_clips',"
            " jsonb_build_object('timestamp', extract(epoch from now())::bigint))"
        )

    async def unsettled(self) -> int:
        found: int = await self._value(
            "select count(*) from consensus.items"
            " where state = 'decided' and settle_at <= app.now()"
        )
        return found

    # -- what happened ----------------------------------------------------------------------

    async def carried(self) -> Carried:
        [row] = await self._rows(
            "select (select count(*) from jobs.outbox as o join jobs.streams as s using (stream)"
            "  where (o.xid, o.id) > (s.cursor_xid, s.cursor_id)) as waiting,"
            " (select count(*) from jobs.outbox_retries) as retrying,"
            " (select count(*) from jobs.stream_leases where closed_at is null) as in_flight,"
            " (select count(*) from jobs.dead_letters where redriven_at is null) as dead"
        )
        return Carried(**row)

    async def now(self) -> Any:
        return await self._value("select clock_timestamp()")

    async def events(self, since: object) -> list[dict[str, Any]]:
        """Each event's name, how many were written, for how many people."""
        return await self._rows(
            "select event, count(*) as events, count(distinct topic) as people"
            " from jobs.outbox where created_at >= %s group by event order by event",
            since,
        )

    async def batches(self, since: object) -> list[dict[str, Any]]:
        """What became of each try to deliver a batch."""
        return await self._rows(
            "select outcome, count(*) as batches, sum(size)::int as events"
            " from jobs.stream_leases where taken_at >= %s and closed_at is not null"
            " group by outcome order by batches desc, outcome",
            since,
        )

    async def withheld(self, since: object) -> list[dict[str, Any]]:
        """Rewards that were earned and not promised, and why."""
        return await self._rows(
            "select why, count(*) as rewards, sum(amount)::bigint as amount"
            " from consensus.withheld_rewards where created_at >= %s group by why order by why",
            since,
        )

    async def books(self) -> list[dict[str, Any]]:
        """Every check of the books, whether it holds, and how many rows break it."""
        return await self._rows("select * from ledger.verify()")


@asynccontextmanager
async def open_owner(database_url: str) -> AsyncIterator[Owner]:
    async with await psycopg.AsyncConnection.connect(
        database_url, autocommit=True, row_factory=dict_row
    ) as conn:
        yield Owner(conn)
