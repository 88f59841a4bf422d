"""cast_vote, one caller at a time."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.consensus.crowd import (
    Item,
    cast,
    change_rule,
    everything,
    freeze,
    item,
    review,
    rewards,
    set_status,
    state_of,
)
from tests.consensus.invariants import broken
from tests.support.callers import Connection, as_user, call, one, refused
from tests.support.money import fund
from tests.support.people import make_admin, make_moderator, make_people, make_user
from tests.support.work import submit, vote

HUGE = "x" * 10_000_000
FOUR = ["valid", "invalid", "noisy", "silent"]


def four_labels(db: Connection, **numbers: Any) -> None:
    """Make voice a kind of four labels, two of which validate."""
    change_rule(db, labels=FOUR, validating_labels=["valid", "noisy"], **numbers)


def votes_of(db: Connection, clip: UUID) -> dict[UUID, str]:
    rows = db.execute(
        "select voter_id, label from public.votes where clip_id = %s", [clip]
    ).fetchall()
    return dict(rows)


def test_the_first_vote_leaves_a_clip_open(db: Connection) -> None:
    """CON-1, CON-2."""
    author, voter = make_people(db, 2)
    clip = submit(db, author)
    assert vote(db, voter, clip) == {
        "clip_id": clip,
        "label": "valid",
        "status": "pending",
        "is_decided": False,
        "votes": 1,
        "votes_needed": 1,
        "version": 1,
    }
    assert item(db, clip) == Item("open", [1, 0], 1, None)
    assert votes_of(db, clip) == {voter: "valid"}
    assert one(db, "select count(*) from jobs.outbox") == 0
    assert one(db, "select count(*) from ledger.holds") == 0
    assert broken(db) == []


def test_the_second_vote_that_agrees_does_everything_a_decision_does(db: Connection) -> None:
    """CON-6: vote, tally, decision, rewards held, audit and events by one call."""
    fund(db)
    author, first, second = make_people(db, 3)
    clip = submit(db, author)
    vote(db, first, clip)
    with as_user(db, second, headers={"x-request-id": "req-42"}):
        row = db.execute("select * from public.cast_vote(%s, 'valid')", [clip]).fetchone()
    assert row == (clip, "valid", "valid", True, 2, 0, 2)
    assert item(db, clip) == Item("decided", [2, 0], 0, "valid")
    assert db.execute(
        "select status::text, status_reason, version, decided_at = app.now(),"
        " published_at = app.now() from public.clips where id = %s",
        [clip],
    ).fetchone() == ("valid", "Votes: 2 valid, 0 invalid", 2, True, True)
    assert db.execute(
        "select version, status::text, label, rule, decided_by, tally, reason"
        " from consensus.decisions where clip_id = %s",
        [clip],
    ).fetchall() == [(2, "valid", "valid", "classic", None, [2, 0], "Votes: 2 valid, 0 invalid")]
    assert rewards(db, clip) == {
        author: ("clip_author_reward", 10),
        first: ("clip_reviewer_reward", 2),
        second: ("clip_reviewer_reward", 2),
    }
    assert db.execute(
        "select actor_id, actor_role, reason, details, request_id from audit.events"
        " where action = 'clip_decided' and subject_id = %s",
        [str(clip)],
    ).fetchall() == [
        (
            second,
            "authenticated",
            "Votes: 2 valid, 0 invalid",
            {"status": "valid", "label": "valid", "rule": "classic", "version": 2},
            "req-42",
        )
    ]
    told = db.execute(
        "select topic, event, payload, request_id from jobs.outbox order by topic"
    ).fetchall()
    assert told == sorted(
        (
            f"user:{person}",
            "clip_decided",
            {
                "clip_id": str(clip),
                "status": "valid",
                "reason": "Votes: 2 valid, 0 invalid" if person == author else None,
                "version": 2,
            },
            "req-42",
        )
        for person in (author, first, second)
    )
    assert broken(db) == []


def test_one_to_one_waits_for_a_third(db: Connection) -> None:
    """CON-2."""
    fund(db)
    author, first, second, third = make_people(db, 4)
    clip = submit(db, author)
    vote(db, first, clip, "valid")
    tie = vote(db, second, clip, "invalid")
    assert (tie["is_decided"], tie["votes"], tie["votes_needed"]) == (False, 2, 1)
    decided = vote(db, third, clip, "invalid")
    assert (decided["status"], decided["votes"], decided["votes_needed"]) == ("invalid", 3, 0)
    assert rewards(db, clip) == {
        second: ("clip_reviewer_reward", 2),
        third: ("clip_reviewer_reward", 2),
    }
    assert broken(db) == []


def test_voting_again_replaces_the_vote(db: Connection) -> None:
    """CON-1."""
    author, voter = make_people(db, 2)
    clip = submit(db, author)
    freeze(db, "2026-03-01 12:00+00")
    vote(db, voter, clip, "valid")
    freeze(db, "2026-03-01 12:05+00")
    again = vote(db, voter, clip, "invalid")
    assert (again["label"], again["votes"], again["votes_needed"]) == ("invalid", 1, 1)
    assert item(db, clip) == Item("open", [0, 1], 1, None)
    assert votes_of(db, clip) == {voter: "invalid"}
    assert one(db, "select updated_at - created_at = '5 minutes' from public.votes") is True
    assert broken(db) == []


def test_voting_the_same_again_counts_once(db: Connection) -> None:
    """CON-1: no one decides a clip alone."""
    author, voter = make_people(db, 2)
    clip = submit(db, author)
    freeze(db, "2026-03-01 12:00+00")
    first = vote(db, voter, clip)
    before = everything(db)
    freeze(db, "2026-03-01 12:05+00")
    for _ in range(5):
        assert vote(db, voter, clip) == first
    freeze(db, "2026-03-01 12:00+00")
    assert everything(db) == before
    assert item(db, clip) == Item("open", [1, 0], 1, None)
    assert broken(db) == []


def test_a_deciding_vote_whose_answer_got_lost_may_be_sent_again(db: Connection) -> None:
    """CON-1: it gets the outcome again, and nothing happens twice; so do the other voters."""
    fund(db)
    author, first, second = make_people(db, 3)
    clip = submit(db, author)
    vote(db, first, clip)
    outcome = vote(db, second, clip)
    assert outcome["is_decided"] is True
    before = everything(db)
    for voter in (second, first):
        assert vote(db, voter, clip) == outcome
    assert everything(db) == before
    set_status(db, make_moderator(db), clip, "valid")
    before = everything(db)
    assert vote(db, second, clip) == outcome
    set_status(db, make_moderator(db), clip, "invalid")
    assert {**outcome, "status": "invalid", "version": 3} == vote(db, second, clip)
    assert rewards(db, clip) == {}
    assert broken(db) == []


def test_the_vote_that_made_a_dispute_may_be_sent_again(db: Connection) -> None:
    """CON-1, CON-2."""
    change_rule(db, max_votes=2)
    author, first, second = make_people(db, 3)
    clip = submit(db, author)
    vote(db, first, clip, "valid")
    outcome = vote(db, second, clip, "invalid")
    before = everything(db)
    assert vote(db, second, clip, "invalid") == outcome
    assert everything(db) == before
    assert (outcome["status"], outcome["is_decided"], outcome["votes_needed"]) == (
        "pending", False, 0,
    )  # fmt: skip


@pytest.mark.parametrize("label", [None, "maybe"])
def test_a_label_that_is_none_is_refused_from_whoever_voted(
    db: Connection, label: str | None
) -> None:
    """CON-1: no vote is no vote repeated; before and after the decision."""
    author, first, second, late = make_people(db, 4)
    clip = submit(db, author)
    vote(db, first, clip)
    for voter in (first, second):
        with as_user(db, voter), refused(db, "unknown_label"):
            call(db, "cast_vote", clip_id=clip, label=label)
    vote(db, second, clip)
    for voter in (first, late):
        with as_user(db, voter), refused(db, "already_decided"):
            call(db, "cast_vote", clip_id=clip, label=label)
    assert votes_of(db, clip) == {first: "valid", second: "valid"}


def test_a_hidden_clip_takes_no_votes_and_answers_like_none(db: Connection) -> None:
    """CLP-3: to strangers, to who has voted, and to its author, open or decided."""
    author, first, second, late = make_people(db, 4)
    clip = submit(db, author)
    vote(db, first, clip)

    def answer(person: UUID, given: UUID) -> tuple[object, ...]:
        with as_user(db, person), refused(db, "clip_not_found") as refusal:
            call(db, "cast_vote", clip_id=given, label="valid")
        return (refusal.status, refusal.message, refusal.details)

    for decided in (False, True):
        if decided:
            vote(db, second, clip)
        db.execute("update public.clips set is_hidden = true, published_at = null")
        for person in (author, first, late):
            assert answer(person, clip) == answer(person, uuid4())
        db.execute("update public.clips set is_hidden = false, published_at = decided_at")
    assert votes_of(db, clip) == {first: "valid", second: "valid"}
    assert broken(db) == []


def test_a_changed_vote_can_decide(db: Connection) -> None:
    """CON-1, CON-2."""
    fund(db)
    author, first, second = make_people(db, 3)
    clip = submit(db, author)
    vote(db, first, clip, "valid")
    vote(db, second, clip, "invalid")
    decided = vote(db, second, clip, "valid")
    assert (decided["status"], decided["votes"]) == ("valid", 2)
    assert set(rewards(db, clip)) == {author, first, second}
    assert broken(db) == []


@pytest.mark.parametrize("label", [None, "", "VALID", " valid", "valid,invalid", "maybe", HUGE])
def test_an_unknown_label_is_refused_with_the_known_ones(db: Connection, label: str | None) -> None:
    """CON-1."""
    author, voter = make_people(db, 2)
    clip = submit(db, author)
    with as_user(db, voter), refused(db, "unknown_label") as refusal:
        call(db, "cast_vote", clip_id=clip, label=label)
    assert (refusal.status, refusal.details) == (400, "label: one of valid, invalid")
    assert votes_of(db, clip) == {}
    assert item(db, clip) == Item("open", [0, 0], 2, None)


@pytest.mark.parametrize("clip", [uuid4(), None, UUID(int=0)], ids=["unknown", "null", "zero"])
@pytest.mark.parametrize("label", ["valid", "maybe", None])
def test_an_unknown_clip_is_not_found(db: Connection, clip: UUID | None, label: str | None) -> None:
    """CON-1: whatever the label."""
    with as_user(db, make_user(db)), refused(db, "clip_not_found") as refusal:
        call(db, "cast_vote", clip_id=clip, label=label)
    assert refusal.status == 404


@pytest.mark.parametrize("value", ["", "7", "not-a-uuid"])
def test_what_is_no_id_is_refused_by_its_type(db: Connection, value: str) -> None:
    """CON-1."""
    with as_user(db, make_user(db)), refused(db, "22P02"):
        call(db, "cast_vote", clip_id=value, label="valid")


@pytest.mark.parametrize(
    ("who", "role", "code"),
    [
        ("anon", "anon", "42501"),
        ("service_role", "service_role", "42501"),
        ("nobody", "authenticated", "not_authenticated"),
        ("unconfirmed", "authenticated", "not_a_member"),
        ("anonymous", "authenticated", "not_a_member"),
        ("banned", "authenticated", "not_a_member"),
    ],
)
def test_those_who_may_not_vote_learn_nothing_about_clips(
    db: Connection, who: str, role: str, code: str
) -> None:
    """APP-1, IDN-5, CON-1: an existing and an unknown clip answer alike."""
    author = make_user(db)
    clip = submit(db, author)
    voter = {
        "unconfirmed": lambda: make_user(db, confirmed=False),
        "anonymous": lambda: make_user(db, anonymous=True),
        "banned": lambda: make_user(db),
    }.get(who, lambda: None)()
    if who == "banned":
        db.execute(
            "update auth.users set banned_until = now() + interval '1 hour' where id = %s", [voter]
        )
    answers = []
    for given in (clip, uuid4()):
        with as_user(db, voter, role), refused(db, code) as refusal:
            call(db, "cast_vote", clip_id=given, label="valid")
        answers.append((refusal.code, refusal.message, refusal.details, refusal.status))
    assert answers[0] == answers[1]
    assert votes_of(db, clip) == {}


def test_authors_do_not_vote_on_their_own_clips_whatever_their_roles(db: Connection) -> None:
    """CLP-1."""
    for author in (make_user(db), make_admin(db)):
        clip = submit(db, author)
        with as_user(db, author), refused(db, "own_clip") as refusal:
            call(db, "cast_vote", clip_id=clip, label="valid")
        assert refusal.status == 403
        assert votes_of(db, clip) == {}


def test_a_decided_clip_takes_no_votes_and_changes_none(db: Connection) -> None:
    """CON-1."""
    fund(db)
    author, first, second, late = make_people(db, 4)
    clip = submit(db, author)
    cast(db, [first, second], clip)
    before = item(db, clip)
    for voter in (late, first, second):
        with as_user(db, voter), refused(db, "already_decided") as refusal:
            call(db, "cast_vote", clip_id=clip, label="invalid")
        assert refusal.status == 409
    assert item(db, clip) == before
    assert votes_of(db, clip) == {first: "valid", second: "valid"}
    assert broken(db) == []


def test_a_settled_clip_takes_no_votes(db: Connection) -> None:
    """CON-7."""
    author, first, second, late = make_people(db, 4)
    clip = submit(db, author)
    cast(db, [first, second], clip)
    set_status(db, make_moderator(db), clip, "valid")
    assert state_of(db, clip) == "settled"
    with as_user(db, late), refused(db, "already_decided"):
        call(db, "cast_vote", clip_id=clip, label="valid")


@pytest.mark.parametrize("min_votes", [1, 2, 3, 5])
def test_each_kind_has_its_minimum(db: Connection, min_votes: int) -> None:
    """CON-2: the number is read from consensus.kinds, for that kind only."""
    fund(db)
    change_rule(db, "video", min_votes=min_votes)
    author, *voters = make_people(db, 6)
    clip = submit(db, author, kind="video")
    for nth, voter in enumerate(voters[:min_votes], start=1):
        outcome = vote(db, voter, clip)
        assert outcome["is_decided"] is (nth == min_votes)
        assert outcome["votes_needed"] == min_votes - nth
    spoken = submit(db, author)
    assert vote(db, voters[0], spoken)["votes_needed"] == 1
    assert broken(db) == []


def test_a_raised_minimum_holds_for_the_next_vote(db: Connection) -> None:
    """CON-2."""
    author, *voters = make_people(db, 4)
    clip = submit(db, author)
    vote(db, voters[0], clip)
    change_rule(db, min_votes=3)
    assert vote(db, voters[1], clip)["votes_needed"] == 1
    assert vote(db, voters[2], clip)["is_decided"] is True


def test_a_lowered_minimum_decides_for_the_majority_not_for_the_last_vote(
    db: Connection,
) -> None:
    """CON-2: three of five votes were wanted, two of three suffice now, and two said valid."""
    fund(db)
    change_rule(db, min_votes=3)
    author, first, second, third = make_people(db, 4)
    clip = submit(db, author)
    cast(db, [first, second], clip, "valid")
    change_rule(db, min_votes=2)
    outcome = vote(db, third, clip, "invalid")
    assert (outcome["label"], outcome["status"], outcome["is_decided"]) == (
        "invalid", "valid", True,
    )  # fmt: skip
    assert item(db, clip) == Item("decided", [2, 1], 0, "valid")
    assert set(rewards(db, clip)) == {author, first, second}
    assert broken(db) == []


def test_the_cap_ends_voting_and_leaves_the_clip_to_staff(db: Connection) -> None:
    """CON-2."""
    fund(db)
    change_rule(db, min_votes=2, max_votes=2)
    author, first, second, third = make_people(db, 4)
    clip = submit(db, author)
    vote(db, first, clip, "valid")
    outcome = vote(db, second, clip, "invalid")
    assert (outcome["status"], outcome["is_decided"], outcome["votes_needed"]) == (
        "pending", False, 0,
    )  # fmt: skip
    assert item(db, clip) == Item("disputed", [1, 1], 0, None)
    for voter, code in ((first, "already_decided"), (third, "clip_not_found")):
        with as_user(db, voter), refused(db, code):
            call(db, "cast_vote", clip_id=clip, label="invalid")
    assert review(db, third) == []
    with as_user(db, author):
        assert db.execute("select status_reason, version from public.clips").fetchall() == [
            ("Votes: 1 valid, 1 invalid; staff decide", 2)
        ]
    assert outcome["version"] == 2
    assert db.execute(
        "select actor_id, subject_type, reason from audit.events where action = 'clip_disputed'"
        " and subject_id = %s",
        [str(clip)],
    ).fetchall() == [(second, "clip", "Votes: 1 valid, 1 invalid")]
    assert one(db, "select count(*) from consensus.decisions") == 0
    assert rewards(db, clip) == {}
    assert broken(db) == []
    set_status(db, make_moderator(db), clip, "invalid")
    assert item(db, clip) == Item("settled", [1, 1], 0, "invalid")
    assert set(rewards(db, clip, "settled")) == {second}
    assert broken(db) == []


def test_the_vote_that_reaches_the_cap_may_still_decide(db: Connection) -> None:
    """CON-2."""
    change_rule(db, min_votes=2, max_votes=3)
    author, first, second, third = make_people(db, 4)
    clip = submit(db, author)
    vote(db, first, clip, "valid")
    vote(db, second, clip, "invalid")
    assert vote(db, third, clip, "valid")["status"] == "valid"


def test_four_labels_need_more_than_half_of_all_votes(db: Connection) -> None:
    """CON-1, CON-2: two of four agree, but not more than half; a third makes it five."""
    fund(db)
    four_labels(db)
    author, *voters = make_people(db, 6)
    clip = submit(db, author)
    for voter, label in zip(voters[:4], ["noisy", "invalid", "silent", "noisy"], strict=True):
        outcome = vote(db, voter, clip, label)
        assert outcome["is_decided"] is False
    assert outcome["votes_needed"] == 1
    outcome = vote(db, voters[4], clip, "noisy")
    assert (outcome["status"], outcome["votes"]) == ("valid", 5)
    assert item(db, clip) == Item("decided", [0, 1, 3, 1], 0, "noisy")
    assert set(rewards(db, clip)) == {author, voters[0], voters[3], voters[4]}
    assert one(db, "select status_reason from public.clips") == (
        "Votes: 3 noisy, 1 invalid, 1 silent, 0 valid"
    )
    assert broken(db) == []


@pytest.mark.parametrize(
    ("label", "status"),
    [("valid", "valid"), ("noisy", "valid"), ("invalid", "invalid"), ("silent", "invalid")],
)
def test_the_kind_says_which_labels_validate(db: Connection, label: str, status: str) -> None:
    """CON-2."""
    fund(db)
    four_labels(db)
    author, first, second = make_people(db, 3)
    clip = submit(db, author)
    cast(db, [first, second], clip, label)
    assert one(db, "select status::text from public.clips") == status
    assert (author in rewards(db, clip)) is (status == "valid")
    assert broken(db) == []


def test_four_voters_of_four_opinions_dispute(db: Connection) -> None:
    """CON-2."""
    four_labels(db, max_votes=4)
    author, *voters = make_people(db, 5)
    clip = submit(db, author)
    for voter, label in zip(voters, FOUR, strict=True):
        vote(db, voter, clip, label)
    assert item(db, clip) == Item("disputed", [1, 1, 1, 1], 0, None)


@pytest.mark.parametrize("label", ["wrong", "silent"])
def test_labels_added_while_a_clip_is_open_are_counted_on_it(db: Connection, label: str) -> None:
    """CON-1, CON-2: the tally grows with the kind."""
    fund(db)
    author, first, second, third = make_people(db, 4)
    clip = submit(db, author)
    vote(db, first, clip, "valid")
    change_rule(db, labels=["valid", "invalid", "wrong", "silent"])
    assert vote(db, second, clip, label)["votes"] == 2
    outcome = vote(db, third, clip, label)
    assert (outcome["status"], outcome["votes"]) == ("invalid", 3)
    assert set(rewards(db, clip)) == {second, third}
    assert broken(db) == []


def test_a_reopened_clip_goes_the_way_most_votes_say(db: Connection) -> None:
    """CON-4: two said valid; one further vote, even against, makes it valid again."""
    fund(db)
    author, first, second, third = make_people(db, 4)
    clip = submit(db, author)
    cast(db, [first, second], clip, "valid")
    set_status(db, make_moderator(db), clip, "pending", "please listen again")
    outcome = vote(db, third, clip, "invalid")
    assert (outcome["label"], outcome["status"], outcome["votes"]) == ("invalid", "valid", 3)
    assert set(rewards(db, clip)) == {author, first, second}
    assert broken(db) == []


def test_a_reopened_clip_is_not_decided_by_a_vote_it_has(db: Connection) -> None:
    """CON-1, CON-4: who voted so before says nothing new; somebody else must."""
    fund(db)
    author, first, second, third = make_people(db, 4)
    clip = submit(db, author)
    cast(db, [first, second], clip, "valid")
    set_status(db, make_moderator(db), clip, "pending", "please listen again")
    before = everything(db)
    for voter in (first, second, first):
        again = vote(db, voter, clip, "valid")
        assert (again["status"], again["is_decided"], again["votes_needed"], again["votes"]) == (
            "pending", False, 1, 2,
        )  # fmt: skip
    assert everything(db) == before
    assert vote(db, third, clip, "valid")["status"] == "valid"
    assert broken(db) == []


def test_a_reopened_clip_is_open_to_a_change_of_mind(db: Connection) -> None:
    """CON-1, CON-4."""
    fund(db)
    author, first, second, third = make_people(db, 4)
    clip = submit(db, author)
    cast(db, [first, second], clip, "valid")
    set_status(db, make_moderator(db), clip, "pending", "please listen again")
    assert vote(db, first, clip, "invalid")["votes_needed"] == 1
    assert vote(db, third, clip, "invalid")["status"] == "invalid"
    assert set(rewards(db, clip)) == {first, third}
    assert broken(db) == []


def test_a_vote_uses_up_ones_lease_and_nobody_elses(db: Connection) -> None:
    """CLP-2."""
    author, first, second = make_people(db, 3)
    clip = submit(db, author)
    assert review(db, first) == [clip]
    assert review(db, second) == [clip]
    vote(db, first, clip)
    assert db.execute("select reviewer_id from consensus.leases").fetchall() == [(second,)]


@pytest.mark.parametrize("ending", ["by votes", "by dispute", "by staff"])
def test_when_voting_ends_old_leases_go_and_live_ones_still_tell(
    db: Connection, ending: str
) -> None:
    """CLP-2, CLP-3: who holds a lease learns that voting ended; others meet no such clip."""
    change_rule(db, min_votes=2, max_votes=2)
    author, first, second, third, fourth = make_people(db, 5)
    clip, other = sorted([submit(db, author), submit(db, author)])
    for reviewer in (first, second):
        assert review(db, reviewer) == [clip, other]
    vote(db, first, clip)
    db.execute(
        "insert into consensus.leases (clip_id, reviewer_id, expires_at)"
        " values (%s, %s, app.now() + interval '1 hour'), (%s, %s, app.now() - interval '1 hour')",
        [clip, third, clip, fourth],
    )
    if ending == "by staff":
        set_status(db, make_moderator(db), clip, "valid")
    else:
        vote(db, second, clip, "valid" if ending == "by votes" else "invalid")
    fresh = "select reviewer_id from consensus.leases where clip_id = %s and expires_at > app.now()"
    assert (third,) in db.execute(fresh, [clip]).fetchall()
    assert state_of(db, clip) == {
        "by votes": "decided", "by dispute": "disputed", "by staff": "settled",
    }[ending]  # fmt: skip
    stale = "select count(*) from consensus.leases where expires_at <= app.now()"
    assert one(db, stale) == 0
    with as_user(db, third), refused(db, "already_decided"):
        call(db, "cast_vote", clip_id=clip, label="valid")
    published = ending != "by dispute"
    with as_user(db, fourth), refused(db, "already_decided" if published else "clip_not_found"):
        call(db, "cast_vote", clip_id=clip, label="valid")


def test_clips_do_not_share_votes(db: Connection) -> None:
    """CON-1."""
    author, first, second = make_people(db, 3)
    one_clip, other_clip = submit(db, author), submit(db, author)
    vote(db, first, one_clip)
    vote(db, second, other_clip)
    assert item(db, one_clip) == item(db, other_clip) == Item("open", [1, 0], 1, None)
    assert broken(db) == []
