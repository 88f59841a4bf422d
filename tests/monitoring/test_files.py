"""OPS-2: alerts and dashboard speak of what /metrics says, and every alert has its runbook."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from procrastinate_app.outcome import Result
from procrastinate_app.project import PROJECT_ROOT
from tests.support.callers import Connection
from tests.support.events import emit, value
from tests.support.running import Sandbox, WorkerProcess

FOLDER = PROJECT_ROOT / "deploy" / "monitoring"
RUNBOOK = PROJECT_ROOT / "docs" / "how-to" / "operate.md"

# what Prometheus itself adds
ADDED = {"job", "instance", "alertname", "alertstate"}
OUTCOMES = {*map(str, Result), "succeeded", "failed", "retried", "aborted"}

PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="promtool is not here: it comes with Debian's package prometheus"
)


def rules() -> list[dict[str, Any]]:
    found = yaml.safe_load((FOLDER / "rules.yml").read_text())
    return [rule for group in found["groups"] for rule in group["rules"]]


def alerts() -> list[str]:
    return [rule["alert"] for rule in rules()]


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text())
    return found


def queries() -> Iterator[str]:
    for rule in rules():
        yield rule["expr"]
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]


Samples = dict[str, dict[str, set[str]]]


@pytest.fixture
def samples(
    conn: Connection, sandbox: Sandbox, start_worker: Callable[..., WorkerProcess]
) -> Samples:
    """Every metric a worker shows that has done all kinds of work: its labels, their values."""
    conn.execute(
        "insert into jobs.dead_letters (job_id, task, args, reason, attempts)"
        " values (1, 'a:b', '{}', 'exhausted', 2)"
    )
    conn.execute("insert into procrastinate.procrastinate_workers default values")
    conn.execute(
        "insert into procrastinate.procrastinate_jobs"
        " (queue_name, task_name, priority, status, args)"
        " values ('upkeep', 'jobs:purge', 1, 'doing', '{\"timestamp\": 0}')"
    )
    conn.execute("select jobs.defer('ledger:check_books', '{\"timestamp\": 0}')")
    sandbox.fail("500")
    made = emit(conn, 2)
    worker = start_worker(log_sample='{"working": 0}')
    worker.wait_until(lambda: set(made) <= set(sandbox.accepted_ids()))
    worker.wait_until(lambda: value(conn, "select count(*) from jobs.check_results") == 1)
    worker.wait_until(lambda: worker.said("job rescued"))
    worker.wait_until(
        lambda: 'hub_jobs_finished_total{outcome="succeeded"' in worker.get("/metrics")[1]
    )
    found: Samples = {}
    for family in text_string_to_metric_families(worker.get("/metrics")[1]):
        for sample in family.samples:
            labels = found.setdefault(sample.name, defaultdict(set))
            for label, text in sample.labels.items():
                labels[label].add(text)
    return found


def test_every_metric_and_label_that_is_asked_for_is_exposed(samples: Samples) -> None:
    """OPS-2: a misspelt name would never fire, and nobody would know."""
    for query in queries():
        names = set(re.findall(r"\bhub_[a-z0-9_]+", query))
        assert names or "up{" in query, query
        assert names <= samples.keys(), (query, names - samples.keys())
        for name, selector in re.findall(r"\b(hub_[a-z0-9_]+)\{([^}]*)\}", query):
            for label, text in re.findall(r'([a-z]+)\s*=~?\s*"([^"]*)"', selector):
                assert label in samples[name], (query, label)
                known = samples[name][label] | (OUTCOMES if label == "outcome" else set())
                assert set(text.split("|")) <= known, (query, text)
        for listed in re.findall(r"\b(?:by|on) \(([^)]*)\)", query):
            for label in filter(None, re.split(r",\s*", listed)):
                for name in names:
                    assert label in samples[name].keys() | ADDED, (query, name, label)


def test_messages_use_labels_that_their_alert_has() -> None:
    """OPS-2: an unknown one would leave a hole in the message."""
    for rule in rules():
        kept = {
            label
            for listed in re.findall(r"\bby \(([^)]*)\)", rule["expr"])
            for label in re.split(r",\s*", listed)
        }
        if not re.search(r"\b(sum|max|min|count|avg)\b *(by|\()", rule["expr"]):
            kept |= {"instance"}
        said = " ".join(rule["annotations"].values())
        assert set(re.findall(r"\$labels\.([a-z]+)", said)) <= kept, rule["alert"]


def test_metrics_carry_no_ids(samples: Samples) -> None:
    """OPS-1: labels are names from the code; each id would be a series for ever."""
    for name, labels in samples.items():
        for label, texts in labels.items():
            if label in ("le", "version"):
                continue
            assert not [text for text in texts if re.search(r"[0-9]", text)], (name, label, texts)


def test_every_alert_says_how_grave_it_is_and_what_to_do() -> None:
    """OPS-2"""
    for rule in rules():
        assert rule["labels"]["severity"] in ("page", "ticket"), rule["alert"]
        assert len(rule["annotations"]["summary"]) < 80
        assert len(rule["annotations"]["description"]) > 60


def test_every_alert_has_its_section_in_the_runbook_and_no_section_is_left_over() -> None:
    """OPS-2"""
    sections = re.findall(r"^### (Hub\w+)$", RUNBOOK.read_text(), re.MULTILINE)
    assert sections == alerts()
    for rule in rules():
        path, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert PROJECT_ROOT / path == RUNBOOK
        assert anchor == rule["alert"].lower()


def test_the_runbooks_commands_exist() -> None:
    """OPS-4: whoever copies one at night must not find it gone."""
    import typer
    from click import Context

    from procrastinate_app.cli import app

    root = typer.main.get_command(app)
    context = Context(root)
    jobs: Any = root.get_command(context, "jobs")  # type: ignore[attr-defined]
    used = re.findall(r"hub jobs ([a-z]+)([^\n`|#]*)", RUNBOOK.read_text())
    assert used
    for verb, rest in used:
        command = jobs.get_command(context, verb)
        assert command is not None, verb
        known = {option for parameter in command.params for option in parameter.opts}
        assert set(re.findall(r"(--[a-z-]+)", rest)) <= known, (verb, rest)


def test_every_alert_is_tried_and_left_alone_by_the_rule_tests() -> None:
    """OPS-2: rules_test.yml makes each fire, and has its metrics where nothing does."""
    tests = yaml.safe_load((FOLDER / "rules_test.yml").read_text())["tests"]
    fired: set[str] = set()
    quiet = ""
    for test in tests:
        for expected in test.get("promql_expr_test", ()):
            names = re.findall(
                r'alertname="(\w+)"', json.dumps(expected["exp_samples"]).replace("\\", "")
            )
            fired |= set(names)
            if not names:
                quiet += json.dumps(test["input_series"])
    assert fired == set(alerts())
    for rule in rules():
        for name in re.findall(r"\bhub_[a-z0-9_]+", rule["expr"]):
            assert name in quiet, (rule["alert"], name)


@needs_promtool
@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "rules.yml"),
        ("check", "config", "prometheus.yml"),
        ("test", "rules", "rules_test.yml"),
    ],
    ids=" ".join,
)
def test_promtool_agrees(arguments: tuple[str, ...]) -> None:
    """OPS-2: the rules are valid, fire when they should and are silent when they should."""
    assert PROMTOOL
    done = subprocess.run([PROMTOOL, *arguments], cwd=FOLDER, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_promtool_reads_what_the_worker_exposes(
    conn: Connection, start_worker: Callable[..., WorkerProcess]
) -> None:
    """OPS-1: names, types and help as Prometheus wants them."""
    assert PROMTOOL
    worker = start_worker().wait_ready()
    exposed = worker.get("/metrics")[1]
    assert "hub_build_info" in exposed
    done = subprocess.run(
        [PROMTOOL, "check", "metrics"], input=exposed, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboard_is_one_grafana_can_load() -> None:
    """OPS-3: panels do not overlap, each has a query, a unit and a word of explanation."""
    board = dashboard()
    assert board["uid"]
    assert board["templating"]["list"][0]["type"] == "datasource"
    taken: set[tuple[int, int]] = set()
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
        if panel["type"] == "row":
            continue
        assert panel["description"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["targets"], panel["title"]
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${source}"


def test_the_files_stand_where_the_runbook_says() -> None:
    named = re.findall(r"deploy/monitoring/([\w.]+)", RUNBOOK.read_text())
    assert set(named) == {path.name for path in Path(FOLDER).iterdir()}
