"""Folders that Postgres' account can enter, and waiting for what others do."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from procrastinate_app.local import places


@pytest.fixture
def open_dir() -> Iterator[Path]:
    """A folder in memory that others may pass through: pytest's own are closed to the account that
    Postgres runs as."""
    parent = places.ephemeral_base(on_disk=False)
    with tempfile.TemporaryDirectory(prefix="test-", dir=parent) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def runtime_dir(open_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runtime folder of one's own: no cached cluster, no kept data, no stack."""
    folder = open_dir / "runtime"
    monkeypatch.setenv("HUB_RUNTIME_DIR", str(folder))
    for variable in ("HUB_DATABASE_URL", "HUB_DATABASE_URL_FILE", "HUB_SUPABASE_URL"):
        monkeypatch.delenv(variable, raising=False)
    return folder


@pytest.fixture
def until() -> Callable[[Callable[[], object], str], None]:
    """Wait until a condition holds; fail, saying which, when it does not within a minute."""

    def wait(condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, f"never: {what}"
            time.sleep(0.002)

    return wait


@pytest.fixture
def alive() -> Callable[[int], bool]:
    """Whether a process still runs; one that ended but was not waited for does not."""

    def check(pid: int) -> bool:
        try:
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (ProcessLookupError, FileNotFoundError):
            return False
        return state != "Z"

    return check
