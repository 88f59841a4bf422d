"""Writing audit rows, sealing them, and asking what verify finds."""

from __future__ import annotations

from typing import Any

from psycopg.rows import dict_row

from tests.support.callers import Connection, one

CHAIN = "audit.events"


def record(conn: Connection, count: int) -> None:
    """Some audit rows, in one transaction."""
    conn.execute(
        "select audit.record('looked', 'user', n::text, 'a reason', jsonb_build_object('n', n))"
        " from generate_series(1, %s) as n",
        [count],
    )


def seal_all(conn: Connection, limit: int = 1000) -> int:
    """Seal until nothing is left, as the job does; how many rows."""
    total = 0
    while done := one(conn, "select seals.seal(%s)", [limit]):
        total += done
    return total


def sealed(conn: Connection, chain: str = CHAIN) -> list[dict[str, Any]]:
    """The seals of a chain."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "select * from seals.batches where chain = %s order by seal_no", [chain]
        ).fetchall()


def head(conn: Connection, chain: str = CHAIN) -> str:
    """The newest seal as it is kept outside."""
    newest = sealed(conn, chain)[-1]
    return f"{newest['seal_no']}:{newest['digest'].hex()}"


def checks(conn: Connection, outside: str | None = None, chain: str = CHAIN) -> list[str]:
    """The names of the checks that do not hold."""
    rows = conn.execute("select * from seals.verify(%s, %s)", [chain, outside]).fetchall()
    assert len(rows) == 6, rows
    return [row[0] for row in rows if row[1] is False]
