"""Staff overruling meets votes and the worker on the same people and the same money.

Each test stops the overruling half way, by holding one row it needs, lets the other go as far as
it can, and lets both finish: with one order of locks each does, without it one is a deadlock.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tests.consensus.crowd import (
    advance,
    begin,
    cast,
    change_rule,
    codes,
    freeze,
    fund_one_slot,
    meanwhile,
    rewards,
    settle_all,
    state_of,
)
from tests.consensus.invariants import broken
from tests.support.callers import Connection, call, one
from tests.support.databases import FreshDatabase
from tests.support.money import fund, open_wallet
from tests.support.people import make_moderator, make_people
from tests.support.work import submit, vote

NOON = "2026-03-01 12:00+00"


def overrule(clip: UUID) -> Any:
    return lambda conn: call(
        conn, "set_validation_status", clip_id=clip, status="invalid", reason="clipped"
    )


def ballot(clip: UUID) -> Any:
    return lambda conn: call(conn, "cast_vote", clip_id=clip, label="valid")


def settle(conn: Connection) -> int:
    return int(one(conn, "select consensus.settle_due_clips(10)"))


def hold_day_of(database: FreshDatabase, person: UUID) -> Connection:
    """Keep a person's day of rewards until this transaction ends."""
    conn = begin(database, None)
    conn.execute(
        "insert into consensus.reward_days (user_id, day, currency, promised)"
        " values (%s, (app.now() at time zone 'UTC')::date, 'USD', 0)",
        [person],
    )
    return conn


def overruled_for(owner: Connection, losers: list[UUID]) -> UUID:
    """A clip decided valid, with two who said invalid and are paid when staff say so."""
    change_rule(owner, min_votes=3)
    author, *agreeing = make_people(owner, 4)
    clip = submit(owner, author)
    cast(owner, losers, clip, "invalid")
    cast(owner, agreeing, clip, "valid")
    change_rule(owner, min_votes=2)
    return clip


def test_overruling_and_a_deciding_vote_on_the_last_slot_with_money(
    fresh_db: FreshDatabase,
) -> None:
    """LED-6, CON-8: the vote has the person's day and wants the slot, staff the other way."""
    owner = fresh_db.connect()
    freeze(owner, NOON)
    fund_one_slot(owner, 1_000)
    earlier, later = sorted(make_people(owner, 2))
    disputed = overruled_for(owner, [earlier, later])
    author, deciding = make_people(owner, 2)
    open_clip = submit(owner, author)
    vote(owner, later, open_clip)
    gate = hold_day_of(fresh_db, earlier)
    with meanwhile(
        fresh_db, (make_moderator(owner), overrule(disputed)), (deciding, ballot(open_clip))
    ) as answers:
        gate.rollback()
    assert codes(answer.result() for answer in answers) == []
    assert set(rewards(owner, disputed, "settled")) == {earlier, later}
    assert set(rewards(owner, open_clip)) == {author, later, deciding}
    assert broken(owner) == []


def test_overruling_waits_for_the_day_of_the_promise_before_it_takes_money(
    fresh_db: FreshDatabase,
) -> None:
    """LED-6, CON-7: what is given back goes to the day it was promised on, which another one may
    be counting up; whoever waits for it must not have a slot or a wallet yet."""
    owner = fresh_db.connect()
    freeze(owner, NOON)
    fund_one_slot(owner, 1_000)
    author, first, second = make_people(owner, 3)
    clip = submit(owner, author)
    cast(owner, [first, second], clip)
    promised_on = begin(fresh_db, None)
    promised_on.execute(
        "select from consensus.reward_days where user_id = %s for no key update", [second]
    )
    advance(owner, "1 day")
    with meanwhile(fresh_db, (make_moderator(owner), overrule(clip))) as (overruling,):
        assert not overruling.done()
        with owner.transaction(force_rollback=True):
            owner.execute("select from ledger.accounts for no key update nowait")
        promised_on.rollback()
    assert codes([overruling.result()]) == []
    assert one(owner, "select sum(promised) from consensus.reward_days") == 0
    assert broken(owner) == []


def test_overruling_what_was_paid_and_the_worker_paying_the_same_people(
    fresh_db: FreshDatabase,
) -> None:
    """LED-6, CON-8: staff take money from one wallet and give to another, the worker fills both."""
    owner = fresh_db.connect()
    freeze(owner, NOON)
    fund(owner)
    loser, other_loser, author, *agreeing = make_people(owner, 6)
    for person in (loser, author):
        open_wallet(owner, person)
    change_rule(owner, min_votes=3)
    paid = submit(owner, author)
    cast(owner, [loser, other_loser], paid, "invalid")
    cast(owner, agreeing, paid, "valid")
    change_rule(owner, min_votes=2)
    advance(owner, "7 days")
    assert settle_all(owner) == 1
    due = submit(owner, loser)
    cast(owner, [author, other_loser], due)
    advance(owner, "7 days")
    gate = hold_day_of(fresh_db, min(loser, other_loser))
    with meanwhile(fresh_db, (make_moderator(owner), overrule(paid)), (None, settle)) as answers:
        gate.rollback()
    assert codes(answer.result() for answer in answers) == []
    assert (state_of(owner, paid), state_of(owner, due)) == ("settled", "settled")
    assert broken(owner) == []


def test_two_of_staff_overruling_clips_of_the_same_people(fresh_db: FreshDatabase) -> None:
    """LED-6, CON-8: who gains by one loses by the other."""
    owner = fresh_db.connect()
    freeze(owner, NOON)
    fund(owner)
    people = make_people(owner, 4)
    for person in people:
        open_wallet(owner, person)
    first, second = (submit(owner, author) for author in make_people(owner, 2))
    change_rule(owner, min_votes=3, max_votes=9)
    extra = make_people(owner, 2)
    for clip, right, wrong in (
        (first, people[2:], people[:2]),
        (second, people[:2], people[2:]),
    ):
        cast(owner, wrong, clip, "invalid")
        cast(owner, [*right, extra[0]], clip, "valid")
    advance(owner, "7 days")
    assert settle_all(owner) == 2
    gate = hold_day_of(fresh_db, min(people[:2]))
    requests = [(make_moderator(owner), overrule(clip)) for clip in (first, second)]
    with meanwhile(fresh_db, *requests) as answers:
        gate.rollback()
    assert codes(answer.result() for answer in answers) == []
    assert broken(owner) == []
