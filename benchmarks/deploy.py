"""deploy: what `hub deploy` costs when there is nothing to do, as in every start of a container."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import psycopg

from benchmarks import cluster
from benchmarks.harness import Arm, Comparison, Figure, Options, Result, run_rounds
from procrastinate_app.deploy import deploy
from procrastinate_app.deploy.tree import read_tree
from procrastinate_app.project import PROJECT_ROOT

NAME = "deploy"
TITLE = "A deploy that finds nothing to do, on the whole tree"
TARGET_MS = 1000.0
TURNS = 10  # of each arm in a round

COMMAND, PSQL = "hub deploy, the command", "psql -c 'select 1'"
INSIDE, CONNECT = "deploy(), in a running process", "connect, select 1"
DATABASE = "deployed"
UNCHANGED = "select md5(string_agg(f::text, ',' order by f.path)) from deploy.files as f"


def run(options: Options) -> Result:
    """Measure the command against the least a command can cost, and the function likewise."""
    turns = max(1, round(TURNS * options.scale))
    with tempfile.TemporaryDirectory() as folder, cluster.running(canary_scale=1) as server:
        root = _copy(Path(folder))
        tree = read_tree(root)
        url = server.server.url(DATABASE)
        server.clone(DATABASE)
        deploy(url, root=root)
        env = {**server.server.env(DATABASE), "HUB_DATABASE_URL": url}
        psql = [str(server.server.program("psql")), "-X", "-q", "-c", "select 1"]
        hub = [sys.executable, "-m", "procrastinate_app", "deploy", "--root", str(root)]
        with server.connect(DATABASE) as conn:
            arms = (
                _arm(COMMAND, conn, turns, lambda: _command(hub, env, "nothing to do")),
                _arm(PSQL, conn, turns, lambda: _command(psql, env, "1")),
                _arm(INSIDE, conn, turns, lambda: _nothing(str(deploy(url, root=root)))),
                _arm(CONNECT, conn, turns, lambda: _connect(url)),
            )
            rounds = run_rounds(arms, options)
    return Result(
        NAME,
        TITLE,
        workload=(
            f"{len(tree.migrations)} migrations and {len(tree.code)} code files, all applied; "
            f"the median of {turns} runs a round, each arm in turn.",
            "The command is a process of its own, Python's start included; so is psql.",
        ),
        arms=arms,
        comparisons=(
            Comparison("the command, ms over psql", COMMAND, PSQL, "difference", at_most=TARGET_MS),
            Comparison("deploy() / connect and select 1", INSIDE, CONNECT),
        ),
        rounds=rounds,
        invariants=(
            "every run says that there is nothing to do",
            "what deploy has written down is the same before and after",
        ),
    )


def _copy(folder: Path) -> Path:
    """The tree as it is now: an edit meanwhile would be something to do."""
    for room in ("migrations", "sql", "policies"):
        shutil.copytree(PROJECT_ROOT / room, folder / room)
    return folder


def _arm(
    name: str, conn: psycopg.Connection[tuple[Any, ...]], turns: int, once: Callable[[], str]
) -> Arm:
    """`once` gives what went wrong, or nothing."""

    def measure(_: int) -> Figure:
        before = conn.execute(UNCHANGED).fetchone()
        taken, wrong = [], set()
        for _turn in range(turns):
            began = time.perf_counter()
            said = once()
            taken.append((time.perf_counter() - began) * 1000)
            wrong |= {said} if said else set()
        if conn.execute(UNCHANGED).fetchone() != before:
            wrong.add("deploy wrote something")
        return Figure(
            median(taken), turns, broken=tuple(sorted(wrong)), facts={"slowest_ms": max(taken)}
        )

    return Arm(name, "ms", measure)


def _command(command: list[str], env: dict[str, str], expected: str) -> str:
    done = subprocess.run(command, env=env, cwd=PROJECT_ROOT, capture_output=True, text=True)
    said = done.stdout + done.stderr
    return "" if done.returncode == 0 and expected in said else f"{command[-1]} said: {said[-200:]}"


def _nothing(said: str) -> str:
    return "" if said.startswith("nothing to do") else f"deploy() said: {said}"


def _connect(url: str) -> str:
    with psycopg.connect(url, autocommit=True) as conn:
        return "" if conn.execute("select 1").fetchone() == (1,) else "no answer"
