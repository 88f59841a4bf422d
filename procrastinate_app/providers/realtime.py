"""Supabase Realtime's broadcast over HTTP: POST {realtime_url}/api/broadcast, answered 202, empty.

Messages are always private: public is the API's default, and a public topic has no policy.
A secret key (sb_secret_…) is not a JWT and goes into `apikey` only; a JWT also goes as Bearer.
429 (the project's messages per second) and 422 (an invalid or too large message) are for the whole
batch: nothing of it was accepted. A repeat is safe, every message carries its event's id.
Source: supabase/realtime, BroadcastController and TenantBroadcast.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self

import aiohttp
from pydantic import SecretStr

from procrastinate_app.logging import Failure, describe
from procrastinate_app.outcome import Outcome, Result

REJECTED = {400, 413, 422}
DEFAULT_WAIT = timedelta(seconds=1)
LONGEST_WAIT = timedelta(hours=1)


class Realtime:
    """One pooled client. An async context manager; `timeout` is seconds for the whole call."""

    def __init__(self, url: str, key: SecretStr, *, timeout: float) -> None:
        self._url = f"{url}/api/broadcast"
        self._headers = _credentials(key.get_secret_value())
        self._timeout = aiohttp.ClientTimeout(total=timeout, connect=min(timeout, 5))
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            headers=self._headers,
            timeout=self._timeout,
            connector=aiohttp.TCPConnector(limit=32, keepalive_timeout=30),
        )
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        if self._session:
            await self._session.close()

    async def broadcast(self, events: Sequence[dict[str, Any]], *, request_id: str) -> Outcome:
        """Send events {topic, event, payload} as one request; the outcome is that of all."""
        assert self._session, "not open"
        messages = [
            {key: event[key] for key in ("topic", "event", "payload")} | {"private": True}
            for event in events
        ]
        try:
            async with self._session.post(
                self._url,
                json={"messages": messages},
                headers={"x-request-id": request_id},
                allow_redirects=False,  # elsewhere is not Realtime, and must not see the key
            ) as answer:
                return _translate(answer.status, answer.headers.get("Retry-After"))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return Outcome(Result.RETRY, failure=describe(error))
        except (aiohttp.ClientError, TimeoutError) as error:
            return Outcome(Result.UNKNOWN, failure=describe(error))


def _credentials(key: str) -> dict[str, str]:
    is_jwt = key.count(".") == 2
    return {"apikey": key} | ({"Authorization": f"Bearer {key}"} if is_jwt else {})


def _translate(status: int, retry_after: str | None) -> Outcome:
    """Only 202 is Realtime's yes. Redirects, 401, 403 and 404 are our settings' fault: the events
    wait until those are mended."""
    if status == 202:
        return Outcome(Result.DELIVERED)
    failure = Failure(f"HTTP {status}", "Realtime did not take the batch")
    if status in REJECTED:
        return Outcome(Result.REJECTED, failure=failure)
    retry_at = None
    if status == 429 or retry_after:
        retry_at = datetime.now(UTC) + _wait(retry_after)
    return Outcome(Result.RETRY, retry_at=retry_at, failure=failure)


def _wait(retry_after: str | None) -> timedelta:
    """Retry-After as a wait: seconds or a date, a second when absent or unreadable."""
    wait = DEFAULT_WAIT
    if retry_after and retry_after.isdecimal():
        wait = timedelta(seconds=int(retry_after[:9]))
    elif retry_after:
        try:
            wait = parsedate_to_datetime(retry_after) - datetime.now(UTC)
        except (TypeError, ValueError):
            wait = DEFAULT_WAIT
    return min(max(wait, timedelta()), LONGEST_WAIT)
