"""The project's SQL on disk: migrations, and the code files with what each defines.

A name is an address: `sql/<domain>/<object>.sql` may define only the object it is named after, so
whoever looks for a function opens one file. What breaks that is refused here, before the database
is touched.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from procrastinate_app.deploy.lexer import Statement, Unreadable, header, statements
from procrastinate_app.deploy.meaning import (
    FUNCTION,
    POLICY,
    TABLE,
    TRIGGER,
    VIEW,
    Action,
    Object,
    calls_function,
    read,
)

_MIGRATION_NAME = re.compile(r"(?P<version>\d{14})_(?P<name>[a-z0-9_]+)\.sql")
_TRANSACTION_CONTROL = {"begin", "start", "commit", "end", "rollback", "abort", "savepoint"}


class DeployRefused(Exception):
    """Deploy will not begin, or go on: the message says why and what to do."""


def digest_of(sql: str) -> str:
    return hashlib.sha256(sql.encode()).hexdigest()


@dataclass(frozen=True)
class Migration:
    """One versioned change of shape. Never edited once released."""

    path: str
    version: str
    name: str
    sql: str

    @cached_property
    def digest(self) -> str:
        return digest_of(self.sql)

    @cached_property
    def statements(self) -> list[Statement]:
        return _split(self.path, self.sql)

    @property
    def in_transaction(self) -> bool:
        return "no-transaction" not in header(self.sql)


@dataclass(frozen=True)
class CodeFile:
    """One repeatable file: a function (door and rule), a view, a trigger, or a table's policies."""

    path: str
    sql: str
    kind: str
    domain: str
    name: str
    actions: tuple[Action, ...] = field(repr=False)
    requires: tuple[Object, ...] = ()

    @cached_property
    def digest(self) -> str:
        return digest_of(self.sql)

    @cached_property
    def defines(self) -> tuple[Object, ...]:
        return tuple(action.target for action in self.actions if action.verb == "create")

    @property
    def functions_part(self) -> list[Statement]:
        """What of the file belongs into the transaction of all functions."""
        if self.kind not in (FUNCTION, TRIGGER):
            return []
        return [a.statement for a in self.actions if a.target.kind == FUNCTION]

    @property
    def locking_part(self) -> list[Statement]:
        """What of the file locks a table or view, and so has a transaction of its own."""
        return [a.statement for a in self.actions if a.target.kind != FUNCTION]


@dataclass(frozen=True)
class Tree:
    migrations: tuple[Migration, ...]
    code: tuple[CodeFile, ...]

    @property
    def latest(self) -> str:
        return self.migrations[-1].version if self.migrations else ""


def read_tree(root: Path) -> Tree:
    """Read and check the whole project; every complaint is raised together."""
    if not (root / "migrations").is_dir():
        raise DeployRefused(f"{root} has no migrations/ folder: give the project's root.")
    complaints: list[str] = []
    migrations = _migrations(root, complaints)
    code: list[CodeFile] = []
    for room in ("sql", "policies"):
        for path in sorted((root / room).rglob("*.sql")):
            try:
                code.append(_code_file(root, path))
            except DeployRefused as complaint:
                complaints.append(str(complaint))
    complaints += _defined_twice(code)
    complaints += _unknown_requirements(code)
    if complaints:
        raise DeployRefused("\n".join(complaints))
    return Tree(tuple(migrations), tuple(code))


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8").replace("\r\n", "\n")


def _split(path: str, sql: str) -> list[Statement]:
    try:
        return statements(sql)
    except Unreadable as error:
        raise DeployRefused(f"{path}: {error}") from error


def _migrations(root: Path, complaints: list[str]) -> list[Migration]:
    found: dict[str, Migration] = {}
    for path in sorted((root / "migrations").glob("*.sql")):
        match = _MIGRATION_NAME.fullmatch(path.name)
        if not match:
            complaints.append(
                f"migrations/{path.name}: a migration is named <utc14>_<verb>_<domain>_<noun>.sql."
            )
            continue
        migration = Migration(
            f"migrations/{path.name}", match["version"], match["name"], _read(path)
        )
        if twin := found.get(migration.version):
            complaints.append(f"{migration.path}: has the same version as {twin.path}.")
        found[migration.version] = migration
        complaints += _migration_complaints(migration)
    return list(found.values())


def _migration_complaints(migration: Migration) -> list[str]:
    try:
        parts = migration.statements
    except DeployRefused as complaint:
        return [str(complaint)]
    found = [
        f"{migration.path}:{part.line}: deploy opens and commits the transaction itself; "
        f"remove `{part.tokens[0].text}`."
        for part in parts
        if part.tokens[0].name in _TRANSACTION_CONTROL
    ]
    if not migration.in_transaction:
        found += _no_transaction_complaints(migration, parts)
    return found


def _no_transaction_complaints(migration: Migration, parts: list[Statement]) -> list[str]:
    """Such a statement may be cut off and run again, so it must allow that."""
    if len(parts) != 1:
        return [
            f"{migration.path}: a `-- no-transaction` migration holds exactly one statement, "
            f"this one {len(parts)}: what stands before the one that fails could not be undone."
        ]
    words = [token.name for token in parts[0].tokens]
    makes_index = "index" in words[:3] and words[0] in ("create", "drop")
    if makes_index and "if" not in words[:6]:
        return [f"{migration.path}: write `if [not] exists`, so that it may be run again."]
    return []


def _code_file(root: Path, path: Path) -> CodeFile:
    relative = path.relative_to(root).as_posix()
    room, _, rest = relative.partition("/")
    domain, _, stem = rest.removesuffix(".sql").partition("/")
    if not stem or "/" in stem:
        raise DeployRefused(f"{relative}: code lies in {room}/<domain>/<object>.sql.")
    sql = _read(path)
    try:
        actions = tuple(read(statement) for statement in _split(relative, sql))
    except ValueError as error:
        raise DeployRefused(f"{relative}:{error}") from error
    kind = _kind(room, stem, actions)
    file = CodeFile(relative, sql, kind, domain, stem, actions, _requires(relative, sql))
    complaints = [f"{relative}:{text}" for text in _address_complaints(file)]
    if complaints:
        raise DeployRefused("\n".join(complaints))
    return file


def _kind(room: str, stem: str, actions: tuple[Action, ...]) -> str:
    if room == "policies":
        return POLICY
    if stem.startswith("tg_"):
        return TRIGGER
    made = {action.target.kind for action in actions if action.verb == "create"}
    return VIEW if VIEW in made else FUNCTION


def _requires(path: str, sql: str) -> tuple[Object, ...]:
    """The `-- requires: schema.object, …` lines of the file's header."""
    names = [
        name.strip()
        for line in header(sql)
        if line.startswith("requires:")
        for name in line.removeprefix("requires:").split(",")
    ]
    if any(name.count(".") != 1 for name in names):
        raise DeployRefused(f"{path}: `-- requires:` takes schema.object names.")
    return tuple(Object("", *name.split(".")) for name in names)


def _address_complaints(file: CodeFile) -> list[str]:
    """Where the file says something its name does not announce, or could not be applied twice."""
    found: list[str] = []
    dropped: set[Object] = set()
    for action in file.actions:
        target, line = action.target, action.statement.line
        if not _may_hold(file, action):
            found.append(
                f"{line}: {action.verb} {target} does not belong here: {_announces(file)} "
                "Move it to the file of its name, or rename the file."
            )
        elif action.verb == "drop":
            dropped.add(target)
        elif action.verb == "create" and not action.replaces and target not in dropped:
            found.append(
                f"{line}: {target} could not be made twice: write `create or replace`, "
                f"or `drop {target.kind} if exists` before it."
            )
    made = [target for target in file.defines if target.kind in (FUNCTION, VIEW)]
    found += [
        f"1: defines {target} twice; overloads are not allowed, because API calls name "
        "their arguments and cannot tell two apart."
        for target in sorted(set(made), key=str)
        if made.count(target) > 1
    ]
    if file.kind != POLICY and not any(target.kind == file.kind for target in file.defines):
        found.append(f"1: defines no {file.kind}: {_announces(file)}")
    return found


def _may_hold(file: CodeFile, action: Action) -> bool:
    target = action.target
    schemas = (file.domain, "public")
    if file.kind in (FUNCTION, VIEW):
        # grants and comments call a view a table
        kinds = (VIEW, TABLE) if file.kind == VIEW and action.verb != "create" else (file.kind,)
        return target.kind in kinds and target.schema in schemas and target.name == file.name
    if file.kind == TRIGGER:
        if target.kind == FUNCTION:
            return (target.schema, target.name) == (file.domain, file.name)
        if action.verb == "alter":
            return target in file.defines
        return target.kind == TRIGGER and _is_own_trigger(file, action)
    table = target.table if target.kind == POLICY else target.name
    return target.kind in (POLICY, TABLE) and target.schema in schemas and table == file.name


def _is_own_trigger(file: CodeFile, action: Action) -> bool:
    """`tg_<table>__<what>.sql` makes `_NNN_<what>` on the table.

    Some events need a trigger more, under another name, which calls the same function.
    """
    table, _, what = file.name.removeprefix("tg_").partition("__")
    if action.target.table != table or not re.match(r"_\d{3}_", action.target.name):
        return False
    return action.target.name[5:] == what or calls_function(
        action.statement, file.domain, file.name
    )


def _announces(file: CodeFile) -> str:
    both = f"{file.domain}.{file.name} or public.{file.name}"
    if file.kind == TRIGGER:
        table, _, what = file.name.removeprefix("tg_").partition("__")
        return (
            f"the name announces the function {file.domain}.{file.name} "
            f"and the trigger _NNN_{what} on {table}."
        )
    if file.kind == POLICY:
        return f"the name announces the policies and grants of the table {both}."
    return f"the name announces the {file.kind} {both}."


def _defined_twice(code: list[CodeFile]) -> list[str]:
    homes: dict[Object, str] = {}
    tables: dict[Object, str] = {}
    found: list[str] = []
    for file in code:
        for target in set(file.defines):
            home = homes.setdefault(target, file.path)
            if home != file.path:
                found.append(f"{file.path}: {target} is already defined by {home}.")
        if file.kind == POLICY:
            for table in policy_tables(file):
                home = tables.setdefault(table, file.path)
                if home != file.path:
                    found.append(f"{file.path}: {table} already has {home}.")
    return found


def policy_tables(file: CodeFile) -> tuple[Object, ...]:
    """The table, or tables, that a policies file speaks of."""
    return tuple(
        sorted({Object(TABLE, action.target.schema, file.name) for action in file.actions}, key=str)
    )


def _unknown_requirements(code: list[CodeFile]) -> list[str]:
    known = {(target.schema, target.name) for file in code for target in file.defines}
    return [
        f"{file.path}: requires {need.schema}.{need.name}, which no file defines."
        for file in code
        for need in file.requires
        if (need.schema, need.name) not in known
    ]
