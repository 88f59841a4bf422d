"""The sandbox keeps Realtime's documented contract, and our adapter meets it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
from functools import partial
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from procrastinate_app.local import sandbox as sandbox_module
from procrastinate_app.local.tether import end_with_parent
from procrastinate_app.outcome import Result
from procrastinate_app.providers.realtime import Realtime, wait_asked_for
from tests.support.running import KEY, Sandbox, http

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.abc"
GOOD = {"topic": "user:1", "event": "e", "payload": {"id": "1"}, "private": True}
HEADERS = {"apikey": KEY, "Content-Type": "application/json"}


def post(sandbox: Sandbox, body: Any, headers: dict[str, str] | None = None) -> int:
    url = f"{sandbox.url}/realtime/v1/api/broadcast"
    try:
        assert http("POST", url, body, HEADERS if headers is None else headers) == ""
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    return 202


def test_good_batch_is_taken(sandbox: Sandbox) -> None:
    assert post(sandbox, {"messages": [GOOD, GOOD]}) == 202
    assert [message["number"] for message in sandbox.accepted()] == [1, 2]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Content-Type": "application/json"}, 401),
        ({**HEADERS, "apikey": "sb_secret_other"}, 401),
        ({**HEADERS, "Authorization": f"Bearer {KEY}"}, 401),
        ({**HEADERS, "Authorization": f"Basic {JWT}"}, 401),
        ({**HEADERS, "Authorization": f"Bearer {JWT}"}, 202),
        ({"apikey": KEY, "Content-Type": "text/plain"}, 415),
    ],
)
def test_credentials_and_content_type(
    sandbox: Sandbox, headers: dict[str, str], status: int
) -> None:
    assert post(sandbox, {"messages": [GOOD]}, headers) == status


def test_the_key_comes_from_the_environment() -> None:
    """As the local stack gives it, whose arguments everybody can read."""
    command = [sys.executable, "-m", "procrastinate_app.local.sandbox"]
    with subprocess.Popen(
        command,
        env={**os.environ, "HUB_SANDBOX_KEY": KEY},
        stdout=subprocess.PIPE,
        preexec_fn=partial(end_with_parent, os.getpid()),
    ) as process:
        assert process.stdout is not None
        try:
            own = Sandbox(json.loads(process.stdout.readline())["url"])
            assert post(own, {"messages": [GOOD]}, {**HEADERS, "apikey": f"{KEY}x"}) == 401
            assert post(own, {"messages": [GOOD]}) == 202
        finally:
            process.kill()


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"messages": {}},
        {"messages": [GOOD, {"topic": "t", "event": "e"}]},
        {"messages": [{**GOOD, "topic": 1}]},
        {"messages": [{**GOOD, "payload": "text"}]},
        {"messages": [GOOD, {**GOOD, "payload": {"text": "x" * 262_144}}]},
    ],
)
def test_bad_batches_are_refused_whole(sandbox: Sandbox, body: Any) -> None:
    assert post(sandbox, body) == 422
    assert sandbox.accepted() == []


def test_more_than_the_rate_is_refused_whole(sandbox: Sandbox) -> None:
    assert post(sandbox, {"messages": [GOOD] * 2501}) == 429
    assert sandbox.accepted() == []
    assert post(sandbox, {"messages": [GOOD] * 2500}) == 202


@pytest.mark.parametrize(
    ("change", "why"),
    [({"private": False}, "not_private"), ({"topic": "realtime:user:1"}, "channel_prefix")],
)
def test_what_nobody_would_see_is_dropped_without_a_word(
    sandbox: Sandbox, change: dict[str, Any], why: str
) -> None:
    assert post(sandbox, {"messages": [{**GOOD, **change}]}) == 202
    found = http("GET", f"{sandbox.url}/_sandbox/messages")
    assert found["accepted"] == []
    assert [message["dropped"] for message in found["dropped"]] == [why]


def test_public_is_the_default(sandbox: Sandbox) -> None:
    message = {name: part for name, part in GOOD.items() if name != "private"}
    assert post(sandbox, {"messages": [message]}) == 202
    assert sandbox.accepted() == []


EVENT = {"topic": "user:1", "event": "e", "payload": {"id": "1"}}


async def send(sandbox: Sandbox, key: str = KEY, **options: Any) -> Any:
    url = options.get("url", f"{sandbox.url}/realtime/v1")
    async with Realtime(url, SecretStr(key), timeout=0.5) as realtime:
        return await realtime.broadcast([EVENT], request_id="req")


@pytest.mark.parametrize(
    ("fault", "result", "snoozed"),
    [
        (None, Result.DELIVERED, False),
        ({"kind": "429"}, Result.RETRY, True),
        ({"kind": "429", "seconds": 5}, Result.RETRY, True),
        ({"kind": "500"}, Result.RETRY, False),
        ({"kind": "timeout"}, Result.UNKNOWN, False),
        ({"kind": "timeout", "seconds": 0}, Result.UNKNOWN, False),
        ({"kind": "drop_after_accept"}, Result.UNKNOWN, False),
    ],
)
async def test_adapter_translates_answers(
    sandbox: Sandbox, fault: dict[str, Any] | None, result: Result, snoozed: bool
) -> None:
    """JOB-4"""
    if fault:
        sandbox.fail(**fault)
    outcome = await send(sandbox)
    assert outcome.result is result
    assert (outcome.retry_after is not None) is snoozed
    assert (outcome.failure is None) is (result is Result.DELIVERED)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 1),
        ({"Retry-After": "30"}, 30),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "soon"}, 1),
        ({"Retry-After": "-5"}, 1),
        ({"Retry-After": "Fri, 20 Nov 2026 10:00:30 GMT"}, 1),
        (
            {
                "Date": "Fri, 20 Nov 2026 10:00:00 GMT",
                "Retry-After": "Fri, 20 Nov 2026 10:00:30 GMT",
            },
            30,
        ),
        (
            {
                "Date": "Fri, 20 Nov 2026 10:00:00 GMT",
                "Retry-After": "Fri, 20 Nov 2026 09:00:00 GMT",
            },
            0,
        ),
    ],
)
def test_retry_after_is_read_by_the_senders_clock(headers: dict[str, str], seconds: int) -> None:
    """JOB-5"""
    assert wait_asked_for(headers).total_seconds() == seconds


async def test_adapter_knows_what_was_never_sent(sandbox: Sandbox) -> None:
    """JOB-4"""
    assert (await send(sandbox, url="http://127.0.0.1:9/realtime/v1")).result is Result.RETRY


async def test_jwt_key_goes_as_bearer_too() -> None:
    """A secret key must not: it is no JWT."""
    runner, url = await sandbox_module.serve(
        sandbox_module.Config(keys=frozenset({JWT})), "127.0.0.1", 0
    )
    try:
        assert (await send(Sandbox(url), key=JWT)).result is Result.DELIVERED
        assert (await send(Sandbox(url))).failure.error_class == "HTTP 401"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("status", [200, 204, 302, 307])
async def test_only_202_is_delivered_and_no_redirect_is_followed(status: int) -> None:
    """JOB-4: a page that merely answers took nothing, and the key stays with Realtime."""
    elsewhere: list[web.Request] = []

    async def broadcast(_: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    async def page(request: web.Request) -> web.Response:
        elsewhere.append(request)
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post("/api/broadcast", broadcast)
    app.router.add_route("*", "/elsewhere", page)
    async with (
        TestServer(app) as server,
        Realtime(str(server.make_url("")).rstrip("/"), SecretStr(KEY), timeout=5) as realtime,
    ):
        outcome = await realtime.broadcast([GOOD], request_id="r")
    assert outcome.result is Result.RETRY
    assert elsewhere == []
