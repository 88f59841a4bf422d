"""Supabase Realtime's broadcast over HTTP: POST {realtime_url}/api/broadcast, answered 202, empty.

Messages are always private: public is the API's default, and a public topic has no policy.
A secret key (sb_secret_…) is not a JWT and goes into `apikey` only; a JWT also goes as Bearer.
429 (the project's messages per second) and 422 (an invalid or too large message) are for the whole
batch: nothing of it was accepted. A repeat is safe, every message carries its event's id.
Source: supabase/realtime, BroadcastController and TenantBroadcast.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self

import aiohttp
from pydantic import SecretStr

from procrastinate_app.logging import Failure, describe
from procrastinate_app.outcome import Outcome, Result
from procrastinate_app.secrets import Keys

REJECTED = {400, 413, 422}
KEY_REFUSED = {401, 403}
DEFAULT_WAIT = timedelta(seconds=1)
LONGEST_WAIT = timedelta(hours=1)


class Realtime:
    """One pooled client. An async context manager; `timeout` is seconds for the whole call."""

    def __init__(
        self,
        url: str,
        keys: Keys | SecretStr,
        *,
        timeout: float,
        trace_configs: Sequence[aiohttp.TraceConfig] = (),
    ) -> None:
        self._url = f"{url}/api/broadcast"
        self._keys = keys if isinstance(keys, Keys) else Keys.fixed(keys)
        self._trace_configs = list(trace_configs)
        self._timeout = aiohttp.ClientTimeout(total=timeout, connect=min(timeout, 5))
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            timeout=self._timeout,
            connector=aiohttp.TCPConnector(limit=32, keepalive_timeout=30),
            trace_configs=self._trace_configs,
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
            async with asyncio.timeout(self._timeout.total):
                return await self._with_some_key(messages, request_id)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return Outcome(Result.RETRY, failure=describe(error))
        except (aiohttp.ClientError, TimeoutError) as error:
            return Outcome(Result.UNKNOWN, failure=describe(error))

    async def _with_some_key(self, messages: list[dict[str, Any]], request_id: str) -> Outcome:
        """The answer to the first key that is not refused; a refused call had no effect."""
        assert self._session, "not open"
        outcome = Outcome(Result.RETRY, failure=Failure("NoKey", "there is no key to call with"))
        for key in self._keys.to_try():
            async with self._session.post(
                self._url,
                json={"messages": messages},
                headers={"x-request-id": request_id} | credentials(key),
                allow_redirects=False,  # elsewhere is not Realtime, and must not see the key
            ) as answer:
                outcome = _translate(answer.status, answer.headers)
                if answer.status not in KEY_REFUSED:
                    self._keys.accepted(key)
                    return outcome
                self._keys.refused(key)
        return outcome


def credentials(key: SecretStr) -> dict[str, str]:
    """The headers that carry a Supabase key."""
    text = key.get_secret_value()
    is_jwt = text.count(".") == 2
    return {"apikey": text} | ({"Authorization": f"Bearer {text}"} if is_jwt else {})


def _translate(status: int, headers: Mapping[str, str]) -> Outcome:
    """Only 202 is Realtime's yes. Redirects, 401, 403 and 404 are our settings' fault: the events
    wait until those are mended."""
    if status == 202:
        return Outcome(Result.DELIVERED)
    failure = Failure(f"HTTP {status}", "Realtime did not take the batch")
    if status in REJECTED:
        return Outcome(Result.REJECTED, failure=failure)
    retry_after = None
    if status == 429 or "Retry-After" in headers:
        retry_after = wait_asked_for(headers)
    return Outcome(Result.RETRY, retry_after=retry_after, failure=failure)


def wait_asked_for(headers: Mapping[str, str]) -> timedelta:
    """Retry-After as a wait: seconds, or a date by the sender's clock (its own Date); a second
    when absent or unreadable."""
    wait, asked = DEFAULT_WAIT, headers.get("Retry-After", "")
    if asked.isdecimal():
        wait = timedelta(seconds=int(asked[:9]))
    elif asked:
        try:
            wait = parsedate_to_datetime(asked) - parsedate_to_datetime(headers["Date"])
        except (KeyError, TypeError, ValueError):
            wait = DEFAULT_WAIT
    return min(max(wait, timedelta()), LONGEST_WAIT)
