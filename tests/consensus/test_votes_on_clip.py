"""votes_on_clip: staff read who voted what."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from tests.consensus.crowd import cast, freeze
from tests.support.callers import Connection, as_user, call, one, refused
from tests.support.people import give_role, make_admin, make_moderator, make_people, make_user
from tests.support.work import submit, vote


def test_staff_read_all_votes_on_a_clip_and_no_others_oldest_first(db: Connection) -> None:
    """CON-8."""
    author, first, second, third = make_people(db, 4)
    clip, other = submit(db, author), submit(db, author)
    cast(db, [first, third], other)
    freeze(db, "2026-03-01 12:00+00")
    vote(db, second, clip, "valid")
    freeze(db, "2026-03-01 12:01+00")
    vote(db, first, clip, "invalid")
    freeze(db, "2026-03-01 12:02+00")
    vote(db, second, clip, "invalid")
    for staff in (make_moderator(db), make_admin(db)):
        with as_user(db, staff):
            rows = db.execute(
                "select clip_id, voter_id, label, to_char(updated_at at time zone 'UTC', 'MI')"
                " from public.votes_on_clip(%s)",
                [clip],
            ).fetchall()
        assert rows == [(clip, second, "invalid", "02"), (clip, first, "invalid", "01")]


def test_a_clip_without_votes_has_none(db: Connection) -> None:
    """CON-8."""
    clip = submit(db, make_user(db))
    with as_user(db, make_moderator(db)):
        assert call(db, "votes_on_clip", clip_id=clip) == []


@pytest.mark.parametrize("clip", [uuid4(), None], ids=["unknown", "null"])
def test_an_unknown_clip_is_not_found(db: Connection, clip: UUID | None) -> None:
    """CON-8."""
    with as_user(db, make_moderator(db)), refused(db, "clip_not_found") as refusal:
        call(db, "votes_on_clip", clip_id=clip)
    assert refusal.status == 404


def test_staff_read_the_votes_on_a_hidden_clip_too(db: Connection) -> None:
    """CON-8: it is theirs to judge."""
    author, voter = make_people(db, 2)
    clip = submit(db, author)
    vote(db, voter, clip)
    db.execute("update public.clips set is_hidden = true")
    with as_user(db, make_moderator(db)):
        assert len(call(db, "votes_on_clip", clip_id=clip)) == 1


def test_nobody_else_reads_them(db: Connection) -> None:
    """CON-1: neither the author nor who voted; existing and unknown clips answer alike."""
    author, voter = make_people(db, 2)
    clip = submit(db, author)
    vote(db, voter, clip)
    banned = make_moderator(db)
    db.execute("update auth.users set banned_until = 'infinity' where id = %s", [banned])
    for who, role, code in (
        (author, "authenticated", "not_permitted"),
        (voter, "authenticated", "not_permitted"),
        (give_role(db, make_user(db), "ambassador"), "authenticated", "not_permitted"),
        (banned, "authenticated", "not_a_member"),
        (None, "authenticated", "not_authenticated"),
        (None, "anon", "42501"),
        (None, "service_role", "42501"),
    ):
        for given in (clip, uuid4()):
            with as_user(db, who, role), refused(db, code):
                call(db, "votes_on_clip", clip_id=given)
    assert one(db, "select count(*) from public.votes") == 1
