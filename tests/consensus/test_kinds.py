"""consensus.kinds: what an operator may make of a kind's labels."""

from __future__ import annotations

import pytest

from tests.consensus.crowd import change_rule
from tests.consensus.invariants import broken
from tests.support.callers import Connection, one, refused
from tests.support.people import make_people
from tests.support.work import submit, vote


def labels(db: Connection) -> list[str]:
    found: list[str] = one(db, "select labels from consensus.kinds where kind = 'voice'")
    return found


def test_labels_grow_at_the_end_and_old_votes_keep_their_place(db: Connection) -> None:
    """CON-1: tallies count by place."""
    author, first, second = make_people(db, 3)
    clip = submit(db, author)
    vote(db, first, clip, "invalid")
    for more in (["noisy"], ["noisy", "silent", "wrong"]):
        change_rule(db, labels=["valid", "invalid", *more])
        assert labels(db) == ["valid", "invalid", *more]
    vote(db, second, clip, "wrong")
    assert one(db, "select tally from consensus.items") == [0, 1, 0, 0, 1]
    assert broken(db) == []


@pytest.mark.parametrize(
    "changed",
    [
        ["invalid", "valid"],
        ["valid", "noisy"],
        ["noisy", "valid", "invalid"],
        ["valid", "noisy", "invalid"],
        ["Valid", "invalid"],
        ["valid"],
        [],
        [None, "invalid"],
        ["valid", "invalid", "valid"],
        ["valid", "invalid", "noisy", "noisy"],
    ],
    ids=str,
)
def test_labels_are_not_moved_renamed_taken_away_or_repeated(
    db: Connection, changed: list[str | None]
) -> None:
    """CON-1."""
    with refused(db, "invalid_input") as refusal:
        change_rule(db, labels=changed)
    assert (refusal.details or "").startswith("labels: ")
    assert labels(db) == ["valid", "invalid"]


@pytest.mark.parametrize(
    ("changed", "constraint"),
    [
        ({"labels": ["valid"]}, "kinds_labels_two_or_more"),
        ({"labels": ["valid", "invalid", None]}, "kinds_labels_without_null"),
        ({"labels": ["invalid", "noisy"]}, "kinds_validating_labels_are_labels"),
        ({"validating_labels": ["valid", "invalid"]}, "kinds_some_label_invalidates"),
        ({"validating_labels": []}, "kinds_validating_labels_are_labels"),
        ({"validating_labels": ["noisy"]}, "kinds_validating_labels_are_labels"),
    ],
    ids=str,
)
def test_every_kind_has_labels_to_say_yes_and_to_say_no(
    db: Connection, changed: dict[str, list[str]], constraint: str
) -> None:
    """CON-2: the table holds this by itself."""
    db.execute("alter table consensus.kinds disable trigger user")
    with refused(db, "23514") as refusal:
        change_rule(db, **changed)
    assert constraint in refusal.message


def test_a_new_kind_is_held_to_the_same(db: Connection) -> None:
    """CON-1: when it is added, too."""
    db.execute("delete from consensus.kinds where kind = 'video'")
    add = (
        "insert into consensus.kinds (kind, labels, validating_labels, min_votes, max_votes,"
        " currency, author_reward, reviewer_reward, daily_reward_cap)"
        " values ('video', %s, '{good}', 2, 7, 'USD', 1, 1, 10)"
    )
    with refused(db, "invalid_input") as refusal:
        db.execute(add, [["good", "bad", "good"]])
    assert refusal.details == "labels: each once"
    db.execute(add, [["good", "bad"]])
    assert one(db, "select count(*) from consensus.kinds") == 2
