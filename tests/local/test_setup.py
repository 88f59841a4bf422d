"""Setting up: an interrupted installation is done again, lock files name no registry."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from procrastinate_app.local import locks
from procrastinate_app.project import PROJECT_ROOT

FAKE_PYTHON = """#!/bin/sh
# Stands for python3 and for .venv/bin/python: notes what it is asked.
echo "$*" >>"$NOTES"
case "$*" in
"-m venv .venv")
  mkdir -p .venv/bin
  cp "$0" .venv/bin/python
  printf '#!%s/.venv/bin/python\\n' "$PWD" >.venv/bin/pip
  chmod +x .venv/bin/pip
  ;;
*"-m pip install"*) [ ! -e "$FAIL" ] ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout below closed folders, with an installer that only takes notes."""
    root = tmp_path / "closed" / "hub"
    root.mkdir(parents=True)
    (tmp_path / "closed").chmod(0o700)
    shutil.copytree(PROJECT_ROOT / ".ci", root / ".ci")
    python = root / "fake-python"
    python.write_text(FAKE_PYTHON)
    python.chmod(0o755)
    return root


def set_up(checkout: Path) -> tuple[int, list[str]]:
    """Run the set-up; its exit code and what Python was asked to do."""
    notes = checkout / "notes"
    notes.unlink(missing_ok=True)
    done = subprocess.run(
        [".ci/venv", checkout / "fake-python", checkout],
        cwd=checkout,
        env={**os.environ, "NOTES": str(notes), "FAIL": str(checkout / "fail")},
        capture_output=True,
        text=True,
    )
    return done.returncode, notes.read_text().splitlines()


def test_a_first_set_up_makes_everything_and_says_ready(checkout: Path) -> None:
    code, asked = set_up(checkout)
    assert code == 0
    assert "-m venv .venv" in asked
    assert any("--require-hashes -r requirements/dev.lock" in line for line in asked)
    assert any("--no-build-isolation --no-deps --editable ." in line for line in asked)
    assert (checkout / ".venv/.ready").read_text() == f"{checkout}\n"


def test_an_interrupted_set_up_begins_again(checkout: Path) -> None:
    (checkout / "fail").touch()
    code, _ = set_up(checkout)
    assert code != 0
    assert not (checkout / ".venv/.ready").exists()
    left = checkout / ".venv/left-by-the-first"
    left.touch()
    (checkout / "fail").unlink()
    code, asked = set_up(checkout)
    assert code == 0
    assert "-m venv .venv" in asked
    assert not left.exists()


def test_a_changed_lock_file_is_installed_into_the_same_venv(checkout: Path) -> None:
    set_up(checkout)
    code, asked = set_up(checkout)
    assert code == 0
    assert "-m venv .venv" not in asked


def test_a_moved_checkout_is_set_up_anew(checkout: Path) -> None:
    set_up(checkout)
    moved = checkout.rename(checkout.with_name("moved"))
    code, asked = set_up(moved)
    assert code == 0
    assert "-m venv .venv" in asked


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's files")
def test_a_venv_of_another_user_is_not_touched(checkout: Path) -> None:
    set_up(checkout)
    shutil.chown(checkout / ".venv", "nobody")
    done = subprocess.run(
        [".ci/venv", checkout / "fake-python", checkout],
        cwd=checkout,
        env={**os.environ, "NOTES": os.devnull, "FAIL": os.devnull + "/no"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "belongs to another user" in done.stderr


def test_lock_files_name_no_address() -> None:
    for path in (*locks.REQUIREMENTS.glob("*.lock"), locks.PACKAGE_LOCK):
        assert not locks.ADDRESS.search(path.read_text()), path


def test_every_locked_package_has_a_hash() -> None:
    for path in locks.REQUIREMENTS.glob("*.lock"):
        lines = [line for line in path.read_text().splitlines() if "==" in line]
        assert lines
        assert all(line.endswith("\\") for line in lines), path
    assert '"integrity": "sha512-' in locks.PACKAGE_LOCK.read_text()
