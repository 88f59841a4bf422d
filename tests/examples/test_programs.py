"""The programs of examples/, run as they stand with the real SDKs, API and worker."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.examples.conftest import EXAMPLES, dropped
from tests.support.databases import Connection
from tests.support.money import broken_checks
from tests.support.running import Sandbox, until

MJS = (
    "vote_and_earn.mjs",
    "sw",
    [
        "signed up: Amara, member: true",
        "submitted: pending, repeated: same clip",
        "refused: 403 own_clip: Authors do not vote on their own clips.",
        "biko voted valid: pending, 1 more needed",
        "chidi voted valid: valid, 0 more needed",
        'feed: "Habari ya asubuhi" by Amara',
        "amara: $0.10 pending, $0.00 available, 0 entries",
        "biko: $0.02 pending, $0.00 available, 0 entries",
        "chidi: $0.02 pending, $0.00 available, 0 entries",
    ],
)
PY = (
    "vote_and_earn.py",
    "yo",
    [
        "signed up: Amara, member: True",
        "submitted: pending, repeated: same clip",
        "refused: own_clip: Authors do not vote on their own clips.",
        "biko voted valid: pending, 1 more needed",
        "chidi voted valid: valid, 0 more needed",
        'feed: "Ẹ káàárọ̀" by Amara',
        "amara: 0.10 USD pending, 0.00 USD available, 0 entries",
        "biko: 0.02 USD pending, 0.00 USD available, 0 entries",
        "chidi: 0.02 USD pending, 0.00 USD available, 0 entries",
    ],
)


@dataclass(frozen=True)
class Played:
    """One run of a program: what it printed, what it should, and who took part."""

    lines: list[str]
    expected: list[str]
    clip_id: str
    author_id: str
    reviewer_ids: list[str]

    @property
    def people(self) -> list[str]:
        return [self.author_id, *self.reviewer_ids]


@pytest.fixture(scope="module", params=[MJS, PY], ids=["supabase-js", "supabase-py"])
def played(
    request: pytest.FixtureRequest, owner: Connection, run_program: Callable[..., list[str]]
) -> Played:
    program, language, expected = request.param
    lines = run_program(program)
    [(clip_id, author_id)] = owner.execute(
        "select id::text, author_id::text from public.clips where language = %s"
        " order by id desc limit 1",
        [language],
    ).fetchall()
    voters = owner.execute(
        "select voter_id::text from public.votes where clip_id = %s order by created_at", [clip_id]
    ).fetchall()
    return Played(lines, expected, clip_id, author_id, [voter for (voter,) in voters])


def test_it_prints_every_step(played: Played) -> None:
    assert played.lines == played.expected


def test_its_clip_is_taken_in_once(played: Played, owner: Connection) -> None:
    clips = owner.execute("select from public.clips where author_id = %s", [played.author_id])
    assert len(clips.fetchall()) == 1


def test_two_votes_decided_its_clip(played: Played, owner: Connection) -> None:
    assert len(played.reviewer_ids) == 2
    [(status, label, tally)] = owner.execute(
        "select status, label, tally from consensus.decisions where clip_id = %s", [played.clip_id]
    ).fetchall()
    assert (status, label, tally) == ("valid", "valid", [2, 0])


def test_its_people_are_told_privately(played: Played, sandbox: Sandbox) -> None:
    def told() -> dict[str, Any]:
        return {
            message["topic"]: message["payload"]
            for message in sandbox.accepted()
            if message["event"] == "clip_decided"
            and message["payload"]["clip_id"] == played.clip_id
        }

    topics = {f"user:{person}" for person in played.people}
    payloads = until(lambda: (found := told()).keys() == topics and found)
    for topic, payload in payloads.items():
        assert payload["status"] == "valid"
        assert bool(payload["reason"]) == (topic == f"user:{played.author_id}")
        assert payload["version"] == 2
    assert dropped(sandbox) == []


def test_its_rewards_are_pending_then_settled(
    played: Played,
    owner: Connection,
    sandbox: Sandbox,
    let_days_pass: Callable[[], None],
) -> None:
    def money() -> dict[str, tuple[int, int]]:
        rows = owner.execute(
            "select owner_id::text, posted, ("
            "  select coalesce(sum(amount), 0)::int from ledger.holds"
            "  where credit_account_id = a.id and state = 'pending'"
            ") from ledger.accounts as a where owner_id = any (%s::uuid[])",
            [played.people],
        )
        return {person: (posted, pending) for person, posted, pending in rows}

    rewards = {played.author_id: 10} | dict.fromkeys(played.reviewer_ids, 2)
    assert money() == {person: (0, amount) for person, amount in rewards.items()}

    let_days_pass()

    assert money() == {person: (amount, 0) for person, amount in rewards.items()}
    assert broken_checks(owner) == []

    def told() -> dict[str, Any]:
        return {
            message["topic"].removeprefix("user:"): message["payload"]["posted"]
            for message in sandbox.accepted()
            if message["event"] == "balance_updated"
        }

    until(lambda: rewards.items() <= told().items())


def test_programs_hold_no_address_and_no_key() -> None:
    for program in EXAMPLES.glob("*.*"):
        text = program.read_text()
        assert not re.search(r"127\.0\.0\.1|localhost|sb_(publishable|secret)_[A-Za-z0-9]", text)
