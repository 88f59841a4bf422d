"""Queries and changes of rows, read by sqlglot: what they read, what they write, what they call."""

from __future__ import annotations

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from procrastinate_app.deploy.lexer import Statement
from procrastinate_app.deploy.locks import (
    Effect,
    Mode,
    NotUnderstood,
    Reader,
    called,
    fires,
    fires_new,
    mentioned,
    show,
)
from procrastinate_app.deploy.plan_catalog import Catalog, Relation

# a changed row may move to another partition: it is deleted here and inserted there
_FIRED = ("insert", "update", "delete")
_VERBS = {"insert": {"insert"}, "update": {"update"}, "delete": {"delete"}, "merge": {*_FIRED},
          "upsert": {"insert", "update"}}  # fmt: skip
_BATCHED = "change rows in batches by a job, some thousands a transaction"


def read_rows(statement: Statement, catalog: Catalog, effect: Effect) -> None:
    """SELECT, INSERT, UPDATE, DELETE, MERGE, VALUES, COPY."""
    if statement.words("copy"):
        return _copy(statement, catalog, effect)
    try:
        tree = sqlglot.parse_one(statement.text, read="postgres")
    except (SqlglotError, RecursionError) as error:
        raise NotUnderstood from error
    if tree is None or any(isinstance(node, exp.Command) for node in tree.walk()):
        raise NotUnderstood
    writes: list[tuple[str, tuple[str, ...]]] = []
    for node in tree.find_all(exp.Insert, exp.Update, exp.Delete, exp.Merge):
        upserts = isinstance(node, exp.Insert) and node.args.get("conflict") is not None
        writes += [("upsert" if upserts else node.key, name) for name in _targets(node)]
    locked = any(True for _ in tree.find_all(exp.Lock))
    _say_what(statement, effect, writes)
    for relation in mentioned(statement.tokens, catalog):
        mode = Mode.ROW_SHARE if locked else Mode.ACCESS_SHARE
        below = catalog.beneath(relation)
        effect.lock(mode, below)
        if not (writes and _is_only_inserted(relation, writes, catalog)):
            effect.scan.update(member for member in below if member.kind in ("r", "p", "m", "f"))
    for verb, name in writes:
        _write(verb, name, catalog, effect)
    _calls(statement, writes, catalog, effect)
    return None


def _is_only_inserted(
    relation: Relation, writes: list[tuple[str, tuple[str, ...]]], catalog: Catalog
) -> bool:
    return any(
        verb in ("insert", "upsert") and relation in catalog.find(name) for verb, name in writes
    )


def _targets(node: exp.Expression) -> list[tuple[str, ...]]:
    """The table that a node writes. Nothing found where one must be: not understood."""
    table = node.this
    if isinstance(table, exp.Schema):
        table = table.this
    if not isinstance(table, exp.Table):
        raise NotUnderstood
    parts = [part for part in table.parts if isinstance(part, exp.Identifier)]
    names = tuple(p.name if p.args.get("quoted") else p.name.lower() for p in parts)
    if not names:
        raise NotUnderstood
    return [names]


def _say_what(
    statement: Statement, effect: Effect, writes: list[tuple[str, tuple[str, ...]]]
) -> None:
    words = {
        "insert": "insert into",
        "upsert": "insert into",
        "update": "update",
        "delete": "delete from",
    }
    if writes:
        effect.what = ", ".join(f"{words.get(verb, 'merge into')} {show(n)}" for verb, n in writes)
    else:
        effect.what = "query"


def _write(verb: str, name: tuple[str, ...], catalog: Catalog, effect: Effect) -> None:
    """Rows of the table, the rows they point to, and those that point to them."""
    verbs = _VERBS[verb]
    for found in catalog.find(name):
        for relation in catalog.beneath(found):
            effect.lock(Mode.ROW_EXCLUSIVE, [relation])
            moves = bool(catalog.parents.get(relation.oid)) or relation.is_partitioned
            fires(catalog, effect, relation, {*_FIRED} if moves else verbs)
            effect.lock(Mode.ROW_SHARE, catalog.referenced(relation))
            if verb not in ("insert", "upsert"):
                effect.rows.add(relation)
                effect.say(_BATCHED)
            for one in verbs - {"insert"}:
                _pass_on(relation, one, catalog, effect)
    fires_new(catalog, effect, name)


def _pass_on(relation: Relation, verb: str, catalog: Catalog, effect: Effect) -> None:
    """A foreign key looks for children, and may delete or change them, from table to table."""
    waiting, seen = [relation], {relation}
    while waiting:
        for child, changes in catalog.children_of(waiting.pop(), verb):
            effect.lock(Mode.ROW_EXCLUSIVE if changes else Mode.ROW_SHARE, [child])
            effect.scan.add(child)
            if changes and child not in seen:
                seen.add(child)
                waiting.append(child)
                fires(catalog, effect, child, {"update", "delete"})


def _calls(
    statement: Statement,
    writes: list[tuple[str, tuple[str, ...]]],
    catalog: Catalog,
    effect: Effect,
) -> None:
    """A function of ours may do anything; `insert into t (a, b)` only looks like one."""
    targets = {name for _, name in writes}
    for name in called(statement.tokens):
        if name not in targets and catalog.is_user_function(name):
            effect.unknown = f"it calls {show(name)}(), whose body is not read"


def _copy(statement: Statement, catalog: Catalog, effect: Effect) -> None:
    reader = Reader(statement.tokens)
    reader.need("copy")
    if reader.word() == "(":
        raise NotUnderstood
    name = reader.name()
    effect.what = f"copy {show(name)}"
    if reader.seek("from", "to") == "from":
        _write("insert", name, catalog, effect)
    for relation in catalog.find(name):
        effect.lock(Mode.ACCESS_SHARE, catalog.beneath(relation))
