"""Postgres SQL as tokens and statements.

Deploy must know what a file defines before it runs it, and policies, grants and DO blocks are
what SQL parsers leave unread. Deploy needs only the words that open each statement, so one small
lexer that knows strings, quotes, dollar quotes and nested comments reads every file alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

WORD, QUOTED, STRING, NUMBER, SYMBOL = "word", "quoted", "string", "number", "symbol"

_SPACE = re.compile(r"(?:\s+|--[^\n]*)+")
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_DOLLAR = re.compile(r"\$(?:[A-Za-z_\u0080-\uffff][\w]*)?\$")
_LEXEMES = (
    (STRING, re.compile(r"[eE]'(?:[^'\\]|\\.|'')*'", re.DOTALL)),
    (STRING, re.compile(r"(?:[bBxXnN]|[uU]&)?'(?:[^']|'')*'")),
    (QUOTED, re.compile(r'"(?:[^"]|"")*"')),
    (WORD, re.compile(r"[A-Za-z_\u0080-\uffff][\w$]*")),
    (NUMBER, re.compile(r"\d[\w.]*")),
)


class Unreadable(ValueError):
    """A string, quote or comment that never ends."""


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str
    start: int
    end: int

    @property
    def name(self) -> str:
        """As Postgres folds it: lower case unless quoted."""
        if self.kind == QUOTED:
            return self.text[1:-1].replace('""', '"')
        return self.text.lower()


@dataclass(frozen=True, slots=True)
class Statement:
    text: str
    line: int
    tokens: tuple[Token, ...]

    def words(self, *words: str, at: int = 0) -> bool:
        """Does the statement read so from token `at`?"""
        found = self.tokens[at : at + len(words)]
        return len(found) == len(words) and all(
            token.kind != STRING and token.name == word
            for token, word in zip(found, words, strict=True)
        )


def statements(sql: str) -> list[Statement]:
    """The statements of a script, each without its semicolon and with the comments inside it."""
    found: list[Statement] = []
    tokens: list[Token] = []
    depth = 0  # parentheses, and the blocks of a `begin atomic` body
    atomic = 0

    def close() -> None:
        if tokens:
            start, end = tokens[0].start, tokens[-1].end
            line = sql.count("\n", 0, start) + 1
            found.append(Statement(sql[start:end], line, tuple(tokens)))
            tokens.clear()

    for token in _tokens(sql):
        word = token.name if token.kind == WORD else ""
        if token.text == "(":
            depth += 1
        elif token.text == ")":
            depth -= 1
        elif word == "atomic" and tokens and tokens[-1].name == "begin":
            atomic = 1
        elif atomic and word in ("case", "end"):
            atomic += 1 if word == "case" else -1
        if token.text == ";" and token.kind == SYMBOL and depth <= 0 and not atomic:
            close()
        else:
            tokens.append(token)
    close()
    return found


def _tokens(sql: str) -> Iterator[Token]:
    at = 0
    while True:
        at = _skip_blank(sql, at)
        if at >= len(sql):
            return
        token = _token(sql, at)
        yield token
        at = token.end


def _token(sql: str, at: int) -> Token:
    if opening := _DOLLAR.match(sql, at):
        tag = opening.group()
        end = sql.find(tag, opening.end())
        if end < 0:
            raise Unreadable(f"line {_line(sql, at)}: {tag} is never closed")
        return Token(STRING, sql[at : end + len(tag)], at, end + len(tag))
    for kind, pattern in _LEXEMES:
        if match := pattern.match(sql, at):
            return Token(kind, match.group(), at, match.end())
    if sql[at] in "'\"":
        raise Unreadable(f"line {_line(sql, at)}: {sql[at]} is never closed")
    return Token(SYMBOL, sql[at], at, at + 1)


def _skip_blank(sql: str, at: int) -> int:
    while True:
        if blank := _SPACE.match(sql, at):
            at = blank.end()
        elif sql.startswith("/*", at):
            at = _comment_end(sql, at)
        else:
            return at


def _comment_end(sql: str, at: int) -> int:
    """Block comments nest in Postgres."""
    depth = 0
    for edge in _COMMENT_EDGE.finditer(sql, at):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return edge.end()
    raise Unreadable(f"line {_line(sql, at)}: /* is never closed")


def _line(sql: str, at: int) -> int:
    return sql.count("\n", 0, at) + 1


def header(sql: str) -> list[str]:
    """The comment lines a file opens with, without their dashes."""
    lines: list[str] = []
    for line in sql.splitlines():
        if not line.startswith("--"):
            break
        lines.append(line.removeprefix("--").strip())
    return lines


def qualified_name(tokens: tuple[Token, ...], at: int) -> tuple[tuple[str, ...], int]:
    """The dotted name at token `at`, and where the text goes on."""
    parts: list[str] = []
    while at < len(tokens) and tokens[at].kind in (WORD, QUOTED):
        parts.append(tokens[at].name)
        at += 1
        if at < len(tokens) and tokens[at].text == ".":
            at += 1
        else:
            break
    return tuple(parts), at


def flat_tokens(sql: str) -> list[Token]:
    """The tokens of a text with dollar-quoted bodies read too, as SQL of their own."""
    found: list[Token] = []
    for token in _tokens(sql):
        if token.kind == STRING and (opening := _DOLLAR.match(token.text)):
            tag = opening.group()
            found += flat_tokens(token.text[len(tag) : -len(tag)])
        else:
            found.append(token)
    return found


def calls(sql: str) -> set[tuple[str, str]]:
    """Every `schema.name(` in a text, dollar-quoted bodies included."""
    tokens = flat_tokens(sql)
    named = (WORD, QUOTED)
    return {
        (tokens[at].name, tokens[at + 2].name)
        for at in range(len(tokens) - 3)
        if tokens[at + 1].text == "."
        and tokens[at + 3].text == "("
        and tokens[at].kind in named
        and tokens[at + 2].kind in named
    }
