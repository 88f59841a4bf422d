"""LED-1, LED-2, LED-4: a transfer is balanced or refused, and moves two balances or none."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from tests.support.books import Books
from tests.support.callers import Connection, one, refused
from tests.support.money import (
    account,
    broken_checks,
    open_wallet,
    post,
    post_all,
    read_account,
)


def state(db: Connection) -> Any:
    """Everything the ledger knows, to tell that a refusal changed nothing."""
    return (
        db.execute("select * from ledger.accounts order by id").fetchall(),
        db.execute("select * from ledger.transfers order by id").fetchall(),
        db.execute("select * from ledger.entries order by account_id, version").fetchall(),
        db.execute("select * from ledger.holds order by id").fetchall(),
        one(db, "select count(*) from jobs.outbox"),
    )


def entries_of(db: Connection, transfer: int) -> list[tuple[Any, ...]]:
    return db.execute(
        "select account_id, amount, balance_after from ledger.entries where transfer_id = %s"
        " order by amount",
        [transfer],
    ).fetchall()


def test_a_transfer_makes_one_debit_and_one_credit(db: Connection, books: Books) -> None:
    transfer = post(db, books.ama_wallet, books.kofi_wallet, 300)
    assert entries_of(db, transfer) == [
        (books.ama_wallet, -300, 700),
        (books.kofi_wallet, 300, 300),
    ]
    assert read_account(db, books.ama_wallet).posted == 700
    assert read_account(db, books.kofi_wallet).posted == 300
    assert broken_checks(db) == []


def test_each_entry_carries_the_balance_after_it_and_the_next_number(
    db: Connection, books: Books
) -> None:
    for amount in (100, 200, 50):
        post(db, books.ama_wallet, books.kofi_wallet, amount)
    found = db.execute(
        "select version, amount, balance_after from ledger.entries where account_id = %s"
        " order by version",
        [books.ama_wallet],
    ).fetchall()
    assert found == [(1, 1000, 1000), (2, -100, 900), (3, -200, 700), (4, -50, 650)]
    assert read_account(db, books.ama_wallet).version == 4


def test_several_transfers_in_one_call_are_numbered_in_their_order(
    db: Connection, books: Books
) -> None:
    ids = post_all(
        db,
        [
            (books.ama_wallet, books.kofi_wallet, 400, "first", None),
            (books.kofi_wallet, books.revenue, 100, "second", None),
            (books.kofi_wallet, books.ama_wallet, 50, "third", None),
        ],
    )
    causes = [one(db, "select cause from ledger.transfers where id = %s", [each]) for each in ids]
    assert causes == ["first", "second", "third"]
    found = db.execute(
        "select amount, balance_after from ledger.entries where account_id = %s order by version",
        [books.kofi_wallet],
    ).fetchall()
    assert found == [(400, 400), (-100, 300), (-50, 250)]
    assert broken_checks(db) == []


def test_a_batch_is_all_or_nothing(db: Connection, books: Books) -> None:
    before = state(db)
    with refused(db, "insufficient_funds"):
        post_all(
            db,
            [
                (books.ama_wallet, books.kofi_wallet, 400, "good", None),
                (books.ama_wallet, books.kofi_wallet, 601, "too_much", None),
            ],
        )
    assert state(db) == before


def test_an_empty_batch_does_nothing(db: Connection, books: Books) -> None:
    before = state(db)
    assert post_all(db, []) == []
    assert state(db) == before


def test_money_that_passes_through_in_one_call_need_not_be_there_before(
    db: Connection, books: Books
) -> None:
    """Floors are tested on what the call leaves behind, not between its transfers."""
    post_all(
        db,
        [
            (books.kofi_wallet, books.revenue, 500, "fee", None),
            (books.ama_wallet, books.kofi_wallet, 500, "gift", None),
        ],
    )
    assert read_account(db, books.kofi_wallet).posted == 0
    assert broken_checks(db) == []


def test_a_wallet_may_be_emptied_but_not_overdrawn(db: Connection, books: Books) -> None:
    with refused(db, "insufficient_funds") as refusal:
        post(db, books.ama_wallet, books.kofi_wallet, 1001)
    assert refusal.status == 409
    post(db, books.ama_wallet, books.kofi_wallet, 1000)
    assert read_account(db, books.ama_wallet).posted == 0
    with refused(db, "insufficient_funds"):
        post(db, books.ama_wallet, books.kofi_wallet, 1)


def test_the_reward_pool_has_a_floor_and_funding_has_none(db: Connection, books: Books) -> None:
    with refused(db, "insufficient_funds"):
        post(db, account(db, "reward_pool"), books.kofi_wallet, 1)
    post(db, books.funding, books.kofi_wallet, 10**15)
    assert read_account(db, books.funding).posted == -1000 - 10**15


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 0},
        {"amount": -1},
        {"amount": None},
        {"amount": -(2**63)},
        {"debit": None},
        {"credit": None},
        {"debit": -1},
        {"credit": 10**18},
        {"credit": "debit"},
        {"credit": "another currency"},
    ],
    ids=str,
)
def test_what_is_no_transfer_is_refused(
    db: Connection, books: Books, change: dict[str, Any]
) -> None:
    """LED-1: integer, positive, two accounts, one currency."""
    given: dict[str, Any] = {"debit": books.ama_wallet, "credit": books.kofi_wallet, "amount": 1}
    given |= change
    if given["credit"] == "debit":
        given["credit"] = books.ama_wallet
    if given["credit"] == "another currency":
        given["credit"] = open_wallet(db, books.kofi, "GHS")
    before = state(db)
    with refused(db, "invalid_transfer") as refusal:
        post(db, **given)
    assert refusal.status == 400
    assert state(db) == before


def test_an_amount_beyond_bigint_is_refused_and_changes_nothing(
    db: Connection, books: Books
) -> None:
    post(db, books.funding, books.kofi_wallet, 2**63 - 1 - 10_000)
    before = state(db)
    with refused(db, "22003"):
        post(db, books.funding, books.kofi_wallet, 2**63 - 1)
    assert state(db) == before


def test_when_it_happened_stands_beside_when_it_was_booked(db: Connection, books: Books) -> None:
    db.execute("select app.freeze_clock('2030-01-02')")
    transfer = one(
        db,
        "select (ledger.post(array[row(%s, %s, 5, 'late_news', null, '2029-12-31', null, null)"
        "::ledger.posting]))[1]",
        [books.ama_wallet, books.kofi_wallet],
    )
    expected = (datetime(2029, 12, 31, tzinfo=UTC), datetime(2030, 1, 2, tzinfo=UTC))
    for query in (
        "select event_at, created_at from ledger.transfers where id = %s",
        "select distinct event_at, created_at from ledger.entries where transfer_id = %s",
    ):
        assert db.execute(query, [transfer]).fetchall() == [expected]


def test_funding_spreads_every_minor_unit_over_the_slots(db: Connection) -> None:
    """LED-5: no minor unit is lost or made."""
    db.execute("select ledger.fund_reward_pool('USD', 100003)")
    slots = [
        row[0]
        for row in db.execute(
            "select posted from ledger.accounts where purpose = 'reward_pool' and currency = 'USD'"
            " order by slot"
        )
    ]
    assert slots == [6251] * 3 + [6250] * 13
    assert sum(slots) == 100003 == -read_account(db, account(db, "funding")).posted
    db.execute("select ledger.fund_reward_pool('USD', 3)")
    assert broken_checks(db) == []
    audited = db.execute("select action, subject_id, details from audit.events").fetchall()
    assert audited == [
        ("reward_pool_funded", "USD", {"amount": 100003}),
        ("reward_pool_funded", "USD", {"amount": 3}),
    ]


@pytest.mark.parametrize(
    ("currency", "amount", "named"),
    [
        ("USD", 0, "amount"),
        ("USD", -5, "amount"),
        ("USD", None, "amount"),
        ("XXX", 5, "currency"),
        (None, 5, "currency"),
    ],
)
def test_funding_with_nothing_or_in_an_unknown_currency_is_refused(
    db: Connection, currency: str | None, amount: int | None, named: str
) -> None:
    with refused(db, "invalid_transfer") as refusal:
        db.execute("select ledger.fund_reward_pool(%s, %s)", [currency, amount])
    assert (refusal.details or "").startswith(f"{named}: ")
    assert one(db, "select count(*) from ledger.transfers") == 0


def test_a_wallet_is_opened_once_per_person_and_currency(db: Connection, books: Books) -> None:
    for _ in range(2):
        db.execute("select ledger.open_wallets(%s, 'GHS')", [[books.kofi, books.ama, books.kofi]])
    assert (
        one(
            db, "select count(*) from ledger.accounts where currency = 'GHS' and purpose = 'wallet'"
        )
        == 2
    )
    with refused(db, "23503"):
        db.execute("select ledger.open_wallets(%s, 'GHS')", [[uuid4()]])
