"""Measuring arms side by side: interleaved rounds, a canary, invariants, ratios per round.

Nothing here knows Postgres. An arm is a name and a function that measures one round of it; the
rounds alternate their order, the first one is a warm-up and dropped, and so is every round during
which the machine itself changed speed. Only figures of one round are ever compared.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal

STEADY = 0.2

Relation = Literal["ratio", "difference"]
Report = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """How long to measure, and how much of a bench's full size to use.

    seconds: per arm and round; 0 for a few transactions, which tells nothing about speed.
    """

    rounds: int = 11
    seconds: int = 3
    scale: float = 1.0
    report: Report = lambda line: print(line, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Figure:
    """What one arm did in one round.

    value: in the arm's unit. operations: acknowledged ones. cpu_ms: of the server, per operation.
    broken: invariants that did not hold afterwards; they void the figure.
    """

    value: float
    operations: int
    cpu_ms: float | None = None
    broken: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Arm:
    """Something to measure. `measure` prepares, runs, and checks one round, 0 being the warm-up."""

    name: str
    unit: str
    measure: Callable[[int], Figure]


@dataclass(frozen=True)
class Round:
    """The figures of one round by arm, and the canary's before and after."""

    number: int
    figures: dict[str, Figure]
    canary: tuple[float, float] | None = None

    @property
    def is_steady(self) -> bool:
        """Whether the machine kept its speed: the canary moved by no more than a fifth."""
        if self.canary is None:
            return True
        before, after = self.canary
        return abs(after - before) <= STEADY * max(before, after)


@dataclass(frozen=True)
class Comparison:
    """Two arms of a round held against each other, and what the median must reach.

    of_cpu: the server's CPU time per operation instead of the arm's own value; less noisy.
    """

    name: str
    arm: str
    against: str
    relation: Relation = "ratio"
    at_least: float | None = None
    at_most: float | None = None
    of_cpu: bool = False

    def of(self, round_: Round) -> float | None:
        """This round's value, or None when either figure is void."""
        one, other = round_.figures[self.arm], round_.figures[self.against]
        a, b = (one.cpu_ms, other.cpu_ms) if self.of_cpu else (one.value, other.value)
        if one.broken or other.broken or a is None or b is None:
            return None
        if self.relation == "difference":
            return a - b
        return a / b if b else None


@dataclass(frozen=True)
class Verdict:
    """A comparison over the rounds that count. missing: how far short of the target, 0 if met."""

    comparison: Comparison
    values: tuple[float, ...]

    @property
    def middle(self) -> float | None:
        return median(self.values) if self.values else None

    @property
    def missing(self) -> float | None:
        if self.middle is None:
            return None
        if self.comparison.at_least is not None:
            return max(0.0, self.comparison.at_least - self.middle)
        if self.comparison.at_most is not None:
            return max(0.0, self.middle - self.comparison.at_most)
        return 0.0

    @property
    def is_met(self) -> bool:
        return self.missing == 0


@dataclass(frozen=True)
class Result:
    """A whole bench: what was done, each round, and what it comes to."""

    name: str
    title: str
    workload: tuple[str, ...]
    arms: tuple[Arm, ...]
    comparisons: tuple[Comparison, ...]
    rounds: tuple[Round, ...]
    invariants: tuple[str, ...]
    broken: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def counted(self) -> tuple[Round, ...]:
        """The rounds that count: all but the warm-up and the unsteady ones.

        When fewer than half would remain the machine is too restless to choose; all count then.
        """
        measured = self.rounds[1:]
        steady = tuple(r for r in measured if r.is_steady)
        return steady if len(steady) * 2 >= len(measured) else measured

    @property
    def unsteady(self) -> int:
        """How many measured rounds saw the canary move too far."""
        return sum(not r.is_steady for r in self.rounds[1:])

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        found = []
        for comparison in self.comparisons:
            values = [v for r in self.counted if (v := comparison.of(r)) is not None]
            found.append(Verdict(comparison, tuple(values)))
        return tuple(found)

    @property
    def all_broken(self) -> tuple[str, ...]:
        """Every invariant that did not hold, the warm-up included, with arm and round."""
        found = [
            f"round {r.number}, {name}: {what}"
            for r in self.rounds
            for name, figure in r.figures.items()
            for what in figure.broken
        ]
        return (*found, *self.broken)

    def middle(self, arm: str, of: Callable[[Figure], float | None]) -> float | None:
        """Median over the counted rounds of something about an arm's figures."""
        found = [v for r in self.counted if (v := of(r.figures[arm])) is not None]
        return median(found) if found else None


def run_rounds(
    arms: Sequence[Arm],
    options: Options,
    canary: Callable[[], float] | None = None,
) -> tuple[Round, ...]:
    """Measure a warm-up and `options.rounds` rounds of all arms, turn and turn about."""
    rounds = []
    before = canary() if canary else None
    for number in range(options.rounds + 1):
        figures: dict[str, Figure] = {}
        for arm in arms if number % 2 else reversed(arms):
            figure = figures[arm.name] = arm.measure(number)
            what = f"round {number}" if number else "warm-up"
            options.report(f"  {what}: {arm.name}: {figure.value:,.1f} {arm.unit}")
            for broken in figure.broken:
                options.report(f"  {what}: {arm.name}: BROKEN: {broken}")
        after = canary() if canary else None
        seen = (before, after) if before is not None and after is not None else None
        rounds.append(Round(number, {arm.name: figures[arm.name] for arm in arms}, seen))
        before = after
    return tuple(rounds)
