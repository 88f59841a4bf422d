"""cast_vote by many people at the same moment, and cut off in the middle."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.consensus.crowd import (
    at_once,
    begin,
    change_rule,
    codes,
    everything,
    item,
    meanwhile,
    rewards,
)
from tests.consensus.invariants import broken
from tests.support.callers import Connection, Refusal, become, call, one
from tests.support.databases import FreshDatabase
from tests.support.money import fund
from tests.support.people import make_moderator, make_people
from tests.support.work import submit, vote


def ballot(clip: UUID, label: str = "valid") -> Any:
    """A request that votes."""
    return lambda conn: call(conn, "cast_vote", clip_id=clip, label=label)[0]


def test_fifty_deciding_votes_make_one_decision(fresh_db: FreshDatabase) -> None:
    """CON-1, CON-6: one vote decides; one set of rewards; the others come too late."""
    owner = fresh_db.connect()
    fund(owner)
    author, first, *voters = make_people(owner, 52)
    clip = submit(owner, author)
    vote(owner, first, clip)
    answers = at_once(fresh_db, [(voter, ballot(clip)) for voter in voters])
    assert codes(answers) == ["already_decided"] * 49
    winner = next(
        voter
        for voter, answer in zip(voters, answers, strict=True)
        if not isinstance(answer, Refusal)
    )
    assert one(owner, "select count(*) from public.votes") == 2
    assert one(owner, "select count(*) from consensus.decisions") == 1
    assert one(owner, "select count(*) from audit.events where action = 'clip_decided'") == 1
    assert one(owner, "select count(*) from jobs.outbox") == 3
    assert rewards(owner, clip) == {
        author: ("clip_author_reward", 10),
        first: ("clip_reviewer_reward", 2),
        winner: ("clip_reviewer_reward", 2),
    }
    assert broken(owner) == []


def test_fifty_votes_of_one_person_count_once(fresh_db: FreshDatabase) -> None:
    """CON-1."""
    owner = fresh_db.connect()
    author, voter = make_people(owner, 2)
    clip = submit(owner, author)
    labels = ["valid", "invalid"] * 25
    answers = at_once(fresh_db, [(voter, ballot(clip, label)) for label in labels])
    assert codes(answers) == []
    assert sum(item(owner, clip).tally) == 1
    assert one(owner, "select count(*) from public.votes") == 1
    assert broken(owner) == []


def test_the_cap_is_never_passed(fresh_db: FreshDatabase) -> None:
    """CON-2: of thirty opinions at once, four are heard."""
    owner = fresh_db.connect()
    labels = ["valid", "invalid", *(f"label {n}" for n in range(28))]
    change_rule(owner, labels=labels, validating_labels=labels[:1], min_votes=3, max_votes=4)
    author, *voters = make_people(owner, 31)
    clip = submit(owner, author)
    answers = at_once(
        fresh_db, [(v, ballot(clip, label)) for v, label in zip(voters, labels, strict=True)]
    )
    assert codes(answers) == ["clip_not_found"] * 26
    assert (item(owner, clip).state, sum(item(owner, clip).tally)) == ("disputed", 4)
    assert broken(owner) == []


def test_many_voters_on_many_clips_do_not_deadlock(fresh_db: FreshDatabase) -> None:
    """CON-6, LED-6: everybody in another order, in one small pool; everything adds up."""
    owner = fresh_db.connect()
    fund(owner, 1_000)
    people = make_people(owner, 24)
    clips = {submit(owner, author): author for author in people[:8] for _ in range(3)}
    chance = random.Random(20260301)
    plans = {person: chance.sample(list(clips), len(clips)) for person in people}
    labels = {
        (person, clip): chance.choices(["valid", "invalid"], [3, 1])[0]
        for person in people
        for clip in clips
    }

    def take_part(person: UUID) -> Counter[str]:
        seen: Counter[str] = Counter()
        with psycopg.connect(fresh_db.url_of("authenticator"), autocommit=True) as conn:
            for clip in plans[person]:
                try:
                    with conn.transaction():
                        become(conn, person)
                        ballot(clip, labels[person, clip])(conn)
                    seen["cast"] += 1
                except psycopg.Error as error:
                    seen[Refusal.of(error).code] += 1
        return seen

    with ThreadPoolExecutor(len(people)) as threads:
        seen = sum(threads.map(take_part, people), Counter[str]())
    # clip_not_found: rejected before this person met it
    assert set(seen) - {"clip_not_found"} == {"cast", "already_decided", "own_clip"}
    assert seen["own_clip"] <= len(clips)
    assert one(owner, "select count(*) from public.votes") == seen["cast"]
    assert one(owner, "select count(*) from consensus.items where state = 'decided'") == len(clips)
    assert broken(owner) == []


def test_a_late_vote_waits_for_the_decision_and_is_told_so(fresh_db: FreshDatabase) -> None:
    """CON-1: and when the deciding vote is taken back, the waiting one counts."""
    owner = fresh_db.connect()
    fund(owner)
    author, first, second, third = make_people(owner, 4)
    for end, code, tally in (("rollback", None, [2, 0]), ("commit", "already_decided", [2, 0])):
        clip = submit(owner, author)
        vote(owner, first, clip)
        deciding = begin(fresh_db, second)
        assert ballot(clip)(deciding)[3] is True
        with meanwhile(fresh_db, (third, ballot(clip))) as (late,):
            getattr(deciding, end)()
        answer = late.result()
        assert (answer.code if isinstance(answer, Refusal) else None) == code
        assert item(owner, clip).tally == tally
    assert broken(owner) == []


def one_vote_from_a_decision(owner: Connection) -> tuple[UUID, UUID]:
    """A clip that the next vote decides, with rewards to be held, and who will cast it."""
    fund(owner)
    author, first, second = make_people(owner, 3)
    clip = submit(owner, author)
    vote(owner, first, clip)
    return clip, second


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {table for table in after if after[table] != before[table]}


WRITTEN = {
    "audit.events", "consensus.decisions", "consensus.items", "consensus.reward_days",
    "jobs.outbox", "ledger.accounts", "ledger.holds", "public.clips", "public.votes",
}  # fmt: skip


@pytest.mark.parametrize("end", ["commit", "rollback", "kill"])
def test_a_deciding_vote_leaves_all_of_it_or_nothing(fresh_db: FreshDatabase, end: str) -> None:
    """CON-6, JOB-1: taken back, or its backend killed before the commit: not an outbox row."""
    owner = fresh_db.connect()
    clip, voter = one_vote_from_a_decision(owner)
    before = everything(owner)
    conn = begin(fresh_db, voter)
    assert ballot(clip)(conn)[3] is True
    assert everything(owner) == before
    if end == "kill":
        gone = "select pg_terminate_backend(%s, 60000)"
        assert one(owner, gone, [conn.info.backend_pid]) is True
        with pytest.raises(psycopg.OperationalError):
            conn.commit()
    else:
        getattr(conn, end)()
    assert changed(before, everything(owner)) == (WRITTEN if end == "commit" else set())
    assert broken(owner) == []
    if end != "commit":
        assert vote(owner, voter, clip)["is_decided"] is True
        assert changed(before, everything(owner)) == WRITTEN
    assert broken(owner) == []


@pytest.mark.parametrize("table", sorted(WRITTEN))
def test_a_failure_anywhere_undoes_the_whole_vote(fresh_db: FreshDatabase, table: str) -> None:
    """CON-6: whichever of the writes fails, none of the others stays."""
    owner = fresh_db.connect()
    clip, voter = one_vote_from_a_decision(owner)
    owner.execute(
        "create function public.break_it() returns trigger language plpgsql as"
        " $$ begin raise exception 'broken on purpose'; end $$"
    )
    owner.execute(
        f"create trigger _999_break_it after insert or update on {table}"
        " for each statement execute function public.break_it()"
    )
    before = everything(owner)
    (answer,) = at_once(fresh_db, [(voter, ballot(clip))])
    assert isinstance(answer, Refusal)
    assert answer.message == "broken on purpose"
    assert everything(owner) == before
    assert broken(owner) == []


def test_voters_and_staff_on_one_clip_do_not_get_into_each_others_way(
    fresh_db: FreshDatabase,
) -> None:
    """CON-1, CON-8: whoever comes first decides; the books and the history agree."""
    owner = fresh_db.connect()
    fund(owner)
    staff = [make_moderator(owner) for _ in range(3)]
    author, *voters = make_people(owner, 13)

    def overrule(clip: UUID, status: str) -> Any:
        return lambda conn: call(
            conn, "set_validation_status", clip_id=clip, status=status, reason="heard it"
        )

    for _ in range(3):
        clip = submit(owner, author)
        requests = [(voter, ballot(clip, "valid")) for voter in voters]
        requests += [
            (staff[0], overrule(clip, "invalid")),
            (staff[1], overrule(clip, "invalid")),
            (staff[2], overrule(clip, "pending")),
        ]
        answers = at_once(fresh_db, requests)
        assert set(codes(answers)) <= {"already_decided", "clip_not_found", "status_unchanged"}
        assert broken(owner) == []
