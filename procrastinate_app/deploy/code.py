"""Applying the code files: what is due, in which order, in which transactions.

All functions change together, so that no caller meets half a release; they lock no table. A view,
a trigger or a table's policies do lock, so each has its own short transaction: re-creating the
policies of many tables in one would stop all traffic and die of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from psycopg import sql

from procrastinate_app.deploy import catalog, history
from procrastinate_app.deploy.lexer import Statement
from procrastinate_app.deploy.lock import ensure_held
from procrastinate_app.deploy.meaning import FUNCTION, POLICY, TRIGGER, VIEW, Object
from procrastinate_app.deploy.session import Connection, DeployFailed, Session
from procrastinate_app.deploy.tree import CodeFile, DeployRefused, policy_tables

NEW, CHANGED = "new", "changed"

# their owners keep policies of their own on these tables
_SHARED = ("auth", "storage", "realtime")


@dataclass(frozen=True)
class Step:
    """Files applied in one transaction; more than one only for functions."""

    kind: str
    files: tuple[CodeFile, ...]


def due(session: Session, code: Iterable[CodeFile]) -> list[CodeFile]:
    """Files that changed, and files whose objects are gone or were made again by something else."""
    found: list[CodeFile] = []
    for file, why in changes(session.conn, code, history.applied_files(session.conn)):
        if why not in (NEW, CHANGED):
            session.report(f"{file.path}: {why}, applying again")
        found.append(file)
    return found


def changes(
    conn: Connection, code: Iterable[CodeFile], applied: dict[str, history.Applied]
) -> list[tuple[CodeFile, str]]:
    """What is due, and why: NEW, CHANGED, or which object was dropped since."""
    files = list(code)
    found = catalog.find(conn, (target for file in files for target in declared_objects(file)))
    found_due: list[tuple[CodeFile, str]] = []
    for file in files:
        before = applied.get(file.path)
        missing = [target for target in declared_objects(file) if target not in found]
        if before is None or before.digest != file.digest:
            found_due.append((file, NEW if before is None else CHANGED))
        elif missing or tuple(_oids(file, found)) != before.oids:
            gone = str(missing[0]) if missing else "an object of it"
            found_due.append((file, f"{gone} was dropped since"))
    return found_due


def ordered(files: Iterable[CodeFile]) -> list[Step]:
    """Functions first and together, then views, each after what it `requires`.

    A function that returns a view's rows requires the view, and then waits for it; a view may
    require functions. Triggers and policies come last: nothing is made from them.
    """
    waiting = sorted(
        (file for file in files if file.kind in (FUNCTION, VIEW)), key=lambda file: file.path
    )
    rest = [file for file in files if file.kind == TRIGGER]
    steps: list[Step] = []
    # the functions of triggers go with the first of all functions
    bodies = tuple(file for file in rest if file.functions_part)
    while waiting:
        functions = _ready(waiting, FUNCTION)
        views = [] if functions else _ready(waiting, VIEW)[:1]
        if not functions and not views:
            names = ", ".join(file.path for file in waiting)
            raise DeployRefused(f"`-- requires:` goes in a circle through {names}.")
        if functions:
            steps.append(Step(FUNCTION, (*functions, *bodies)))
            bodies = ()
        else:
            steps.append(Step(VIEW, tuple(views)))
        taken = {file.path for file in (*functions, *views)}
        waiting = [file for file in waiting if file.path not in taken]
    if bodies:
        steps.insert(0, Step(FUNCTION, bodies))
    steps += [Step(TRIGGER, (file,)) for file in rest]
    policies = [file for file in files if file.kind == POLICY]
    # tables of others come last: where their owner refuses us, the rest is in place
    policies.sort(key=lambda file: len(own_tables(file)) == 0)
    steps += [Step(POLICY, (file,)) for file in policies]
    return steps


def parts(files: Iterable[CodeFile]) -> Iterator[tuple[CodeFile, list[Statement]]]:
    """Every file's statements in the order of `ordered`; a trigger's come in two parts."""
    for step in ordered(files):
        for file in step.files:
            yield file, file.functions_part if step.kind == FUNCTION else file.locking_part


def _ready(waiting: list[CodeFile], kind: str) -> list[CodeFile]:
    """The files of a kind whose requirements are met, in an order that meets them."""
    ready: list[CodeFile] = []
    unmet = {address for file in waiting for address in _addresses(file)}
    while True:
        more = [
            file
            for file in waiting
            if file.kind == kind
            and file not in ready
            and not unmet & {(need.schema, need.name) for need in file.requires}
        ]
        if not more:
            return ready
        ready += more
        unmet -= {address for file in more for address in _addresses(file)}


def _addresses(file: CodeFile) -> set[tuple[str, str]]:
    return {(target.schema, target.name) for target in file.defines}


def apply(session: Session, step: Step) -> None:
    """One transaction: the step's files, and the record that they are applied."""
    ensure_held(session.conn)
    if step.kind == FUNCTION:
        names = [file.path for file in step.files]
        session.transaction(f"{len(names)} function files", lambda: _functions(session, step))
        session.report(
            f"functions: {', '.join(names) if len(names) < 4 else f'{len(names)} files'}"
        )
    else:
        (file,) = step.files
        session.transaction(file.path, lambda: _one(session, file))
        session.report(file.path)


def _functions(session: Session, step: Step) -> None:
    # bodies name each other in every direction; the tests check them once all are there
    session.conn.execute("set local check_function_bodies = off")
    for file in step.files:
        session.script(file.path, file.functions_part)
    targets = [t for file in step.files for t in file.defines if t.kind == FUNCTION]
    found = catalog.find(session.conn, targets)
    for target in targets:
        if len(found.get(target, ())) > 1:
            raise DeployFailed(_overloaded(target, catalog.signatures(session.conn, target)))
    for file in step.files:
        if file.kind == FUNCTION:
            history.record_code(session.conn, file, _oids(file, found))


def _one(session: Session, file: CodeFile) -> None:
    session.script(file.path, file.locking_part)
    if file.kind == POLICY:
        _drop_strangers(session, file)
    history.record_code(
        session.conn, file, _oids(file, catalog.find(session.conn, declared_objects(file)))
    )


def _drop_strangers(session: Session, file: CodeFile) -> None:
    """A policy taken out of its file must not go on admitting people."""
    for table in own_tables(file):
        declared = {t.name for t in file.defines if t.schema == table.schema}
        for name in catalog.strangers(session.conn, table, declared):
            session.conn.execute(
                sql.SQL("drop policy {} on {}").format(
                    sql.Identifier(name), sql.Identifier(table.schema, table.name)
                )
            )
            session.report(f"{file.path}: dropped policy {name}, which it no longer names")


def own_tables(file: CodeFile) -> tuple[Object, ...]:
    """The tables on which no policy may stand that the file does not name."""
    tables = policy_tables(file) if file.kind == POLICY else ()
    return tuple(table for table in tables if table.schema not in _SHARED)


def declared_objects(file: CodeFile) -> tuple[Object, ...]:
    """What the file's digest is remembered with: all that it makes, and its policies' tables."""
    return (*file.defines, *(policy_tables(file) if file.kind == POLICY else ()))


def _oids(file: CodeFile, found: catalog.Oids) -> list[int]:
    return sorted({oid for target in declared_objects(file) for oid in found.get(target, ())})


def _overloaded(target: Object, signatures: list[str]) -> str:
    return (
        f"{target} would have {len(signatures)} signatures: {'; '.join(signatures)}. A changed "
        "argument needs a migration in the same change: drop function if exists <the old one>."
    )
