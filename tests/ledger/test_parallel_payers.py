"""LED-6: hot platform accounts do not serialise the system, and nothing deadlocks."""

from __future__ import annotations

import random
from contextlib import ExitStack
from functools import partial
from typing import Any

from tests.support.books import make_books
from tests.support.callers import Connection, one, refused
from tests.support.databases import FreshDatabase
from tests.support.money import (
    account,
    broken_checks,
    fund,
    hold,
    open_wallet,
    post,
    post_all,
    read_account,
    settle,
    void,
)
from tests.support.parallel import refusals, together, wait_until_waiting
from tests.support.people import make_people

SLOTS = 16


def lock_slot(conn: Connection, amount: int, currency: str = "USD") -> int | None:
    found = one(conn, "select ledger.lock_pool_slot(%s, %s)", [currency, amount])
    return None if found is None else int(found)


def pool(conn: Connection) -> list[tuple[Any, ...]]:
    return conn.execute(
        "select posted, held from ledger.accounts where purpose = 'reward_pool'"
        " and currency = 'USD' order by slot"
    ).fetchall()


def test_sixteen_payers_hold_sixteen_slots_and_the_next_one_waits(
    fresh_db: FreshDatabase,
) -> None:
    with fresh_db.connect() as owner, ExitStack() as stack:
        fund(owner, 1600)
        payers = [fresh_db.connect(autocommit=False) for _ in range(SLOTS)]
        slots = []
        for payer in payers:
            payer.execute("set local lock_timeout = '10ms'")
            slots.append(lock_slot(payer, 100))
        assert len(set(slots)) == SLOTS
        assert None not in slots
        late = fresh_db.connect(autocommit=False)
        stack.callback(late.rollback)

        def wait_for_a_slot() -> int | None:
            return lock_slot(late, 100)

        def let_go() -> None:
            wait_until_waiting(owner, late.info.backend_pid)
            for payer in payers:
                payer.rollback()

        found, _ = together([wait_for_a_slot, let_go])
        assert found in slots


def test_only_slots_with_enough_money_are_taken(fresh_db: FreshDatabase) -> None:
    with fresh_db.connect() as owner:
        rich = account(owner, "reward_pool", slot=7)
        post(owner, account(owner, "funding"), rich, 50)
        for _ in range(20):
            assert lock_slot(owner, 50) == rich
        assert lock_slot(owner, 51) is None
        assert lock_slot(owner, 1, "XXX") is None


def test_held_money_of_a_slot_is_not_promised_twice(fresh_db: FreshDatabase) -> None:
    with fresh_db.connect() as owner:
        books = make_books(owner)
        fund(owner, 160)
        for _ in range(SLOTS):
            slot = lock_slot(owner, 10)
            hold(owner, slot, books.kofi_wallet, 10)
        assert pool(owner) == [(10, 10)] * SLOTS
        assert lock_slot(owner, 1) is None


def test_whoever_waited_for_a_slot_sees_that_it_was_emptied(fresh_db: FreshDatabase) -> None:
    with fresh_db.connect() as owner:
        books = make_books(owner)
        slot = account(owner, "reward_pool", slot=3)
        post(owner, account(owner, "funding"), slot, 100)
        first, second = (fresh_db.connect(autocommit=False) for _ in range(2))
        assert lock_slot(first, 60) == slot
        hold(first, slot, books.kofi_wallet, 60)

        def wait_for_it() -> int | None:
            return lock_slot(second, 60)

        def commit() -> None:
            wait_until_waiting(owner, second.info.backend_pid)
            first.commit()

        assert together([wait_for_it, commit]) == [None, None]
        second.rollback()


def seed_for(conn: Connection, starts: range) -> float:
    """A seed after which the session's next random() begins the search at one of these slots."""
    for n in range(1, 1000):
        conn.execute("select setseed(%s)", [n / 1000])
        if one(conn, "select floor(random() * 16)::integer") in starts:
            return n / 1000
    raise AssertionError("no such seed")


def test_payers_who_waited_for_slots_that_were_emptied_do_not_deadlock(
    fresh_db: FreshDatabase,
) -> None:
    """One waits for slot 3, one for slot 5; both come free without money."""
    with fresh_db.connect() as owner:
        books = make_books(owner)
        slots = [account(owner, "reward_pool", slot=n) for n in (3, 5)]
        for slot in slots:
            post(owner, account(owner, "funding"), slot, 100)
        emptiers = [fresh_db.connect(autocommit=False) for _ in slots]
        for emptier, slot in zip(emptiers, slots, strict=True):
            hold(emptier, slot, books.kofi_wallet, 100)
        waiters = [fresh_db.connect(autocommit=False) for _ in slots]
        for waiter, starts in zip(waiters, (range(4), range(4, 6)), strict=True):
            waiter.execute("select setseed(%s)", [seed_for(waiter, starts)])

        def empty_both() -> None:
            wait_until_waiting(owner, *(waiter.info.backend_pid for waiter in waiters))
            for emptier in emptiers:
                emptier.commit()

        results = together([*(partial(lock_slot, waiter, 60) for waiter in waiters), empty_both])
        assert results == [None, None, None]
        assert pool(owner)[3] == pool(owner)[5] == (100, 100)
        for waiter in waiters:
            waiter.rollback()


def test_parallel_payers_all_pay_and_no_minor_unit_is_lost(fresh_db: FreshDatabase) -> None:
    payers, rounds = 24, 8
    with fresh_db.connect() as owner:
        fund(owner, payers * rounds * 10 * 2)
        wallets = [open_wallet(owner, person) for person in make_people(owner, payers)]

        def pay(wallet: int) -> int:
            with fresh_db.connect(autocommit=False) as conn:
                for _ in range(rounds):
                    slot = lock_slot(conn, 10)
                    assert slot is not None
                    settle(conn, hold(conn, slot, wallet, 10))
                    conn.commit()
            return wallet

        results = together([partial(pay, wallet) for wallet in wallets])
        assert results == wallets
        for wallet in wallets:
            assert read_account(owner, wallet).posted == rounds * 10
        assert sum(posted for posted, _ in pool(owner)) == payers * rounds * 10
        assert broken_checks(owner) == []


def test_parallel_payers_stop_exactly_at_the_pools_end(fresh_db: FreshDatabase) -> None:
    with fresh_db.connect() as owner:
        books = make_books(owner)
        fund(owner, 20 * 10)
        post(owner, account(owner, "funding"), account(owner, "reward_pool", slot=5), 40)

        def pay() -> bool:
            with fresh_db.connect(autocommit=False) as conn:
                slot = lock_slot(conn, 10)
                if slot is not None:
                    hold(conn, slot, books.kofi_wallet, 10)
                conn.commit()
            return slot is not None

        paid = together([pay] * 30)
        left = [posted - held for posted, held in pool(owner)]
        assert refusals(paid) == []
        assert max(left) < 10
        assert sum(left) + 10 * paid.count(True) == 240
        assert broken_checks(owner) == []


def test_two_opposite_transfers_at_once_never_deadlock(fresh_db: FreshDatabase) -> None:
    rounds = 40
    with fresh_db.connect() as owner:
        books = make_books(owner)
        post(owner, books.funding, books.kofi_wallet, 1000)

        def send(debit: int, credit: int) -> int:
            with fresh_db.connect() as conn:
                for _ in range(rounds):
                    post(conn, debit, credit, 3)
            return rounds

        both = [(books.ama_wallet, books.kofi_wallet), (books.kofi_wallet, books.ama_wallet)]
        assert together([partial(send, *pair) for pair in both * 2]) == [rounds] * 4
        assert read_account(owner, books.ama_wallet).posted == 1000
        assert broken_checks(owner) == []


def test_two_opposite_transfers_wait_on_the_same_account_first(fresh_db: FreshDatabase) -> None:
    """The order is fixed here: whoever comes second waits before it holds anything."""
    with fresh_db.connect() as owner:
        books = make_books(owner)
        post(owner, books.funding, books.kofi_wallet, 1000)
        low, high = sorted((books.ama_wallet, books.kofi_wallet))
        first, second = (fresh_db.connect(autocommit=False) for _ in range(2))
        first.execute("select from ledger.accounts where id = %s for no key update", [low])

        def opposite() -> int:
            return post(second, high, low, 5)

        def take_the_other() -> int:
            wait_until_waiting(owner, second.info.backend_pid)
            done = post(first, low, high, 5)
            first.commit()
            return done

        results = together([opposite, take_the_other])
        second.commit()
        assert refusals(results) == []
        assert broken_checks(owner) == []


def test_crossing_batches_never_deadlock(fresh_db: FreshDatabase) -> None:
    with fresh_db.connect() as owner:
        people = make_people(owner, 8)
        wallets = [open_wallet(owner, person, balance=10_000) for person in people]

        def send(seed: int) -> int:
            dice = random.Random(seed)
            with fresh_db.connect() as conn:
                for _ in range(12):
                    pairs = [dice.sample(wallets, 2) for _ in range(5)]
                    post_all(conn, [(debit, credit, 1, "x", None) for debit, credit in pairs])
            return seed

        assert together([partial(send, seed) for seed in range(6)]) == list(range(6))
        assert sum(read_account(owner, wallet).posted for wallet in wallets) == 80_000
        assert broken_checks(owner) == []


def test_crossing_holds_never_deadlock(fresh_db: FreshDatabase) -> None:
    place = (
        "select ledger.place_holds(array(select row(d, c, 1, 'x', gen_random_uuid(), null)"
        "::ledger.hold_request from unnest(%s::bigint[], %s::bigint[]) as u (d, c)))"
    )
    with fresh_db.connect() as owner:
        people = make_people(owner, 8)
        wallets = [open_wallet(owner, person, balance=1000) for person in people]

        def promise_and_resolve(seed: int) -> int:
            dice = random.Random(seed)
            with fresh_db.connect() as conn:
                for _ in range(12):
                    debits = dice.sample(wallets, 5)
                    credits = [dice.choice([w for w in wallets if w != d]) for d in debits]
                    placed = one(conn, place, [debits, credits])
                    dice.shuffle(placed)
                    settle(conn, *placed[:3])
                    void(conn, *placed[3:])
            return seed

        results = together([partial(promise_and_resolve, seed) for seed in range(6)])
        assert results == list(range(6))
        assert one(owner, "select count(*) from ledger.holds where state = 'pending'") == 0
        assert broken_checks(owner) == []


def test_wallets_opened_at_once_for_the_same_people_are_opened_once(
    fresh_db: FreshDatabase,
) -> None:
    with fresh_db.connect() as owner:
        people = make_people(owner, 10)

        def open_all(seed: int) -> int:
            mixed = random.Random(seed).sample(people, len(people))
            with fresh_db.connect() as conn:
                conn.execute("select ledger.open_wallets(%s, 'USD')", [mixed])
            return seed

        assert together([partial(open_all, seed) for seed in range(8)]) == list(range(8))
        count = "select count(*) from ledger.accounts where purpose = 'wallet'"
        assert one(owner, count) == len(people)


def test_overspending_in_parallel_stops_at_the_floor(fresh_db: FreshDatabase) -> None:
    with fresh_db.connect() as owner:
        books = make_books(owner)

        def spend() -> int:
            with fresh_db.connect() as conn:
                return post(conn, books.ama_wallet, books.kofi_wallet, 300)

        assert refusals(together([spend] * 10)) == ["insufficient_funds"] * 7
        assert read_account(owner, books.ama_wallet).posted == 100
        with refused(owner, "insufficient_funds"):
            post(owner, books.ama_wallet, books.kofi_wallet, 101)
        assert broken_checks(owner) == []
