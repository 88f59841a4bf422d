"""The SQL lexer: procrastinate_app/deploy/lexer.py"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procrastinate_app.deploy.lexer import (
    Unreadable,
    calls,
    header,
    qualified_name,
    statements,
)

PIECES = [
    "select 1",
    "select ';' , 'it''s'",
    r"select E'a\';b'",
    'select ";" from "a""b"',
    "select $$ ; $x$ ; $$",
    "select $body$ ; $$ ; $body$",
    "select 1 /* ; /* ; */ ; */ + 1",
    "select 1 -- ; '\n+ 1",
    "select u&'\\0441;'",
    "create rule r as on insert to t do also (select 1; select 2)",
    "create function f() returns int begin atomic select case when true then 1 end; select 2; end",
    "select a$b, $1 from t",
]


@given(st.lists(st.sampled_from(PIECES), max_size=8))
def test_statements_come_back_as_they_were_joined(pieces: list[str]) -> None:
    found = [part.text for part in statements(";\n".join(pieces) + ";")]
    assert found == pieces


def test_lines_are_those_of_the_file() -> None:
    found = statements("-- head\n\nselect 1;\n\n/* a\nb */ select 2;")
    assert [part.line for part in found] == [3, 6]


def test_words_and_names_are_read_where_they_stand() -> None:
    """What a file's triggers are switched by: names with a schema, quoted or not."""
    (alter,) = statements('ALTER table shop."Sales" enable ALWAYS trigger _100_keep;')
    table, after = qualified_name(alter.tokens, 2)
    assert table == ("shop", "Sales")
    assert alter.words("enable", "always", "trigger", at=after)
    assert not alter.words("enable", "trigger", at=after)
    assert qualified_name(alter.tokens, after + 3) == (("_100_keep",), len(alter.tokens))


@pytest.mark.parametrize("text", ["select 'a", 'select "a', "select $x$ a $$", "/* /* */"])
def test_what_never_ends_is_refused(text: str) -> None:
    with pytest.raises(Unreadable, match=r"line 1: .* is never closed"):
        statements(text)


def test_header_is_the_opening_comment_only() -> None:
    assert header("-- why\n-- requires: a.b\n\n-- later\n") == ["why", "requires: a.b"]


def test_calls_are_found_inside_bodies_and_not_inside_strings() -> None:
    text = "create function a.b() as $$ select c.d(e.f(1), 'g.h()') -- i.j()\n $$"
    assert calls(text) == {("a", "b"), ("c", "d"), ("e", "f")}
