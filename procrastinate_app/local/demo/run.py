"""The order of the demo's steps, for a made-up crowd and for recorded votes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from procrastinate_app.local.demo import report
from procrastinate_app.local.demo.crowd import Crowd, Label, score
from procrastinate_app.local.demo.files import Recorded
from procrastinate_app.local.demo.members import open_api
from procrastinate_app.local.demo.owner import open_owner
from procrastinate_app.local.demo.play import CALLS_AT_ONCE, Decision, Play
from procrastinate_app.local.demo.sandbox_client import Sandbox
from procrastinate_app.local.demo.screen import Screen
from procrastinate_app.local.stack import Stack


async def play_crowd(stack: Stack, screen: Screen, crowd: Crowd) -> bool:
    """A crowd of known skill works the review queue. True when the books are proved."""
    screen.say(
        f"  {len(crowd.reviewers)} reviewers of known skill, {len(crowd.truth)} clips, "
        f"seed {crowd.seed}"
    )
    truth = dict(crowd.truth)
    async with _play(stack, screen) as play:
        since = await play.owner.now()
        await _fund(play, len(truth))
        await play.sign_up([reviewer.name for reviewer in crowd.reviewers])
        # one after another, so that the same seed gives the same queue
        await play.submit(list(truth), at_once=1)
        await play.review_queue(crowd)
        voted = score({each.task: each.status for each in await play.decisions()}, truth)
        ruled = await play.rule_by_staff(truth)
        proved = await _settle_and_show(
            play, stack, since, truth, ruled, {each.name: each.skill for each in crowd.reviewers}
        )
        screen.say("\nThe crowd against the truth, before the moderator")
        report.tell_score(play, voted)
        screen.say(f"\n  {screen.seconds:.1f} s in all")
        return proved


async def play_recorded(stack: Stack, screen: Screen, recorded: Recorded) -> bool:
    """Recorded votes are cast again, in their order. True when the books are proved."""
    tasks, workers = recorded.tasks, recorded.workers
    screen.say(
        f"  {len(recorded.votes):,} votes of {len(workers):,} workers on {len(tasks):,} tasks"
    )
    if recorded.repeated:
        screen.say(f"  left out: {recorded.repeated:,} repeated votes of one worker on one task")
    if recorded.truth_missing:
        screen.say(f"  truth unknown: {recorded.truth_missing:,} tasks, not counted in accuracy")
    if recorded.truth_unused:
        screen.say(f"  not voted on: {recorded.truth_unused:,} tasks of the truth file")
    async with _play(stack, screen) as play:
        since = await play.owner.now()
        await _fund(play, len(tasks))
        await play.sign_up(workers)
        await play.submit(tasks)
        await play.cast_recorded(recorded.votes)
        proved = await _settle_and_show(play, stack, since, recorded.truth, None, None)
        decisions = await play.decisions()
        screen.say("\nThe votes against the truth")
        report.tell_score(
            play, score({each.task: each.status for each in decisions}, recorded.truth)
        )
        screen.say(
            f"  votes      {len(play.used):,} used, "
            f"{len(play.unused):,} unused: their clip was decided already"
        )
        screen.say(f"  seconds    {play.voting_seconds:.1f} voting, {screen.seconds:.1f} in all")
        return proved


@asynccontextmanager
async def _play(stack: Stack, screen: Screen) -> AsyncIterator[Play]:
    """The API, the owner's connection, and faults in the sandbox."""
    assert stack.api_url is not None
    async with (
        open_api(stack.api_url, stack.publishable_key or "", connections=CALLS_AT_ONCE) as api,
        open_owner(stack.database_url) as owner,
    ):
        if stack.sandbox_url:
            await Sandbox(stack.sandbox_url).add_faults()
        kind = await owner.kind()
        limits = await owner.limits()
        await owner.widen_limits()
        try:
            yield Play(api=api, owner=owner, screen=screen, kind=kind)
        finally:
            await owner.set_limits(limits)
            await owner.set_daily_cap(kind.daily_reward_cap)


async def _fund(play: Play, clips: int) -> None:
    """What an operator does before such a day: enough in the pool, no cap in the way."""
    kind = play.kind
    most = clips * (kind.author_reward + kind.max_votes * kind.reviewer_reward)
    await play.owner.fund(kind.currency, 2 * most + 100_000)
    await play.owner.set_daily_cap(max(kind.daily_reward_cap, most))


async def _settle_and_show(
    play: Play,
    stack: Stack,
    since: object,
    truth: Mapping[str, Label],
    ruled: Decision | None,
    skills: Mapping[str, float] | None,
) -> bool:
    """Everybody is told, the rewards are settled, everybody is told again; then the tables."""
    sandbox = Sandbox(stack.sandbox_url) if stack.sandbox_url else None
    await play.wait_delivered()
    before = await play.wallets()
    if sandbox:
        await play.settle()
        await play.wait_delivered()
    after = await play.wallets()
    decisions = await play.decisions()
    report.show_voters(play, decisions, truth, after, skills)
    report.show_decisions(play, decisions, truth, ruled)
    report.show_money(play, before, after, await play.owner.withheld(since), waited=bool(sandbox))
    await report.show_delivery(play.owner, play, sandbox, since)
    return await report.show_books(play.owner, play)
