"""What decisions promise and pay: amounts, the day's cap, the pool, the waiting time."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from tests.consensus.crowd import (
    advance,
    cast,
    change_rule,
    freeze,
    fund_one_slot,
    posted,
    rewards,
    set_status,
    settle_all,
    state_of,
)
from tests.consensus.invariants import broken
from tests.support.callers import Connection, as_user, call, one
from tests.support.money import fund
from tests.support.people import make_moderator, make_people, make_user
from tests.support.work import submit, vote

NOON = "2026-03-01 12:00+00"


def wallet(db: Connection, person: UUID) -> tuple[Any, ...] | None:
    """A person's own wallet as they read it: posted, held, available, pending."""
    with as_user(db, person):
        return db.execute("select posted, held, available, pending from public.wallets").fetchone()


def withheld(db: Connection, clip: UUID) -> dict[UUID, tuple[str, int, str]]:
    rows = db.execute(
        "select user_id, cause, amount, why from consensus.withheld_rewards where clip_id = %s",
        [clip],
    ).fetchall()
    assert len({row[0] for row in rows}) == len(rows)
    return {row[0]: row[1:] for row in rows}


def decided_clip(db: Connection, author: UUID, label: str = "valid", **more: Any) -> UUID:
    clip = submit(db, author, **more)
    cast(db, make_people(db, 2), clip, label)
    return clip


def test_a_reward_is_held_first_and_shown_as_pending(db: Connection) -> None:
    """CON-7, LED-2: the pool keeps it back, the wallet shows it, nothing is booked."""
    fund(db, 1_600)
    author = make_user(db)
    clip = decided_clip(db, author)
    assert wallet(db, author) == (0, 0, 0, 10)
    assert one(db, "select sum(held)::int from ledger.accounts where purpose = 'reward_pool'") == (
        14
    )
    assert one(db, "select count(*) from ledger.transfers where cause_id = %s", [clip]) == 0
    with as_user(db, author):
        assert call(db, "wallet_statement", currency="USD") == []
    assert broken(db) == []


@pytest.mark.parametrize(("kind", "author_earns", "each"), [("voice", 10, 2), ("video", 25, 4)])
def test_the_author_of_a_valid_clip_and_agreeing_reviewers_are_paid(
    db: Connection, kind: str, author_earns: int, each: int
) -> None:
    """CON-7: by the kind's numbers; who disagreed is not."""
    fund(db)
    author, against, first, second = make_people(db, 4)
    clip = submit(db, author, kind=kind)
    vote(db, against, clip, "invalid")
    cast(db, [first, second], clip, "valid")
    assert rewards(db, clip) == {
        author: ("clip_author_reward", author_earns),
        first: ("clip_reviewer_reward", each),
        second: ("clip_reviewer_reward", each),
    }
    assert wallet(db, against) is None


def test_the_author_of_an_invalid_clip_is_not_paid(db: Connection) -> None:
    """CON-7: its reviewers are."""
    fund(db)
    author, first, second = make_people(db, 3)
    clip = submit(db, author)
    cast(db, [first, second], clip, "invalid")
    assert set(rewards(db, clip)) == {first, second}


def test_a_vote_that_was_changed_earns_by_what_it_became(db: Connection) -> None:
    """CON-1, CON-7."""
    fund(db)
    author, turned, second = make_people(db, 3)
    clip = submit(db, author)
    vote(db, turned, clip, "invalid")
    vote(db, turned, clip, "valid")
    vote(db, second, clip, "valid")
    assert set(rewards(db, clip)) == {author, turned, second}


@pytest.mark.parametrize(
    ("numbers", "paid"),
    [
        ({"author_reward": 0}, {"first", "second"}),
        ({"reviewer_reward": 0}, {"author"}),
        ({"author_reward": 0, "reviewer_reward": 0}, set()),
    ],
)
def test_a_reward_of_nothing_is_no_reward(
    db: Connection, numbers: dict[str, int], paid: set[str]
) -> None:
    """CON-7: no hold of zero, and nothing withheld either."""
    fund(db)
    change_rule(db, **numbers)
    author, first, second = make_people(db, 3)
    names = {author: "author", first: "first", second: "second"}
    clip = submit(db, author)
    cast(db, [first, second], clip)
    assert {names[person] for person in rewards(db, clip)} == paid
    assert withheld(db, clip) == {}
    assert state_of(db, clip) == "decided"


def test_a_reward_is_posted_when_its_time_has_come_and_not_before(db: Connection) -> None:
    """CON-7, LED-7."""
    freeze(db, NOON)
    fund(db)
    author = make_user(db)
    clip = decided_clip(db, author)
    advance(db, "6 days 23:59:59.999999")
    assert settle_all(db) == 0
    assert (state_of(db, clip), posted(db, author)) == ("decided", 0)
    advance(db, "0.000001 seconds")
    assert settle_all(db) == 1
    assert state_of(db, clip) == "settled"
    assert wallet(db, author) == (10, 0, 10, 0)
    with as_user(db, author):
        lines = db.execute(
            "select amount, balance_after, currency, cause, cause_id, event_at = %s,"
            " created_at = app.now() from public.wallet_statement('USD')",
            [NOON],
        ).fetchall()
    assert lines == [(10, 10, "USD", "clip_author_reward", clip, True, True)]
    assert one(
        db,
        "select payload from jobs.outbox where event = 'balance_updated' and topic = 'user:' || %s",
        [author],
    ) == {"currency": "USD", "posted": 10, "available": 10, "change": 10, "version": 1}
    assert settle_all(db) == 0
    assert broken(db) == []


def test_the_waiting_time_is_the_kinds(db: Connection) -> None:
    """CON-7: as it was at the decision."""
    fund(db)
    freeze(db, NOON)
    change_rule(db, settle_after="0 seconds")
    at_once_due = decided_clip(db, make_user(db))
    later = decided_clip(db, make_user(db), kind="video")
    change_rule(db, settle_after="30 days")
    assert settle_all(db) == 1
    assert (state_of(db, at_once_due), state_of(db, later)) == ("settled", "decided")


def test_settling_takes_the_oldest_first_and_no_more_than_asked(db: Connection) -> None:
    """CON-7: bounded work."""
    fund(db)
    freeze(db, NOON)
    first = decided_clip(db, make_user(db))
    advance(db, "1 minute")
    second = decided_clip(db, make_user(db))
    advance(db, "8 days")
    assert one(db, "select consensus.settle_due_clips(1)") == 1
    assert (state_of(db, first), state_of(db, second)) == ("settled", "decided")
    assert one(db, "select consensus.settle_due_clips(0)") == 0
    assert settle_all(db, 1) == 1
    assert broken(db) == []


def test_clips_nobody_is_paid_for_settle_too(db: Connection) -> None:
    """CON-7: the pool was empty; the decision becomes final all the same."""
    freeze(db, NOON)
    clip = decided_clip(db, make_user(db))
    advance(db, "7 days")
    assert settle_all(db) == 1
    assert state_of(db, clip) == "settled"
    assert broken(db) == []


def test_the_days_cap_is_exact_and_ends_with_the_utc_day(db: Connection) -> None:
    """CON-7: what would go over it is withheld as a whole; the decision stands."""
    fund(db)
    freeze(db, "2026-03-01 23:59:59+00")
    change_rule(db, daily_reward_cap=25)
    author = make_user(db)
    clips = [decided_clip(db, author) for _ in range(3)]
    assert [author in rewards(db, clip) for clip in clips] == [True, True, False]
    assert withheld(db, clips[2]) == {author: ("clip_author_reward", 10, "daily_cap")}
    assert len(rewards(db, clips[2])) == 2
    assert state_of(db, clips[2]) == "decided"
    day = "select promised from consensus.reward_days where user_id = %s and day = %s"
    assert one(db, day, [author, "2026-03-01"]) == 20
    assert broken(db) == []
    advance(db, "1 second")
    assert author in rewards(db, decided_clip(db, author))
    assert one(db, day, [author, "2026-03-02"]) == 10
    assert broken(db) == []


def test_the_cap_may_be_reached_to_the_last_unit(db: Connection) -> None:
    """CON-7: and smaller rewards still fit when a greater one does not."""
    fund(db)
    freeze(db, NOON)
    change_rule(db, daily_reward_cap=22)
    author, other = make_people(db, 2)
    for _ in range(2):
        decided_clip(db, author)
    assert author in withheld(db, decided_clip(db, author))
    reviewed = submit(db, other)
    cast(db, [author, make_user(db)], reviewed)
    assert rewards(db, reviewed)[author] == ("clip_reviewer_reward", 2)
    assert one(db, "select promised from consensus.reward_days where user_id = %s", [author]) == (
        22
    )
    assert broken(db) == []


def test_a_reward_above_the_cap_is_never_promised(db: Connection) -> None:
    """CON-7: nor by the first reward of the day."""
    fund(db)
    change_rule(db, daily_reward_cap=9)
    author = make_user(db)
    clip = decided_clip(db, author)
    assert withheld(db, clip) == {author: ("clip_author_reward", 10, "daily_cap")}
    assert broken(db) == []


def test_with_an_empty_pool_the_decision_stands_and_nothing_is_counted(db: Connection) -> None:
    """CON-7: rewards are withheld and say so; caps are not used up, no wallet is opened."""
    author, first, second = make_people(db, 3)
    clip = submit(db, author)
    cast(db, [first, second], clip)
    assert state_of(db, clip) == "decided"
    assert rewards(db, clip) == {}
    assert withheld(db, clip) == {
        author: ("clip_author_reward", 10, "pool_empty"),
        first: ("clip_reviewer_reward", 2, "pool_empty"),
        second: ("clip_reviewer_reward", 2, "pool_empty"),
    }
    assert one(db, "select coalesce(sum(promised), 0) from consensus.reward_days") == 0
    assert one(db, "select count(*) from ledger.accounts where purpose = 'wallet'") == 0
    assert one(db, "select count(*) from jobs.outbox where event = 'clip_decided'") == 3
    assert broken(db) == []
    fund(db)
    assert author in rewards(db, decided_clip(db, author))
    assert broken(db) == []


def test_a_pool_short_of_one_unit_pays_nobody_and_with_it_all(db: Connection) -> None:
    """CON-7: all of a decision's rewards or none."""
    fund_one_slot(db, 13)
    author = make_user(db)
    short = decided_clip(db, author)
    assert (rewards(db, short), len(withheld(db, short))) == ({}, 3)
    fund_one_slot(db, 1)
    paid = decided_clip(db, author)
    assert len(rewards(db, paid)) == 3
    assert one(
        db, "select sum(posted - held)::int from ledger.accounts where purpose = 'reward_pool'"
    ) == (0)
    assert broken(db) == []


def test_the_cap_and_an_empty_pool_are_told_apart(db: Connection) -> None:
    """CON-7."""
    change_rule(db, daily_reward_cap=5)
    author, first, second = make_people(db, 3)
    clip = submit(db, author)
    cast(db, [first, second], clip)
    assert {person: why for person, (_, _, why) in withheld(db, clip).items()} == {
        author: "daily_cap",
        first: "pool_empty",
        second: "pool_empty",
    }
    assert broken(db) == []


def test_what_nobody_may_have_any_more_needs_no_money(db: Connection) -> None:
    """CON-7: everybody at the cap and the pool empty: the cap is the reason."""
    change_rule(db, daily_reward_cap=1)
    clip = decided_clip(db, make_user(db))
    assert {why for _, _, why in withheld(db, clip).values()} == {"daily_cap"}
    assert broken(db) == []


def promised(db: Connection, person: UUID) -> dict[str, int]:
    """What a person's days count, by the day of March; days of nothing left out."""
    rows = db.execute(
        "select to_char(day, 'DD'), promised from consensus.reward_days"
        " where user_id = %s and promised <> 0",
        [person],
    )
    return dict(rows.fetchall())


@pytest.mark.parametrize("settled", [False, True])
def test_a_promise_taken_back_is_given_back_to_its_day(db: Connection, settled: bool) -> None:
    """CON-7: the day of the promise, also when it is taken back on another one."""
    freeze(db, NOON)
    fund(db)
    change_rule(db, settle_after="1 day")
    author = make_user(db)
    clip, other = decided_clip(db, author), decided_clip(db, author)
    assert promised(db, author) == {"01": 20}
    advance(db, "2 days")
    decided_clip(db, author)
    if settled:
        assert settle_all(db) == 2
    set_status(db, make_moderator(db), clip, "invalid")
    assert promised(db, author) == {"01": 10, "03": 10}
    assert broken(db) == []
    set_status(db, make_moderator(db), clip, "valid")
    assert promised(db, author) == {"01": 10, "03": 20}
    set_status(db, make_moderator(db), other, "pending")
    assert promised(db, author) == {"03": 20}
    assert broken(db) == []


def test_overruled_and_restored_within_a_tight_cap_the_author_is_paid(db: Connection) -> None:
    """CON-7: what was taken back does not use the cap up, however often."""
    freeze(db, NOON)
    fund(db)
    change_rule(db, daily_reward_cap=10)
    author = make_user(db)
    moderator = make_moderator(db)
    clip = decided_clip(db, author)
    for _ in range(3):
        set_status(db, moderator, clip, "invalid")
        assert (promised(db, author), posted(db, author)) == ({}, 0)
        set_status(db, moderator, clip, "valid")
        assert (promised(db, author), posted(db, author)) == ({"01": 10}, 10)
    assert withheld(db, clip) == {}
    assert author in withheld(db, decided_clip(db, author))
    assert broken(db) == []


def test_what_was_withheld_is_not_given_back(db: Connection) -> None:
    """CON-7: only what was promised can be taken back."""
    freeze(db, NOON)
    fund(db)
    change_rule(db, daily_reward_cap=10)
    author = make_user(db)
    decided_clip(db, author)
    clip = decided_clip(db, author)
    assert author in withheld(db, clip)
    set_status(db, make_moderator(db), clip, "invalid")
    assert promised(db, author) == {"01": 10}
    assert broken(db) == []
