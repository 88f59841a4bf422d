"""OPS-1, APP-7, APP-10: what the worker tells, and what it must not."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import structlog

from procrastinate_app.logging import configure, describe, hide_secrets
from tests.support.callers import Connection
from tests.support.events import emit, value
from tests.support.running import KEY, Sandbox, WorkerProcess

StartWorker = Callable[..., WorkerProcess]

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.abc-DEF_123"


def test_health_and_metrics(conn: Connection, sandbox: Sandbox, start_worker: StartWorker) -> None:
    """OPS-1"""
    made = emit(conn, 3)
    worker = start_worker().wait_ready()
    worker.wait_until(lambda: sandbox.accepted_ids() == made)
    assert worker.get("/healthz")[0] == 200
    ready = json.loads(worker.get("/readyz")[1])
    assert ready["ready"]
    assert ready["database"]
    assert ready["schema"]
    worker.wait_until(lambda: worker.said("batch settled"))
    found = worker.get("/metrics")[1]
    for line in (
        'hub_deliveries_total{outcome="delivered",stream="realtime"} 3.0',
        'hub_outbox_waiting{name="realtime"} 0.0',
        'hub_outbox_lag_seconds{name="realtime"} 0.0',
        "hub_database_up 1.0",
        'hub_database_connections{state="idle"}',
        "# TYPE hub_dead_letters gauge",
        "# TYPE hub_jobs_finished_total counter",
    ):
        assert line in found, found


def test_logs_carry_no_keys_and_no_payloads(
    conn: Connection, sandbox: Sandbox, start_worker: StartWorker
) -> None:
    """APP-7: neither when all is well nor when nothing is."""
    sandbox.fail("500")
    made = emit(conn, 2, text="a private word")
    made += emit(conn, text="a private word" + "x" * 300_000)
    conn.execute("select jobs.defer('jobs:purge', '{\"timestamp\": 1234567}')")
    conn.execute("alter function jobs.purge(integer) rename to purge_gone")
    worker = start_worker(log_level="debug")
    worker.wait_until(lambda: set(made[:2]) <= set(sandbox.accepted_ids()))
    worker.wait_until(lambda: value(conn, "select count(*) from jobs.dead_letters") == 1)
    worker.wait_until(lambda: worker.said("job failed"))
    worker.terminate()
    worker.wait()
    for secret in (KEY, "a private word", "1234567"):
        assert secret not in worker.output()
    for line in worker.output().splitlines():
        assert json.loads(line)["event"]


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What our logging writes; the test run's own is put back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    written = io.StringIO()
    monkeypatch.setattr("sys.stdout", written)
    configure("info")
    yield written
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def lines(output: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.getvalue().splitlines()]


def test_secrets_are_hidden_by_key_and_by_look(output: io.StringIO) -> None:
    """APP-7"""
    structlog.get_logger("x").info(
        "hello",
        secret_key="abc",
        payload={"text": "hi"},
        note=f"with {JWT} and {KEY}",
        nested={"password": "abc", "deep": [KEY, {"token": "abc"}]},
        url="postgresql://user:hush@host/db",
    )
    [line] = lines(output)
    for secret in ("abc", JWT, KEY, "hush", "hi"):
        assert secret not in line.values()
    assert "hush" not in json.dumps(line)
    assert JWT not in json.dumps(line)
    assert KEY not in json.dumps(line)
    assert line["nested"] == {"password": "[hidden]", "deep": ["[hidden]", {"token": "[hidden]"}]}


def test_procrastinate_keeps_its_action_and_loses_its_arguments(output: io.StringIO) -> None:
    """APP-7"""
    logging.getLogger("procrastinate.worker").error(
        "Job pay[1](card='4242') ended", extra={"action": "job_error", "job": {"card": "4242"}}
    )
    [line] = lines(output)
    assert line["event"] == "job_error"
    assert line["logger"] == "procrastinate.worker"
    assert "4242" not in output.getvalue()


def test_tracebacks_are_one_line_without_values(output: io.StringIO) -> None:
    """APP-7"""
    try:
        card = "4242"
        raise ValueError(f"bad key {KEY}") if card else None
    except ValueError:
        logging.getLogger("some.library").exception("oops")
    [line] = lines(output)
    assert (line["error"], line["error_message"]) == ("ValueError", "bad key [hidden]")
    assert line["trace"].startswith("test_observing.py:")


def test_rows_in_database_errors_are_not_told(db: Connection) -> None:
    """APP-7: Postgres puts the failing row into the detail."""
    with pytest.raises(psycopg.errors.CheckViolation) as caught, db.transaction():
        db.execute(
            "insert into jobs.outbox (stream, topic, event, payload)"
            " values ('none', 'user:hush', 'e', '{}')"
        )
    failure = describe(caught.value)
    assert failure.error_class == "CheckViolation 23514"
    assert "hush" in str(caught.value)
    assert "hush" not in failure.message


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("password=hush", "password=[hidden]"),
        ("host=db password='hush, it\\'s me' user=x", "host=db password=[hidden] user=x"),
        ('connect(password = "hush", port=1)', "connect(password = [hidden], port=1)"),
        ("PGPASSWORD=hush psql", "PGPASSWORD=[hidden] psql"),
        ('{"password": "hush hush", "n": 1}', '{"password": [hidden], "n": 1}'),
        (r'"{\"token\": \"hush\"}"', r'"{\"token\": [hidden]'),
        (
            "https://h/rest/v1/clips?apikey=hush&id=eq.1",
            "https://h/rest/v1/clips?apikey=[hidden]&id=eq.1",
        ),
        ("wss://h/websocket?vsn=1&apikey=hush", "wss://h/websocket?vsn=1&apikey=[hidden]"),
        ("?token=hush", "?token=[hidden]"),
        ("key=hush", "key=[hidden]"),
        ("HUB_SECRET_KEY=hush", "HUB_SECRET_KEY=[hidden]"),
        ("service_role_key: hush", "service_role_key: [hidden]"),
        ("client_secret => 'hush'", "client_secret => [hidden]"),
        ("api-key: hush", "api-key: [hidden]"),
        ("access_token=hush.", "access_token=[hidden]"),
        ("sent Bearer hush to it", "sent Bearer [hidden] to it"),
        ("bearer h", "bearer [hidden]"),
        ("Authorization: Bearer hush", "Authorization: [hidden]"),
        ("Authorization: Basic aHVzaDpodXNo", "Authorization: [hidden]"),
        ("{'Authorization': 'Basic hush', 'n': 1}", "{'Authorization': [hidden], 'n': 1}"),
        ("Authorization: Token hush\nHost: h", "Authorization: [hidden]\nHost: h"),
        ("Proxy-Authorization: Digest a=hush, b=hush", "Proxy-Authorization: [hidden]"),
        ("Cookie: a=hush; b=hush\nHost: h", "Cookie: [hidden]\nHost: h"),
        ("sent bearer key-hush to it", "sent bearer [hidden] to it"),
        ("bearer is.hush", "bearer [hidden]"),
        ("alter role x password 'hush'", "alter role x password [hidden]"),
        ("alter role x PASSWORD E'hu\\'sh';", "alter role x PASSWORD E[hidden];"),
        ('create user x password "hush" login', "create user x password [hidden] login"),
        ("pg_dump --password hush -d x", "pg_dump --password [hidden] -d x"),
        ("call --api-key 'hush hush' --now", "call --api-key [hidden] --now"),
        ("passphrase=hush", "passphrase=[hidden]"),
        ("passphrase: hush", "passphrase: [hidden]"),
        ("pass=hush", "pass=[hidden]"),
        ("DB_PASS=hush", "DB_PASS=[hidden]"),
        ('{"pass": "hush"}', '{"pass": [hidden]}'),
        ("?jwt=hush&id=1", "?jwt=[hidden]&id=1"),
        ("?X-Amz-Signature=hush", "?X-Amz-Signature=[hidden]"),
        ("/verify?token_hash=hush&type=email", "/verify?token_hash=[hidden]&type=email"),
        ("postgresql://u:hu@sh@h/d", "postgresql://[hidden]@h/d"),
    ],
)
def test_what_is_called_a_secret_is_hidden(text: str, shown: str) -> None:
    """APP-7: whatever it looks like, and however short."""
    assert hide_secrets(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "the token bucket of realtime is empty, 5 tokens wanted",
        "expected a bearer token",
        "Bearer authentication is required",
        "Bearer missing",
        'password authentication failed for user "postgres"',
        "wrong password",
        "the password is wrong",
        "give --database-url or --password, not both",
        "psql --password --host db",
        "expected a bearer token.",
        "pass the ball; 3 pass, 1 fails; bypass=1",
        "JWT expired; invalid JWT: it is malformed",
        "the signature does not fit",
        "a passphrase is wanted",
        "no such secret",
        "missing key: topic",
        'duplicate key value violates unique constraint "clips_key"',
        "where key == value",
        "http://127.0.0.1:54321/readyz?to=a",
        "batch settled: 3 delivered, 0 rejected",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert hide_secrets(text) == text


@pytest.mark.parametrize(
    "part",
    [
        *(
            "secret",
            "token",
            "pwd \t",
            "bearer ",
            '\\"',
            "://a:",
            "cookie=",
            "eyJ",
            "eyJ.",
            "-eyJ-",
        ),
        *("authorization", "password ", "password '", "--", "--a", "pass", "key-", "token_hash"),
    ],
)
def test_a_long_text_does_not_hold_the_worker_up(part: str) -> None:
    """People write some of what is logged. Work that grew by the square would not end here."""
    assert hide_secrets(part * 200_000 + " password=hush").count("hush") == 0


@pytest.mark.parametrize(
    "text", [KEY, JWT, rf"\n{JWT}", f"x_{JWT}", "postgres://u:p4ss@h/d", f"apikey={KEY};"]
)
def test_what_looks_like_a_secret_is_hidden(text: str) -> None:
    """APP-7"""
    hidden = hide_secrets(text)
    assert "[hidden]" in hidden
    assert "0123456789" not in hidden
    assert "p4ss" not in hidden
