"""APP-10: one correlation id for a request, from its header when that is harmless."""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from tests.support.callers import Connection, as_user, one, refused

HOSTILE = [
    "",
    " ",
    "a" * 129,
    "a" * 10_000_000,
    "two words",
    "line\nbreak",
    "ok\n",
    "'; drop table audit.events; --",
    '{"code":"x"}',
    "%s%n",
    "\u202eright-to-left",
    "a\\u0000b",
    "ä",
    "../../etc/passwd",
]


@pytest.mark.parametrize("given", ["req-1", "a", "A" * 128, "0af7651916cd43dd:1.x_y-z"])
def test_a_harmless_header_is_the_id(db: Connection, given: str) -> None:
    with as_user(db, None, role="anon", headers={"x-request-id": given}):
        assert one(db, "select app.request_id()") == given


@pytest.mark.parametrize("given", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_header_is_replaced(db: Connection, given: str) -> None:
    with as_user(db, None, role="anon", headers={"x-request-id": given}):
        made = one(db, "select app.request_id()")
    assert UUID(made)


@pytest.mark.parametrize(
    "headers", ["", "{}", "[]", "null", "5", '{"x-request-id": null}', '{"x-request-id": {"a": 1}}']
)
def test_headers_of_any_shape_give_an_id(db: Connection, headers: str) -> None:
    db.execute("select set_config('request.headers', %s, true)", [headers])
    assert UUID(one(db, "select app.request_id()"))


def test_the_id_stays_the_same_through_a_transaction(db: Connection) -> None:
    with as_user(db, None, role="anon"):
        first = one(db, "select app.request_id()")
        assert one(db, "select app.request_id()") == first
        with refused(db, "invalid_input") as refusal:
            db.execute("select app.fail('invalid_input')")
    assert refusal.headers["X-Request-Id"] == first


def test_two_requests_have_two_ids(db: Connection) -> None:
    made = set()
    for _ in range(2):
        with as_user(db, None, role="anon"):
            made.add(one(db, "select app.request_id()"))
    assert len(made) == 2


def test_audit_rows_and_events_carry_the_id(db: Connection) -> None:
    with as_user(db, None, role="postgres", headers={"x-request-id": "req-7"}):
        db.execute("select audit.record('tried', 'test', '1')")
        db.execute("select ledger.fund_reward_pool('USD', 16)")
    rows = db.execute("select distinct request_id from audit.events").fetchall()
    assert rows == [("req-7",)]


def test_the_header_is_read_as_json_not_run(db: Connection) -> None:
    hostile = json.dumps({"x-request-id": "a", "x": "'); select app.freeze_clock(now()); --"})
    db.execute("select set_config('request.headers', %s, true)", [hostile])
    assert one(db, "select app.request_id()") == "a"
    assert one(db, "select app.clock_is_frozen()") is False
