"""What was deployed: which release, whole or in parts, changed by hand or not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import version as installed_version

from procrastinate_app.deploy import catalog, history
from procrastinate_app.deploy.code import _SHARED as SHARED
from procrastinate_app.deploy.meaning import FUNCTION, TRIGGER, Object
from procrastinate_app.deploy.tree import CodeFile, policy_tables
from procrastinate_app.doctor.finding import Case, Finding, Level

DEPLOY = "hub deploy"
_EXTENSION = re.compile(r'create\s+extension\s+(?:if\s+not\s+exists\s+)?"?([\w-]+)', re.IGNORECASE)


def extensions(case: Case) -> Iterator[Finding]:
    """Those our SQL makes or names, and what Supabase's own need."""
    wanted = {
        name
        for file in case.tree.migrations
        for name in _EXTENSION.findall(_without_comments(file.sql))
    }
    has = dict(case.rows("select extname, extversion from pg_extension"))
    offered = {row[0] for row in case.rows("select name from pg_available_extensions")}
    missing = sorted(wanted - set(has))
    for name in missing:
        yield Finding(
            Level.ERROR,
            "extensions",
            f"{name} is missing"
            + ("" if name in offered else ", and this server does not have it"),
            f"create extension {name} with schema extensions;"
            if name in offered
            else f"Install the package that brings {name} on the server.",
        )
    outdated = case.rows(
        "select e.extname, e.extversion, a.default_version from pg_extension as e"
        " join pg_available_extensions as a on a.name = e.extname"
        " where a.default_version <> e.extversion order by 1"
    )
    for name, old, new in outdated:
        yield Finding(
            Level.NOTE, "extensions", f"{name} is at {old}, the server has {new}",
            f'alter extension "{name}" update;',
        )  # fmt: skip
    if not missing:
        names = ", ".join(sorted(wanted)) or "none are needed"
        yield Finding(Level.OK, "extensions", f"{names}; installed: {', '.join(sorted(has))}")


def _without_comments(sql: str) -> str:
    return re.sub(r"--[^\n]*", "", sql)


def version(case: Case) -> Iterator[Finding]:
    """Migrations: pending, unknown, edited. And the queue's own release."""
    if not case.exists("supabase_migrations.schema_migrations"):
        yield Finding(Level.ERROR, "schema", "nothing is deployed here yet", DEPLOY)
        return
    versions = history.applied_versions(case.conn)
    ours = {migration.version: migration for migration in case.tree.migrations}
    newest = max((one for one in versions if one in ours), default="none")
    found: list[Finding] = []
    if pending := sorted(set(ours) - versions):
        found.append(
            Finding(
                Level.ERROR,
                "schema",
                f"the database is older than this program: at {newest}, {len(pending)} migrations "
                f"behind ({pending[0]}{' …' if len(pending) > 1 else ''}); its worker will not "
                "start here",
                f"hub plan, then {DEPLOY}",
            )
        )
    if case.exists("deploy.files"):
        found += _compared_with_history(case, versions)
    elif not pending:
        found.append(
            Finding(
                Level.NOTE, "schema", "the migrations were applied by another tool; how the code "
                "stands is not known", f"{DEPLOY} adopts them",
            )
        )  # fmt: skip
    found += _queue_release(case)
    yield from found
    if not found:
        yield Finding(Level.OK, "schema", f"at {case.tree.latest}, as this program")


def _compared_with_history(case: Case, versions: set[str]) -> Iterator[Finding]:
    ours = {migration.path: migration for migration in case.tree.migrations}
    applied = history.applied_files(case.conn)
    newer = sorted(path for path in applied if path.startswith("migrations/") and path not in ours)
    if newer:
        yield Finding(
            Level.WARNING,
            "schema",
            f"the database is newer than this program: {newer[-1]} is not in it. Its worker goes "
            "on here, its deploy refuses",
            "Install the release that was deployed last.",
        )
    for path, migration in ours.items():
        before = applied.get(path)
        if before and migration.version in versions and before.digest != migration.digest:
            yield Finding(
                Level.ERROR, "schema", f"{path} was edited after it was deployed here",
                "Put back what was released; write the change as a new migration.",
            )  # fmt: skip


def _queue_release(case: Case) -> Iterator[Finding]:
    if not case.exists("deploy.queue"):
        return
    rows = case.rows("select version from deploy.queue")
    has, ours = rows[0][0] if rows else "none", installed_version("procrastinate")
    if has != ours:
        yield Finding(
            Level.ERROR if _numbers(has) < _numbers(ours) else Level.WARNING, "schema",
            f"the queue's schema is procrastinate {has}, this program uses {ours}",
            DEPLOY if _numbers(has) < _numbers(ours) else "Install the release deployed last.",
        )  # fmt: skip


def _numbers(release: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", release)]


def code(case: Case) -> Iterator[Finding]:
    """Files: not yet applied, dropped since, or replaced by hand."""
    if not case.exists("deploy.files"):
        return
    applied = history.applied_files(case.conn)
    files = list(case.tree.code)
    found = catalog.find(case.conn, (one for file in files for one in _declared(file)))
    changed = [f for f in files if f.path not in applied or applied[f.path].digest != f.digest]
    missing = [
        (file, target)
        for file in files
        if file not in changed
        for target in _declared(file)
        if target not in found
    ]
    if changed:
        paths = ", ".join(file.path for file in changed[:3])
        yield Finding(
            Level.WARNING,
            "code",
            f"{len(changed)} files differ from what is deployed: {paths}"
            + (" …" if len(changed) > 3 else ""),
            f"{DEPLOY}, or install the release that was deployed last",
        )
    for file, target in missing:
        yield Finding(Level.ERROR, "code", f"{target} is gone ({file.path})", DEPLOY)
    current = [file for file in files if file not in changed]
    by_hand = list(_by_hand(case, current, found))
    yield from by_hand
    if not (changed or missing or by_hand):
        yield Finding(Level.OK, "code", f"{len(files)} files, all as deployed")


def _declared(file: CodeFile) -> tuple[Object, ...]:
    tables = policy_tables(file) if file.kind == "policy" else ()
    return (*file.defines, *tables)


def _by_hand(case: Case, files: list[CodeFile], found: catalog.Oids) -> Iterator[Finding]:
    """A function whose body stands in no file: `create or replace` keeps its oid, so deploy does
    not see it. And policies on our tables that no file names."""
    bodies = dict(
        case.rows(
            "select oid::bigint, prosrc from pg_proc where oid = any(%s::oid[])",
            [[oid for target, oids in found.items() if target.kind == FUNCTION for oid in oids]],
        )
    )
    for file in files:
        if file.kind == "policy":
            for table in policy_tables(file):
                names = {one.name for one in file.defines if one.schema == table.schema}
                if table.schema in SHARED:
                    continue
                for stranger in catalog.strangers(case.conn, table, names):
                    yield Finding(
                        Level.ERROR, "code",
                        f"policy {stranger} on {table.schema}.{table.name} is in no file",
                        f"drop policy {stranger} on {table.schema}.{table.name};  -- or declare "
                        f"it in {file.path}",
                    )  # fmt: skip
            continue
        for target in file.defines:
            for oid in found.get(target, ()):
                if target.kind == FUNCTION and bodies.get(oid, "").strip() not in file.sql:
                    yield Finding(
                        Level.ERROR, "code", f"{target} was changed by hand, past {file.path}",
                        f"delete from deploy.files where path = '{file.path}';  -- then {DEPLOY}",
                    )  # fmt: skip


def objects(case: Case) -> Iterator[Finding]:
    """What is there and does not work: broken indexes, switched-off triggers and row security,
    functions that run with their owner's rights on a path others can put things on."""
    schemas = [*case.domains, "public"]
    found: list[Finding] = []
    for index, table in case.rows(
        "select i.indexrelid::regclass::text, i.indrelid::regclass::text from pg_index as i"
        " join pg_class as c on c.oid = i.indexrelid"
        " join pg_namespace as n on n.oid = c.relnamespace"
        " where n.nspname = any(%s) and not (i.indisvalid and i.indisready) order by 1",
        [schemas],
    ):
        found.append(
            Finding(
                Level.ERROR, "objects", f"index {index} on {table} is broken: half built",
                f"reindex index concurrently {index};",
            )
        )  # fmt: skip
    triggers = [one for file in case.tree.code for one in file.defines if one.kind == TRIGGER]
    oids = [oid for oids in catalog.find(case.conn, triggers).values() for oid in oids]
    for name, table in case.rows(
        "select t.tgname, t.tgrelid::regclass::text from pg_trigger as t"
        " where t.oid = any(%s::oid[]) and t.tgenabled in ('D', 'R') order by 1",
        [oids],
    ):
        found.append(
            Finding(
                Level.ERROR, "objects", f"trigger {name} on {table} is switched off",
                f"alter table {table} enable trigger {name};",
            )
        )  # fmt: skip
    for (table,) in case.rows(
        "select format('%%I.%%I', n.nspname, c.relname) from pg_class as c"
        " join pg_namespace as n on n.oid = c.relnamespace"
        " where n.nspname = any(%s) and c.relkind in ('r', 'p') and not c.relrowsecurity"
        " order by 1",
        [case.domains],
    ):
        found.append(
            Finding(
                Level.ERROR, "objects", f"row security of {table} is off",
                f"alter table {table} enable row level security;",
            )
        )  # fmt: skip
    for (function,) in case.rows(
        "select p.oid::regprocedure::text from pg_proc as p"
        " join pg_namespace as n on n.oid = p.pronamespace"
        " where n.nspname = any(%s) and p.prosecdef"
        " and not exists (select from unnest(p.proconfig) as c where c like 'search_path=%%')"
        " order by 1",
        [case.domains],
    ):
        found.append(
            Finding(
                Level.ERROR, "objects",
                f"{function} runs with its owner's rights and pins no search_path",
                f"alter function {function} set search_path = pg_catalog, pg_temp;",
            )
        )  # fmt: skip
    for constraint, table in case.rows(
        "select c.conname, c.conrelid::regclass::text from pg_constraint as c"
        " join pg_namespace as n on n.oid = c.connamespace"
        " where n.nspname = any(%s) and not c.convalidated and c.conrelid <> 0 order by 1",
        [schemas],
    ):
        found.append(
            Finding(
                Level.NOTE, "objects", f"constraint {constraint} on {table} does not hold for old "
                "rows", f"alter table {table} validate constraint {constraint};",
            )
        )  # fmt: skip
    yield from found
    if not found:
        yield Finding(Level.OK, "objects", "indexes, triggers and row security are in force")
