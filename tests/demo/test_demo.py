"""`hub demo` as people run it: recorded votes, a made-up crowd, nonsense, and cut short."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random
from uuid import uuid4

import pytest

from procrastinate_app.local.node import require_packages
from tests.support.running import until

HUB = [sys.executable, "-m", "procrastinate_app"]
WORKERS = ("ann", "ben", "cem", "dora", "eve [b]")
TASKS = 12


def run_demo(*options: object, marker: str = "") -> subprocess.Popen[str]:
    """Start the demo as a process of its own, unaware of any real project."""
    require_packages()
    kept = {name: text for name, text in os.environ.items() if not name.startswith("HUB_")}
    kept |= {name: os.environ[name] for name in ("HUB_RUNTIME_DIR",) if name in os.environ}
    return subprocess.Popen(
        [*HUB, "demo", *map(str, options)],
        env={**kept, "DEMO_MARKER": marker},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def output(process: subprocess.Popen[str]) -> str:
    """All it printed; it ended well."""
    printed, complaints = process.communicate(timeout=180)
    assert process.returncode == 0, printed + complaints
    return printed


def found(pattern: str, printed: str) -> tuple[str, ...]:
    match = re.search(pattern, printed)
    assert match, printed
    return match.groups()


@pytest.fixture
def recorded(tmp_path: Path) -> tuple[Path, Path]:
    """Three to five votes on each of a few tasks, and their truth."""
    random = Random(4)
    truth = {f"t{number}": str(random.randint(0, 1)) for number in range(TASKS)}
    votes = [
        (task, worker, right if random.random() < 0.7 else str(1 - int(right)))
        for task, right in truth.items()
        for worker in random.sample(WORKERS, random.randint(3, 5))
    ]
    # two votes that cannot decide anything
    votes += [("open", "ann", "1"), ("open", "ben", "0")]
    random.shuffle(votes)
    truth["open"] = "1"
    votes_file, truth_file = tmp_path / "votes.csv", tmp_path / "truth.csv"
    votes_file.write_text("task,worker,label\n" + "".join(f"{','.join(vote)}\n" for vote in votes))
    truth_file.write_text("task,truth\n" + "".join(f"{t},{label}\n" for t, label in truth.items()))
    return votes_file, truth_file


def by_the_classic_rule(votes_file: Path) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """The rule read off its description (two votes and more than half), and the votes it uses."""
    tallies: dict[str, Counter[str]] = {}
    decided: dict[str, str] = {}
    used: list[tuple[str, str]] = []
    for line in votes_file.read_text().splitlines()[1:]:
        task, _, label = line.split(",")
        if task in decided:
            continue
        used.append((task, label))
        tally = tallies.setdefault(task, Counter())
        tally[label] += 1
        if tally[label] >= 2 and tally[label] * 2 > tally.total():
            decided[task] = label
    return decided, used


def test_recorded_votes_score_as_the_rule_says(recorded: tuple[Path, Path]) -> None:
    votes_file, truth_file = recorded
    decided, used = by_the_classic_rule(votes_file)
    truth = dict(line.split(",") for line in truth_file.read_text().splitlines()[1:])
    votes = len(votes_file.read_text().splitlines()) - 1
    right = sum(truth[task] == label for task, label in decided.items())
    valid = sum(label == "1" for label in decided.values())
    agreeing = sum(decided.get(task) == label for task, label in used)
    paid = f"{(10 * valid + 2 * agreeing) / 100:.2f}"

    printed = output(run_demo("--votes", votes_file, "--truth", truth_file))

    assert found(r"decided +(\d+) of (\d+) clips, (\d+) undecided", printed) == (
        str(len(decided)), str(len(truth)), str(len(truth) - len(decided)),
    )  # fmt: skip
    assert found(r"accuracy +([\d.]+) % of the decided \((\d+) right\)", printed) == (
        f"{100 * right / len(decided):.2f}", str(right),
    )  # fmt: skip
    assert found(r"([\d.]+) % of all", printed) == (f"{100 * right / len(truth):.2f}",)
    assert found(r"votes +(\d+) used, (\d+) unused", printed) == (
        str(len(used)), str(votes - len(used)),
    )  # fmt: skip
    assert found(r"together +0\.00 USD +([\d.]+) USD +([\d.]+) USD", printed) == (paid, paid)
    assert "eve [b]" in printed
    books_are_proved(printed)


def books_are_proved(printed: str) -> None:
    checks = re.findall(r"^ (.+?) +(\d+) *$", printed.split("The books")[1], re.M)
    assert len(checks) >= 9
    assert all(broken == "0" for _, broken in checks)


def test_a_made_up_crowd_is_decided_paid_and_told() -> None:
    printed = output(run_demo("--clips", 8, "--reviewers", 5, "--seed", 3))
    assert "sign up 9 people" in printed
    assert found(r"decided +(\d+) of (\d+) clips", printed) == ("8", "8")
    assert re.search(r"Listened to again", printed)
    for event in ("clip_decided", "balance_updated"):
        written, arrived = found(rf"{event} +(\d+) +\d+ +(\d+) +\d+", printed)
        assert int(written) == int(arrived) > 0
    outcomes = found(r"batches: (.*); given up: 0 events", printed)[0]
    assert {word for word in ("delivered", "retry", "unknown") if word in outcomes} == {
        "delivered", "retry", "unknown",
    }  # fmt: skip
    books_are_proved(printed)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--votes", "none.csv", "--truth", "none.csv"), "none.csv: No such file or directory"),
        (("--votes", "none.csv"), "--votes and --truth come together"),
    ],
)
def test_nonsense_is_told_before_anything_starts(options: tuple[str, ...], said: str) -> None:
    process = run_demo(*options)
    printed, complaints = process.communicate(timeout=60)
    assert (process.returncode, printed, complaints.strip()) == (1, "", said)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks at processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_cut_short_leaves_nothing_running(number: signal.Signals) -> None:
    marker = uuid4().hex
    process = run_demo("--clips", 500, "--reviewers", 50, marker=marker)
    assert process.stdout is not None
    while "start the local stack" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(number)
    _, complaints = process.communicate(timeout=60)
    assert process.returncode == 130
    assert complaints.strip() == "stopped, nothing is left running"
    until(lambda: not _processes_with(marker))


def _processes_with(marker: str) -> list[str]:
    """Processes that inherited the marker."""
    alive = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if marker.encode() in environ.read_bytes():
                alive.append(environ.parent.name)
        except OSError:
            continue
    return alive
