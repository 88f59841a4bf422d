"""Rate limits, for tests that are about them and tests that call more often than people do."""

from __future__ import annotations

from tests.support.callers import Connection


def allow(
    conn: Connection,
    door: str,
    *,
    user: int = 1_000_000,
    ip: int = 1_000_000,
    seconds: float = 60,
) -> None:
    """Set a door's limits as data."""
    for scope, burst in (("user", user), ("ip", ip)):
        conn.execute(
            "insert into limits.rules (door, scope, burst, period)"
            " values (%s, %s, %s, %s * interval '1 second') on conflict (door, scope)"
            " do update set burst = excluded.burst, period = excluded.period",
            [door, scope, burst, seconds],
        )
