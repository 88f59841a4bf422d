"""A population at work for a while, its connections cut at random; then everything must add up."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from threading import Condition
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from tests.consensus.crowd import STUCK_SECONDS, advance, change_rule, freeze, settle_all
from tests.consensus.invariants import broken
from tests.support.callers import Connection, Refusal, become, call, one
from tests.support.databases import FreshDatabase
from tests.support.money import fund
from tests.support.people import make_moderator, make_people

ACTORS = 8
PEOPLE_EACH = 2
DAYS = 4
ACTS_A_DAY = 15
ACTS_PER_KILL = 12
EXPECTED = {
    "already_decided", "clip_not_found", "insufficient_funds", "not_permitted", "own_clip",
    "status_unchanged", "unknown_label",
}  # fmt: skip
LABELS = ["valid", "invalid"]


@dataclass
class Town:
    """What the actors share."""

    database: FreshDatabase
    staff: list[UUID]
    clips: list[UUID] = field(default_factory=list)
    acts: int = 0
    working: int = 0
    turn: Condition = field(default_factory=Condition)

    def count_an_act(self, finished: bool = False) -> None:
        with self.turn:
            self.acts += 1
            self.working -= finished
            self.turn.notify_all()

    def wait_for_acts(self, count: int) -> bool:
        """Wait until so many more were counted; false when nobody acts any more."""
        wanted = self.acts + count
        assert self.turn.wait_for(lambda: self.acts >= wanted or not self.working, STUCK_SECONDS)
        return self.working > 0


class Actor:
    """One client: a few people's requests one after the other, repeated when cut off."""

    def __init__(self, town: Town, people: list[UUID], seed: int) -> None:
        self.town = town
        self.people = people
        self.chance = random.Random(seed)
        self.conn: Connection | None = None
        self.seen: Counter[str] = Counter()
        self.submitted = 0
        self.standing: dict[tuple[UUID, UUID], set[str | None]] = {}

    def live(self) -> None:
        """Act until the day is over. Nobody acts while the clock moves on: a transaction, too,
        has one time."""
        acts: list[Callable[[UUID], None]] = [
            self.submit, self.vote_blindly, self.skip, self.judge, self.settle, self.spend,
            self.review_and_vote,
        ]  # fmt: skip
        try:
            for _ in range(ACTS_A_DAY):
                act = self.chance.choices(acts, [6, 6, 2, 4, 3, 2, 12])[0]
                act(self.chance.choice(self.people))
                self.town.count_an_act()
        finally:
            self.town.count_an_act(finished=True)

    def close(self) -> None:
        if self.conn:
            self.conn.close()

    def request(self, caller: UUID | None, what: str, action: Callable[[Connection], Any]) -> Any:
        """One request, made again as long as the line is cut; gives a Refusal when refused.

        A refusal after a cut is an answer about both tries.
        """
        while True:
            try:
                if self.conn is None or self.conn.closed:
                    self.conn = psycopg.connect(
                        self.town.database.url, autocommit=True, application_name="actor"
                    )
                with self.conn.transaction():
                    if caller is not None:
                        become(self.conn, caller)
                    answer = action(self.conn)
                self.seen[what] += 1
                return answer
            except psycopg.Error as error:
                if self.conn is None or self.conn.closed:
                    self.seen["cut off"] += 1
                    continue
                refusal = Refusal.of(error)
                self.seen[refusal.code] += 1
                assert refusal.code in EXPECTED, f"{what}: {refusal.code} {refusal.message}"
                return refusal

    def some_clip(self) -> UUID | None:
        return self.chance.choice(self.town.clips) if self.town.clips else None

    def submit(self, person: UUID) -> None:
        key = str(uuid4())
        given = {
            "kind": self.chance.choice(["voice", "video"]),
            "language": "sw",
            "media_path": f"{person}/{key}.ogg",
            "duration_ms": 1000,
            "prompt": "Habari",
            "idempotency_key": key,
        }
        rows = self.request(person, "submit", lambda c: call(c, "submit_clip", **given))
        self.town.clips.append(rows[0][0])
        self.submitted += 1

    def cast(self, person: UUID, clip: UUID) -> None:
        label = self.chance.choices([*LABELS, "maybe"], [6, 3, 1])[0]
        cuts = self.seen["cut off"]
        answer = self.request(
            person, "vote", lambda c: call(c, "cast_vote", clip_id=clip, label=label)
        )
        before = self.standing.get((person, clip), {None})
        if not isinstance(answer, Refusal):
            self.standing[person, clip] = {label}
        elif self.seen["cut off"] > cuts and label in LABELS:
            self.standing[person, clip] = before | {label}

    def vote_blindly(self, person: UUID) -> None:
        if clip := self.some_clip():
            self.cast(person, clip)

    def review_and_vote(self, person: UUID) -> None:
        rows = self.request(
            person,
            "review",
            lambda c: call(c, "next_clips_to_review", language="sw", max_clips=3),
        )
        for row in rows:
            self.cast(person, row[0])

    def skip(self, person: UUID) -> None:
        if clip := self.some_clip():
            self.request(person, "skip", lambda c: call(c, "skip_clip", clip_id=clip))

    def judge(self, person: UUID) -> None:
        clip = self.some_clip()
        judge = self.chance.choice([*self.town.staff, person])
        status = self.chance.choice(["valid", "invalid", "invalid", "pending"])
        if clip:
            self.request(
                judge,
                "judge",
                lambda c: call(
                    c, "set_validation_status", clip_id=clip, status=status, reason="heard it"
                ),
            )

    def settle(self, _: UUID) -> None:
        self.request(None, "settle", lambda c: one(c, "select consensus.settle_due_clips(5)"))

    def spend(self, person: UUID) -> None:
        """Empty the wallet, so that what is taken back later leaves a debt."""
        self.request(
            None,
            "spend",
            lambda c: c.execute(
                "select ledger.post(array[row(w.id, r.id, w.posted, 'test_payment',"
                " null, null, null, null)::ledger.posting])"
                " from ledger.accounts as w, ledger.accounts as r"
                " where w.owner_id = %s and w.posted > 0 and w.currency = r.currency"
                " and r.purpose = 'revenue'",
                [person],
            ),
        )


def cut_lines(town: Town, seed: int) -> int:
    """Kill a connection, rather a busy one, once in a number of acts, until nobody acts."""
    chance = random.Random(seed)
    killed = 0
    with psycopg.connect(town.database.url, autocommit=True) as conn:
        while True:
            with town.turn:
                if not town.wait_for_acts(ACTS_PER_KILL):
                    return killed
            rows = conn.execute(
                "select pid from pg_stat_activity where datname = current_database()"
                " and application_name = 'actor' order by state = 'idle', pid"
            ).fetchall()
            for row in rows[: chance.choice([1, 1, 3])]:
                killed += bool(one(conn, "select pg_terminate_backend(%s)", [row[0]]))


@pytest.mark.parametrize("seed", [11, 12])
def test_whatever_happens_everything_adds_up(fresh_db: FreshDatabase, seed: int) -> None:
    """CON-1 to CON-8, CLP-2, LED-1 to LED-4, LED-7, JOB-1: nothing acknowledged is lost, nothing
    is done twice, no deadlock, no refusal but the documented ones."""
    owner = fresh_db.connect()
    fund(owner, 20_000)
    freeze(owner, "2026-03-01 22:00+00")
    change_rule(owner, daily_reward_cap=60, max_votes=5)
    people = make_people(owner, ACTORS * PEOPLE_EACH)
    town = Town(fresh_db, [make_moderator(owner) for _ in range(2)])
    actors = [
        Actor(town, people[n * PEOPLE_EACH : (n + 1) * PEOPLE_EACH], seed * 100 + n)
        for n in range(ACTORS)
    ]

    killed = 0
    with ExitStack() as homes:
        for actor in actors:
            homes.callback(actor.close)
        for _ in range(DAYS):
            town.working = ACTORS
            with ThreadPoolExecutor(ACTORS + 1) as threads:
                killer = threads.submit(cut_lines, town, seed)
                lives = [threads.submit(actor.live) for actor in actors]
                for life in lives:
                    life.result()
                killed += killer.result()
            assert broken(owner) == []
            advance(owner, "3 days")
    assert killed > 0

    seen = sum((actor.seen for actor in actors), Counter[str]())
    assert {"submit", "vote", "review", "judge", "settle", "cut off"} <= set(seen)
    assert one(owner, "select count(*) from public.clips") == sum(a.submitted for a in actors)
    kept = {
        (voter, clip): label
        for voter, clip, label in owner.execute("select voter_id, clip_id, label from public.votes")
    }
    for actor in actors:
        for known, labels in actor.standing.items():
            assert kept.pop(known, None) in labels
    assert kept == {}

    advance(owner, "30 days")
    settle_all(owner)
    assert one(owner, "select count(*) from consensus.items where state = 'decided'") == 0
    assert one(owner, "select count(*) from ledger.holds where state = 'pending'") == 0
    assert broken(owner) == []
