"""Supabase Auth's admin API: DELETE {auth_url}/admin/users/<id>, answered 200 with an object.

404 with the error code user_not_found says that the user is gone already; any other 404 is no
answer of Supabase Auth. 401 and 403 are our settings' fault: nothing is given up until those are
mended. Deleting twice does no harm. Keys go as in Realtime's adapter.
Source: supabase/auth, internal/api/admin.go and errors.go.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import TracebackType
from typing import Self
from uuid import UUID

import aiohttp

from procrastinate_app.logging import Failure, describe
from procrastinate_app.outcome import Outcome, Result
from procrastinate_app.providers.realtime import KEY_REFUSED, credentials, wait_asked_for
from procrastinate_app.secrets import Keys

SETTINGS_WAIT = timedelta(minutes=1)
GONE = "user_not_found"


class SupabaseAuth:
    """One pooled client. An async context manager; `timeout` is seconds for the whole call."""

    def __init__(
        self,
        url: str,
        keys: Keys,
        *,
        timeout: float,
        trace_configs: Sequence[aiohttp.TraceConfig] = (),
    ) -> None:
        self._url = f"{url}/admin/users"
        self._keys = keys
        self._timeout = aiohttp.ClientTimeout(total=timeout, connect=min(timeout, 5))
        self._trace_configs = list(trace_configs)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            timeout=self._timeout, trace_configs=self._trace_configs
        )
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        if self._session:
            await self._session.close()

    async def delete_user(self, user_id: UUID, *, request_id: str) -> Outcome:
        """Delete a user; delivered, too, when there is none of this id."""
        try:
            async with asyncio.timeout(self._timeout.total):
                return await self._with_some_key(user_id, request_id)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return Outcome(Result.RETRY, failure=describe(error))
        except (aiohttp.ClientError, TimeoutError) as error:
            return Outcome(Result.UNKNOWN, failure=describe(error))

    async def _with_some_key(self, user_id: UUID, request_id: str) -> Outcome:
        assert self._session, "not open"
        outcome = Outcome(Result.RETRY, failure=Failure("NoKey", "there is no key to call with"))
        for key in self._keys.to_try():
            async with self._session.delete(
                f"{self._url}/{user_id}",
                json={"should_soft_delete": False},
                headers={"x-request-id": request_id} | credentials(key),
                allow_redirects=False,  # elsewhere is not Supabase Auth, and must not see the key
            ) as answer:
                body = await answer.content.read(4096)
                outcome = _translate(answer.status, body, answer.headers)
                if answer.status not in KEY_REFUSED:
                    self._keys.accepted(key)
                    return outcome
                self._keys.refused(key)
        return outcome


def _translate(status: int, body: bytes, headers: Mapping[str, str]) -> Outcome:
    if status == 200 or (status == 404 and _error_code(body) == GONE):
        return Outcome(Result.DELIVERED)
    failure = Failure(f"HTTP {status}", "Supabase Auth did not delete the user")
    if status in (400, 422):
        return Outcome(Result.REJECTED, failure=failure)
    retry_after = None
    if status == 429 or "Retry-After" in headers:
        retry_after = wait_asked_for(headers)
    elif status < 500:
        retry_after = SETTINGS_WAIT
    return Outcome(Result.RETRY, retry_after=retry_after, failure=failure)


def _error_code(body: bytes) -> str | None:
    try:
        found = json.loads(body)
    except ValueError:
        return None
    return str(found.get("error_code")) if isinstance(found, dict) else None
