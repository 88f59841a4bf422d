"""Applying a bundle as its users do: with psql, or with the Supabase CLI."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from procrastinate_app.deploy.replay import ReplayFailed, by_psql
from procrastinate_app.local import postgres
from procrastinate_app.project import PROJECT_ROOT

__all__ = ["CLI", "ReplayFailed", "by_cli", "by_psql", "push"]

CLI = PROJECT_ROOT / "node_modules/@supabase/cli-linux-x64/bin/supabase"


def by_cli(
    server: postgres.Server, dbname: str, folder: Path, names: Iterable[str] | None = None
) -> None:
    """`supabase db push`, which finds out by itself which files are new."""
    push(server, dbname, folder)


def push(server: postgres.Server, dbname: str, folder: Path, *options: str) -> str:
    """`folder` must be …/supabase/migrations. Gives what the CLI said."""
    remote = f"--remote={server.url(dbname)}?sslmode=disable"
    done = subprocess.run(
        [CLI, "db", "push", "--yes", *options, remote],
        env={**os.environ, "DO_NOT_TRACK": "1", "SUPABASE_TELEMETRY_DISABLED": "1"},
        cwd=folder.parent.parent,
        capture_output=True,
        text=True,
        timeout=120,
    )
    said = done.stdout + done.stderr
    if done.returncode != 0:
        raise ReplayFailed(said)
    return said
