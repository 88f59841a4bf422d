"""`make clean`: stop the local stack and remove everything that can be made again.

Runs on any Python, with or without .venv, so it imports the standard library alone.
"""

from __future__ import annotations

import shutil
import subprocess
import sys

from procrastinate_app.local import places, postgres
from procrastinate_app.project import PROJECT_ROOT

REMADE = (
    ".venv",
    "node_modules",
    ".local",
    ".hypothesis",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    "build",
    "dist",
    "hybrid_hub.egg-info",
)


def main() -> int:
    root = PROJECT_ROOT
    hub = root / ".venv/bin/hub"
    runtime = places.runtime_dir()
    if (runtime / "stack.json").exists() and hub.exists():
        stopped = subprocess.run([hub, "local", "stop"], cwd=root)
        if stopped.returncode != 0:
            print("The local stack could not be stopped; nothing was removed.", file=sys.stderr)
            return 1
    places.forget_runtime_dir()
    postgres.forget_ephemeral()
    for name in REMADE:
        shutil.rmtree(root / name, ignore_errors=True)
    for cache in root.rglob("__pycache__"):
        shutil.rmtree(cache, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
