"""Each bench runs end to end at a tiny size and its invariants hold. No figure is asserted."""

from __future__ import annotations

import pytest

from benchmarks.harness import Options
from benchmarks.registry import BENCHES

TINY = Options(rounds=1, seconds=0, scale=0.01, report=lambda _: None)


@pytest.mark.parametrize("name", BENCHES)
def test_bench_runs_and_its_invariants_hold(name: str) -> None:
    result = BENCHES[name].run(TINY)

    assert result.all_broken == ()
    assert len(result.rounds) == 2
    assert all(f.operations > 0 for r in result.rounds for f in r.figures.values())
    assert all(v.middle is not None for v in result.verdicts if not v.comparison.of_cpu)
