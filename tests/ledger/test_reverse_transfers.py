"""LED-4: a transfer is undone once, by its opposite; nothing else goes below a floor."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.books import Books, make_books
from tests.support.callers import Connection, one, refused
from tests.support.databases import FreshDatabase
from tests.support.money import (
    broken_checks,
    hold,
    post,
    post_all,
    read_account,
    reverse,
    settle,
    void,
)
from tests.support.parallel import refusals, together


def test_a_reversal_is_the_opposite_transfer(db: Connection, books: Books) -> None:
    paid = post(db, books.ama_wallet, books.kofi_wallet, 300, cause="sale")
    (undone,) = reverse(db, paid)
    found = db.execute(
        "select debit_account_id, credit_account_id, amount, cause, reverses_transfer_id"
        " from ledger.transfers where id = %s",
        [undone],
    ).fetchone()
    assert found == (books.kofi_wallet, books.ama_wallet, 300, "sale_reversed", paid)
    assert read_account(db, books.ama_wallet).posted == 1000
    assert read_account(db, books.kofi_wallet).posted == 0
    assert broken_checks(db) == []


def test_a_transfer_is_reversed_once(db: Connection, books: Books) -> None:
    paid = post(db, books.ama_wallet, books.kofi_wallet, 300)
    reverse(db, paid)
    with refused(db, "already_reversed") as refusal:
        reverse(db, paid)
    assert refusal.status == 409
    assert read_account(db, books.ama_wallet).posted == 1000


def test_a_reversal_is_not_reversed_and_nothing_unknown_is(db: Connection, books: Books) -> None:
    paid = post(db, books.ama_wallet, books.kofi_wallet, 300)
    (undone,) = reverse(db, paid)
    for ids in ((undone,), (10**12,), (-1,)):
        with refused(db, "invalid_transfer"):
            reverse(db, *ids)


def test_one_bad_id_refuses_the_whole_call(db: Connection, books: Books) -> None:
    first, second = (post(db, books.ama_wallet, books.kofi_wallet, 10) for _ in range(2))
    with refused(db, "invalid_transfer"):
        reverse(db, first, first)
    with refused(db, "invalid_transfer"):
        reverse(db, first, 10**12)
    reverse(db, first)
    with refused(db, "already_reversed"):
        reverse(db, first, second)
    assert one(db, "select count(*) from ledger.transfers where reverses_transfer_id = %s",
               [second]) == 0  # fmt: skip


def test_the_schema_alone_keeps_a_second_reversal_out(db: Connection, books: Books) -> None:
    paid = post(db, books.ama_wallet, books.kofi_wallet, 300)
    reverse(db, paid)
    with refused(db, "23505"):
        db.execute(
            "insert into ledger.transfers (debit_account_id, credit_account_id, currency, amount,"
            " cause, reverses_transfer_id, event_at) values (%s, %s, 'USD', 300, 'x', %s, now())",
            [books.kofi_wallet, books.ama_wallet, paid],
        )


def test_a_reversal_may_leave_a_debt_that_shrinks_as_money_comes_in(
    db: Connection, books: Books
) -> None:
    paid = post(db, books.ama_wallet, books.kofi_wallet, 300)
    post(db, books.kofi_wallet, books.revenue, 250)
    reverse(db, paid)
    kofi = read_account(db, books.kofi_wallet)
    assert (kofi.posted, kofi.reversal_debt) == (-250, 250)
    with refused(db, "insufficient_funds"):
        post(db, books.kofi_wallet, books.revenue, 1)
    with refused(db, "insufficient_funds"):
        hold(db, books.kofi_wallet, books.ama_wallet, 1)
    post(db, books.funding, books.kofi_wallet, 100)
    kofi = read_account(db, books.kofi_wallet)
    assert (kofi.posted, kofi.reversal_debt) == (-150, 150)
    post(db, books.funding, books.kofi_wallet, 200)
    kofi = read_account(db, books.kofi_wallet)
    assert (kofi.posted, kofi.reversal_debt) == (50, 0)
    with refused(db, "insufficient_funds"):
        post(db, books.kofi_wallet, books.revenue, 51)
    post(db, books.kofi_wallet, books.revenue, 50)
    assert broken_checks(db) == []


def test_two_reversals_add_up_to_one_debt(db: Connection, books: Books) -> None:
    first, second = (post(db, books.ama_wallet, books.kofi_wallet, 100) for _ in range(2))
    post(db, books.kofi_wallet, books.revenue, 200)
    reverse(db, first)
    reverse(db, second)
    kofi = read_account(db, books.kofi_wallet)
    assert (kofi.posted, kofi.reversal_debt) == (-200, 200)


def test_money_that_is_held_is_owed_back_too(db: Connection, books: Books) -> None:
    paid = post(db, books.ama_wallet, books.kofi_wallet, 300)
    promised = hold(db, books.kofi_wallet, books.revenue, 300)
    reverse(db, paid)
    kofi = read_account(db, books.kofi_wallet)
    assert (kofi.posted, kofi.held, kofi.reversal_debt) == (0, 300, 300)
    settle(db, promised)
    kofi = read_account(db, books.kofi_wallet)
    assert (kofi.posted, kofi.held, kofi.reversal_debt) == (-300, 0, 300)
    assert broken_checks(db) == []


@pytest.mark.parametrize("end", ["void", "expire"])
def test_a_hold_given_back_pays_the_debt_and_leaves_no_credit_line(
    db: Connection, books: Books, end: str
) -> None:
    """A debt that outlived its reason would let the wallet be overdrawn by as much."""
    paid = post(db, books.ama_wallet, books.kofi_wallet, 300)
    promised = hold(db, books.kofi_wallet, books.revenue, 300, expires_at="2020-01-01")
    reverse(db, paid)
    if end == "void":
        void(db, promised)
    else:
        assert one(db, "select ledger.expire_holds(10)") == 1
    kofi = read_account(db, books.kofi_wallet)
    assert (kofi.posted, kofi.held) == (0, 0)
    with refused(db, "insufficient_funds"):
        post(db, books.kofi_wallet, books.revenue, 1)
    assert kofi.reversal_debt == 0


def test_a_hold_settled_in_part_pays_the_debt_with_the_rest(db: Connection, books: Books) -> None:
    paid = post(db, books.ama_wallet, books.kofi_wallet, 300)
    promised = hold(db, books.kofi_wallet, books.revenue, 300)
    reverse(db, paid)
    settle(db, promised, amounts=[100])
    kofi = read_account(db, books.kofi_wallet)
    assert (kofi.posted, kofi.reversal_debt) == (-100, 100)


def test_an_ordinary_transfer_beside_a_reversal_may_not_overdraw(
    db: Connection, books: Books
) -> None:
    """One call that reverses a payment and spends from the same wallet is still two causes."""
    paid = post(db, books.ama_wallet, books.kofi_wallet, 300)
    with refused(db, "insufficient_funds"):
        db.execute(
            "select ledger.post(array["
            " row(%(kofi)s, %(ama)s, 300, 'undo', null, null, null, %(paid)s)::ledger.posting,"
            " row(%(kofi)s, %(revenue)s, 50, 'spend', null, null, null, null)::ledger.posting])",
            {
                "kofi": books.kofi_wallet,
                "ama": books.ama_wallet,
                "revenue": books.revenue,
                "paid": paid,
            },
        )
    assert read_account(db, books.kofi_wallet).posted == 300


def test_a_settled_hold_can_be_reversed_and_stays_settled(db: Connection, books: Books) -> None:
    promised = hold(db, books.ama_wallet, books.kofi_wallet, 300)
    (paid,) = settle(db, promised)
    reverse(db, paid)
    assert one(db, "select state::text from ledger.holds where id = %s", [promised]) == "settled"
    assert read_account(db, books.ama_wallet).available == 1000
    assert broken_checks(db) == []


def test_a_batch_reverses_each_of_its_transfers(db: Connection, books: Books) -> None:
    ids = post_all(
        db, [(books.ama_wallet, books.kofi_wallet, amount, "sale", None) for amount in (1, 2, 3)]
    )
    undone = reverse(db, *ids)
    found = db.execute(
        "select reverses_transfer_id, amount from ledger.transfers where id = any (%s) order by id",
        [undone],
    ).fetchall()
    assert found == list(zip(ids, (1, 2, 3), strict=True))


def test_parallel_reversals_undo_once(fresh_db: FreshDatabase) -> None:
    with fresh_db.connect() as owner:
        books = make_books(owner)
        paid = post(owner, books.ama_wallet, books.kofi_wallet, 300)

        def attempt() -> Any:
            with fresh_db.connect() as conn:
                return reverse(conn, paid)

        assert refusals(together([attempt] * 8)) == ["already_reversed"] * 7
        assert read_account(owner, books.ama_wallet).posted == 1000
        assert broken_checks(owner) == []
