"""The pinned Supabase CLI, for what needs no Docker: types, advisors, migrations."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from procrastinate_app.local.errors import LocalError
from procrastinate_app.local.node import PACKAGES

SECONDS = 120
QUIET = {"DO_NOT_TRACK": "1", "SUPABASE_TELEMETRY_DISABLED": "1", "NO_COLOR": "1"}


class CliFailed(LocalError):
    """The CLI is not there or ended with an error; the message is what it said."""


def find_cli() -> Path | None:
    """The program, or None on a platform that has no locked package of it."""
    return next(iter(sorted(PACKAGES.glob("@supabase/cli-*/bin/supabase"))), None)


def run(*command: str, database_url: str) -> str:
    """What a command says about this database on its standard output."""
    program = find_cli()
    if program is None:
        raise CliFailed("The Supabase CLI is not installed: run `make install`.")
    done = subprocess.run(
        [program, *command, f"--remote={database_url}?sslmode=disable", "--agent=no"],
        env={**os.environ, **QUIET},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    if done.returncode != 0:
        raise CliFailed(f"supabase {' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
