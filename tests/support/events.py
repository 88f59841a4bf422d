"""Events on the outbox, and the client that receives them as JOB-8 asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from psycopg.rows import dict_row

from tests.support.callers import Connection

LEASE = "30 seconds"


def emit(
    conn: Connection,
    count: int = 1,
    *,
    topic: str = "user:11111111-1111-4111-8111-111111111111",
    event: str = "balance_updated",
    text: str = "",
) -> list[int]:
    """Append events with rising versions, as a rule does; gives their ids."""
    rows = conn.execute(
        "insert into jobs.outbox (topic, event, payload, request_id)"
        " select %s, %s, jsonb_build_object('version', n, 'text', %s::text), 'req-' || n"
        " from generate_series(1, %s) as n returning id",
        [topic, event, text, count],
    )
    return [row[0] for row in rows]


def take(conn: Connection, count: int = 100, lease: str = LEASE) -> list[dict[str, Any]]:
    """Take the next batch of the stream, as the carrier does."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "select * from jobs.take_events('realtime', %s, %s)", [count, lease]
        ).fetchall()


def settle(
    conn: Connection,
    batch: list[dict[str, Any]],
    outcome: str = "delivered",
    *,
    retry_in: str | None = None,
    items: str = "[]",
) -> bool:
    """Settle a taken batch; whether its lease was still open."""
    row = conn.execute(
        "select jobs.settle_events(%s, %s, now() + %s::interval,"
        """ '{"class": "HTTP 500", "message": "no", "trace": "here"}', %s)""",
        [batch[0]["lease_id"], outcome, retry_in, items],
    ).fetchone()
    assert row is not None
    return bool(row[0])


def ids(batch: list[dict[str, Any]]) -> list[int]:
    return [row["id"] for row in batch]


def value(conn: Connection, query: str, args: Iterable[Any] | Mapping[str, Any] = ()) -> Any:
    """The first column of the only row."""
    [row] = conn.execute(query, args).fetchall()  # type: ignore[call-overload]
    return row[0]


def tune_stream(conn: Connection, **columns: Any) -> None:
    """Change the stream's numbers, e.g. a shorter back-off."""
    for name, number in columns.items():
        conn.execute(f"update jobs.streams set {name} = %s where stream = 'realtime'", [number])


def end_pause(conn: Connection) -> None:
    """Let the back-off be over."""
    conn.execute("update jobs.streams set paused_until = null where true")
    conn.execute(
        "update jobs.outbox_retries set next_try_at = clock_timestamp() where lease_id is null"
    )


def let_time_pass(conn: Connection) -> None:
    """Let leases run out and heartbeats fall silent, as they do when their worker is dead."""
    conn.execute("update jobs.stream_leases set expires_at = now() where closed_at is null")
    conn.execute("update procrastinate.procrastinate_workers set last_heartbeat = '-infinity'")


@dataclass
class Client:
    """Drops what it has seen and what is older than what it shows."""

    applied: list[int] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    shown: dict[tuple[str, str], int] = field(default_factory=dict)

    def receive(self, message: Mapping[str, Any]) -> None:
        payload, key = message["payload"], (message["topic"], message["event"])
        if payload["id"] in self.seen:
            return
        self.seen.add(payload["id"])
        if payload["version"] <= self.shown.get(key, 0):
            return
        self.shown[key] = payload["version"]
        self.applied.append(int(payload["id"]))
