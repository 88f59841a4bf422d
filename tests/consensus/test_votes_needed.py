"""The classic rule: what votes_needed says, against its definition by trying everything."""

from __future__ import annotations

from itertools import combinations_with_replacement, count
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.consensus.crowd import change_rule
from tests.support.callers import Connection, Refusal, as_user, call, one
from tests.support.people import make_people
from tests.support.work import submit

LABELS = ["valid", "invalid", "wrong", "silent"]


def decides(tally: list[int], min_votes: int) -> bool:
    """Some label has the minimum and more than half of all votes."""
    return any(votes >= min_votes and 2 * votes > sum(tally) for votes in tally)


def fewest_to_decide(tally: list[int], min_votes: int) -> int:
    """Try every way of casting 0, 1, 2 … further votes until one decides."""
    for further in count():
        for places in combinations_with_replacement(range(len(tally)), further):
            if decides([v + places.count(p) for p, v in enumerate(tally)], min_votes):
                return further
    raise AssertionError


tallies = st.integers(2, 4).flatmap(
    lambda labels: st.lists(st.integers(0, 5), min_size=labels, max_size=labels)
)


@settings(max_examples=200, deadline=None)
@given(tally=tallies, min_votes=st.integers(1, 6))
@example(tally=[0, 0], min_votes=2)
@example(tally=[1, 1], min_votes=2)
@example(tally=[2, 0], min_votes=2)
@example(tally=[2, 2], min_votes=2)
@example(tally=[2, 2, 1], min_votes=2)
def test_votes_needed_is_the_fewest_votes_that_can_decide(
    shared_db: Connection, tally: list[int], min_votes: int
) -> None:
    """CON-2."""
    with shared_db.transaction(force_rollback=True):
        said = one(shared_db, "select consensus.votes_needed(%s, %s)", [tally, min_votes])
    assert said == fewest_to_decide(tally, min_votes)


@pytest.mark.parametrize(
    ("up", "down", "is_valid"),
    [
        (0, 0, None), (1, 0, None), (1, 1, None), (2, 2, None), (2, 0, True), (2, 1, True),
        (3, 2, True), (0, 2, False), (1, 2, False), (2, 3, False),
    ],
)  # fmt: skip
def test_two_labels_and_two_votes_are_the_common_voice_rule(
    db: Connection, up: int, down: int, is_valid: bool | None
) -> None:
    """CON-2: valid when up >= 2 and up > down, invalid when down >= 2 and down > up."""
    needed = one(db, "select consensus.votes_needed(%s, 2)", [[up, down]])
    assert (needed == 0) is (is_valid is not None)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    ballots=st.lists(
        st.tuples(st.integers(0, 6), st.sampled_from(LABELS)), min_size=1, max_size=14
    ),
    labels=st.sampled_from([2, 3, 4]),
    min_votes=st.integers(1, 3),
    spare=st.integers(0, 4),
)
def test_the_door_decides_as_the_rule_is_defined(
    db: Connection,
    ballots: list[tuple[int, str]],
    labels: int,
    min_votes: int,
    spare: int,
) -> None:
    """CON-1, CON-2: votes and re-votes in any order, against a model of ten lines."""
    with db.transaction(force_rollback=True):
        max_votes = min_votes + spare
        change_rule(
            db, labels=LABELS[:labels], validating_labels=["valid"],
            min_votes=min_votes, max_votes=max_votes,
        )  # fmt: skip
        author, *voters = make_people(db, 8)
        clip = submit(db, author)
        standing: dict[int, str] = {}
        state = "open"
        for who, label in ballots:
            if standing.get(who) == label:
                expected = state
            elif state != "open":
                met = who in standing or (_state(db, clip) == "decided" and _published(db, clip))
                expected = "already_decided" if met else "clip_not_found"
            elif label not in LABELS[:labels]:
                expected = "unknown_label"
            else:
                standing[who] = label
                tally = [list(standing.values()).count(known) for known in LABELS[:labels]]
                if decides(tally, min_votes):
                    state = "decided"
                elif len(standing) >= max_votes:
                    state = "disputed"
                expected = state
            with Outcome(db) as outcome, as_user(db, voters[who]):
                call(db, "cast_vote", clip_id=clip, label=label)
            assert (outcome.code or _state(db, clip)) == expected
            assert _state(db, clip) == state
        kept = db.execute(
            "select voter_id, label from public.votes where clip_id = %s", [clip]
        ).fetchall()
        assert dict(kept) == {voters[who]: label for who, label in standing.items()}


class Outcome:
    """Whether a block was refused, and with which code; its writes are undone then."""

    def __init__(self, conn: Connection) -> None:
        self._block = conn.transaction()
        self.code: str | None = None

    def __enter__(self) -> Outcome:
        self._block.__enter__()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        self._block.__exit__(type(error) if error else None, error, None)
        if isinstance(error, psycopg.Error):
            self.code = Refusal.of(error).code
            return True
        return False


def _published(db: Connection, clip: UUID) -> bool:
    shown = "select published_at is not null from public.clips where id = %s"
    return bool(one(db, shown, [clip]))


def _state(conn: Connection, clip: object) -> str:
    return str(one(conn, "select state from consensus.items where clip_id = %s", [clip]))
