"""next_clips_to_review: which clips a reviewer is leased, and in which order."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from tests.consensus.crowd import (
    advance,
    cast,
    change_rule,
    freeze,
    review,
    set_status,
)
from tests.support.callers import Connection, as_user, call, one, refused
from tests.support.limits import allow
from tests.support.people import make_admin, make_moderator, make_people, make_user
from tests.support.work import submit, vote

NOON = "2026-03-01 12:00+00"


def skip(db: Connection, reviewer: UUID, clip: UUID) -> None:
    with as_user(db, reviewer):
        call(db, "skip_clip", clip_id=clip)


def from_everybody(db: Connection, count: int, **more: Any) -> list[UUID]:
    """Clips, each of another author, oldest first."""
    return sorted(submit(db, author, **more) for author in make_people(db, count))


def test_a_leased_clip_comes_with_all_a_reviewer_needs(db: Connection) -> None:
    """CLP-2."""
    freeze(db, NOON)
    change_rule(db, lease_duration="10 minutes")
    author, reviewer = make_people(db, 2)
    path = f"{author}/a.ogg"
    clip = submit(db, author, media_path=path, duration_ms=777, prompt="Habari", transcript="Nzuri")
    with as_user(db, reviewer):
        rows = db.execute(
            "select clip_id, kind::text, language, media_path, duration_ms, prompt, transcript,"
            " labels, lease_expires_at = '2026-03-01 12:10+00'"
            " from public.next_clips_to_review('sw')"
        ).fetchall()
    assert rows == [(clip, "voice", "sw", path, 777, "Habari", "Nzuri", ["valid", "invalid"], True)]


def test_nobody_reviews_their_own_clips(db: Connection) -> None:
    """CLP-2: nor an admin."""
    for author in (make_user(db), make_admin(db)):
        submit(db, author)
    other = make_user(db)
    assert len(review(db, other)) == 2
    assert len(review(db, author)) == 1
    assert one(
        db,
        "select count(*) from consensus.leases as l inner join public.clips as c"
        " on c.id = l.clip_id and c.author_id = l.reviewer_id",
    ) == (0)


def test_a_clip_one_voted_on_or_skipped_is_not_offered_again(db: Connection) -> None:
    """CLP-2: for ever, also when it is opened again."""
    freeze(db, NOON)
    reviewer, second = make_people(db, 2)
    voted, skipped, fresh = from_everybody(db, 3)
    assert review(db, reviewer) == [voted, skipped, fresh]
    vote(db, reviewer, voted)
    skip(db, reviewer, skipped)
    assert review(db, reviewer) == [fresh]
    advance(db, "1 day")
    assert review(db, reviewer) == [fresh]
    vote(db, second, voted)
    set_status(db, make_moderator(db), voted, "pending")
    assert review(db, reviewer) == [fresh]
    assert voted in review(db, make_user(db))


def test_clips_that_need_fewest_votes_come_first_then_the_oldest(db: Connection) -> None:
    """CLP-2."""
    change_rule(db, min_votes=3)
    reviewer, first, second = make_people(db, 3)
    a, b, c, d, e = from_everybody(db, 5)
    cast(db, [first], b)
    cast(db, [first, second], d)
    cast(db, [first], e)
    assert review(db, reviewer) == [d, b, e, a, c]
    assert review(db, make_user(db), max_clips=2) == [b, e]


def test_the_clip_that_needs_fewest_votes_is_found_behind_many_older_ones(
    db: Connection,
) -> None:
    """CLP-2: the order holds for the whole queue, not for its first page."""
    reviewer, first = make_people(db, 2)
    clips = from_everybody(db, 25)
    vote(db, first, clips[-1])
    assert review(db, reviewer, max_clips=1) == [clips[-1]]


def test_only_open_clips_of_the_language_are_offered(db: Connection) -> None:
    """CLP-2."""
    change_rule(db, max_votes=2)
    reviewer, first, second = make_people(db, 3)
    here, decided, disputed = from_everybody(db, 3)
    (elsewhere,) = from_everybody(db, 1, language="yo")
    cast(db, [first, second], decided)
    vote(db, first, disputed, "valid")
    vote(db, second, disputed, "invalid")
    assert review(db, reviewer) == [here]
    assert review(db, reviewer, language="yo") == [elsewhere]
    assert review(db, reviewer, language="en") == []
    assert one(db, "select count(*) from public.clips") == 4


def test_a_hidden_clip_is_offered_to_nobody(db: Connection) -> None:
    """CLP-3: also not one already leased."""
    change_rule(db, min_votes=5)
    reviewer = make_user(db)
    shown, hidden = from_everybody(db, 2)
    assert review(db, reviewer) == [shown, hidden]
    db.execute("update public.clips set is_hidden = true where id = %s", [hidden])
    assert review(db, make_user(db)) == [shown]
    assert review(db, reviewer) == [shown]
    db.execute("update public.clips set is_hidden = false where id = %s", [hidden])
    assert review(db, make_user(db)) == [shown, hidden]


def test_a_closed_language_is_still_reviewed(db: Connection) -> None:
    """CLP-2."""
    (clip,) = from_everybody(db, 1)
    db.execute("update public.languages set is_open = false where code = 'sw'")
    assert review(db, make_user(db)) == [clip]


def test_one_speaker_fills_no_more_than_their_share(db: Connection) -> None:
    """CLP-2: at most max_leased_per_author at a time, over several calls."""
    talker, other, reviewer = make_people(db, 3)
    clips = sorted(submit(db, talker) for _ in range(8))
    rare = submit(db, other)
    offered = review(db, reviewer, max_clips=50)
    assert offered == [*clips[:5], rare]
    assert review(db, reviewer, max_clips=50) == offered
    vote(db, reviewer, clips[0])
    skip(db, reviewer, clips[1])
    assert review(db, reviewer, max_clips=50) == [*clips[2:7], rare]


def test_the_share_of_one_speaker_is_a_setting(db: Connection) -> None:
    """CLP-2."""
    change_rule(db, max_leased_per_author=2)
    talker, reviewer = make_people(db, 2)
    clips = sorted(submit(db, talker) for _ in range(4))
    assert review(db, reviewer) == clips[:2]


def test_a_long_row_of_one_speaker_does_not_hide_the_others(db: Connection) -> None:
    """CLP-2: behind thirty clips of one microphone, the thirty-first is offered."""
    talker, other, reviewer = make_people(db, 3)
    for _ in range(30):
        submit(db, talker)
    rare = submit(db, other)
    offered = review(db, reviewer, max_clips=6)
    assert len(offered) == 6
    assert rare in offered


def test_the_share_of_a_speaker_counts_what_is_held_in_other_languages(db: Connection) -> None:
    """CLP-2: and who has used it up does not stand in front of the others, however many clips."""
    allow(db, "submit_clip")
    talker, other, reviewer = make_people(db, 3)
    for _ in range(5):
        submit(db, talker, language="yo")
    assert len(review(db, reviewer, language="yo")) == 5
    for _ in range(110):
        submit(db, talker, language="wo")
    rare = sorted(submit(db, other, language="wo") for _ in range(5))
    assert review(db, reviewer, max_clips=5, language="wo") == rare


def test_a_page_is_filled_behind_a_long_row_of_one_speaker(db: Connection) -> None:
    """CLP-2: longer than what one look at the queue sees."""
    allow(db, "submit_clip")
    talker, other, reviewer = make_people(db, 3)
    row = sorted(submit(db, talker, language="wo") for _ in range(110))
    rare = sorted(submit(db, other, language="wo") for _ in range(5))
    assert review(db, reviewer, max_clips=10, language="wo") == [*row[:5], *rare]


def test_a_lease_that_ran_out_does_not_count_against_a_speaker(db: Connection) -> None:
    """CLP-2."""
    freeze(db, NOON)
    change_rule(db, max_leased_per_author=2)
    talker, reviewer, first, second = make_people(db, 4)
    clips = sorted(submit(db, talker) for _ in range(4))
    assert review(db, reviewer) == clips[:2]
    for clip in clips[:2]:
        cast(db, [first, second], clip)
    advance(db, "1 day")
    assert review(db, reviewer) == clips[2:]


def test_a_lease_on_a_clip_others_decided_does_not_count_against_a_speaker(
    db: Connection,
) -> None:
    """CLP-2: it cannot be reviewed any more, so the next ones of that speaker may come."""
    change_rule(db, max_leased_per_author=2)
    talker, reviewer, first, second = make_people(db, 4)
    clips = sorted(submit(db, talker) for _ in range(4))
    assert review(db, reviewer) == clips[:2]
    for clip in clips[:2]:
        cast(db, [first, second], clip)
    assert review(db, reviewer) == clips[2:]


def test_no_more_reviewers_hold_a_clip_than_votes_it_needs(db: Connection) -> None:
    """CLP-2."""
    first, second, third, outsider = make_people(db, 4)
    (clip,) = from_everybody(db, 1)
    assert review(db, first) == [clip]
    assert review(db, second) == [clip]
    assert review(db, third) == []
    vote(db, first, clip, "valid")
    assert review(db, third) == []
    vote(db, second, clip, "invalid")
    assert review(db, third) == [clip]
    assert review(db, outsider) == []


def test_giving_a_clip_back_makes_room_for_somebody_else(db: Connection) -> None:
    """CLP-2."""
    change_rule(db, min_votes=1)
    first, second = make_people(db, 2)
    (clip,) = from_everybody(db, 1)
    assert review(db, first) == [clip]
    assert review(db, second) == []
    skip(db, first, clip)
    assert review(db, second) == [clip]


def test_leases_that_ran_out_come_back_to_others(db: Connection) -> None:
    """CLP-2: at the end of the lease, not before it."""
    freeze(db, NOON)
    change_rule(db, min_votes=1)
    first, second = make_people(db, 2)
    (clip,) = from_everybody(db, 1)
    assert review(db, first) == [clip]
    advance(db, "14 minutes 59 seconds")
    assert review(db, second) == []
    advance(db, "1 second")
    assert review(db, second) == [clip]
    assert review(db, first) == []
    assert db.execute(
        "select reviewer_id, expires_at = app.now() + interval '15 minutes' from consensus.leases"
    ).fetchall() == [(second, True)]


def test_ones_own_leases_are_given_again_with_the_time_they_have_left(db: Connection) -> None:
    """CLP-2: a client that starts again goes on where it was, even at clips that are full; asking
    again and again keeps no clip from the others."""
    freeze(db, NOON)
    change_rule(db, min_votes=1)
    reviewer = make_user(db)
    first, second, third = from_everybody(db, 3)
    assert review(db, reviewer, max_clips=2) == [first, second]
    advance(db, "10 minutes")
    assert review(db, reviewer, max_clips=2) == [first, second]
    with as_user(db, reviewer):
        ends = db.execute(
            "select clip_id, to_char(lease_expires_at at time zone 'UTC', 'HH24:MI')"
            " from public.next_clips_to_review('sw', 3)"
        ).fetchall()
    assert ends == [(first, "12:15"), (second, "12:15"), (third, "12:25")]
    assert review(db, reviewer, max_clips=1) in ([first], [second])
    assert one(db, "select count(*) from consensus.leases") == 3
    advance(db, "5 minutes")
    assert review(db, make_user(db)) == [first, second]
    assert review(db, reviewer) == [third]


def test_ten_are_given_unless_asked_otherwise(db: Connection) -> None:
    """CLP-2."""
    from_everybody(db, 12)
    with as_user(db, make_user(db)):
        assert len(call(db, "next_clips_to_review", language="sw")) == 10
        assert len(call(db, "next_clips_to_review", language="sw", max_clips=50)) == 12


@pytest.mark.parametrize("max_clips", [None, 0, -1, 51, 2**31 - 1, -(2**31)])
def test_a_senseless_number_is_refused(db: Connection, max_clips: int | None) -> None:
    """CLP-2."""
    from_everybody(db, 1)
    with as_user(db, make_user(db)), refused(db, "invalid_input") as refusal:
        call(db, "next_clips_to_review", language="sw", max_clips=max_clips)
    assert (refusal.status, refusal.details) == (400, "max_clips: 1 to 50")
    assert one(db, "select count(*) from consensus.leases") == 0


@pytest.mark.parametrize("language", [None, "", "SW", "tlh", "%", "x" * 10_000_000])
def test_an_unknown_language_is_refused(db: Connection, language: str | None) -> None:
    """CLP-2."""
    with as_user(db, make_user(db)), refused(db, "unknown_language") as refusal:
        call(db, "next_clips_to_review", language=language, max_clips=10)
    assert refusal.status == 400


@pytest.mark.parametrize(
    ("who", "role", "code"),
    [
        ("anon", "anon", "42501"),
        ("service_role", "service_role", "42501"),
        ("nobody", "authenticated", "not_authenticated"),
        ("unconfirmed", "authenticated", "not_a_member"),
        ("anonymous", "authenticated", "not_a_member"),
    ],
)
def test_only_members_review(db: Connection, who: str, role: str, code: str) -> None:
    """CLP-2, APP-1."""
    from_everybody(db, 1)
    reviewer = {
        "unconfirmed": lambda: make_user(db, confirmed=False),
        "anonymous": lambda: make_user(db, anonymous=True),
    }.get(who, lambda: None)()
    with as_user(db, reviewer, role), refused(db, code):
        call(db, "next_clips_to_review", language="sw")
    assert one(db, "select count(*) from consensus.leases") == 0
