"""APP-6: limits are exact in parallel bursts, and callers who share one do not wait in line."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.limits.limits import HOME, freeze, headers, rename
from tests.support.callers import Refusal, call, one
from tests.support.databases import FreshDatabase
from tests.support.limits import allow
from tests.support.parallel import refusals, together, wait_until_waiting
from tests.support.people import make_people, make_user
from tests.support.work import submit

OVER = 50


def caller(database: FreshDatabase, user: UUID, address: str = HOME) -> Callable[[], Any]:
    def ask() -> Any:
        with database.as_user(user, headers=headers(address)) as conn:
            return call(conn, "update_profile", bio="hello")

    return ask


@pytest.mark.parametrize("burst", [1, 10, 37])
def test_a_burst_of_one_person_is_met_exactly(fresh_db: FreshDatabase, burst: int) -> None:
    """R17: fifty too many at the same moment, each on a connection of its own."""
    with fresh_db.connect() as owner:
        freeze(owner)
        allow(owner, "update_profile", user=burst)
        user = make_user(owner)
        answers = together([caller(fresh_db, user)] * (burst + OVER))
        assert refusals(answers) == ["rate_limited"] * OVER


@pytest.mark.parametrize("burst", [1, 20, 40])
def test_a_burst_of_one_address_is_met_exactly(fresh_db: FreshDatabase, burst: int) -> None:
    """R17: many people behind one address, fifty too many."""
    with fresh_db.connect() as owner:
        freeze(owner)
        allow(owner, "update_profile", ip=burst)
        people = make_people(owner, burst + OVER)
        answers = together([caller(fresh_db, user) for user in people])
        assert refusals(answers) == ["rate_limited"] * OVER


def test_bursts_one_after_the_other_are_met_exactly(fresh_db: FreshDatabase) -> None:
    """Slots made, used up and refilled while others use them."""
    with fresh_db.connect() as owner:
        allow(owner, "update_profile", user=10, seconds=60)
        user = make_user(owner)
        for minute in range(5):
            freeze(owner, later=60 * minute)
            answers = together([caller(fresh_db, user)] * 25)
            assert refusals(answers) == ["rate_limited"] * 15


def test_two_doors_at_once_have_a_burst_each(fresh_db: FreshDatabase) -> None:
    with fresh_db.connect() as owner:
        freeze(owner)
        allow(owner, "update_profile", user=5)
        allow(owner, "skip_clip", user=5)
        clip = submit(owner, make_user(owner))
        user = make_user(owner)

        def skip() -> Any:
            with fresh_db.as_user(user, headers=headers()) as conn:
                return call(conn, "skip_clip", clip_id=clip)

        answers = together([caller(fresh_db, user), skip] * 12)
        assert refusals(answers[::2]) == ["rate_limited"] * 7
        assert refusals(answers[1::2]) == ["rate_limited"] * 7


def test_neighbours_do_not_wait_for_a_call_under_way(fresh_db: FreshDatabase) -> None:
    """One row for everybody behind an address would hold them all until the slowest commits."""
    with fresh_db.connect() as owner:
        owner.execute(
            "alter function limits.take(limits.rules, text, integer) set lock_timeout = '1ms'"
        )
        people = make_people(owner, 32)
        under_way = [fresh_db.connect(autocommit=False) for _ in people]
        for _ in range(2):  # slots that are still to be made, and such as are there
            for conn, user in zip(under_way, people, strict=True):
                conn.execute("set lock_timeout = '1ms'")
                rename(conn, user)
            for conn in under_way:
                conn.commit()
        assert one(owner, "select count(*) from limits.buckets where subject like 'ip:%'") == 32


def test_ones_own_calls_run_side_by_side_too(fresh_db: FreshDatabase) -> None:
    """So that a repeat can wait for its first call under the idempotency key, not before it."""
    with fresh_db.connect() as owner:
        user = make_user(owner)
        owner.execute(
            "alter function limits.take(limits.rules, text, integer) set lock_timeout = '1ms'"
        )
        calling = [fresh_db.connect(autocommit=False) for _ in range(4)]
        for conn in calling:
            conn.execute("select set_config('request.headers', '{}', false)")
            conn.execute(
                "select set_config('request.jwt.claims', jsonb_build_object('sub', %s::text)::text,"
                " false)",
                [str(user)],
            )
            conn.execute("select limits.spend('submit_clip')")
        for conn in calling:
            conn.rollback()


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_the_last_call_waits_for_those_under_way(fresh_db: FreshDatabase, end: str) -> None:
    """They may fail and give theirs back; only then is it known whether one is left."""
    with fresh_db.connect() as owner:
        freeze(owner)
        allow(owner, "update_profile", ip=2)
        first, second, last = make_people(owner, 3)
        one_, two, waiting = (fresh_db.connect(autocommit=False) for _ in range(3))
        rename(one_, first)
        rename(two, second)

        def ask() -> Any:
            return rename(waiting, last)

        def end_once_waited_for() -> None:
            wait_until_waiting(owner, waiting.info.backend_pid)
            getattr(one_, end)()
            two.commit()

        answer, _ = together([ask, end_once_waited_for])
        waiting.rollback()
        assert isinstance(answer, Refusal) == (end == "commit")
        if isinstance(answer, Refusal):
            assert answer.code == "rate_limited"


def test_a_call_that_waits_too_long_is_refused(fresh_db: FreshDatabase) -> None:
    with fresh_db.connect() as owner:
        assert "lock_timeout=5s" in one(
            owner, "select proconfig from pg_proc where oid = 'limits.take'::regproc"
        )
        owner.execute(
            "alter function limits.take(limits.rules, text, integer) set lock_timeout = '20ms'"
        )
        allow(owner, "update_profile", user=1)
        user = make_user(owner)
        rename(owner, user)
        owner.execute("update limits.buckets set full_at = 'epoch' where true")
        under_way = fresh_db.connect(autocommit=False)
        rename(under_way, user)
        [answer] = together([caller(fresh_db, user)])
        assert isinstance(answer, Refusal)
        assert answer.code == "rate_limited"
        assert answer.headers["Retry-After"] == "1"
        under_way.rollback()


def test_limits_and_the_rules_own_locks_do_not_deadlock(fresh_db: FreshDatabase) -> None:
    """Neighbours vote on the same clips in opposite order, close to the end of their limit."""
    with fresh_db.connect() as owner:
        owner.execute("update consensus.kinds set min_votes = 50, max_votes = 100 where true")
        allow(owner, "cast_vote", user=8, ip=150, seconds=3600)
        author = make_user(owner)
        clips = [submit(owner, author) for _ in range(10)]
        people = make_people(owner, 20)

        def vote_on(user: UUID, order: list[UUID]) -> list[str]:
            codes = []
            for clip in order:
                try:
                    with fresh_db.as_user(user, headers=headers()) as conn:
                        call(conn, "cast_vote", clip_id=clip, label="valid")
                except psycopg.Error as error:
                    codes.append(Refusal.of(error).code)
            return codes

        found = together(
            [
                partial(vote_on, user, clips if n % 2 else clips[::-1])
                for n, user in enumerate(people)
            ]
        )
        votes = one(owner, "select count(*) from public.votes")
        assert {code for codes in found for code in codes} == {"rate_limited"}
        assert votes == 150
