"""disputed_clips: what is left to staff."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from tests.consensus.crowd import cast, change_rule, set_status
from tests.support.callers import Connection, as_user, call, one, refused
from tests.support.people import give_role, make_admin, make_moderator, make_people, make_user
from tests.support.work import submit, vote


def disputed_clip(db: Connection, author: UUID, **more: Any) -> UUID:
    """A clip on which two people disagreed, and no more are asked."""
    change_rule(db, more.get("kind", "voice"), max_votes=2)
    clip = submit(db, author, **more)
    first, second = make_people(db, 2)
    vote(db, first, clip, "valid")
    vote(db, second, clip, "invalid")
    return clip


def listed(db: Connection, staff: UUID, **more: Any) -> list[UUID]:
    with as_user(db, staff):
        return [row[0] for row in call(db, "disputed_clips", **{"language": "sw", **more})]


def test_a_disputed_clip_comes_with_all_that_is_needed_to_judge_it(db: Connection) -> None:
    """CON-2, CON-8."""
    author = make_user(db)
    path = f"{author}/a.ogg"
    clip = disputed_clip(db, author, media_path=path, prompt="Habari", transcript="Nzuri")
    for staff in (make_moderator(db), make_admin(db)):
        with as_user(db, staff):
            rows = db.execute(
                "select clip_id, kind::text, language, author_id, media_path, prompt, transcript,"
                " labels, tally from public.disputed_clips('sw')"
            ).fetchall()
        assert rows == [
            (clip, "voice", "sw", author, path, "Habari", "Nzuri", ["valid", "invalid"], [1, 1])
        ]


def test_only_disputed_clips_of_the_language_are_listed_until_staff_decide(
    db: Connection,
) -> None:
    """CON-2, CON-8: also those that were hidden meanwhile."""
    author, moderator = make_user(db), make_moderator(db)
    clips = sorted(disputed_clip(db, author) for _ in range(3))
    spoken = disputed_clip(db, author, language="yo")
    submit(db, author)
    cast(db, make_people(db, 2), submit(db, author))
    db.execute("update public.clips set is_hidden = true where id = %s", [clips[0]])
    assert listed(db, moderator) == clips
    assert listed(db, moderator, language="yo") == [spoken]
    assert listed(db, moderator, language="tlh") == []
    for clip, status in zip(clips, ("valid", "invalid", "pending"), strict=True):
        set_status(db, moderator, clip, status)
    assert listed(db, moderator) == []
    assert listed(db, moderator, language="yo") == [spoken]


def test_pages_go_on_after_the_last_clip(db: Connection) -> None:
    """CON-8: oldest first, nothing twice, nothing left out."""
    author, moderator = make_user(db), make_moderator(db)
    clips = sorted(disputed_clip(db, author) for _ in range(5))
    assert listed(db, moderator, max_rows=2) == clips[:2]
    assert listed(db, moderator, max_rows=2, after=clips[1]) == clips[2:4]
    assert listed(db, moderator, max_rows=2, after=clips[3]) == clips[4:]
    assert listed(db, moderator, max_rows=2, after=clips[4]) == []
    assert listed(db, moderator) == clips


@pytest.mark.parametrize("max_rows", [None, 0, -1, 201, 2**31 - 1])
def test_a_senseless_number_is_refused(db: Connection, max_rows: int | None) -> None:
    """CON-8."""
    with as_user(db, make_moderator(db)), refused(db, "invalid_input") as refusal:
        call(db, "disputed_clips", language="sw", max_rows=max_rows)
    assert (refusal.status, refusal.details) == (400, "max_rows: 1 to 200")


def test_staff_only(db: Connection) -> None:
    """CON-8."""
    author = make_user(db)
    clip = disputed_clip(db, author)
    banned = make_moderator(db)
    db.execute("update auth.users set banned_until = 'infinity' where id = %s", [banned])
    for who, role, code in (
        (author, "authenticated", "not_permitted"),
        (make_user(db), "authenticated", "not_permitted"),
        (give_role(db, make_user(db), "tutor"), "authenticated", "not_permitted"),
        (banned, "authenticated", "not_a_member"),
        (None, "authenticated", "not_authenticated"),
        (None, "anon", "42501"),
        (None, "service_role", "42501"),
    ):
        with as_user(db, who, role), refused(db, code):
            call(db, "disputed_clips", language="sw")
    assert one(db, "select state from consensus.items where clip_id = %s", [clip]) == "disputed"
