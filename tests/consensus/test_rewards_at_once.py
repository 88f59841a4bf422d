"""Promising and settling rewards by many at the same moment."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.consensus.crowd import (
    advance,
    at_once,
    begin,
    cast,
    change_rule,
    codes,
    freeze,
    fund_one_slot,
    meanwhile,
    rewards,
    set_status,
    settle_all,
    state_of,
)
from tests.consensus.invariants import broken
from tests.support.callers import Connection, call, one
from tests.support.databases import FreshDatabase
from tests.support.money import account, fund
from tests.support.people import make_moderator, make_people
from tests.support.work import submit, vote

NOON = "2026-03-01 12:00+00"


def ballot(clip: UUID, label: str = "valid") -> Any:
    return lambda conn: call(conn, "cast_vote", clip_id=clip, label=label)[0]


def almost_decided(owner: Connection, author: UUID, count: int, first: UUID) -> list[UUID]:
    """Clips that one person has voted valid on, and one more vote decides."""
    clips = [submit(owner, author) for _ in range(count)]
    for clip in clips:
        vote(owner, first, clip)
    return clips


def decided(owner: Connection, count: int) -> list[UUID]:
    """Decided clips of several authors with their rewards held."""
    authors = make_people(owner, 4)
    voters = make_people(owner, 3)
    clips = [submit(owner, authors[n % 4]) for n in range(count)]
    for nth, clip in enumerate(clips):
        cast(owner, [voters[nth % 3], voters[(nth + 1) % 3]], clip)
    return clips


def test_the_cap_is_exact_when_many_clips_are_decided_at_once(fresh_db: FreshDatabase) -> None:
    """CON-7: five of one person's twenty rewards fit into the day, whichever come first."""
    owner = fresh_db.connect()
    fund(owner)
    freeze(owner, NOON)
    change_rule(owner, daily_reward_cap=11, author_reward=0)
    author, first, *voters = make_people(owner, 22)
    clips = almost_decided(owner, author, 20, first)
    answers = at_once(fresh_db, [(v, ballot(clip)) for v, clip in zip(voters, clips, strict=True)])
    assert codes(answers) == []
    assert sum(first in rewards(owner, clip) for clip in clips) == 5
    assert one(owner, "select promised from consensus.reward_days where user_id = %s", [first]) == (
        10
    )
    assert one(owner, "select count(*) from consensus.withheld_rewards") == 15
    assert broken(owner) == []


def test_wallets_are_opened_once_when_many_clips_are_decided_at_once(
    fresh_db: FreshDatabase,
) -> None:
    """CON-7, LED-2: author and reviewers are new to all twenty decisions."""
    owner = fresh_db.connect()
    fund(owner)
    author, first, *voters = make_people(owner, 7)
    clips = almost_decided(owner, author, 20, first)
    answers = at_once(fresh_db, [(voters[n % 5], ballot(clip)) for n, clip in enumerate(clips)])
    assert codes(answers) == []
    owners = owner.execute(
        "select owner_id from ledger.accounts where purpose = 'wallet'"
    ).fetchall()
    assert sorted(row[0] for row in owners) == sorted([author, first, *voters])
    assert broken(owner) == []


def test_the_last_money_of_the_pool_is_promised_once(fresh_db: FreshDatabase) -> None:
    """CON-7, LED-6: three decisions of twelve can be paid from one slot, three are."""
    owner = fresh_db.connect()
    fund_one_slot(owner, 3 * 14 + 13)
    authors, voters = make_people(owner, 12), make_people(owner, 24)
    clips = [submit(owner, author) for author in authors]
    for clip, voter in zip(clips, voters[:12], strict=True):
        vote(owner, voter, clip)
    answers = at_once(
        fresh_db, [(v, ballot(clip)) for v, clip in zip(voters[12:], clips, strict=True)]
    )
    assert codes(answers) == []
    assert sorted(len(rewards(owner, clip)) for clip in clips) == [0] * 9 + [3] * 3
    left = "select (posted - held)::int from ledger.accounts where id = %s"
    assert one(owner, left, [account(owner, "reward_pool")]) == 13
    assert broken(owner) == []


def test_deciders_take_different_slots_instead_of_waiting(fresh_db: FreshDatabase) -> None:
    """LED-6, CON-7: while one decision is not committed, others are paid from other slots."""
    owner = fresh_db.connect()
    fund(owner)
    first, *people = make_people(owner, 41)
    clips = []
    for author, voter in zip(people[:20], people[20:], strict=True):
        (clip,) = almost_decided(owner, author, 1, voter)
        clips.append(clip)
    late = make_people(owner, 15)
    slow = begin(fresh_db, first)
    ballot(clips[0])(slow)
    for voter, clip in zip(late, clips[1:], strict=False):
        with fresh_db.as_user(voter) as conn:
            conn.execute("set local lock_timeout = '1ms'")
            assert ballot(clip)(conn)[3] is True
    slow.commit()
    assert sum(len(rewards(owner, clip)) for clip in clips[:16]) == 48
    assert broken(owner) == []


def test_workers_at_once_settle_every_clip_exactly_once(fresh_db: FreshDatabase) -> None:
    """CON-7: four workers, small batches, people in common."""
    owner = fresh_db.connect()
    fund(owner)
    freeze(owner, NOON)
    clips = decided(owner, 24)
    advance(owner, "7 days")
    answers = at_once(fresh_db, [(None, lambda c: one_batch(c)) for _ in range(12)])
    assert codes(answers) == []
    settled = sum(answers) + settle_all(owner)
    assert settled == len(clips)
    assert {state_of(owner, clip) for clip in clips} == {"settled"}
    assert one(
        owner,
        "select count(*) from ledger.transfers as t inner join ledger.holds as h"
        " on h.id = t.hold_id where h.state = 'settled'",
    ) == 3 * len(clips)
    assert broken(owner) == []


def one_batch(conn: Connection) -> int:
    return int(one(conn, "select consensus.settle_due_clips(3)"))


def test_a_worker_does_not_wait_for_clips_another_settles(fresh_db: FreshDatabase) -> None:
    """CON-7: it takes others, and gets these when the first has given up."""
    owner = fresh_db.connect()
    fund(owner)
    freeze(owner, NOON)
    decided(owner, 6)
    advance(owner, "7 days")
    slow = begin(fresh_db, None)
    assert one(slow, "select consensus.settle_due_clips(6)") == 6
    owner.execute("set lock_timeout = '1ms'")
    assert one(owner, "select consensus.settle_due_clips(6)") == 0
    slow.rollback()
    assert one(owner, "select consensus.settle_due_clips(6)") == 6
    assert broken(owner) == []


def test_a_worker_killed_while_settling_leaves_the_work_to_the_next(
    fresh_db: FreshDatabase,
) -> None:
    """CON-7, JOB-8."""
    owner = fresh_db.connect()
    fund(owner)
    freeze(owner, NOON)
    decided(owner, 4)
    advance(owner, "7 days")
    events = "select count(*) from jobs.outbox where event = 'balance_updated'"
    killed = begin(fresh_db, None)
    assert one(killed, "select consensus.settle_due_clips(4)") == 4
    assert one(owner, "select pg_terminate_backend(%s, 60000)", [killed.info.backend_pid]) is True
    with pytest.raises(psycopg.OperationalError):
        killed.commit()
    assert one(owner, events) == 0
    assert broken(owner) == []
    assert settle_all(owner) == 4
    assert one(owner, events) > 0
    assert broken(owner) == []


@pytest.mark.parametrize("status", ["valid", "invalid", "pending"])
@pytest.mark.parametrize("first_is", ["worker", "staff"])
def test_staff_and_the_worker_on_one_clip_take_turns(
    fresh_db: FreshDatabase, status: str, first_is: str
) -> None:
    """CON-7, CON-8: the second sees what the first did; nobody is paid twice."""
    owner = fresh_db.connect()
    fund(owner)
    freeze(owner, NOON)
    moderator = make_moderator(owner)
    (clip,) = decided(owner, 1)
    advance(owner, "7 days")

    def staff(conn: Connection) -> Any:
        return call(conn, "set_validation_status", clip_id=clip, status=status, reason="heard")

    def worker(conn: Connection) -> int:
        return int(one(conn, "select consensus.settle_due_clips(10)"))

    requests = {"worker": (None, worker), "staff": (moderator, staff)}
    caller, action = requests.pop(first_is)
    slow = begin(fresh_db, caller)
    action(slow)
    with meanwhile(fresh_db, *requests.values()) as (second,):
        slow.commit()
    if first_is == "staff":
        assert second.result() == 0
    else:
        assert codes([second.result()]) == (["status_unchanged"] if status == "valid" else [])
    assert state_of(owner, clip) == ("open" if status == "pending" else "settled")
    assert one(owner, "select status::text from public.clips") == status
    assert broken(owner) == []


def test_staff_the_worker_and_voters_all_at_once(fresh_db: FreshDatabase) -> None:
    """CON-7, CON-8, LED-6: no deadlock, the books proved, each clip in one state."""
    owner = fresh_db.connect()
    fund(owner, 2_000)
    freeze(owner, NOON)
    staff = [make_moderator(owner) for _ in range(4)]
    people = make_people(owner, 6)
    clips = [submit(owner, people[n % 3]) for n in range(18)]
    for clip in clips:
        cast(owner, people[3:5], clip)
    advance(owner, "7 days")
    for clip in clips[12:]:
        set_status(owner, staff[0], clip, "pending")

    def overrule(clip: UUID, status: str) -> Any:
        return lambda conn: call(
            conn, "set_validation_status", clip_id=clip, status=status, reason="heard it"
        )

    requests: list[Any] = [(None, one_batch) for _ in range(6)]
    requests += [
        (staff[n % 4], overrule(clip, ["invalid", "pending", "valid"][n % 3]))
        for n, clip in enumerate(clips)
    ]
    requests += [(people[5], ballot(clip, "invalid")) for clip in clips[12:]]
    answers = at_once(fresh_db, requests)
    assert set(codes(answers)) <= {"already_decided", "clip_not_found", "status_unchanged"}
    assert broken(owner) == []
