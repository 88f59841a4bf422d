"""OPS-5: the image, the compose file and the units name what there is, and what they run works."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from procrastinate_app.cli import app
from procrastinate_app.deploy import deploy
from procrastinate_app.project import PROJECT_ROOT
from procrastinate_app.settings import Settings
from procrastinate_app.worker_cli import REFUSED
from tests.packaging.installed import Installed, carried, on_disk, run
from tests.packaging.systemd import Unit, read_unit
from tests.support.running import KEY, QUICK, WorkerProcess, until

DEPLOY = PROJECT_ROOT / "deploy"
UNITS = ("hub-deploy.service", "hub-worker.service")
OURS = "/opt/hybrid-hub"
GRACE = float(Settings.model_fields["shutdown_graceful_timeout"].default)
MOST_EXPOSED = "20"  # tenths; systemd calls up to 2.0 OK


def tool(name: str) -> str:
    found = Path(sys.executable).with_name(name)
    return str(found) if found.exists() else pytest.skip(f"{name} is not installed")


def known_variables() -> set[str]:
    names = {f"HUB_{name.upper()}" for name in Settings.model_fields}
    return names | {f"{name}_FILE" for name in names} | {"HUB_SANDBOX_KEY"}


def assert_command(words: list[str]) -> None:
    """`words` after `hub` name a command."""
    names = {one.name for one in app.registered_commands}
    if words[0] not in names:
        [group] = [
            g for g in app.registered_groups if words[0] in (g.name, g.typer_instance.info.name)
        ]
        assert group.typer_instance is not None
        assert words[1] in {one.name for one in group.typer_instance.registered_commands}


# the image


def instructions() -> list[tuple[str, str]]:
    """(instruction, the rest) of the Dockerfile, continued lines joined."""
    text = re.sub(r"\\\n\s*", "", (DEPLOY / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def stages() -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for word, rest in instructions():
        if word == "FROM":
            found.append([])
        if found:
            found[-1].append((word, rest))
    return found


def said(stage: list[tuple[str, str]], instruction: str) -> list[str]:
    return [rest for word, rest in stage if word == instruction]


def context(root: Path) -> Path:
    """What of the checkout the builder gets to see."""
    for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines():
        if line.startswith("!"):
            source, target = PROJECT_ROOT / line[1:], root / line[1:]
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
    return root


def test_dockerfile_has_no_lint() -> None:
    run(tool("hadolint"), str(DEPLOY / "Dockerfile"))


def test_everything_the_image_copies_is_there(tmp_path: Path) -> None:
    seen = context(tmp_path)
    build, final = stages()
    for rest in said(build, "COPY"):
        *sources, _ = rest.split()
        for source in sources:
            assert (seen / source).exists(), source
    assert said(final, "COPY") == [f"--from=build {OURS} {OURS}"]


def test_image_is_built_from_hashes_and_holds_the_wheel(tmp_path: Path) -> None:
    """The build stage's own last command, on what the builder sees."""
    build, _ = stages()
    locked, packed = [rest for rest in said(build, "RUN") if "pip" in rest and "venv" not in rest]
    for install in re.findall(r"install [^&]*", locked):
        assert "--require-hashes" in install
        assert re.search(r" -r requirements/\w+\.lock", install)
    command, _, install = packed.partition(" && ")
    words = shlex.split(command)
    assert words[0] == "python"
    run(sys.executable, *words[1:], cwd=context(tmp_path))
    [wheel] = (tmp_path / "dist").glob("*.whl")
    assert carried(wheel) == on_disk()
    assert install.endswith("--no-index dist/*.whl")


def test_image_runs_as_nobody_and_knows_no_secret() -> None:
    build, final = stages()
    [user] = said(final, "USER")
    assert user == "10001:10001"
    [variables] = said(final, "ENV")
    named = set(re.findall(r"(HUB_\w+)=", variables))
    assert named <= known_variables()
    assert not any(word in name for name in named for word in ("KEY", "SECRET", "URL"))
    assert [rest for word, rest in instructions() if word == "ARG"] == [
        "BASE=python:3.13-slim-bookworm"
    ]
    assert not said(build, "ENV")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_what_the_image_runs_works(
    installed: Installed, empty_database: Callable[[], str], tmp_path: Path
) -> None:
    """Its entry point, command, health check and stop signal, with its variables, in a venv."""
    _, final = stages()
    port = free_port()
    [variables] = said(final, "ENV")
    env = dict(
        word.split("=", 1)
        for word in shlex.split(variables.replace(OURS, str(installed.root / "venv")))
    )
    env |= {"PATH": env["PATH"].replace("$PATH", os.defpath), "HUB_HTTP_PORT": str(port)}
    entry, command = (json.loads(said(final, word)[0]) for word in ("ENTRYPOINT", "CMD"))
    check = json.loads(said(final, "HEALTHCHECK")[0].split(" CMD ")[1])
    [signal_name] = said(final, "STOPSIGNAL")
    url = empty_database()
    deploy(url)
    (tmp_path / "url").write_text(url)
    (tmp_path / "key").write_text(KEY)
    worker = WorkerProcess(
        {
            **QUICK,
            **env,
            "HUB_DATABASE_URL_FILE": str(tmp_path / "url"),
            "HUB_SECRET_KEY_FILE": str(tmp_path / "key"),
            "HUB_SUPABASE_URL": "http://127.0.0.1:9",
        },
        tmp_path,
        (str(installed.bin / entry[0]), *entry[1:], *command),
    )

    def health() -> int:
        return subprocess.run(
            [installed.bin / check[0], *check[1:]], env=env, capture_output=True
        ).returncode

    try:
        worker.wait_until(lambda: health() == 0)
        worker.process.send_signal({"SIGTERM": 15}[signal_name])
        assert worker.wait() == 0
        assert health() == 1
    finally:
        worker.kill()


# compose


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return loaded


def test_compose_file_is_one() -> None:
    run(
        tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec",
        str(DEPLOY / "compose.yaml"),
    )  # fmt: skip


def test_compose_runs_commands_there_are(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        build = service.get("build")
        if build is None:
            continue
        assert (DEPLOY / build["context"] / build["dockerfile"]).resolve() == DEPLOY / "Dockerfile"
        if "entrypoint" in service:
            *_, module = service["entrypoint"]
            assert (PROJECT_ROOT / (module.replace(".", "/") + ".py")).exists(), name
        else:
            assert_command(service["command"])


def test_compose_sets_variables_there_are(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        variables = service.get("environment", {})
        assert {one for one in variables if one.startswith("HUB_")} <= known_variables(), name
        for file in (text for one, text in variables.items() if one.endswith("_FILE")):
            assert Path(file).name in service["secrets"], name
    assert set(compose["secrets"]) == {"database_url", "secret_key"}


def test_compose_deploys_before_it_works(compose: dict[str, Any]) -> None:
    """Postgres answers, then its look-alikes and the schema are made, then the worker starts."""
    services = compose["services"]
    done, healthy = "service_completed_successfully", "service_healthy"

    def after(name: str) -> dict[str, str]:
        return {other: how["condition"] for other, how in services[name]["depends_on"].items()}

    assert after("worker") == {"deploy": done}
    assert after("trial-look-alikes") == {"postgres": healthy}
    assert after("trial-deploy") == {"trial-look-alikes": done}
    assert after("trial-worker")["trial-deploy"] == done


def test_compose_lets_the_worker_finish(compose: dict[str, Any]) -> None:
    for name in ("worker", "trial-worker"):
        assert float(compose["services"][name]["stop_grace_period"].rstrip("s")) > GRACE


def test_each_profile_is_whole(compose: dict[str, Any]) -> None:
    """What a service waits for, or shares a network with, is there whenever it is."""
    services = compose["services"]
    for name, service in services.items():
        needed = [*service.get("depends_on", {})]
        if shared := service.get("network_mode"):
            needed.append(shared.removeprefix("service:"))
        for other in needed:
            assert set(service["profiles"]) <= set(services[other]["profiles"]), (name, other)


def test_trial_is_accepted_by_the_worker(
    compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """APP-11: the guard against mixing sandbox and production lets it through, as a trial."""
    for name, text in compose["services"]["trial-worker"]["environment"].items():
        monkeypatch.setenv(name, text.replace("${POSTGRES_PASSWORD:-}", "x"))
    assert Settings.model_validate({}).environment == "local"


# systemd


def unit(name: str) -> Unit:
    return read_unit(DEPLOY / "systemd" / name)


@pytest.mark.parametrize("name", UNITS)
def test_systemd_reads_the_unit(installed: Installed, tmp_path: Path, name: str) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    text = (DEPLOY / "systemd" / name).read_text()
    (tmp_path / name).write_text(text.replace(OURS, str(installed.root / "venv")))
    done = subprocess.run(
        [analyze, "verify", "--man=no", str(tmp_path / name)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert name not in done.stderr, done.stderr
    run(analyze, "security", "--offline=yes", f"--threshold={MOST_EXPOSED}", str(tmp_path / name))


@pytest.mark.parametrize("name", UNITS)
def test_unit_runs_a_command_there_is(name: str) -> None:
    [command] = unit(name)["ExecStart"]
    program, *words = command.split()
    assert program == f"{OURS}/bin/hub"
    assert_command(words)


@pytest.mark.parametrize("name", UNITS)
def test_unit_hands_secrets_out_as_files(name: str) -> None:
    """LoadCredential= and the settings' _FILE variables name the same."""
    said = unit(name)
    loaded = dict(one.split(":") for one in said["LoadCredential"])
    given = dict(one.split("=") for one in said["Environment"])
    assert set(given) <= known_variables()
    assert {path.removeprefix("%d/") for path in given.values()} == set(loaded)
    for credential, source in loaded.items():
        assert given[f"HUB_{credential.upper()}_FILE"] == f"%d/{credential}"
        assert source == f"/etc/hybrid-hub/{credential}"


def test_units_are_equally_hard() -> None:
    """What one denies itself, so does the other."""
    own = {
        "Description", "Type", "ExecStart", "LoadCredential", "Environment", "EnvironmentFile",
        "TimeoutStartSec", "TimeoutStopSec", "WatchdogSec", "Restart", "RestartSec", "After",
        "RestartPreventExitStatus", "KillMode", "StateDirectory", "TasksMax", "WantedBy",
    }  # fmt: skip
    deploy_unit, worker_unit = (
        {key: values for key, values in unit(name).items() if key not in own} for name in UNITS
    )
    assert deploy_unit == worker_unit
    assert len(worker_unit) > 25


def test_unit_suits_the_worker() -> None:
    said = unit("hub-worker.service")
    assert said["Type"] == ["notify"]
    assert float(said["TimeoutStopSec"][0]) > GRACE
    assert said["RestartPreventExitStatus"] == [str(REFUSED)]
    lines = (DEPLOY / "worker.env").read_text().splitlines()
    names = {line.split("=")[0] for line in lines if line and not line.startswith("#")}
    assert names <= known_variables()


def test_worker_takes_its_secrets_from_credentials(
    installed: Installed, empty_database: Callable[[], str], tmp_path: Path
) -> None:
    """With the unit's variables, %d being what systemd puts into CREDENTIALS_DIRECTORY."""
    url = empty_database()
    deploy(url)
    (tmp_path / "database_url").write_text(url)
    (tmp_path / "secret_key").write_text(KEY)
    given = dict(one.split("=") for one in unit("hub-worker.service")["Environment"])
    worker = WorkerProcess(
        {
            **QUICK,
            **{name: path.replace("%d", str(tmp_path)) for name, path in given.items()},
            "HUB_SUPABASE_URL": "http://127.0.0.1:9",
        },
        tmp_path,
        (str(installed.bin / "hub"), "worker"),
    )
    try:
        worker.wait_ready()
        until(lambda: worker.said("working"))
    finally:
        worker.kill()
