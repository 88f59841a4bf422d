"""Which addresses are this machine: decides what a local start may deploy to (APP-11)."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from procrastinate_app.cli import app
from procrastinate_app.settings import Settings, database_host, is_here

HERE = [
    "postgresql://postgres@127.0.0.1:5432/postgres",
    "postgresql://postgres@localhost/postgres",
    "postgresql:///postgres",
    "host=/run/postgresql dbname=postgres",
]
ELSEWHERE = [
    "postgresql://postgres@db.example.com/postgres",
    "host=db.example.com dbname=postgres",
    "postgresql:///postgres?host=db.example.com",
    "postgresql://postgres@localhost/postgres?hostaddr=192.0.2.1",
]


@pytest.mark.parametrize("url", HERE)
def test_loopback_and_sockets_are_here(url: str) -> None:
    assert is_here(database_host(url))


@pytest.mark.parametrize("url", ELSEWHERE)
def test_other_hosts_are_not_here_however_they_are_written(url: str) -> None:
    assert not is_here(database_host(url))


@pytest.mark.parametrize("command", [["deploy"], ["jobs", "list"]])
def test_no_command_repeats_a_malformed_address(command: list[str]) -> None:
    """APP-7: it may carry a password."""
    environment = {"HUB_DATABASE_URL": "postgresql://u:hunter2%zz@localhost/db"}
    ended = CliRunner().invoke(app, command, env=environment)
    assert ended.exit_code == 1
    assert "not a Postgres address" in ended.output
    assert "hunter2" not in ended.output


def test_a_malformed_address_is_refused_without_repeating_it() -> None:
    """APP-7."""
    with pytest.raises(ValidationError) as caught:
        Settings(
            environment="local",
            database_url="postgresql://u:hunter2%zz@localhost/db",
            supabase_url="http://127.0.0.1:1",
            secret_key="sb_secret_sandbox_x",
        )
    assert "not a Postgres address" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
