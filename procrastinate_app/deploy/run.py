"""`hub deploy`: bring a database to this tree's state, under load, from wherever it stands.

Every transaction also writes down what it did, so a deploy that was killed goes on from there when
it is started again, and a second run finds nothing to do.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from procrastinate_app.deploy import code, history, queue
from procrastinate_app.deploy.check import ensure_ready
from procrastinate_app.deploy.connect import connect
from procrastinate_app.deploy.lexer import Statement, qualified_name
from procrastinate_app.deploy.lock import ensure_held, only_deployer
from procrastinate_app.deploy.session import Connection, DeployFailed, Session
from procrastinate_app.deploy.tree import DeployRefused, Migration, Tree, read_tree
from procrastinate_app.project import PROJECT_ROOT

_ROUNDS = 3


@dataclass
class Deployed:
    """What a deploy did."""

    queue: str | None = None
    migrations: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def changed(self) -> bool:
        return bool(self.queue or self.migrations or self.files)

    def __str__(self) -> str:
        took = f"{self.seconds:.1f} s"
        if not self.changed:
            return f"nothing to do ({took})"
        parts = [f"procrastinate {self.queue}"] if self.queue else []
        parts += [f"{len(self.migrations)} migrations"] if self.migrations else []
        parts += [f"{len(self.files)} files"] if self.files else []
        return f"applied {', '.join(parts)} ({took})"


def _silent(line: str) -> None:
    pass


def deploy(
    database_url: str,
    *,
    report: Callable[[str], None] = _silent,
    root: Path = PROJECT_ROOT,
    until: str | None = None,
    patience: float = 120.0,
) -> Deployed:
    """Deploy the tree at `root`; `report` is called with each line of progress.

    With `until` only migrations up to that version are applied, and no code: a database as an
    older release left it, for tests of the upgrade path. `patience` is how many seconds to try
    for each lock. Raises DeployRefused before anything is done, DeployFailed on the way.
    """
    began = time.monotonic()
    tree = read_tree(root)
    code.ordered(tree.code)  # refuses circles before anything is done
    done = Deployed()
    with connect(database_url, application="hub deploy") as conn:
        session = Session(conn, report, patience)
        ensure_ready(conn)
        with only_deployer(conn, report):
            _work(session, tree, until, done)
    done.seconds = time.monotonic() - began
    return done


def _work(session: Session, tree: Tree, until: str | None, done: Deployed) -> None:
    history.set_up(session.conn)
    pending = _pending(session.conn, tree)
    if until is not None:
        pending = [migration for migration in pending if migration.version <= until]
    done.queue = queue.bring_up_to_date(session)
    if done.queue:
        session.report(f"procrastinate {done.queue}")
    for migration in pending:
        _migrate(session, migration)
        done.migrations.append(migration.path)
        session.report(migration.path)
    if until is None:
        session.conn.execute("reset all")
        _apply_code(session, tree, done)
        session.conn.execute("notify pgrst, 'reload schema'")


def _pending(conn: Connection, tree: Tree) -> list[Migration]:
    """The migrations to apply; what the Supabase CLI applied before is noted as ours."""
    versions = history.applied_versions(conn)
    pending, adopted = compare(tree, versions, history.applied_files(conn))
    for migration in adopted:
        history.record_file(conn, migration.path, migration.digest)
    return pending


def compare(
    tree: Tree, versions: set[str], files: dict[str, history.Applied]
) -> tuple[list[Migration], list[Migration]]:
    """The migrations to apply, and those that another tool applied before.

    Refuses when history and tree contradict each other. A new migration older than one already
    applied is refused without a way around: every database must have lived through the same order,
    or a fresh one proves nothing about the old. Versions in the history that never were ours
    belong to the app around us and are left alone.
    """
    on_disk = {migration.path for migration in tree.migrations}
    complaints = [
        f"{path} was deployed here but is not in this tree: the tree is older than the "
        "database. Deploy from the newer one."
        for path in files
        if path.startswith("migrations/") and path not in on_disk
    ]
    newest = max((m.version for m in tree.migrations if m.version in versions), default="")
    pending: list[Migration] = []
    adopted: list[Migration] = []
    for migration in tree.migrations:
        before = files.get(migration.path)
        if migration.version in versions:
            if before is None:  # the Supabase CLI applied it
                adopted.append(migration)
            elif before.digest != migration.digest:
                complaints.append(
                    f"{migration.path} was edited after it was deployed here. Put back what was "
                    "released, and write the change as a new migration."
                )
        elif migration.version < newest:
            complaints.append(
                f"{migration.path} is older than {newest}, which is already applied. "
                "Rename it with a new timestamp."
            )
        else:
            pending.append(migration)
    if complaints:
        raise DeployRefused("\n".join(complaints))
    return pending, adopted


def _migrate(session: Session, migration: Migration) -> None:
    conn = session.conn
    ensure_held(conn)
    conn.execute("reset all")  # as the Supabase CLI does: no setting leaks into the next file
    if not migration.in_transaction:
        return _migrate_alone(session, migration)

    def migrate() -> None:
        session.script(migration.path, migration.statements)
        history.record_migration(conn, migration)

    return session.transaction(migration.path, migrate)


def _migrate_alone(session: Session, migration: Migration) -> None:
    """One statement outside a transaction, as `create index concurrently` demands.

    Killed between statement and record, it runs again; an index left half built is dropped first.
    It waits for old transactions without blocking anybody, so it has no lock_timeout; for one that
    does not end within our patience deploy gives up.
    """
    conn = session.conn
    (statement,) = migration.statements
    _drop_unfinished_index(conn, statement)
    conn.execute("set statement_timeout = 0")
    session.alone(migration.path, statement)
    with conn.transaction():
        history.record_migration(conn, migration)


def _drop_unfinished_index(conn: Connection, statement: Statement) -> None:
    """What an earlier `create [unique] index concurrently if not exists <name> on <table>` left."""
    words = [token.name for token in statement.tokens]
    if words[0] != "create" or "index" not in words[:3]:
        return
    (name,), after = qualified_name(statement.tokens, words.index("exists") + 1)
    table, _ = qualified_name(statement.tokens, after + 1)
    row = conn.execute(
        """
        select format('drop index concurrently %%s', i.indexrelid::regclass)
        from pg_index as i
        join pg_class as c on c.oid = i.indexrelid
        where c.relname = %s
          and i.indrelid = to_regclass(%s)
          and not i.indisvalid
        """,
        (name, ".".join(f'"{part}"' for part in table)),
    ).fetchone()
    if row is not None:
        conn.execute(str(row[0]).encode())


def _apply_code(session: Session, tree: Tree, done: Deployed) -> None:
    """Apply what is due, and look again: what a change dropped by cascade is due in turn."""
    for _ in range(_ROUNDS):
        files = code.due(session, tree.code)
        if not files:
            break
        for step in code.ordered(files):
            code.apply(session, step)
        done.files += [file.path for file in files if file.path not in done.files]
    else:
        if still := code.due(session, tree.code):
            names = ", ".join(file.path for file in still)
            raise DeployFailed(f"applied {_ROUNDS} times and still not as declared: {names}")
    known = {file.path for file in tree.code} | {file.path for file in tree.migrations}
    if gone := [path for path in history.applied_files(session.conn) if path not in known]:
        history.forget(session.conn, gone)
        session.report(f"no longer in the tree: {', '.join(sorted(gone))}")
