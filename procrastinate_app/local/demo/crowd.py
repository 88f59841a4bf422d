"""Who votes on what: a seeded crowd of known skill, or recorded votes, and how right it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Literal

Label = Literal["valid", "invalid"]

NAMES = (
    "abena", "biko", "chidi", "dalila", "efua", "femi", "gamba", "halima", "imani", "jengo",
    "kofi", "lindiwe", "mosi", "nala", "oba", "panya", "rehema", "sefu", "tano", "zuri",
)  # fmt: skip
PHRASES = (
    "Habari ya asubuhi", "Karibu nyumbani", "Asante sana", "Tutaonana kesho", "Nina njaa",
    "Maji ni uhai", "Bei gani hii?", "Haraka haraka haina baraka", "Pole pole", "Lala salama",
)  # fmt: skip
VALID_SHARE = 0.7
LEAST_SKILL, MOST_SKILL = 0.6, 0.97


@dataclass(frozen=True)
class Vote:
    """One worker's opinion on one task."""

    task: str
    worker: str
    label: Label


@dataclass(frozen=True)
class Reviewer:
    """skill: how often they are right, 0 to 1."""

    name: str
    skill: float


@dataclass(frozen=True)
class Crowd:
    """Reviewers of known skill and clips of known truth. The same seed makes the same crowd."""

    seed: int
    reviewers: tuple[Reviewer, ...]
    truth: Mapping[str, Label]

    def opinion(self, reviewer: Reviewer, task: str) -> Label:
        """What this reviewer thinks of this clip, whenever and in whatever order they are asked."""
        right = Random(f"{self.seed}/{reviewer.name}/{task}").random() < reviewer.skill
        return self.truth[task] if right else opposite(self.truth[task])


def make_crowd(*, seed: int, reviewers: int, clips: int) -> Crowd:
    """A crowd whose skills spread evenly, from little better than chance to nearly always right."""
    random = Random(f"{seed}/crowd")
    step = (MOST_SKILL - LEAST_SKILL) / max(1, reviewers - 1)
    skills = [round(LEAST_SKILL + step * number, 2) for number in range(reviewers)]
    random.shuffle(skills)
    truth: dict[str, Label] = {}
    for number in range(clips):
        task = f"{number + 1}. {PHRASES[number % len(PHRASES)]}"
        truth[task] = "valid" if random.random() < VALID_SHARE else "invalid"
    return Crowd(
        seed=seed,
        reviewers=tuple(Reviewer(_name(number), skill) for number, skill in enumerate(skills)),
        truth=truth,
    )


def _name(number: int) -> str:
    turn, place = divmod(number, len(NAMES))
    return NAMES[place] + (str(turn + 1) if turn else "")


def opposite(label: Label) -> Label:
    return "invalid" if label == "valid" else "valid"


@dataclass(frozen=True)
class Score:
    """How decisions compare with the truth, over the tasks whose truth is known."""

    tasks: int
    decided: int
    correct: int

    @property
    def of_decided(self) -> float:
        """Percent of the decided that are right."""
        return 100 * self.correct / self.decided if self.decided else 0.0

    @property
    def of_all(self) -> float:
        """Percent of all that are right; an undecided one is not."""
        return 100 * self.correct / self.tasks if self.tasks else 0.0


def score(decisions: Mapping[str, str], truth: Mapping[str, Label]) -> Score:
    """decisions: the status of each task that was put to the vote, "pending" when undecided."""
    known = {task: status for task, status in decisions.items() if task in truth}
    decided = {task: status for task, status in known.items() if status != "pending"}
    return Score(
        tasks=len(known),
        decided=len(decided),
        correct=sum(status == truth[task] for task, status in decided.items()),
    )
