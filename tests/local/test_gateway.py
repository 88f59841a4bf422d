"""The gateway answers as PostgREST and Supabase Auth do, and grants nothing by itself."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import jwt
import psycopg
import pytest
from supabase import (
    AsyncClientOptions,
    AuthApiError,
    Client,
    PostgrestAPIError,
    acreate_client,
    create_client,
)
from supabase.lib.client_options import SyncClientOptions

from procrastinate_app.local import postgres, shim
from procrastinate_app.local.gateway_process import Gateway
from procrastinate_app.local.node import find_node
from procrastinate_app.project import PROJECT_ROOT

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

HERE = Path(__file__).parent
GRANTS = """
select 'table', c.oid::regclass::text, c.relacl::text
from pg_class as c
where c.relnamespace::regnamespace::text not in ('pg_catalog', 'information_schema', 'pg_toast')
union all
select 'schema', nspname::text, nspacl::text from pg_namespace
union all
select 'function', p.oid::regprocedure::text, p.proacl::text
from pg_proc as p where p.pronamespace = 'public'::regnamespace
union all
select 'default', d.oid::text, d.defaclacl::text from pg_default_acl as d
union all
select 'role', m.roleid::regrole::text, m.member::regrole::text from pg_auth_members as m
order by 1, 2, 3
"""


@pytest.fixture(scope="module")
def database(server: postgres.Server) -> Iterator[psycopg.Connection[Any]]:
    """A database with the look-alikes and the tests' own schema."""
    name = f"gateway_{uuid4().hex[:8]}"
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute(f"create database {name}")
        with psycopg.connect(server.url(name), autocommit=True) as conn:
            shim.apply(conn)
            conn.execute((HERE / "gateway_schema.sql").read_bytes())
            yield conn
        admin.execute(f"drop database {name} with (force)")


@pytest.fixture(scope="module")
def gateway(
    database: psycopg.Connection[Any],
    server: postgres.Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Gateway]:
    log = tmp_path_factory.mktemp("gateway") / "log"
    with Gateway(server.url(database.info.dbname), log=log) as running:
        yield running


@pytest.fixture(scope="module")
def http(gateway: Gateway) -> Iterator[httpx.Client]:
    """Plain HTTP as anon."""
    headers = {"apikey": gateway.keys.publishable_key}
    with httpx.Client(base_url=gateway.url, headers=headers) as client:
        yield client


@pytest.fixture(scope="module")
def token(http: httpx.Client) -> str:
    """The access token of a signed-up member."""
    answer = http.post(
        "/auth/v1/signup", json={"email": "member@example.com", "password": "secret12"}
    )
    found: str = answer.json()["access_token"]
    return found


@pytest.fixture
def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@contextmanager
def python_client(gateway: Gateway) -> Iterator[Client]:
    """The SDK on a connection pool that is closed: by itself it leaves its own open."""
    with httpx.Client() as pool:
        options = SyncClientOptions(httpx_client=pool, auto_refresh_token=False)
        yield create_client(gateway.url, gateway.keys.publishable_key, options)


@pytest.fixture
def client(gateway: Gateway) -> Iterator[Client]:
    """The SDK, nobody signed in."""
    with python_client(gateway) as made:
        yield made


@pytest.fixture
def supabase(client: Client) -> Client:
    """The SDK with a member signed in."""
    client.auth.sign_up({"email": f"{uuid4()}@example.com", "password": "secret12"})
    return client


def signed(gateway: Gateway, **claims: Any) -> dict[str, str]:
    made = jwt.encode({"exp": time.time() + 60, **claims}, gateway.keys.jwt_secret, "HS256")
    return {"authorization": f"Bearer {made}"}


def call(http: httpx.Client, name: str, **arguments: Any) -> Any:
    answer = http.post(f"/rest/v1/rpc/{name}", json=arguments)
    assert answer.status_code == 200, answer.text
    return answer.json()


# -- what the SDKs do --------------------------------------------------------------------------


def test_python_signs_up_signs_in_and_knows_itself(client: Client) -> None:
    email = f"{uuid4()}@example.com"
    signed_up = client.auth.sign_up(
        {"email": email, "password": "secret12", "options": {"data": {"handle": "ada"}}}
    )
    assert signed_up.session is not None
    client.auth.sign_out()
    signed_in = client.auth.sign_in_with_password({"email": email, "password": "secret12"})
    user = client.auth.get_user()
    assert user is not None
    assert user.user.email == email
    assert user.user.email_confirmed_at is not None
    assert user.user.user_metadata["handle"] == "ada"
    assert signed_in.session is not None
    refreshed = client.auth.refresh_session()
    assert refreshed.session is not None
    claims = client.rpc("caller").execute().data["claims"]
    assert claims["sub"] == user.user.id
    assert claims["is_anonymous"] is False
    assert claims["user_metadata"]["handle"] == "ada"


def test_python_learns_why_a_sign_in_failed(client: Client) -> None:
    with pytest.raises(AuthApiError) as refusal:
        client.auth.sign_in_with_password({"email": "nobody@example.com", "password": "wrong123"})
    assert refusal.value.code == "invalid_credentials"


def test_python_signs_in_anonymously(client: Client) -> None:
    answer = client.auth.sign_in_anonymously()
    assert answer.user is not None
    assert answer.user.is_anonymous
    assert client.rpc("caller").execute().data["claims"]["is_anonymous"] is True
    refreshed = client.auth.refresh_session()
    assert refreshed.session is not None
    assert client.rpc("caller").execute().data["claims"]["is_anonymous"] is True


def test_python_calls_and_reads(supabase: Client) -> None:
    assert supabase.rpc("add", {"a": 1}).execute().data == 11
    rows = (
        supabase.table("songs")
        .select("title, price, made_at, tags, author:authors(name)", count="exact")
        .neq("title", "gamma")
        .order("title", desc=True)
        .range(0, 0)
        .execute()
    )
    assert rows.count == 2
    assert rows.data == [
        {
            "title": "beta",
            "price": 1.5,
            "made_at": "2026-01-02T03:04:05+00:00",
            "tags": {"a": [1, 2]},
            "author": {"name": "Ada"},
        }
    ]
    picked = supabase.rpc("some_songs").select("title").eq("title", "alpha").execute()
    assert picked.data == [{"title": "alpha"}]


def test_python_receives_code_message_details_and_hint(supabase: Client) -> None:
    with pytest.raises(PostgrestAPIError) as refusal:
        supabase.rpc("fail", {"kind": "json"}).execute()
    error = refusal.value
    assert (error.code, error.message, error.details, error.hint) == ("own_clip", "m", "d", "h")


def test_python_may_not_write_directly(supabase: Client) -> None:
    with pytest.raises(PostgrestAPIError) as refusal:
        supabase.table("songs").insert({"title": "mine"}).execute()
    assert refusal.value.code == "42501"


async def test_async_python_does_the_same(gateway: Gateway) -> None:
    async with httpx.AsyncClient() as pool:
        options = AsyncClientOptions(httpx_client=pool, auto_refresh_token=False)
        client = await acreate_client(gateway.url, gateway.keys.publishable_key, options)
        await client.auth.sign_up({"email": f"{uuid4()}@example.com", "password": "secret12"})
        assert (await client.rpc("add", {"a": 1, "b": 1}).execute()).data == 2
        assert len((await client.table("songs").select("*").execute()).data) == 3
        with pytest.raises(PostgrestAPIError) as refusal:
            await client.rpc("fail", {"kind": "plain"}).execute()
        assert refusal.value.code == "P0001"


def test_javascript_does_the_same(gateway: Gateway) -> None:
    done = subprocess.run(
        [find_node(), HERE / "supabase_js.mjs"],
        env={**os.environ, "API_URL": gateway.url, "API_KEY": gateway.keys.publishable_key},
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


# -- calls -------------------------------------------------------------------------------------


def test_arguments_arrive_as_they_were_sent(http: httpx.Client) -> None:
    assert call(
        http,
        "kinds",
        doc={"a": 1},
        plain=[1],
        words=["x", "y,z"],
        mood="sad",
        at="2026-01-02T03:04:05Z",
        amount=1.25,
    ) == {
        "doc": "object",
        "plain": "array",
        "words": 2,
        "mood": "sad",
        "at": "2026-01-02T03:04:05+00:00",
        "amount": 1.25,
    }


def test_answers_have_the_shape_of_the_function(http: httpx.Client) -> None:
    assert call(http, "one_pair") == {"left_side": 1, "right_side": "x"}
    assert call(http, "table_of_one") == [{"pgrst_c": 1}, {"pgrst_c": 2}]
    assert call(http, "numbers") == [1, 2, 3]
    assert http.post("/rest/v1/rpc/huge").text == "9007199254740993"
    nothing = http.post("/rest/v1/rpc/nothing")
    assert (nothing.status_code, nothing.content) == (204, b"")


def test_one_object_is_one_row_or_an_error(http: httpx.Client) -> None:
    one = {"accept": "application/vnd.pgrst.object+json"}
    answer = http.post("/rest/v1/rpc/numbers", headers=one)
    assert answer.status_code == 406
    assert answer.json()["code"] == "PGRST116"
    assert http.post("/rest/v1/rpc/one_pair", headers=one).json()["left_side"] == 1


@pytest.mark.parametrize(
    ("name", "body", "kind", "answer"),
    [
        ("raw_json", b'{ "b" : 1,  "a":2 }', "application/json", '{ "b" : 1,  "a":2 }'),
        ("raw_text", "häß".encode(), "text/plain", 3),
        ("raw_bytes", b"\x00\x01\xff", "application/octet-stream", "0001ff"),
    ],
)
def test_a_single_unnamed_argument_is_the_raw_body(
    http: httpx.Client, name: str, body: bytes, kind: str, answer: Any
) -> None:
    said = http.post(f"/rest/v1/rpc/{name}", content=body, headers={"content-type": kind})
    assert said.json() == answer


def test_get_and_stable_functions_cannot_write(
    http: httpx.Client, database: psycopg.Connection[Any]
) -> None:
    for answer in (
        http.get("/rest/v1/rpc/add_secret", params={"word": "x"}),
        http.post("/rest/v1/rpc/stable_writer"),
    ):
        assert answer.status_code == 405 or answer.json()["code"] == "0A000", answer.text
    assert http.get("/rest/v1/rpc/add", params={"a": 1, "b": 2}).json() == 3
    assert database.execute("select count(*) from secrets where word <> 'plugh'").fetchone() == (0,)


def test_a_function_chooses_status_and_headers(http: httpx.Client) -> None:
    answer = http.post("/rest/v1/rpc/teapot")
    assert answer.status_code == 418
    assert answer.headers["x-kind"] == "teapot"
    assert answer.headers["x-size"] == "small"
    assert answer.json() == "short and stout"


def test_sql_sees_the_request_and_runs_as_the_caller(
    http: httpx.Client, bearer: dict[str, str]
) -> None:
    headers = {**bearer, "x-request-id": "r1", "cookie": "a=1; b=2=3"}
    said = http.post("/rest/v1/rpc/caller", headers=headers).json()
    assert said["role"] == "authenticated"
    assert said["login"] == "authenticator"
    assert said["uid"] == said["claims"]["sub"]
    assert (said["method"], said["path"]) == ("POST", "/rpc/caller")
    assert said["headers"]["x-request-id"] == "r1"
    assert said["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert "cookie" not in said["headers"]
    assert said["cookies"] == {"a": "1", "b": "2=3"}
    assert said["search_path"] == '"public", "public", "extensions"'
    assert said["statement_timeout"] == "8s"
    assert call(http, "caller")["statement_timeout"] == "3s"


def test_table_requests_carry_the_same_context(http: httpx.Client, bearer: dict[str, str]) -> None:
    rows = http.get("/rest/v1/caller_view", headers={**bearer, "x-request-id": "r2"}).json()
    said = rows[0]["said"]
    assert said["role"] == "authenticated"
    assert said["uid"] == said["claims"]["sub"]
    assert (said["method"], said["path"]) == ("GET", "/caller_view")
    assert said["headers"]["x-request-id"] == "r2"


def test_unknown_functions_and_arguments_are_explained(http: httpx.Client) -> None:
    unknown = http.post("/rest/v1/rpc/nope", json={"a": 1})
    assert unknown.status_code == 404
    assert unknown.json()["code"] == "PGRST202"
    assert "public.nope(a)" in unknown.json()["message"]
    wrong = http.post("/rest/v1/rpc/add", json={"c": 1})
    assert wrong.json()["hint"] == "Perhaps you meant to call the function public.add(a, b)"


@pytest.mark.parametrize("body", [b"{", b"", b"[1]", b'"x"', b"null"])
def test_odd_bodies_are_refused_or_empty(http: httpx.Client, body: bytes) -> None:
    answer = http.post(
        "/rest/v1/rpc/add", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code in (400, 404), answer.text
    assert answer.json()["code"] in ("PGRST102", "PGRST202")


def test_a_huge_body_is_refused_and_the_gateway_lives(http: httpx.Client) -> None:
    answer = http.post("/rest/v1/rpc/add", json={"a": "x" * 10_000_000})
    assert answer.status_code == 413
    assert answer.json()["code"] == "413"
    assert call(http, "add", a=1) == 11


# -- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("23505", 409),
        ("23503", 409),
        ("23514", 400),
        ("22023", 400),
        ("40001", 500),
        ("42883", 404),
        ("42P01", 404),
        ("42P17", 500),
        ("55P03", 500),
        ("57014", 500),
        ("53300", 503),
        ("AB123", 400),
    ],
)
def test_sqlstates_become_statuses(http: httpx.Client, kind: str, status: int) -> None:
    answer = http.post("/rest/v1/rpc/fail", json={"kind": kind})
    assert (answer.status_code, answer.json()["code"]) == (status, kind)


def test_raised_errors_keep_detail_and_hint(http: httpx.Client) -> None:
    answer = http.post("/rest/v1/rpc/fail", json={"kind": "plain"})
    assert answer.status_code == 400
    assert answer.json() == {
        "code": "P0001",
        "message": "oops",
        "details": "the detail",
        "hint": "the hint",
    }
    chosen = http.post("/rest/v1/rpc/fail", json={"kind": "PT409"})
    assert (chosen.status_code, chosen.json()["hint"]) == (409, "another")


def test_a_json_error_rules_status_body_and_headers(http: httpx.Client) -> None:
    answer = http.post("/rest/v1/rpc/fail", json={"kind": "json"})
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "30"
    assert answer.json() == {"code": "own_clip", "message": "m", "details": "d", "hint": "h"}
    bad = http.post("/rest/v1/rpc/fail", json={"kind": "bad json"})
    assert (bad.status_code, bad.json()["code"]) == (500, "PGRST121")


def test_denial_is_401_for_anon_and_403_for_members(
    http: httpx.Client, bearer: dict[str, str]
) -> None:
    for path, body in (("rpc/fail", {"kind": "denied"}), ("songs", {"title": "x"})):
        assert http.post(f"/rest/v1/{path}", json=body).status_code == 401
        assert http.post(f"/rest/v1/{path}", json=body, headers=bearer).status_code == 403


def test_table_errors_keep_their_code(http: httpx.Client, bearer: dict[str, str]) -> None:
    wrong = http.get("/rest/v1/songs", params={"id": "eq.x"}, headers=bearer)
    assert (wrong.status_code, wrong.json()["code"]) == (400, "22P02")
    missing = http.get("/rest/v1/nothing_here", headers=bearer)
    assert (missing.status_code, missing.json()["code"]) == (404, "PGRST205")


# -- who may ask -------------------------------------------------------------------------------


def test_nobody_enters_without_a_key(gateway: Gateway) -> None:
    for headers in ({}, {"apikey": "sb_publishable_guess"}):
        for path in ("/rest/v1/songs", "/rest/v1/rpc/add", "/auth/v1/user"):
            assert httpx.get(gateway.url + path, headers=headers).status_code == 401


@pytest.mark.parametrize("role", ["postgres", "supabase_auth_admin", "authenticator", "x;y"])
def test_a_signed_role_outside_the_three_is_refused(
    gateway: Gateway, http: httpx.Client, role: str
) -> None:
    for path in ("rpc/caller", "songs"):
        answer = http.post(f"/rest/v1/{path}", json={}, headers=signed(gateway, role=role))
        assert answer.status_code == 403
        assert answer.json()["code"] == "42501"


def test_a_forged_token_is_refused(http: httpx.Client) -> None:
    forged = jwt.encode({"role": "service_role"}, "x" * 40, "HS256")
    unsigned = jwt.encode({"role": "service_role"}, None, "none")
    for token in (forged, unsigned, "a.b.c", "nonsense"):
        for path in ("rpc/caller", "songs"):
            headers = {"authorization": f"Bearer {token}"}
            answer = http.post(f"/rest/v1/{path}", json={}, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (401, "PGRST301")
    assert http.get("/rest/v1/songs", headers={"apikey": forged}).status_code == 401


def test_an_expired_token_is_refused(gateway: Gateway, http: httpx.Client) -> None:
    headers = signed(gateway, role="authenticated", exp=time.time() - 60)
    answer = http.post("/rest/v1/rpc/caller", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "PGRST303")


def test_the_secret_key_is_service_role_unless_a_member_speaks(
    gateway: Gateway, http: httpx.Client, bearer: dict[str, str]
) -> None:
    key = {"apikey": gateway.keys.secret_key}
    said = http.post("/rest/v1/rpc/caller", headers=key).json()
    assert said["role"] == "service_role"
    said = http.post("/rest/v1/rpc/caller", headers=key | bearer).json()
    assert said["role"] == "authenticated"


def test_old_keys_in_jwt_form_open_the_gate(gateway: Gateway, http: httpx.Client) -> None:
    for role in ("anon", "service_role"):
        key = jwt.encode({"role": role}, gateway.keys.jwt_secret, "HS256")
        headers = {"apikey": key, "authorization": f"Bearer {key}"}
        assert http.post("/rest/v1/rpc/caller", headers=headers).json()["role"] == role


@pytest.mark.parametrize(
    "path",
    [
        *("/rest/v1/rpc/%zz", "/rest/v1/rpc/add%", "/rest/v1/%ff", "//["),
        *("//u:p@h/rest/v1/songs", "//u@h/rest/v1/songs", "http://u:p@h/rest/v1/songs"),
    ],
)
def test_a_path_that_cannot_be_read_is_the_callers_mistake(gateway: Gateway, path: str) -> None:
    """As it stands on the wire: a client library would mend it."""
    address = urlsplit(gateway.url)
    assert address.hostname
    connection = HTTPConnection(address.hostname, address.port, timeout=30)
    key = gateway.keys.publishable_key
    for method in ("GET", "POST"):
        connection.request(method, f"{path}?apikey={key}", headers={"apikey": key})
        answer = connection.getresponse()
        said = json.loads(answer.read())
        assert answer.status == 400
        assert set(said) == {"code", "details", "hint", "message"}
        assert said["message"] == f"The path cannot be read: {path}"
    connection.close()


def test_a_function_of_a_strange_name_is_looked_for_by_it(http: httpx.Client) -> None:
    answer = http.post("/rest/v1/rpc/%C3%A4%25%20b")
    assert (answer.status_code, answer.json()["code"]) == (404, "PGRST202")
    assert "public.ä% b" in answer.json()["message"]


def test_other_schemas_stay_hidden(http: httpx.Client) -> None:
    answer = http.get("/rest/v1/users", headers={"accept-profile": "auth"})
    assert (answer.status_code, answer.json()["code"]) == (406, "PGRST106")


def test_rows_that_policies_hide_are_hidden_not_absent(
    http: httpx.Client, database: psycopg.Connection[Any], bearer: dict[str, str]
) -> None:
    database.execute("grant select on secrets to authenticated")
    assert http.get("/rest/v1/secrets", headers=bearer).json() == []
    database.execute("revoke select on secrets from authenticated")
    assert database.execute("select count(*) from secrets").fetchone() == (1,)


def test_the_gateway_grants_nothing(
    database: psycopg.Connection[Any], server: postgres.Server, tmp_path: Path
) -> None:
    before = database.execute(GRANTS).fetchall()
    with (
        Gateway(server.url(database.info.dbname), log=tmp_path / "log") as gateway,
        python_client(gateway) as client,
    ):
        client.auth.sign_up({"email": f"{uuid4()}@example.com", "password": "secret12"})
        client.table("songs").select("*").execute()
        client.rpc("add", {"a": 1}).execute()
    assert database.execute(GRANTS).fetchall() == before


# -- life --------------------------------------------------------------------------------------


def test_a_notification_reloads_the_schema(
    http: httpx.Client,
    database: psycopg.Connection[Any],
    until: Callable[[Callable[[], object], str], None],
) -> None:
    assert http.post("/rest/v1/rpc/later").status_code == 404
    assert http.get("/rest/v1/newcomers").status_code == 404
    database.execute("create function later() returns int language sql as 'select 1'")
    database.execute("create table newcomers (n int); grant select on newcomers to anon")
    database.execute("notify pgrst, 'reload schema'")
    until(lambda: http.post("/rest/v1/rpc/later").status_code == 200, "the function appears")
    until(lambda: http.get("/rest/v1/newcomers").status_code == 200, "the table appears")


def test_browsers_may_ask_from_anywhere(http: httpx.Client) -> None:
    answer = http.options(
        "/rest/v1/rpc/add", headers={"access-control-request-headers": "apikey, x-own"}
    )
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-headers"] == "apikey, x-own"
    assert http.post("/rest/v1/rpc/nope").headers["access-control-allow-origin"] == "*"


def test_head_answers_without_a_body(http: httpx.Client, bearer: dict[str, str]) -> None:
    answer = http.head("/rest/v1/songs", headers={**bearer, "prefer": "count=exact"})
    assert answer.content == b""
    assert answer.headers["content-range"].endswith("/3")
    assert http.head("/rest/v1/rpc/add", params={"a": 1}).status_code == 200


def test_it_survives_a_restart_of_postgres(tmp_path: Path) -> None:
    with postgres.start() as own:
        with psycopg.connect(own.url()) as conn:
            shim.apply(conn)
        with Gateway(own.url(), log=tmp_path / "log") as gateway:
            own.crash()
            assert httpx.get(f"{gateway.url}/health").status_code == 503
            own.restart()
            assert httpx.get(f"{gateway.url}/health").status_code == 200


def test_it_ends_when_its_starter_ends(
    server: postgres.Server,
    database: psycopg.Connection[Any],
    tmp_path: Path,
) -> None:
    gateway = Gateway(server.url(database.info.dbname), log=tmp_path / "log")
    gateway.wait_ready()
    assert gateway.child.process.stdin is not None
    gateway.child.process.stdin.close()
    assert gateway.child.process.wait(30) == 0
    gateway.stop()
