"""Keeps one Postgres server for one starter, and ends it when the starter is gone.

Run as a script by `postgres.start()`, never imported by the worker; standard library only, so that
it starts fast. It reads one command per line on stdin and answers each with one line of JSON:

    {"do": "start", "password": "…"}
    {"do": "stop", "mode": "fast" | "immediate" | "smart"}

The password becomes the superuser's where the cluster is made; an existing one keeps its own, which
the answer tells. It travels through these pipes, never through arguments, and is kept beside the
data, not in it: as root we would follow whatever the server's account puts there.

End of input means the starter ended, however it ended: the server is stopped and, for an ephemeral
cluster, its folder removed. Should the keeper itself be killed, the kernel signals the server
(PR_SET_PDEATHSIG). The lock on the cluster's folder is inherited by the server, so a folder whose
lock is free has nothing alive in it.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
PASSWORD_FILE = "password"
STOP_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
INITDB_SECONDS = 120
START_SECONDS = 60
STOP_SECONDS = 30
POLL_SECONDS = 0.005


class KeeperError(RuntimeError):
    """Something the starter must be told."""


class Keeper:
    """One cluster: its data, its server process, its port."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.bindir = Path(config["bindir"])
        self.home = Path(config["home"])
        self.data = self.home / "data"
        self.log = self.home / "postgres.log"
        self.template = Path(config["template"])
        self.initdb_options: list[str] = config["initdb_options"]
        self.keep: bool = config["keep"]
        self.settings: dict[str, str] = config["settings"]
        self.lock_fd: int = config["lock_fd"]
        self.account: list[int] | None = config["account"]
        self.port = 0
        self.password = ""
        self.server: subprocess.Popen[bytes] | None = None

    # -- data -------------------------------------------------------------------------------

    def prepare(self, new_password: str) -> None:
        """Have a complete data folder: the kept one, else a copy of the cached initdb result."""
        if not (self.data / "PG_VERSION").exists():
            half_made = self.home / "data.new"
            shutil.rmtree(half_made, ignore_errors=True)
            password = self._copy_cached(half_made, new_password)
            write_private(self.home / PASSWORD_FILE, password)
            half_made.rename(self.data)
        try:
            self.password = (self.home / PASSWORD_FILE).read_text()
        except FileNotFoundError:
            self.password = ""
        if not self.password:
            raise KeeperError(
                f"{self.home} holds data whose password is not known: {PASSWORD_FILE} beside it is "
                "missing or empty. An earlier version made the data, or the machine broke down."
            )

    def _copy_cached(self, target: Path, new_password: str) -> str:
        """Copy the initdb result, made once under a lock and renamed when complete. Its password.

        The lock is held for the copy too: `hub local reset` removes what is cached.
        """
        with (self.template.parent / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.template.exists():
                half_made = self.template.with_suffix(".new")
                shutil.rmtree(half_made, ignore_errors=True)
                half_made.mkdir()
                half_made.chmod(0o711)
                self._make_cluster(half_made, new_password, lock.fileno())
                half_made.rename(self.template)
            self._copy(self.template / "data", target)
            return (self.template / PASSWORD_FILE).read_text()

    def _make_cluster(self, home: Path, new_password: str, template_lock: int) -> None:
        """A new cluster's data, the server's account's, and its password, our own."""
        data, read_once = home / "data", home / "initdb.password"
        data.mkdir(mode=0o700)
        write_private(read_once, new_password)
        if self.account:
            os.chown(data, *self.account)
            os.chown(read_once, *self.account)
        self._initdb(data, read_once, template_lock)
        read_once.unlink()
        write_private(home / PASSWORD_FILE, new_password)

    def _initdb(self, data: Path, password: Path, template_lock: int) -> None:
        """Make a cluster. The locks go along, so that nobody begins anew beside a killed one."""
        command = [str(self.bindir / "initdb"), "--no-sync", "--no-instructions", "-D", str(data)]
        command += ["-U", "postgres", "-A", "scram-sha-256", f"--pwfile={password}", "-E", "UTF8"]
        command += self.initdb_options
        said = ""
        for locale in ("C.UTF-8", "C"):
            done: subprocess.CompletedProcess[bytes] = subprocess.run(
                [*command, f"--locale={locale}"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=INITDB_SECONDS,
                pass_fds=(self.lock_fd, template_lock),
                **self._as_account(signal.SIGKILL),
            )
            if done.returncode == 0:
                return
            said = done.stdout.decode(errors="replace").strip()
            if "locale" not in said:
                break
        raise KeeperError("initdb failed: " + said)

    def _copy(self, source: Path, target: Path) -> None:
        """Copy a data folder with its owner. cp is several times faster than shutil here."""
        done = subprocess.run(
            ["cp", "-a", source, target],
            capture_output=True,
            text=True,
            pass_fds=(self.lock_fd,),
            preexec_fn=partial(die_with_parent, signal.SIGKILL, os.getpid()),
        )
        if done.returncode != 0:
            raise KeeperError("cannot copy the new cluster: " + done.stderr.strip())

    # -- server -----------------------------------------------------------------------------

    def start(self) -> None:
        """Start the server and wait until it accepts connections.

        The first start picks a free port and tries another when somebody takes it meanwhile;
        later starts keep the port, because clients know it.
        """
        if self.running():
            return
        # The lock is ours, so no server lives here: a pid file is stale, whatever its pid is now.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        deadline = time.monotonic() + START_SECONDS
        chosen = self.port
        while True:
            self.port = chosen or free_port()
            offset = self.log.stat().st_size if self.log.exists() else 0
            self._spawn()
            if self._wait_ready(deadline):
                return
            said = self._log_since(offset)
            if "could not bind" not in said or time.monotonic() > deadline:
                raise KeeperError("Postgres did not start. Its log says:\n" + said[-2000:])
            time.sleep(0.05)

    def _spawn(self) -> None:
        settings = {"listen_addresses": "127.0.0.1", "port": str(self.port), **self.settings}
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with open(self.log, "ab", opener=private) as log:
            self.server = subprocess.Popen(
                [self.bindir / "postgres", "-D", self.data, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(self.lock_fd,),
                **self._as_account(STOP_SIGNALS["fast" if self.keep else "immediate"]),
            )

    def _wait_ready(self, deadline: float) -> bool:
        """True once the server says ready in its pid file (as pg_ctl does), False if it ended."""
        assert self.server is not None
        pid_file = self.data / "postmaster.pid"
        while self.server.poll() is None:
            with contextlib.suppress(OSError):
                lines = read_plainly(pid_file).splitlines()
                ours = lines[:1] == [str(self.server.pid)]
                if ours and len(lines) > 7 and lines[7].strip() == "ready":
                    return True
            if time.monotonic() > deadline:
                self.stop("immediate")
                raise KeeperError(
                    f"Postgres was not ready after {START_SECONDS} s. Its log says:\n"
                    + self._log_since(0)[-2000:]
                )
            time.sleep(POLL_SECONDS)
        return False

    def stop(self, mode: str) -> None:
        """Stop the server; what does not end in time is killed."""
        server = self.server
        if server is None or server.poll() is not None:
            return
        server.send_signal(STOP_SIGNALS[mode])
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.send_signal(signal.SIGQUIT)
            try:
                server.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()

    def running(self) -> bool:
        return self.server is not None and self.server.poll() is None

    def discard(self) -> None:
        """Remove an ephemeral cluster."""
        if not self.keep:
            shutil.rmtree(self.home, ignore_errors=True)

    # -- helpers ----------------------------------------------------------------------------

    def _log_since(self, offset: int) -> str:
        with contextlib.suppress(OSError), self.log.open("rb") as log:
            log.seek(offset)
            return log.read().decode(errors="replace").strip()
        return "(no log)"

    def _as_account(self, death_signal: signal.Signals) -> dict[str, Any]:
        """Popen arguments: the unprivileged account, a clean environment, a tie to our life."""
        # preexec_fn runs after the change of user, which would clear the death signal.
        arguments: dict[str, Any] = {
            "cwd": "/",
            "env": {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
            "start_new_session": True,
            "preexec_fn": partial(die_with_parent, death_signal, os.getpid()),
        }
        if self.account:
            uid, gid = self.account
            arguments |= {"user": uid, "group": gid, "extra_groups": []}
        return arguments


def read_plainly(path: Path) -> str:
    """A small file where the server's account may write. OSError for what is none: links, pipes."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, errors="replace") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path} is not a regular file")
        return file.read(4096)


def private(path: str, flags: int) -> int:
    """Opens a file that only its owner may read, also where it was there already."""
    descriptor = os.open(path, flags, 0o600)
    os.fchmod(descriptor, 0o600)
    return descriptor


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    with open(path, "w", opener=private) as file:
        file.write(text)


def die_with_parent(death_signal: signal.Signals, parent: int) -> None:
    """Ask the kernel (Linux) to signal this process when its parent, `parent`, ends."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ours is ignored, and would be inherited
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != parent:  # it ended before we asked: nobody would tell us
            os.kill(os.getpid(), signal.SIGKILL)


def free_port() -> int:
    """A loopback port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answer(keeper: Keeper, **said: Any) -> None:
    """Say one line to the starter. A starter that is gone is noticed at the next read."""
    server = keeper.server
    said |= {"port": keeper.port, "password": keeper.password}
    said |= {"pid": server.pid if server and keeper.running() else None}
    with contextlib.suppress(OSError):
        os.write(1, json.dumps(said).encode() + b"\n")


def serve(keeper: Keeper) -> None:
    """Obey the starter until it hangs up."""
    for line in sys.stdin:
        command = json.loads(line)
        try:
            if command["do"] == "start":
                keeper.prepare(command["password"])
                keeper.start()
            else:
                keeper.stop(command["mode"])
            answer(keeper, ok=True)
        except Exception as error:
            answer(keeper, ok=False, error=str(error))


def main() -> None:
    """Serve one starter, then leave nothing running."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    keeper = Keeper(json.loads(sys.argv[1]))
    try:
        serve(keeper)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        keeper.stop("fast" if keeper.keep else "immediate")
        keeper.discard()


if __name__ == "__main__":
    main()
