"""What a statement of a code file does, and to which object.

Code files may hold a short list of statements, all of them safe to repeat. Anything else (a table,
a DO block, a data change) has no name that a file could announce and belongs into a migration.
"""

from __future__ import annotations

from dataclasses import dataclass

from procrastinate_app.deploy.lexer import QUOTED, WORD, Statement, qualified_name

FUNCTION, VIEW, TRIGGER, POLICY, TABLE = "function", "view", "trigger", "policy", "table"
_ROUTINES = ("function", "procedure", "aggregate", "routine")
_ALTERED = (*_ROUTINES, "view", "table")


@dataclass(frozen=True, slots=True)
class Object:
    """An object by its address. Triggers and policies are named on their table."""

    kind: str
    schema: str
    name: str
    table: str = ""

    def __str__(self) -> str:
        if self.table:
            return f"{self.kind} {self.name} on {self.schema}.{self.table}"
        return f"{self.kind} {self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class Action:
    """`verb` is create, drop, alter, comment, grant or revoke."""

    verb: str
    target: Object
    statement: Statement
    replaces: bool = False


class NotRepeatable(ValueError):
    """The statement has no place in a code file; the message begins with its line."""


def read(statement: Statement) -> Action:
    """What the statement does. Refuses what a code file may not hold."""
    verb = statement.tokens[0].name
    readers = {
        "create": _create,
        "drop": _drop,
        "alter": _alter,
        "comment": _comment,
        "grant": _privilege,
        "revoke": _privilege,
    }
    if verb not in readers:
        raise _not_repeatable(statement)
    return readers[verb](statement, verb)


def _not_repeatable(statement: Statement) -> NotRepeatable:
    opening = " ".join(statement.text.split()[:4])
    return NotRepeatable(
        f"{statement.line}: `{opening} …` has no place here: code files hold functions, views, "
        "triggers, policies, their comments and grants. Everything else is a migration."
    )


def _create(statement: Statement, verb: str) -> Action:
    replaces = statement.words("or", "replace", at=1)
    at = 3 if replaces else 1
    if statement.words("constraint", at=at):
        at += 1
    kind = statement.tokens[at].name if at < len(statement.tokens) else ""
    if kind in (TRIGGER, POLICY):
        return Action(verb, _on_table(statement, kind, at + 1), statement, replaces)
    if kind in _ROUTINES or kind == VIEW:
        return Action(verb, _named(statement, kind, at + 1), statement, replaces)
    raise _not_repeatable(statement)


def _drop(statement: Statement, verb: str) -> Action:
    kind = statement.tokens[1].name
    if not statement.words("if", "exists", at=2):
        raise NotRepeatable(f"{statement.line}: write `drop {kind} if exists`.")
    if statement.tokens[-1].name == "cascade":
        raise NotRepeatable(f"{statement.line}: `cascade` would drop what other files define.")
    if kind in (TRIGGER, POLICY):
        return Action(verb, _on_table(statement, kind, 4), statement)
    if kind in _ROUTINES or kind == VIEW:
        return Action(verb, _named(statement, kind, 4), statement)
    raise _not_repeatable(statement)


def _alter(statement: Statement, verb: str) -> Action:
    kind = statement.tokens[1].name
    if kind not in _ALTERED:
        raise _not_repeatable(statement)
    at = 4 if statement.words("if", "exists", at=2) else 2
    target = _named(statement, kind, at)
    _, after = qualified_name(statement.tokens, at)
    if kind == TABLE and statement.words("enable", "always", "trigger", at=after):
        names, after = qualified_name(statement.tokens, after + 3)
        if len(names) == 1 and after == len(statement.tokens):
            return Action(verb, Object(TRIGGER, target.schema, names[0], target.name), statement)
    if kind == TABLE and not _only_secures_rows(statement, after):
        raise _not_repeatable(statement)
    return Action(verb, target, statement)


def _only_secures_rows(statement: Statement, at: int) -> bool:
    """`enable|force row level security`, and no further change after a comma."""
    words = [token.name for token in statement.tokens[at:]]
    return words[:1] in (["enable"], ["force"]) and words[1:] == ["row", "level", "security"]


def _comment(statement: Statement, verb: str) -> Action:
    kind = statement.tokens[2].name
    if kind in (TRIGGER, POLICY):
        return Action(verb, _on_table(statement, kind, 3), statement)
    if kind == "column":
        parts, _ = qualified_name(statement.tokens, 3)
        if len(parts) == 3:
            return Action(verb, Object(TABLE, parts[0], parts[1]), statement)
    if kind in _ROUTINES or kind in (VIEW, TABLE):
        return Action(verb, _named(statement, kind, 3), statement)
    raise _not_repeatable(statement)


def _privilege(statement: Statement, verb: str) -> Action:
    """`grant|revoke … on [table|function] name[, name] to|from …`, all about one object."""
    at = _privilege_on(statement)
    if at is None:
        raise _not_repeatable(statement)
    kind = TABLE
    if at + 1 < len(statement.tokens) and statement.tokens[at + 1].kind in (WORD, QUOTED):
        kind, at = statement.tokens[at].name, at + 1
    if kind not in _ROUTINES and kind != TABLE:
        raise _not_repeatable(statement)
    if _names_more_than_one(statement, at):
        raise NotRepeatable(f"{statement.line}: {verb} on one object at a time.")
    return Action(verb, _named(statement, kind, at), statement)


def _privilege_on(statement: Statement) -> int | None:
    """Where the text goes on after the `on`; column lists before it stand in parentheses."""
    depth = 0
    for at, token in enumerate(statement.tokens):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0 and token.kind == WORD and token.name == "on":
            return at + 1
    return None


def _names_more_than_one(statement: Statement, at: int) -> bool:
    depth = 0
    for token in statement.tokens[at:]:
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0 and token.text == ",":
            return True
        if depth == 0 and token.kind == WORD and token.name in ("to", "from"):
            return False
    return False


def _named(statement: Statement, kind: str, at: int) -> Object:
    parts, _ = qualified_name(statement.tokens, at)
    if len(parts) != 2:
        raise NotRepeatable(f"{statement.line}: name the {kind} with its schema.")
    return Object(FUNCTION if kind in _ROUTINES else kind, *parts)


def _on_table(statement: Statement, kind: str, at: int) -> Object:
    """`<name> … on <schema>.<table>`; a trigger's events stand between and may say `of column`."""
    names, at = qualified_name(statement.tokens, at)
    while at < len(statement.tokens) and statement.tokens[at].name != "on":
        at += 1
    table, _ = qualified_name(statement.tokens, at + 1)
    if len(names) != 1 or len(table) != 2:
        raise NotRepeatable(f"{statement.line}: name the {kind} on its table with the schema.")
    return Object(kind, table[0], names[0], table[1])


def calls_function(trigger: Statement, schema: str, name: str) -> bool:
    """Does a `create trigger` execute this function?"""
    words = [token.name for token in trigger.tokens]
    call = ["execute", "function", schema, ".", name]
    return any(words[at : at + 5] == call for at in range(len(words)))
