"""Who may do what, against what the files say.

The files' grant and revoke statements are read in the order in which deploy runs them, which gives
every right an API role should have; the catalogue tells which it has. Roles that a file says
nothing of are not judged: a project's default privileges decide there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from psycopg import errors

from procrastinate_app.deploy import history
from procrastinate_app.deploy.lexer import QUOTED, WORD, Statement, Token, qualified_name
from procrastinate_app.deploy.tree import Tree
from procrastinate_app.doctor.finding import API_ROLES, Case, Finding, Level

ROLES = (*API_ROLES, "public")
_TABLE_RIGHTS = ("select", "insert", "update", "delete", "truncate", "references", "trigger",
                 "maintain")  # fmt: skip
_ALL = {
    "table": _TABLE_RIGHTS,
    "function": ("execute",),
    "schema": ("usage", "create"),
    "sequence": ("usage", "select", "update"),
}
_KINDS = {
    "table": "table", "view": "table", "function": "function", "procedure": "function",
    "routine": "function", "schema": "schema", "sequence": "sequence",
}  # fmt: skip


@dataclass(frozen=True, order=True)
class Target:
    """kind is table (views too), function, schema or sequence; a schema has no name."""

    kind: str
    schema: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.name else self.schema


@dataclass(frozen=True, order=True)
class Right:
    """`column` is empty for the whole object."""

    privilege: str
    column: str = ""

    def __str__(self) -> str:
        return f"{self.privilege} ({self.column})" if self.column else self.privilege


@dataclass
class Rights:
    """Rights by object and role, and about which pairs anything was said."""

    held: dict[tuple[Target, str], set[Right]] = field(default_factory=lambda: defaultdict(set))
    said: set[tuple[Target, str]] = field(default_factory=set)

    def read(self, statement: Statement) -> None:
        """Take a grant or revoke in; anything else is none of ours, except that a new function
        may be run by everybody until its file says otherwise."""
        if statement.tokens[0].name in ("grant", "revoke"):
            self._change(statement)
        elif target := _made_function(statement):
            self.held[target, "public"].add(Right("execute"))
            self.said.add((target, "public"))

    def _change(self, statement: Statement) -> None:
        parsed = _parse(statement)
        if parsed is None:
            return
        rights, targets, roles = parsed
        for target in targets:
            wanted = _expanded(rights, target.kind)
            for role in roles:
                self.said.add((target, role))
                if statement.tokens[0].name == "grant":
                    self.held[target, role] |= wanted
                else:
                    gone = {right.privilege for right in wanted if not right.column}
                    self.held[target, role] = {
                        right
                        for right in self.held[target, role]
                        if right not in wanted and right.privilege not in gone
                    }


def _made_function(statement: Statement) -> Target | None:
    tokens = statement.tokens
    at = 3 if statement.words("create", "or", "replace") else 1
    if tokens[0].name != "create" or not statement.words("function", at=at):
        return None
    parts, _ = qualified_name(tokens, at + 1)
    return Target("function", *parts) if len(parts) == 2 else None


def _parse(statement: Statement) -> tuple[list[Right], list[Target], list[str]] | None:
    """`grant|revoke rights on [kind] name[, name] to|from role[, role]`; None for anything else,
    as memberships and default privileges."""
    tokens = statement.tokens
    end = _at_depth_0(tokens, ("on",), 1)
    if end is None:
        return None
    start = 4 if statement.words("grant", "option", "for", at=1) else 1
    rights = _rights(tokens[start:end])
    at, kind = end + 1, "table"
    named = tokens[at].kind == WORD and at + 1 < len(tokens)
    if named and tokens[at].name in _KINDS and tokens[at + 1].kind in (WORD, QUOTED):
        kind, at = _KINDS[tokens[at].name], at + 1
    until = _at_depth_0(tokens, ("to", "from"), at)
    if until is None or tokens[at].name == "all":
        return None
    targets = [
        Target(kind, *parts)
        for parts in _names(tokens[at:until])
        if len(parts) == (1 if kind == "schema" else 2)
    ]
    roles = [parts[0] for parts in _names(tokens[until + 1 :]) if parts and parts[0] in ROLES]
    return rights, targets, roles


def _at_depth_0(tokens: tuple[Token, ...], words: Iterable[str], start: int) -> int | None:
    depth = 0
    for at in range(start, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[at].text, 0)
        if depth == 0 and tokens[at].kind == WORD and tokens[at].name in words:
            return at
    return None


def _names(tokens: tuple[Token, ...]) -> list[tuple[str, ...]]:
    """Names separated by commas; arguments in parentheses are passed over."""
    found: list[tuple[str, ...]] = []
    depth, fresh = 0, True
    for at, token in enumerate(tokens):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0 and token.text == ",":
            fresh = True
        elif depth == 0 and fresh:
            found.append(qualified_name(tokens, at)[0])
            fresh = False
    return found


def _rights(tokens: tuple[Token, ...]) -> list[Right]:
    found: list[Right] = []
    for words in _split(tokens):
        privilege = words[0].name
        columns = [token.name for token in words[1:] if token.kind in (WORD, QUOTED)]
        if privilege == "all" and columns[:1] == ["privileges"]:
            columns = columns[1:]
        found += [Right(privilege, column) for column in columns] or [Right(privilege)]
    return found


def _split(tokens: tuple[Token, ...]) -> list[list[Token]]:
    """The parts between commas outside parentheses."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0 and token.text == ",":
            parts.append([])
        else:
            parts[-1].append(token)
    return [part for part in parts if part]


def _expanded(rights: list[Right], kind: str) -> set[Right]:
    return {
        Right(privilege, right.column)
        for right in rights
        for privilege in (_ALL[kind] if right.privilege == "all" else (right.privilege,))
    }


def expected(tree: Tree, applied: set[str] | None = None) -> Rights:
    """What the files say; only those that are `applied`, where that is known."""
    parts = {migration.path: migration.statements for migration in tree.migrations}
    parts |= {file.path: [action.statement for action in file.actions] for file in tree.code}
    rights = Rights()
    for path, statements in parts.items():
        if applied is None or path in applied:
            for statement in statements:
                rights.read(statement)
    return rights


_ACTUAL = """
with granted (kind, schema, name, col, acl) as (
  select case when c.relkind = 'S' then 'sequence' else 'table' end, n.nspname, c.relname, '',
    coalesce(c.relacl, acldefault(case when c.relkind = 'S' then 's' else 'r' end::"char",
      c.relowner))
  from pg_class as c
  join pg_namespace as n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm', 'S')
  union all
  select 'table', n.nspname, c.relname, a.attname, a.attacl
  from pg_attribute as a
  join pg_class as c on c.oid = a.attrelid
  join pg_namespace as n on n.oid = c.relnamespace
  where a.attacl is not null and not a.attisdropped
  union all
  select 'function', n.nspname, p.proname, '',
    coalesce(p.proacl, acldefault('f', p.proowner))
  from pg_proc as p
  join pg_namespace as n on n.oid = p.pronamespace
  union all
  select 'schema', n.nspname, '', '', coalesce(n.nspacl, acldefault('n', n.nspowner))
  from pg_namespace as n
)
select g.kind, g.schema, g.name, g.col, coalesce(r.rolname, 'public'), lower(a.privilege_type)
from granted as g
cross join aclexplode(g.acl) as a
left join pg_roles as r on r.oid = a.grantee
where g.schema = any(%s)
  and (a.grantee = 0 or r.rolname = any(%s))
"""
_EXISTING = """
select 'table', n.nspname, c.relname
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
where n.nspname = any(%(schemas)s) and c.relkind in ('r', 'p', 'v', 'm')
union
select 'sequence', n.nspname, c.relname
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
where n.nspname = any(%(schemas)s) and c.relkind = 'S'
union
select 'function', n.nspname, p.proname
from pg_proc as p
join pg_namespace as n on n.oid = p.pronamespace
where n.nspname = any(%(schemas)s)
union
select 'schema', n.nspname, ''
from pg_namespace as n
where n.nspname = any(%(schemas)s)
"""


def actual(case: Case, schemas: list[str]) -> Rights:
    rights = Rights()
    for kind, schema, name, column, role, privilege in case.rows(
        _ACTUAL, [schemas, list(API_ROLES)]
    ):
        rights.held[Target(kind, schema, name), role].add(Right(privilege, column))
    return rights


def grants(case: Case) -> Iterator[Finding]:
    """Too much: somebody reaches what no file grants. Too little: calls are refused."""
    schemas = [*case.domains, "public"]
    wanted, has = expected(case.tree, _applied(case)), actual(case, schemas)
    there = {Target(*row) for row in case.rows(_EXISTING, {"schemas": schemas})}
    judged = 0
    found: list[Finding] = []
    for target in sorted(there):
        for role in ROLES:
            if (target, role) not in wanted.said and not _is_inner(case, target, role):
                continue
            judged += 1
            found += _compare(
                target, role, wanted.held.get((target, role), set()),
                has.held.get((target, role), set()),
            )  # fmt: skip
    yield from found
    if judged == 0:
        yield Finding(Level.NOTE, "grants", "nothing is deployed here yet", "hub deploy")
    elif not found:
        yield Finding(Level.OK, "grants", f"{judged} pairs of object and role are as declared")


def _is_inner(case: Case, target: Target, role: str) -> bool:
    """In our own schemas nobody gets anything unsaid; in public others may have tables too."""
    return target.schema in case.domains and role != "service_role"


def _applied(case: Case) -> set[str] | None:
    """The files that the database has as they stand here; None where that cannot be known."""
    if not case.exists("deploy.files"):
        return None
    try:
        with case.conn.transaction():
            digests = history.applied_files(case.conn)
    except errors.InsufficientPrivilege:
        return None
    current = {file.path: file.digest for file in case.tree.migrations}
    current |= {file.path: file.digest for file in case.tree.code}
    return {path for path, was in digests.items() if current.get(path) == was.digest}


def _compare(target: Target, role: str, wanted: set[Right], has: set[Right]) -> Iterator[Finding]:
    whole = {right.privilege for right in has if not right.column}
    extra = {right for right in has - wanted if not right.column or right.privilege not in whole}
    missing = {right for right in wanted - has if right.privilege not in whole}
    if Right("maintain") in missing:  # before Postgres 17 there is none
        missing.discard(Right("maintain"))
    kind = "" if target.kind == "table" else f"{target.kind} "
    for text, rights, level, verb, link in (
        ("may also", extra, _severity(role), "revoke", "from"),
        ("may not", missing, Level.ERROR, "grant", "to"),
    ):
        if rights:
            listed = ", ".join(str(right) for right in sorted(rights))
            yield Finding(
                level, "grants", f"{role} {text}: {listed} on {kind}{target}",
                f"{verb} {listed} on {kind}{target} {link} {role};",
            )  # fmt: skip


def _severity(role: str) -> Level:
    """service_role is the operator's own; the others are whoever comes along."""
    return Level.WARNING if role == "service_role" else Level.ERROR
