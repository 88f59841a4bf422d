"""Who may join a private topic: Realtime asks the policies on realtime.messages."""

from __future__ import annotations

from uuid import UUID

import pytest

from tests.support.callers import Connection, as_user, one, refused
from tests.support.people import make_people

JOIN = "select count(*) from realtime.messages where extension = 'broadcast'"


def may_join(db: Connection, who: UUID | None, topic: str, role: str = "authenticated") -> bool:
    """As Realtime does it: the topic in a setting, then a read under the joiner's claims."""
    with as_user(db, who, role):
        db.execute("select set_config('realtime.topic', %s, true)", [topic])
        return bool(one(db, JOIN))


@pytest.fixture(autouse=True)
def message(db: Connection) -> None:
    db.execute(
        "insert into realtime.messages (topic, extension, event, private)"
        " values ('any', 'broadcast', 'probe', true)"
    )


def test_a_person_joins_their_own_topic_and_no_other(db: Connection) -> None:
    """RTM-1."""
    amara, biko = make_people(db, 2)
    assert may_join(db, amara, f"user:{amara}")
    assert not may_join(db, biko, f"user:{amara}")
    assert not may_join(db, None, f"user:{amara}")
    assert not may_join(db, None, "user:")
    assert not may_join(db, amara, "user:%")
    assert one(db, JOIN) == 1  # hidden, not absent


def test_anon_joins_nothing(db: Connection) -> None:
    """RTM-1."""
    (amara,) = make_people(db, 1)
    assert not may_join(db, amara, f"user:{amara}", role="anon")


def test_clients_do_not_send(db: Connection) -> None:
    """RTM-1: only the worker's secret key sends."""
    (amara,) = make_people(db, 1)
    with as_user(db, amara), refused(db, "42501"):
        db.execute(
            "insert into realtime.messages (topic, extension, event, private)"
            " values (%s, 'broadcast', 'balance_updated', true)",
            [f"user:{amara}"],
        )
