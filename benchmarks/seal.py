"""seal: how fast audit rows are chained, and whether those who write them notice."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from benchmarks.cluster import Cluster, running
from benchmarks.harness import Arm, Comparison, Figure, Options, Result, run_rounds
from procrastinate_app.tasks.seals import BATCH

NAME = "seal"
TITLE = "Sealing the audit record, and writing while it is sealed"
ROWS = 200_000
CLIENTS = 4
PAUSE_SECONDS = 1.0
RATE_TARGET, RATIO_TARGET = 100_000, 0.97
SCRIPT = Path(__file__).with_name("seal_writers.pgbench")

SEALING = "sealing"
ALONE, BESIDE = "writers alone", "writers beside the sealer"
YARDSTICK = "100,000 rows/s"

INVARIANTS = (
    "every committed row is in exactly one seal",
    "seals.verify() against the newest head",
    "no failed transaction",
)

FILL = """
select audit.record(
  'validation_status_set', 'clip', gen_random_uuid()::text, 'a reason of some words',
  jsonb_build_object('from', 'pending', 'to', 'valid', 'version', n)
)
from generate_series(1, %s) as n
"""


def run(options: Options) -> Result:
    """Measure the rate of sealing, and writers with and without a sealer."""
    with running(canary_scale=max(1, round(10 * options.scale))) as cluster:
        bench = _Seal(cluster, options)
        arms = (
            Arm(SEALING, "rows/s", bench.sealing),
            Arm(YARDSTICK, "rows/s", lambda _: Figure(RATE_TARGET, 1)),
            Arm(ALONE, "rows/s", lambda _: bench.writers(beside=False)),
            Arm(BESIDE, "rows/s", lambda _: bench.writers(beside=True)),
        )
        canary_seconds = (options.seconds + 1) // 2
        rounds = run_rounds(arms, options, lambda: cluster.canary(8, canary_seconds))
        return Result(
            NAME,
            TITLE,
            workload=(
                f"sealing: {bench.rows} audit rows of one transaction, in batches of {BATCH}, each"
                " with its commit; one connection, no writers.",
                f"writers: {CLIENTS} clients, one audit.record() and its commit each time; beside"
                f" them a sealer that seals all there is and rests {PAUSE_SECONDS:.0f} s. The"
                " worker's rests a minute.",
            ),
            arms=arms,
            comparisons=(
                Comparison("sealing / 100,000 rows/s", SEALING, YARDSTICK, at_least=1),
                Comparison(
                    "writers, beside the sealer / alone", BESIDE, ALONE, at_least=RATIO_TARGET
                ),
                Comparison("CPU per row, alone / beside", ALONE, BESIDE, of_cpu=True),
            ),
            rounds=rounds,
            invariants=INVARIANTS,
        )


class _Seal:
    """A fresh database for each arm of each round."""

    def __init__(self, cluster: Cluster, options: Options) -> None:
        self.cluster = cluster
        self.options = options
        self.rows = max(1000, round(ROWS * options.scale))
        self.numbers = itertools.count()

    def sealing(self, _: int) -> Figure:
        with self._database() as name, self.cluster.connect(name) as conn:
            conn.execute(FILL, [self.rows])
            conn.execute("analyze audit.events")
            conn.execute("checkpoint")
            started = time.perf_counter()
            sealed = _seal_all(conn)
            seconds = time.perf_counter() - started
            return Figure(sealed / seconds, sealed, broken=tuple(_broken(conn)))

    def writers(self, *, beside: bool) -> Figure:
        with self._database() as name:
            self.cluster.settle(name)
            ended = threading.Event()
            sealer = threading.Thread(target=self._keep_sealing, args=(name, ended))
            if beside:
                sealer.start()
            try:
                load = self.cluster.pgbench(
                    name, SCRIPT, clients=CLIENTS, seconds=self.options.seconds
                )
            finally:
                ended.set()
                if beside:
                    sealer.join()
            with self.cluster.connect(name) as conn:
                sealed_meanwhile = _sealed(conn)
                _seal_all(conn)
                broken = _broken(conn)
            return Figure(
                load.tps,
                load.transactions,
                load.cpu_ms,
                tuple([load.error] if load.error else []) + tuple(broken),
                {"latency_ms": load.latency_ms, "sealed_meanwhile": sealed_meanwhile},
            )

    def _keep_sealing(self, name: str, ended: threading.Event) -> None:
        """As the worker does, on one connection, until shortly before the writers end."""
        until = time.monotonic() + max(0, self.options.seconds - PAUSE_SECONDS / 2)
        with self.cluster.connect(name) as conn:
            _seal_all(conn)
            while time.monotonic() < until and not ended.wait(PAUSE_SECONDS):
                _seal_all(conn)

    @contextmanager
    def _database(self) -> Iterator[str]:
        name = f"seal_{next(self.numbers)}"
        self.cluster.clone(name)
        try:
            yield name
        finally:
            self.cluster.admin.execute(
                sql.SQL("drop database {} with (force)").format(sql.Identifier(name))
            )


def _seal_all(conn: psycopg.Connection[Any]) -> int:
    """As the worker's job: batches until one is not full; how many rows."""
    total, sealed = 0, BATCH
    while sealed >= BATCH:
        sealed = _one(conn, "select seals.seal(%s)", [BATCH])
        total += sealed
    return total


def _sealed(conn: psycopg.Connection[Any]) -> int:
    return _one(conn, "select coalesce(sum(row_count), 0)::bigint from seals.batches")


def _broken(conn: psycopg.Connection[Any]) -> list[str]:
    head = conn.execute("select seal_no || ':' || digest from seals.heads()").fetchone()
    checks = conn.execute(
        "select check_name, holds from seals.verify('audit.events', %s)", [head and head[0]]
    ).fetchall()
    found = [name for name, holds in checks if holds is False]
    if _sealed(conn) != _one(conn, "select count(*) from audit.events"):
        found.append("rows and sealed rows differ in number")
    return found


def _one(conn: psycopg.Connection[Any], query: str, parameters: list[Any] | None = None) -> int:
    row = conn.execute(query.encode(), parameters).fetchone()
    assert row is not None
    return int(row[0])
