"""Telling systemd how the worker is: READY=1, WATCHDOG=1, STOPPING=1 (man sd_notify).

Nothing happens where nobody asked: without NOTIFY_SOCKET every call is silent. The watchdog is fed
from the event loop itself, so a loop that something blocks goes hungry, and systemd restarts the
worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Mapping

MICROSECONDS = 1_000_000


class Notifier:
    """One per process. Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        path = environment.get("NOTIFY_SOCKET", "")
        # a leading @ stands for the abstract namespace
        self._address = "\0" + path[1:] if path.startswith("@") else path
        asked = environment.get("WATCHDOG_PID") in (None, "", str(os.getpid()))
        self._watchdog = int(environment.get("WATCHDOG_USEC") or 0) / MICROSECONDS if asked else 0

    def tell(self, *states: str) -> None:
        """Send states such as READY=1 or STATUS=…, in one message."""
        if not self._address:
            return
        with (
            contextlib.suppress(OSError),  # whoever asked is gone
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock,
        ):
            sock.setblocking(False)
            sock.sendto("\n".join(states).encode(), self._address)

    def wait_for(self, what: str, seconds: float) -> None:
        """Say that starting takes longer, and why; systemd would end it otherwise."""
        microseconds = int(seconds * MICROSECONDS)
        self.tell(f"EXTEND_TIMEOUT_USEC={microseconds}", f"STATUS=waiting for {what}")

    @contextlib.asynccontextmanager
    async def watchdog(self) -> AsyncIterator[None]:
        """Feed the watchdog while the block runs, twice as often as it asks."""
        if not (self._watchdog and self._address):
            yield
            return
        feeding = asyncio.create_task(self._feed(self._watchdog / 2))
        try:
            yield
        finally:
            feeding.cancel()

    async def _feed(self, seconds: float) -> None:
        while True:
            self.tell("WATCHDOG=1")
            await asyncio.sleep(seconds)
