"""clean_db: what a clean database costs a test, by the fixtures the tests use."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.cluster import HERE
from benchmarks.harness import Arm, Comparison, Figure, Options, Result, Round

NAME = "clean_db"
TITLE = "A test with a clean database, over the test itself"
TARGET_MS = 60.0
TURNS = 10  # tests of each kind in a round

NONE, ROLLED_BACK, CLEAN = "no database", "rolled back (db)", "a clone (fresh_db)"
ARMS = {"test_none": NONE, "test_rolled_back": ROLLED_BACK, "test_clean": CLEAN}


def run(options: Options) -> Result:
    """Run the probe under pytest, all kinds turn by turn, and compare round by round."""
    turns = max(2, round(TURNS * options.scale))
    taken, broken = _probe((options.rounds + 1) * turns)
    rounds = []
    for number in range(options.rounds + 1):
        figures = {}
        for test, name in ARMS.items():
            found = [ms for t, turn, ms in taken if t == test and turn // turns == number]
            figures[name] = Figure(
                median(found) if found else 0.0,
                len(found),
                broken=broken or (() if found else ("no test ran",)),
                facts={"slowest_ms": max(found, default=0.0)},
            )
            options.report(f"  round {number}: {name}: {figures[name].value:.1f} ms")
        rounds.append(Round(number, figures))
    return Result(
        NAME,
        TITLE,
        workload=(
            f"One pytest process and its own server as `make test` starts it; {turns} tests of"
            " each kind a round, turn by turn; set-up, call and tear-down together.",
            "Both database tests insert a row and read it back; the clone's also connects.",
        ),
        arms=tuple(Arm(name, "ms", lambda _: Figure(0.0, 0)) for name in ARMS.values()),
        comparisons=(
            Comparison(
                "a clone, ms over no database", CLEAN, NONE, "difference", at_most=TARGET_MS
            ),
            Comparison("rolled back, ms over no database", ROLLED_BACK, NONE, "difference"),
        ),
        rounds=tuple(rounds),
        invariants=("every test passes: none sees what another wrote",),
    )


def _probe(turns: int) -> tuple[list[tuple[str, int, float]], tuple[str, ...]]:
    """Milliseconds by test and turn, and what went wrong if anything."""
    with tempfile.TemporaryDirectory() as folder:
        timings = Path(folder) / "timings.json"
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                str(HERE / "clean_db_probe.py"),
                "-p",
                "benchmarks.clean_db_timing",
                "-p",
                "tests.conftest",
                "-p",
                "no:cacheprovider",
                "-p",
                "no:xdist",
                "-q",
                f"--turns={turns}",
                f"--timings={timings}",
            ],
            cwd=HERE.parent,
            capture_output=True,
            text=True,
        )
        taken = json.loads(timings.read_text()) if timings.exists() else []
    last = done.stdout.strip().rpartition("\n")[2] or done.stderr.strip().rpartition("\n")[2]
    broken = () if done.returncode == 0 else (f"the tests failed: {last}",)
    return [(str(t), int(n), float(ms)) for t, n, ms in taken], broken
