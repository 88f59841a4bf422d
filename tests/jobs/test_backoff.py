"""JOB-5: retry timing."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.callers import Connection


@given(
    failures=st.integers(-1, 2_000_000_000),
    base=st.integers(1, 3600),
    factor=st.integers(1, 1000),
)
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_wait_doubles_with_jitter_up_to_the_cap(
    db: Connection, failures: int, base: int, factor: int
) -> None:
    """JOB-5: between half of the full wait and all of it."""
    cap = base * factor
    row = db.execute(
        "select extract(epoch from jobs.backoff(%s, make_interval(secs => %s),"
        " make_interval(secs => %s)))",
        [failures, base, cap],
    ).fetchone()
    assert row is not None
    full = min(cap, base * 2 ** min(max(failures, 1) - 1, 30))
    assert full * 0.499 <= float(row[0]) <= full * 1.001
