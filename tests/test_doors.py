"""Attacks on every door, table and function that the catalogue knows.

Nothing here names a door, so that one added later is attacked as well. A door's plain arguments
come from PLAIN by their name, else from their type; `test_the_plain_call_of_every_door_succeeds`
says when a new door needs a line there, and without it the attacks would stop at its first check.
Numbers such as R22 only keep the attack cases apart; ids such as LED-7 are in docs/rules.md.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ParamSpec
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from tests.support.callers import Connection, Refusal, as_user, become, one, refused
from tests.support.databases import FreshDatabase
from tests.support.doors import (
    Argument,
    Function,
    Raw,
    call_body,
    call_positional,
    domains,
    doors,
    functions,
    json_body,
    read_body,
)
from tests.support.money import fund, open_wallet
from tests.support.people import give_role, make_admin, make_user
from tests.support.work import submit, vote

Given = ParamSpec("Given")

API_ROLES = ("anon", "authenticated", "service_role")

# Doors that write and are open to signed-in people who are not members.
OPEN_TO_GUESTS: frozenset[str] = frozenset()

# What else than the rule behind a door clients may execute: the kernel, and what a view calls.
KERNEL = {
    "app.error_catalog",
    "app.fail",
    "app.is_staff",
    "app.now",
    "app.request_id",
    "app.user_id",
}
CALLED_BY_VIEWS = {"ledger.pending_amount"}
CALLED_AS_THE_CALLER = {"ledger.own_wallet_id"}
FOR_ADMIN_TOOLS = {"ledger.fund_reward_pool", "ledger.verify"}

# Relations a stranger sees rows of.
PUBLIC_ROWS = {"public.clip_feed", "public.clips", "public.languages", "public.profiles"}

RELATIONS = """
select quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relkind = 'v',
  (select quote_ident(a.attname) from pg_attribute as a
   where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     and a.attidentity = '' and a.attgenerated = ''
   order by a.attnum desc limit 1)
from pg_class as c
inner join pg_namespace as n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f')
  and n.nspname = any (%s)
order by 1
"""


@dataclass(frozen=True)
class World:
    """People and things to attack with."""

    admin: UUID
    member: UUID
    author: UUID
    unconfirmed: UUID
    anonymous: UUID
    banned: UUID
    deleted: UUID
    open_clip: UUID
    shown_clip: UUID
    rejected_clip: UUID

    @property
    def guests(self) -> dict[str, UUID]:
        """Signed in, or seeming so, and no members."""
        return {
            "a stranger": uuid4(),
            "an anonymous sign-in": self.anonymous,
            "an unconfirmed user": self.unconfirmed,
            "a banned user": self.banned,
            "a deleted user": self.deleted,
        }


@pytest.fixture
def world(db: Connection) -> World:
    return make_world(db)


def make_world(conn: Connection) -> World:
    """One of each, with rows in as many tables as the path writes."""
    fund(conn)
    admin = give_role(conn, make_admin(conn), "moderator")
    author, member, *voters = (make_user(conn) for _ in range(4))
    unconfirmed = make_user(conn, confirmed=False)
    anonymous = make_user(conn, anonymous=True)
    banned, deleted = make_user(conn), make_user(conn)
    conn.execute("update auth.users set banned_until = 'infinity' where id = %s", [banned])
    conn.execute("update auth.users set deleted_at = now() where id = %s", [deleted])
    clips = [submit(conn, author, idempotency_key=f"key-{n}") for n in range(3)]
    for clip, label in zip(clips[1:], ("valid", "invalid"), strict=True):
        for voter in voters:
            vote(conn, voter, clip, label)
    open_wallet(conn, author, balance=500)
    return World(
        admin, member, author, unconfirmed, anonymous, banned, deleted,
        open_clip=clips[0], shown_clip=clips[1], rejected_clip=clips[2],
    )  # fmt: skip


PLAIN: dict[str, Callable[[World, UUID], Any]] = {
    "clip_id": lambda world, caller: str(world.open_clip),
    "user_id": lambda world, caller: str(world.member),
    "language": lambda world, caller: "sw",
    "currency": lambda world, caller: "USD",
    "label": lambda world, caller: "valid",
    "status": lambda world, caller: "valid",
    "media_path": lambda world, caller: f"{caller}/plain.ogg",
    "avatar_path": lambda world, caller: f"{caller}/plain.png",
    "handle": lambda world, caller: "plain_handle",
    "locale": lambda world, caller: "en",
    "timezone": lambda world, caller: None,
}

PLAIN_BY_TYPE: dict[str, Any] = {
    "text": "plain",
    "uuid": "00000000-0000-7000-8000-000000000001",
    "boolean": True,
    "json": {},
    "jsonb": {},
    "timestamp with time zone": "2030-01-01T00:00:00Z",
    "date": "2030-01-01",
    "numeric": 10,
    "integer": 10,
    "bigint": 10,
    "smallint": 10,
}


def plain_value(argument: Argument, world: World, caller: UUID) -> Any:
    if argument.name in PLAIN:
        return PLAIN[argument.name](world, caller)
    if argument.is_enum:
        return argument.first_label
    if argument.type.endswith("[]"):
        return []
    return PLAIN_BY_TYPE.get(argument.type)


def plain(door: Function, world: World, caller: UUID) -> dict[str, Any]:
    return {str(each.name): plain_value(each, world, caller) for each in door.arguments}


def call_plainly(conn: Connection, door: Function, world: World, caller: UUID) -> list[Any]:
    arguments = plain(door, world, caller)
    return call_body(conn, door, list(arguments), json_body(arguments))


def outcome(
    conn: Connection, action: Callable[Given, object], *args: Given.args, **kwargs: Given.kwargs
) -> Refusal | None:
    """How an action was refused, or None; what it wrote is undone."""
    try:
        with conn.transaction(force_rollback=True):
            action(*args, **kwargs)
    except psycopg.Error as error:
        return Refusal.of(error)
    return None


def fingerprint(conn: Connection) -> list[Any]:
    """Every row of every table of ours, shortened."""
    tables = [row[0] for row in conn.execute(RELATIONS, [["public", *domains(conn)]]) if not row[1]]
    counts = sql.SQL(" union all ").join(
        sql.SQL("select {}, md5(string_agg(t::text, '|' order by t::text)) from {} as t")
        .format(sql.Literal(name), sql.SQL(name))
        for name in tables
    )  # fmt: skip
    return sorted(conn.execute(counts).fetchall())


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


def test_the_rule_behind_each_door_checks_its_caller_itself(db: Connection, world: World) -> None:
    """HOUSE 2: the rule is granted too, so it must not rely on the door."""
    rules = [
        each
        for each in executable(db, "authenticated")
        if each.qualified not in KERNEL | CALLED_BY_VIEWS
    ]
    assert rules
    with as_user(db, None):
        for rule in rules:
            refusal = outcome(db, call_positional, db, rule)
            assert refusal is not None, rule.qualified
            assert refusal.code == "not_authenticated", rule.qualified


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
            except psycopg.Error:
                refusals += 1
        assert refusals > 0
        assert fingerprint(owner) == before


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
    """What a door may answer: success, or a code of the catalogue with a status below 500.

    Postgres's own input errors (SQLSTATE class 22) are allowed while the body is read, never from
    inside the door; the API answers them with 400.
    """

    conn: Connection
    catalogue: dict[str, int]

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
        return None


@pytest.fixture
def judge(db: Connection) -> Judge:
    catalogue: dict[str, int] = dict(
        db.execute("select code, status from app.error_catalog()").fetchall()
    )
    db.execute("set local statement_timeout = '5s'")
    return Judge(db, catalogue)


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


# Ids


def ids_of(door: Function) -> Iterator[str]:
    return (str(each.name) for each in door.arguments if each.type == "uuid")


def told(refusal: Refusal | None) -> tuple[Any, ...] | None:
    """What a client can tell two answers apart by."""
    if refusal is None:
        return None
    return (
        refusal.code, refusal.status, refusal.message, refusal.details, refusal.hint,
    )  # fmt: skip


def answers(conn: Connection, world: World, door: Function, name: str, *ids: UUID) -> list[Any]:
    """What a member without a role is told at a door for each of these ids."""
    good = plain(door, world, world.member)
    with as_user(conn, world.member):
        return [
            told(
                outcome(
                    conn,
                    call_body,
                    conn,
                    door,
                    list(good),
                    json_body({**good, name: str(value)}),
                )
            )
            for value in ids
        ]


def test_unknown_ids_are_refused_at_every_door(db: Connection, world: World) -> None:
    """R3"""
    accepted = [
        (door.name, name)
        for door in doors(db)
        for name in ids_of(door)
        if answers(db, world, door, name, uuid4()) == [None]
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
        if (answers(db, world, door, name, uuid4())[0] or ("",))[0] == "not_permitted"
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
                different[f"{door.name}({name})"] = (unknown and unknown[0], hidden and hidden[0])
    assert different == {}


# Tables


def writes_to(name: str, is_view: bool, column: str) -> Iterator[str]:
    yield f"insert into {name} default values"
    yield f"update {name} set {column} = default where true"
    yield f"delete from {name} where true"
    if not is_view:
        yield f"truncate {name} cascade"


@pytest.mark.parametrize("role", API_ROLES)
def test_nobody_writes_a_table_or_view_directly(db: Connection, world: World, role: str) -> None:
    """R1, R5, R6, R37, HOUSE 2: as the admin's own token, so that no policy helps either."""
    relations = db.execute(RELATIONS, [["public", *domains(db)]]).fetchall()
    assert len(relations) > 30
    before = fingerprint(db)
    allowed = []
    with as_user(db, world.admin, role=role):
        for name, is_view, column in relations:
            for statement in writes_to(name, is_view, column):
                refusal = outcome(db, db.execute, statement)
                # A view over a join cannot be written by anybody, which Postgres says first.
                if refusal is None or refusal.sqlstate not in (
                    ("42501", "55000") if is_view else ("42501",)
                ):
                    allowed.append((statement, refusal and refusal.sqlstate))
    assert allowed == []
    assert fingerprint(db) == before


def test_no_api_role_holds_a_right_to_write(db: Connection) -> None:
    """R1: not on a column, a sequence or a schema either."""
    found = db.execute(
        """
        select r.role, c.oid::regclass::text, k.kind
        from pg_class as c
        cross join unnest(%(roles)s::text[]) as r (role)
        cross join unnest('{insert,update,delete,truncate,references,trigger}'::text[]) as k (kind)
        where c.relkind in ('r', 'p', 'v', 'm', 'f')
          and c.relnamespace::regnamespace::text = any (%(schemas)s)
          and (
            has_table_privilege(r.role, c.oid, k.kind)
            or (k.kind in ('insert', 'update', 'references')
              and has_any_column_privilege(r.role, c.oid, k.kind))
          )
        union all
        select r.role, c.oid::regclass::text, 'sequence'
        from pg_class as c
        cross join unnest(%(roles)s::text[]) as r (role)
        where c.relkind = 'S'
          and c.relnamespace::regnamespace::text = any (%(schemas)s)
          and has_sequence_privilege(r.role, c.oid, 'usage,update')
        union all
        select r.role, n.nspname, 'create'
        from pg_namespace as n
        cross join unnest(%(roles)s::text[]) as r (role)
        where n.nspname = any (%(schemas)s)
          and has_schema_privilege(r.role, n.oid, 'create')
        """,
        {"roles": list(API_ROLES), "schemas": ["public", *domains(db)]},
    ).fetchall()
    assert found == []


def test_a_stranger_sees_only_public_rows(db: Connection, world: World) -> None:
    """R1, R29, R36, LED-7: in every table and view they may select from."""
    stranger = make_user(db)
    for role in ("anon", "authenticated"):
        shown = set()
        for name, _, _ in db.execute(RELATIONS, [["public", *domains(db)]]).fetchall():
            count = f"select count(*) from {name}"
            with as_user(db, stranger, role=role):
                refusal = outcome(db, db.execute, count)
                if refusal is not None:
                    assert refusal.sqlstate == "42501", name
                    continue
                visible = one(db, count)
            # Hidden, not absent.
            assert one(db, count) > 0, f"{name} is empty, so nothing was shown"
            if visible:
                shown.add(name)
        assert shown == PUBLIC_ROWS


def test_a_stranger_sees_no_hidden_clip_by_any_path(db: Connection, world: World) -> None:
    """CLP-3, R36: pending and rejected clips, by table, view, join or count."""
    hidden = [world.open_clip, world.rejected_clip]
    for query in (
        "select count(*) from public.clips where id = any (%s)",
        "select count(*) from public.clip_feed where id = any (%s)",
        "select count(*) from public.profiles as p inner join public.clips as c"
        " on c.author_id = p.id where c.id = any (%s)",
        "select count(*) from public.votes where clip_id = any (%s)",
    ):
        for role in ("anon", "authenticated"):
            if role == "anon" and "votes" in query:
                continue
            with as_user(db, world.member, role=role):
                assert one(db, query, [hidden]) == 0
    assert one(db, "select count(*) from public.clips where id = any (%s)", [hidden]) == 2


# Functions


def executable(conn: Connection, role: str) -> list[Function]:
    """Domain functions a role may execute."""
    oids = {
        row[0]
        for row in conn.execute(
            "select oid from pg_proc where has_function_privilege(%s, oid, 'execute')", [role]
        )
    }
    return [each for each in functions(conn, *domains(conn)) if each.oid in oids]


@pytest.mark.parametrize("role", API_ROLES)
def test_a_function_that_is_not_granted_cannot_be_executed(
    db: Connection, world: World, role: str
) -> None:
    """R25, R26, R38: called for real, in every schema of ours and the queue's."""
    granted = {each.oid for each in executable(db, role)}
    closed = [each for each in functions(db, *domains(db)) if each.oid not in granted]
    assert len(closed) > 50
    open_after_all = []
    with as_user(db, world.admin, role=role):
        for function in closed:
            refusal = outcome(db, call_positional, db, function)
            if refusal is None or refusal.sqlstate != "42501":
                open_after_all.append((function.qualified, refusal and refusal.sqlstate))
    assert open_after_all == []


def test_clients_may_execute_the_rules_behind_doors_and_the_kernel_only(db: Connection) -> None:
    """R26, HOUSE 2: what else is granted is named at the top of this file."""
    named = {door.name for door in doors(db)}
    extra = {each.qualified for each in executable(db, "authenticated") if each.name not in named}
    assert extra == KERNEL | CALLED_BY_VIEWS | CALLED_AS_THE_CALLER
    assert {each.qualified for each in executable(db, "anon")} == KERNEL
    assert {each.qualified for each in executable(db, "service_role")} == KERNEL | FOR_ADMIN_TOOLS


def test_no_reachable_function_builds_sql_out_of_text(db: Connection) -> None:
    """R23, R28, HOUSE 5.4: no execute, no query_to_xml, in whatever a client may execute."""
    builds = re.compile(
        r"\bexecute\b(?!\s+function)|query_to_xml|cursor_to_xml|\bdblink|set_config\(\s*'role'|"
        r"\bset\s+(local\s+)?role\b",
        re.IGNORECASE,
    )
    reachable = [*doors(db), *executable(db, "authenticated"), *executable(db, "anon")]
    sources = {each.qualified: re.sub(r"--.*", "", each.source) for each in reachable}
    assert [name for name, source in sources.items() if builds.search(source)] == []


SHADOWS = """
create temp table user_roles as select '{user}'::uuid as user_id, 'admin'::public.app_role as role;
create temp table users as select '{user}'::uuid as id, now() as email_confirmed_at;
create temp table clips as select * from public.clips;
create temp table profiles as select * from public.profiles;
create function pg_temp.uid() returns uuid language sql as $$ select '{admin}'::uuid $$;
create function pg_temp.now() returns timestamptz language sql as $$ select 'epoch'::timestamptz $$;
create function pg_temp.is_staff() returns boolean language sql as 'select true';
create function pg_temp.length(text) returns integer language sql as 'select 1';
create function pg_temp.equal(uuid, uuid) returns boolean language sql as 'select true';
create operator pg_temp.= (leftarg = uuid, rightarg = uuid, function = pg_temp.equal);
"""


def test_nothing_a_session_makes_shadows_what_doors_use(db: Connection, world: World) -> None:
    """R27, HOUSE 5.7: temp tables, functions and operators, first on the search path."""
    plain_answers: dict[str, Any] = {}
    for shadowed in (False, True):
        with as_user(db, world.member):
            if shadowed:
                db.execute(
                    SHADOWS.replace("{user}", str(world.member))
                    .replace("{admin}", str(world.admin))
                )  # fmt: skip
                db.execute("set local search_path = pg_temp, public, pg_catalog")
                assert one(db, "select pg_temp.uid()") == world.admin
            for door in doors(db):
                seen = told(outcome(db, call_plainly, db, door, world, world.member))
                assert plain_answers.setdefault(door.name, seen) == seen, door.name
    assert ("not_permitted", 403) in {answer and answer[:2] for answer in plain_answers.values()}


SPY = """
create function pg_temp.watch() returns boolean language plpgsql as $$
begin
  if current_user <> 'authenticated' then
    raise exception 'ran as %', current_user;
  end if;
  return true;
end $$;
"""


def test_types_a_session_makes_never_run_as_somebody_else(fresh_db: FreshDatabase) -> None:
    """R27: a temp domain named like a type that a rule uses would run its check as the owner."""
    with fresh_db.connect() as owner:
        world = make_world(owner)
        known = doors(owner)
        with fresh_db.as_user(world.member) as conn:
            conn.execute(SPY)
            for name in ("text", "uuid", "jsonb", "bytea", "date", "timestamptz"):
                conn.execute(
                    sql.SQL("create domain pg_temp.{} as {} check (pg_temp.watch())").format(
                        sql.Identifier(name), sql.Identifier("pg_catalog", name)
                    )
                )
            for door in known:
                refusal = outcome(conn, call_plainly, conn, door, world, world.member)
                assert refusal is None or refusal.sqlstate == "PGRST", (door.name, refusal)


def test_an_empty_or_hostile_search_path_changes_nothing(db: Connection, world: World) -> None:
    """R27"""
    with as_user(db, world.admin):
        for path in ("''", "pg_temp", "auth, storage", '"$user", nowhere'):
            db.execute(f"set local search_path = {path}")
            for door in doors(db):
                refusal = outcome(db, call_plainly, db, door, world, world.admin)
                assert refusal is None, (door.name, path, refusal)


def test_a_session_of_one_role_reaches_no_other(fresh_db: FreshDatabase) -> None:
    """R28: whoever is authenticated alone cannot become the service or the owner."""
    with fresh_db.connect() as owner:
        password = fresh_db.server.password_of("only_authenticated")
        owner.execute(
            f"create role only_authenticated login password '{password}' in role authenticated"
        )
        try:
            conn = fresh_db.connect(user="only_authenticated")
            conn.execute("set role authenticated")
            for role in ("service_role", "postgres", "supabase_auth_admin", "authenticator"):
                with refused(conn, "42501"):
                    conn.execute(f"set role {role}")
                with refused(conn, "42501"):
                    conn.execute("select set_config('role', %s, true)", [role])
                with refused(conn, "42501"):
                    conn.execute(f"set session authorization {role}")
            assert one(conn, "select current_user") == "authenticated"
            conn.close()
        finally:
            owner.execute("drop role only_authenticated")


def test_a_login_without_a_role_reads_and_calls_nothing(
    fresh_db: FreshDatabase,
) -> None:
    """R53: authenticator by itself, before the API sets a role, has no rights at all."""
    with fresh_db.connect() as owner:
        world = make_world(owner)
        conn = fresh_db.connect(user="authenticator")
        for name, _, _ in owner.execute(RELATIONS, [["public", *domains(owner)]]).fetchall():
            with refused(conn, "42501"):
                conn.execute(f"select * from {name}")
        for door in doors(owner):
            refusal = outcome(conn, call_plainly, conn, door, world, world.admin)
            assert refusal is not None, door.name
            assert refusal.sqlstate == "42501", door.name


def test_claims_of_one_request_are_gone_in_the_next(fresh_db: FreshDatabase) -> None:
    """R53, HOUSE 5.11: on the same pooled connection."""
    with fresh_db.connect() as owner:
        admin = make_admin(owner)
        conn = fresh_db.connect(user="authenticator")
        with conn.transaction():
            become(conn, admin, headers={"x-request-id": "first"})
            assert one(conn, "select app.is_staff()") is True
            assert one(conn, "select app.request_id()") == "first"
        with conn.transaction():
            conn.execute("set local role authenticated")
            assert one(conn, "select app.is_staff()") is False
            assert one(conn, "select app.request_id()") != "first"
            with refused(conn, "not_authenticated"):
                conn.execute("select public.me()")
