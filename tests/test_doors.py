"""Attacks on every door that the catalogue knows: who calls it, and with what.

Nothing here names a door, so that one added later is attacked as well; its plain call may need a
line in tests/support/world.py. Numbers such as R22 are the attacks of docs/security.md.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from procrastinate_app.deploy import graph
from procrastinate_app.deploy.tree import read_tree
from procrastinate_app.project import PROJECT_ROOT
from tests.support.callers import Connection, as_user, become, one
from tests.support.databases import FreshDatabase
from tests.support.doors import Function, Raw, call_body, doors, json_body, read_body
from tests.support.world import World, call_plainly, fingerprint, make_world, outcome, plain

# Doors that write and are open to signed-in people who are not members.
OPEN_TO_GUESTS = frozenset({"export_my_data"})


@pytest.fixture
def world(db: Connection) -> World:
    return make_world(db)


# Callers


def test_the_plain_call_of_every_door_succeeds(db: Connection, world: World) -> None:
    """So that each attack below differs from a good call in one thing only."""
    failed = {}
    for door in doors(db):
        with as_user(db, world.admin):
            refusal = outcome(db, call_plainly, db, door, world, world.admin)
        if refusal is not None:
            failed[door.name] = (refusal.code, refusal.details, refusal.message)
    assert failed == {}


def test_every_door_names_its_arguments(db: Connection) -> None:
    """The API calls by name; overloads would make the name ambiguous."""
    known = doors(db)
    assert [door.name for door in known if None in [each.name for each in door.arguments]] == []
    assert len({door.name for door in known}) == len(known) > 0


def test_anon_is_refused_at_every_door(db: Connection, world: World) -> None:
    """APP-1, R25: whatever subject the token claims."""
    for user_id in (None, world.admin):
        with as_user(db, user_id, role="anon"):
            for door in doors(db):
                refusal = outcome(db, call_plainly, db, door, world, world.admin)
                assert refusal is not None, door.name
                assert refusal.sqlstate == "42501", door.name


@pytest.mark.parametrize("claims", [{}, {"sub": None}, {"uid": "1", "id": "2"}], ids=str)
def test_a_token_without_subject_is_refused_at_every_door(
    db: Connection, world: World, claims: dict[str, Any]
) -> None:
    """APP-1, R2: a null id never passes a check."""
    with as_user(db, None, **claims):
        for door in doors(db):
            refusal = outcome(db, call_plainly, db, door, world, world.admin)
            assert refusal is not None, door.name
            assert (refusal.code, refusal.status) == ("not_authenticated", 401), door.name


def test_service_role_walks_through_no_door_as_nobody(db: Connection, world: World) -> None:
    """R60: doors are for people; a key without a person is refused."""
    with as_user(db, None, role="service_role"):
        for door in doors(db):
            refusal = outcome(db, call_plainly, db, door, world, world.admin)
            assert refusal is not None, door.name
            assert refusal.code in ("42501", "not_authenticated"), door.name


def test_who_is_no_member_writes_through_no_door(db: Connection, world: World) -> None:
    """APP-1, IDN-5, R12, R13: strangers, anonymous, unconfirmed, banned, deleted; all read only."""
    for who, user_id in world.guests.items():
        with as_user(db, user_id, is_anonymous=user_id == world.anonymous):
            for door in doors(db):
                refusal = outcome(db, call_plainly, db, door, world, user_id)
                if door.is_volatile and door.name not in OPEN_TO_GUESTS:
                    assert refusal is not None, (door.name, who)
                    assert (refusal.code, refusal.status) == ("not_a_member", 403), (door.name, who)
                else:
                    assert refusal is None or (refusal.status or 500) < 500, (door.name, who)


def test_no_caller_who_is_refused_writes_anything(fresh_db: FreshDatabase) -> None:
    """APP-1: in transactions of their own, through the API's login."""
    with fresh_db.connect() as owner:
        world = make_world(owner)
        before = fingerprint(owner)
        callers: list[tuple[UUID | None, str]] = [
            (None, "anon"), (None, "authenticated"), (None, "service_role"),
            *((user_id, "authenticated") for user_id in world.guests.values()),
        ]  # fmt: skip
        refusals = 0
        for door, (user_id, role) in itertools.product(doors(owner), callers):
            try:
                with fresh_db.as_user(user_id, role) as conn:
                    call_plainly(conn, door, world, world.admin)
                    raise psycopg.Rollback  # what they may read counts against their limit
            except psycopg.Error:
                refusals += 1
        assert refusals > 0
        assert fingerprint(owner) == before


def test_a_door_that_only_reads_does_so_in_a_read_only_transaction(
    db: Connection, world: World
) -> None:
    """R34: the API runs it in one, and lets nothing else be called by GET."""
    reading = [door for door in doors(db) if not door.is_volatile]
    assert reading
    with as_user(db, world.admin), db.transaction(force_rollback=True):
        db.execute("set local transaction_read_only = on")
        refusals = {
            door.name: outcome(db, call_plainly, db, door, world, world.admin) for door in reading
        }
        assert {name: refusal for name, refusal in refusals.items() if refusal} == {}


# Arguments

BIG = "x" * 10_000_000
ATTACKS: dict[str, Raw] = {
    "null": Raw("null"),
    "empty text": Raw('""'),
    "blank text": Raw('" \\t\\n "'),
    "ten megabytes": Raw(f'"{BIG}"'),
    "NUL": Raw('"a\\u0000b"'),
    "lone surrogate": Raw('"\\ud800"'),
    "right to left": Raw('"\\u202eabc\\u0007"'),
    "quote": Raw('"\'; drop table public.profiles; --"'),
    "dollar quote": Raw('"$$; select 1; $$"'),
    "format": Raw('"%s%I%n%1$s"'),
    "role": Raw('"\'; set role service_role; --"'),
    "regex": Raw('"((((a+)+)+)+)+$\\\\"'),
    "path": Raw('"../../../etc/passwd"'),
    "true": Raw("true"),
    "zero": Raw("0"),
    "one": Raw("1"),
    "minus one": Raw("-1"),
    "fraction": Raw("1.5"),
    "smallest bigint": Raw("-9223372036854775808"),
    "largest integer": Raw("2147483647"),
    "largest bigint": Raw("9223372036854775807"),
    "too large": Raw("1e30"),
    "far too large": Raw("1e400"),
    "not a number": Raw('"NaN"'),
    "infinity": Raw('"infinity"'),
    "object": Raw('{"a": [1, {"b": null}]}'),
    "array": Raw("[1, 2, 3]"),
    "nil uuid": Raw('"00000000-0000-0000-0000-000000000000"'),
    "random uuid": Raw(f'"{uuid4()}"'),
    "date": Raw('"2024-02-30"'),
}


@dataclass(frozen=True)
class Judge:
    """What a door may answer: success, or a code that the reference lists for it, with its status.

    Postgres's own input errors (SQLSTATE class 22) are allowed while the body is read, never from
    inside the door; the API answers them with 400.
    """

    conn: Connection
    catalogue: dict[str, int]
    listed: dict[str, set[str]]

    def complaint(self, door: Function, names: list[str], body: str) -> str | None:
        unreadable = outcome(self.conn, read_body, self.conn, door, names, body)
        if unreadable is not None:
            if unreadable.sqlstate.startswith("22"):
                return None
            return f"reading the body: {unreadable.sqlstate} {unreadable.message[:200]}"
        roles: list[str] = []

        def call() -> None:
            roles.append(one(self.conn, "select current_user"))
            call_body(self.conn, door, names, body)
            roles.append(one(self.conn, "select current_user"))

        refusal = outcome(self.conn, call)
        if refusal is None:
            return None if len(set(roles)) == 1 else f"the role became {roles[-1]}"
        if refusal.sqlstate != "PGRST":
            return f"{refusal.sqlstate} {refusal.message[:200]}"
        if self.catalogue.get(refusal.code) != refusal.status or (refusal.status or 500) >= 500:
            return f"{refusal.code} with status {refusal.status}"
        if refusal.code not in self.listed.get(door.name, self.catalogue):
            return f"docs/reference/doors.md lists no {refusal.code}"
        return None


@pytest.fixture
def judge(db: Connection) -> Judge:
    catalogue: dict[str, int] = dict(
        db.execute("select code, status from app.error_catalog()").fetchall()
    )
    db.execute("set local statement_timeout = '5s'")
    found = graph.functions(read_tree(PROJECT_ROOT).code)
    listed = {door.name: graph.reachable_codes(found, ("public", door.name)) for door in doors(db)}
    return Judge(db, catalogue, {name: codes for name, codes in listed.items() if codes})


def test_no_argument_of_any_door_causes_an_internal_error(
    db: Connection, world: World, judge: Judge
) -> None:
    """R20, R22, R24, R28, R50: each argument of each door takes each attack, as an admin, who
    comes furthest, and as a member."""
    complaints = []
    for caller in (world.admin, world.member):
        with as_user(db, caller):
            for door in doors(db):
                good = plain(door, world, caller)
                for name, (attack, value) in itertools.product(good, ATTACKS.items()):
                    if attack == "ten megabytes" and caller != world.admin:
                        continue
                    complaint = judge.complaint(door, list(good), json_body({**good, name: value}))
                    if complaint:
                        complaints.append(f"{door.name}({name} = {attack}): {complaint}")
    assert complaints == []


@pytest.mark.parametrize("attack", [name for name in ATTACKS if name != "ten megabytes"])
def test_the_same_attack_on_all_arguments_at_once_is_no_internal_error(
    db: Connection, world: World, judge: Judge, attack: str
) -> None:
    """R22"""
    complaints = []
    with as_user(db, world.admin):
        for door in doors(db):
            names = [str(each.name) for each in door.arguments]
            body = json_body(dict.fromkeys(names, ATTACKS[attack]))
            complaint = judge.complaint(door, names, body)
            if complaint:
                complaints.append(f"{door.name}: {complaint}")
    assert complaints == []


def test_arguments_with_a_default_may_be_left_out(
    db: Connection, world: World, judge: Judge
) -> None:
    complaints = []
    with as_user(db, world.admin):
        for door in doors(db):
            needed = {str(each.name) for each in door.arguments if not each.has_default}
            given = {k: v for k, v in plain(door, world, world.admin).items() if k in needed}
            complaint = judge.complaint(door, list(given), json_body(given))
            if complaint:
                complaints.append(f"{door.name}: {complaint}")
    assert complaints == []


def test_refused_arguments_write_nothing(fresh_db: FreshDatabase) -> None:
    """R22, APP-3: in transactions of their own, through the API's login."""
    with fresh_db.connect() as owner:
        world = make_world(owner)
        before = fingerprint(owner)
        refusals = 0
        conn = fresh_db.connect(user="authenticator")
        for door in doors(owner):
            good = plain(door, world, world.admin)
            for name, attack in itertools.product(good, ("null", "minus one", "quote", "NUL")):
                body = json_body({**good, name: ATTACKS[attack]})
                try:
                    with conn.transaction():
                        become(conn, world.admin)
                        call_body(conn, door, list(good), body)
                        raise psycopg.Rollback
                except psycopg.Error:
                    refusals += 1
        assert refusals > 0
        assert fingerprint(owner) == before


def test_the_matrix_would_see_an_internal_error(db: Connection, world: World, judge: Judge) -> None:
    """Doors with the mistakes it looks for are found out."""
    db.execute(
        """
        create function public.bad_cast(note text) returns integer language sql
        as 'select note::integer';
        create function public.bad_code(note text) returns void language plpgsql
        as $$ begin perform app.fail('no_such_code'); end $$;
        create function public.bad_query(note text) returns void language plpgsql
        as $$ begin execute 'select ' || note; end $$;
        create function public.bad_role(note text) returns void language plpgsql
        as $$ begin execute 'set role service_role'; end $$;
        create function public.bad_constraint(note text) returns void language sql
        security definer as $$ insert into public.languages (code, name) values (note, note) $$;
        grant execute on all functions in schema public to authenticated;
        """
    )
    found = {}
    for door in doors(db):
        if door.name.startswith("bad_"):
            with as_user(db, world.admin):
                found[door.name] = judge.complaint(door, ["note"], '{"note": "x y"}')
    assert {name: (text or "")[:5] for name, text in found.items()} == {
        "bad_cast": "22P02",
        "bad_code": "P0001",
        "bad_query": "42703",
        "bad_role": "the r",
        "bad_constraint": "23514",
    }
