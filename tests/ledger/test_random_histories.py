"""LED-1 to LED-8: whatever happens in whatever order, the books stay right.

One test compares random histories with a model in Python; the other plays them from several
connections at once while backends are killed.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.callers import Connection, Refusal, one
from tests.support.databases import FreshDatabase
from tests.support.money import (
    account,
    broken_checks,
    fund,
    hold,
    open_wallet,
    post,
    read_account,
    reverse,
    settle,
    void,
)
from tests.support.parallel import together
from tests.support.people import make_people

WALLETS = 3
PLATFORM = ("funding", "revenue")

amounts = st.one_of(st.integers(1, 400), st.sampled_from([0, -5]))
places = st.integers(0, WALLETS + len(PLATFORM) - 1)
picks = st.integers(0, 30)
steps = st.one_of(
    st.tuples(st.just("post"), places, places, amounts),
    st.tuples(st.just("hold"), places, places, amounts, st.booleans()),
    st.tuples(st.just("settle"), picks, st.one_of(st.none(), st.integers(0, 400))),
    st.tuples(st.just("void"), picks),
    st.tuples(st.just("expire")),
    st.tuples(st.just("reverse"), picks),
)


@dataclass
class Place:
    """An account of the model."""

    floor: int | None
    posted: int = 0
    held: int = 0
    version: int = 0

    @property
    def lack(self) -> int:
        """How far it is below its floor."""
        return 0 if self.floor is None else max(0, self.floor - (self.posted - self.held))


@dataclass
class Promise:
    id: int
    debit: int
    credit: int
    amount: int
    expires: bool
    state: str = "pending"


@dataclass
class Payment:
    id: int
    debit: int
    credit: int
    amount: int
    is_reversal: bool = False
    is_reversed: bool = False


@dataclass
class Model:
    """What the books must be after each step; each step gives the code it must be refused with."""

    ids: list[int]
    places: list[Place]
    promises: list[Promise] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    told: int = 0

    def play(self, conn: Connection, step: tuple[Any, ...]) -> None:
        expected, run = getattr(self, step[0])(*step[1:])
        code = None
        try:
            with conn.transaction():
                run(conn)
        except psycopg.Error as error:
            code = Refusal.of(error).code
        assert code == expected, step

    def post(self, debit: int, credit: int, amount: int) -> Any:
        if amount <= 0 or debit == credit:
            code: str | None = "invalid_transfer"
        elif self.would_lack_more(debit, amount):
            code = "insufficient_funds"
        else:
            code = None

        def run(conn: Connection) -> None:
            made = post(conn, self.ids[debit], self.ids[credit], amount)
            self.moved(Payment(made, debit, credit, amount))

        return code, run

    def hold(self, debit: int, credit: int, amount: int, expires: bool) -> Any:
        place = self.places[debit]
        if amount <= 0 or debit == credit:
            code: str | None = "invalid_transfer"
        elif place.floor is not None and place.posted - place.held - amount < place.floor:
            code = "insufficient_funds"
        else:
            code = None

        def run(conn: Connection) -> None:
            made = hold(
                conn,
                self.ids[debit],
                self.ids[credit],
                amount,
                expires_at="2020-01-01" if expires else None,
            )
            self.promises.append(Promise(made, debit, credit, amount, expires))
            place.held += amount

        return code, run

    def settle(self, pick: int, part: int | None) -> Any:
        promise = self.promise(pick)
        if promise is None or promise.state != "pending":
            code: str | None = "hold_resolved"
        elif part is not None and not 1 <= part <= promise.amount:
            code = "invalid_transfer"
        else:
            code = None

        def run(conn: Connection) -> None:
            ids = settle(conn, promise.id if promise else -1, amounts=[part])
            assert promise is not None
            promise.state = "settled"
            self.places[promise.debit].held -= promise.amount
            moved = promise.amount if part is None else part
            self.moved(Payment(ids[0], promise.debit, promise.credit, moved))

        return code, run

    def void(self, pick: int) -> Any:
        promise = self.promise(pick)
        pending = promise is not None and promise.state == "pending"

        def run(conn: Connection) -> None:
            void(conn, promise.id if promise else -1)
            assert promise is not None
            promise.state = "voided"
            self.places[promise.debit].held -= promise.amount

        return None if pending else "hold_resolved", run

    def expire(self) -> Any:
        due = [each for each in self.promises if each.expires and each.state == "pending"]

        def run(conn: Connection) -> None:
            assert one(conn, "select ledger.expire_holds(1000)") == len(due)
            for promise in due:
                promise.state = "expired"
                self.places[promise.debit].held -= promise.amount

        return None, run

    def reverse(self, pick: int) -> Any:
        payment = self.payments[pick % len(self.payments)] if self.payments else None
        if payment is None or payment.is_reversal:
            code: str | None = "invalid_transfer"
        else:
            code = "already_reversed" if payment.is_reversed else None

        def run(conn: Connection) -> None:
            ids = reverse(conn, payment.id if payment else -1)
            assert payment is not None
            payment.is_reversed = True
            self.moved(
                Payment(ids[0], payment.credit, payment.debit, payment.amount, is_reversal=True)
            )

        return code, run

    def promise(self, pick: int) -> Promise | None:
        return self.promises[pick % len(self.promises)] if self.promises else None

    def would_lack_more(self, place: int, amount: int) -> bool:
        before = self.places[place]
        after = Place(before.floor, before.posted - amount, before.held)
        return after.lack > before.lack

    def moved(self, payment: Payment) -> None:
        self.payments.append(payment)
        for place, amount in ((payment.debit, -payment.amount), (payment.credit, payment.amount)):
            self.places[place].posted += amount
            self.places[place].version += 1
            self.told += place < WALLETS

    def compare(self, conn: Connection) -> None:
        """The database says the same as the model."""
        for account_id, place in zip(self.ids, self.places, strict=True):
            found = read_account(conn, account_id)
            assert (found.posted, found.held, found.reversal_debt, found.version) == (
                place.posted,
                place.held,
                place.lack,
                place.version,
            )
        states = {each.id: each.state for each in self.promises}
        assert states == dict(conn.execute("select id, state::text from ledger.holds").fetchall())


@given(history=st.lists(steps, max_size=20))
@settings(
    max_examples=80,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_random_histories_keep_every_invariant(
    db: Connection, history: list[tuple[Any, ...]]
) -> None:
    with db.transaction(force_rollback=True):
        people = make_people(db, WALLETS)
        ids = [open_wallet(db, person) for person in people]
        ids += [account(db, purpose) for purpose in PLATFORM]
        model = Model(ids, [Place(0) for _ in people] + [Place(None) for _ in PLATFORM])
        for wallet in range(WALLETS):
            model.play(db, ("post", WALLETS, wallet, 300))
        for step in history:
            model.play(db, step)
        model.compare(db)
        assert broken_checks(db) == []
        assert one(db, "select count(*) from jobs.outbox") == model.told


ALLOWED = {"insufficient_funds", "hold_resolved", "already_reversed", "invalid_transfer"}
WORKERS = 6
STEPS = 60
KILL_EVERY = 9


@dataclass
class History:
    """What several workers did at once, and what they know of it."""

    database: FreshDatabase
    wallets: list[int]
    holds: list[int] = field(default_factory=list)
    transfers: list[int] = field(default_factory=list)
    done: Counter[UUID] = field(default_factory=Counter)
    unknown: set[UUID] = field(default_factory=set)
    resolved: list[tuple[int, str]] = field(default_factory=list)
    reversed: list[int] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    pids: dict[int, int] = field(default_factory=dict)
    stepped: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def work(self, worker: int, seed: int) -> None:
        """Take random steps; after a kill, connect again and go on."""
        dice = random.Random(f"{seed}-{worker}")
        conn = self.connect(worker)
        try:
            for _ in range(STEPS):
                mark = uuid4()
                step = self.choose(dice)
                try:
                    step(conn, mark)
                except psycopg.OperationalError:
                    self.unknown.add(mark)
                    conn.close()
                    conn = self.connect(worker)
                except psycopg.Error as error:
                    self.refused[Refusal.of(error).code] += 1
                self.stepped.release()
        finally:
            conn.close()

    def connect(self, worker: int) -> Connection:
        conn = psycopg.connect(self.database.url, autocommit=True)
        self.pids[worker] = conn.info.backend_pid
        return conn

    def kill(self, seed: int) -> int:
        """After every few steps of anybody, end one backend in the middle of whatever it does."""
        dice = random.Random(seed)
        kills = 0
        with psycopg.connect(self.database.url, autocommit=True) as owner:
            for nth in range(WORKERS * STEPS):
                assert self.stepped.acquire(timeout=60)
                if nth % KILL_EVERY == 0:
                    pid = dice.choice(sorted(self.pids.values()))
                    kills += one(owner, "select pg_terminate_backend(%s)", [pid])
        return kills

    def choose(self, dice: random.Random) -> Callable[[Connection, UUID], None]:
        debit, credit = dice.sample(self.wallets, 2)
        amount = dice.randint(1, 120)
        kind = dice.choice(["post", "post", "hold", "hold", "pay", "settle", "void", "reverse",
                            "expire"])  # fmt: skip
        some_hold = dice.choice(self.holds) if self.holds else -1
        some_transfer = dice.choice(self.transfers) if self.transfers else -1
        part = dice.choice([None, 1])

        def step(conn: Connection, mark: UUID) -> None:
            if kind == "post":
                self.transfers.append(post(conn, debit, credit, amount, "step", mark))
                self.done[mark] += 1
            elif kind == "hold":
                expires_at = "2020-01-01" if amount % 3 == 0 else None
                self.holds.append(
                    hold(conn, debit, credit, amount, cause_id=mark, expires_at=expires_at)
                )
                self.done[mark] += 1
            elif kind == "pay":
                with conn.transaction():
                    slot = one(conn, "select ledger.lock_pool_slot('USD', %s)", [amount])
                    made = slot and post(conn, slot, credit, amount, "step", mark)
                if made:
                    self.transfers.append(made)
                    self.done[mark] += 1
            elif kind == "settle":
                settle(conn, some_hold, amounts=[part])
                self.resolved.append((some_hold, "settled"))
            elif kind == "void":
                void(conn, some_hold)
                self.resolved.append((some_hold, "voided"))
            elif kind == "reverse":
                reverse(conn, some_transfer)
                self.reversed.append(some_transfer)
            else:
                one(conn, "select ledger.expire_holds(3)")

        return step


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_parallel_histories_with_killed_backends_keep_the_books(
    fresh_db: FreshDatabase, seed: int
) -> None:
    with fresh_db.connect() as owner:
        fund(owner, 16 * 300)
        wallets = [open_wallet(owner, person, balance=500) for person in make_people(owner, 5)]
        history = History(fresh_db, wallets)
        workers = [partial(history.work, n, seed) for n in range(WORKERS)]
        *_, kills = together([*workers, partial(history.kill, seed)])

        assert isinstance(kills, int)
        assert kills > 0
        assert broken_checks(owner) == []
        assert set(history.refused) <= ALLOWED
        assert len(history.done) > WORKERS * STEPS / 4

        made: Counter[UUID] = Counter()
        for query in (
            "select cause_id from ledger.transfers where cause = 'step'",
            "select cause_id from ledger.holds",
        ):
            made.update(row[0] for row in owner.execute(query))
        assert set(made.values()) == {1}
        assert set(history.done.values()) == {1}
        assert set(history.done) <= set(made) <= set(history.done) | history.unknown

        states: dict[int, str] = dict(
            owner.execute("select id, state::text from ledger.holds").fetchall()
        )
        assert max(Counter(hold_id for hold_id, _ in history.resolved).values()) == 1
        assert [each for each in history.resolved if states[each[0]] != each[1]] == []
        assert max(Counter(history.reversed).values(), default=1) == 1
        told = one(owner, "select count(*) from jobs.outbox")
        changed = one(
            owner,
            "select count(*) from ledger.entries as e inner join ledger.accounts as a"
            " on a.id = e.account_id where a.purpose = 'wallet'",
        )
        assert told == changed
