"""Which addresses are this machine: decides what a local start may deploy to (APP-11)."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import Result
from pydantic import ValidationError
from typer.testing import CliRunner

from procrastinate_app.cli import app
from procrastinate_app.local.stack import StackError, running_stack
from procrastinate_app.settings import Settings, database_address, database_host, is_here

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


COMMANDS = [["deploy"], ["jobs", "list"], ["jobs", "show", "1"], ["local", "shim"]]


def hub(*command: str, **env: str) -> Result:
    """The command with these variables alone; an empty one counts as not set."""
    given = {"HUB_DATABASE_URL": "", "HUB_DATABASE_URL_FILE": "", **env}
    return CliRunner().invoke(app, command, env=given)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_takes_the_address_from_a_file_too(command: list[str], tmp_path: Path) -> None:
    """APP-7: as containers hand secrets out. Nobody listens there."""
    address = "postgresql://u:hunter2@127.0.0.1:9/db"
    file = tmp_path / "url"
    file.write_text(f"{address}\n")
    for ended in (
        hub(*command, HUB_DATABASE_URL=address),
        hub(*command, HUB_DATABASE_URL_FILE=str(file)),
        hub(*command, "--database-url", address, HUB_DATABASE_URL_FILE="nowhere"),
    ):
        assert ended.exit_code == 1
        assert "port 9 failed" in ended.output
        assert "hunter2" not in ended.output


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_says_which_address_it_misses(command: list[str], tmp_path: Path) -> None:
    ended = hub(*command)
    assert ended.exit_code == 1
    assert "HUB_DATABASE_URL_FILE" in ended.output
    ended = hub(*command, HUB_DATABASE_URL_FILE=str(tmp_path / "gone"))
    assert ended.exit_code == 1
    assert f"No such file or directory: '{tmp_path}/gone'" in ended.output


def test_the_worker_reads_the_same_variables_in_the_same_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty variable, such as a compose file passes on, counts as not set."""
    first, second = "postgresql://u@127.0.0.1/first", "postgresql://u@127.0.0.1/second"
    file = tmp_path / "url"
    file.write_text(f"{second}\n")
    monkeypatch.setenv("HUB_DATABASE_URL_FILE", str(file))
    monkeypatch.setenv("HUB_SUPABASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("HUB_SECRET_KEY", "sb_secret_sandbox_x")
    monkeypatch.setenv("HUB_ENVIRONMENT", "local")
    for said, expected in (("", second), (first, first)):
        monkeypatch.setenv("HUB_DATABASE_URL", said)
        assert Settings.model_validate({}).database_url.get_secret_value() == expected
        assert database_address() == expected


@pytest.mark.parametrize("held", [b"", b" \n", b"postgresql://u:hush\xff@h/db"])
def test_a_file_that_holds_no_address_is_not_taken_for_none(
    held: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """APP-7: a local start would use its own database, a worker none at all."""
    file = tmp_path / "url"
    file.write_bytes(held)
    monkeypatch.setenv("HUB_SUPABASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("HUB_SECRET_KEY", "sb_secret_sandbox_x")
    monkeypatch.setenv("HUB_RUNTIME_DIR", str(tmp_path / "runtime"))
    said = f"HUB_DATABASE_URL_FILE: {file} is {'not text' if held.strip() else 'empty'}"
    for command in (*COMMANDS, ["worker"], ["demo"]):
        ended = hub(*command, HUB_DATABASE_URL_FILE=str(file))
        assert ended.exit_code == (78 if command == ["worker"] else 1), ended.output
        assert said in ended.output
        assert "hush" not in ended.output
    monkeypatch.setenv("HUB_DATABASE_URL_FILE", str(file))
    monkeypatch.setenv("HUB_DATABASE_URL", "")
    with (
        pytest.raises(StackError, match="HUB_DATABASE_URL_FILE"),
        running_stack(base=tmp_path / "runtime", extent="database"),
    ):
        pass
    monkeypatch.setenv("HUB_DATABASE_URL", "postgresql://u@127.0.0.1/first")
    monkeypatch.setenv("HUB_ENVIRONMENT", "local")
    assert database_address() == Settings.model_validate({}).database_url.get_secret_value()


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_repeats_a_malformed_address(command: list[str]) -> None:
    """APP-7: it may carry a password."""
    environment = {"HUB_DATABASE_URL": "postgresql://u:hunter2%zz@localhost/db"}
    ended = CliRunner().invoke(app, command, env=environment)
    assert ended.exit_code == 1
    assert "not a Postgres address" in ended.output
    assert "hunter2" not in ended.output


def test_an_address_with_odd_bytes_is_refused_without_repeating_it() -> None:
    """APP-7."""
    with pytest.raises(ValueError, match="not a Postgres address"):
        database_host("postgresql://u:hunter2%ff@localhost/db")


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


@pytest.mark.parametrize("sign", ["@", "/"])
def test_a_password_that_is_not_escaped_is_not_repeated(sign: str) -> None:
    """APP-7: libpq would take its end for a host or a port, and say so."""
    with pytest.raises(ValueError, match="write %40 for @") as refusal:
        database_host(f"postgresql://u:Pa{sign}Secret1@db.example.com:5432/postgres")
    assert "Secret1" not in str(refusal.value)
    assert "Pa" not in str(refusal.value)
