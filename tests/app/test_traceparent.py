"""OPS-1: a client's place in its trace is taken from its request when it is well formed."""

from __future__ import annotations

import pytest

from tests.support.callers import Connection, as_user, one
from tests.support.money import open_wallet
from tests.support.people import make_people

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{SPAN}-01"

MALFORMED = [
    "",
    " ",
    "x",
    GOOD + " ",
    " " + GOOD,
    GOOD + "\n",
    GOOD + "-extra",
    GOOD + "," + GOOD,
    GOOD.upper(),
    GOOD.replace("-", ""),
    GOOD[:-1],
    GOOD + "0",
    f"ff-{TRACE}-{SPAN}-01",
    f"0-{TRACE}-{SPAN}-01",
    f"00-{'0' * 32}-{SPAN}-01",
    f"00-{TRACE}-{'0' * 16}-01",
    f"00-{TRACE[:-1]}g-{SPAN}-01",
    f"00-{TRACE}-{SPAN}-0x",
    f"cc-{TRACE}-{SPAN}-01.x",
    f"cc-{TRACE}-{SPAN}-01-" + "a" * 200,
    "'; drop table jobs.outbox; --",
    "0" * 10_000_000,
    "ä" * 55,
]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (GOOD, GOOD),
        (f"00-{TRACE}-{SPAN}-00", f"00-{TRACE}-{SPAN}-00"),
        (f"00-{TRACE}-{SPAN}-02", f"00-{TRACE}-{SPAN}-00"),
        (f"00-{TRACE}-{SPAN}-ff", GOOD),
        (f"cc-{TRACE}-{SPAN}-01", GOOD),
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-brings", GOOD),
    ],
)
def test_well_formed_header_is_kept_as_version_00(db: Connection, given: str, kept: str) -> None:
    """OPS-1: a later version is read as far as it is known; of the flags, whether it is sampled."""
    with as_user(db, None, "postgres", headers={"traceparent": given}):
        assert one(db, "select app.traceparent()") == kept


@pytest.mark.parametrize("given", MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_header_is_no_trace(db: Connection, given: str) -> None:
    """OPS-1"""
    with as_user(db, None, "postgres", headers={"traceparent": given, "tracestate": "a=1"}):
        assert one(db, "select app.traceparent()") is None
        assert one(db, "select app.tracestate()") is None


@pytest.mark.parametrize(
    "headers", ["", "{}", "[]", "null", "5", '{"traceparent": null}', '{"traceparent": {"a": 1}}']
)
def test_headers_of_any_shape_are_no_trace(db: Connection, headers: str) -> None:
    """OPS-1"""
    db.execute("select set_config('request.headers', %s, true)", [headers])
    assert one(db, "select app.traceparent()") is None
    assert one(db, "select app.tracestate()") is None


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a=1,b=2", "a=1,b=2"),
        ("x" * 512, "x" * 512),
        ("x" * 513, None),
        ("x" * 10_000_000, None),
        ("", None),
        ("a=\u00e4", None),
        ("a=1\nb=2", None),
    ],
    ids=range(7),
)
def test_tracestate_is_kept_when_short_and_plain(
    db: Connection, given: str, kept: str | None
) -> None:
    """OPS-1"""
    with as_user(db, None, "postgres", headers={"traceparent": GOOD, "tracestate": given}):
        assert one(db, "select app.tracestate()") == kept


def test_events_carry_their_requests_trace(db: Connection) -> None:
    """OPS-1: from the rule that caused them, in the same transaction."""
    headers = {"traceparent": GOOD, "tracestate": "a=1"}
    with as_user(db, None, "postgres", headers=headers):
        [ama] = make_people(db, 1)
        open_wallet(db, ama, balance=5)
    rows = db.execute("select distinct traceparent, tracestate from jobs.outbox").fetchall()
    assert rows == [(GOOD, "a=1")]


def test_jobs_carry_their_requests_trace_beside_their_arguments(db: Connection) -> None:
    """OPS-1, APP-10: the arguments stay what the task takes, for workers of any release."""
    defer = "select jobs.defer('jobs:purge', '{\"timestamp\": 0}')"
    with as_user(db, None, "postgres", headers={"traceparent": GOOD, "x-request-id": "r-1"}):
        job_id = one(db, defer)
    assert db.execute(
        "select request_id, traceparent, tracestate from jobs.contexts where job_id = %s", [job_id]
    ).fetchall() == [("r-1", GOOD, None)]
    args = "select args from procrastinate.procrastinate_jobs where id = %s"
    assert one(db, args, [job_id]) == {"timestamp": 0}
    fetched = one(db, "select args from jobs.fetch_job(null, null)")
    waited = fetched["_context"].pop("waited")
    assert waited >= 0
    assert fetched == {
        "timestamp": 0,
        "_context": {"request_id": "r-1", "traceparent": GOOD, "tracestate": None},
    }


def test_work_that_nobody_asked_for_has_no_context(db: Connection) -> None:
    """OPS-1"""
    job_id = one(db, "select jobs.defer('jobs:purge', '{\"timestamp\": 0}')")
    assert job_id
    assert one(db, "select count(*) from jobs.contexts") == 0
