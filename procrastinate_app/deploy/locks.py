"""Which locks a statement takes, on which tables that are there, and how long its work is.

Read from the text, before anything runs. The rules are Postgres' own (15 to 18) and tests hold them
against what a server really does: a prediction may be too strong, never too weak. What is not
understood counts as ACCESS EXCLUSIVE on "unknown".

DDL is read by our lexer: sqlglot leaves policies, DO blocks, domains and many forms of ALTER TABLE
unread. Queries and changes of rows are read by sqlglot (see locks_rows).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum

from procrastinate_app.deploy.lexer import (
    NUMBER,
    STRING,
    SYMBOL,
    WORD,
    Statement,
    Token,
    Unreadable,
    flat_tokens,
    qualified_name,
)
from procrastinate_app.deploy.plan_catalog import Catalog, Name, Relation


class Mode(IntEnum):
    """Table-level locks, in the order of Postgres' own numbers."""

    ACCESS_SHARE = 1
    ROW_SHARE = 2
    ROW_EXCLUSIVE = 3
    SHARE_UPDATE_EXCLUSIVE = 4
    SHARE = 5
    SHARE_ROW_EXCLUSIVE = 6
    EXCLUSIVE = 7
    ACCESS_EXCLUSIVE = 8

    def __str__(self) -> str:
        return self.name.replace("_", " ")

    @property
    def blocks_reads(self) -> bool:
        return self is Mode.ACCESS_EXCLUSIVE

    @property
    def blocks_writes(self) -> bool:
        return self >= Mode.SHARE

    @classmethod
    def named(cls, words: str) -> Mode:
        """From `access share` or from pg_locks' `AccessShareLock`."""
        wanted = words.lower().replace(" ", "").removesuffix("lock")
        return next(mode for mode in cls if mode.name.lower().replace("_", "") == wanted)


@dataclass
class Effect:
    """What one statement would do.

    what: the statement's kind in words. locks: the strongest by existing table. unknown: it may
    lock anything; the words say why. scan, rewrite: tables read in full, or written anew.
    rows: tables whose rows it changes. instead: the safer way, where there is one. dropped: what
    it removes, as `kind name`.
    """

    what: str
    locks: dict[Relation, Mode] = field(default_factory=dict)
    unknown: str = ""
    scan: set[Relation] = field(default_factory=set)
    rewrite: set[Relation] = field(default_factory=set)
    rows: set[Relation] = field(default_factory=set)
    waits: bool = False
    instead: str = ""
    notes: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)

    def lock(self, mode: Mode, relations: Iterable[Relation]) -> None:
        for relation in relations:
            self.locks[relation] = max(mode, self.locks.get(relation, mode))

    def say(self, advice: str) -> None:
        """The first advice wins: the heaviest part of a statement is read first."""
        self.instead = self.instead or advice


class NotUnderstood(Exception):
    """The statement is of a form that the reader does not know."""


class Reader:
    """Reads tokens from left to right."""

    def __init__(self, tokens: tuple[Token, ...] | list[Token]) -> None:
        self.tokens = tuple(tokens)
        self.at = 0

    def word(self, ahead: int = 0) -> str:
        """The word at hand in lower case; empty for anything else."""
        at = self.at + ahead
        if at < len(self.tokens) and self.tokens[at].kind in (WORD, SYMBOL, NUMBER):
            return self.tokens[at].text.lower()
        return ""

    def accept(self, words: str) -> bool:
        """Step over these words if they are next."""
        wanted = words.split()
        if [self.word(n) for n in range(len(wanted))] == wanted:
            self.at += len(wanted)
            return True
        return False

    def one_of(self, *choices: str) -> str:
        return next((words for words in choices if self.accept(words)), "")

    def need(self, words: str) -> None:
        if not self.accept(words):
            raise NotUnderstood

    def name(self) -> tuple[str, ...]:
        parts, after = qualified_name(self.tokens, self.at)
        if not parts:
            raise NotUnderstood
        self.at = after
        return parts

    def names(self) -> list[tuple[str, ...]]:
        found = [self.name()]
        while self.accept(","):
            found.append(self.name())
        return found

    def seek(self, *words: str) -> str:
        """Go on to the first of these words outside parentheses, and over it."""
        depth = 0
        while self.at < len(self.tokens):
            here = self.word()
            depth += {"(": 1, ")": -1}.get(here, 0)
            self.at += 1
            if depth == 0 and here in words:
                return here
        return ""

    def skip(self) -> None:
        self.at += 1

    def skip_group(self) -> None:
        """Over a pair of parentheses, if one is next."""
        if self.word() == "(":
            self.at = self.end_of_group()

    def end_of_group(self) -> int:
        depth = 0
        for at in range(self.at, len(self.tokens)):
            depth += {"(": 1, ")": -1}.get(self.tokens[at].text, 0)
            if depth == 0:
                return at + 1
        raise NotUnderstood

    @property
    def rest(self) -> tuple[Token, ...]:
        return self.tokens[self.at :]

    @property
    def done(self) -> bool:
        return self.at >= len(self.tokens)

    def has(self, words: str) -> bool:
        """Do these words follow somewhere?"""
        wanted = words.split()
        texts = [token.text.lower() if token.kind != STRING else "'" for token in self.rest]
        return any(texts[n : n + len(wanted)] == wanted for n in range(len(texts)))


def parts_of(tokens: tuple[Token, ...]) -> list[tuple[Token, ...]]:
    """The pieces between the commas that stand outside parentheses."""
    pieces: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(token.text, 0)
        if token.text == "," and depth == 0:
            pieces.append([])
        else:
            pieces[-1].append(token)
    return [tuple(piece) for piece in pieces]


def show(name: tuple[str, ...]) -> str:
    return ".".join(name)


def mentioned(tokens: Sequence[Token], catalog: Catalog) -> list[Relation]:
    """Every existing relation that is named here; each will at least be looked at."""
    texts = tuple(tokens)
    found: dict[Relation, None] = {}
    at = 0
    while at < len(texts):
        parts, after = qualified_name(texts, at)
        for size in range(len(parts), 0, -1):
            known = catalog.exact(parts[:size])
            if known and (size > 1 or known.schema in catalog.path):
                found.update(dict.fromkeys(catalog.whole(known.oid)))
                break
        at = max(after, at + 1)
    return list(found)


def called(tokens: tuple[Token, ...]) -> list[tuple[str, ...]]:
    """Every name that an opening parenthesis follows."""
    found: list[tuple[str, ...]] = []
    at = 0
    while at < len(tokens):
        parts, after = qualified_name(tokens, at)
        if parts and after < len(tokens) and tokens[after].text == "(":
            found.append(parts)
        at = max(after, at + 1)
    return found


# The simple forms: what is locked is the one relation that is named.

_NO_LOCK = {
    "set", "reset", "show", "notify", "listen", "unlisten", "discard", "checkpoint", "load",
}  # fmt: skip
_LOCKLESS_KINDS = (
    "function", "procedure", "aggregate", "routine", "type", "schema", "operator", "cast",
    "collation", "conversion", "role", "user", "group", "database", "tablespace", "server",
    "foreign data wrapper", "language", "text search", "access method", "event trigger",
    "transform", "domain", "default privileges", "large object",
)  # fmt: skip
_RELATIONS = ("table", "materialized view", "view", "foreign table", "sequence", "index")
# extensions whose scripts make functions, types and operators only
_PLAIN_EXTENSIONS = {
    "btree_gin", "btree_gist", "citext", "fuzzystrmatch", "hstore", "intarray", "isn", "ltree",
    "pg_trgm", "pgcrypto", "plpgsql", "tablefunc", "unaccent", "uuid-ossp", "vector",
}  # fmt: skip


def read(statement: Statement, catalog: Catalog) -> Effect:
    """What the statement would do. Follows its changes of names in `catalog`."""
    words = " ".join(statement.text.split())
    effect = Effect(words if len(words) <= 60 else words[:59] + "…")
    reader = Reader(statement.tokens)
    try:
        _dispatch(reader, statement, catalog, effect)
    except (NotUnderstood, IndexError):
        effect.unknown = effect.unknown or "a statement that this plan cannot read"
    reads_bodies = catalog.bodies_checked and statement.words("create")
    flat = reads_bodies or statement.words("do")
    texts = _deep_tokens(statement) if flat else statement.tokens
    effect.lock(Mode.ACCESS_SHARE, mentioned(texts, catalog))
    return effect


def _deep_tokens(statement: Statement) -> list[Token]:
    """The tokens with those of bodies, be they dollar-quoted or plain strings."""
    found: list[Token] = []
    for token in flat_tokens(statement.text):
        found.append(token)
        if token.kind == STRING and token.text.startswith("'"):
            with suppress(Unreadable):
                found += flat_tokens(token.text[1:-1].replace("''", "'"))
    return found


def _dispatch(reader: Reader, statement: Statement, catalog: Catalog, effect: Effect) -> None:
    from procrastinate_app.deploy import locks_alter, locks_rows

    verb = reader.word()
    if verb in ("select", "insert", "update", "delete", "merge", "with", "values", "copy", "("):
        return locks_rows.read_rows(statement, catalog, effect)
    reader.skip()
    if verb == "set" or verb == "reset":
        return _set(reader, catalog, effect)
    if verb in _NO_LOCK:
        return None
    if verb == "table":  # `table x` is a query
        effect.scan.update(_beneath(catalog, reader.name()))
        return effect.lock(Mode.ACCESS_SHARE, effect.scan)
    if verb == "do":
        return _do(reader, catalog, effect)
    if verb == "create":
        return _create(reader, statement, catalog, effect)
    if verb == "drop":
        return _drop(reader, catalog, effect)
    if verb == "alter":
        return locks_alter.read_alter(reader, catalog, effect)
    readers = {
        "comment": _comment,
        "security": _comment,
        "grant": _grant,
        "revoke": _grant,
        "truncate": _truncate,
        "lock": _lock,
        "refresh": _refresh,
        "reindex": _reindex,
        "cluster": _cluster,
        "vacuum": _vacuum,
        "analyze": _analyze,
    }
    if verb not in readers:
        raise NotUnderstood
    return readers[verb](reader, catalog, effect)


def _beneath(catalog: Catalog, name: tuple[str, ...]) -> list[Relation]:
    return [member for found in catalog.find(name) for member in catalog.beneath(found)]


def trees(catalog: Catalog, name: tuple[str, ...], *, only: bool = False) -> list[Relation]:
    """The relations of a name, with their partitions and inheriting tables."""
    found = catalog.find(name)
    return found if only else [member for one in found for member in catalog.tree(one)]


def _set(reader: Reader, catalog: Catalog, effect: Effect) -> None:
    """Settings lock nothing; a search_path changes what bare names mean."""
    effect.what = "setting"
    reader.one_of("local", "session")
    if reader.accept("search_path"):
        reader.one_of("to", "=")
        names = [token.text.strip("'\"") for token in reader.rest if token.text != ","]
        catalog.path = tuple(name for name in names if name and name != "default") or ("public",)


def _do(reader: Reader, catalog: Catalog, effect: Effect) -> None:
    """A block is understood only when it does no more than look into catalogues."""
    effect.what = "DO block"
    if any(t.kind == STRING and not t.text.startswith("$") for t in reader.rest):
        raise NotUnderstood
    body = flat_tokens(" ".join(token.text for token in reader.rest))
    inside = Reader(body)
    acts = {
        "execute", "perform", "insert", "update", "delete", "merge", "alter", "drop", "truncate",
        "lock", "call", "copy", "grant", "revoke", "comment", "refresh", "reindex", "cluster",
        "analyze", "vacuum", "set", "security", "reassign", "import",
    }  # fmt: skip
    while not inside.done:
        word = inside.word()
        if word in acts:
            break
        if word == "create" and not _creates_known_extension(inside, catalog):
            break
        if word in ("from", "join", "into") and not inside.word(1).startswith("pg_"):
            break
        if any(catalog.is_user_function(name) for name in called(inside.rest[:6])):
            break
        inside.skip()
    if not inside.done:
        effect.unknown = "a DO block: its body is not read"


def _creates_known_extension(inside: Reader, catalog: Catalog) -> bool:
    known = inside.tokens[inside.at : inside.at + 6]
    words = [token.name for token in known]
    return words[:5] == ["create", "extension", "if", "not", "exists"] and (
        words[5] in catalog.extensions | _PLAIN_EXTENSIONS
    )


# create


def _create(reader: Reader, statement: Statement, catalog: Catalog, effect: Effect) -> None:
    replaces = reader.accept("or replace")
    if reader.one_of("global temporary", "global temp", "local temporary", "local temp",
                     "temporary", "temp", "unlogged"):  # fmt: skip
        if reader.accept("table"):
            return _create_table(reader, statement, catalog, effect)
        reader.one_of("recursive")
    if reader.accept("foreign table") or reader.accept("table"):
        return _create_table(reader, statement, catalog, effect)
    if reader.word() == "unique" or reader.word() == "index":
        return _create_index(reader, catalog, effect)
    if reader.accept("materialized view"):
        return _create_view(reader, statement, catalog, effect, "materialized view")
    if reader.accept("recursive view") or reader.accept("view"):
        return _create_view(reader, statement, catalog, effect, "view")
    if reader.accept("event trigger"):
        effect.what = "create event trigger"
        return None
    if reader.accept("constraint trigger") or reader.accept("trigger"):
        return _create_trigger(reader, catalog, effect)
    if reader.accept("policy"):
        return _create_policy(reader, catalog, effect)
    if reader.accept("rule"):
        name = reader.name()
        reader.seek("to")
        table = reader.name()
        effect.what = f"create rule {show(name)} on {show(table)}"
        return effect.lock(Mode.ACCESS_EXCLUSIVE, catalog.find(table))
    if reader.accept("statistics"):
        reader.seek("from")
        table = reader.name()
        effect.what = f"create statistics on {show(table)}"
        return effect.lock(Mode.SHARE_UPDATE_EXCLUSIVE, trees(catalog, table))
    if reader.accept("publication"):
        effect.what = f"create publication {show(reader.name())}"
        return published(reader, catalog, effect)
    if reader.accept("sequence"):
        reader.accept("if not exists")
        name = reader.name()
        effect.what = f"create sequence {show(name)}"
        if not catalog.exists(name):
            catalog.create(name)
        return None
    if reader.accept("extension"):
        return _create_extension(reader, catalog, effect)
    kind = reader.one_of("domain", "procedural language", "trusted language", *_LOCKLESS_KINDS)
    if not kind:
        raise NotUnderstood
    return _create_other(reader, catalog, effect, kind, replaces)


def _create_other(
    reader: Reader, catalog: Catalog, effect: Effect, kind: str, replaces: bool
) -> None:
    reader.accept("if not exists")
    if kind not in ("function", "procedure", "type", "domain", "schema", "aggregate"):
        effect.what = f"create {kind}"
        return
    if kind == "schema" and len(reader.rest) > 3 and reader.has("create"):
        raise NotUnderstood
    name = ("authorization",) if reader.word() == "authorization" else reader.name()
    effect.what = f"{'create or replace' if replaces else 'create'} {kind} {show(name)}"
    address: Name = (name[-2] if len(name) > 1 else next(iter(catalog.path), ""), name[-1])
    if kind == "domain":
        catalog.new_domains.add(address)
    elif kind in ("function", "procedure", "aggregate"):
        catalog.new_functions.add(address)
    elif kind == "type":
        catalog.types.add(name[-1])


def _create_extension(reader: Reader, catalog: Catalog, effect: Effect) -> None:
    careful = reader.accept("if not exists")
    (name,) = reader.name()[-1:]
    effect.what = f"create extension {name}"
    if not (careful and name in catalog.extensions) and name not in _PLAIN_EXTENSIONS:
        effect.unknown = f"the script of the extension {name}"


def _create_table(reader: Reader, statement: Statement, catalog: Catalog, effect: Effect) -> None:
    """A new table locks nobody; the tables it refers to wait while its rows are none."""
    careful = reader.accept("if not exists")
    name = reader.name()
    effect.what = f"create table {show(name)}"
    if careful and catalog.exists(name):
        effect.notes.append("it is there already: nothing happens")
        return
    tokens = reader.rest
    if reader.accept("partition of"):
        _create_partition(reader, catalog, effect)
    at = 0
    while at < len(tokens):
        inside = Reader(tokens[at:])
        if inside.accept("references"):
            effect.lock(Mode.SHARE_ROW_EXCLUSIVE, trees(catalog, inside.name()))
        elif inside.accept("inherits ("):
            for parent in inside.names():
                effect.lock(Mode.SHARE_UPDATE_EXCLUSIVE, catalog.find(parent))
        at += 1
    query = Reader(tokens)
    if query.seek("as") and query.word() in ("select", "with", "values", "table", "("):
        effect.what += " as a query"
        _reads(statement, catalog, effect, scan=not query.has("with no data"))
    catalog.create(name)


def _create_partition(reader: Reader, catalog: Catalog, effect: Effect) -> None:
    parent = reader.name()
    effect.what += f" as a partition of {show(parent)}"
    for relation in catalog.find(parent):
        effect.lock(Mode.ACCESS_EXCLUSIVE, [relation])
        _touch_default(catalog, effect, relation)
        effect.lock(Mode.SHARE_ROW_EXCLUSIVE, catalog.referenced(relation))
    effect.say("create the table by itself, then `alter table … attach partition`: a weaker lock")


def _touch_default(catalog: Catalog, effect: Effect, parent: Relation) -> None:
    """The default partition must be read: a row of it may belong to the new one."""
    for relation in catalog.default_of(parent):
        effect.lock(Mode.ACCESS_EXCLUSIVE, [relation])
        effect.scan.add(relation)


def _reads(statement: Statement, catalog: Catalog, effect: Effect, *, scan: bool) -> None:
    """The query of a view or a new table: it is looked at, and perhaps run."""
    for relation in mentioned(statement.tokens, catalog):
        below = catalog.beneath(relation)
        effect.lock(Mode.ACCESS_SHARE, below)
        if scan:
            effect.scan.update(below)
    if scan:
        why = next((n for n in called(statement.tokens) if catalog.is_user_function(n)), None)
        if why:
            effect.unknown = f"it calls {show(why)}(), whose body is not read"


def _create_index(reader: Reader, catalog: Catalog, effect: Effect) -> None:
    unique = "unique " if reader.accept("unique") else ""
    reader.need("index")
    concurrently = reader.accept("concurrently")
    careful = reader.accept("if not exists")
    name = () if reader.word() == "on" else reader.name()
    reader.need("on")
    only = reader.accept("only")
    table = reader.name()
    how = "concurrently " if concurrently else ""
    label = f"{show(name)} " if name else ""
    effect.what = f"create {unique}index {how}{label}on {show(table)}"
    schema = (table[-2],) if len(table) > 1 else ()
    if careful and name and catalog.exists((*schema, *name)) and not concurrently:
        effect.notes.append("it is there already: nothing happens")
        effect.lock(Mode.SHARE, trees(catalog, table, only=only))
        return
    found = trees(catalog, table, only=only)
    effect.lock(Mode.SHARE_UPDATE_EXCLUSIVE if concurrently else Mode.SHARE, found)
    effect.scan.update(found)
    if concurrently:
        effect.waits = bool(found)
    elif any(relation.is_partitioned for relation in found):
        effect.say(
            "`create index on only` the parent, each partition's with `concurrently`, then attach"
        )
    elif found:
        effect.say("`create index concurrently if not exists` alone in a `-- no-transaction` file")
    if name:
        address = (*schema, *name)
        catalog.create(address)
        home = catalog.find(table)
        for made in catalog.addresses(address):
            catalog.new_indexes[made] = home[0] if home else None


def _create_view(
    reader: Reader, statement: Statement, catalog: Catalog, effect: Effect, kind: str
) -> None:
    careful = reader.accept("if not exists")
    name = reader.name()
    existing = catalog.find(name)
    effect.what = f"{'replace' if existing else 'create'} {kind} {show(name)}"
    if careful and existing:
        effect.notes.append("it is there already: nothing happens")
        return
    effect.lock(Mode.ACCESS_EXCLUSIVE, existing)
    _reads(statement, catalog, effect, scan=kind != "view" and not reader.has("with no data"))
    if not existing:
        catalog.create(name)


def _create_trigger(reader: Reader, catalog: Catalog, effect: Effect) -> None:
    name = reader.name()
    reader.seek("on")
    table = reader.name()
    effect.what = f"create trigger {show(name)} on {show(table)}"
    effect.lock(Mode.SHARE_ROW_EXCLUSIVE, trees(catalog, table))
    catalog.new_triggers.update(catalog.addresses(table))


def _create_policy(reader: Reader, catalog: Catalog, effect: Effect) -> None:
    name = reader.name()
    reader.need("on")
    table = reader.name()
    effect.what = f"create policy {show(name)} on {show(table)}"
    effect.lock(Mode.ACCESS_EXCLUSIVE, catalog.find(table))


def published(reader: Reader, catalog: Catalog, effect: Effect) -> None:
    """The tables of a publication, as far as they are named."""
    for relation in mentioned(reader.rest, catalog):
        effect.lock(Mode.SHARE_UPDATE_EXCLUSIVE, catalog.tree(relation))


# drop


def _drop(reader: Reader, catalog: Catalog, effect: Effect) -> None:
    kind = reader.one_of(*_RELATIONS, "trigger", "policy", "rule")
    if kind == "index":
        return _drop_index(reader, catalog, effect)
    if kind in ("trigger", "policy", "rule"):
        return _drop_part(reader, catalog, effect, kind)
    if kind:
        return _drop_relations(reader, catalog, effect, kind)
    kind = reader.one_of(*_LOCKLESS_KINDS, "publication", "statistics", "extension")
    if not kind or kind == "extension":
        raise NotUnderstood
    reader.accept("if exists")
    name = reader.name()
    effect.what = f"drop {kind} {show(name)}"
    if kind in ("function", "procedure", "routine", "aggregate"):
        catalog.dropped.add(("function", *_address(name, catalog)))
        if catalog.is_user_function(name):
            effect.dropped.append(f"function {show(name)}")
    elif kind == "statistics":
        effect.lock(Mode.SHARE_UPDATE_EXCLUSIVE, catalog.tables_of_statistics(name))
    elif kind in ("type", "domain", "schema"):
        effect.dropped.append(f"{kind} {show(name)}")
    if reader.has("cascade"):
        effect.unknown = "whatever depends on it: `cascade` drops that too"
        effect.say("drop what depends on it first, each by name")
    return None


def _address(name: tuple[str, ...], catalog: Catalog) -> Name:
    return (name[-2] if len(name) > 1 else next(iter(catalog.path), "public"), name[-1])


def _drop_index(reader: Reader, catalog: Catalog, effect: Effect) -> None:
    concurrently = reader.accept("concurrently")
    reader.accept("if exists")
    names = reader.names()
    how = "concurrently " if concurrently else ""
    effect.what = f"drop index {how}{', '.join(map(show, names))}"
    for name in names:
        tables = [member for one in catalog.find(name) for member in catalog.tree(one)]
        if concurrently:
            effect.lock(Mode.SHARE_UPDATE_EXCLUSIVE, tables)
            effect.waits = bool(tables)
        else:
            effect.lock(Mode.ACCESS_EXCLUSIVE, tables)
            effect.say("`drop index concurrently if exists` alone in a `-- no-transaction` file")
        if catalog.exact(name):
            effect.dropped.append(f"index {show(name)}")
        catalog.drop(name)


def _drop_part(reader: Reader, catalog: Catalog, effect: Effect, kind: str) -> None:
    reader.accept("if exists")
    name = reader.name()
    reader.need("on")
    table = reader.name()
    effect.what = f"drop {kind} {show(name)} on {show(table)}"
    effect.lock(Mode.ACCESS_EXCLUSIVE, trees(catalog, table, only=kind != "trigger"))
    if catalog.find(table):
        effect.dropped.append(f"{kind} {show(name)} on {show(table)}")
        catalog.dropped.add((kind, show(_address(table, catalog)), name[-1]))


def _drop_relations(reader: Reader, catalog: Catalog, effect: Effect, kind: str) -> None:
    reader.accept("if exists")
    names = reader.names()
    effect.what = f"drop {kind} {', '.join(map(show, names))}"
    gone: list[Relation] = []
    for name in names:
        for relation in catalog.find(name):
            gone += catalog.tree(relation)
            effect.lock(Mode.ACCESS_EXCLUSIVE, catalog.tree(relation))
            for parent in catalog.ancestors(relation):
                effect.lock(Mode.ACCESS_EXCLUSIVE, [parent, *catalog.default_of(parent)])
            effect.lock(Mode.ACCESS_EXCLUSIVE, catalog.tied(relation))
            effect.dropped.append(f"{kind} {relation}")
        catalog.dropped.add((kind, *_address(name, catalog)))
        catalog.drop(name)
    if reader.has("cascade"):
        effect.what += " cascade"
        effect.lock(Mode.ACCESS_EXCLUSIVE, catalog.dependents(gone))
    if gone and kind == "table":
        effect.say("let a release pass in which nothing uses it, then drop it alone in a file")


# the rest


def _comment(reader: Reader, catalog: Catalog, effect: Effect) -> None:
    reader.accept("label")
    if reader.accept("for"):
        reader.name()
    reader.need("on")
    kind = reader.one_of(*_RELATIONS, "column", "constraint", "trigger", "policy", "rule")
    if not kind:
        effect.what = f"comment on {reader.word()}"
        return
    name = reader.name()
    effect.what = f"comment on {kind} {show(name)}"
    if kind == "column":
        name = name[:-1]
    elif kind not in _RELATIONS:
        return  # looked at only: ACCESS SHARE, as everything that is named
    effect.lock(Mode.SHARE_UPDATE_EXCLUSIVE, catalog.find(name))


def _grant(reader: Reader, catalog: Catalog, effect: Effect) -> None:
    """Rights wait for nobody; since Postgres 18 the table is looked at meanwhile."""
    reader.at = 0
    verb = reader.word()
    effect.what = f"{verb} rights"
    if reader.seek("on"):
        opening = [token.text for token in reader.rest[:6]]
        effect.what = (
            f"{verb} on {' '.join(opening[: opening.index('to')] if 'to' in opening else opening)}"
        )
        effect.what = effect.what.replace(" . ", ".").split(" from ")[0].split(" (")[0]


def _truncate(reader: Reader, catalog: Catalog, effect: Effect) -> None:
    reader.accept("table")
    reader.accept("only")
    names = reader.names()
    effect.what = f"truncate {', '.join(map(show, names))}"
    waiting = [member for name in names for member in trees(catalog, name)]
    found: list[Relation] = []
    while waiting:
        relation = waiting.pop()
        if relation not in found:
            found.append(relation)
            if reader.has("cascade"):
                waiting += catalog.referencing(relation)
    effect.lock(Mode.ACCESS_EXCLUSIVE, found)
    effect.rewrite.update(found)
    effect.notes += [f"removes every row of {relation}" for relation in found]
    for relation in found:
        fires(catalog, effect, relation, {"truncate"})
    for name in names:
        fires_new(catalog, effect, name)


def fires(catalog: Catalog, effect: Effect, relation: Relation, verbs: set[str]) -> None:
    """Triggers of users may do anything."""
    if which := catalog.fired(relation, verbs):
        effect.unknown = f"what the triggers of {relation} do ({', '.join(which)})"


def fires_new(catalog: Catalog, effect: Effect, name: tuple[str, ...]) -> None:
    if any(address in catalog.new_triggers for address in catalog.addresses(name)):
        effect.unknown = f"what the new triggers of {show(name)} do"


def _lock(reader: Reader, catalog: Catalog, effect: Effect) -> None:
    reader.accept("table")
    reader.accept("only")
    names = reader.names()
    mode = Mode.ACCESS_EXCLUSIVE
    if reader.seek("in"):
        words = " ".join(token.text.lower() for token in reader.rest)
        try:
            mode = Mode.named(words[: words.index(" mode")])
        except (ValueError, StopIteration):
            raise NotUnderstood from None
    effect.what = f"lock {', '.join(map(show, names))}"
    for name in names:
        effect.lock(mode, _beneath(catalog, name))


def _refresh(reader: Reader, catalog: Catalog, effect: Effect) -> None:
    reader.need("materialized view")
    concurrently = reader.accept("concurrently")
    name = reader.name()
    effect.what = f"refresh materialized view {show(name)}"
    for relation in catalog.find(name):
        effect.lock(Mode.EXCLUSIVE if concurrently else Mode.ACCESS_EXCLUSIVE, [relation])
        if not concurrently:
            effect.rewrite.add(relation)
            effect.say("`refresh materialized view concurrently`, by a job")
        effect.scan.add(relation)
        for oid in catalog.read_by_view.get(relation.oid, ()):
            for below in catalog.whole(oid):
                effect.lock(Mode.ACCESS_SHARE, catalog.beneath(below))
                effect.scan.update(catalog.beneath(below))


def _reindex(reader: Reader, catalog: Catalog, effect: Effect) -> None:
    """Queries open every index of their table, so a locked index stops readers too."""
    reader.skip_group()
    kind = reader.one_of("index", "table")
    if not kind:
        raise NotUnderstood
    concurrently = reader.accept("concurrently")
    name = reader.name()
    effect.what = f"reindex {kind} {show(name)}"
    found = trees(catalog, name)
    effect.lock(Mode.SHARE_UPDATE_EXCLUSIVE if concurrently else Mode.ACCESS_EXCLUSIVE, found)
    effect.scan.update(found)
    effect.waits = concurrently and bool(found)
    if not concurrently:
        effect.say("`reindex … concurrently`, alone in a `-- no-transaction` file")


def _cluster(reader: Reader, catalog: Catalog, effect: Effect) -> None:
    reader.skip_group()
    name = reader.name()
    effect.what = f"cluster {show(name)}"
    found = trees(catalog, name)
    effect.lock(Mode.ACCESS_EXCLUSIVE, found)
    effect.scan.update(found)
    effect.rewrite.update(found)
    effect.say("pg_repack, or leave the order to an index")


def _vacuum(reader: Reader, catalog: Catalog, effect: Effect) -> None:
    full = reader.has("full")
    reader.skip_group()
    while reader.one_of("full", "freeze", "verbose", "analyze"):
        pass
    name = reader.name()
    effect.what = f"vacuum {'full ' if full else ''}{show(name)}"
    found = trees(catalog, name)
    effect.lock(Mode.ACCESS_EXCLUSIVE if full else Mode.SHARE_UPDATE_EXCLUSIVE, found)
    effect.scan.update(found)
    if full:
        effect.rewrite.update(found)
        effect.say("plain vacuum, or pg_repack")


def _analyze(reader: Reader, catalog: Catalog, effect: Effect) -> None:
    reader.skip_group()
    reader.accept("verbose")
    if reader.done:
        raise NotUnderstood
    for name in reader.names():
        effect.what = f"analyze {show(name)}"
        found = trees(catalog, name)
        effect.lock(Mode.SHARE_UPDATE_EXCLUSIVE, found)
        reader.skip_group()
