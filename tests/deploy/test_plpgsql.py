"""plpgsql_check over our functions, where the machine has it (Postgres 15)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from procrastinate_app.deploy import deploy, plpgsql
from procrastinate_app.local import hosted, postgres

pytestmark = pytest.mark.skipif(
    not plpgsql.is_installed(), reason=f"needs {plpgsql.PACKAGE} for Postgres {plpgsql.MAJOR}"
)


@pytest.fixture(scope="module")
def deployed() -> Iterator[postgres.Server]:
    with hosted.start(major=plpgsql.MAJOR) as server:
        hosted.prepare(server.url())
        deploy(server.url())
        yield server


@pytest.fixture
def conn(deployed: postgres.Server) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(deployed.url(user=hosted.ADMIN)) as conn:
        plpgsql.install(conn)
        yield conn
        conn.rollback()


def test_no_function_has_an_error_or_a_warning(conn: psycopg.Connection[Any]) -> None:
    """Triggers on each of their tables, and functions that take rows, too."""
    assert plpgsql.count(conn) > 100
    assert plpgsql.complaints(plpgsql.findings(conn)) == []


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (
            "create function app.planted() returns void language plpgsql set search_path = ''"
            " as $$ begin perform from consensus.no_such_table; end $$",
            'relation "consensus.no_such_table" does not exist',
        ),
        (
            "create function app.planted(p_item consensus.items) returns uuid language plpgsql"
            " as $$ begin return p_item.no_such_column; end $$",
            'record "p_item" has no field "no_such_column"',
        ),
        (
            "create function app.planted() returns void language plpgsql"
            " as $$ declare v_unused integer; begin end $$",
            'unused variable "v_unused"',
        ),
        (
            "create function app.planted(p_text text) returns void language plpgsql"
            " as $$ begin execute 'select ' || p_text; end $$",
            "text type variable is not sanitized",
        ),
        (
            "create function app.tg_planted() returns trigger language plpgsql"
            " as $$ begin new.no_such_column := 1; return new; end $$;"
            "create trigger planted before insert on public.clips"
            " for each row execute function app.tg_planted()",
            'record "new" has no field "no_such_column"',
        ),
        (
            "create function app.tg_planted() returns trigger language plpgsql"
            " as $$ begin return null; end $$",
            "a trigger function that no trigger calls",
        ),
    ],
    ids=["table", "row", "unused", "injection", "trigger", "orphan"],
)
def test_a_planted_mistake_is_found(
    conn: psycopg.Connection[Any], mistake: str, message: str
) -> None:
    conn.execute(mistake.encode())
    said = plpgsql.complaints(plpgsql.findings(conn))
    assert [line for line in said if "planted" in line and message in line], said


def test_an_exception_that_is_not_needed_is_a_complaint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plpgsql, "ALLOWED", {("app.gone", "a warning"): "a reason"})
    assert plpgsql.complaints([]) == ["app.gone: 'a warning' is allowed and not found any more"]
