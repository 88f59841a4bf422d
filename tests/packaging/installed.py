"""The wheel, built and installed where nothing of the checkout is."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from procrastinate_app.local import places
from procrastinate_app.project import PROJECT_ROOT

CARRIED = "procrastinate_app/_project/"
ROOMS = ("migrations", "policies", "sql")
UV = (sys.executable, "-m", "uv")
SOURCES = ("procrastinate_app", *ROOMS)
BUILD_FILES = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md")


def copy_sources(target: Path) -> Path:
    """What a wheel is built from, so that building leaves nothing in the checkout."""
    for name in SOURCES:
        shutil.copytree(
            PROJECT_ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in BUILD_FILES:
        shutil.copy(PROJECT_ROOT / name, target)
    return target


def build(sources: Path, *options: str) -> Path:
    """`make build`, without asking a registry."""
    run(
        *UV, "build", "--quiet", "--offline", "--no-build-isolation", "--python", sys.executable,
        *options, str(sources),
    )  # fmt: skip
    [wheel] = (sources / "dist").glob("*.whl")
    return wheel


def carried(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {
            name.removeprefix(CARRIED): archive.read(name)
            for name in archive.namelist()
            if name.startswith(CARRIED)
        }


def on_disk() -> dict[str, bytes]:
    return {
        path.relative_to(PROJECT_ROOT).as_posix(): path.read_bytes()
        for room in ROOMS
        for path in (PROJECT_ROOT / room).rglob("*.sql")
    }


def run(*command: str, **options: Any) -> str:
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@dataclass(frozen=True)
class Installed:
    """A venv with the wheel and the packages of requirements/runtime.lock, and no others."""

    root: Path

    @property
    def bin(self) -> Path:
        return self.root / "venv/bin"

    @property
    def site(self) -> Path:
        [found] = (self.root / "venv/lib").glob("python*/site-packages")
        return found

    def hub(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run `hub` as an ordinary user, from another folder, without our environment."""
        return subprocess.run(
            [self.bin / "hub", *arguments],
            cwd=self.root / "elsewhere",
            env={"PATH": os.defpath, "HOME": str(self.root / "elsewhere"), **env},
            capture_output=True,
            text=True,
            timeout=120,
            **ordinary_user(),
        )


@cache
def ordinary_user() -> dict[str, Any]:
    """For subprocess: whom to become when the tests run as root."""
    account = places.account()
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


@cache
def interpreter() -> str:
    """A Python of our version that an ordinary user may run: ours may stand in root's home."""
    ours = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for path in (sys.executable, f"/usr/bin/{ours}", f"/usr/local/bin/{ours}"):
        with contextlib.suppress(OSError):
            subprocess.run([path, "-c", ""], cwd="/", check=True, **ordinary_user())
            return path
    pytest.skip(f"no {ours} that an ordinary user may run")


def install(wheel: Path, root: Path) -> Installed:
    """As `pip install --require-hashes -r runtime.lock` and the wheel would, from what the
    development environment already has."""
    installed = Installed(root)
    run(*UV, "venv", "--quiet", "--offline", "--python", interpreter(), str(root / "venv"))
    take_over_locked(installed.site)
    run(
        *UV, "pip", "install", "--quiet", "--offline", "--no-deps",
        "--python", str(installed.bin / "python"), str(wheel),
    )  # fmt: skip
    (root / "elsewhere").mkdir()
    for folder in (root, root / "elsewhere"):
        folder.chmod(0o755)
    if owner := ordinary_user():
        os.chown(root / "elsewhere", owner["user"], owner["group"])
    return installed


def take_over_locked(site: Path) -> None:
    """As `pip install --require-hashes -r runtime.lock` would, but from what is here already."""
    for locked in locked_distributions():
        _take_over(locked, site)


def locked_distributions() -> list[Distribution]:
    """What requirements/runtime.lock names for this machine."""
    text = (PROJECT_ROOT / "requirements/runtime.lock").read_text()
    wanted = [
        Requirement(line.rstrip("\\ "))
        for line in text.splitlines()
        if re.match(r"[a-z0-9][\w.-]*==", line)
    ]
    assert len(wanted) > 20
    return [distribution(need.name) for need in wanted if not need.marker or need.marker.evaluate()]


def _take_over(package: Distribution, site: Path) -> None:
    """Link or copy a package's files. Programs are left out, for they name another Python."""
    for file in package.files or ():
        if ".." in file.parts or file.suffix == ".pyc":
            continue
        target = site / file
        target.parent.mkdir(parents=True, exist_ok=True)
        source = Path(str(file.locate())).resolve()
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)
