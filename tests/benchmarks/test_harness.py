"""The benches' own arithmetic: which rounds count, what a ratio is, what voids it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from typer.testing import CliRunner

from benchmarks.harness import Arm, Comparison, Figure, Options, Result, Round, run_rounds
from benchmarks.machine import Machine
from benchmarks.registry import BENCHES, Bench
from benchmarks.report import as_json, as_page, as_text
from procrastinate_app.cli import app

QUIET = Options(rounds=3, seconds=1, report=lambda _: None)
RATIO = Comparison("ours / theirs", "ours", "theirs", at_least=0.5)


def arm(name: str, *values: float, broken_in: int | None = None) -> Arm:
    def measure(number: int) -> Figure:
        broken = ("it does not add up",) if number == broken_in else ()
        return Figure(values[number], operations=10, broken=broken)

    return Arm(name, "tx/s", measure)


def canary(*values: float) -> Callable[[], float]:
    left = iter(values)
    return lambda: next(left)


def result(arms: tuple[Arm, ...], rounds: tuple[Round, ...], *comparisons: Comparison) -> Result:
    return Result(
        "test", "A test", ("work",), arms, comparisons or (RATIO,), rounds, ("sums add up",)
    )


def test_ratios_are_taken_round_by_round_without_the_first() -> None:
    arms = (arm("ours", 1, 2, 3, 8), arm("theirs", 1000, 4, 4, 10))
    verdict = result(arms, run_rounds(arms, QUIET)).verdicts[0]

    assert verdict.values == (0.5, 0.75, 0.8)
    assert verdict.middle == 0.75
    assert verdict.is_met


def test_a_missed_target_says_how_far_short() -> None:
    arms = (arm("ours", 1, 1, 1, 1), arm("theirs", 4, 4, 4, 4))
    verdict = result(arms, run_rounds(arms, QUIET)).verdicts[0]

    assert not verdict.is_met
    assert verdict.missing == pytest.approx(0.25)


def test_a_difference_may_have_an_upper_bound() -> None:
    arms = (arm("clone", 9, 30, 40, 50), arm("none", 9, 10, 10, 10))
    cost = Comparison("cost", "clone", "none", "difference", at_most=60)
    verdict = result(arms, run_rounds(arms, QUIET), cost).verdicts[0]

    assert verdict.middle == 30
    assert verdict.is_met


def test_cpu_time_is_compared_where_the_system_tells_it() -> None:
    def told(name: str, *cpu_ms: float | None) -> Arm:
        return Arm(name, "tx/s", lambda number: Figure(1, 1, cpu_ms[number]))

    arms = (told("off", 1, 0.2, 0.3, None), told("on", 1, 0.4, 0.4, 0.4))
    cost = Comparison("off / on", "off", "on", of_cpu=True)

    assert result(arms, run_rounds(arms, QUIET), cost).verdicts[0].values == pytest.approx(
        (0.5, 0.75)
    )


def test_arms_take_turns_going_first() -> None:
    order: list[tuple[int, str]] = []

    def noting(name: str) -> Arm:
        def measure(number: int) -> Figure:
            order.append((number, name))
            return Figure(1, 1)

        return Arm(name, "tx/s", measure)

    run_rounds((noting("a"), noting("b")), QUIET)
    assert [name for number, name in order if number in (1, 2)] == ["a", "b", "b", "a"]


def test_a_round_is_dropped_when_the_canary_moved() -> None:
    arms = (arm("ours", 1, 1, 1, 9), arm("theirs", 1, 1, 1, 1))
    rounds = run_rounds(arms, QUIET, canary(100, 100, 110, 100, 50))
    found = result(arms, rounds)

    assert [r.number for r in found.counted] == [1, 2]
    assert found.unsteady == 1
    assert found.verdicts[0].values == (1, 1)


def test_all_rounds_count_when_too_few_would_remain() -> None:
    arms = (arm("ours", 1, 1, 1, 1), arm("theirs", 1, 1, 1, 1))
    found = result(arms, run_rounds(arms, QUIET, canary(100, 50, 100, 50, 100)))

    assert len(found.counted) == 3
    assert found.unsteady == 3


def test_a_failed_invariant_voids_its_arm_and_is_told() -> None:
    arms = (arm("ours", 1, 2, 3, 4, broken_in=2), arm("theirs", 1, 1, 1, 1))
    found = result(arms, run_rounds(arms, QUIET))

    assert found.verdicts[0].values == (2, 4)
    assert found.all_broken == ("round 2, ours: it does not add up",)
    assert "BROKEN: round 2, ours" in as_text(found)


def test_an_arm_void_in_every_round_meets_no_target() -> None:
    def measure(_: int) -> Figure:
        return Figure(9, 1, broken=("never right",))

    arms = (Arm("ours", "tx/s", measure), arm("theirs", 1, 1, 1, 1))
    verdict = result(arms, run_rounds(arms, QUIET)).verdicts[0]

    assert verdict.middle is None
    assert not verdict.is_met


def test_json_has_each_rounds_figures_and_the_page_has_a_table() -> None:
    arms = (arm("ours", 1, 2, 2, 2), arm("theirs", 1, 4, 4, 4))
    found = result(arms, run_rounds(arms, QUIET, canary(1, 1, 1, 1, 1)))
    machine = Machine("2 cores", "8 GiB", "ext4", "Linux", "18", "abc", "today")

    bench = as_json([found], machine)["benches"][0]
    assert [r["figures"]["ours"]["value"] for r in bench["rounds"]] == [1, 2, 2, 2]
    assert [r["counts"] for r in bench["rounds"]] == [False, True, True, True]
    assert bench["comparisons"][0]["median"] == 0.5
    assert "| ours / theirs | 0.500 | 0.500 | 0.500 | ≥ 0.500 | met |" in as_page([found], machine)


def test_the_command_measures_as_long_as_the_harness_says(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Options] = []

    def run(options: Options) -> Result:
        asked.append(options)
        arms = (arm("ours", 1, 2, 3), arm("theirs", 1, 2, 3))
        return result(arms, run_rounds(arms, Options(rounds=2, report=lambda _: None)))

    monkeypatch.setitem(BENCHES, "votes", Bench("votes", "A test", run))
    for options in ((), ("--rounds", "3", "--seconds", "1", "--scale", "0.5")):
        ended = CliRunner().invoke(app, ["bench", "votes", *options])
        assert ended.exit_code == 0, ended.output
    told = [(one.rounds, one.seconds, one.scale) for one in (*asked, Options())]
    assert told == [(11, 3, 1.0), (3, 1, 0.5), (11, 3, 1.0)]
