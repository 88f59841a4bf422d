"""Hosted loads safeupdate for API sessions: it refuses every UPDATE and DELETE without WHERE,
inside functions too. The library is not to be had here, so all function bodies are read instead.
"""

from __future__ import annotations

import psycopg
import pytest

from procrastinate_app.deploy.lexer import QUOTED, WORD, Token, flat_tokens

BODIES = """
select p.oid::regprocedure::text, p.prosrc
from pg_proc as p
join pg_language as l on l.oid = p.prolang
where p.pronamespace::regnamespace::text !~
    '^(pg_|information_schema|auth|storage|realtime|vault|extensions)'
  and l.lanname in ('sql', 'plpgsql')
"""
NOT_A_STATEMENT = {"for", "key", "do", "or", "before", "after", "on"}


def unsafe_writes(body: str) -> list[str]:
    """The UPDATE and DELETE statements of a function's body that have no WHERE of their own."""
    tokens = flat_tokens(body)
    return [
        " ".join(token.text for token in tokens[at : at + 6])
        for at in range(len(tokens))
        if _writes(tokens, at) and not _has_where(tokens, at)
    ]


def _writes(tokens: list[Token], at: int) -> bool:
    if tokens[at].kind != WORD or (at and tokens[at - 1].name in NOT_A_STATEMENT):
        return False
    following = tokens[at + 1] if at + 1 < len(tokens) else None
    if following is None or following.kind not in (WORD, QUOTED):
        return False
    return tokens[at].name == "update" or (tokens[at].name == "delete" and following.name == "from")


def _has_where(tokens: list[Token], at: int) -> bool:
    depth = 0
    for token in tokens[at:]:
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth < 0 or (depth == 0 and token.name in (";", "loop")):
            return False
        if depth == 0 and token.kind == WORD and token.name == "where":
            return True
    return False


def test_no_function_writes_without_where(deployed: str) -> None:
    with psycopg.connect(deployed) as conn:
        bodies = conn.execute(BODIES.encode()).fetchall()
    assert len(bodies) > 100
    found = {str(name): unsafe_writes(str(body)) for name, body in bodies}
    assert {name: writes for name, writes in found.items() if writes} == {}


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ("update t set a = 1;", 1),
        ("delete from t;", 1),
        ("begin update s.t as x set a = 1; select 1 from u where b; end", 1),
        ("with gone as (delete from t returning id) select * from gone where id > 1", 1),
        ("update t set a = (select b from u where u.id = 1)", 1),
        ("for r in delete from t returning * loop perform 1 from u where true; end loop;", 1),
        ("update t set a = 1 from (select 1) as u where t.id = 1", 0),
        ("insert into t values (1) on conflict (id) do update set a = 2", 0),
        ("select 1 from t for update; select 1 from t for no key update", 0),
        ("with done as (update t set a = 1 where id = 2 returning 1) select 1", 0),
        ("perform 'delete from t';", 0),
    ],
)
def test_the_reader_finds_what_the_library_would_refuse(body: str, count: int) -> None:
    assert len(unsafe_writes(body)) == count
