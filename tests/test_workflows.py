"""The GitHub workflows: they call what exists, hold no needless secret, and pin what they use."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from procrastinate_app.project import PROJECT_ROOT

WORKFLOWS = sorted((PROJECT_ROOT / ".github" / "workflows").glob("*.yml"))
SECRET = re.compile(r"secrets\.(\w+)")
# what a token may do, and no more
ALLOWED = {"contents": {"read"}, "packages": {"write"}}


def read(path: Path) -> dict[Any, Any]:
    found = yaml.safe_load(path.read_text())
    assert isinstance(found, dict)
    return found


def jobs(path: Path) -> dict[str, Any]:
    found = read(path)["jobs"]
    assert isinstance(found, dict)
    return found


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in jobs(path).values() for step in job["steps"]]


every_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def test_there_are_workflows() -> None:
    assert [path.name for path in WORKFLOWS] == ["ci.yml", "release.yml"]


@every_workflow
def test_every_make_target_named_exists(path: Path) -> None:
    makefile = (PROJECT_ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    named = {
        target
        for step in steps(path)
        for target in re.findall(r"\bmake ([a-z-]+)", step.get("run", ""))
    }
    assert named
    assert named <= targets


@every_workflow
def test_every_file_named_exists(path: Path) -> None:
    named = set(re.findall(r"\b(?:deploy|docs|requirements)/[\w./-]+\w", path.read_text()))
    assert [name for name in sorted(named) if not (PROJECT_ROOT / name).exists()] == []


@every_workflow
def test_actions_are_pinned(path: Path) -> None:
    used = [step["uses"] for step in steps(path) if "uses" in step]
    assert used
    assert [name for name in used if not re.search(r"@(v\d+|[0-9a-f]{40})$", name)] == []


@every_workflow
def test_a_token_may_do_little(path: Path) -> None:
    assert read(path)["permissions"] == {"contents": "read"}
    for job in jobs(path).values():
        for scope, right in job.get("permissions", {}).items():
            assert right in ALLOWED[scope]
    for step in steps(path):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@every_workflow
def test_no_stranger_runs_with_our_rights(path: Path) -> None:
    """YAML reads the key `on` as true."""
    assert "pull_request_target" not in read(path)[True]


@every_workflow
def test_no_expression_is_pasted_into_a_script(path: Path) -> None:
    """A branch's name may hold shell commands: values reach a script by its environment."""
    assert [step["run"] for step in steps(path) if "${{" in step.get("run", "")] == []


@every_workflow
def test_every_job_ends_by_itself(path: Path) -> None:
    assert [name for name, job in jobs(path).items() if "timeout-minutes" not in job] == []


def test_ci_needs_no_secret_and_gives_way_to_the_next_push() -> None:
    path = PROJECT_ROOT / ".github/workflows/ci.yml"
    assert SECRET.findall(path.read_text()) == []
    assert read(path)["concurrency"]["cancel-in-progress"] is True


def test_ci_covers_what_is_supported() -> None:
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]
    matrix = jobs(PROJECT_ROOT / ".github/workflows/ci.yml")["tests"]["strategy"]["matrix"]
    assert matrix["postgres"] == [15, 16, 17, 18]
    assert matrix["platform"] == ["plain", "hosted"]
    assert matrix["python"][0] == project["requires-python"].removeprefix(">=")
    assert len(matrix["python"]) > 1


def test_a_release_reads_the_database_address_only_where_somebody_approved() -> None:
    path = PROJECT_ROOT / ".github/workflows/release.yml"
    assert set(SECRET.findall(path.read_text())) == {"HUB_DATABASE_URL"}
    for job in jobs(path).values():
        if SECRET.search(yaml.dump(job)):
            assert job["environment"] == "production"
    assert read(path)["concurrency"]["cancel-in-progress"] is False


def test_a_release_migrates_before_workers_are_rolled_out() -> None:
    found = jobs(PROJECT_ROOT / ".github/workflows/release.yml")
    assert set(found["migrate"]["needs"]) == {"build", "image"}
    assert found["roll-out"]["needs"] == "migrate"
    ran = [step.get("run") for step in found["migrate"]["steps"]]
    assert ran.index("hub plan") < ran.index("hub deploy")
