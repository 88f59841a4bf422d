"""Which functions fail with which codes, read from sql/: `app.fail('…')` and who calls whom.

Only plain calls by qualified name are followed. What a trigger refuses is listed under the trigger
function, because nobody calls it by name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from procrastinate_app.deploy.lexer import STRING, Token, calls, flat_tokens
from procrastinate_app.deploy.meaning import FUNCTION
from procrastinate_app.deploy.tree import CodeFile

FAIL = ("app", "fail")


@dataclass
class Function:
    """One function of sql/: where it stands, what it calls, which codes it names itself, and
    which roles it asks of its caller."""

    path: str
    calls: set[tuple[str, str]] = field(default_factory=set)
    codes: set[str] = field(default_factory=set)
    unread: bool = False
    roles: set[str] = field(default_factory=set)


Functions = dict[tuple[str, str], Function]


def functions(code: Iterable[CodeFile]) -> Functions:
    """Every function of sql/, by (schema, name)."""
    found: Functions = {}
    for file in code:
        for action in file.actions:
            if action.verb == "create" and action.target.kind == FUNCTION:
                tokens = flat_tokens(action.statement.text)
                codes, unread = _codes(tokens)
                found[(action.target.schema, action.target.name)] = Function(
                    file.path, calls(action.statement.text), codes, unread, _roles(tokens)
                )
    return found


def _codes(tokens: list[Token]) -> tuple[set[str], bool]:
    """The literal first arguments of `app.fail(`; True when one is not a literal."""
    codes: set[str] = set()
    unread = False
    for at in range(1, len(tokens) - 4):
        words = [token.text.lower() for token in tokens[at - 1 : at + 4]]
        if words[1:] == ["app", ".", "fail", "("] and words[0] != "function":
            argument = tokens[at + 4]
            if argument.kind == STRING:
                codes.add(argument.text.strip("'"))
            else:
                unread = True
    return codes, unread


def _roles(tokens: list[Token]) -> set[str]:
    """The literal arguments of `app.require_role(`."""
    roles: set[str] = set()
    for at in range(len(tokens) - 4):
        if [token.text.lower() for token in tokens[at : at + 4]] == [
            "app",
            ".",
            "require_role",
            "(",
        ]:
            for token in tokens[at + 4 :]:
                if token.text == ")":
                    break
                roles |= {token.text.strip("'")} if token.kind == STRING else set()
    return roles


def failing(found: Functions) -> dict[str, list[tuple[str, str]]]:
    """By code: the doors that can answer with it, or the functions that name it if no door does."""
    by_code: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for name in found:
        for code in reachable_codes(found, name):
            by_code[code].add(name)
    shown: dict[str, list[tuple[str, str]]] = {}
    for code, names in by_code.items():
        doors = {name for name in names if name[0] == "public"}
        direct = {name for name in names if code in found[name].codes}
        shown[code] = sorted(doors or direct)
    return shown


def reachable_codes(found: Functions, start: tuple[str, str]) -> set[str]:
    """Every code a call of this function can end in."""
    codes: set[str] = set()
    seen: set[tuple[str, str]] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name in seen or name not in found:
            continue
        seen.add(name)
        codes |= found[name].codes
        waiting += found[name].calls
    return codes
