"""Keeps one stack in the background: started once, joined by who comes later, stopped whole.

The stack runs in a supervisor process of its own (`start_background()`), or in `hub up`. A lock
tells whether a supervisor lives, a state file what it runs.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import psycopg

from procrastinate_app.local import places, postgres
from procrastinate_app.local.gateway_process import Keys
from procrastinate_app.local.keeper import private
from procrastinate_app.local.stack import Extent, Report, Stack, StackError, answers, running_stack
from procrastinate_app.project import PROJECT_ROOT

START_SECONDS = 300
STOP_SECONDS = 90
HEALTH_SECONDS = 5
POLL_SECONDS = 0.02


@dataclass
class State:
    """What the supervisor says about itself, in a file that only its owner can read."""

    phase: Literal["starting", "ready", "failed"]
    extent: Extent
    pid: int
    born: str
    doing: str = ""
    error: str = ""
    stack: dict[str, Any] = field(default_factory=dict)


def start_background(*, extent: Extent = "all", report: Report = lambda _: None) -> Stack:
    """Start the stack in a supervisor of its own, or join the one that runs. Waits until ready."""
    folder = places.runtime_dir()
    lock = lock_or_join()
    if lock is not None:
        (folder / "stack.json").unlink(missing_ok=True)
        with open(folder / "supervisor.log", "wb", opener=private) as log:
            supervisor = subprocess.Popen(
                [sys.executable, "-m", "procrastinate_app.local.supervisor", str(lock), extent],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(lock,),
                cwd=PROJECT_ROOT,
                start_new_session=True,
            )
        os.close(lock)
        # It is meant to outlive us: nobody waits for it, and that is no leak.
        supervisor.returncode = 0
    state = _wait_ready(folder, report)
    if extent == "all" and state.extent == "database":
        report("stopping the database, to start everything")
        stop_background()
        return start_background(extent=extent, report=report)
    return Stack(**state.stack)


def _wait_ready(folder: Path, report: Report) -> State:
    deadline = time.monotonic() + START_SECONDS
    said = ""
    while time.monotonic() < deadline:
        alive = is_running()
        state = read_state(folder)
        if state and state.phase == "failed":
            raise StackError(state.error)
        if state and state.phase == "ready" and alive:
            return state
        if not alive:
            log = (folder / "supervisor.log").read_text(errors="replace")[-2000:].strip()
            raise StackError(f"The local stack ended while starting. {log}".strip())
        if state and state.doing != said:
            said = state.doing
            report(said)
        time.sleep(POLL_SECONDS)
    raise StackError(f"The local stack was not ready after {START_SECONDS} s: {said}")


@contextlib.contextmanager
def supervised(lock: int, extent: Extent, report: Report = lambda _: None) -> Iterator[Stack]:
    """Run the kept stack under the lock, saying so in the state file."""
    folder = places.runtime_dir()
    state = State("starting", extent, os.getpid(), _born(os.getpid()))

    def tell(doing: str) -> None:
        report(doing)
        state.doing = doing
        _write_private(folder / "stack.json", asdict(state))

    tell("starting")
    try:
        keys = _kept_keys(folder)
        with running_stack(base=folder, extent=extent, keys=keys, report=tell) as stack:
            state.phase, state.stack = "ready", stack.to_dict()
            tell("")
            yield stack
    except Exception as error:
        state.phase, state.error = "failed", str(error) or repr(error)
        tell("")
        raise
    finally:
        if state.phase != "failed":
            (folder / "stack.json").unlink(missing_ok=True)
        os.close(lock)


def stop_background() -> bool:
    """Stop what `start_background` or `hub up` runs. False when nothing runs."""
    folder = places.runtime_dir()
    if not is_running():
        (folder / "stack.json").unlink(missing_ok=True)
        return False
    state = _known_supervisor(folder)
    os.kill(state.pid, signal.SIGTERM)
    if not _wait_gone(STOP_SECONDS):
        with contextlib.suppress(ProcessLookupError):
            if _born(state.pid) == state.born:
                os.kill(state.pid, signal.SIGKILL)
        if not _wait_gone(STOP_SECONDS):
            raise StackError(f"The local stack (process {state.pid}) does not end.")
    (folder / "stack.json").unlink(missing_ok=True)
    return True


def forget_data() -> None:
    """Stop what runs and remove the kept data, so that the next start begins with nothing, its
    owner's password included."""
    stop_background()
    for data in places.kept_data(places.runtime_dir()):
        shutil.rmtree(data)
    postgres.forget_cached()


def _known_supervisor(folder: Path) -> State:
    """The living supervisor's state, which a start that has just begun has yet to write."""
    deadline = time.monotonic() + HEALTH_SECONDS
    while time.monotonic() < deadline:
        state = read_state(folder)
        if state and _born(state.pid) == state.born:
            return state
        if not is_running():
            break
        time.sleep(POLL_SECONDS)
    raise StackError("Something holds the local stack's lock but is not its supervisor.")


def _wait_gone(seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not is_running():
            return True
        time.sleep(POLL_SECONDS)
    return False


def health() -> dict[str, Any]:
    """Whether the stack runs, and how each part answers."""
    state = read_state(places.runtime_dir())
    if not is_running() or state is None:
        return {"running": False, "parts": {}}
    stack = Stack(**state.stack) if state.phase == "ready" else None
    parts: dict[str, bool] = {}
    if stack:
        parts["postgres"] = _connects(stack.database_url)
        if stack.sandbox_url:
            parts["api"] = answers(f"{stack.api_url}/health")
            parts["sandbox"] = answers(f"{stack.sandbox_url}/_sandbox/health")
        if stack.worker_url:
            parts["worker"] = answers(f"{stack.worker_url}/readyz")
    return {
        "running": True,
        "phase": state.phase,
        "doing": state.doing if state.phase == "starting" else "",
        "pid": state.pid,
        "parts": parts,
        **({"stack": stack.to_dict()} if stack else {}),
    }


def _connects(database_url: str) -> bool:
    try:
        with psycopg.connect(database_url, connect_timeout=HEALTH_SECONDS) as conn:
            conn.execute("select 1")
    except psycopg.Error:
        return False
    return True


# -- lock and files ----------------------------------------------------------------------------


def lock_or_join() -> int | None:
    """The right to run this checkout's kept stack, or None when a living supervisor has it.

    The lock may also be held for a moment by somebody who only looks.
    """
    folder = places.runtime_dir()
    deadline = time.monotonic() + HEALTH_SECONDS
    while time.monotonic() < deadline:
        lock = _take_lock(folder, fcntl.LOCK_EX)
        state = read_state(folder)
        if lock is not None or (state and _born(state.pid) == state.born):
            return lock
        time.sleep(POLL_SECONDS)
    raise StackError(f"Something holds {folder / 'stack.lock'}, but no stack is starting.")


def is_running() -> bool:
    """Whether a supervisor holds the lock."""
    lock = _take_lock(places.runtime_dir(), fcntl.LOCK_SH)
    if lock is not None:
        os.close(lock)
    return lock is None


def _take_lock(folder: Path, kind: int) -> int | None:
    descriptor = os.open(folder / "stack.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def read_state(folder: Path) -> State | None:
    try:
        return State(**json.loads((folder / "stack.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _kept_keys(folder: Path) -> Keys:
    """The keys that go with the kept data, so that clients' sessions survive a restart."""
    path = folder / "keys.json"
    with contextlib.suppress(OSError, ValueError, TypeError):
        return Keys(**json.loads(path.read_text()))
    keys = Keys()
    _write_private(path, asdict(keys))
    return keys


def _write_private(path: Path, value: dict[str, Any]) -> None:
    """Replace a file at once; only its owner may read it."""
    descriptor, name = tempfile.mkstemp(prefix=path.name, dir=path.parent)
    with os.fdopen(descriptor, "w") as file:
        json.dump(value, file)
    Path(name).rename(path)


def _born(pid: int) -> str:
    """When a process began, so that its number, used again, is not taken for it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        pass
    done = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True)
    return done.stdout.strip()


def main() -> None:
    """The supervisor: run until told to end."""
    lock, extent = int(sys.argv[1]), sys.argv[2]
    os.set_inheritable(lock, False)
    end_on_signals()
    with supervised(lock, "all" if extent == "all" else "database"):
        while True:
            signal.pause()


def end_on_signals() -> None:
    """Leave through the normal clean-up on SIGTERM and SIGINT; further ones do not disturb it."""

    def end(*_: object) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        sys.exit(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)


if __name__ == "__main__":
    main()
