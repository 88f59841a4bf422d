"""JOB-6, OPS-4: `hub jobs`, as operators use it."""

from __future__ import annotations

import json
import os
import pwd
from datetime import UTC, datetime
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from procrastinate_app import jobs_cli
from tests.support.callers import Connection
from tests.support.databases import FreshDatabase
from tests.support.events import emit, end_pause, settle, take, value

APP = typer.Typer()
jobs_cli.register(APP)


@pytest.fixture
def conn(fresh_db: FreshDatabase, monkeypatch: pytest.MonkeyPatch) -> Connection:
    """A queue with a waiting job, a dead event and a retried one."""
    monkeypatch.setenv("HUB_DATABASE_URL", fresh_db.url)
    made = fresh_db.connect()
    made.execute("select jobs.defer('jobs:purge', '{\"timestamp\": 0}')")
    emit(made)
    settle(made, take(made), "rejected")
    emit(made)
    settle(made, take(made), "retry")
    return made


def hub(*args: str, ends: int = 0) -> str:
    result = CliRunner().invoke(APP, ["jobs", *args])
    assert result.exit_code == ends, result.output
    return result.output


def hub_json(*args: str, ends: int = 0) -> Any:
    """What goes to standard output; how far it is goes elsewhere."""
    result = CliRunner().invoke(APP, ["jobs", *args, "--json"])
    assert result.exit_code == ends, result.output
    return json.loads(result.stdout)


@pytest.mark.usefixtures("conn")
def test_list_shows_all_kinds() -> None:
    assert {(row["id"], row["state"]) for row in hub_json("list")} == {
        ("1", "waiting"),
        ("d1", "dead"),
        ("e2", "retrying"),
    }
    assert "jobs:purge" in hub("list")
    assert [row["id"] for row in hub_json("list", "--state", "dead")] == ["d1"]
    assert [row["id"] for row in hub_json("list", "--what", "jobs:")] == ["1"]
    assert "nothing" in hub("list", "--state", "failed")


def test_the_list_is_a_table_of_whole_lines(conn: Connection) -> None:
    """One line for each, whatever the terminal's width: for eyes, grep and cut."""
    conn.execute("update jobs.dead_letters set error_class = 'Odd\n[red]\x1b[2J' where id = 1")
    at = {
        row[0]: (utc(row[1]), row[2] and utc(row[2]))
        for row in conn.execute("select id, since, due_at from jobs.list_jobs()")
    }
    assert hub("list").splitlines() == [
        "id  state     what                      attempts  since                due_at"
        "               error_class",
        "e2  retrying  realtime balance_updated  0         {}  {}  HTTP 500".format(*at["e2"]),
        f"d1  dead      realtime balance_updated  1         {at['d1'][0]}"
        "                       Odd [red] [2J",
        f"1   waiting   jobs:purge                0         {at['1'][0]}",
    ]


def test_show_is_a_list_of_names_and_a_table_of_tries(conn: Connection) -> None:
    [(since,), (tried,)] = conn.execute(
        "select since from jobs.list_jobs('d1') union all select at from jobs.list_attempts('d1')"
    ).fetchall()
    shown = hub("show", "d1").splitlines()
    assert shown[:-1] == [
        "id             d1",
        "state          dead",
        "what           realtime balance_updated",
        "attempts       1",
        f"since          {utc(since)}",
        "error_class    HTTP 500",
        "error_message  no",
        f"details        {json.dumps(hub_json('show', 'd1')['details'])}",
        "",
        "at                   outcome   error_class  error_message  error_trace",
    ]
    assert shown[-1] == f"{utc(tried)}  rejected  HTTP 500     no             here"
    assert "error_class" not in hub("show", "1")


def utc(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


@pytest.mark.usefixtures("conn")
def test_show_tells_the_story() -> None:
    shown = hub_json("show", "d1")
    assert shown["details"]["reason"] == "rejected"
    assert [attempt["error_class"] for attempt in shown["attempts_made"]] == ["HTTP 500"]
    assert "HTTP 500" in hub("show", "e2")
    assert "waiting" in hub("show", "1")
    assert "nothing on the queue" in hub("show", "999", ends=1)


def test_redrive_by_filter_first_as_a_dry_run(conn: Connection) -> None:
    """JOB-6"""
    why = ("--stream", "realtime", "--reason", "fixed")
    assert "1 would be redriven" in hub("redrive", *why, "--dry-run")
    assert hub_json("redrive", *why, "--dry-run")["count"] == 1
    assert value(conn, "select count(*) from jobs.dead_letters where redriven_at is null") == 1
    assert "1 redriven" in hub("redrive", *why)
    assert value(conn, "select reason from audit.events") == "fixed"
    assert hub_json("list", "--state", "dead") == []


@pytest.mark.usefixtures("conn")
def test_redrive_one() -> None:
    """JOB-6"""
    told = hub_json("redrive", "d1", "--reason", "fixed")
    assert (told["count"], told["refused"]) == (1, [])
    assert [row["id"] for row in told["sample"]] == [1]
    assert "no dead letter d1" in hub("redrive", "d1", "--reason", "fixed", ends=1)
    assert "is not a dead letter" in hub("redrive", "1", "--reason", "fixed", ends=1)


@pytest.mark.usefixtures("conn")
def test_redrive_needs_to_be_told_which_and_why() -> None:
    """JOB-6: never everything by accident."""
    assert "name a dead letter" in hub("redrive", "--reason", "fixed", ends=1)
    hub("redrive", "d1", ends=2)
    assert "needs a reason" in hub("redrive", "d1", "--reason", " ", ends=1)


def test_redrive_in_batches_ends_and_tells_of_what_it_cannot(conn: Connection) -> None:
    """JOB-6: a letter that is refused is passed over, not tried for ever."""
    end_pause(conn)
    settle(conn, take(conn), "rejected")
    conn.execute(
        "insert into jobs.dead_letters (job_id, task, args, reason, attempts, created_at)"
        " select n, 'old:gone', '{}', 'exhausted', 1, now() - interval '1 day'"
        " from generate_series(1, 3) as n"
    )
    told = hub_json("redrive", "--since", "2000-01-01", "--reason", "all", "--batch", "2", ends=1)
    assert told["count"] == 2
    assert [row["refused"] for row in told["refused"]] == ["unknown task old:gone"] * 3


def test_whoever_does_it_is_on_record(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """APP-9: --as, else HUB_OPERATOR, else the account."""
    operator = "select details ->> 'operator' from audit.events order by id desc limit 1"
    hub("pause", "clock", "--reason", "x", "--as", "ama")
    assert value(conn, operator) == "ama"
    monkeypatch.setenv("HUB_OPERATOR", "kofi")
    hub("resume", "clock", "--reason", "x")
    assert value(conn, operator) == "kofi"
    monkeypatch.delenv("HUB_OPERATOR")
    monkeypatch.delenv("SUDO_USER", raising=False)
    hub("pause", "clock", "--reason", "x")
    assert value(conn, operator) == pwd.getpwuid(os.getuid()).pw_name


def test_pause_and_resume(conn: Connection) -> None:
    """JOB-7"""
    assert "clock" in hub("pause", "clock", "--reason", "night", "--dry-run")
    assert value(conn, "select count(*) from jobs.pauses") == 0
    [paused] = hub_json("pause", "clock", "--reason", "night")
    assert (paused["kind"], paused["name"], paused["is_changed"]) == ("queue", "clock", True)
    assert "night" in hub("queues")
    [shown] = [row for row in hub_json("queues") if row["name"] == "clock"]
    assert shown["reason"] == "night"
    assert hub_json("resume", "clock", "--reason", "day")[0]["is_changed"]
    assert "neither a queue nor a stream" in hub("pause", "nobody", "--reason", "x", ends=1)
    hub("pause", "clock", ends=2)
    assert "must not be empty" in hub("pause", "clock", "--reason", " ", ends=1)


def test_purge_first_as_a_dry_run(conn: Connection) -> None:
    """JOB-6"""
    what = ("purge", "attempts", "--older-than", "0s", "--reason", "space")
    count = value(conn, "select count(*) from jobs.attempts")
    told = hub_json(*what, "--dry-run")
    assert (told["count"], len(told["sample"])) == (count, count)
    assert value(conn, "select count(*) from jobs.attempts") == count
    assert f"{count} deleted" in hub(*what, "--batch", "1")
    assert value(conn, "select count(*) from jobs.attempts") == 0
    assert value(conn, "select count(*) from audit.events") == count


@pytest.mark.usefixtures("conn")
def test_purge_needs_an_age_and_a_reason() -> None:
    """JOB-6: never everything by accident."""
    hub("purge", "dead", "--reason", "x", ends=2)
    hub("purge", "dead", "--older-than", "1d", ends=2)
    hub("purge", "everything", "--older-than", "1d", "--reason", "x", ends=2)
    assert "is no age" in hub("purge", "dead", "--older-than", "1w", "--reason", "x", ends=1)


@pytest.mark.usefixtures("conn")
def test_retry_now() -> None:
    """JOB-6"""
    hub("redrive", "d1", "--reason", "x")
    assert "realtime balance_updated is tried now" in hub("retry", "e2", "--reason", "x")
    assert "does not wait" in hub("retry", "1", "--reason", "x", ends=1)
    assert "hub jobs redrive d1" in hub("retry", "d1", "--reason", "x", ends=1)
    assert "neither a job" in hub("retry", "x", "--reason", "x", ends=1)


@pytest.mark.usefixtures("conn")
def test_cancel() -> None:
    assert hub("cancel", "1").strip() == "cancelled"
    assert "no job 1 waits" in hub("cancel", "1", ends=1)


def test_unreachable_database_is_said_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_DATABASE_URL", "postgresql://postgres:hush@127.0.0.1:9/x")
    said = hub("list", ends=1)
    assert "hush" not in said
    assert "Traceback" not in said
