"""APP-7, R48: secrets put in at one end show at no other.

Canaries are set through the command line; then every table, log, dump, door and error that a
client, or a reader of logs, could see is searched for them. tests/worker/test_rotation.py does the
same for the worker's own key.
"""

from __future__ import annotations

import subprocess
import sys
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from typer.testing import CliRunner, Result

from procrastinate_app.cli import app
from tests.support.callers import Connection, Refusal, as_user, one
from tests.support.databases import FreshDatabase
from tests.support.doors import call_body, doors, json_body
from tests.support.people import make_admin

OLD, NEW = f"canary-{uuid4().hex}", f"canary-{uuid4().hex}"

RELATIONS = """
select n.nspname, c.relname
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm')
  and n.nspname <> 'information_schema'
"""


def hub(*words: str, given: str | None = None) -> Result:
    return CliRunner().invoke(app, words, input=given)


@pytest.fixture
def logging_all(fresh_db: FreshDatabase) -> None:
    """The server logs every statement with its parameters, and every error with its statement."""
    with fresh_db.connect() as owner:
        name = sql.Identifier(fresh_db.name)
        for setting, text in {
            "log_statement": "all",
            "log_min_duration_statement": "0",
            "log_parameter_max_length": "-1",
            "log_parameter_max_length_on_error": "-1",
            "log_min_error_statement": "debug5",
            "log_error_verbosity": "verbose",
        }.items():
            owner.execute(
                sql.SQL("alter database {} set {} = {}").format(
                    name, sql.Identifier(setting), sql.Literal(text)
                )
            )


@pytest.fixture
def secret(fresh_db: FreshDatabase, logging_all: None, monkeypatch: pytest.MonkeyPatch) -> str:
    """Two canaries, both active, set by the command line from its input and from a file."""
    monkeypatch.setenv("HUB_DATABASE_URL", fresh_db.url)
    assert hub("secrets", "provider", "table").exit_code == 0
    for value in (OLD, NEW):
        told = hub("secrets", "set", "stripe_hook", "--reason", "rotation", given=f"{value}\n")
        assert told.exit_code == 0, told.output
    return "stripe_hook"


def shows(text: str) -> bool:
    return any(canary in text for canary in (OLD, NEW))


def test_a_secret_set_by_the_command_line_stays_out_of_the_servers_log(
    fresh_db: FreshDatabase, secret: str
) -> None:
    """APP-7: though the server logs every statement and parameter."""
    with fresh_db.connect() as owner:
        assert [row[0] for row in owner.execute("select secrets.active(%s)", [secret])] == [
            NEW,
            OLD,
        ]
    log = fresh_db.server.log.read_text(errors="replace")
    assert "secrets.put(" in log
    assert not shows(log)


def test_the_command_line_never_prints_a_value(secret: str) -> None:
    """APP-7"""
    for words in (
        ("secrets", "list"), ("secrets", "list", "--json"), ("secrets", "provider"),
        ("secrets", "retire", "1"), ("secrets", "retire", "2"), ("secrets", "retire", "9"),
        ("secrets", "list"),
    ):  # fmt: skip
        told = hub(*words)
        assert not shows(told.output)
    assert "stripe_hook" in told.output
    assert hub("secrets", "retire", "2").exit_code == 1
    refused_value = hub("secrets", "set", "Bad Name", given=NEW)
    assert refused_value.exit_code == 1
    assert not shows(refused_value.output)


def test_the_value_is_no_argument(fresh_db: FreshDatabase, secret: str) -> None:
    """APP-7: what stands on a command line stands in the process list and the shell's history."""
    assert hub("secrets", "set", "stripe_hook", NEW).exit_code == 2
    listed = subprocess.run(
        [sys.executable, "-m", "procrastinate_app", "secrets", "set", "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "--value" not in listed


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role"])
def test_no_row_that_an_api_role_can_read_holds_it(
    fresh_db: FreshDatabase, secret: str, role: str
) -> None:
    """APP-7, R48: every table and view of the database, as an admin; hidden, not absent."""
    with fresh_db.connect(autocommit=False) as owner:
        admin = make_admin(owner)
        relations = owner.execute(RELATIONS).fetchall()
        read = 0
        with as_user(owner, admin, role=role):
            for schema, name in relations:
                text = readable(owner, schema, name)
                read += text is not None
                assert not shows(text or ""), (schema, name)
        assert read > 20
        assert shows(readable(owner, "secrets", "stored_values") or "")


def readable(conn: Connection, schema: str, name: str) -> str | None:
    """All rows as text; None when they may not be read."""
    query = sql.SQL("select string_agg(t::text, '|') from {} as t").format(
        sql.Identifier(schema, name)
    )
    try:
        with conn.transaction():
            return str(one(conn, query.as_string(conn)))
    except psycopg.Error:
        return None


def test_no_door_tells_it(fresh_db: FreshDatabase, secret: str) -> None:
    """APP-7: neither an answer nor the body of an error."""
    with fresh_db.connect(autocommit=False) as owner:
        admin = make_admin(owner)
        told: list[str] = []
        with as_user(owner, admin):
            for door in doors(owner):
                names = [str(each.name) for each in door.arguments]
                body = json_body(dict.fromkeys(names))
                try:
                    with owner.transaction():
                        told.append(str(call_body(owner, door, names, body)))
                except psycopg.Error as error:
                    told.append(str(Refusal.of(error)) + str(error.diag.message_detail))
        assert len(told) > 10
        assert [text for text in told if shows(text)] == []


def test_dumps_of_the_queue_and_the_record_do_not_hold_it(
    fresh_db: FreshDatabase, secret: str
) -> None:
    """APP-7: job arguments, attempts, dead letters, outbox, audit and seals."""
    assert hub("secrets", "retire", "1", "--reason", "rotated").exit_code == 0
    schemas = ("jobs", "procrastinate", "audit", "seals", "public", "identity", "app")
    dump = subprocess.run(
        [
            str(fresh_db.server.bindir / "pg_dump"),
            "--data-only",
            *(f"--schema={name}" for name in schemas),
            fresh_db.name,
        ],
        env=fresh_db.server.env(fresh_db.name),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "secret_retired" in dump
    assert not shows(dump)


def test_a_retired_value_is_gone_from_the_whole_database(
    fresh_db: FreshDatabase, secret: str
) -> None:
    """APP-7"""
    assert hub("secrets", "retire", "1").exit_code == 0
    dump = subprocess.run(
        [str(fresh_db.server.bindir / "pg_dump"), "--data-only", fresh_db.name],
        env=fresh_db.server.env(fresh_db.name),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert NEW in dump
    assert OLD not in dump
