"""The stack in the background: started once, joined, stopped whole, and never blocked by a kill."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from procrastinate_app.local import supervisor
from procrastinate_app.project import PROJECT_ROOT

Until = Callable[[Callable[[], object], str], None]
Alive = Callable[[int], bool]

HUB = [sys.executable, "-m", "procrastinate_app"]


def hub(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of `hub` to its end."""
    return subprocess.run(
        [*HUB, *arguments], cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=180
    )


def told(*arguments: str) -> dict[str, Any]:
    done = hub(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(autouse=True)
def stopped(runtime_dir: Path) -> Iterator[None]:
    """A stack of the test's own, stopped afterwards whatever happened."""
    yield
    supervisor.stop_background()


def state_of(runtime_dir: Path) -> supervisor.State:
    found = supervisor.read_state(runtime_dir)
    assert found is not None
    return found


def test_start_join_status_stop(runtime_dir: Path) -> None:
    first = told("local", "start")
    for name in (
        "database_url",
        "api_url",
        "publishable_key",
        "secret_key",
        "jwt_secret",
        "sandbox_url",
        "worker_url",
    ):
        assert first[name], name
    assert first["publishable_key"].startswith("sb_publishable_")
    assert first["secret_key"].startswith("sb_secret_")
    assert told("local", "start") == first
    assert told("local", "db")["database_url"] == first["database_url"]

    status = told("local", "status")
    assert status["parts"] == {"postgres": True, "api": True, "sandbox": True, "worker": True}
    for name in ("stack.json", "keys.json"):
        assert stat.S_IMODE((runtime_dir / name).stat().st_mode) == 0o600

    with psycopg.connect(first["authenticator_url"]) as conn:
        assert conn.execute("select current_user").fetchone() == ("authenticator",)
    with psycopg.connect(first["database_url"]) as conn:
        conn.execute("create table public.kept_by_the_test ()")
    assert told("local", "stop") == {"stopped": True}
    assert hub("local", "status").returncode == 3
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(first["database_url"])
    assert told("local", "stop") == {"stopped": False}

    again = told("local", "db")
    with psycopg.connect(again["database_url"]) as conn:
        conn.execute("select from public.kept_by_the_test")


def test_a_killed_supervisor_takes_everything_along_and_blocks_nothing(
    runtime_dir: Path, until: Until, alive: Alive
) -> None:
    first = told("local", "start")
    pid = state_of(runtime_dir).pid
    family = descendants(pid)
    assert len(family) >= 6
    os.kill(pid, signal.SIGKILL)
    for member in family:
        until(lambda member=member: not alive(member), f"process {member} ends")
    assert hub("local", "status").returncode == 3
    second = told("local", "db")
    assert second["database_url"] != first["database_url"]


@pytest.mark.parametrize("doing", ["starting Postgres", "deploying", "starting the Supabase API"])
def test_a_start_killed_half_way_does_not_block_the_next(
    doing: str, runtime_dir: Path, until: Until
) -> None:
    process = subprocess.Popen(
        [*HUB, "local", "start"],
        cwd=PROJECT_ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    # on a busy machine the stage can pass unseen between two looks: then it is killed just after
    until(
        lambda: (
            (state := supervisor.read_state(runtime_dir))
            and (state.doing.startswith(doing) or state.phase != "starting")
        ),
        f"the stack is {doing}, or beyond",
    )
    process.kill()
    os.kill(state_of(runtime_dir).pid, signal.SIGKILL)
    process.communicate()
    assert told("local", "db")["database_url"]


def test_a_start_whose_caller_was_killed_is_joined(runtime_dir: Path, until: Until) -> None:
    process = subprocess.Popen(
        [*HUB, "local", "db"],
        cwd=PROJECT_ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: supervisor.read_state(runtime_dir), "the supervisor reports")
    process.kill()
    process.wait()
    pid = state_of(runtime_dir).pid
    assert told("local", "db")["database_url"]
    assert state_of(runtime_dir).pid == pid


def test_stale_files_of_a_dead_stack_are_no_obstacle(runtime_dir: Path) -> None:
    runtime_dir.mkdir(mode=0o711)
    (runtime_dir / "stack.lock").touch()
    stale = supervisor.State(
        "ready", "all", os.getpid(), "long ago", stack={"database_url": "nowhere"}
    )
    (runtime_dir / "stack.json").write_text(json.dumps(vars(stale)))
    assert hub("local", "status").returncode == 3
    assert hub("local", "stop").stdout == "nothing was running\n"
    assert told("local", "db")["database_url"] != "nowhere"


def test_unusable_data_says_how_to_mend_it(runtime_dir: Path) -> None:
    url = told("local", "db")["database_url"]
    with psycopg.connect(url) as conn:
        row = conn.execute("select current_setting('data_directory')").fetchone()
    assert row is not None
    told("local", "stop")
    (Path(row[0]) / "global/pg_control").write_bytes(b"")
    done = hub("local", "db")
    assert done.returncode == 1
    assert "hub local reset" in done.stderr
    assert "Traceback" not in done.stderr
    assert hub("local", "reset").returncode == 0
    assert told("local", "db")["database_url"]


def test_data_that_asked_for_no_password_says_how_to_start_afresh(runtime_dir: Path) -> None:
    told("local", "db")
    told("local", "stop")
    [password] = runtime_dir.glob("postgres-*/password")
    password.unlink()
    done = hub("local", "db")
    assert done.returncode == 1
    assert "hub local reset" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_password_that_no_longer_fits_says_how_to_start_afresh(runtime_dir: Path) -> None:
    with psycopg.connect(told("local", "db")["database_url"]) as conn:
        conn.execute("alter role postgres password 'another'")
    told("local", "stop")
    done = hub("local", "db")
    assert done.returncode == 1
    assert "password authentication failed" in done.stderr
    assert "hub local reset" in done.stderr
    assert "Traceback" not in done.stderr


def test_after_a_reset_the_owner_has_another_password(runtime_dir: Path) -> None:
    first = told("local", "db")["database_url"]
    (runtime_dir / "postgres-mine").mkdir()
    assert hub("local", "reset").returncode == 0
    assert (runtime_dir / "postgres-mine").exists()
    second = told("local", "db")["database_url"]
    assert urlsplit(second).password != urlsplit(first).password


def test_what_the_supervisor_logs_is_its_owners_alone(runtime_dir: Path) -> None:
    runtime_dir.mkdir(mode=0o711)
    log = runtime_dir / "supervisor.log"
    log.touch(mode=0o644)
    for _ in range(2):
        told("local", "db")
        told("local", "stop")
        assert stat.S_IMODE(log.stat().st_mode) == 0o600
        log.unlink()


@pytest.mark.parametrize("by_file", [False, True])
def test_an_existing_database_is_used_as_it_is(
    by_file: bool,
    server: Any,
    deployed_template: str,
    runtime_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "existing"
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute(f"create database {name} template {deployed_template}")
        try:
            if by_file:
                (tmp_path / "url").write_text(server.url(name) + "\n")
                monkeypatch.setenv("HUB_DATABASE_URL_FILE", str(tmp_path / "url"))
            else:
                monkeypatch.setenv("HUB_DATABASE_URL", server.url(name))
            assert told("local", "db") == {"database_url": server.url(name)}
            assert told("local", "status")["parts"] == {"postgres": True}
            assert not list(runtime_dir.glob("postgres-*"))
            supervisor.stop_background()
        finally:
            admin.execute(f"drop database if exists {name} with (force)")


def test_an_address_that_is_none_is_refused_without_repeating_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """APP-7"""
    monkeypatch.setenv("HUB_DATABASE_URL", "postgresql://u:hunter2%zz@localhost/db")
    done = hub("local", "db")
    assert done.returncode == 1
    assert "not a Postgres address" in done.stderr
    assert "hunter2" not in done.stderr
    assert "Traceback" not in done.stderr


def descendants(pid: int) -> list[int]:
    """Every process below this one."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True).stdout
    parents = {int(p): int(q) for p, q in (line.split() for line in listed.splitlines())}
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found[1:]
