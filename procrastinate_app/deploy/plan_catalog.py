"""What the database holds, as far as locks depend on it, and how the plan changes it on the way.

Read once, in one snapshot. While the plan is read statement by statement, this picture follows: a
table that an earlier statement creates is new and locks nobody, a renamed one keeps its size.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from procrastinate_app.deploy.session import Connection

_SYSTEM = "('pg_catalog', 'information_schema', 'pg_toast')"

# an index, a TOAST table and the sequence of a column are locked as parts of their table
_RELATIONS = f"""
select c.oid::bigint, n.nspname, c.relname, c.relkind::text,
  coalesce(i.indrelid, d.refobjid)::bigint
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
left join pg_index as i on i.indexrelid = c.oid
left join pg_depend as d on c.relkind = 'S'
  and d.classid = 'pg_class'::regclass and d.objid = c.oid
  and d.refclassid = 'pg_class'::regclass and d.refobjsubid > 0 and d.deptype in ('a', 'i')
where n.nspname not in {_SYSTEM}
  and n.nspname not like 'pg_temp%'
  and n.nspname not like 'pg_toast_temp%'
  and c.relkind in ('r', 'p', 'v', 'm', 'f', 'i', 'I', 'S')
"""
_FOREIGN_KEYS = """
select conrelid::bigint, confrelid::bigint, conname::text, conkey::int[], confkey::int[],
  confupdtype::text, confdeltype::text
from pg_constraint
where contype = 'f'
"""
_INHERITS = "select inhrelid::bigint, inhparent::bigint from pg_inherits"
_DEFAULT_PARTITIONS = """
select partrelid::bigint, partdefid::bigint
from pg_partitioned_table
where partdefid <> 0
"""
_VIEWS = """
select distinct r.ev_class::bigint, d.refobjid::bigint
from pg_rewrite as r
join pg_depend as d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
where d.refclassid = 'pg_class'::regclass
  and d.refobjid <> r.ev_class
"""
_TRIGGERS = """
select tgrelid::bigint, tgname::text, tgtype::int
from pg_trigger
where not tgisinternal
  and tgenabled <> 'D'
order by tgname
"""
_FUNCTIONS = """
select n.nspname, p.proname, bool_or(p.provolatile = 'v')
from pg_proc as p
join pg_namespace as n on n.oid = p.pronamespace
group by n.nspname, p.proname
"""
_DOMAINS = """
select n.nspname, t.typname
from pg_type as t
join pg_namespace as n on n.oid = t.typnamespace
where t.typtype = 'd'
  and n.nspname <> 'information_schema'
"""
_TYPES = "select distinct t.typname from pg_type as t where t.typtype <> 'd'"
_COLUMN = """
select format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attnum::int,
  exists (
    select from pg_constraint as c
    where c.conrelid = a.attrelid and c.contype = 'c' and c.convalidated
      and pg_get_expr(c.conbin, c.conrelid) = format('(%%I IS NOT NULL)', a.attname)
  ),
  exists (
    select from pg_constraint as c
    where c.conrelid = a.attrelid and a.attnum = any(c.conkey) and c.contype in ('c', 'f', 'x')
  )
from pg_attribute as a
where a.attrelid = %s and a.attname = %s and not a.attisdropped
"""
_NULLABLE_IN_INDEX = """
select exists (
  select from pg_index as i
  join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)
  where i.indexrelid = %s and not a.attnotnull
)
"""
_CONSTRAINT = """
select contype::text, confrelid::bigint from pg_constraint where conrelid = %s and conname = %s
"""
_CONSTRAINT_OID = "select oid::bigint from pg_constraint where conrelid = %s and conname = %s"
# tables with a column of the domain, also inside arrays, composites and other domains
_DOMAIN_TABLES = """
with recursive used as (
  select t.oid
  from pg_type as t
  join pg_namespace as n on n.oid = t.typnamespace
  where t.typname = %(name)s and (%(schema)s = '' or n.nspname = %(schema)s)
  union
  select t.oid
  from used as u
  join pg_type as t on t.typbasetype = u.oid or t.typelem = u.oid
    or exists (
      select from pg_attribute as a
      where a.attrelid = t.typrelid and t.typrelid <> 0 and a.atttypid = u.oid
    )
    or exists (
      select from pg_range as r where r.rngtypid = t.oid and r.rngsubtype = u.oid
    )
)
select distinct a.attrelid::bigint
from pg_attribute as a
join used as u on u.oid = a.atttypid
where not a.attisdropped
"""
# every relation that a cascade from these would touch; with its rule goes the view
_DEPENDENTS = """
with recursive links as (
  select refclassid, refobjid, refobjsubid, classid, objid, objsubid
  from pg_depend
  union all
  select 'pg_rewrite'::regclass, oid, 0, 'pg_class'::regclass, ev_class, 0
  from pg_rewrite
),
gone as (
  select %(classid)s::regclass::oid as classid, o as objid, %(column)s::int as objsubid
  from unnest(%(oids)s::oid[]) as o
  union
  select l.classid, l.objid, l.objsubid
  from gone as g
  join links as l on l.refclassid = g.classid and l.refobjid = g.objid
    and (g.objsubid = 0 or l.refobjsubid = g.objsubid)
)
select distinct relation::bigint
from gone as g
cross join lateral (
  select g.objid as relation where g.classid = 'pg_class'::regclass
  union all
  select r.ev_class from pg_rewrite as r
  where g.classid = 'pg_rewrite'::regclass and r.oid = g.objid
  union all
  select unnest(array[c.conrelid, c.confrelid]) from pg_constraint as c
  where g.classid = 'pg_constraint'::regclass and c.oid = g.objid
  union all
  select p.polrelid from pg_policy as p
  where g.classid = 'pg_policy'::regclass and p.oid = g.objid
  union all
  select t.tgrelid from pg_trigger as t
  where g.classid = 'pg_trigger'::regclass and t.oid = g.objid
  union all
  select a.adrelid from pg_attrdef as a
  where g.classid = 'pg_attrdef'::regclass and a.oid = g.objid
) as touched
where relation <> 0
"""
_PUBLISHED = """
select prrelid::bigint
from pg_publication_rel as r
join pg_publication as p on p.oid = r.prpubid
where p.pubname = %s
"""
_STATISTICS = """
select e.stxrelid::bigint
from pg_statistic_ext as e
join pg_namespace as n on n.oid = e.stxnamespace
where e.stxname = %(name)s and (%(schema)s = '' or n.nspname = %(schema)s)
"""
_EXTENSIONS = "select extname::text from pg_extension"

_FIRES = {"insert": 4, "delete": 8, "update": 16, "truncate": 32}

# made by one statement, seen by every later one: (schema, name)
Name = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, view or sequence that is there before the plan begins."""

    oid: int
    schema: str
    name: str
    kind: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def is_partitioned(self) -> bool:
        return self.kind == "p"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of an existing table. proven: no null is in it, and Postgres knows."""

    type: str
    proven: bool
    number: int
    in_constraint: bool


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """Oids of both tables, the numbers of the columns that it ties, and whether a changed or
    deleted parent changes rows of the child."""

    child: int
    parent: int
    name: str
    columns: frozenset[int]
    parent_columns: frozenset[int]
    passes_on: dict[str, bool]


@dataclass
class Catalog:
    """The picture of the database; `path` is where bare names are looked up."""

    conn: Connection
    version: int
    path: tuple[str, ...] = ("public",)
    new: set[Name] = field(default_factory=set)
    new_functions: set[Name] = field(default_factory=set)
    new_domains: set[Name] = field(default_factory=set)
    new_triggers: set[Name] = field(default_factory=set)
    proven: set[tuple[int, str]] = field(default_factory=set)
    checks: dict[tuple[int, str], str] = field(default_factory=dict)
    new_keys: dict[tuple[int, str], list[Relation]] = field(default_factory=dict)
    dropped: set[tuple[str, str, str]] = field(default_factory=set)
    bodies_checked: bool = True

    def __post_init__(self) -> None:
        self.relations: dict[int, Relation] = {}
        self.named: dict[Name, int] = {}
        self.owner: dict[int, int] = {}
        for oid, schema, name, kind, owner in self._all(_RELATIONS):
            self.relations[oid] = Relation(oid, schema, name, kind)
            self.named[(schema, name)] = oid
            if owner is not None:
                self.owner[oid] = owner
        self.new_indexes: dict[Name, Relation | None] = {}
        self.keys = [
            ForeignKey(
                *(child, parent, name, frozenset(columns), frozenset(parent_columns)),
                passes_on={"update": on_update not in "ar", "delete": on_delete not in "ar"},
            )
            for child, parent, name, columns, parent_columns, on_update, on_delete in self._all(
                _FOREIGN_KEYS
            )
        ]
        self.children: dict[int, list[int]] = defaultdict(list)
        self.parents: dict[int, list[int]] = defaultdict(list)
        for child, parent in self._all(_INHERITS):
            self.children[parent].append(child)
            self.parents[child].append(parent)
        self.default_partition = dict(self._all(_DEFAULT_PARTITIONS))
        self.read_by_view: dict[int, list[int]] = defaultdict(list)
        for view, read in self._all(_VIEWS):
            self.read_by_view[view].append(read)
        self.triggers: dict[int, list[tuple[str, int]]] = defaultdict(list)
        for table, name, kind in self._all(_TRIGGERS):
            self.triggers[table].append((name, kind))
        self.functions: dict[Name, bool] = {
            (schema, name): volatile for schema, name, volatile in self._all(_FUNCTIONS)
        }
        self.domains = {(schema, name) for schema, name in self._all(_DOMAINS)}
        self.types = {name for (name,) in self._all(_TYPES)}
        self.extensions = {name for (name,) in self._all(_EXTENSIONS)}

    def _all(
        self, query: str, values: Sequence[object] | Mapping[str, object] | None = None
    ) -> list[tuple[Any, ...]]:
        return self.conn.execute(query.encode(), values).fetchall()

    # names

    def addresses(self, parts: tuple[str, ...]) -> list[Name]:
        """The addresses a name may stand for; a bare one found nowhere may stand for any."""
        if len(parts) >= 2:
            return [(parts[-2], parts[-1])]
        name = parts[-1] if parts else ""
        for schema in self.path:
            if (schema, name) in self.named or (schema, name) in self.new:
                return [(schema, name)]
        return [address for address in (*self.named, *self.new) if address[1] == name]

    def is_new(self, parts: tuple[str, ...]) -> bool:
        found = self.addresses(parts)
        return bool(found) and all(address in self.new for address in found)

    def find(self, parts: tuple[str, ...]) -> list[Relation]:
        """The existing relations a name stands for, an index or owned sequence as its table."""
        found: list[Relation] = []
        for address in self.addresses(parts):
            if address in self.new:
                table = self.new_indexes.get(address)
                found += [table] if table else []
            elif address in self.named:
                found += self.whole(self.named[address])
        return found

    def whole(self, oid: int) -> list[Relation]:
        """The table that an index, a sequence of a column, or a table itself belongs to."""
        relation = self.relations.get(self.owner.get(oid, oid))
        return [relation] if relation else []

    def exact(self, parts: tuple[str, ...]) -> Relation | None:
        """The one existing relation of this name, be it an index."""
        for address in self.addresses(parts):
            if address not in self.new and address in self.named:
                return self.relations[self.named[address]]
        return None

    def create(self, parts: tuple[str, ...]) -> None:
        schema = parts[-2] if len(parts) > 1 else (self.path[0] if self.path else "public")
        self.new.add((schema, parts[-1]))

    def exists(self, parts: tuple[str, ...]) -> bool:
        return any(
            address in self.new or address in self.named for address in self.addresses(parts)
        )

    def rename(self, parts: tuple[str, ...], schema: str | None, name: str | None) -> None:
        for address in self.addresses(parts):
            target = (schema or address[0], name or address[1])
            if address in self.new:
                self.new.discard(address)
                self.new.add(target)
                if address in self.new_indexes:
                    self.new_indexes[target] = self.new_indexes.pop(address)
            elif address in self.named:
                oid = self.named.pop(address)
                self.named[target] = oid
                self.new.discard(target)

    def drop(self, parts: tuple[str, ...]) -> None:
        for address in self.addresses(parts):
            if address in self.new:
                self.new.discard(address)
            else:
                self.named.pop(address, None)

    # what hangs together

    def tree(self, relation: Relation) -> list[Relation]:
        """The relation with its partitions or inheriting tables."""
        found, waiting = [relation], [relation.oid]
        while waiting:
            for child in self.children.get(waiting.pop(), ()):
                if child in self.relations and self.relations[child] not in found:
                    found.append(self.relations[child])
                    waiting.append(child)
        return found

    def ancestors(self, relation: Relation) -> list[Relation]:
        return [
            self.relations[oid]
            for oid in self.parents.get(relation.oid, ())
            if oid in self.relations
        ]

    def default_of(self, relation: Relation) -> list[Relation]:
        oid = self.default_partition.get(relation.oid)
        return self.tree(self.relations[oid]) if oid in self.relations else []

    def referenced(self, relation: Relation) -> list[Relation]:
        """The tables its foreign keys point to."""
        return self._tables(key.parent for key in self.keys if key.child == relation.oid)

    def referencing(self, relation: Relation) -> list[Relation]:
        """The tables whose foreign keys point to it."""
        return self._tables(key.child for key in self.keys if key.parent == relation.oid)

    def children_of(self, relation: Relation, verb: str) -> list[tuple[Relation, bool]]:
        """Tables whose keys point to it, and whether its `verb` would change their rows."""
        found: dict[Relation, bool] = {}
        for key in self.keys:
            if key.parent == relation.oid:
                for child in self._tables([key.child]):
                    passes_on = key.passes_on.get(verb, True)
                    found[child] = passes_on or found.get(child, False)
        return list(found.items())

    def fired(self, relation: Relation, verbs: set[str]) -> list[str]:
        """The triggers of users that these verbs fire."""
        bits = sum(_FIRES[verb] for verb in verbs)
        return [name for name, kind in self.triggers.get(relation.oid, ()) if kind & bits]

    def tied(self, relation: Relation, column: int | None = None) -> list[Relation]:
        """Tables on the other side of its foreign keys; with a column, of those that use it."""
        found: list[int] = []
        for key in self.keys:
            if key.child == relation.oid and (column is None or column in key.columns):
                found.append(key.parent)
            if key.parent == relation.oid and (column is None or column in key.parent_columns):
                found.append(key.child)
        return self._tables(found)

    def _tables(self, oids: Iterable[int]) -> list[Relation]:
        return [
            member
            for oid in dict.fromkeys(oids)
            if oid in self.relations
            for member in self.tree(self.relations[oid])
        ]

    def beneath(self, relation: Relation) -> list[Relation]:
        """What a query of it reads: itself, its partitions, and what a view stands on."""
        found: list[Relation] = []
        waiting = [relation]
        while waiting:
            for member in self.tree(waiting.pop()):
                if member not in found:
                    found.append(member)
                    if member.kind == "v":
                        waiting += [
                            self.relations[oid]
                            for oid in self.read_by_view.get(member.oid, ())
                            if oid in self.relations
                        ]
        return found

    def is_user_function(self, parts: tuple[str, ...]) -> bool:
        """Is this a function whose body could do anything?"""
        if len(parts) == 1:
            name = parts[0]
            if ("pg_catalog", name) in self.functions:
                return False
            return any(known[1] == name for known in (*self.functions, *self.new_functions))
        if parts[-2] in ("pg_catalog", "information_schema"):
            return False
        return parts[-2:] in self.functions or parts[-2:] in self.new_functions

    def is_volatile(self, parts: tuple[str, ...]) -> bool | None:
        """Whether a function of this name may be volatile; None where there is none."""
        found = [
            volatile
            for (schema, name), volatile in self.functions.items()
            if name == parts[-1] and (len(parts) == 1 or schema == parts[-2])
        ]
        if any(name == parts[-1] for _, name in self.new_functions):
            found.append(True)
        return any(found) if found else None

    def is_domain(self, parts: tuple[str, ...]) -> bool:
        named = (*self.domains, *self.new_domains)
        return any(
            name == parts[-1] and (len(parts) == 1 or schema == parts[-2]) for schema, name in named
        )

    # asked one at a time, because few statements need it

    def column(self, relation: Relation, name: str) -> Column | None:
        rows = self._all(_COLUMN, (relation.oid, name))
        if not rows:
            return None
        kind, not_null, number, checked, in_constraint = rows[0]
        proven = not_null or checked or (relation.oid, name) in self.proven
        return Column(kind, proven, number, in_constraint)

    def has_nullable(self, index: Relation) -> bool:
        return bool(self._all(_NULLABLE_IN_INDEX, (index.oid,))[0][0])

    def constraint(self, relation: Relation, name: str) -> tuple[str, list[Relation]] | None:
        """The kind of a constraint (c, f, p, u, x, n) and the tables a foreign key points to."""
        rows = self._all(_CONSTRAINT, (relation.oid, name))
        if not rows:
            return None
        kind, parent = rows[0]
        return kind, self._tables([parent]) if parent else []

    def tables_of_domain(self, parts: tuple[str, ...]) -> list[Relation]:
        values = {"name": parts[-1], "schema": parts[-2] if len(parts) > 1 else ""}
        return self._stored(oid for (oid,) in self._all(_DOMAIN_TABLES, values))

    def tables_of_statistics(self, parts: tuple[str, ...]) -> list[Relation]:
        values = {"name": parts[-1], "schema": parts[-2] if len(parts) > 1 else ""}
        return self._stored(oid for (oid,) in self._all(_STATISTICS, values))

    def dependents(self, relations: list[Relation], column: int = 0) -> list[Relation]:
        """Everything that a `drop … cascade` of these, or of a column of it, would lock."""
        return self._cascade("pg_class", [relation.oid for relation in relations], column)

    def dependents_of_constraint(self, relation: Relation, name: str) -> list[Relation]:
        oids = [oid for (oid,) in self._all(_CONSTRAINT_OID, (relation.oid, name))]
        return self._cascade("pg_constraint", oids, 0)

    def _cascade(self, classid: str, oids: list[int], column: int) -> list[Relation]:
        values = {"classid": classid, "oids": oids, "column": column}
        return self._stored(oid for (oid,) in self._all(_DEPENDENTS, values))

    def published(self, publication: str) -> list[Relation]:
        return self._stored(oid for (oid,) in self._all(_PUBLISHED, (publication,)))

    def _stored(self, oids: Iterable[int]) -> list[Relation]:
        return list(dict.fromkeys(relation for oid in oids for relation in self.whole(oid)))
