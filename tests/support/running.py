"""The real worker and the real sandbox as processes, and waiting for what they do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from procrastinate_app.local.tether import end_with_parent

T = TypeVar("T")

PATIENCE = 60.0
POLL_SECONDS = 0.02
KEY = "sb_secret_sandbox_0123456789abcdef"

# quick to find work, slow to give anything up: a busy machine must not look like a broken one
QUICK = {
    "HUB_ENVIRONMENT": "test",
    "HUB_REALTIME_TIMEOUT": "20",
    "HUB_LEASE": "40",
    "HUB_RING_INTERVAL": "0.05",
    "HUB_POLL_INTERVAL": "0.2",
    "HUB_HEARTBEAT_INTERVAL": "1",
    "HUB_STALLED_AFTER": "40",
    "HUB_RESCUE_INTERVAL": "0.2",
    "HUB_FETCHERS": "2",
}


def until(what: Callable[[], T], saying: Callable[[], str] = str) -> T:
    """The first true answer; fails, telling what was going on, when none comes."""
    deadline = time.monotonic() + PATIENCE
    while not (answer := what()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {PATIENCE:.0f} s in vain\n{saying()}")
        time.sleep(POLL_SECONDS)
    return answer


def http(method: str, url: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
    """One request; the decoded JSON answer, or the text of another kind."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers or {}, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read().decode()
    return json.loads(text) if text.startswith(("{", "[")) else text


@dataclass
class Sandbox:
    """The sandbox process of the run."""

    url: str

    def forget(self) -> None:
        http("DELETE", f"{self.url}/_sandbox")

    def fail(self, kind: str, **options: Any) -> None:
        body = {"kind": kind, **options}
        http("POST", f"{self.url}/_sandbox/faults", body)

    def know(self, *keys: str) -> None:
        """Accept these API keys and no others."""
        http("POST", f"{self.url}/_sandbox/keys", {"keys": keys})

    def release(self) -> None:
        http("POST", f"{self.url}/_sandbox/release")

    def accepted(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = http("GET", f"{self.url}/_sandbox/messages")["accepted"]
        return found

    def accepted_ids(self) -> list[int]:
        return [int(message["payload"]["id"]) for message in self.accepted()]

    def requests(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = http("GET", f"{self.url}/_sandbox/requests")
        return found

    def holds_one(self) -> bool:
        return any(request["status"] is None for request in self.requests())


@dataclass
class WorkerProcess:
    """One `hub worker`. Its output goes to a file, so that it never blocks."""

    env: dict[str, str]
    folder: Path
    command: tuple[str, ...] = (sys.executable, "-m", "procrastinate_app", "worker")
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.log = self.folder / f"worker-{time.monotonic_ns()}.log"
        self.url_file = self.log.with_suffix(".url")
        inherited = {name: text for name, text in os.environ.items() if name[:4] != "HUB_"}
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                self.command,
                env={**inherited, **self.env, "HUB_HTTP_PORT_FILE": str(self.url_file)},
                stdout=output,
                stderr=output,
                preexec_fn=partial(end_with_parent, os.getpid()),
            )

    def output(self) -> str:
        return self.log.read_text()

    def events(self) -> list[dict[str, Any]]:
        """The log lines so far."""
        lines = self.output().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line[-1] == "}"]

    def said(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.events() if line["event"] == event]

    def wait_until(self, what: Callable[[], T]) -> T:
        """As until(), and fails at once when the worker is gone."""

        def ask() -> T:
            assert self.process.poll() is None, f"the worker ended:\n{self.output()}"
            return what()

        return until(ask, self.output)

    def get(self, path: str) -> tuple[int, str]:
        url = self.wait_until(lambda: self.url_file.exists() and self.url_file.read_text().strip())
        try:
            with urllib.request.urlopen(f"{url}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def wait_ready(self) -> WorkerProcess:
        self.wait_until(lambda: self.get("/readyz")[0] == 200)
        return self

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the worker does not end:\n{self.output()}") from None
