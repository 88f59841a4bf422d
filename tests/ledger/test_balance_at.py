"""LED-4: what an account had at a past moment of the booking clock."""

from __future__ import annotations

from typing import Any

from tests.support.books import Books, make_books
from tests.support.callers import Connection, as_user, one, refused
from tests.support.databases import FreshDatabase
from tests.support.money import account, open_wallet, post, reverse
from tests.support.parallel import together, wait_until_waiting
from tests.support.people import make_user


def balance_at(db: Connection, account_id: int, at: str) -> int:
    return int(one(db, "select ledger.balance_at(%s, %s)", [account_id, at]))


def test_the_balance_of_each_past_moment_is_known(db: Connection, books: Books) -> None:
    db.execute("select app.freeze_clock('2030-01-01')")
    first = post(db, books.ama_wallet, books.kofi_wallet, 100)
    post(db, books.ama_wallet, books.kofi_wallet, 20)
    db.execute("select app.freeze_clock('2030-01-03')")
    reverse(db, first)
    for at, amount in (
        ("2029-12-31 23:59:59.999999+00", 0),
        ("2030-01-01", 120),
        ("2030-01-02", 120),
        ("2030-01-03", 20),
        ("infinity", 20),
        ("-infinity", 0),
    ):
        assert balance_at(db, books.kofi_wallet, at) == amount


BOOKED = (
    "select version, balance_after, created_at from ledger.entries where account_id = %s"
    " order by version"
)


def test_what_waited_for_its_locks_is_booked_after_what_it_waited_for(
    fresh_db: FreshDatabase,
) -> None:
    """A transaction's time is that of its begin; the one that began first may book last, and then
    the balance at a moment would be one that never was."""
    with fresh_db.connect() as owner:
        books = make_books(owner)
        early, late = (fresh_db.connect(autocommit=False) for _ in range(2))
        began = one(early, "select app.now()")
        assert one(late, "select app.now()") > began
        post(late, books.ama_wallet, books.kofi_wallet, 100)

        def book_early() -> Any:
            post(early, books.ama_wallet, books.kofi_wallet, 20)
            early.commit()

        def let_it() -> None:
            wait_until_waiting(owner, early.info.backend_pid)
            late.commit()

        together([book_early, let_it])
        lines = owner.execute(BOOKED, [books.kofi_wallet]).fetchall()
        assert [line[:2] for line in lines] == [(1, 100), (2, 120)]
        assert lines[1][2] >= lines[0][2] > began
        assert balance_at(owner, books.kofi_wallet, str(began)) == 0
        assert balance_at(owner, books.kofi_wallet, str(lines[1][2])) == 120
        assert one(
            owner, "select count(distinct created_at) from ledger.transfers where created_at = %s",
            [lines[1][2]],
        ) == 1  # fmt: skip


def test_each_account_of_a_call_is_booked_after_all_of_them(db: Connection, books: Books) -> None:
    """Both entries of a transfer, and all transfers of a call, have one time."""
    db.execute("select app.freeze_clock('2030-01-03')")
    post(db, account(db, "funding"), books.ama_wallet, 5)
    db.execute("select app.freeze_clock('2030-01-02')")
    fresh = open_wallet(db, make_user(db))
    post(db, books.ama_wallet, fresh, 5)
    assert one(db, "select created_at = '2030-01-03' from ledger.entries where account_id = %s",
               [fresh]) is True  # fmt: skip
    assert one(
        db,
        "select bool_and(ordered) from (select created_at >= lag(created_at, 1, '-infinity')"
        " over (partition by account_id order by version) as ordered from ledger.entries) as e",
    ) is True  # fmt: skip


def test_an_unknown_account_had_nothing(db: Connection) -> None:
    assert balance_at(db, -1, "infinity") == 0


def test_the_newest_balance_is_the_accounts_own(db: Connection, books: Books) -> None:
    post(db, books.ama_wallet, books.kofi_wallet, 100)
    wrong = one(
        db,
        "select count(*) from ledger.accounts as a"
        " where a.posted <> ledger.balance_at(a.id, 'infinity')",
    )
    assert wrong == 0


def test_no_client_may_ask(db: Connection, books: Books) -> None:
    for role in ("anon", "authenticated", "service_role"):
        with as_user(db, books.ama, role=role), refused(db, "42501"):
            balance_at(db, books.ama_wallet, "infinity")
