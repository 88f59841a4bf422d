"""What happened, in tables for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from procrastinate_app.local.demo.crowd import Label, Score, Vote
from procrastinate_app.local.demo.members import Member
from procrastinate_app.local.demo.owner import Owner
from procrastinate_app.local.demo.play import Decision, Play
from procrastinate_app.local.demo.sandbox_client import FAULTS_TOLD, Sandbox

MOST_VOTERS = 12
MOST_CLIPS = 8

Wallets = Mapping[str, Mapping[str, int]]


def money(minor: int, digits: int, currency: str) -> str:
    """Minor units as an amount: money(123456, 2, "USD") is "1,234.56 USD"."""
    whole, part = divmod(abs(minor), 10**digits)
    sign = "-" if minor < 0 else ""
    return f"{sign}{whole:,}" + (f".{part:0{digits}}" if digits else "") + f" {currency}"


def show_voters(
    play: Play,
    decisions: list[Decision],
    truth: Mapping[str, Label],
    wallets: Wallets,
    skills: Mapping[str, float] | None,
) -> None:
    """Who voted: how often, how often as was decided, how often as is true, and what it earned."""
    status = {each.task: each.status for each in decisions}
    by_voter: dict[str, list[Vote]] = {name: [] for name in play.voters}
    for vote in play.used:
        by_voter[vote.worker].append(vote)
    busiest = sorted(by_voter.items(), key=lambda item: (-len(item[1]), item[0]))
    rows: list[tuple[object, ...]] = []
    for name, votes in busiest[:MOST_VOTERS]:
        agreed = [vote for vote in votes if status.get(vote.task) == vote.label]
        known = [vote for vote in votes if vote.task in truth]
        right = [vote for vote in known if truth[vote.task] == vote.label]
        rows.append(
            (
                name,
                *([f"{skills[name]:.0%}"] if skills else []),
                len(votes),
                _share(len(agreed), len(votes)),
                _share(len(right), len(known)),
                _amount(play, wallets[play.voters[name].id]["posted"]),
            )
        )
    columns = ("reviewer", *([">skill"] if skills else []), ">votes", ">agreed", ">right", ">paid")
    title = "Who voted"
    if len(busiest) > MOST_VOTERS:
        title += f" (the busiest {MOST_VOTERS} of {len(busiest)})"
    play.screen.table(title, *columns, rows=rows)


def show_decisions(
    play: Play, decisions: list[Decision], truth: Mapping[str, Label], ruled: Decision | None
) -> None:
    """What was decided and why: the clips that say most first."""

    def interest(each: Decision) -> tuple[bool, bool, bool]:
        by_staff = ruled is not None and each.clip_id == ruled.clip_id
        wrong = each.status != truth.get(each.task, each.status)
        divided = "0 " not in each.why
        return not by_staff, not wrong, not divided

    counts = Counter(each.status for each in decisions)
    told = ", ".join(f"{count:,} {status}" for status, count in sorted(counts.items()))
    play.screen.table(
        f"What was decided, and why ({told}; {min(MOST_CLIPS, len(decisions))} of them)",
        "clip", "truth", "decided", "by", "why",
        rows=[
            (
                each.task, truth.get(each.task, "?"), each.status,
                "staff" if ruled and each.clip_id == ruled.clip_id else "votes", each.why,
            )
            for each in sorted(decisions, key=interest)[:MOST_CLIPS]
        ],
    )  # fmt: skip


def show_money(
    play: Play, before: Wallets, after: Wallets, withheld: list[dict[str, Any]], *, waited: bool
) -> None:
    """Who was paid, before and after the waiting time."""
    groups = [(f"author {author.name}", [author]) for author in play.authors]
    groups.append((f"{len(play.voters):,} reviewers", list(play.voters.values())))
    groups.append(("together", play.people))

    def total(wallets: Wallets, column: str, members: list[Member]) -> str:
        return _amount(play, sum(wallets[member.id][column] for member in members))

    rows = [
        (
            name,
            total(before, "posted", members),
            total(before, "pending", members),
            total(after, "posted", members),
        )
        for name, members in groups
    ]
    days = f"{play.kind.settle_after.days} days"
    paid = f">paid after {days}" if waited else ">paid so far"
    play.screen.table("Who was paid", "", ">paid at once", ">promised", paid, rows=rows)
    play.screen.say(
        f"\n  A reward waits {days}, so that staff can overrule the decision before it is paid."
        + ("\n  Here the rules' clock was put forward." if waited else "")
    )
    for row in withheld:
        play.screen.say(
            f"  withheld ({row['why']}): {row['rewards']:,} rewards, {_amount(play, row['amount'])}"
        )


async def show_delivery(owner: Owner, play: Play, sandbox: Sandbox | None, since: object) -> None:
    """What was delivered, after how many tries."""
    arrived = await sandbox.arrived() if sandbox else None
    rows: list[tuple[object, ...]] = []
    for row in await owner.events(since):
        event = row["event"]
        told = (f"{arrived.by_event[event]:,}", f"{arrived.repeated[event]:,}") if arrived else ()
        rows.append((event, f"{row['events']:,}", f"{row['people']:,}", *told))
    columns = ("event", ">written", ">topics", *((">arrived", ">of them twice") if arrived else ()))
    play.screen.table("What was delivered", *columns, rows=rows)
    batches = await owner.batches(since)
    tries = ", ".join(f"{row['batches']:,} {row['outcome']}" for row in batches)
    dead = (await owner.carried()).dead
    play.screen.say()
    play.screen.say(f"  batches: {tries}; given up: {dead} events")
    if arrived:
        play.screen.say(
            f"  made to fail: {FAULTS_TOLD}.\n"
            "  What came twice has one id, and a client drops the second."
        )


async def show_books(owner: Owner, play: Play) -> bool:
    """Prove the books. False when a check fails."""
    checks = await owner.books()
    play.screen.table(
        "The books",
        "check", ">broken by",
        rows=[(row["check_name"], row["violations"]) for row in checks],
    )  # fmt: skip
    broken = sum(not row["holds"] for row in checks)
    play.screen.say(f"\n  {len(checks)} checks, {broken or 'none'} broken")
    return not broken


def tell_score(play: Play, score: Score) -> None:
    undecided = score.tasks - score.decided
    say = play.screen.say
    say(f"  decided    {score.decided:,} of {score.tasks:,} clips, {undecided:,} undecided")
    say(f"  accuracy   {score.of_decided:.2f} % of the decided ({score.correct:,} right)")
    say(f"             {score.of_all:.2f} % of all, undecided counted as wrong")


def _amount(play: Play, minor: int) -> str:
    return money(minor, play.kind.minor_digits, play.kind.currency)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "-"
