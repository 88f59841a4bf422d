"""Who may see votes, and that nobody writes them."""

from __future__ import annotations

from uuid import UUID

import pytest

from tests.consensus.crowd import cast
from tests.support.callers import Connection, as_user, one, refused
from tests.support.people import (
    give_role,
    make_admin,
    make_moderator,
    make_people,
    make_user,
)
from tests.support.work import submit

CLOSED = [
    "consensus.decisions", "consensus.items", "consensus.kinds", "consensus.leases",
    "consensus.reward_days", "consensus.skips", "consensus.withheld_rewards",
]  # fmt: skip


def voters_seen(db: Connection, who: UUID | None, role: str = "authenticated") -> set[UUID]:
    with as_user(db, who, role):
        rows = db.execute("select voter_id from public.votes").fetchall()
        assert one(db, "select count(*) from public.votes") == len(rows)
    return {row[0] for row in rows}


def test_voters_see_their_own_votes_and_nobody_elses(db: Connection) -> None:
    """CON-1: nor does the author see who voted, nor staff, whose door is votes_on_clip."""
    author, first, second, stranger = make_people(db, 4)
    cast(db, [first, second], submit(db, author))
    ambassador = give_role(db, make_user(db), "ambassador")
    assert voters_seen(db, first) == {first}
    assert voters_seen(db, second) == {second}
    for nobody in (author, stranger, ambassador, None):
        assert voters_seen(db, nobody) == set()
    for staff in (make_moderator(db), make_admin(db)):
        assert voters_seen(db, staff) == set()
    assert voters_seen(db, None, "service_role") == {first, second}


def test_anon_may_not_ask_for_votes(db: Connection) -> None:
    """CON-1."""
    with as_user(db, None, "anon"), refused(db, "42501"):
        one(db, "select count(*) from public.votes")


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role"])
@pytest.mark.parametrize(
    "statement",
    [
        "insert into public.votes (clip_id, voter_id, label) select id, auth.uid(), 'valid'"
        " from public.clips",
        "update public.votes set label = 'invalid'",
        "update public.votes set label = 'invalid' where voter_id = auth.uid()",
        "delete from public.votes",
        "truncate public.votes",
        "select from public.votes for update",
    ],
)
def test_nobody_writes_votes_directly(db: Connection, role: str, statement: str) -> None:
    """CON-1: cast_vote is the door."""
    author, voter = make_people(db, 2)
    cast(db, [voter], submit(db, author))
    with as_user(db, voter, role), refused(db, "42501"):
        db.execute(statement)
    assert db.execute("select voter_id, label from public.votes").fetchall() == [(voter, "valid")]


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role"])
@pytest.mark.parametrize("table", CLOSED)
def test_the_tables_behind_the_rules_are_closed_to_every_client(
    db: Connection, role: str, table: str
) -> None:
    """CON-8: staff, too, read and write them through the doors only."""
    with as_user(db, make_admin(db), role), refused(db, "42501"):
        one(db, f"select count(*) from {table}")
    with as_user(db, make_admin(db), role), refused(db, "42501"):
        one(db, f"delete from {table}")
    one(db, f"select count(*) from {table}")


@pytest.mark.parametrize("session", ["origin", "replica", "local"])
@pytest.mark.parametrize("statement", ["update", "delete", "truncate"])
def test_the_history_of_decisions_is_not_rewritten_even_by_its_owner(
    db: Connection, statement: str, session: str
) -> None:
    """CON-4: nor in a session that calls itself a replica, which fires few triggers."""
    author, first, second = make_people(db, 3)
    cast(db, [first, second], submit(db, author))
    query = {
        "update": "update consensus.decisions set reason = 'x'",
        "delete": "delete from consensus.decisions",
        "truncate": "truncate consensus.decisions",
    }[statement]
    db.execute(f"set local session_replication_role = {session}")
    with refused(db, "append_only"):
        db.execute(query)
    db.execute("set local session_replication_role = origin")
    assert one(db, "select count(*) from consensus.decisions where reason <> 'x'") == 1
