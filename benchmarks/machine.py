"""What a figure was measured on. Figures of two machines are never compared; ratios may be."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.cluster import HERE
from procrastinate_app.local import places, postgres


@dataclass(frozen=True)
class Machine:
    """One line each, for people."""

    cpu: str
    memory: str
    disk: str
    system: str
    postgres: str
    project: str
    date: str


def here() -> Machine:
    """This machine, now."""
    return Machine(
        cpu=f"{os.cpu_count()} cores, {_cpu_model()}",
        memory=f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        disk=_disk(places.ephemeral_base(on_disk=True)),
        system=f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        postgres=_said(
            [str(postgres.binaries(int(os.environ.get("PG") or 18)) / "postgres"), "--version"]
        ),
        project=_commit(),
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _disk(path: Path) -> str:
    """File system and kind of device below a folder."""
    device = path.stat().st_dev
    kind = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/queue/rotational")
    try:
        turns = "rotating" if kind.read_text().strip() == "1" else "solid state or virtual"
    except OSError:
        turns = "unknown device"
    filesystem = _said(["stat", "-f", "-c", "%T", str(path)])
    return f"{filesystem}, {turns}, fsync on"


def _commit() -> str:
    commit = _said(["git", "-C", str(HERE.parent), "rev-parse", "--short", "HEAD"])
    if commit == "unknown":
        return commit
    changed = _said(
        [
            "git",
            "-C",
            str(HERE.parent),
            "status",
            "--porcelain",
            "--",
            "sql",
            "policies",
            "migrations",
        ]
    )
    return f"{commit} with changes" if changed else commit


def _said(command: list[str]) -> str:
    """What a program prints, or `unknown`."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip()
