"""One whole local stack for these tests, and people who reach it through the SDKs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from supabase import Client, create_client
from supabase.lib.client_options import SyncClientOptions

from procrastinate_app.local.node import find_node
from procrastinate_app.local.stack import Stack, running_stack
from tests.support.databases import Connection
from tests.support.money import fund
from tests.support.running import Sandbox, http, until

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
DAYS_WAITING = 7


@dataclass(frozen=True)
class Person:
    """Somebody with a client that carries their token."""

    id: str
    email: str
    password: str
    token: str
    supabase: Client

    def call(self, door: str, **arguments: Any) -> Any:
        return self.supabase.rpc(door, arguments).execute().data


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Postgres, schema, API, sandbox and worker, as `make up` runs them, never a real project."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("HUB_")]:
            if name not in ("HUB_RUNTIME_DIR", "HUB_POSTGRES_ACCOUNT"):
                patch.delenv(name)
        with running_stack() as running:
            yield running


@pytest.fixture(scope="session")
def owner(stack: Stack) -> Iterator[Connection]:
    """The database's owner. The reward pool has money."""
    with psycopg.connect(stack.database_url, autocommit=True) as conn:
        fund(conn, 1_000_000)
        yield conn


@pytest.fixture(scope="session")
def sandbox(stack: Stack) -> Sandbox:
    assert stack.sandbox_url is not None
    return Sandbox(stack.sandbox_url)


@pytest.fixture(scope="session")
def connect(stack: Stack) -> Iterator[Callable[[str], Client]]:
    """Makes supabase-py clients for a key. They share connections, which end with the session."""
    with httpx.Client() as connections:

        def make(key: str) -> Client:
            options = SyncClientOptions(auto_refresh_token=False, httpx_client=connections)
            return create_client(str(stack.api_url), key, options)

        yield make


@pytest.fixture
def nobody(stack: Stack, connect: Callable[[str], Client]) -> Client:
    """A client that has not signed in."""
    return connect(str(stack.publishable_key))


@pytest.fixture
def holder_of_secret(stack: Stack, connect: Callable[[str], Client]) -> Client:
    """A client with the project's secret key, as an admin tool has it."""
    return connect(str(stack.secret_key))


@pytest.fixture
def join(stack: Stack, connect: Callable[[str], Client]) -> Callable[[], Person]:
    """Signs somebody up through the SDK."""

    def sign_up() -> Person:
        supabase = connect(str(stack.publishable_key))
        email, password = f"{uuid4()}@example.com", str(uuid4())
        answer = supabase.auth.sign_up({"email": email, "password": password})
        assert answer.user is not None
        assert answer.session is not None
        return Person(answer.user.id, email, password, answer.session.access_token, supabase)

    return sign_up


@pytest.fixture
def submit() -> Callable[..., dict[str, Any]]:
    """Submits a clip as an author."""

    def submit(author: Person, **changed: Any) -> dict[str, Any]:
        arguments = {
            "kind": "voice",
            "language": "ha",
            "media_path": f"{author.id}/{uuid4()}.ogg",
            "duration_ms": 1500,
            "prompt": "Ina kwana",
        }
        clip: dict[str, Any] = author.call("submit_clip", **{**arguments, **changed})
        return clip

    return submit


@pytest.fixture(scope="session")
def run_program(stack: Stack) -> Callable[..., list[str]]:
    """Runs a program of examples/, or JavaScript text, as a client developer would."""

    def run(program: str, **env: str) -> list[str]:
        path = EXAMPLES / program
        if path.suffix == ".py":
            command = [sys.executable, str(path)]
        elif path.suffix == ".mjs":
            command = [*_node(), str(path)]
        else:
            command = [*_node(), "--input-type=module", "--eval", program]
        known = {"SUPABASE_URL": stack.api_url, "SUPABASE_KEY": stack.publishable_key}
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **known, **env},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run


@pytest.fixture(scope="session")
def ask_js(run_program: Callable[..., list[str]]) -> Callable[..., Any]:
    """Evaluates an expression in which `supabase` is a supabase-js client, and `given` is given."""
    script = """
    import {{ createClient }} from "@supabase/supabase-js";
    const {{ SUPABASE_URL, SUPABASE_KEY, TOKEN, GIVEN }} = process.env;
    const headers = TOKEN ? {{ Authorization: `Bearer ${{TOKEN}}` }} : {{}};
    const supabase = createClient(SUPABASE_URL, SUPABASE_KEY, {{ global: {{ headers }} }});
    const given = JSON.parse(GIVEN);
    console.log(JSON.stringify(await ({expression})));
    process.exit(0);
    """

    def ask(expression: str, *, person: Person | None = None, given: object = None) -> Any:
        token = person.token if person else ""
        source = script.format(expression=expression)
        [line] = run_program(source, TOKEN=token, GIVEN=json.dumps(given))
        return json.loads(line)

    return ask


@pytest.fixture
def let_days_pass(owner: Connection) -> Callable[[], None]:
    """Puts the rules' clock forward until the worker has settled what is due, then back."""

    def due() -> bool:
        query = "select from consensus.items where state = 'decided' and settle_at <= app.now()"
        return owner.execute(query).rowcount > 0

    def pass_days() -> None:
        owner.execute("select app.freeze_clock(now() + %s * interval '1 day')", [DAYS_WAITING])
        try:
            owner.execute("select jobs.defer('consensus:settle_due_clips', '{\"timestamp\": 0}')")
            until(lambda: not due())
        finally:
            owner.execute("select app.freeze_clock(null)")

    return pass_days


def dropped(sandbox: Sandbox) -> list[Any]:
    """Messages that Realtime would have taken and shown to nobody, such as public ones."""
    found: list[Any] = http("GET", f"{sandbox.url}/_sandbox/messages")["dropped"]
    return found


def _node() -> list[str]:
    """Node with a WebSocket, which it has by itself from 22 on."""
    node = str(find_node())
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    old = int(said[1:].split(".")[0]) < 22
    return [node, "--experimental-websocket"] if old else [node]
