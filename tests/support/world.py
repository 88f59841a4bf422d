"""People and things to attack with, and the plain call of every door that each attack departs from.

A door's plain arguments come from PLAIN by their name, else from their type;
`test_the_plain_call_of_every_door_succeeds` says when a new door needs a line here. Without it the
attacks would stop at the door's first check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ParamSpec
from uuid import UUID, uuid4

import psycopg
from psycopg import sql

from tests.support.callers import Connection, Refusal, as_user, call
from tests.support.doors import Argument, Function, call_body, domains, functions, json_body
from tests.support.money import fund, open_wallet
from tests.support.people import give_role, make_admin, make_user
from tests.support.work import submit, vote

Given = ParamSpec("Given")

API_ROLES = ("anon", "authenticated", "service_role")

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
    proposal: UUID

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
    with as_user(conn, make_admin(conn)):
        call(conn, "set_flag", flag="plain_flag", reason="made by a test")
        [(proposal, *_)] = call(
            conn, "change_setting", name="consensus.voice.author_reward", value="11", reason="test"
        )
    return World(
        admin, member, author, unconfirmed, anonymous, banned, deleted,
        open_clip=clips[0], shown_clip=clips[1], rejected_clip=clips[2],
        proposal=proposal,
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
    "flag": lambda world, caller: "plain_flag",
    "name": lambda world, caller: "consensus.voice.lease_duration",
    "value": lambda world, caller: "600",
    "confirm": lambda world, caller: "erase my account",
    "change_id": lambda world, caller: str(world.proposal),
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


def told(refusal: Refusal | None) -> tuple[Any, ...] | None:
    """What a client can tell two answers apart by."""
    if refusal is None:
        return None
    return (
        refusal.code, refusal.status, refusal.message, refusal.details, refusal.hint,
    )  # fmt: skip


def executable(conn: Connection, role: str) -> list[Function]:
    """Domain functions a role may execute."""
    oids = {
        row[0]
        for row in conn.execute(
            "select oid from pg_proc where has_function_privilege(%s, oid, 'execute')", [role]
        )
    }
    return [each for each in functions(conn, *domains(conn)) if each.oid in oids]


def writes_to(name: str, is_view: bool, column: str) -> Iterator[str]:
    yield f"insert into {name} default values"
    yield f"update {name} set {column} = default where true"
    yield f"delete from {name} where true"
    if not is_view:
        yield f"truncate {name} cascade"
