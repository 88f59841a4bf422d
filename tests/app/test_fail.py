"""APP-4: errors leave through one door, as the API and psql both can read them."""

from __future__ import annotations

import json

import psycopg
import pytest

from tests.support.callers import Connection, as_user, one, refused


def error_of(db: Connection, query: str, *parameters: object) -> psycopg.Error:
    with pytest.raises(psycopg.Error) as caught, db.transaction():
        db.execute(query, parameters)
    return caught.value


def test_a_failure_is_exactly_what_the_api_answers_with(db: Connection) -> None:
    with as_user(db, None, role="anon", headers={"x-request-id": "req-1"}):
        error = error_of(db, "select app.fail('handle_taken')")
    assert error.sqlstate == "PGRST"
    assert json.loads(error.diag.message_primary or "") == {
        "code": "handle_taken",
        "message": "This handle belongs to somebody else.",
        "details": None,
        "hint": "Choose another handle.",
    }
    assert json.loads(error.diag.message_detail or "") == {
        "status": 409,
        "headers": {"X-Request-Id": "req-1"},
    }


def test_details_hint_and_headers_are_the_rules_own(db: Connection) -> None:
    error = error_of(
        db,
        "select app.fail('invalid_input', 'bio: too long', 'Be brief.', %s)",
        '{"Retry-After": "3"}',
    )
    body = json.loads(error.diag.message_primary or "")
    answer = json.loads(error.diag.message_detail or "")
    assert (body["details"], body["hint"]) == ("bio: too long", "Be brief.")
    assert answer["status"] == 400
    assert answer["headers"]["Retry-After"] == "3"


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role"])
def test_every_code_fails_with_its_own_status_for_every_role(db: Connection, role: str) -> None:
    """APP-3: a stable code and the right status."""
    catalogue = db.execute("select code, status from app.error_catalog()").fetchall()
    assert catalogue
    with as_user(db, None, role=role):
        for code, status in catalogue:
            with refused(db, code) as refusal:
                db.execute("select app.fail(%s)", [code])
            assert refusal.status == status
            assert refusal.message


def test_a_code_outside_the_catalogue_is_our_own_mistake(db: Connection) -> None:
    error = error_of(db, "select app.fail('no_such_code')")
    assert error.sqlstate == "P0001"
    assert "no_such_code" in str(error)


def test_hostile_details_stay_one_json_string(db: Connection) -> None:
    hostile = "'; drop table x; -- \" \\ %s \n \u202e"
    with refused(db, "invalid_input") as refusal:
        db.execute("select app.fail('invalid_input', %s)", [hostile])
    assert refusal.details == hostile


def test_huge_details_are_cut(db: Connection) -> None:
    with refused(db, "invalid_input") as refusal:
        db.execute("select app.fail('invalid_input', repeat('x', 10000000))")
    assert refusal.details == "x" * 500


def test_a_failure_undoes_what_its_transaction_wrote(db: Connection) -> None:
    with refused(db, "invalid_input"):
        db.execute("select audit.record('tried', 'test', '1')")
        db.execute("select app.fail('invalid_input')")
    assert one(db, "select count(*) from audit.events") == 0
