"""skip_clip: passing over a clip."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from tests.consensus.crowd import Item, cast, everything, item, review
from tests.support.callers import Connection, as_user, call, one, refused
from tests.support.people import make_people, make_user
from tests.support.work import submit, vote


def skip(db: Connection, reviewer: UUID, clip: object) -> None:
    with as_user(db, reviewer):
        call(db, "skip_clip", clip_id=clip)


def test_a_skip_gives_the_lease_back_and_is_no_vote(db: Connection) -> None:
    """CON-1, CLP-2: nothing else changes, nobody is told."""
    author, reviewer, other = make_people(db, 3)
    clip = submit(db, author)
    assert review(db, reviewer) == review(db, other) == [clip]
    before = everything(db)
    skip(db, reviewer, clip)
    after = everything(db)
    assert {table for table in after if after[table] != before[table]} == {
        "consensus.leases",
        "consensus.skips",
    }
    assert db.execute("select reviewer_id from consensus.leases").fetchall() == [(other,)]
    assert item(db, clip) == Item("open", [0, 0], 2, None)


def test_skipping_again_changes_nothing(db: Connection) -> None:
    """CON-1."""
    author, reviewer = make_people(db, 2)
    clip = submit(db, author)
    skip(db, reviewer, clip)
    before = everything(db)
    skip(db, reviewer, clip)
    assert everything(db) == before


def test_one_may_still_vote_on_a_skipped_clip(db: Connection) -> None:
    """CON-1."""
    author, reviewer = make_people(db, 2)
    clip = submit(db, author)
    skip(db, reviewer, clip)
    assert vote(db, reviewer, clip)["votes"] == 1


def test_skipping_a_decided_clip_leaves_the_decision(db: Connection) -> None:
    """CON-1."""
    author, first, second, late = make_people(db, 4)
    clip = submit(db, author)
    cast(db, [first, second], clip)
    before = item(db, clip)
    skip(db, late, clip)
    skip(db, first, clip)
    assert item(db, clip) == before
    assert one(db, "select count(*) from public.votes") == 2


@pytest.mark.parametrize("clip", [uuid4(), None], ids=["unknown", "null"])
def test_an_unknown_clip_is_not_found(db: Connection, clip: UUID | None) -> None:
    """CON-1."""
    with as_user(db, make_user(db)), refused(db, "clip_not_found") as refusal:
        call(db, "skip_clip", clip_id=clip)
    assert refusal.status == 404
    assert one(db, "select count(*) from consensus.skips") == 0


def test_a_hidden_clip_is_not_found_either(db: Connection) -> None:
    """CLP-3."""
    author, reviewer = make_people(db, 2)
    clip = submit(db, author)
    db.execute("update public.clips set is_hidden = true")
    for person in (author, reviewer):
        with as_user(db, person), refused(db, "clip_not_found"):
            call(db, "skip_clip", clip_id=clip)
    assert one(db, "select count(*) from consensus.skips") == 0
    db.execute("update public.clips set is_hidden = false")
    skip(db, reviewer, clip)
    assert one(db, "select count(*) from consensus.skips") == 1


@pytest.mark.parametrize(
    ("who", "role", "code"),
    [
        ("anon", "anon", "42501"),
        ("service_role", "service_role", "42501"),
        ("nobody", "authenticated", "not_authenticated"),
        ("unconfirmed", "authenticated", "not_a_member"),
    ],
)
def test_only_members_skip(db: Connection, who: str, role: str, code: str) -> None:
    """APP-1: an existing and an unknown clip answer alike."""
    clip = submit(db, make_user(db))
    caller = make_user(db, confirmed=False) if who == "unconfirmed" else None
    for given in (clip, uuid4()):
        with as_user(db, caller, role), refused(db, code):
            call(db, "skip_clip", clip_id=given)
    assert one(db, "select count(*) from consensus.skips") == 0
