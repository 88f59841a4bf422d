"""People at the API: sign-up, doors and tables over HTTP, each call with the member's own token."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from procrastinate_app.local.errors import LocalError

PAGE_ROWS = 1000
TIMEOUT_SECONDS = 60
# Shorter than any server keeps an idle connection, so that none is used that is being closed.
IDLE_SECONDS = 2


class Refused(LocalError):
    """The API said no: HTTP status and the error's code, message, details and hint."""

    def __init__(self, asked: str, status: int, body: Any) -> None:
        said = body if isinstance(body, dict) else {}
        self.status = status
        self.code = str(said.get("code") or said.get("error_code") or status)
        self.message = str(said.get("message") or said.get("msg") or body)
        self.details = said.get("details")
        self.hint = said.get("hint")
        super().__init__(f"{asked} was refused: {status} {self.code}: {self.message}")


@dataclass(frozen=True)
class Member:
    """A signed-in person."""

    name: str
    id: str
    token: str


class Api:
    """The Supabase API at one address."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def sign_up(self, name: str, email: str) -> Member:
        """Make an account. Fails where an e-mail must be confirmed first."""
        answer = await self._ask(
            "POST",
            "/auth/v1/signup",
            json={"email": email, "password": secrets.token_urlsafe(12)},
        )
        if not answer.get("access_token"):
            raise LocalError(
                "This project asks new users to confirm their e-mail; the demo's people cannot. "
                "Switch confirmation off for the demo (Authentication, Sign in / Providers)."
            )
        return Member(name, answer["user"]["id"], answer["access_token"])

    async def call(self, member: Member | None, door: str, **arguments: Any) -> Any:
        """Call a door as a member, or as nobody. Raises Refused."""
        return await self._ask("POST", f"/rest/v1/rpc/{door}", member, json=arguments)

    async def read(self, member: Member, table: str, **query: str) -> list[dict[str, Any]]:
        """All rows a member may see, page by page in the order of `id` where there are many."""
        rows: list[dict[str, Any]] = []
        page = {"limit": str(PAGE_ROWS), **query}
        while True:
            found = await self._ask("GET", f"/rest/v1/{table}", member, params=page)
            rows += found
            if len(found) < PAGE_ROWS:
                return rows
            page |= {"order": "id", "id": f"gt.{found[-1]['id']}"}

    async def _ask(
        self, method: str, path: str, member: Member | None = None, **request: Any
    ) -> Any:
        headers = {"Authorization": f"Bearer {member.token}"} if member else {}
        try:
            async with self._session.request(method, path, headers=headers, **request) as response:
                text = await response.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise LocalError(f"{path} did not answer: {error!r}") from error
        try:
            body = json.loads(text) if text else None
        except ValueError:
            body = text[:500]
        if response.status >= 400:
            raise Refused(path, response.status, body)
        return body


@asynccontextmanager
async def open_api(url: str, publishable_key: str, *, connections: int) -> AsyncIterator[Api]:
    """A pool of connections to the API at `url`."""
    async with aiohttp.ClientSession(
        url,
        headers={"apikey": publishable_key},
        connector=aiohttp.TCPConnector(limit=connections, keepalive_timeout=IDLE_SECONDS),
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS),
    ) as session:
        yield Api(session)
