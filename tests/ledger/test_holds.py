"""LED-3: a hold names both accounts and resolves exactly once; available = posted - holds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.support.books import Books, make_books
from tests.support.callers import Connection, one, refused
from tests.support.databases import FreshDatabase
from tests.support.money import (
    broken_checks,
    hold,
    open_wallet,
    post,
    read_account,
    settle,
    void,
)
from tests.support.parallel import refusals, together


def state_of(db: Connection, hold_id: int) -> tuple[Any, ...]:
    row = db.execute(
        "select state::text, settled_amount, resolved_at is not null"
        " from ledger.holds where id = %s",
        [hold_id],
    ).fetchone()
    assert row is not None
    return row


def expire(db: Connection, limit: int = 100) -> int:
    return int(one(db, "select ledger.expire_holds(%s)", [limit]))


def test_a_hold_takes_from_what_is_available_and_moves_nothing(
    db: Connection, books: Books
) -> None:
    promised = hold(db, books.ama_wallet, books.kofi_wallet, 400)
    assert state_of(db, promised) == ("pending", None, False)
    ama, kofi = read_account(db, books.ama_wallet), read_account(db, books.kofi_wallet)
    assert (ama.posted, ama.held, ama.available) == (1000, 400, 600)
    assert (kofi.posted, kofi.held) == (0, 0)
    assert broken_checks(db) == []


def test_held_money_cannot_be_spent_or_held_again(db: Connection, books: Books) -> None:
    hold(db, books.ama_wallet, books.kofi_wallet, 400)
    with refused(db, "insufficient_funds") as refusal:
        hold(db, books.ama_wallet, books.kofi_wallet, 601)
    assert refusal.status == 409
    with refused(db, "insufficient_funds"):
        post(db, books.ama_wallet, books.kofi_wallet, 601)
    hold(db, books.ama_wallet, books.kofi_wallet, 600)
    assert read_account(db, books.ama_wallet).available == 0


def test_promised_money_cannot_be_spent_by_its_receiver(db: Connection, books: Books) -> None:
    hold(db, books.ama_wallet, books.kofi_wallet, 400)
    with refused(db, "insufficient_funds"):
        post(db, books.kofi_wallet, books.revenue, 1)


def test_a_settled_hold_becomes_a_transfer_of_its_cause_and_time(
    db: Connection, books: Books
) -> None:
    db.execute("select app.freeze_clock('2030-01-01')")
    promised = hold(db, books.ama_wallet, books.kofi_wallet, 400)
    db.execute("select app.freeze_clock('2030-01-08')")
    (transfer,) = settle(db, promised)
    assert state_of(db, promised) == ("settled", 400, True)
    found = db.execute(
        "select t.debit_account_id, t.credit_account_id, t.amount, t.cause = h.cause,"
        " t.cause_id = h.cause_id, t.event_at = h.created_at, t.created_at::date::text"
        " from ledger.transfers as t inner join ledger.holds as h on h.id = t.hold_id"
        " where t.id = %s",
        [transfer],
    ).fetchone()
    assert found == (books.ama_wallet, books.kofi_wallet, 400, True, True, True, "2030-01-08")
    assert read_account(db, books.ama_wallet).held == 0
    assert read_account(db, books.kofi_wallet).posted == 400
    assert broken_checks(db) == []


def test_a_part_is_settled_and_the_rest_goes_back(db: Connection, books: Books) -> None:
    promised = hold(db, books.ama_wallet, books.kofi_wallet, 400)
    settle(db, promised, amounts=[150])
    assert state_of(db, promised) == ("settled", 150, True)
    ama = read_account(db, books.ama_wallet)
    assert (ama.posted, ama.held, ama.available) == (850, 0, 850)
    assert read_account(db, books.kofi_wallet).posted == 150
    assert broken_checks(db) == []


@pytest.mark.parametrize("part", [0, -1, 401, 2**62])
def test_no_more_and_no_less_than_a_part_is_settled(
    db: Connection, books: Books, part: int
) -> None:
    promised = hold(db, books.ama_wallet, books.kofi_wallet, 400)
    with refused(db, "invalid_transfer"):
        settle(db, promised, amounts=[part])
    assert state_of(db, promised) == ("pending", None, False)


def test_several_holds_settle_wholly_or_partly_in_one_call(db: Connection, books: Books) -> None:
    holds = [hold(db, books.ama_wallet, books.kofi_wallet, amount) for amount in (10, 20, 30)]
    transfers = settle(db, *holds, amounts=[None, 5, None])
    found = db.execute(
        "select hold_id, amount from ledger.transfers where id = any (%s) order by id", [transfers]
    ).fetchall()
    assert found == list(zip(holds, (10, 5, 30), strict=True))
    assert read_account(db, books.ama_wallet).held == 0
    assert broken_checks(db) == []


def test_several_holds_are_placed_all_or_none_and_in_their_order(
    db: Connection, books: Books
) -> None:
    place = (
        "select ledger.place_holds(array(select row(%s, %s, a, 'promise', gen_random_uuid(), null)"
        "::ledger.hold_request from unnest(%s::bigint[]) with ordinality as u (a, n) order by n))"
    )
    with refused(db, "insufficient_funds"):
        db.execute(place, [books.ama_wallet, books.kofi_wallet, [500, 501]])
    assert one(db, "select count(*) from ledger.holds") == 0
    ids = one(db, place, [books.ama_wallet, books.kofi_wallet, [300, 100, 200]])
    amounts = [one(db, "select amount from ledger.holds where id = %s", [each]) for each in ids]
    assert amounts == [300, 100, 200]
    assert read_account(db, books.ama_wallet).held == 600


@pytest.mark.parametrize("change", ["zero", "negative", "null", "same", "unknown", "currency"])
def test_what_is_no_hold_is_refused(db: Connection, books: Books, change: str) -> None:
    other = open_wallet(db, books.kofi, "GHS")
    arguments: tuple[int | None, int | None, int | None] = {
        "zero": (books.ama_wallet, books.kofi_wallet, 0),
        "negative": (books.ama_wallet, books.kofi_wallet, -1),
        "null": (books.ama_wallet, books.kofi_wallet, None),
        "same": (books.ama_wallet, books.ama_wallet, 1),
        "unknown": (books.ama_wallet, -1, 1),
        "currency": (books.ama_wallet, other, 1),
    }[change]
    with refused(db, "invalid_transfer"):
        hold(db, *arguments)
    assert read_account(db, books.ama_wallet).held == 0
    assert one(db, "select count(*) from ledger.holds") == 0


def test_a_voided_hold_gives_its_money_back(db: Connection, books: Books) -> None:
    promised = hold(db, books.ama_wallet, books.kofi_wallet, 400)
    void(db, promised)
    assert state_of(db, promised) == ("voided", None, True)
    assert read_account(db, books.ama_wallet).available == 1000
    assert one(db, "select count(*) from ledger.transfers where hold_id is not null") == 0
    assert broken_checks(db) == []


def test_only_holds_past_their_time_expire_and_in_bounds(db: Connection, books: Books) -> None:
    db.execute("select app.freeze_clock('2030-01-01 12:00+00')")
    past = [
        hold(db, books.ama_wallet, books.kofi_wallet, 10, expires_at=f"2030-01-01 11:5{n}+00")
        for n in range(3)
    ]
    now = hold(db, books.ama_wallet, books.kofi_wallet, 10, expires_at="2030-01-01 12:00+00")
    later = hold(db, books.ama_wallet, books.kofi_wallet, 10, expires_at="2030-01-01 12:01+00")
    never = hold(db, books.ama_wallet, books.kofi_wallet, 10)
    assert [expire(db, 2), expire(db, 2), expire(db, 2)] == [2, 2, 0]
    states = {each: state_of(db, each)[0] for each in (*past, now, later, never)}
    assert states == {**dict.fromkeys((*past, now), "expired"), later: "pending", never: "pending"}
    assert read_account(db, books.ama_wallet).held == 20
    assert broken_checks(db) == []


def test_a_hold_that_is_being_resolved_is_passed_over(fresh_db: FreshDatabase) -> None:
    """Whoever expires holds waits for nobody; the rest expires, this one is settled."""
    with fresh_db.connect() as owner:
        books = make_books(owner)
        busy, idle = (
            hold(owner, books.ama_wallet, books.kofi_wallet, 10, expires_at="2020-01-01")
            for _ in range(2)
        )
        resolver = fresh_db.connect(autocommit=False)
        resolver.execute("select from ledger.holds where id = %s for no key update", [busy])
        owner.execute("set lock_timeout = '100ms'")
        assert expire(owner) == 1
        assert state_of(owner, idle)[0] == "expired"
        settle(resolver, busy)
        resolver.commit()
        assert expire(owner) == 0
        assert state_of(owner, busy)[0] == "settled"


RESOLUTIONS: dict[str, Callable[[Connection, int], object]] = {
    "settled": settle,
    "partly settled": partial(settle, amounts=[1]),
    "voided": void,
    "expired": lambda db, hold_id: expire(db),
}


@pytest.mark.parametrize("second", ["settled", "partly settled", "voided"])
@pytest.mark.parametrize("first", RESOLUTIONS)
def test_a_resolved_hold_is_not_resolved_again(
    db: Connection, books: Books, first: str, second: str
) -> None:
    promised = hold(db, books.ama_wallet, books.kofi_wallet, 400, expires_at="2020-01-01")
    RESOLUTIONS[first](db, promised)
    before = (state_of(db, promised), read_account(db, books.ama_wallet))
    with refused(db, "hold_resolved") as refusal:
        RESOLUTIONS[second](db, promised)
    assert refusal.status == 409
    assert expire(db) == 0
    assert (state_of(db, promised), read_account(db, books.ama_wallet)) == before


def test_one_resolved_hold_refuses_the_whole_call(db: Connection, books: Books) -> None:
    done, open_ = (hold(db, books.ama_wallet, books.kofi_wallet, 10) for _ in range(2))
    void(db, done)
    for resolve in (settle, void):
        with refused(db, "hold_resolved"):
            resolve(db, done, open_)
    assert state_of(db, open_) == ("pending", None, False)


def test_a_hold_named_twice_or_unknown_is_refused(db: Connection, books: Books) -> None:
    promised = hold(db, books.ama_wallet, books.kofi_wallet, 10)
    for ids in ((promised, promised), (promised, 10**12)):
        for resolve in (settle, void):
            with refused(db, "hold_resolved"):
                resolve(db, *ids)
    assert state_of(db, promised) == ("pending", None, False)


@pytest.mark.parametrize("how", ["settle", "void", "mixed"])
def test_a_hold_resolves_once_under_parallel_attempts(fresh_db: FreshDatabase, how: str) -> None:
    with fresh_db.connect() as owner:
        books = make_books(owner)
        for _ in range(5):
            promised = hold(
                owner, books.ama_wallet, books.kofi_wallet, 100, expires_at="2020-01-01"
            )

            def attempt(name: str, hold_id: int = promised) -> Any:
                with fresh_db.connect() as conn:
                    if name == "settle":
                        return settle(conn, hold_id)
                    if name == "void":
                        return void(conn, hold_id)
                    return expire(conn)

            names = ["settle", "void", "expire"] * 3 if how == "mixed" else [how] * 8
            results = together([partial(attempt, name) for name in names])
            resolvers = [
                result for name, result in zip(names, results, strict=True) if name != "expire"
            ]
            expired = sum(
                result == 1 for name, result in zip(names, results, strict=True) if name == "expire"
            )
            failed = refusals(resolvers)
            assert set(failed) <= {"hold_resolved"}
            assert len(resolvers) - len(failed) + expired == 1
            assert refusals(results) == failed
        assert read_account(owner, books.ama_wallet).held == 0
        assert broken_checks(owner) == []


def test_only_as_many_parallel_holds_as_there_is_money(fresh_db: FreshDatabase) -> None:
    with fresh_db.connect() as owner:
        books = make_books(owner)

        def attempt() -> int:
            with fresh_db.connect() as conn:
                return hold(conn, books.ama_wallet, books.kofi_wallet, 150)

        results = together([attempt] * 12)
        assert refusals(results) == ["insufficient_funds"] * 6
        assert read_account(owner, books.ama_wallet).available == 100
        assert broken_checks(owner) == []
