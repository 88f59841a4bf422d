"""The path itself: people join, submit, review, are overruled, paid and told."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from procrastinate_app.local.demo.crowd import Crowd, Label, Vote
from procrastinate_app.local.demo.lanes import side_by_side
from procrastinate_app.local.demo.members import Api, Member, Refused
from procrastinate_app.local.demo.owner import KIND, Kind, Owner
from procrastinate_app.local.demo.screen import Screen, Step
from procrastinate_app.local.errors import LocalError

LANGUAGE = "sw"
AUTHORS = ("amara", "baraka", "chausiku")
MODERATOR = "moderator"
SIGN_UPS_AT_ONCE = 4
CALLS_AT_ONCE = 16
CLIPS_AT_A_TIME = 3
LOOK_SECONDS = 0.2
PATIENCE_SECONDS = 90


@dataclass(frozen=True)
class Decision:
    """What became of a task, and why."""

    task: str
    clip_id: str
    author_id: str
    status: str
    why: str


@dataclass
class Play:
    """One run: who takes part, which task is which clip, which votes counted."""

    api: Api
    owner: Owner
    screen: Screen
    kind: Kind
    run: str = field(default_factory=lambda: secrets.token_hex(4))
    authors: list[Member] = field(default_factory=list)
    voters: dict[str, Member] = field(default_factory=dict)
    moderator: Member | None = None
    clips: dict[str, str] = field(default_factory=dict)
    used: list[Vote] = field(default_factory=list)
    unused: list[Vote] = field(default_factory=list)
    voting_seconds: float = 0.0

    # -- people -----------------------------------------------------------------------------

    async def sign_up(self, voters: list[str]) -> None:
        """Make everybody an account; the moderator is appointed by the operator."""
        joined: dict[str, Member] = {}
        people = [("author", name) for name in AUTHORS] + [("voter", name) for name in voters]
        people.append(("staff", MODERATOR))

        with self.screen.step(f"sign up {len(people)} people", len(people)) as step:

            async def join(numbered: tuple[int, tuple[str, str]]) -> None:
                number, (part, name) = numbered
                email = f"{part}-{number}-{self.run}@example.com"
                joined[f"{part}/{name}"] = await self.api.sign_up(name, email)
                step.advance()

            await side_by_side(enumerate(people), join, lanes=SIGN_UPS_AT_ONCE)
        self.authors = [joined[f"author/{name}"] for name in AUTHORS]
        self.voters = {name: joined[f"voter/{name}"] for name in voters}
        self.moderator = joined[f"staff/{MODERATOR}"]
        await self.owner.appoint(self.moderator.id, "moderator")

    @property
    def people(self) -> list[Member]:
        return [*self.authors, *self.voters.values()]

    # -- clips ------------------------------------------------------------------------------

    async def submit(self, tasks: list[str], *, at_once: int = CALLS_AT_ONCE) -> None:
        """Each task becomes a clip, the authors taking turns."""
        with self.screen.step(f"submit {len(tasks):,} clips", len(tasks)) as step:

            async def submit(numbered: tuple[int, str]) -> None:
                number, task = numbered
                author = self.authors[number % len(self.authors)]
                clip = await self.api.call(
                    author,
                    "submit_clip",
                    kind=KIND,
                    language=LANGUAGE,
                    media_path=f"{author.id}/{self.run}/{number + 1}.ogg",
                    duration_ms=2000,
                    prompt=task,
                    idempotency_key=f"{self.run}/{number}",
                )
                self.clips[task] = clip["id"]
                step.advance()

            await side_by_side(enumerate(tasks), submit, lanes=at_once)

    # -- votes ------------------------------------------------------------------------------

    async def cast(self, vote: Vote) -> None:
        """One vote. One that comes after the decision is refused; its code tells it apart.

        A clip rejected before this voter met it answers as if it never was.
        """
        voter = self.voters[vote.worker]
        try:
            await self.api.call(voter, "cast_vote", clip_id=self.clips[vote.task], label=vote.label)
        except Refused as refused:
            if refused.code not in ("already_decided", "clip_not_found"):
                raise
            self.unused.append(vote)
        else:
            self.used.append(vote)

    async def review_queue(self, crowd: Crowd) -> None:
        """Reviewers take clips from the queue in turn until it has nothing for any of them."""
        tasks = {clip_id: task for task, clip_id in self.clips.items()}
        with self.screen.step("review what the queue hands out") as step:
            started = time.monotonic()
            handed_out = 1
            while handed_out:
                handed_out = 0
                for reviewer in crowd.reviewers:
                    items = await self.api.call(
                        self.voters[reviewer.name],
                        "next_clips_to_review",
                        language=LANGUAGE,
                        max_clips=CLIPS_AT_A_TIME,
                    )
                    for task in (tasks.get(item["clip_id"]) for item in items):
                        if task is not None:
                            opinion = crowd.opinion(reviewer, task)
                            await self.cast(Vote(task, reviewer.name, opinion))
                            handed_out += 1
                            step.advance()
            self.voting_seconds = time.monotonic() - started
            step.result = self._votes_a_second()

    async def cast_recorded(self, votes: tuple[Vote, ...]) -> None:
        """Recorded votes in file order, several clips side by side, one clip's votes in order."""
        with self.screen.step(f"cast {len(votes):,} votes", len(votes)) as step:

            async def cast(vote: Vote) -> None:
                await self.cast(vote)
                step.advance()

            started = time.monotonic()
            await side_by_side(votes, cast, lanes=CALLS_AT_ONCE, in_order=lambda vote: vote.task)
            self.voting_seconds = time.monotonic() - started
            step.result = self._votes_a_second()

    def _votes_a_second(self) -> str:
        votes = len(self.used) + len(self.unused)
        return f"{votes:,} votes, {votes / max(self.voting_seconds, 0.001):,.0f} a second"

    # -- decisions --------------------------------------------------------------------------

    async def decisions(self) -> list[Decision]:
        """What became of every task, as staff see it."""
        assert self.moderator is not None
        tasks = {clip_id: task for task, clip_id in self.clips.items()}
        rows = await self.api.read(
            self.moderator,
            "clips",
            select="id,author_id,status,status_reason",
            author_id=f"in.({','.join(author.id for author in self.authors)})",
            order="id",
        )
        # a clip everyone may see does not carry staff's own words; the record does
        by_hand = await self.api.read(
            self.moderator,
            "audit_events",
            select="subject_id,reason",
            action="eq.validation_status_set",
            order="id",
        )
        reasons = {row["subject_id"]: row["reason"] for row in by_hand}
        return [
            Decision(
                tasks[row["id"]], row["id"], row["author_id"], row["status"],
                reasons.get(row["id"]) or row["status_reason"] or "not enough votes",
            )
            for row in rows
            if row["id"] in tasks
        ]  # fmt: skip

    async def rule_by_staff(self, truth: Mapping[str, Label]) -> Decision | None:
        """The moderator overrules the first wrong decision, or confirms the first right one."""
        assert self.moderator is not None
        decided = [each for each in await self.decisions() if each.status != "pending"]
        wrong = [each for each in decided if each.status != truth[each.task]]
        if not decided:
            return None
        chosen = (wrong or decided)[0]
        with self.screen.step("a moderator listens to one clip again") as step:
            answer: dict[str, Any] = await self.api.call(
                self.moderator,
                "set_validation_status",
                clip_id=chosen.clip_id,
                status=truth[chosen.task],
                reason="Listened to again: " + ("the votes were wrong." if wrong else "right."),
            )
            step.result = (
                f"{chosen.task}: {answer['previous_status']} becomes {answer['status']}"
                if wrong
                else f"{chosen.task}: {answer['status']} is confirmed"
            )
        return chosen

    # -- money and messages -----------------------------------------------------------------

    async def wallets(self) -> dict[str, dict[str, int]]:
        """Everybody's wallet in the demo's currency, as each sees it, by member id."""
        found: dict[str, dict[str, int]] = {}

        async def read(member: Member) -> None:
            rows = await self.api.read(
                member, "wallets", select="*", currency=f"eq.{self.kind.currency}"
            )
            found[member.id] = rows[0] if rows else {"posted": 0, "pending": 0, "available": 0}

        await side_by_side(self.people, read, lanes=CALLS_AT_ONCE)
        return found

    async def settle(self) -> None:
        """Let the waiting time pass: the rules' clock is put forward, the worker does the rest."""
        days = self.kind.settle_after.days
        with self.screen.step(f"let {days} days pass, settle the rewards") as step:
            await self.owner.move_clock(self.kind.settle_after)
            try:
                await self.owner.ring_settlement()
                await _until_none(self.owner.unsettled, step)
            finally:
                await self.owner.move_clock(None)

    async def wait_delivered(self) -> None:
        """Wait until the worker has carried every event there is."""

        async def left() -> int:
            carried = await self.owner.carried()
            return carried.waiting + carried.retrying + carried.in_flight

        with self.screen.step("wait until everybody has been told") as step:
            await _until_none(left, step)


async def _until_none(left: Callable[[], Awaitable[int]], step: Step) -> None:
    """Look until `left()` is 0; give up when it has not become less for a while."""
    least, changed_at = None, time.monotonic()
    while remaining := await left():
        if least is None or remaining < least:
            least, changed_at = remaining, time.monotonic()
        if time.monotonic() - changed_at > PATIENCE_SECONDS:
            raise LocalError(
                f"The worker has not got on for {PATIENCE_SECONDS} s, {remaining} left."
            )
        step.say(f"{remaining:,} left")
        await asyncio.sleep(LOOK_SECONDS)
