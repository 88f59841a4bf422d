"""OPS-1, APP-2, APP-11: what the worker refuses to start on, and how it says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from procrastinate_app.checks import Refused, refuse_unfit
from procrastinate_app.settings import Settings
from tests.support.callers import Connection, one
from tests.support.databases import FreshDatabase
from tests.support.pooler import Pooler
from tests.support.running import KEY, WorkerProcess

StartWorker = Callable[..., WorkerProcess]

REFUSED = 78
GOOD: dict[str, Any] = {
    "environment": "production",
    "database_url": "postgresql://u:p@db.example.com/postgres",
    "supabase_url": "https://project.supabase.co",
    "secret_key": "sb_secret_real",
}


@pytest.fixture
def pooler(fresh_db: FreshDatabase) -> Iterator[Pooler]:
    with Pooler(fresh_db.server.host, fresh_db.server.port) as running:
        yield running


def reason(worker: WorkerProcess) -> str:
    assert worker.wait() == REFUSED, worker.output()
    [line] = worker.said("refused")
    return str(line["reason"])


def test_older_schema(conn: Connection, start_worker: StartWorker) -> None:
    conn.execute(
        "delete from supabase_migrations.schema_migrations"
        " where version = (select max(version) from supabase_migrations.schema_migrations)"
    )
    assert "hub deploy" in reason(start_worker())


def test_transaction_pooler_by_its_silence(
    fresh_db: FreshDatabase, workers: StartWorker, pooler: Pooler
) -> None:
    """Whatever its port: it swallows notifications."""
    direct = f"{fresh_db.server.host}:{fresh_db.server.port}"
    url = fresh_db.url.replace(direct, f"127.0.0.1:{pooler.port}")
    worker = workers(f"{url}?sslmode=disable&gssencmode=disable")
    assert "transaction pooler" in reason(worker)


def test_transaction_pooler_by_its_port() -> None:
    url = "postgresql://u:p@aws-0-eu-central-1.pooler.supabase.com:6543/postgres"
    with pytest.raises(Refused, match="port 5432"):
        asyncio.run(refuse_unfit(Settings(**GOOD | {"database_url": url})))


def test_stopped_clock_in_production(conn: Connection, start_worker: StartWorker) -> None:
    """APP-2"""
    conn.execute("select app.freeze_clock(now())")
    worker = start_worker(environment="production", secret_key="sb_secret_selfhosted")
    assert "clock" in reason(worker)


def test_stopped_clock_in_a_test_is_fine(conn: Connection, start_worker: StartWorker) -> None:
    """APP-2"""
    conn.execute("select app.freeze_clock(now())")
    start_worker().wait_ready()


def test_the_first_worker_stamps_its_environment(
    conn: Connection, start_worker: StartWorker
) -> None:
    """APP-11"""
    assert one(conn, "select count(*) from settings.deployment") == 0
    start_worker().wait_ready()
    assert one(conn, "select environment from settings.deployment") == "test"


@pytest.mark.parametrize(
    ("stamped", "given"),
    [
        ("production", {}),
        ("local", {}),
        ("test", {"environment": "production", "secret_key": "sb_secret_selfhosted"}),
    ],
)
def test_a_database_of_another_environment(
    conn: Connection, start_worker: StartWorker, stamped: str, given: dict[str, str]
) -> None:
    """APP-11"""
    conn.execute("select settings.claim_environment(%s)", [stamped])
    assert f"belongs to {stamped}" in reason(start_worker(**given))
    assert one(conn, "select environment from settings.deployment") == stamped


def test_a_copy_may_be_declared_another_environment(
    conn: Connection, start_worker: StartWorker
) -> None:
    """APP-11: by its owner, on record."""
    conn.execute("select settings.claim_environment('production')")
    conn.execute("select settings.set_environment('test', 'restored for a rehearsal')")
    start_worker().wait_ready()
    assert one(conn, "select details from audit.events where action = 'environment_set'") == {
        "from": "production",
        "to": "test",
    }


def test_missing_settings_are_named_without_values(workers: StartWorker) -> None:
    worker = workers("postgresql://u:hush@127.0.0.1/x", supabase_url="ftp://x", lease="0")
    assert worker.wait() == REFUSED
    assert "HUB_SUPABASE_URL" in worker.output()
    assert "HUB_LEASE" in worker.output()
    assert "hush" not in worker.output()
    assert KEY not in worker.output()


@pytest.mark.parametrize(
    "change",
    [
        {"secret_key": "sb_secret_sandbox_x"},
        {"supabase_url": "http://127.0.0.1:54321"},
        {"realtime_url": "http://localhost:1/realtime/v1"},
        {"realtime_url": "http://[::1]:1/realtime/v1"},
        {"environment": "local"},
        {"environment": "test", "database_url": "postgresql://u@127.0.0.1/x"},
        {"environment": "local", "supabase_url": "http://127.0.0.1:1"},
        {
            "environment": "local",
            "database_url": "postgresql://u@127.0.0.1/x",
            "supabase_url": "http://127.0.0.1:1",
        },
    ],
)
def test_sandbox_and_production_do_not_mix(change: dict[str, Any]) -> None:
    """APP-11"""
    with pytest.raises(ValidationError, match="environment is"):
        Settings(**GOOD | change)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"database_url": "postgresql://u@127.0.0.1:5433/x"},
        {"database_url": "postgresql:///x", "supabase_url": "http://localhost:8000"},
        {
            "environment": "local",
            "database_url": "postgresql://u@127.0.0.1/x",
            "supabase_url": "http://127.0.0.1:1",
            "secret_key": "sb_secret_sandbox_x",
        },
    ],
)
def test_what_belongs_together_is_accepted(change: dict[str, Any]) -> None:
    """APP-11: hosted, through a tunnel, hosted by oneself, local."""
    assert Settings(**GOOD | change).realtime_url.endswith("/realtime/v1")


def test_secrets_come_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """APP-7"""
    file = tmp_path / "key"
    file.write_text("sb_secret_from_file\n")
    monkeypatch.setenv("HUB_SECRET_KEY_FILE", str(file))
    settings = Settings(**{name: text for name, text in GOOD.items() if name != "secret_key"})
    assert settings.secret_key.get_secret_value() == "sb_secret_from_file"
    assert "from_file" not in repr(settings)
