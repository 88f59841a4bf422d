"""A stand-in for what the worker calls at Supabase: its contract, and failures on demand.

    POST   /realtime/v1/api/broadcast   as documented, see broadcast()
    DELETE /auth/v1/admin/users/<id>    as documented, see delete_user()
    GET    /_sandbox/health
    GET    /_sandbox/messages           what was accepted and what was silently dropped, in order
    GET    /_sandbox/requests           every call, with its answer (null while it is held open)
    POST   /_sandbox/faults             {"kind", "times", "seconds", "topic"}: the next calls fail
    POST   /_sandbox/keys               {"keys": […]}: the API keys it knows from now on
    POST   /_sandbox/release            let go of what is held, and forget the faults
    DELETE /_sandbox                    forget everything

Faults: 429 (with Retry-After when seconds are given), 500, timeout (held open for so many seconds,
then cut, nothing accepted), drop_after_accept (accepted, then cut without an answer), hold (held
open until released, then answered), hold_after_accept (accepted first, then the same). With a topic
only calls that carry it fail; a negative `times` is for ever.

Run by itself it prints one JSON line, {"url": …}, and serves until told to stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import deque
from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Any, Literal
from uuid import UUID

import typer
from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

TIMEOUT_SECONDS = 60.0
CHANNEL_PREFIX = "realtime:"

Kind = Literal["429", "500", "timeout", "drop_after_accept", "hold", "hold_after_accept"]


@dataclass(frozen=True)
class Config:
    """keys: the API keys it knows, none for any. rate: the project's messages per second."""

    keys: frozenset[str] = frozenset()
    rate: int = 2500
    max_payload: int = 256 * 1024


class Message(BaseModel):
    """One message of a broadcast, as Realtime's own changeset has it."""

    model_config = ConfigDict(strict=True)

    topic: str
    event: str
    payload: dict[str, Any]
    private: bool = False


class Batch(BaseModel):
    messages: list[Message]


class Fault(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: Kind
    times: int = 1
    seconds: float | None = None
    topic: str | None = None


@dataclass
class Request:
    """One call: its answer, 0 when it was cut, None while it is open."""

    number: int
    at: float
    request_id: str | None
    traceparent: str | None
    topics: list[str]
    status: int | None = None


@dataclass
class Received:
    """One message, in the order of arrival. dropped says why nobody will ever see it."""

    number: int
    at: float
    request: int
    topic: str
    event: str
    payload: dict[str, Any]
    dropped: str | None = None


@dataclass
class State:
    config: Config
    messages: list[Received] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    recent: deque[float] = field(default_factory=deque)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    deleted_users: set[str] = field(default_factory=set)

    def next_fault(self, topics: set[str]) -> Fault | None:
        for fault in self.faults:
            if fault.topic is None or fault.topic in topics:
                fault.times -= 1
                if fault.times == 0:
                    self.faults.remove(fault)
                return fault
        return None

    def over_rate(self, coming: int) -> bool:
        """Whether this many messages more within the last second are too many."""
        now = time.monotonic()
        while self.recent and self.recent[0] <= now - 1:
            self.recent.popleft()
        return len(self.recent) + coming > self.config.rate

    def accept(self, request: Request, messages: list[Message]) -> None:
        now = time.monotonic()
        for message in messages:
            self.recent.append(now)
            self.messages.append(
                Received(
                    number=len(self.messages) + 1,
                    at=time.time(),
                    request=request.number,
                    topic=message.topic,
                    event=message.event,
                    payload=message.payload,
                    dropped=_dropped(message),
                )
            )


STATE = web.AppKey("state", State)


def create_app(config: Config | None = None) -> web.Application:
    """The sandbox as an aiohttp application, all state in memory."""
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app[STATE] = State(config or Config())
    app.router.add_post("/realtime/v1/api/broadcast", broadcast)
    app.router.add_delete("/auth/v1/admin/users/{user_id}", delete_user)
    app.router.add_get("/_sandbox/health", _health)
    app.router.add_get("/_sandbox/messages", _messages)
    app.router.add_get("/_sandbox/requests", _requests)
    app.router.add_post("/_sandbox/faults", _add_fault)
    app.router.add_post("/_sandbox/keys", _change_keys)
    app.router.add_post("/_sandbox/release", _release)
    app.router.add_delete("/_sandbox", _forget)
    return app


async def broadcast(request: web.Request) -> web.StreamResponse:
    """202 and empty when taken. 401 for a missing or unknown key, and for a Bearer that is no JWT;
    415 and 422 for a body that is not a batch of messages, or a payload over the limit; 429 when
    the batch and the last second exceed the rate. Refused batches are refused whole. A message that
    is not private, or whose topic carries the channel prefix, is dropped without a word."""
    state = request.app[STATE]
    call = Request(
        number=len(state.requests) + 1,
        at=time.time(),
        request_id=request.headers.get("x-request-id"),
        traceparent=request.headers.get("traceparent"),
        topics=[],
    )
    state.requests.append(call)
    response = await _answer(request, state, call)
    call.status = response.status if response else 0
    if response is None:
        if request.transport:
            request.transport.abort()
        return web.Response(status=500)
    return response


async def delete_user(request: web.Request) -> web.StreamResponse:
    """Supabase Auth's admin API: 200 and an object, 404 user_not_found for one it deleted before.
    404 validation_failed for what is no id, 401 for a missing or unknown key. A fault's topic is
    the user's id."""
    state = request.app[STATE]
    user_id = request.match_info["user_id"]
    call = Request(
        number=len(state.requests) + 1,
        at=time.time(),
        request_id=request.headers.get("x-request-id"),
        traceparent=request.headers.get("traceparent"),
        topics=[user_id],
    )
    state.requests.append(call)
    response = await _answer_deletion(request, state, user_id)
    call.status = response.status if response else 0
    if response is None:
        if request.transport:
            request.transport.abort()
        return web.Response(status=500)
    return response


async def _answer_deletion(request: web.Request, state: State, user_id: str) -> web.Response | None:
    """The answer, or None to cut the line."""
    if _refuse_credentials(request, state.config):
        return _auth_error(401, "no_authorization", "This endpoint requires a valid Bearer token")
    fault = state.next_fault({user_id})
    kind = fault and fault.kind
    if kind == "429":
        answer = _auth_error(429, "over_request_rate_limit", "Request rate limit reached")
        if fault and fault.seconds is not None:
            answer.headers["Retry-After"] = f"{fault.seconds:.0f}"
        return answer
    if kind == "500":
        return _auth_error(500, "unexpected_failure", "Database error deleting user")
    if fault and kind == "timeout":
        await asyncio.sleep(TIMEOUT_SECONDS if fault.seconds is None else fault.seconds)
        return None
    if kind == "hold":
        await state.released.wait()
    try:
        UUID(user_id)
    except ValueError:
        return _auth_error(404, "validation_failed", "user_id must be an UUID")
    if user_id in state.deleted_users:
        return _auth_error(404, "user_not_found", "User not found")
    state.deleted_users.add(user_id)
    if kind == "drop_after_accept":
        return None
    if kind == "hold_after_accept":
        await state.released.wait()
    return web.json_response({})


def _auth_error(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"code": status, "error_code": code, "msg": message}, status=status)


async def _answer(request: web.Request, state: State, call: Request) -> web.Response | None:
    """The answer, or None to cut the line."""
    if refused := _refuse_credentials(request, state.config):
        return refused
    if request.content_type != "application/json":
        return _error(415, "expected application/json")
    try:
        messages = Batch.model_validate_json(await request.read()).messages
    except ValidationError as error:
        return _error(422, error.errors(include_input=False, include_url=False)[0]["msg"])
    call.topics = sorted({message.topic for message in messages})
    fault = state.next_fault(set(call.topics))
    kind = fault and fault.kind
    if fault and kind in ("429", "500"):
        return _failure(fault)
    if fault and kind == "timeout":
        await asyncio.sleep(TIMEOUT_SECONDS if fault.seconds is None else fault.seconds)
        return None
    if kind == "hold":
        await state.released.wait()
    if any(_size(message) > state.config.max_payload for message in messages):
        return _error(422, "Payload size exceeds the limit")
    if state.over_rate(len(messages)):
        return _error(429, "You have exceeded your rate limit")
    state.accept(call, messages)
    if kind == "drop_after_accept":
        return None
    if kind == "hold_after_accept":
        await state.released.wait()
    return web.Response(status=202)


def _failure(fault: Fault) -> web.Response:
    if fault.kind == "500":
        return _error(500, "Internal Server Error")
    answer = _error(429, "You have exceeded your rate limit")
    if fault.seconds is not None:
        answer.headers["Retry-After"] = f"{fault.seconds:.0f}"
    return answer


def _refuse_credentials(request: web.Request, config: Config) -> web.Response | None:
    key = request.headers.get("apikey")
    if not key or (config.keys and key not in config.keys):
        return _error(401, "Unauthorized")
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme and (scheme.lower() != "bearer" or token.count(".") != 2):
        return _error(401, "Unauthorized")
    return None


def _dropped(message: Message) -> str | None:
    if not message.private:
        return "not_private"
    if message.topic.startswith(CHANNEL_PREFIX):
        return "channel_prefix"
    return None


def _size(message: Message) -> int:
    return len(json.dumps(message.payload, separators=(",", ":"), ensure_ascii=False).encode())


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"message": message}, status=status)


async def _health(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def _messages(request: web.Request) -> web.Response:
    found = request.app[STATE].messages
    return web.json_response(
        {
            "accepted": [asdict(message) for message in found if not message.dropped],
            "dropped": [asdict(message) for message in found if message.dropped],
        }
    )


async def _requests(request: web.Request) -> web.Response:
    return web.json_response([asdict(call) for call in request.app[STATE].requests])


async def _add_fault(request: web.Request) -> web.Response:
    try:
        fault = Fault.model_validate_json(await request.read())
    except ValidationError as error:
        return _error(422, str(error))
    request.app[STATE].faults.append(fault)
    return web.Response(status=204)


async def _change_keys(request: web.Request) -> web.Response:
    state = request.app[STATE]
    state.config = replace(state.config, keys=frozenset((await request.json())["keys"]))
    return web.Response(status=204)


async def _release(request: web.Request) -> web.Response:
    state = request.app[STATE]
    state.faults.clear()
    state.released.set()
    state.released = asyncio.Event()
    return web.Response(status=204)


async def _forget(request: web.Request) -> web.Response:
    state = request.app[STATE]
    state.messages.clear()
    state.requests.clear()
    state.recent.clear()
    state.deleted_users.clear()
    return await _release(request)


async def serve(config: Config, host: str, port: int) -> tuple[web.AppRunner, str]:
    """Start serving; the runner to clean up, and the address."""
    runner = web.AppRunner(
        create_app(config), access_log=None, handler_cancellation=True, shutdown_timeout=1
    )
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner, f"http://{host}:{runner.addresses[0][1]}"


def _main(
    host: str = "127.0.0.1",
    port: int = 0,
    rate: int = Config.rate,
    key: Annotated[
        list[str] | None,
        typer.Option(envvar="HUB_SANDBOX_KEY", help="An API key it knows; none for any."),
    ] = None,
) -> None:
    """Serve the sandbox until told to stop."""

    async def run() -> None:
        config = Config(keys=frozenset(key or ()), rate=rate)
        runner, url = await serve(config, host, port)
        print(json.dumps({"url": url}), flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run())


if __name__ == "__main__":
    typer.run(_main)
