"""Replaying a bundle with psql, and `python -m procrastinate_app.deploy.replay`: the check that it
gives the committed schema.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import psycopg

from procrastinate_app.deploy.bundle import bundle, replay_order
from procrastinate_app.deploy.dump import COMMITTED, dump
from procrastinate_app.deploy.fresh import MAJOR
from procrastinate_app.local import postgres, shim


class ReplayFailed(Exception):
    """A file of the bundle failed; what psql said."""


def by_psql(
    server: postgres.Server, dbname: str, folder: Path, names: Iterable[str] | None = None
) -> None:
    """Run the files, or those named, in order; each in a transaction unless it says otherwise."""
    wanted = None if names is None else set(names)
    for path, in_transaction in replay_order(folder):
        if wanted is None or path.name in wanted:
            command = [str(server.program("psql")), "-X", "-q", "-v", "ON_ERROR_STOP=1"]
            command += ["--single-transaction"] if in_transaction else []
            done = subprocess.run(
                [*command, "-f", str(path)],
                env=server.env(dbname),
                capture_output=True,
                text=True,
            )
            if done.returncode != 0:
                raise ReplayFailed(f"{path.name}: {done.stderr}")


def replayed() -> str:
    """The dump of a database made from a fresh bundle of this tree."""
    with (
        tempfile.TemporaryDirectory() as folder,
        postgres.start(major=MAJOR) as server,
        psycopg.connect(server.url(), autocommit=True) as conn,
    ):
        shim.apply(conn)
        bundle(Path(folder))
        by_psql(server, "postgres", Path(folder))
        return dump(server, "postgres")


def main() -> int:
    if replayed() == COMMITTED.read_text(encoding="utf-8"):
        print("a bundle gives docs/reference/schema.sql")
        return 0
    print(
        "A replayed bundle does not give docs/reference/schema.sql. Where `hub schema verify` "
        "passes, the bundle differs from deploy.",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
