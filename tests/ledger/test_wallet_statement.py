"""LED-7: clients read their own wallets and statement, page by page, and nothing else."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from tests.support.books import Books
from tests.support.callers import Connection, as_user, call, one, refused
from tests.support.money import hold, open_wallet, post, reverse, settle, void
from tests.support.people import make_admin, make_user


def statement(db: Connection, user_id: UUID, **arguments: Any) -> list[dict[str, Any]]:
    names = ", ".join(f"{name} => %({name})s" for name in arguments)
    with as_user(db, user_id):
        rows: list[dict[str, Any]] = one(
            db,
            f"select coalesce(jsonb_agg(s), '[]') from public.wallet_statement({names}) as s",
            arguments,
        )
    return rows


def test_lines_come_newest_first_with_their_balance_and_cause(db: Connection, books: Books) -> None:
    post(db, books.ama_wallet, books.kofi_wallet, 300, cause="sale", cause_id=books.kofi)
    lines = statement(db, books.ama, currency="USD")
    shown = [(line["entry_no"], line["amount"], line["balance_after"]) for line in lines]
    assert shown == [(2, -300, 700), (1, 1000, 1000)]
    assert lines[0]["cause"] == "sale"
    assert lines[0]["cause_id"] == str(books.kofi)
    assert lines[0]["currency"] == "USD"


def test_pages_join_without_gap_or_repeat_while_new_lines_arrive(
    db: Connection, books: Books
) -> None:
    for amount in range(1, 26):
        post(db, books.ama_wallet, books.kofi_wallet, amount)
    seen: list[int] = []
    before = None
    while page := statement(db, books.kofi, currency="USD", before=before, max_rows=10):
        seen += [line["entry_no"] for line in page]
        before = seen[-1]
        post(db, books.ama_wallet, books.kofi_wallet, 1)
    assert seen == list(range(25, 0, -1))
    total = one(
        db, "select count(*) from ledger.entries where account_id = %s", [books.kofi_wallet]
    )
    assert total == 28


@pytest.mark.parametrize("before", [1, 0, -1, -(2**63)])
def test_before_the_first_line_there_is_nothing(db: Connection, books: Books, before: int) -> None:
    assert statement(db, books.ama, currency="USD", before=before) == []
    assert one(db, "select count(*) from ledger.entries where account_id = %s",
               [books.ama_wallet]) == 1  # fmt: skip


def test_any_number_beyond_the_newest_gives_the_newest(db: Connection, books: Books) -> None:
    assert len(statement(db, books.ama, currency="USD", before=2**63 - 1)) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        {"max_rows": 0},
        {"max_rows": -1},
        {"max_rows": 201},
        {"max_rows": 2**31 - 1},
        {"max_rows": None},
        {"currency": None},
        {"currency": ""},
        {"currency": "usd"},
        {"currency": "USD "},
        {"currency": "U" * 10_000_000},
        {"currency": "'; drop table ledger.entries; --"},
    ],
    ids=lambda arguments: str(arguments)[:40],
)
def test_bad_pages_are_refused(db: Connection, books: Books, arguments: dict[str, Any]) -> None:
    with as_user(db, books.ama), refused(db, "invalid_input"):
        call(db, "wallet_statement", **{"currency": "USD", **arguments})


def test_somebody_elses_currency_and_no_currency_answer_alike(db: Connection, books: Books) -> None:
    open_wallet(db, books.kofi, "GHS", balance=5)
    assert (
        statement(db, books.ama, currency="GHS") == statement(db, books.ama, currency="XXX") == []
    )
    assert len(statement(db, books.kofi, currency="GHS")) == 1


def test_nobody_sees_anybody_elses_money(db: Connection, books: Books) -> None:
    hold(db, books.ama_wallet, books.kofi_wallet, 10)
    strangers = [make_user(db), make_admin(db), make_user(db, anonymous=True), None]
    for stranger in strangers:
        with as_user(db, stranger):
            for table in ("public.wallets", "ledger.accounts", "ledger.entries"):
                assert one(db, f"select count(*) from {table}") == 0
    assert one(db, "select count(*) from ledger.entries") > 0
    assert one(db, "select count(*) from ledger.accounts where purpose = 'wallet'") == 2


def test_the_wallet_found_is_only_ever_the_callers(db: Connection, books: Books) -> None:
    find = "select ledger.own_wallet_id('USD')"
    for who, wallet in ((books.ama, books.ama_wallet), (books.kofi, books.kofi_wallet)):
        with as_user(db, who):
            assert one(db, find) == wallet
    with as_user(db, make_user(db)):
        assert one(db, find) is None
    with as_user(db, None), refused(db, "not_authenticated"):
        db.execute(find)


def test_a_person_sees_their_own_wallets_and_no_platform_account(
    db: Connection, books: Books
) -> None:
    hold(db, books.ama_wallet, books.kofi_wallet, 10)
    with as_user(db, books.ama):
        assert db.execute(
            "select currency, posted, held, available, pending, version from public.wallets"
        ).fetchall() == [("USD", 1000, 10, 990, 0, 1)]
        assert one(db, "select array_agg(id) from ledger.accounts") == [books.ama_wallet]
    with as_user(db, books.kofi):
        assert db.execute("select available, pending from public.wallets").fetchall() == [(0, 10)]


def test_pending_amounts_of_others_are_not_told(db: Connection, books: Books) -> None:
    hold(db, books.ama_wallet, books.kofi_wallet, 10)
    done, gone = (hold(db, books.ama_wallet, books.kofi_wallet, n) for n in (300, 400))
    settle(db, done)
    void(db, gone)
    asked = "select ledger.pending_amount(%s)"
    with as_user(db, books.ama):
        assert one(db, asked, [books.kofi_wallet]) == one(db, asked, [-1]) == 0
    with as_user(db, books.kofi):
        assert one(db, asked, [books.kofi_wallet]) == 10


@pytest.mark.parametrize("role", ["anon", "service_role"])
def test_other_api_roles_see_no_money_at_all(db: Connection, books: Books, role: str) -> None:
    with as_user(db, books.ama, role=role):
        for table in ("public.wallets", "ledger.accounts", "ledger.entries"):
            with refused(db, "42501"):
                db.execute(f"select * from {table}")
        with refused(db, "42501"):
            call(db, "wallet_statement", currency="USD")


def test_nobody_is_refused(db: Connection, books: Books) -> None:
    with as_user(db, None), refused(db, "not_authenticated"):
        call(db, "wallet_statement", currency="USD")


def test_the_rest_of_the_ledger_is_closed(db: Connection, books: Books) -> None:
    for role in ("anon", "authenticated", "service_role"):
        with as_user(db, books.ama, role=role):
            for table in ("ledger.transfers", "ledger.holds", "ledger.currencies"):
                with refused(db, "42501"):
                    db.execute(f"select * from {table}")
            for write in (
                lambda: post(db, books.kofi_wallet, books.ama_wallet, 1),
                lambda: hold(db, books.kofi_wallet, books.ama_wallet, 1),
                lambda: reverse(db, 1),
            ):
                with refused(db, "42501"):
                    write()


def test_a_wallet_cannot_be_written_through_its_view(db: Connection, books: Books) -> None:
    for role in ("anon", "authenticated", "service_role"):
        with as_user(db, books.ama, role=role):
            for change in (
                "update public.wallets set posted = 5",
                "delete from public.wallets",
                "insert into public.wallets (currency, posted) values ('USD', 5)",
                "update ledger.accounts set posted = 5",
                "update ledger.accounts set floor = null",
            ):
                with refused(db, "42501"):
                    db.execute(change)
    assert one(db, "select posted from ledger.accounts where id = %s", [books.ama_wallet]) == 1000
