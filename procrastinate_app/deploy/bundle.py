"""`hub bundle DIR`: what deploy does, as files for `supabase db push` or plain psql.

The folder holds procrastinate's schema, the migrations as they are, and snapshots of all code. Its
history is append-only, like that of the databases it is applied to: released files are never
touched, and a change of code becomes a new snapshot with a version of its own.

A snapshot applies those of its files whose digest the database does not have, by the rules of
deploy, and writes down the same notes. So it locks no more than deploy would (on hosted Supabase
every policy statement also locks tables of auth, storage and realtime until commit), may be run
again, and leaves deploy nothing to do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path

from procrastinate.schema import SchemaManager

from procrastinate_app.deploy import bundle_sql
from procrastinate_app.deploy.code import declared_objects, own_tables, parts
from procrastinate_app.deploy.lexer import Statement, header
from procrastinate_app.deploy.queue import package_migrations
from procrastinate_app.deploy.tree import DeployRefused, Tree, digest_of, read_tree
from procrastinate_app.project import PROJECT_ROOT

INSTALL, UPGRADE, CODE = "install_procrastinate", "upgrade_procrastinate", "apply_code"
SEAL = "-- Written by hub bundle; do not edit. sha256 "
_NAME = re.compile(r"(?P<version>\d{14})_(?P<name>.+)\.sql")
_OURS = re.compile(rf"\d{{14}}_({INSTALL}|{UPGRADE}_.+|{CODE}_[0-9a-f]{{8}})\.sql")
_SECOND = timedelta(seconds=1)


class BundleRefused(DeployRefused):
    """The folder is not one that an earlier bundle of this project left; says what to do."""


@dataclass(frozen=True)
class Released:
    """A file that an earlier bundle wrote, with what its header says."""

    version: str
    name: str
    says: Mapping[str, tuple[str, ...]]

    def one(self, key: str) -> str:
        return self.says.get(key, ("",))[0]


def bundle(folder: Path, *, root: Path = PROJECT_ROOT, write: bool = True) -> list[str]:
    """Bring the folder up to this tree; gives the names of the files added.

    The same tree and folder give the same files, byte for byte. Without `write` the names of the
    files that are missing. Raises BundleRefused before anything is written.
    """
    tree = read_tree(root)
    if not tree.migrations:
        raise BundleRefused(f"{root} has no migrations to bundle.")
    found = _read_folder(folder)
    released = _released(found)
    _refuse(_contradictions(folder, tree, found, released))
    added = _missing(tree, found, released)
    _refuse(_collisions(folder, found, added))
    if write:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in sorted(added.items()):
            _write(folder / name, text)
    return sorted(added)


def _refuse(complaints: list[str]) -> None:
    if complaints:
        raise BundleRefused("\n".join(complaints))


def _write(path: Path, text: str) -> None:
    """Whole or not at all: a later run takes what it finds for released."""
    half_made = path.with_name(f".{path.name}.new")
    half_made.write_text(text, encoding="utf-8", newline="\n")
    half_made.replace(path)


# -- what the folder holds -------------------------------------------------------------------


def _read_folder(folder: Path) -> dict[str, str]:
    if folder.exists() and not folder.is_dir():
        raise BundleRefused(f"{folder} is not a folder.")
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.sql"))}


def _released(found: Mapping[str, str]) -> list[Released]:
    """The files of earlier bundles, oldest first; refuses those changed since."""
    complaints: list[str] = []
    released: list[Released] = []
    for name, text in found.items():
        if not _OURS.fullmatch(name) and not text.startswith(SEAL):
            continue
        seal, _, rest = text.partition("\n")
        if seal != SEAL + digest_of(rest) or not _OURS.fullmatch(name):
            complaints.append(
                f"{name} was edited or renamed since hub bundle wrote it. Databases may have it "
                "as it was: put it back, and make the change in sql/ or in a new migration."
            )
            continue
        released.append(Released(name[:14], name, _says(rest)))
    _refuse(complaints)
    return sorted(released, key=lambda file: file.version)


def _says(text: str) -> dict[str, tuple[str, ...]]:
    """The `key: value` lines of a header; a key may come more than once."""
    said: dict[str, tuple[str, ...]] = {}
    for line in header(text):
        key, colon, value = line.partition(": ")
        if colon and key.isidentifier():
            said[key] = (*said.get(key, ()), value)
    return said


def _contradictions(
    folder: Path, tree: Tree, found: Mapping[str, str], released: list[Released]
) -> list[str]:
    """Where the tree is not the next one after what the folder holds."""
    complaints: list[str] = []
    ours = {Path(migration.path).name: migration for migration in tree.migrations}
    bundled = dict(held.split(" ") for file in released for held in file.says.get("migration", ()))
    for name, digest in sorted(bundled.items()):
        if name not in ours:
            complaints.append(
                f"{folder} was made from a newer tree: it holds {name}, which this one lacks."
            )
        elif ours[name].digest != digest:
            complaints.append(
                f"migrations/{name} was edited after it was released. Put back what was released, "
                "and write the change as a new migration."
            )
    newest = max((file.version for file in released if _has_code(file)), default="")
    for name, migration in ours.items():
        if name in found:
            if found[name] != migration.sql:
                complaints.append(
                    f"{folder / name} differs from migrations/{name}. Released migrations are "
                    "never edited: put back what was released."
                )
        elif name not in bundled and migration.version < newest:
            complaints.append(
                f"migrations/{name} is older than {newest}, which {folder} has released. "
                "Rename it with a new timestamp."
            )
    installed = _queue(released)
    if installed and installed > package_migrations()[-1].name:
        complaints.append(
            f"{folder} has procrastinate up to {installed}, this installation is older: "
            "bundle with the newer one."
        )
    return complaints


def _has_code(file: Released) -> bool:
    return f"_{CODE}_" in file.name


def _queue(released: list[Released]) -> str:
    """The newest migration of procrastinate that the folder has."""
    return max((file.one("newest") for file in released), default="")


def _collisions(folder: Path, found: Mapping[str, str], added: Mapping[str, str]) -> list[str]:
    """Versions name a migration: the Supabase CLI would take one file for the other."""
    taken = {match["version"]: name for name in found if (match := _NAME.fullmatch(name))}
    return [
        f"{folder / taken[name[:14]]} has the version that {name} needs. Rename it."
        for name in sorted(added)
        if name[:14] in taken
    ]


# -- what it lacks ---------------------------------------------------------------------------


def _missing(tree: Tree, found: Mapping[str, str], released: list[Released]) -> dict[str, str]:
    added: dict[str, str] = {}
    migrations = {Path(m.path).name: m for m in tree.migrations}
    fresh = [name for name in sorted(migrations) if name not in found]
    newest = package_migrations()[-1].name
    if not _queue(released):
        first = tree.migrations[0].version
        added[f"{_moved(first, -_SECOND)}_{INSTALL}.sql"] = _install(newest)
    else:
        upgrades = [path for path in package_migrations() if path.name > _queue(released)]
        at = max([file.version for file in released] + [n[:14] for n in migrations if n in found])
        for path in upgrades:
            at = _moved(at, _SECOND)
            stem = re.sub(r"[^a-z0-9]+", "_", path.stem.lower())
            added[f"{at}_{UPGRADE}_{stem}.sql"] = _upgrade(path)
        if upgrades and fresh and at >= fresh[0][:14]:
            raise BundleRefused(
                f"migrations/{fresh[0]} must come after the upgrade of procrastinate, which would "
                f"be {at}. Rename it with a newer timestamp."
            )
    added |= {name: migrations[name].sql for name in fresh}
    digest = _tree_digest(tree)
    snapshots = [file for file in released if _has_code(file)]
    if not snapshots or snapshots[-1].one("tree") != digest:
        made = [file.name for file in released] + [name for name in added if _OURS.fullmatch(name)]
        before = sorted({*migrations, *made})
        name = f"{_moved(before[-1][:14], _SECOND)}_{CODE}_{digest[:8]}.sql"
        added[name] = _snapshot(tree, digest, before)
    return added


def _moved(version: str, by: timedelta) -> str:
    """A version some seconds later or earlier; by counting where it is no time of the clock."""
    try:
        return f"{datetime.strptime(version, '%Y%m%d%H%M%S') + by:%Y%m%d%H%M%S}"
    except ValueError:
        return f"{int(version) + int(by.total_seconds()):014}"


def _tree_digest(tree: Tree) -> str:
    """Changes with whatever a snapshot would say."""
    said = [bundle_sql.FORMAT, version("procrastinate")]
    said += [f"{migration.path} {migration.digest}" for migration in tree.migrations]
    said += [f"{file.path} {file.digest}" for file in tree.code]
    return digest_of("\n".join(said))


def _sealed(says: Iterable[tuple[str, str]], body: str) -> str:
    lines = "".join(f"-- {key}: {value}\n" for key, value in says)
    rest = f"{lines}\n{body.strip()}\n"
    return f"{SEAL}{digest_of(rest)}\n{rest}"


def _install(newest: str) -> str:
    release = version("procrastinate")
    return _sealed(
        [("release", release), ("newest", newest)],
        bundle_sql.install(SchemaManager.get_schema(), release, newest),
    )


def _upgrade(path: Path) -> str:
    release = version("procrastinate")
    return _sealed(
        [("release", release), ("newest", path.name)],
        bundle_sql.upgrade(path.read_text(encoding="utf-8"), release, path.name),
    )


def _snapshot(tree: Tree, digest: str, before: list[str]) -> str:
    files = [
        bundle_sql.File(
            file.path,
            file.digest,
            json.dumps([_address(target) for target in declared_objects(file)]),
            json.dumps([_address(table) for table in own_tables(file)]),
        )
        for file in tree.code
    ]
    pieces = [(file.path, _text(statements)) for file, statements in parts(tree.code)]
    says = [("tree", digest)]
    says += [("migration", f"{Path(m.path).name} {m.digest}") for m in tree.migrations]
    return _sealed(
        says,
        bundle_sql.snapshot(
            files=files,
            pieces=pieces,
            migrations=[(m.path, m.digest) for m in tree.migrations],
            history=[_version_and_name(name) for name in before],
            release=version("procrastinate"),
            newest=package_migrations()[-1].name,
        ),
    )


def _address(target: object) -> dict[str, str]:
    kind, schema, name, table = (
        getattr(target, part) for part in ("kind", "schema", "name", "table")
    )
    return {"kind": kind, "schema": schema, "name": name, "on_table": table}


def _text(statements: Iterable[Statement]) -> str:
    return "".join(f"\n{statement.text};\n" for statement in statements)


def _version_and_name(name: str) -> tuple[str, str]:
    match = _NAME.fullmatch(name)
    assert match is not None
    return match["version"], match["name"]


def replay_order(folder: Path) -> list[tuple[Path, bool]]:
    """The files in order, and whether each runs in one transaction (`psql -1`)."""
    files = sorted(folder.glob("*.sql"))
    return [(path, "no-transaction" not in header(path.read_text("utf-8"))) for path in files]
