"""ALTER, in all its forms: the strongest lock of its actions, and which of them are long.

Lock levels are those of Postgres' AlterTableGetLockLevel(); an action that is not known here counts
as ACCESS EXCLUSIVE with a rewrite.
"""

from __future__ import annotations

import re

from procrastinate_app.deploy.lexer import QUOTED, WORD, Token
from procrastinate_app.deploy.locks import (
    Effect,
    Mode,
    NotUnderstood,
    Reader,
    called,
    parts_of,
    published,
    show,
    trees,
)
from procrastinate_app.deploy.plan_catalog import Catalog, Relation

_TABLES = ("table", "foreign table", "materialized view", "view", "index", "sequence")
_COLUMN_WORDS = {
    "default", "not", "null", "constraint", "check", "unique", "primary", "references",
    "generated", "collate", "storage", "compression", "options",
}  # fmt: skip
# spelled like calls, but syntax or types
_NOT_CALLS = {
    "cast", "coalesce", "nullif", "greatest", "least", "array", "row", "extract", "interval",
    "numeric", "decimal", "varchar", "char", "character", "varying", "bit", "time", "timestamp",
    "timestamptz", "timetz", "float", "exists", "in", "values", "and", "or", "not", "current_time",
    "current_timestamp", "localtime", "localtimestamp", "precision",
}  # fmt: skip
_SERIALS = {"serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"}
# stored alike, so that a change between them rewrites nothing
_ALIKE = {
    ("character varying", "text"), ("text", "character varying"), ("cidr", "inet"),
    ("character varying", "citext"), ("text", "citext"), ("citext", "text"),
}  # fmt: skip
_SPELLED = {
    "varchar": "character varying", "int": "integer", "int4": "integer", "int8": "bigint",
    "int2": "smallint", "decimal": "numeric", "timestamptz": "timestamp with time zone",
    "timestamp": "timestamp without time zone", "bool": "boolean", "float8": "double precision",
    "varbit": "bit varying", "char": "character", "float4": "real",
    "time": "time without time zone", "timetz": "time with time zone",
}  # fmt: skip
_BATCHES = "add it nullable without default, fill it in batches by a job, then set the default"


def read_alter(reader: Reader, catalog: Catalog, effect: Effect) -> None:
    """The reader stands behind the word `alter`."""
    kind = reader.one_of(*_TABLES)
    if kind:
        return _alter_relation(reader, catalog, effect, kind)
    if reader.accept("domain"):
        return _alter_domain(reader, catalog, effect)
    if reader.accept("type"):
        return _alter_type(reader, catalog, effect)
    if part := reader.one_of("trigger", "policy", "rule"):
        name = reader.name()
        reader.need("on")
        table = reader.name()
        effect.what = f"alter {part} {show(name)} on {show(table)}"
        return effect.lock(Mode.ACCESS_EXCLUSIVE, trees(catalog, table, only=part != "trigger"))
    if reader.accept("publication"):
        name = reader.name()
        effect.what = f"alter publication {show(name)}"
        if reader.has("set table"):
            effect.lock(Mode.SHARE_UPDATE_EXCLUSIVE, catalog.published(name[-1]))
        return published(reader, catalog, effect)
    lockless = reader.one_of(
        "function", "procedure", "aggregate", "routine", "schema", "default privileges", "role",
        "user", "group", "database", "operator", "collation", "conversion", "event trigger",
        "language", "large object", "server", "foreign data wrapper", "statistics", "system",
        "tablespace", "text search",
    )  # fmt: skip
    if not lockless:
        raise NotUnderstood
    effect.what = f"alter {lockless}"
    if lockless in ("function", "procedure", "schema"):
        effect.what += f" {show(reader.name())}"
    return None


# domains and types


def _alter_domain(reader: Reader, catalog: Catalog, effect: Effect) -> None:
    """A constraint is checked in every table that has a column of the domain."""
    name = reader.name()
    effect.what = f"alter domain {show(name)}"
    unvalidated = reader.has("not valid")
    if reader.accept("validate constraint"):
        pass
    elif (reader.accept("add") and not unvalidated) or reader.accept("set not null"):
        effect.say("`add constraint … not valid`, and `validate constraint` in a later file")
    else:
        return
    tables = catalog.tables_of_domain(name)
    effect.lock(Mode.SHARE, [member for table in tables for member in catalog.tree(table)])
    effect.scan.update(tables)


def _alter_type(reader: Reader, catalog: Catalog, effect: Effect) -> None:
    name = reader.name()
    effect.what = f"alter type {show(name)}"
    if reader.has("attribute"):
        if reader.has("cascade"):
            effect.unknown = "the tables made of this type"
        for relation in catalog.tables_of_domain(name):
            effect.lock(Mode.ACCESS_SHARE, catalog.tree(relation))
    elif reader.accept("add value"):
        effect.what += " add value"


# tables


def _alter_relation(reader: Reader, catalog: Catalog, effect: Effect, kind: str) -> None:
    if reader.accept("all in tablespace"):
        raise NotUnderstood
    reader.accept("if exists")
    only = reader.accept("only")
    name = reader.name()
    reader.accept("*")
    effect.what = f"alter {kind} {show(name)}"
    found = trees(catalog, name, only=only)
    exact = catalog.exact(name)
    if kind == "sequence" and not reader.has("rename") and not reader.has("owner"):
        mode = Mode.ACCESS_EXCLUSIVE if reader.has("set") else Mode.SHARE_ROW_EXCLUSIVE
        return effect.lock(mode, found)
    if reader.accept("rename"):
        return _rename(reader, catalog, effect, name, found, kind)
    if exact and exact.kind in ("i", "I"):
        kind = "index"
    if reader.accept("set schema"):
        schema = reader.name()[-1]
        effect.what += f" set schema {schema}"
        effect.lock(Mode.ACCESS_EXCLUSIVE, found)
        return catalog.rename(name, schema, None)
    if kind in ("view", "materialized view", "sequence"):
        return effect.lock(Mode.ACCESS_EXCLUSIVE, found)
    if kind == "index":
        return _alter_index(reader, catalog, effect, found)
    actions = parts_of(reader.rest)
    table = _Table(catalog, effect, catalog.find(name), found, name)
    effect.what = f"{'; '.join(_words(action) for action in actions)} on {show(name)}"
    for action in actions:
        table.read(action)
    return None


def _words(action: tuple[Token, ...]) -> str:
    """An action as it is written, shortened; expressions are left out."""
    text = ""
    depth = 0
    for token in action:
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth > 0:
            continue
        gap = "" if not text or token.text in (".", ",", ")", "[", "]", ":") else " "
        gap = "" if text.endswith((".", ":", "[")) else gap
        text += gap + ("(…)" if token.text == ")" else token.text)
        if len(text) > 60:
            return text[:59] + "…"
    return text


def _rename(
    reader: Reader,
    catalog: Catalog,
    effect: Effect,
    name: tuple[str, ...],
    found: list[Relation],
    kind: str,
) -> None:
    if reader.accept("to"):
        new = reader.name()[-1]
        effect.what = f"rename {kind} {show(name)} to {new}"
        mode = Mode.SHARE_UPDATE_EXCLUSIVE if kind == "index" else Mode.ACCESS_EXCLUSIVE
        effect.lock(mode, found)
        if kind == "table":
            effect.say("leave a view of the old name, or add the new table and move over a release")
        return catalog.rename(name, None, new)
    reader.accept("column")
    column = reader.name()
    effect.what = f"rename {show(column)} of {show(name)}"
    effect.lock(Mode.ACCESS_EXCLUSIVE, found)
    effect.say("add the new column and keep both for a release: running clients use the old name")
    return None


def _alter_index(reader: Reader, catalog: Catalog, effect: Effect, found: list[Relation]) -> None:
    """Queries open every index of their table, so a locked index stops readers too."""
    if reader.accept("attach partition"):
        effect.lock(Mode.ACCESS_EXCLUSIVE, [*found, *catalog.find(reader.name())])
        return
    mild = ("fillfactor", "deduplicate_items", "statistics")
    is_mild = any(reader.has(word) for word in mild) and not reader.has(",")
    effect.lock(Mode.SHARE_UPDATE_EXCLUSIVE if is_mild else Mode.ACCESS_EXCLUSIVE, found)
    if reader.has("tablespace"):
        effect.scan.update(found)


class _Table:
    """One ALTER TABLE. named: the table itself; found: with its partitions and children."""

    def __init__(
        self,
        catalog: Catalog,
        effect: Effect,
        named: list[Relation],
        found: list[Relation],
        name: tuple[str, ...],
    ) -> None:
        self.catalog, self.effect = catalog, effect
        self.named, self.found, self.name = named, found, name
        self.stored = [relation for relation in found if relation.kind in ("r", "p", "m", "f")]

    def lock(self, mode: Mode) -> None:
        self.effect.lock(mode, self.found)

    def scan(self, advice: str = "") -> None:
        self.effect.scan.update(self.stored)
        if advice and self.stored:
            self.effect.say(advice)

    def rewrite(self, advice: str) -> None:
        self.effect.rewrite.update(self.stored)
        if self.stored:
            self.effect.say(advice)

    def read(self, action: tuple[Token, ...]) -> None:
        reader = Reader(action)
        if reader.accept("add"):
            if reader.accept("column"):
                return self._add_column(reader)
            if self._is_constraint(reader):
                return self._add_constraint(reader)
            return self._add_column(reader)
        if reader.accept("drop"):
            return self._drop(reader)
        if reader.accept("alter constraint"):
            self.lock(Mode.ACCESS_EXCLUSIVE)
            self.effect.lock(Mode.ACCESS_EXCLUSIVE, self._tied())
            return self.scan() if reader.has("enforced") else None
        if reader.accept("alter"):
            reader.accept("column")
            return self._alter_column(reader, reader.name()[-1])
        if reader.accept("validate constraint"):
            return self._validate(reader.name()[-1])
        if reader.accept("attach partition"):
            return self._attach(reader)
        if reader.accept("detach partition"):
            return self._detach(reader)
        return self._other(reader)

    def _other(self, reader: Reader) -> None:
        if reader.one_of("enable", "disable"):
            reader.one_of("always", "replica")
            is_trigger = reader.word() == "trigger"
            self.lock(Mode.SHARE_ROW_EXCLUSIVE if is_trigger else Mode.ACCESS_EXCLUSIVE)
        elif reader.one_of("cluster on", "set without cluster"):
            self.lock(Mode.SHARE_UPDATE_EXCLUSIVE)
        elif reader.one_of("set logged", "set unlogged", "set access method"):
            self.lock(Mode.ACCESS_EXCLUSIVE)
            self.rewrite("a new table of the wanted kind, filled in batches by a job")
        elif reader.accept("set tablespace"):
            self.lock(Mode.ACCESS_EXCLUSIVE)
            self.rewrite("pg_repack, which moves a table while it is in use")
        elif reader.accept("set without oids"):
            self.lock(Mode.ACCESS_EXCLUSIVE)
        elif reader.one_of("set", "reset"):
            self.lock(self._options(reader))
        elif reader.one_of("inherit", "no inherit", "of"):
            self.lock(Mode.ACCESS_EXCLUSIVE)
            if not reader.done:
                parents = self.catalog.find(reader.name())
                self.effect.lock(Mode.SHARE_UPDATE_EXCLUSIVE, parents)
        elif reader.one_of(
            "force", "no force", "owner to", "replica identity", "not of", "options"
        ):
            self.lock(Mode.ACCESS_EXCLUSIVE)
        else:
            self.lock(Mode.ACCESS_EXCLUSIVE)
            self.rewrite("")
            self.effect.unknown = "an action of ALTER TABLE that this plan does not know"

    def _options(self, reader: Reader) -> Mode:
        """Storage parameters of a table; those of a view change its meaning."""
        names = [token.name for token in reader.rest if token.kind in (WORD, QUOTED)]
        mild = (
            "fillfactor",
            "autovacuum_",
            "toast",
            "parallel_workers",
            "log_autovacuum",
            "vacuum_",
        )
        is_mild = all(
            name.startswith(mild)
            or not re.match(r"[a-z_]+$", name)
            or name in ("true", "false", "on", "off", "auto")
            for name in names
        )
        return Mode.SHARE_UPDATE_EXCLUSIVE if is_mild else Mode.ACCESS_EXCLUSIVE

    def _tied(self, column: int | None = None) -> list[Relation]:
        return [other for one in self.found for other in self.catalog.tied(one, column)]

    # constraints

    @staticmethod
    def _is_constraint(reader: Reader) -> bool:
        if reader.word() in ("constraint", "check", "unique", "primary", "foreign"):
            return True
        if reader.word() == "not" and reader.word(1) == "null":
            return True
        return reader.word() == "exclude" and reader.word(1) in ("using", "(")

    def _add_constraint(self, reader: Reader) -> None:
        name = reader.name()[-1] if reader.accept("constraint") else ""
        unvalidated = reader.has("not valid")
        if reader.accept("foreign key"):
            reader.skip_group()
            reader.need("references")
            others = trees(self.catalog, reader.name())
            self.lock(Mode.SHARE_ROW_EXCLUSIVE)
            self.effect.lock(Mode.SHARE_ROW_EXCLUSIVE, others)
            for relation in self.found:
                self.catalog.new_keys[(relation.oid, name)] = others
            if not unvalidated and not reader.has("not enforced"):
                self.scan("`add constraint … not valid`, and `validate constraint` in a later file")
                if self.stored:
                    self.effect.scan.update(other for other in others if other.kind != "v")
            return
        self.lock(Mode.ACCESS_EXCLUSIVE)
        if reader.accept("check"):
            self._note_check(reader, name, valid=not unvalidated)
            if not unvalidated:
                self.scan("`add constraint … not valid`, and `validate constraint` in a later file")
        elif reader.accept("not null"):
            if not unvalidated:
                self.scan("`add constraint … not null … not valid`, and validate it later")
        elif reader.accept("exclude"):
            self.scan(
                "no way without the lock: choose a quiet time, or a new table filled by a job"
            )
        elif using := self._index_used(reader):
            index = self.catalog.exact((self.name[-2], using) if len(self.name) > 1 else (using,))
            if reader.has("primary key") and (index is None or self.catalog.has_nullable(index)):
                self.scan("set the columns not null first, through a validated check")
        else:
            self.scan(
                "`create unique index concurrently` alone in a file, "
                "then `add constraint … using index`"
            )

    @staticmethod
    def _index_used(reader: Reader) -> str:
        ahead = Reader(reader.rest)
        return ahead.name()[-1] if ahead.seek("using") and ahead.accept("index") else ""

    def _note_check(self, reader: Reader, name: str, *, valid: bool) -> None:
        """Remember a check that says a column is not null: it lets `set not null` be quick."""
        inside = [t.name for t in reader.tokens[reader.at : reader.end_of_group()]]
        words = [word for word in inside if word not in ("(", ")")]
        if len(words) == 4 and words[1:] == ["is", "not", "null"]:
            for relation in self.found:
                self.catalog.checks[(relation.oid, name)] = words[0]
                if valid:
                    self.catalog.proven.add((relation.oid, words[0]))

    def _validate(self, name: str) -> None:
        self.lock(Mode.SHARE_UPDATE_EXCLUSIVE)
        self.scan()
        for relation in self.found:
            others = self.catalog.new_keys.get((relation.oid, name))
            known = self.catalog.constraint(relation, name)
            if others is None and known is not None:
                others = known[1]
            if others is None and (relation.oid, name) not in self.catalog.checks:
                others = self.catalog.referenced(relation)
            self.effect.lock(Mode.ROW_SHARE, others or [])
            self.effect.scan.update(others or [])
            if column := self.catalog.checks.get((relation.oid, name)):
                self.catalog.proven.add((relation.oid, column))

    # columns

    def _add_column(self, reader: Reader) -> None:
        self.lock(Mode.ACCESS_EXCLUSIVE)
        reader.accept("if not exists")
        reader.name()
        kind: list[Token] = []
        while not reader.done and reader.word() not in _COLUMN_WORDS:
            kind.append(reader.tokens[reader.at])
            reader.skip()
        parts = Reader(kind).name()
        constraints = list(self._column_constraints(reader))
        words = [opening for opening, _ in constraints]
        default = next((rest for opening, rest in constraints if opening == "default"), ())
        filled = bool(default) and [t.text.lower() for t in default] != ["null"]
        generated = next((rest for opening, rest in constraints if opening == "generated"), None)
        if (parts[-1].lower() in _SERIALS and len(parts) == 1) or (
            generated is not None and self._is_written(generated)
        ):
            self.rewrite(_BATCHES)
        elif self.catalog.is_domain(parts):
            self.rewrite("the domain's base type and a check, `not valid` at first")
        elif default and self._is_volatile(default):
            self.rewrite(_BATCHES)
        if "not null" in words and not filled and generated is None:
            self.scan("add it nullable, fill it, then `set not null` through a validated check")
        if "check" in words or ("not null" in words and generated is not None):
            self.scan("add the column, then the check `not valid`, and validate it later")
        if "unique" in words or "primary" in words:
            self.scan("add the column, then `create unique index concurrently`")
        for opening, rest in constraints:
            if opening == "references":
                others = trees(self.catalog, Reader(rest).name())
                self.effect.lock(Mode.SHARE_ROW_EXCLUSIVE, others)
                if filled or generated is not None:
                    self.scan("add the column, then the key `not valid`, and validate it later")
                    self.effect.scan.update(others)

    def _column_constraints(self, reader: Reader) -> list[tuple[str, tuple[Token, ...]]]:
        """The pieces after the type: what each opens with, and what follows."""
        found: list[tuple[str, tuple[Token, ...]]] = []
        while not reader.done:
            opening = reader.word()
            reader.skip()
            if opening == "not" and reader.accept("null"):
                opening = "not null"
            elif opening == "primary":
                reader.accept("key")
            elif opening == "constraint":
                reader.name()
                continue
            began, depth = reader.at, 0
            while not reader.done:
                here = reader.word()
                if depth == 0 and reader.at > began and here in _COLUMN_WORDS:
                    break
                if (
                    depth == 0
                    and reader.at == began
                    and here in _COLUMN_WORDS
                    and opening not in ("default",)
                ):
                    break
                depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(here, 0)
                reader.skip()
            found.append((opening, reader.tokens[began : reader.at]))
        return found

    def _is_written(self, generated: tuple[Token, ...]) -> bool:
        """A stored or identity column fills every row; since 18 a virtual one is the default."""
        words = [token.text.lower() for token in generated if token.kind == WORD]
        if "identity" in words or "stored" in words[-1:]:
            return True
        return not (self.catalog.version >= 180000 and words[:2] == ["always", "as"])

    def _is_volatile(self, default: tuple[Token, ...]) -> bool:
        """What gives each row a value of its own is written into each row."""
        for name in called(default):
            if len(name) == 1 and name[0].lower() in _NOT_CALLS:
                continue
            if self.catalog.is_volatile(name) is not False:
                return True
        return any(
            self.catalog.is_domain(Reader(default[at + 2 :]).name())
            for at in range(len(default) - 2)
            if default[at].text == ":" and default[at + 1].text == ":"
        )

    def _drop(self, reader: Reader) -> None:
        self.lock(Mode.ACCESS_EXCLUSIVE)
        cascade = reader.has("cascade")
        is_constraint = reader.accept("constraint")
        reader.accept("column")
        reader.accept("if exists")
        name = reader.name()[-1]
        for relation in self.named:
            if is_constraint:
                self._drop_constraint(relation, name)
            else:
                column = self.catalog.column(relation, name)
                if column:
                    self.effect.dropped.append(f"column {name} of {relation}")
                number = column.number if column else None
                self.effect.lock(Mode.ACCESS_EXCLUSIVE, self._tied(number))
            if cascade:
                self.effect.lock(Mode.ACCESS_EXCLUSIVE, self._dependents(relation, name, reader))
        for relation in self.found:
            new = self.catalog.new_keys.get((relation.oid, name), ())
            self.effect.lock(Mode.ACCESS_EXCLUSIVE, new)
        if cascade:
            self.effect.say("drop what depends on it first, each by name")
        elif not is_constraint:
            self.effect.say("let a release pass in which no client uses the column, then drop it")

    def _dependents(self, relation: Relation, name: str, reader: Reader) -> list[Relation]:
        if any(token.name == "constraint" for token in reader.tokens[:2]):
            return self.catalog.dependents_of_constraint(relation, name)
        column = self.catalog.column(relation, name)
        return self.catalog.dependents([relation], column.number if column else 0)

    def _drop_constraint(self, relation: Relation, name: str) -> None:
        """A foreign key hangs on both tables."""
        known = self.catalog.constraint(relation, name)
        if known is None:
            return self.effect.lock(Mode.ACCESS_EXCLUSIVE, self._tied())
        self.effect.dropped.append(f"constraint {name} of {relation}")
        if known[0] in ("p", "u"):
            return self.effect.lock(Mode.ACCESS_EXCLUSIVE, self.catalog.referencing(relation))
        return self.effect.lock(Mode.ACCESS_EXCLUSIVE, known[1])

    def _alter_column(self, reader: Reader, column: str) -> None:
        if reader.accept("set statistics") or reader.one_of("set (", "reset ("):
            return self.lock(Mode.SHARE_UPDATE_EXCLUSIVE)
        self.lock(Mode.ACCESS_EXCLUSIVE)
        if reader.one_of("type", "set data type"):
            return self._change_type(reader, column)
        if reader.accept("set not null"):
            if not self._is_proven(column):
                self.scan(
                    f"`add constraint … check ({column} is not null) not valid`, validate it in "
                    "a later file, then `set not null`, then drop the check"
                )
            for relation in self.found:
                self.catalog.proven.add((relation.oid, column))
            return None
        if reader.accept("set expression"):
            return self.rewrite(_BATCHES)
        known = (
            "set default", "drop default", "drop not null", "add generated", "set generated",
            "set storage", "set compression", "drop identity", "drop expression", "restart",
            "set sequence", "set increment", "set start", "set cache", "set minvalue",
            "set maxvalue", "set no", "set cycle", "options",
        )  # fmt: skip
        if not reader.one_of(*known):
            self.rewrite("")
            self.effect.unknown = "a change of a column that this plan does not know"
        return None

    def _is_proven(self, column: str) -> bool:
        found = [(relation, self.catalog.column(relation, column)) for relation in self.stored]
        return all(
            (known is not None and known.proven) or (relation.oid, column) in self.catalog.proven
            for relation, known in found
        )

    def _change_type(self, reader: Reader, column: str) -> None:
        wanted = Reader(reader.rest)
        using = bool(wanted.seek("using"))
        text: list[str] = []
        for token in reader.rest:
            if token.text.lower() in ("using", "collate"):
                break
            text.append(token.text.lower())
        advice = (
            "add a column of the new type, keep both equal by a trigger, fill it in batches by "
            "a job, and swap them in a later release"
        )
        for relation in self.stored or self.found:
            known = self.catalog.column(relation, column)
            alike = known is not None and is_alike(known.type, "".join(_spaced(text)))
            if using or not alike:
                self.rewrite(advice)
            elif known and (known.in_constraint or reader.has("collate")):
                self.scan()
            tied = self.catalog.tied(relation, known.number if known else None)
            self.effect.lock(Mode.ACCESS_EXCLUSIVE, tied)
            if using or not alike:
                self.effect.scan.update(tied)

    # partitions

    def _attach(self, reader: Reader) -> None:
        name = reader.name()
        self.effect.what = f"attach partition {show(name)} to {show(self.name)}"
        child = trees(self.catalog, name)
        self.effect.lock(Mode.SHARE_UPDATE_EXCLUSIVE, self.named)
        self.effect.lock(Mode.ACCESS_EXCLUSIVE, child)
        self.effect.scan.update(child)
        for parent in self.named:
            self.effect.lock(Mode.SHARE_ROW_EXCLUSIVE, self.catalog.tied(parent))
            for relation in self.catalog.default_of(parent):
                self.effect.lock(Mode.ACCESS_EXCLUSIVE, [relation])
                self.effect.scan.add(relation)
        if child:
            self.effect.say("a validated check of the bounds on the partition spares the scan")

    def _detach(self, reader: Reader) -> None:
        name = reader.name()
        self.effect.what = f"detach partition {show(name)} from {show(self.name)}"
        if reader.accept("concurrently"):
            self.effect.lock(Mode.SHARE_UPDATE_EXCLUSIVE, self.named)
            self.effect.lock(Mode.ACCESS_EXCLUSIVE, trees(self.catalog, name))
            self.effect.waits = True
        else:
            self.effect.lock(Mode.ACCESS_EXCLUSIVE, [*self.named, *trees(self.catalog, name)])
            self.effect.say("`detach partition … concurrently` alone in a `-- no-transaction` file")
        for parent in self.named:
            self.effect.lock(Mode.ACCESS_EXCLUSIVE, self.catalog.default_of(parent))
            self.effect.lock(Mode.SHARE_ROW_EXCLUSIVE, self.catalog.tied(parent))


def _spaced(words: list[str]) -> list[str]:
    """Words of a type joined as format_type writes them."""
    joined: list[str] = []
    for word in words:
        glue = word in ("(", ")", ",", "[", "]", ".") or (joined and joined[-1][-1] in "(,[.")
        joined.append(word if glue or not joined else f" {word}")
    return joined


_SIZE = re.compile(r"\(([0-9, ]+)\)")


def _type(text: str) -> tuple[str, tuple[int, ...]]:
    """Name and modifiers; `timestamp(3) with time zone` keeps its words."""
    found = _SIZE.search(text)
    name = " ".join(_SIZE.sub(" ", text).split()).removeprefix("pg_catalog.")
    size = tuple(int(part) for part in found[1].split(",")) if found else ()
    return _SPELLED.get(name, name), size


def is_alike(old: str, new: str) -> bool:
    """Does Postgres keep the rows as they are when a column changes from `old` to `new`?"""
    (before, old_size), (after, new_size) = _type(old), _type(new)
    if before == after and old_size == new_size:
        return True
    if (before, after) in _ALIKE:
        return not new_size
    if before != after:
        return False
    if before in ("character varying", "bit varying") or before.startswith(("time", "interval")):
        return not new_size or (bool(old_size) and new_size[0] >= old_size[0])
    if before == "numeric":
        if not new_size:
            return True
        if not old_size:
            return False
        scale = (old_size[1:] or (0,)) == (new_size[1:] or (0,))
        return scale and new_size[0] >= old_size[0]
    return False
