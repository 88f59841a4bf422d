"""next_clips_to_review by many people at the same moment, on connections of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from tests.consensus.crowd import (
    advance,
    at_once,
    begin,
    change_rule,
    codes,
    freeze,
    meanwhile,
    review,
)
from tests.consensus.invariants import broken
from tests.support.callers import Connection, call, one
from tests.support.databases import FreshDatabase
from tests.support.people import make_people
from tests.support.work import submit

CROWDED = (
    "select count(*) from consensus.items as i where i.votes_needed < ("
    " select count(*) from consensus.leases as l"
    " where l.clip_id = i.clip_id and l.expires_at > app.now())"
)
LEASES = "select count(*) from consensus.leases where expires_at > app.now()"


def ask(max_clips: int = 10) -> Any:
    """A request for clips; gives their ids."""

    def action(conn: Connection) -> list[UUID]:
        rows = call(conn, "next_clips_to_review", language="sw", max_clips=max_clips)
        return [row[0] for row in rows]

    return action


def test_thirty_reviewers_never_hold_more_leases_than_votes_needed(
    fresh_db: FreshDatabase,
) -> None:
    """CLP-2: however often they ask; every place is taken, and again when leases ran out."""
    owner = fresh_db.connect()
    freeze(owner, "2026-03-01 12:00+00")
    clips = [submit(owner, author) for author in make_people(owner, 12)]
    reviewers = make_people(owner, 30)
    for _ in range(2):
        for _ in range(2):
            answers = at_once(fresh_db, [(reviewer, ask(4)) for reviewer in reviewers])
            assert codes(answers) == []
            assert one(owner, CROWDED) == 0
            held = owner.execute(
                "select reviewer_id, clip_id from consensus.leases where expires_at > app.now()"
            ).fetchall()
            given = {
                (reviewer, clip)
                for reviewer, answer in zip(reviewers, answers, strict=True)
                for clip in answer
            }
            assert given <= set(held)
        for reviewer in reviewers[:4]:
            review(owner, reviewer, 50)
        assert one(owner, LEASES) == 2 * len(clips)
        assert one(owner, CROWDED) == 0
        advance(owner, "15 minutes")
        assert one(owner, LEASES) == 0
    assert broken(owner) == []


def test_a_second_reviewer_never_waits_for_the_first(fresh_db: FreshDatabase) -> None:
    """CLP-2: while the first call is not committed, another takes other clips at once."""
    owner = fresh_db.connect()
    clips = sorted(submit(owner, author) for author in make_people(owner, 6))
    first, second, third = make_people(owner, 3)
    with fresh_db.as_user(first) as slow:
        assert review(slow, first, 3) == clips[:3]
        for reviewer, max_clips, expected in ((second, 6, clips[3:]), (third, 3, [])):
            with fresh_db.as_user(reviewer) as conn:
                conn.execute("set local lock_timeout = '1ms'")
                assert review(conn, reviewer, max_clips) == expected
    assert one(owner, CROWDED) == 0
    assert review(owner, third, 3) == clips[:3]


def test_nobody_waits_for_a_clip_that_is_being_decided(fresh_db: FreshDatabase) -> None:
    """CLP-2, CON-6: a vote under way hides its clip from the queue, it does not stop it."""
    owner = fresh_db.connect()
    first_clip, other_clip = sorted(submit(owner, author) for author in make_people(owner, 2))
    voter, reviewer = make_people(owner, 2)
    with fresh_db.as_user(voter) as slow:
        call(slow, "cast_vote", clip_id=first_clip, label="valid")
        with fresh_db.as_user(reviewer) as conn:
            conn.execute("set local lock_timeout = '1ms'")
            assert review(conn, reviewer) == [other_clip]
    assert review(owner, reviewer) == [first_clip, other_clip]


def test_one_reviewer_on_two_devices_gets_no_more_than_on_one(fresh_db: FreshDatabase) -> None:
    """CLP-2: the share of one speaker holds for the person, not for the call."""
    owner = fresh_db.connect()
    change_rule(owner, max_leased_per_author=3)
    talker, reviewer = make_people(owner, 2)
    clips = sorted(submit(owner, talker) for _ in range(10))
    phone = begin(fresh_db, reviewer)
    assert ask(10)(phone) == clips[:3]
    with meanwhile(fresh_db, (reviewer, ask(10))) as (tablet,):
        phone.commit()
    assert tablet.result() == clips[:3]
    assert one(owner, LEASES) == 3
    at_once(fresh_db, [(reviewer, ask(10)) for _ in range(10)])
    assert one(owner, LEASES) == 3


def cast(clip: UUID) -> Any:
    return lambda conn: call(conn, "cast_vote", clip_id=clip, label="valid")


def skip(clip: UUID) -> Any:
    return lambda conn: call(conn, "skip_clip", clip_id=clip)


@pytest.mark.parametrize("deal", [cast, skip])
def test_dealing_with_a_clip_while_it_is_being_offered_leaves_no_lease(
    fresh_db: FreshDatabase, deal: Callable[[UUID], Any]
) -> None:
    """CLP-2: the offer is not committed when the same person votes or skips elsewhere."""
    owner = fresh_db.connect()
    author, reviewer = make_people(owner, 2)
    clip = submit(owner, author)
    phone = begin(fresh_db, reviewer)
    assert ask()(phone) == [clip]
    with meanwhile(fresh_db, (reviewer, deal(clip))) as (tablet,):
        phone.commit()
    assert codes([tablet.result()]) == []
    assert one(owner, LEASES) == 0
    assert review(owner, reviewer) == []


def test_voting_skipping_and_asking_at_once_never_brings_a_clip_back(
    fresh_db: FreshDatabase,
) -> None:
    """CLP-2: never seen twice. A long queue makes the search longer than the vote."""
    owner = fresh_db.connect()
    change_rule(owner, min_votes=50, max_votes=60, max_leased_per_author=50)
    reviewer, *authors = make_people(owner, 21)
    owner.execute(
        "with made as ("
        " insert into public.clips (author_id, kind, language, media_path, duration_ms, prompt)"
        " select a.id, 'voice', 'sw', a.id || '/' || n || '.ogg', 1, 'p'"
        " from unnest(%s::uuid[]) as a (id), generate_series(1, 25) as n returning *)"
        " select consensus.open_item(m::public.clips) from made as m",
        [authors],
    )
    clips = [
        row[0] for row in owner.execute("select clip_id from consensus.items order by clip_id")
    ]
    again = (
        "select count(*) from consensus.leases as l where exists (select from public.votes as v"
        " where v.clip_id = l.clip_id and v.voter_id = l.reviewer_id)"
        " or exists (select from consensus.skips as s"
        " where s.clip_id = l.clip_id and s.reviewer_id = l.reviewer_id)"
    )
    for nth in range(0, 20, 2):
        owner.execute("delete from consensus.leases")
        requests = [ask(50), cast(clips[nth]), skip(clips[nth + 1]), ask(50)]
        answers = at_once(fresh_db, [(reviewer, request) for request in requests])
        assert codes(answers) == []
        assert one(owner, again) == 0
    assert broken(owner) == []
