"""`hub plan`: what `hub deploy` would do to this database, without doing any of it.

The connection is read-only and looks at one snapshot. The transactions are those of deploy, in its
order; each statement is read (see locks) against the catalogue as the statements before it would
have left it. How long work takes is a rough guess from the size; what others do with a table at the
moment weighs as much.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from procrastinate.schema import SchemaManager

from procrastinate_app.deploy import catalog as objects
from procrastinate_app.deploy import code, history, locks, queue
from procrastinate_app.deploy.check import ensure_ready
from procrastinate_app.deploy.connect import connect
from procrastinate_app.deploy.lexer import Statement, statements
from procrastinate_app.deploy.locks import Effect, Mode
from procrastinate_app.deploy.meaning import FUNCTION, POLICY
from procrastinate_app.deploy.plan_catalog import Catalog, Relation
from procrastinate_app.deploy.plan_model import (
    Database,
    File,
    Lock,
    Plan,
    Risk,
    Summary,
    Table,
    Transaction,
)
from procrastinate_app.deploy.plan_model import Statement as Planned
from procrastinate_app.deploy.plan_risk import Judge, Verdict, worst
from procrastinate_app.deploy.plan_tables import Watch
from procrastinate_app.deploy.plan_text import summary_line
from procrastinate_app.deploy.run import compare
from procrastinate_app.deploy.session import Connection
from procrastinate_app.deploy.tree import CodeFile, Migration, Tree, read_tree
from procrastinate_app.project import PROJECT_ROOT

PENDING = "pending"
_SAID_BY_DEPLOY = "hub deploy"
_SHOWN = 200

Kind = Literal["history", "queue", "migration", "function", "view", "trigger", "policy"]
# a statement with its file, and None for the line where no file says it
Piece = tuple[str, int | None, Statement]


@dataclass
class _Step:
    """One transaction to come, with what each of its statements would do."""

    kind: Kind
    title: str
    files: list[File]
    pieces: list[Piece]
    in_transaction: bool = True
    path: tuple[str, ...] = ("public",)
    effects: list[Effect] = field(default_factory=list)


def plan(
    database_url: str, *, root: Path = PROJECT_ROOT, until: str | None = None, sample: float = 1.0
) -> Plan:
    """What deploy would do. `sample`: seconds to watch who uses the tables that would be locked.

    Raises DeployRefused as deploy would, and CannotConnect.
    """
    tree = read_tree(root)
    code.ordered(tree.code)
    with connect(database_url, application="hub plan") as conn:
        conn.execute("set default_transaction_read_only = on")
        ensure_ready(conn)
        with conn.transaction():
            conn.execute("set transaction isolation level repeatable read, read only")
            return _made(conn, tree, until, sample)


def _made(conn: Connection, tree: Tree, until: str | None, sample: float) -> Plan:
    watch = Watch(conn, sample)
    picture = Catalog(conn, conn.info.server_version)
    steps, forgotten = _steps(conn, tree, until, picture)
    wanted: dict[Relation, Mode] = {}
    for step in steps:
        for effect in step.effects:
            for relation, mode in effect.locks.items():
                if mode > Mode.ACCESS_SHARE:
                    wanted[relation] = max(mode, wanted.get(relation, mode))
            for relation in (*effect.scan, *effect.rewrite):
                wanted.setdefault(relation, Mode.ACCESS_SHARE)
    tables = watch.tables(wanted)
    judge = Judge(tables, _busiest(conn))
    transactions = tuple(
        _transaction(number, step, judge) for number, step in enumerate(steps, start=1)
    )
    return Plan(
        made_at=_now(conn),
        database=_database(conn),
        transactions=transactions,
        tables=tuple(sorted(tables.values(), key=lambda table: (-table.bytes, table.name))),
        forgotten=tuple(forgotten),
        summary=_summary(transactions, tables.values()),
    )


def _now(conn: Connection) -> datetime:
    """By the server's clock, as every other time in the plan."""
    row = conn.execute("select clock_timestamp()").fetchone()
    assert row is not None
    assert isinstance(row[0], datetime)
    return row[0]


def _database(conn: Connection) -> Database:
    info = conn.info
    version = conn.execute("show server_version").fetchone() or ("",)
    return Database(
        host=info.host, port=info.port, name=info.dbname, user=info.user, server=str(version[0])
    )


def _busiest(conn: Connection) -> int:
    """Bytes of the biggest table of users: what a statement that cannot be read might hold."""
    row = conn.execute(
        """
        select coalesce(max(relpages::bigint), 0) * current_setting('block_size')::bigint
        from pg_class
        where relkind in ('r', 'm')
          and relnamespace::regnamespace::text not in ('pg_catalog', 'information_schema')
        """
    ).fetchone()
    return int(str(row[0])) if row else 0


# what there is to do, in deploy's order


def _steps(
    conn: Connection, tree: Tree, until: str | None, picture: Catalog
) -> tuple[list[_Step], list[str]]:
    is_set_up = history.is_there(conn, "deploy.files")
    has_versions = history.is_there(conn, "supabase_migrations.schema_migrations")
    files = history.applied_files(conn) if is_set_up else {}
    versions = history.applied_versions(conn) if has_versions else set()
    pending, _ = compare(tree, versions, files)
    if until is not None:
        pending = [migration for migration in pending if migration.version <= until]
    steps: list[_Step] = []
    if not history.is_there(conn, "deploy.queue"):
        steps.append(_of_sql("history", "deploy's own records", history.SETUP))
    known = history.queue(conn) if history.is_there(conn, "deploy.queue") else None
    steps += _queue_steps(queue.due(conn, known))
    steps += [_of_migration(migration) for migration in pending]
    for planned in steps:
        _read(planned, picture)
    if until is not None:
        return steps, []
    due = _due_code(conn, tree, files, picture)
    for step in code.ordered(due):
        planned = _of_code(conn, step, due)
        _read(planned, picture)
        steps.append(planned)
    paths = {file.path for file in tree.code} | {file.path for file in tree.migrations}
    return steps, sorted(path for path in files if path not in paths)


def _of_sql(kind: Kind, title: str, text: str) -> _Step:
    pieces = [(_SAID_BY_DEPLOY, None, part) for part in statements(text)]
    return _Step(kind, title, [], list(pieces))


def _queue_steps(due: queue.Due) -> list[_Step]:
    """procrastinate's schema or its upgrades; afterwards deploy shuts it against clients."""
    if due.nothing:
        return []
    closing: list[Piece] = [(_SAID_BY_DEPLOY, None, part) for part in statements(queue.CLOSE)]
    where = (queue.SCHEMA,)
    if due.installed is None:
        opening = statements(f"create schema if not exists {queue.SCHEMA}")
        name = queue.INSTALLED_FROM
        pieces: list[Piece] = [(_SAID_BY_DEPLOY, None, part) for part in opening]
        pieces += [(name, part.line, part) for part in statements(SchemaManager.get_schema())]
        pieces += closing
        title = f"install procrastinate {due.release}"
        return [_Step("queue", title, [File(path=name, why="new")], pieces, path=where)]
    steps: list[_Step] = []
    for path in due.pending:
        name = f"{queue.UPGRADED_FROM}{path.name}"
        pieces = [(name, part.line, part) for part in statements(path.read_text("utf-8"))]
        upgrade = [File(path=name, why=PENDING)]
        steps.append(_Step("queue", path.name, upgrade, pieces + closing, path=where))
    title = f"procrastinate {due.installed} to {due.release}"
    return [*steps, _Step("queue", title, [], closing, path=where)]


def _of_migration(migration: Migration) -> _Step:
    return _Step(
        "migration",
        migration.path,
        [File(path=migration.path, why=PENDING)],
        [(migration.path, part.line, part) for part in migration.statements],
        in_transaction=migration.in_transaction,
    )


def _due_code(
    conn: Connection, tree: Tree, files: dict[str, history.Applied], picture: Catalog
) -> dict[CodeFile, str]:
    """Code that is due now, and code whose objects a pending migration would drop."""
    found = dict(code.changes(conn, tree.code, files))
    for file in tree.code:
        if file not in found:
            for target in file.defines:
                where = f"{target.schema}.{target.table}" if target.table else target.schema
                if (target.kind, where, target.name) in picture.dropped:
                    found[file] = f"a pending migration drops {target}"
    return {file: found[file] for file in tree.code if file in found}


def _of_code(conn: Connection, step: code.Step, due: dict[CodeFile, str]) -> _Step:
    files = [File(path=file.path, why=due[file]) for file in step.files]
    pieces: list[Piece] = []
    for file in step.files:
        part = file.functions_part if step.kind == FUNCTION else file.locking_part
        pieces += [(file.path, one.line, one) for one in part]
        if step.kind == POLICY:
            pieces += _strangers(conn, file)
    title = step.files[0].path if len(step.files) == 1 else f"{len(step.files)} function files"
    kinds: dict[str, Kind] = {"view": "view", "trigger": "trigger", "policy": "policy"}
    return _Step(kinds.get(step.kind, "function"), title, files, pieces)


def _strangers(conn: Connection, file: CodeFile) -> list[Piece]:
    """Policies that the file no longer names: deploy drops them."""
    pieces: list[Piece] = []
    for table in code.own_tables(file):
        declared = {target.name for target in file.defines if target.schema == table.schema}
        for name in objects.strangers(conn, table, declared):
            quoted = name.replace('"', '""')
            text = f'drop policy "{quoted}" on "{table.schema}"."{table.name}"'
            pieces += [(file.path, None, part) for part in statements(text)]
    return pieces


def _read(step: _Step, picture: Catalog) -> None:
    """Every transaction begins with the settings of the role, as after `reset all`."""
    picture.path = step.path
    picture.bodies_checked = step.kind != "function"
    step.effects = [locks.read(piece, picture) for _, _, piece in step.pieces]


# putting it together


def _transaction(number: int, step: _Step, judge: Judge) -> Transaction:
    verdicts = judge.transaction(step.effects, [line for _, line, _ in step.pieces])
    planned = tuple(
        _planned(piece, effect, verdict)
        for piece, effect, verdict in zip(step.pieces, step.effects, verdicts, strict=True)
    )
    return Transaction(
        number=number,
        kind=step.kind,
        title=step.title,
        in_transaction=step.in_transaction,
        files=tuple(step.files),
        statements=planned,
        strongest=judge.strongest(lock for one in planned for lock in one.locks),
        risk=worst(one.risk for one in planned),
    )


def _planned(piece: Piece, effect: Effect, verdict: Verdict) -> Planned:
    path, line, statement = piece
    taken = [
        Lock(
            mode=str(mode),
            table=str(relation),
            blocks_reads=mode.blocks_reads,
            blocks_writes=mode.blocks_writes,
        )
        for relation, mode in sorted(effect.locks.items(), key=lambda one: (-one[1], str(one[0])))
    ]
    if effect.unknown:
        mode = Mode.ACCESS_EXCLUSIVE
        taken.insert(0, Lock(mode=str(mode), table=None, blocks_reads=True, blocks_writes=True))
    text = " ".join(statement.text.split())
    return Planned(
        file=path,
        line=line,
        sql=text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…",
        what=effect.what,
        locks=tuple(taken),
        scans=tuple(sorted(str(relation) for relation in effect.scan - effect.rewrite)),
        rewrites=tuple(sorted(str(relation) for relation in effect.rewrite)),
        seconds=round(verdict.seconds, 1),
        risk=verdict.risk,
        reason=verdict.reason,
        instead=effect.instead or None,
        drops=tuple(effect.dropped),
    )


def _summary(transactions: tuple[Transaction, ...], tables: Iterable[Table]) -> Summary:
    found = [one for transaction in transactions for one in transaction.statements]
    by_name = {table.name: table for table in tables}
    strongest = Judge.first(
        (lock for one in found for lock in one.locks),
        {name: table.bytes for name, table in by_name.items()},
    )
    risk: Risk = worst(one.risk for one in found)
    rewrites = tuple(sorted({name for one in found for name in one.rewrites}))
    scans = tuple(sorted({name for one in found for name in one.scans}))
    return Summary(
        transactions=len(transactions),
        statements=len(found),
        strongest=strongest,
        rewrites=rewrites,
        scans=scans,
        drops=tuple(drop for one in found for drop in one.drops),
        risk=risk,
        text=summary_line(len(found), len(transactions), strongest, rewrites, by_name, risk),
    )
