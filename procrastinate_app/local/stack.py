"""The whole local system: Postgres, schema, Supabase API, provider sandbox, worker.

`running_stack()` runs it inside the calling process, for tests, the demo, and the supervisor that
keeps one in the background (supervisor.py). Every part ends when that process ends, so nothing has
to be found and killed later.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import psycopg

from procrastinate_app.local import places, postgres, shim
from procrastinate_app.local.children import Child, ChildError
from procrastinate_app.local.errors import LocalError
from procrastinate_app.local.gateway_process import Gateway, Keys
from procrastinate_app.local.logins import LoginError, login_as
from procrastinate_app.project import PROJECT_ROOT
from procrastinate_app.settings import database_address, database_host, is_here

Extent = Literal["database", "all"]
Report = Callable[[str], None]

SANDBOX = [sys.executable, "-m", "procrastinate_app.local.sandbox"]
WORKER = [sys.executable, "-m", "procrastinate_app", "worker"]
SANDBOX_SECONDS = 30
WORKER_SECONDS = 60
WORKER_STOP_SECONDS = 40
ANSWER_SECONDS = 5
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
    HUB_DATABASE_URL (or HUB_DATABASE_URL_FILE) and HUB_SUPABASE_URL replace the database and the
    API by existing ones.
    """
    with contextlib.ExitStack() as parts:
        logs = _log_dir(base, parts)
        existing = _existing_database()
        database_url = existing or _start_postgres(parts, base=base, major=major, report=report)
        if extent == "database":
            _deploy(database_url, kept=base is not None, report=report)
            yield Stack(database_url=database_url, logs=str(logs))
            return
        # These need no schema yet, and starting takes them a while: they begin before the deploy.
        api = _existing_api() or _OwnApi(parts, database_url, keys=keys or Keys(), logs=logs)
        _deploy(database_url, kept=base is not None, report=report)
        if not existing:
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
            authenticator_url=_authenticator_url(database_url),
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


def _authenticator_url(database_url: str) -> str | None:
    """For whoever asks; the gateway has refused before, an existing API does not need it."""
    try:
        return login_as(database_url, "authenticator")
    except LoginError:
        return None


def _existing_database() -> str | None:
    try:
        return database_address()
    except (ValueError, OSError) as error:
        raise StackError(str(error)) from None


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
    try:
        with psycopg.connect(server.url()) as conn:
            shim.apply(conn)
    except psycopg.OperationalError as error:
        said = f"Postgres does not let its owner in: {error}"
        raise StackError(_mend(said, kept=base is not None)) from error
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
            cwd=PROJECT_ROOT,
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
        cwd=PROJECT_ROOT,
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


def answers(url: str) -> bool:
    """True when a GET is answered with a success."""
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as response:
            return bool(response.status < 300)
    except OSError:
        return False
