"""The whole local system: Postgres, schema, Supabase API, provider sandbox, worker.

`running_stack()` runs it inside the calling process (tests, demo, `hub up`). `start_background()`
runs it in a supervisor process of its own; a lock tells whether that one lives, a state file what
it runs. Every part ends when its supervisor ends, so nothing has to be found and killed later.
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
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import psycopg

from procrastinate_app.local import places, postgres, shim
from procrastinate_app.local.children import Child, ChildError
from procrastinate_app.local.errors import LocalError
from procrastinate_app.local.gateway_process import Gateway, Keys, login_as
from procrastinate_app.settings import database_host, is_here

Extent = Literal["database", "all"]
Report = Callable[[str], None]

SANDBOX = [sys.executable, "-m", "procrastinate_app.local.sandbox"]
WORKER = [sys.executable, "-m", "procrastinate_app", "worker"]
START_SECONDS = 300
STOP_SECONDS = 90
SANDBOX_SECONDS = 30
WORKER_SECONDS = 60
WORKER_STOP_SECONDS = 40
HEALTH_SECONDS = 5
POLL_SECONDS = 0.02


class StackError(LocalError):
    """The stack cannot be started or stopped; the message says why and what to do."""


@dataclass(frozen=True)
class Stack:
    """Where everything is. Parts that are not running have no address."""

    database_url: str
    api_url: str | None = None
    publishable_key: str | None = None
    secret_key: str | None = None
    jwt_secret: str | None = None
    sandbox_url: str | None = None
    worker_url: str | None = None
    authenticator_url: str | None = None
    logs: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


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


# -- running -----------------------------------------------------------------------------------


@contextlib.contextmanager
def running_stack(
    *,
    base: Path | None = None,
    major: int | None = None,
    extent: Extent = "all",
    worker: bool = True,
    keys: Keys | None = None,
    report: Report = lambda _: None,
) -> Iterator[Stack]:
    """Run the stack until the block ends.

    base: a folder that keeps the data between runs; without it the data dies with the block.
    extent: "database" stops after the schema. worker: leave the worker to the caller.
    HUB_DATABASE_URL and HUB_SUPABASE_URL replace the database and the API by existing ones.
    """
    with contextlib.ExitStack() as parts:
        logs = _log_dir(base, parts)
        database_url = os.environ.get("HUB_DATABASE_URL") or _start_postgres(
            parts, base=base, major=major, report=report
        )
        if extent == "database":
            _deploy(database_url, kept=base is not None, report=report)
            yield Stack(database_url=database_url, logs=str(logs))
            return
        # These need no schema yet, and starting takes them a while: they begin before the deploy.
        api = _existing_api() or _OwnApi(parts, database_url, keys=keys or Keys(), logs=logs)
        _deploy(database_url, kept=base is not None, report=report)
        if "HUB_DATABASE_URL" not in os.environ:
            _fill_reward_pool(database_url)
        report("starting the Supabase API and the provider sandbox")
        api_url, sandbox_url = api.wait_ready()
        stack = Stack(
            database_url=database_url,
            api_url=api_url,
            publishable_key=api.keys.publishable_key,
            secret_key=api.keys.secret_key,
            jwt_secret=api.keys.jwt_secret,
            sandbox_url=sandbox_url,
            authenticator_url=login_as(database_url, "authenticator"),
            logs=str(logs),
        )
        if worker:
            report("starting the worker")
            worker_url = _start_worker(parts, stack, logs=logs)
            stack = replace(stack, worker_url=worker_url)
        yield stack


def _log_dir(base: Path | None, parts: contextlib.ExitStack) -> Path:
    if base is not None:
        return places.owned_dir(base / "logs", private=True)
    return Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="hybrid-hub-logs-")))


def _start_postgres(
    parts: contextlib.ExitStack, *, base: Path | None, major: int | None, report: Report
) -> str:
    report("starting Postgres")
    major = major or postgres.wanted_major()
    try:
        server = postgres.start(
            major=major,
            base=base / f"postgres-{major}" if base else None,
            durable=base is not None,
        )
    except postgres.ServerError as error:
        raise StackError(_mend(str(error), kept=base is not None)) from error
    parts.enter_context(server)
    with psycopg.connect(server.url()) as conn:
        shim.apply(conn)
    return server.url()


def _deploy(database_url: str, *, kept: bool, report: Report) -> None:
    """Bring the schema up to date. A database elsewhere is deployed to on purpose only."""
    from procrastinate_app.deploy import DeployFailed, DeployRefused, deploy

    if not is_here(database_host(database_url)):
        return
    report("deploying the schema")
    try:
        deploy(database_url, report=report)
    except (DeployRefused, DeployFailed) as error:
        raise StackError(_mend(f"The schema was not deployed: {error}", kept=kept)) from error


def _fill_reward_pool(database_url: str) -> None:
    """Give the stack's own database play money, so that validated clips are paid from the start."""
    with psycopg.connect(database_url) as conn:
        conn.execute(
            "select ledger.fund_reward_pool('USD', 10000000) where not exists"
            " (select from ledger.transfers where cause = 'pool_funding')"
        )


def _mend(message: str, *, kept: bool) -> str:
    """Local data is meant to be thrown away: say how."""
    return f"{message}\nTo start afresh, losing local data: `hub local reset`." if kept else message


class _OwnApi:
    """The gateway, and the sandbox that stands in for Realtime and other providers."""

    def __init__(
        self, parts: contextlib.ExitStack, database_url: str, *, keys: Keys, logs: Path
    ) -> None:
        self.keys = keys
        self._gateway = Gateway(database_url, log=logs / "gateway.log", keys=keys)
        parts.callback(self._gateway.stop)
        self._sandbox = Child(
            "The sandbox",
            [*SANDBOX, "--port", "0"],
            env={**os.environ, "HUB_SANDBOX_KEY": keys.secret_key},
            log=logs / "sandbox.log",
            cwd=places.PROJECT_ROOT,
            tethered=True,
        )
        parts.callback(self._sandbox.stop)

    def wait_ready(self) -> tuple[str, str | None]:
        return self._gateway.wait_ready(), str(self._sandbox.ready(SANDBOX_SECONDS)["url"])


@dataclass(frozen=True)
class _ExistingApi:
    """A real project: it brings its own API and Realtime, and its keys come from its owner."""

    url: str
    keys: Keys

    def wait_ready(self) -> tuple[str, str | None]:
        return self.url, None


def _existing_api() -> _ExistingApi | None:
    url = os.environ.get("HUB_SUPABASE_URL")
    if not url:
        return None
    keys = Keys(
        publishable_key=os.environ.get("HUB_PUBLISHABLE_KEY", ""),
        secret_key=os.environ.get("HUB_SECRET_KEY", ""),
        jwt_secret=os.environ.get("HUB_JWT_SECRET", ""),
    )
    return _ExistingApi(url.rstrip("/"), keys)


def _start_worker(parts: contextlib.ExitStack, stack: Stack, *, logs: Path) -> str:
    port_file = logs / "worker.url"
    port_file.unlink(missing_ok=True)
    env = {
        **os.environ,
        "HUB_DATABASE_URL": stack.database_url,
        "HUB_SUPABASE_URL": stack.api_url or "",
        "HUB_SECRET_KEY": stack.secret_key or "",
        "HUB_HTTP_PORT_FILE": str(port_file),
    }
    if stack.sandbox_url:
        env |= {
            "HUB_ENVIRONMENT": "local",
            "HUB_REALTIME_URL": f"{stack.sandbox_url}/realtime/v1",
        }
    worker = Child(
        "The worker",
        WORKER,
        log=logs / "worker.log",
        env=env,
        cwd=places.PROJECT_ROOT,
        tethered=True,
        stop_seconds=WORKER_STOP_SECONDS,
    )
    worker.log_output()
    parts.callback(worker.stop)
    deadline = time.monotonic() + WORKER_SECONDS
    while time.monotonic() < deadline:
        if not worker.running():
            raise ChildError(f"The worker ended while starting.{worker.tail()}")
        with contextlib.suppress(FileNotFoundError):
            url = port_file.read_text().strip()
            if url and answers(f"{url}/readyz"):
                return url
        time.sleep(POLL_SECONDS)
    raise ChildError(f"The worker was not ready after {WORKER_SECONDS} s.{worker.tail()}")


# -- in the background -------------------------------------------------------------------------


def start_background(*, extent: Extent = "all", report: Report = lambda _: None) -> Stack:
    """Start the stack in a supervisor of its own, or join the one that runs. Waits until ready."""
    folder = places.runtime_dir()
    lock = lock_or_join()
    if lock is not None:
        (folder / "stack.json").unlink(missing_ok=True)
        with (folder / "supervisor.log").open("wb") as log:
            supervisor = subprocess.Popen(
                [sys.executable, "-m", "procrastinate_app.local.stack", str(lock), extent],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(lock,),
                cwd=places.PROJECT_ROOT,
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
    """Stop what runs and remove the kept data, so that the next start begins with nothing."""
    stop_background()
    for data in places.runtime_dir().glob("postgres-*"):
        shutil.rmtree(data)


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


def answers(url: str) -> bool:
    """True when a GET is answered with a success."""
    try:
        with urllib.request.urlopen(url, timeout=HEALTH_SECONDS) as response:
            return bool(response.status < 300)
    except OSError:
        return False


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
