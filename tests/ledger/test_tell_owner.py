"""LED-7: every posted change to a wallet emits balance_updated to its owner, with the commit."""

from __future__ import annotations

from typing import Any

from tests.support.books import Books
from tests.support.callers import Connection, as_user, one, refused
from tests.support.money import (
    account,
    hold,
    open_wallet,
    post,
    post_all,
    read_account,
    reverse,
    settle,
    void,
)


def told(db: Connection) -> list[tuple[str, dict[str, Any]]]:
    """Events since the last look, oldest first, by topic."""
    rows = db.execute("select topic, event, payload from jobs.outbox order by id").fetchall()
    db.execute("delete from jobs.outbox where true")
    assert {event for _, event, _ in rows} <= {"balance_updated"}
    return [(topic, payload) for topic, _, payload in rows]


def test_both_owners_learn_their_new_balance(db: Connection, books: Books) -> None:
    told(db)
    post(db, books.ama_wallet, books.kofi_wallet, 300)
    assert sorted(told(db)) == sorted(
        [
            (
                f"user:{books.ama}",
                {"currency": "USD", "posted": 700, "available": 700, "change": -300, "version": 2},
            ),
            (
                f"user:{books.kofi}",
                {"currency": "USD", "posted": 300, "available": 300, "change": 300, "version": 1},
            ),
        ],
        key=lambda each: each[0],
    )


def test_every_way_of_posting_tells(db: Connection, books: Books) -> None:
    paid = post(db, books.funding, books.kofi_wallet, 300)
    promised = hold(db, books.ama_wallet, books.revenue, 100)
    told(db)
    settle(db, promised, amounts=[60])
    assert [(topic, body["change"], body["available"]) for topic, body in told(db)] == [
        (f"user:{books.ama}", -60, 940)
    ]
    reverse(db, paid)
    assert [(topic, body["change"], body["posted"]) for topic, body in told(db)] == [
        (f"user:{books.kofi}", -300, 0)
    ]


def test_several_changes_in_one_call_are_told_once_with_the_newest_state(
    db: Connection, books: Books
) -> None:
    told(db)
    post_all(
        db, [(books.ama_wallet, books.kofi_wallet, amount, "gift", None) for amount in (1, 2, 3)]
    )
    events = dict(told(db))
    assert len(events) == 2
    kofi = events[f"user:{books.kofi}"]
    assert (kofi["change"], kofi["posted"], kofi["version"]) == (6, 6, 3)
    assert kofi["version"] == read_account(db, books.kofi_wallet).version


def test_each_currency_is_told_apart(db: Connection, books: Books) -> None:
    told(db)
    open_wallet(db, books.ama, "GHS", balance=7)
    assert told(db) == [
        (
            f"user:{books.ama}",
            {"currency": "GHS", "posted": 7, "available": 7, "change": 7, "version": 1},
        )
    ]


def test_platform_accounts_and_mere_promises_tell_nobody(db: Connection, books: Books) -> None:
    told(db)
    post(db, books.funding, account(db, "fees"), 10)
    promised = hold(db, books.ama_wallet, books.kofi_wallet, 10)
    void(db, promised)
    assert told(db) == []
    post(db, books.funding, books.ama_wallet, 1)
    assert len(told(db)) == 1


def test_what_is_undone_tells_nobody(db: Connection, books: Books) -> None:
    told(db)
    with refused(db, "insufficient_funds"):
        post(db, books.ama_wallet, books.kofi_wallet, 5000)
    assert told(db) == []


def test_events_carry_the_request_that_caused_them(db: Connection, books: Books) -> None:
    told(db)
    with as_user(db, None, role="postgres", headers={"x-request-id": "req-3"}):
        post(db, books.ama_wallet, books.kofi_wallet, 1)
    assert one(db, "select array_agg(distinct request_id) from jobs.outbox") == ["req-3"]


def test_versions_count_every_change_of_a_wallet_without_gap(db: Connection, books: Books) -> None:
    told(db)
    for _ in range(5):
        post(db, books.ama_wallet, books.kofi_wallet, 1)
    versions = [body["version"] for topic, body in told(db) if topic == f"user:{books.kofi}"]
    assert versions == [1, 2, 3, 4, 5]
