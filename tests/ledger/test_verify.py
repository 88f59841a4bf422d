"""LED-8: verify() proves the books, and names what is wrong when somebody tampered with them."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.support.books import Books
from tests.support.callers import Connection, as_user, one, refused
from tests.support.money import broken_checks, fund, hold, post, reverse, settle, void

CHECKS = {
    "halves": "every transfer has one debit and one credit entry of its amount",
    "orphans": "every entry belongs to a transfer",
    "owners": "every entry names its account's owner",
    "zero": "entries of each currency sum to zero",
    "balance": "every account's balance is the sum of its entries",
    "numbers": "entry numbers have no gap and end at the account's version",
    "running": "every balance after an entry is the running sum",
    "held": "held amounts are the pending holds",
    "settled": "every settled hold has its transfer, and no other hold has one",
    "reversals": "every reversal is the opposite of its transfer",
    "floor": "no account is below its floor but by reversals",
    "debt": "reversal debts are what accounts lack",
}


@dataclass(frozen=True)
class Rows:
    """One row of each kind to tamper with."""

    paid: int
    settled_hold: int
    pending_hold: int
    voided_hold: int
    undone: int
    ama_wallet: int
    kofi_wallet: int


@pytest.fixture
def rows(db: Connection, books: Books) -> Rows:
    """Right books with some of everything in them, and every guard taken off."""
    fund(db)
    paid = post(db, books.ama_wallet, books.kofi_wallet, 100)
    post(db, books.ama_wallet, books.kofi_wallet, 40)
    done, open_, gone = (hold(db, books.ama_wallet, books.kofi_wallet, n) for n in (50, 60, 70))
    settle(db, done, amounts=[30])
    void(db, gone)
    (undone,) = reverse(db, paid)
    assert broken_checks(db) == []
    db.execute("set local session_replication_role = replica")
    for table in ("accounts", "entries", "transfers", "holds"):
        db.execute(f"alter table ledger.{table} disable trigger user")
    db.execute(
        "alter table ledger.accounts drop constraint accounts_above_floor,"
        " drop constraint accounts_held_not_negative"
    )
    return Rows(paid, done, open_, gone, undone, books.ama_wallet, books.kofi_wallet)


TAMPERINGS = [
    ("update ledger.entries set amount = amount + 1 where transfer_id = {paid} and amount > 0",
     {"halves", "zero", "balance", "running"}),
    ("update ledger.entries set amount = amount * 2 where transfer_id = {paid}",
     {"halves", "balance", "running"}),
    ("update ledger.transfers set amount = amount + 1 where id = {paid}",
     {"halves", "reversals"}),
    ("update ledger.transfers set debit_account_id = {kofi_wallet},"
     " credit_account_id = {ama_wallet} where id = {paid}",
     {"halves", "reversals"}),
    ("delete from ledger.entries where transfer_id = {paid}",
     {"halves", "orphans", "balance", "numbers", "running"}),
    ("delete from ledger.transfers where id = {undone}",
     {"orphans"}),
    ("update ledger.entries set owner_id = gen_random_uuid() where transfer_id = {paid}",
     {"owners"}),
    ("update ledger.entries set owner_id = null where transfer_id = {paid}",
     {"owners"}),
    ("with e as (insert into ledger.entries (account_id, version, owner_id, transfer_id, amount,"
     " balance_after, cause, event_at)"
     " select id, version + 1, owner_id, -1, 500, posted + 500, 'x', now()"
     " from ledger.accounts where id = {ama_wallet} returning account_id)"
     " update ledger.accounts as a set posted = posted + 500, version = version + 1"
     " from e where a.id = e.account_id",
     {"orphans", "zero"}),
    ("update ledger.accounts set posted = posted + 500 where id = {ama_wallet}",
     {"balance"}),
    ("update ledger.accounts set version = version + 1 where id = {ama_wallet}",
     {"numbers"}),
    ("update ledger.entries set version = version + 10 where account_id = {ama_wallet}"
     " and version = (select version from ledger.accounts where id = {ama_wallet})",
     {"numbers"}),
    ("update ledger.entries set balance_after = balance_after + 1 where transfer_id = {paid}",
     {"running"}),
    ("update ledger.accounts set currency = 'GHS' where id = {ama_wallet}",
     {"zero"}),
    ("update ledger.accounts set held = held - 60 where id = {ama_wallet}",
     {"held"}),
    ("delete from ledger.holds where id = {pending_hold}",
     {"held"}),
    ("update ledger.holds set amount = amount + 1 where id = {pending_hold}",
     {"held"}),
    ("update ledger.holds set state = 'pending', resolved_at = null where id = {voided_hold}",
     {"held"}),
    ("update ledger.holds set state = 'settled', settled_amount = 70 where id = {voided_hold}",
     {"settled"}),
    ("update ledger.holds set state = 'voided', settled_amount = null where id = {settled_hold}",
     {"settled"}),
    ("update ledger.holds set settled_amount = 31 where id = {settled_hold}",
     {"settled"}),
    ("update ledger.holds set credit_account_id = 1 where id = {settled_hold}",
     {"settled"}),
    ("update ledger.transfers set hold_id = {pending_hold} where id = {paid}",
     {"settled"}),
    ("update ledger.transfers set hold_id = null where hold_id = {settled_hold}",
     {"settled"}),
    ("update ledger.transfers set reverses_transfer_id = {paid} + 1 where id = {undone}",
     {"reversals"}),
    ("update ledger.accounts set floor = 100000 where id = {ama_wallet}",
     {"floor", "debt"}),
    ("update ledger.accounts set reversal_debt = 5000 where id = {kofi_wallet}",
     {"debt"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("tampering", "expected"), TAMPERINGS, ids=[sql[:60] for sql, _ in TAMPERINGS]
)
def test_each_tampering_is_found_and_named(
    db: Connection, rows: Rows, tampering: str, expected: set[str]
) -> None:
    changed = db.execute(tampering.format(**rows.__dict__))
    assert changed.rowcount > 0
    assert set(broken_checks(db)) == {CHECKS[each] for each in expected}


def test_every_check_is_shown_to_fail_by_some_tampering(db: Connection) -> None:
    names = {row[0] for row in db.execute("select check_name from ledger.verify()")}
    assert names == set(CHECKS.values())
    assert set().union(*(expected for _, expected in TAMPERINGS)) == set(CHECKS)


def test_violations_are_counted(db: Connection, rows: Rows) -> None:
    db.execute("update ledger.accounts set posted = posted + 1 where purpose = 'wallet'")
    found = one(
        db, "select violations from ledger.verify() where check_name = %s", [CHECKS["balance"]]
    )
    assert found == 2


def test_empty_books_are_right(db: Connection) -> None:
    assert one(db, "select count(*) from ledger.entries") == 0
    assert one(db, "select bool_and(holds) and sum(violations) = 0 from ledger.verify()") is True


def test_an_admin_tool_may_verify_and_clients_may_not(db: Connection, books: Books) -> None:
    with as_user(db, None, role="service_role"):
        assert broken_checks(db) == []
    for role in ("anon", "authenticated"):
        with as_user(db, books.ama, role=role), refused(db, "42501"):
            broken_checks(db)
