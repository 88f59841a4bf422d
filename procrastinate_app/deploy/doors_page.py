"""docs/reference/doors.md: every door with all that a client has to know to call it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import psycopg

from procrastinate_app.deploy import graph, shapes

Connection = psycopg.Connection[Any]

CLIENTS = ("anon", "authenticated", "service_role")

_CALLERS = """
select p.proname::text,
  array(
    select r.rolname::text
    from pg_roles as r
    where r.rolname = any (%s)
      and has_function_privilege(r.oid, p.oid, 'execute')
    order by 1
  )
from pg_proc as p
where p.pronamespace = 'public'::regnamespace
"""

_LIMITS = """
select door, scope::text, burst, extract(epoch from period)::bigint
from limits.rules as r
order by r.door, r.scope
"""

WHOSE = {"user": "per person", "ip": "per address"}
UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))

# An example's values, by the argument's name, else by its type.
BY_NAME = {
    "currency": "'USD'",
    "handle": "'amara'",
    "idempotency_key": "crypto.randomUUID()",
    "label": "'valid'",
    "language": "'sw'",
    "media_path": "`${user.id}/greeting.ogg`",
    "reason": "'why it is done'",
}
BY_TYPE = {
    "bigint": "100",
    "boolean": "true",
    "date": "'2030-01-31'",
    "integer": "10",
    "json": "{}",
    "jsonb": "{}",
    "numeric": "10",
    "smallint": "10",
    "text": "'…'",
    "timestamp with time zone": "'2030-01-31T12:00:00Z'",
    "uuid": "'0198c0de-0000-7000-8000-000000000001'",
}


def lines(conn: Connection, found: graph.Functions) -> Iterator[str]:
    """The page below its title."""
    known = shapes.read(conn)
    statuses = dict(conn.execute("select code, status from app.error_catalog()").fetchall())
    callers = dict(conn.execute(_CALLERS, (list(CLIENTS),)).fetchall())
    limits: dict[str, list[str]] = {}
    for door, scope, burst, seconds in conn.execute(_LIMITS).fetchall():
        limits.setdefault(door, []).append(f"{burst} {_period(seconds)}, {WHOSE[scope]}")
    yield "Called by RPC, with arguments by name. `data` is the answer; `error` has `code`,"
    yield "`message`, `details` and `hint`: [errors.md](errors.md) says what each code means. The"
    yield "same shapes for TypeScript and Python are in [examples](../../examples/README.md)."
    yield ""
    yield "A limit lets that many calls through at once and refills evenly over its period; beyond"
    yield "it a call is refused with `rate_limited`, and `Retry-After` says for how many seconds."
    yield "These are the limits as shipped; an operator may have changed them."
    yield ""
    yield "A door that takes an `idempotency_key` can be called again with the same key and"
    yield "arguments whenever its answer got lost: it has its effect once, and gives its first"
    yield "answer again. A key is kept for a day at least."
    yield ""
    yield from _table(
        ("door", "who", "what"),
        (
            (f"[`{door.name}`](#{door.name})", _who(door, callers, found), door.meaning)
            for door in known.doors
        ),
    )
    for door in known.doors:
        yield from _door(door, known, found, callers, limits, statuses)
    yield from ("", "## Types")
    for enum in known.enums:
        yield from ("", f"### {enum.name}", "", enum.meaning, "")
        yield f"One of {', '.join(f'`{label}`' for label in enum.labels)}."
    for type_ in known.composites:
        yield from ("", f"### {type_.name}", "", type_.meaning, "")
        yield from _columns(type_.columns, known)


def _door(
    door: shapes.Door,
    known: shapes.Shapes,
    found: graph.Functions,
    callers: dict[str, list[str]],
    limits: dict[str, list[str]],
    statuses: dict[str, int],
) -> Iterator[str]:
    yield from ("", f"## {door.name}", "", door.meaning.replace("<", "&lt;"), "")
    yield from _example(door, known)
    yield ""
    if door.arguments:
        yield from _table(
            ("argument", "type", "default"),
            (
                (f"`{each.name}`", _type(each.type, known), _default(each.default))
                for each in door.arguments
            ),
        )
        yield ""
    yield f"- Who may call it: {_who(door, callers, found)}"
    yield f"- Answers: {_answer(door, known)}"
    yield f"- {'Writes: POST only' if door.writes else 'Reads only: POST or GET'}"
    yield f"- Limits: {'; '.join(limits.get(door.name, [])) or 'none'}"
    yield f"- Idempotent: {'with an `idempotency_key`' if door.is_idempotent else _repeat(door)}"
    codes = sorted(graph.reachable_codes(found, ("public", door.name)))
    yield "- Fails with: " + (
        ", ".join(f"[`{code}`](errors.md#{code}) {statuses.get(code, '')}" for code in codes)
        or "nothing of its own"
    )
    if door.columns:
        yield ""
        yield from _columns(door.columns, known)


def _repeat(door: shapes.Door) -> str:
    return "no key" if door.writes else "yes, it changes nothing"


def _who(door: shapes.Door, callers: dict[str, list[str]], found: graph.Functions) -> str:
    """What the API admits, and what the rule asks for besides."""
    roles = callers.get(door.name, [])
    if roles != ["authenticated"]:
        return ", ".join(f"`{role}`" for role in roles) or "nobody by API"
    rules = [found[name] for name in found[("public", door.name)].calls if name in found]
    asked = sorted({role for rule in rules for role in rule.roles})
    if asked:
        return "members who are " + " or ".join(f"`{role}`" for role in asked)
    if any(("app", "require_member") in rule.calls for rule in rules):
        return "members"
    return "whoever is signed in"


def _example(door: shapes.Door, known: shapes.Shapes) -> Iterator[str]:
    given = [
        each for each in door.arguments if each.default is None or each.name == "idempotency_key"
    ]
    yield "```js"
    if not given:
        yield f"const {{ data, error }} = await supabase.rpc('{door.name}')"
    else:
        yield f"const {{ data, error }} = await supabase.rpc('{door.name}', {{"
        yield from (f"  {each.name}: {_value(each, known)}," for each in given)
        yield "})"
    yield "```"


def _value(argument: shapes.Argument, known: shapes.Shapes) -> str:
    if argument.name in BY_NAME:
        return BY_NAME[argument.name]
    for enum in known.enums:
        if enum.name == argument.type:
            return f"'{enum.labels[-1]}'"
    return "[]" if argument.type.endswith("[]") else BY_TYPE.get(argument.type, "null")


def _answer(door: shapes.Door, known: shapes.Shapes) -> str:
    if door.returns == "void":
        return "nothing"
    if door.columns:
        return "rows of the columns below"
    what = _type(door.returns, known)
    return f"rows of {what}" if door.is_set else f"one {what}"


def _type(type_: str, known: shapes.Shapes) -> str:
    """Linked to where its parts are explained."""
    bare = type_.removesuffix("[]")
    own = {each.name for each in known.enums} | {each.name for each in known.composites}
    if bare in own:
        return f"[`{type_}`](#{bare})"
    if bare in {each.name for each in known.relations}:
        return f"[`{type_}`](tables.md#{bare})"
    return f"`{type_}`"


def _default(default: str | None) -> str:
    if default is None:
        return "needed"
    return f"`{default.split('::')[0].lower() if default.startswith('NULL') else default}`"


def _columns(columns: Iterable[shapes.Column], known: shapes.Shapes) -> Iterator[str]:
    yield from _table(
        ("part", "type", "meaning"),
        (
            (
                f"`{column.name}`",
                _type(column.type, known) + (" or null" if column.may_be_null else ""),
                column.meaning,
            )
            for column in columns
        ),
    )


def _period(seconds: int) -> str:
    """`a minute`, or `in 10 minutes`."""
    for length, name in UNITS:
        if seconds % length == 0:
            count = seconds // length
            article = "an" if name == "hour" else "a"
            return f"{article} {name}" if count == 1 else f"in {count} {name}s"
    return f"in {seconds} seconds"


def _table(columns: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{' --- |' * len(columns)}"
    for row in rows:
        cells = (str(cell).replace("|", "\\|").replace("<", "&lt;") for cell in row)
        yield f"| {' | '.join(' '.join(cell.split()) for cell in cells)} |"
