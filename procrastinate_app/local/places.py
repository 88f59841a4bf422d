"""Where the local stack keeps its files, and which account runs Postgres.

Postgres refuses to run as root, so root hands it to an unprivileged account. That account may not
be able to enter the checkout or the home around it (mode 700), so as root everything Postgres
touches lives in a folder of its own. An ordinary user keeps everything inside the checkout.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pwd
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from procrastinate_app.local.errors import LocalError
from procrastinate_app.project import PROJECT_ROOT

ROOTS_DATA = Path("/var/lib/hybrid-hub")
DISK = Path("/var/tmp")
SHARED_MEMORY = Path("/dev/shm")
ROOM_NEEDED = 2 * 1024**3
OUR_FILES = (
    "stack.json*",
    "stack.lock",
    "keys.json*",
    "supervisor.log",
    "logs/gateway.log",
    "logs/sandbox.log",
    "logs/worker.log",
    "logs/worker.url",
)


class PlaceError(LocalError):
    """No folder can be used; the message says why and what to do."""


@dataclass(frozen=True)
class Account:
    """The account Postgres runs as when the caller is root."""

    name: str
    uid: int
    gid: int


def account() -> Account | None:
    """The unprivileged account to drop to, or None when the caller is an ordinary user."""
    if os.geteuid() != 0:
        return None
    wanted = os.environ.get("HUB_POSTGRES_ACCOUNT")
    for name in (wanted,) if wanted else ("nobody", "postgres", "daemon"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise PlaceError(
        "Postgres cannot run as root and no unprivileged account was found. "
        "Name one in HUB_POSTGRES_ACCOUNT."
    )


def runtime_dir() -> Path:
    """This checkout's own folder for this user: state, data, caches. Made when missing.

    HUB_RUNTIME_DIR overrides it. Removed by `make clean`; from a folder of the user's choice only
    what is ours goes.
    """
    chosen = os.environ.get("HUB_RUNTIME_DIR")
    if chosen:
        return owned_dir(Path(chosen))
    key = hashlib.sha256(str(PROJECT_ROOT).encode()).hexdigest()[:12]
    if os.geteuid() == 0:
        candidates = [ROOTS_DATA / key, DISK / "hybrid-hub-0" / key]
    else:
        own = f"u{os.geteuid()}"
        candidates = [
            PROJECT_ROOT / ".local" / own,
            Path.home() / ".local/state/hybrid-hub" / key,
            Path(tempfile.gettempdir()) / f"hybrid-hub-{os.geteuid()}" / key,
        ]
    return _first_usable(candidates)


def forget_runtime_dir() -> None:
    """Remove it with all that it holds, and the folder of all checkouts when it was the last.

    HUB_RUNTIME_DIR may be mistyped, so there only entries of ours go.
    """
    folder = runtime_dir()
    if os.environ.get("HUB_RUNTIME_DIR"):
        _forget_ours(folder)
        return
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        folder.parent.rmdir()


def kept_data(folder: Path) -> list[Path]:
    """The clusters that are kept in a runtime folder, of each major version."""
    return [path for path in folder.glob("postgres-[0-9]*") if _is_locked_by_us(path)]


def _forget_ours(folder: Path) -> None:
    """Remove what the local stack makes there, then the folder when nothing else is in it."""
    caches = filter(_is_locked_by_us, (folder / "clusters", folder / "binaries"))
    for path in (*kept_data(folder), *caches):
        shutil.rmtree(path, ignore_errors=True)
    for pattern in OUR_FILES:
        for path in folder.glob(pattern):
            with contextlib.suppress(OSError):
                path.unlink()
    for path in (folder / "logs", folder):
        with contextlib.suppress(OSError):
            path.rmdir()


def _is_locked_by_us(path: Path) -> bool:
    """Whether this is a folder that holds our lock file: each of ours does, whatever its name."""
    return is_ours(path) and (path / "lock").is_file()


def ephemeral_base(*, on_disk: bool) -> Path:
    """The folder for clusters that die with their starter: memory when it has room, else disk."""
    memory, *disks = ephemeral_bases()
    return _first_usable([memory, *disks] if not on_disk and _has_room(SHARED_MEMORY) else disks)


def ephemeral_bases() -> list[Path]:
    """Where clusters that die with their starter may be, of every checkout of this user."""
    parents = (SHARED_MEMORY, Path(tempfile.gettempdir()), DISK)
    return [parent / f"hybrid-hub-{os.geteuid()}" for parent in parents]


def owned_dir(path: Path, *, private: bool = False) -> Path:
    """Make `path` (and its parents), owned by the caller and writable by nobody else.

    As root others may pass through it, because Postgres' account must; they may not list it.
    private: nobody else may enter at all.
    """
    mode = 0o711 if os.geteuid() == 0 and not private else 0o700
    for parent in reversed(path.parents):
        if not parent.exists():
            parent.mkdir(mode=0o755, exist_ok=True)
            parent.chmod(0o755)
    path.mkdir(mode=mode, exist_ok=True)
    if not is_ours(path):
        raise PlaceError(
            f"{path} belongs to somebody else. Set HUB_RUNTIME_DIR to a folder of yours."
        )
    if stat.S_IMODE(path.stat().st_mode) != mode:
        path.chmod(mode)
    return path


def is_ours(path: Path) -> bool:
    """Whether this is a folder of the caller's, and no link to one."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def _first_usable(candidates: list[Path]) -> Path:
    """The first folder that can be made and written to."""
    trouble: list[str] = []
    for path in candidates:
        try:
            usable = owned_dir(path)
            with tempfile.TemporaryFile(dir=usable):
                return usable
        except (OSError, PlaceError) as error:
            trouble.append(str(error))
    raise PlaceError("No folder for the local stack: " + "; ".join(trouble))


def _has_room(path: Path) -> bool:
    """True when `path` is there, writable and large enough for a few clusters."""
    try:
        return os.access(path, os.W_OK) and shutil.disk_usage(path).free >= ROOM_NEEDED
    except OSError:
        return False
