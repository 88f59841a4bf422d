"""The server a bench runs on: durable, on disk, with the schema as a template, and a canary."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from benchmarks.harness import Arm, Figure
from procrastinate_app.deploy import deploy
from procrastinate_app.local import postgres, shim

HERE = Path(__file__).parent

# Room for the data sets, and no checkpoint but ours: each arm begins right after one.
SETTINGS = {
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",
    "synchronous_commit": "on",
}

TEMPLATE = "hub_template"
CANARY = "canary"
A_FEW = 40


@dataclass(frozen=True)
class Load:
    """What one run of pgbench did."""

    transactions: int
    tps: float
    latency_ms: float
    cpu_ms: float | None
    error: str | None


class Cluster:
    """A running server with the template and the canary's tables."""

    def __init__(self, server: postgres.Server, *, canary_scale: int) -> None:
        self.server = server
        self.admin = psycopg.connect(server.url(), autocommit=True)
        self._make_template()
        self._make_canary(canary_scale)

    def connect(self, database: str) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(self.server.url(database), autocommit=True)

    def clone(self, database: str) -> None:
        """Make a database with nothing but the schema in it."""
        self.admin.execute(
            sql.SQL("create database {} template {} strategy file_copy").format(
                sql.Identifier(database), sql.Identifier(TEMPLATE)
            )
        )

    def settle(self, database: str) -> None:
        """Fresh statistics and nothing left to flush, so that every arm starts alike."""
        with self.connect(database) as conn:
            conn.execute("analyze")
            conn.execute("checkpoint")

    def pgbench(
        self,
        database: str,
        script: Path | None,
        *,
        clients: int,
        seconds: int,
        variables: Mapping[str, int] | None = None,
    ) -> Load:
        """Run a script, or pgbench's own simple update, with prepared statements.

        seconds: 0 for a few transactions of each client.
        """
        before = self._cpu_seconds()
        done = subprocess.run(
            [
                str(self.server.program("pgbench")),
                "--no-vacuum",
                "--protocol=prepared",
                f"--client={clients}",
                f"--time={seconds}" if seconds else f"--transactions={A_FEW}",
                *(["--skip-some-updates"] if script is None else [f"--file={script}"]),
                *(f"--define={name}={value}" for name, value in (variables or {}).items()),
            ],
            env=self.server.env(database),
            capture_output=True,
            text=True,
        )
        self._wait_until_alone(database)
        after = self._cpu_seconds()
        count = int(_find(r"actually processed: (\d+)", done.stdout) or 0)
        failed = int(_find(r"failed transactions: (\d+)", done.stdout) or 0)
        error = None
        if done.returncode != 0 or not count:
            error = (_find(r"(?m)^pgbench: error: (.*)$", done.stderr) or done.stderr)[:500]
        elif failed:
            error = f"{failed} transactions failed by deadlock or serialization"
        return Load(
            transactions=count,
            tps=float(_find(r"tps = ([\d.]+)", done.stdout) or 0),
            latency_ms=float(_find(r"latency average = ([\d.]+)", done.stdout) or 0),
            cpu_ms=1000 * (after - before) / count if after and before and count else None,
            error=error,
        )

    def canary(self, clients: int, seconds: int) -> float:
        """How fast the machine is now: simple updates a second."""
        return self.pgbench(CANARY, None, clients=clients, seconds=seconds).tps

    def simple_update(self, name: str, *, clients: int, seconds: int) -> Arm:
        """The yardstick: `pgbench -N`, one update, one select, one insert, one commit."""

        def measure(_: int) -> Figure:
            self.settle(CANARY)
            load = self.pgbench(CANARY, None, clients=clients, seconds=seconds)
            return Figure(
                load.tps,
                load.transactions,
                load.cpu_ms,
                broken=(load.error,) if load.error else (),
                facts={"latency_ms": load.latency_ms},
            )

        return Arm(name, "tx/s", measure)

    def deadlocks(self, database: str) -> int:
        row = self.admin.execute(
            "select deadlocks from pg_stat_database where datname = %s", (database,)
        ).fetchone()
        return int(row[0]) if row else 0

    def version(self) -> str:
        row = self.admin.execute("show server_version").fetchone()
        return str(row[0]) if row else "unknown"

    def _make_template(self) -> None:
        self.admin.execute(sql.SQL("create database {}").format(sql.Identifier(TEMPLATE)))
        with self.connect(TEMPLATE) as conn:
            shim.apply(conn)
        deploy(self.server.url(TEMPLATE), report=lambda _: None)
        self._wait_until_alone(TEMPLATE)

    def _make_canary(self, scale: int) -> None:
        self.admin.execute(sql.SQL("create database {}").format(sql.Identifier(CANARY)))
        subprocess.run(
            [
                str(self.server.program("pgbench")),
                "--initialize",
                "--quiet",
                f"--scale={scale}",
            ],
            env=self.server.env(CANARY),
            check=True,
            capture_output=True,
        )

    def _wait_until_alone(self, database: str) -> None:
        """Wait for backends to be gone and reaped: only then their CPU time is the server's."""
        for _ in range(500):
            row = self.admin.execute(
                "select count(*) from pg_stat_activity"
                " where datname = %s and backend_type = 'client backend'",
                (database,),
            ).fetchone()
            if row == (0,) and not self._has_zombies():
                return
            time.sleep(0.01)

    def _has_zombies(self) -> bool:
        """Whether a process of the server has ended unseen; an ended one has no command line."""
        pid = self.server.pid
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            return any(not Path(f"/proc/{child}/cmdline").read_bytes() for child in children)
        except OSError:
            return False

    def _cpu_seconds(self) -> float | None:
        """CPU time of all backends that have ended, or None where the system does not tell."""
        try:
            fields = Path(f"/proc/{self.server.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def running(*, canary_scale: int = 10) -> Iterator[Cluster]:
    """A durable server for one bench, gone afterwards."""
    with postgres.start(durable=True, settings=SETTINGS) as server:
        cluster = Cluster(server, canary_scale=canary_scale)
        try:
            yield cluster
        finally:
            cluster.admin.close()


def run_script(
    conn: psycopg.Connection[Any], name: str, sizes: Mapping[str, int]
) -> psycopg.Cursor[Any]:
    """Run one of the SQL files beside this module; its sizes are settings of the session."""
    for key, value in sizes.items():
        conn.execute("select set_config(%s, %s, false)", (f"bench.{key}", str(value)))
    return conn.execute((HERE / name).read_bytes())


def _find(pattern: str, text: str) -> str | None:
    found = re.search(pattern, text)
    return found.group(1) if found else None
