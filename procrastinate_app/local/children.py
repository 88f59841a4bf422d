"""Child processes of the local stack: started with a pipe, told ready by one line of JSON.

A child ends when its stdin ends (by itself, or on a tether), so it cannot outlive its starter,
however that one ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from procrastinate_app.local.errors import LocalError

LOG_TAIL = 2000
STOP_SECONDS = 10
TETHER = Path(__file__).with_name("tether.py")


class ChildError(LocalError):
    """A part of the stack did not start; the message holds the end of its log."""


class Child:
    """One running part: its process, its log, what it said when ready."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        first_line: str | None = None,
        cwd: Path | None = None,
        tethered: bool = False,
        stop_seconds: float = STOP_SECONDS,
    ) -> None:
        """Start it. tethered: it does not watch its stdin, so a tether does."""
        if tethered:
            command = [sys.executable, "-I", "-S", TETHER, str(stop_seconds), *command]
        self.name = name
        self.log = log
        self._stop_seconds = stop_seconds
        self._drain: threading.Thread | None = None
        with log.open("ab") as sink:
            self._log_start = log.stat().st_size
            self.process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=sink,
                env=dict(env) if env is not None else None,
                cwd=cwd,
                start_new_session=True,
            )
        if first_line is not None:
            assert self.process.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.write(first_line.encode() + b"\n")
                self.process.stdin.flush()

    @property
    def pid(self) -> int:
        return self.process.pid

    def running(self) -> bool:
        return self.process.poll() is None

    def ready(self, seconds: float) -> dict[str, Any]:
        """Wait for the child's line of JSON."""
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        deadline = time.monotonic() + seconds
        said = b""
        while b"\n" not in said:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                self.stop()
                raise ChildError(f"{self.name} was not ready after {seconds:.0f} s.{self.tail()}")
            chunk = os.read(descriptor, 65536)
            if not chunk:
                self.stop()
                raise ChildError(f"{self.name} ended while starting.{self.tail()}")
            said += chunk
        line, rest = said.split(b"\n", 1)
        answer: dict[str, Any] = json.loads(line)
        self.log_output(rest)
        return answer

    def log_output(self, first: bytes = b"") -> None:
        """Move what the child prints from now on to its log, so that it never blocks on us."""
        assert self.process.stdout is not None
        source = self.process.stdout

        def drain() -> None:
            with self.log.open("ab") as log, contextlib.suppress(OSError, ValueError):
                log.write(first)
                while chunk := os.read(source.fileno(), 65536):
                    log.write(chunk)
                    log.flush()

        self._drain = threading.Thread(target=drain, daemon=True)
        self._drain.start()

    def stop(self) -> None:
        """Ask the child to end (SIGTERM), then insist. Safe to repeat."""
        process = self.process
        assert process.stdout is not None
        assert process.stdin is not None
        if process.poll() is None:
            process.terminate()
            try:
                # A tether insists after stop_seconds itself.
                process.wait(self._stop_seconds + 5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        with contextlib.suppress(OSError):
            process.stdin.close()
        if self._drain:
            self._drain.join(STOP_SECONDS)
        process.stdout.close()

    def tail(self) -> str:
        """The end of what the child logged since it was started, ready to append to a message."""
        with contextlib.suppress(OSError), self.log.open("rb") as log:
            log.seek(self._log_start)
            said = log.read()[-LOG_TAIL:].decode(errors="replace").strip()
            if said:
                return f" Its log ({self.log}) says:\n{said}"
        return ""
