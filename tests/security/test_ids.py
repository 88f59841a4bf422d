"""Ids of others: whoever has no business with a thing learns nothing about it and changes nothing.

Numbers such as R3 are the attacks of docs/security.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import psycopg

from tests.support.callers import Connection, as_user, become, one
from tests.support.databases import FreshDatabase
from tests.support.doors import Function, call_body, domains, doors, json_body
from tests.support.world import World, fingerprint, make_world, outcome, plain, told


def ids_of(door: Function) -> Iterator[str]:
    return (str(each.name) for each in door.arguments if each.type == "uuid")


def answers(
    conn: Connection, world: World, door: Function, name: str, *ids: UUID
) -> list[tuple[Any, ...]]:
    """What a member without a role is told at a door for each of these ids."""
    good = plain(door, world, world.member)
    heard: list[tuple[Any, ...]] = []
    with as_user(conn, world.member):
        for value in ids:
            rows: list[Any] = []

            def ask(given: UUID = value, into: list[Any] = rows) -> None:
                into += call_body(conn, door, list(good), json_body({**good, name: str(given)}))

            refusal = outcome(conn, ask)
            heard.append(told(refusal) or ("answered", repr(rows)))
    return heard


def test_unknown_ids_are_refused_at_every_door(db: Connection, world: World) -> None:
    """R3"""
    accepted = [
        (door.name, name)
        for door in doors(db)
        for name in ids_of(door)
        if answers(db, world, door, name, uuid4())[0][0] == "answered"
    ]
    assert accepted == []


def test_protected_actions_tell_nothing_about_the_ids_they_are_given(
    db: Connection, world: World
) -> None:
    """R3, R4, CON-8: whoever may not act is told so before anything is looked up."""
    staff_only = [
        door
        for door in doors(db)
        for name in ids_of(door)
        if answers(db, world, door, name, uuid4())[0][0] == "not_permitted"
    ]
    assert staff_only
    for door in staff_only:
        for name in ids_of(door):
            found = answers(
                db, world, door, name, uuid4(), world.member, world.author, world.admin,
                world.open_clip, world.shown_clip, world.rejected_clip,
            )  # fmt: skip
            assert len(set(found)) == 1, (door.name, name, found)


def test_hidden_ids_are_answered_like_unknown_ones(db: Connection, world: World) -> None:
    """R3, R36, CLP-3: a member who never met a rejected clip cannot tell that it exists."""
    with as_user(db, world.member):
        seen = "select count(*) from public.clips where id = %s"
        assert one(db, seen, [world.rejected_clip]) == 0
    assert one(db, seen, [world.rejected_clip]) == 1
    different = {}
    for door in doors(db):
        for name in ids_of(door):
            unknown, hidden = answers(db, world, door, name, uuid4(), world.rejected_clip)
            if unknown != hidden:
                different[f"{door.name}({name})"] = (unknown[:2], hidden[:2])
    assert different == {}


# Every id there is

UUID_COLUMNS = """
select quote_ident(n.nspname) || '.' || quote_ident(c.relname), quote_ident(a.attname)
from pg_attribute as a
inner join pg_class as c on c.oid = a.attrelid
inner join pg_namespace as n on n.oid = c.relnamespace
where c.relkind in ('r', 'p')
  and a.atttypid = 'uuid'::regtype
  and a.attnum > 0
  and not a.attisdropped
  and n.nspname = any (%s)
"""

# Clips that anybody may judge while they are open, and pass over or vote on when they are offered.
FOR_EVERY_REVIEWER = {"cast_vote", "skip_clip"}


def every_id(conn: Connection) -> set[UUID]:
    """Whatever stands in a uuid column of ours, and the ids of people."""
    found = {row[0] for row in conn.execute("select id from auth.users")}
    for table, column in conn.execute(UUID_COLUMNS, [["public", *domains(conn)]]).fetchall():
        found |= {row[0] for row in conn.execute(f"select distinct {column} from {table}")}
    return found - {None}


def visible_ids(conn: Connection, caller: UUID) -> set[UUID]:
    """What the caller may read anyhow."""
    found = {caller}
    with as_user(conn, caller):
        for table, column in conn.execute(UUID_COLUMNS, [["public"]]).fetchall():
            refusal = outcome(conn, conn.execute, f"select {column} from {table} limit 1")
            if refusal is None:
                found |= {row[0] for row in conn.execute(f"select {column} from {table}")}
    return found


def test_an_id_of_somebody_elses_is_answered_like_one_that_never_was(
    db: Connection, world: World
) -> None:
    """R3, R4, R31: every id in the database, at every argument of every door that takes an id.

    The caller is a member without a role who owns nothing. What they can read anyhow may be told
    apart; of the rest only open clips may, for whoever reviews is offered them.
    """
    open_clip = {world.open_clip}
    secret = sorted(every_id(db) - visible_ids(db, world.member), key=str)
    assert {world.open_clip, world.rejected_clip} <= set(secret)
    asked = 0
    told_apart = []
    for door in doors(db):
        for name in ids_of(door):
            unknown = answers(db, world, door, name, uuid4())[0]
            allowed = open_clip if door.name in FOR_EVERY_REVIEWER else set()
            ids = [each for each in secret if each not in allowed]
            for value, answer in zip(ids, answers(db, world, door, name, *ids), strict=True):
                asked += 1
                if answer != unknown:
                    told_apart.append((door.name, name, value, answer[:2]))
    assert asked > 10
    assert told_apart == []


def test_a_refused_id_changes_nothing(fresh_db: FreshDatabase) -> None:
    """R3, R4: committed, so that what a refusal left behind would show."""
    with fresh_db.connect() as owner:
        world = make_world(owner)
        secret = sorted(every_id(owner) - visible_ids(owner, world.member), key=str)
        before = fingerprint(owner)
        conn = fresh_db.connect(user="authenticator")
        refusals = 0
        for door in doors(owner):
            good = plain(door, world, world.member)
            for name in ids_of(door):
                for value in (*secret[:: max(1, len(secret) // 8)], world.rejected_clip, uuid4()):
                    if door.name in FOR_EVERY_REVIEWER and value == world.open_clip:
                        continue
                    body = json_body({**good, name: str(value)})
                    try:
                        with conn.transaction():
                            become(conn, world.member)
                            call_body(conn, door, list(good), body)
                    except psycopg.Error:
                        refusals += 1
        assert refusals > 10
        assert fingerprint(owner) == before
