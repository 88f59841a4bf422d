"""APP-2: one clock, which tests can stop and nobody else."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from procrastinate_app.project import PROJECT_ROOT
from tests.support.callers import Connection, as_user, one, refused
from tests.support.people import make_user
from tests.support.work import submit

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)


def test_the_clock_is_the_transactions_time(db: Connection) -> None:
    assert one(db, "select app.now() = now()")
    assert one(db, "select app.clock_is_frozen()") is False


def test_a_frozen_clock_stands_for_every_role(db: Connection) -> None:
    db.execute("select app.freeze_clock(%s)", [NOON])
    assert one(db, "select app.clock_is_frozen()") is True
    for role in ("anon", "authenticated", "service_role"):
        with as_user(db, None, role=role):
            assert one(db, "select app.now()") == NOON


def test_freezing_again_moves_the_clock_and_null_lets_it_run(db: Connection) -> None:
    db.execute("select app.freeze_clock('2029-01-01'), app.freeze_clock(%s)", [NOON])
    assert one(db, "select app.now()") == NOON
    db.execute("select app.freeze_clock(null)")
    assert one(db, "select app.now() = now()")
    assert one(db, "select app.clock_is_frozen()") is False


def test_rules_write_the_frozen_time(db: Connection) -> None:
    author = make_user(db)
    db.execute("select app.freeze_clock(%s)", [NOON])
    clip = submit(db, author)
    assert one(db, "select created_at from public.clips where id = %s", [clip]) == NOON


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role"])
def test_nobody_but_the_owner_stops_the_clock(db: Connection, role: str) -> None:
    with as_user(db, None, role=role):
        with refused(db, "42501"):
            db.execute("select app.freeze_clock(%s)", [NOON])
        with refused(db, "42501"):
            db.execute("insert into app.clock (frozen_at) values (%s)", [NOON])
        with refused(db, "42501"):
            db.execute("select * from app.clock")
    assert one(db, "select count(*) from app.clock") == 0


def test_no_rule_reads_another_clock() -> None:
    """Every rule of the business goes by app.now(). The queue and the seals keep the wall
    clock on purpose, and so does what times itself."""
    other_clocks = ("now()", "clock_timestamp()", "statement_timestamp()", "current_timestamp")
    wall_clock = {Path("sql/app/now.sql"), Path("sql/ledger/check_books.sql")}
    found = []
    for path in sorted((PROJECT_ROOT / "sql").rglob("*.sql")):
        place = path.relative_to(PROJECT_ROOT)
        if place in wall_clock or place.parts[1] in ("jobs", "seals"):
            continue
        for line in path.read_text().splitlines():
            code = line.split("--")[0].lower().replace("app.now()", "")
            if any(clock in code for clock in other_clocks) and not code.startswith("'"):
                found.append(f"{place}: {line.strip()}")
    assert found == []
