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


BY_HAND = """
do $do$
declare
  v_last seals.batches := seals.last_batch('audit.events');
  v_next seals.batches;
  columns text[] := v_last.columns;
begin
  v_next.chain := 'audit.events';
  v_next.seal_no := coalesce(v_last.seal_no, 0) + 1;
  v_next.epoch := 1;
  v_next.from_xid := v_last.to_xid;
  v_next.from_id := v_last.to_id;
  select e.xid, e.id into v_next.to_xid, v_next.to_id
  from audit.events as e order by e.xid desc, e.id desc limit 1;
  v_next.columns := {columns};
  select d.row_count, d.max_id, d.rows_digest
  into v_next.row_count, v_next.max_id, v_next.rows_digest
  from seals.chains as c
  cross join lateral seals.digest_rows(
    c, v_next.columns, null, null, v_next.from_xid, v_next.from_id, v_next.to_xid, v_next.to_id
  ) as d
  where c.chain = 'audit.events';
  v_next.previous_digest := coalesce(v_last.digest, sha256('audit.events'));
  v_next.sealed_at := clock_timestamp();
  v_next.digest := seals.digest_batch(v_next);
  insert into seals.batches select v_next.*;
end $do$
"""


def seal_by_hand(conn: Connection, columns: str) -> None:
    """Insert the next seal as the owner may, every digest right, over these columns only."""
    conn.execute(BY_HAND.format(columns=columns).encode())


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
    assert len(rows) == 7, rows
    return [row[0] for row in rows if row[1] is False]
