"""OPS-5: `pip install` of the wheel gives a working `hub`, without a checkout."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from procrastinate_app.deploy import deploy
from procrastinate_app.project import PROJECT_ROOT
from tests.packaging.installed import (
    CARRIED,
    UV,
    Installed,
    build,
    carried,
    copy_sources,
    on_disk,
    ordinary_user,
    run,
)
from tests.support.running import KEY, QUICK, WorkerProcess

WHERE_FROM = """
import sys
from procrastinate_app import cli
from procrastinate_app.project import IS_CHECKOUT, PROJECT_ROOT
print(IS_CHECKOUT, PROJECT_ROOT)
for module in list(sys.modules.values()):
    print(getattr(module, "__file__", None) or "")
"""


def test_wheel_carries_the_sql_as_it_stands(wheel: Path) -> None:
    """Every file of the three rooms, the same bytes, and no other."""
    assert carried(wheel) == on_disk()


def test_files_of_an_earlier_build_are_not_carried_on(tmp_path: Path) -> None:
    """A function removed from sql/ must not come back with the next wheel."""
    sources = copy_sources(tmp_path)
    left = sources / "build/lib" / CARRIED / "sql/app/removed_long_ago.sql"
    left.parent.mkdir(parents=True)
    left.write_text("select 1;")
    assert carried(build(sources, "--wheel")) == on_disk()


def test_locked_packages_are_all_it_needs(installed: Installed) -> None:
    """requirements/runtime.lock and the wheel fit together, with nothing missing."""
    run(*UV, "pip", "check", "--offline", "--python", str(installed.bin / "python"))


def test_nothing_comes_from_the_checkout(installed: Installed) -> None:
    """Neither our code nor a package that only developers have."""
    said = run(str(installed.bin / "python"), "-c", WHERE_FROM, cwd=installed.root)
    first, *files = said.splitlines()
    assert first == f"False {installed.site}/procrastinate_app/_project"
    assert not [file for file in files if str(PROJECT_ROOT) in file]
    assert len([file for file in files if "/procrastinate_app/" in file]) > 5


def test_deploys_what_the_checkout_deploys(
    installed: Installed, empty_database: Callable[[], str]
) -> None:
    """Both ways round: after either, the other finds nothing to do."""
    url = empty_database()
    done = installed.hub("deploy", HUB_DATABASE_URL=url)
    assert done.returncode == 0, done.stderr
    assert "applied procrastinate" in done.stdout
    assert "nothing to do" in installed.hub("deploy", HUB_DATABASE_URL=url).stdout
    assert not deploy(url).changed


def test_its_worker_works_and_its_jobs_are_listed(
    installed: Installed, empty_database: Callable[[], str], tmp_path: Path
) -> None:
    url = empty_database()
    deploy(url)
    assert json.loads(installed.hub("jobs", "list", "--json", HUB_DATABASE_URL=url).stdout) == []
    worker = WorkerProcess(
        {
            **QUICK,
            "HUB_DATABASE_URL": url,
            "HUB_SUPABASE_URL": "http://127.0.0.1:9",
            "HUB_SECRET_KEY": KEY,
        },
        tmp_path,
        (str(installed.bin / "hub"), "worker"),
    )
    try:
        worker.wait_ready()
        worker.terminate()
        assert worker.wait() == 0
    finally:
        worker.kill()


@pytest.mark.parametrize(
    "command",
    [
        ["bench", "--list"], ["demo"], ["reference", "verify"], ["rules"], ["schema", "verify"],
        ["types", "verify"],
        ["up"], ["local", "start"], ["local", "db"],
    ],
)  # fmt: skip
def test_commands_for_developers_say_what_they_need(
    installed: Installed, command: list[str]
) -> None:
    done = installed.hub(*command)
    assert done.returncode == 1
    assert "make install" in done.stderr
    assert "Traceback" not in done.stderr


def test_look_alikes_can_be_made_from_the_wheel(
    installed: Installed, empty_database: Callable[[], str]
) -> None:
    """A plain Postgres in a container gets them from the same image as its schema."""
    done = installed.hub("local", "shim", HUB_DATABASE_URL=empty_database())
    assert "Traceback" not in done.stderr
    assert done.returncode == 0 or "Supabase database" in done.stderr


def test_help_names_every_command(installed: Installed) -> None:
    said = installed.hub("--help").stdout
    for command in ("bundle", "deploy", "doctor", "health", "jobs", "plan", "worker"):
        assert f"  {command} " in said


def test_health_without_a_worker(installed: Installed) -> None:
    """Exit code 1 and a reason, never a traceback."""
    for env in ({}, {"HUB_HTTP_PORT": "1"}, {"HUB_HTTP_PORT_FILE": "/nowhere/at/all"}):
        done = installed.hub("health", **env)
        assert done.returncode == 1, env
        assert done.stderr
        assert "Traceback" not in done.stderr, done.stderr


def test_ordinary_user_is_one(installed: Installed) -> None:
    """The tests above mean something as root too."""
    done = subprocess.run(["id", "-u"], capture_output=True, text=True, cwd="/", **ordinary_user())
    assert done.stdout.strip() != "0"
