"""APP-9: what an operator and an auditor type, and what it tells them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from procrastinate_app.cli import app
from tests.support.callers import Connection
from tests.support.databases import FreshDatabase
from tests.support.seals import head, record, seal_all, seal_by_hand


@pytest.fixture(autouse=True)
def _address(fresh_db: FreshDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_DATABASE_URL", fresh_db.url)


def hub(*words: str, given: str | None = None) -> Result:
    return CliRunner().invoke(app, words, input=given)


def tamper(conn: Connection) -> None:
    conn.execute("alter table audit.events disable trigger _100_refuse_change")
    conn.execute("update audit.events set reason = 'another' where id = 2")
    conn.execute("alter table audit.events enable always trigger _100_refuse_change")


def test_head_is_printed_and_appended(conn: Connection, tmp_path: Path) -> None:
    """APP-9"""
    kept = tmp_path / "heads"
    assert hub("seal", "head").stdout == ""
    record(conn, 3)
    seal_all(conn)
    for _ in range(2):
        told = json.loads(hub("seal", "head", "--to", str(kept)).stdout)
        assert (told["chain"], f"{told['seal_no']}:{told['digest']}") == (
            "audit.events",
            head(conn),
        )
    assert [json.loads(line) for line in kept.read_text().splitlines()] == [told, told]


def test_verify_without_a_head_says_what_it_cannot_prove(conn: Connection) -> None:
    """APP-9"""
    record(conn, 3)
    seal_all(conn)
    told = hub("seal", "verify")
    assert told.exit_code == 0
    assert "     -  the outside head is in the chain" in told.stdout
    assert "cannot show that nobody rewrote rows and seals together" in told.stdout


def test_verify_against_a_head_proves(conn: Connection, tmp_path: Path) -> None:
    """APP-9: the file may be the worker's log, with other lines in it."""
    kept = tmp_path / "heads"
    record(conn, 3)
    seal_all(conn)
    hub("seal", "head", "--to", str(kept))
    record(conn, 2)
    seal_all(conn)
    hub("seal", "head", "--to", str(kept))
    log = '{"event": "working"}\nnot json\n' + kept.read_text()
    told = hub("seal", "verify", "--head", "-", given=log)
    assert told.exit_code == 0, told.output
    assert "    ok  the outside head is in the chain  (proved up to seal 2" in told.stdout
    assert "    ok  every head in the file is in the chain  (2 heads)" in told.stdout
    assert "No outside head" not in told.stdout


def test_a_change_ends_with_one_and_says_where(conn: Connection, tmp_path: Path) -> None:
    """APP-9"""
    kept = tmp_path / "heads"
    record(conn, 3)
    seal_all(conn)
    hub("seal", "head", "--to", str(kept))
    tamper(conn)
    for words in (("seal", "verify"), ("seal", "verify", "--head", str(kept))):
        told = hub(*words)
        assert told.exit_code == 1
        assert "BROKEN  sealed rows are what was sealed  (seal 1," in told.stdout
    found = json.loads(hub("seal", "verify", "audit.events", "--json").stdout)
    assert [row["holds"] for row in found["audit.events"]].count(False) == 1


def test_a_file_without_a_head_of_the_chain_is_no_proof(conn: Connection, tmp_path: Path) -> None:
    """APP-9: an empty file must not pass for one."""
    empty = tmp_path / "heads"
    empty.write_text("")
    told = hub("seal", "verify", "--head", str(empty))
    assert told.exit_code == 1
    assert "BROKEN  the file has a head of this chain" in told.stdout
    assert hub("seal", "verify", "--head", str(tmp_path / "none")).exit_code == 1


def test_an_older_head_that_was_rewritten_shows(conn: Connection, tmp_path: Path) -> None:
    """APP-9: every line of the file is held against the chain, not only the last."""
    kept = tmp_path / "heads"
    record(conn, 3)
    seal_all(conn)
    kept.write_text(json.dumps({"chain": "audit.events", "seal_no": 1, "digest": "0" * 64}) + "\n")
    record(conn, 3)
    seal_all(conn)
    hub("seal", "head", "--to", str(kept))
    told = hub("seal", "verify", "--head", str(kept))
    assert told.exit_code == 1
    assert "BROKEN  every head in the file is in the chain  (seal 1)" in told.stdout


def test_a_head_over_a_seal_that_leaves_columns_out_is_not_given(
    conn: Connection, tmp_path: Path
) -> None:
    """APP-9, R37"""
    kept = tmp_path / "heads"
    record(conn, 3)
    seal_by_hand(conn, "array['id']")
    told = hub("seal", "head", "--to", str(kept))
    assert told.exit_code != 0
    assert "audit.events: seal 1 leaves out the column at" in told.output
    assert not kept.exists()
