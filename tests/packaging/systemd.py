"""`systemctl` for a machine that is only a folder: runs what units say, as far as that can be done
without the real one. Run as a script: systemd.py <folder> <arguments of systemctl>.

Environment, EnvironmentFile, LoadCredential, Type=notify, SIGTERM and exit codes are as in systemd;
accounts, limits and hardening are not there.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

Unit = dict[str, list[str]]
PATIENCE = 60.0


def read_unit(path: Path) -> Unit:
    """The values of each key, in order."""
    found: Unit = {}
    for line in path.read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


class Machine:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.run = root / "run"
        self.run.mkdir(exist_ok=True)

    def start(self, name: str) -> int:
        unit = read_unit(self.root / "etc/systemd/system" / f"{name}.service")
        command = shlex.split(unit["ExecStart"][0])
        env = self.environment(name, unit)
        log = (self.run / f"{name}.log").open("ab")
        if unit["Type"] == ["oneshot"]:
            return subprocess.run(command, env=env, stdout=log, stderr=log, cwd="/").returncode
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            path = self.run / f"{name}.notify"
            path.unlink(missing_ok=True)
            told.bind(str(path))
            told.settimeout(PATIENCE)
            process = subprocess.Popen(
                command, env=env | {"NOTIFY_SOCKET": str(path)}, stdout=log, stderr=log, cwd="/",
                start_new_session=True,
            )  # fmt: skip
            (self.run / f"{name}.pid").write_text(str(process.pid))
            while "READY=1" not in told.recv(4096).decode().splitlines():
                if process.poll() is not None:
                    return 1
        return 0

    def environment(self, name: str, unit: Unit) -> dict[str, str]:
        credentials = self.run / f"{name}.credentials"
        shutil.rmtree(credentials, ignore_errors=True)
        credentials.mkdir(mode=0o700)
        for one in unit.get("LoadCredential", []):
            credential, _, source = one.partition(":")
            shutil.copy(source, credentials / credential)
        lines = [one.replace("%d", str(credentials)) for one in unit.get("Environment", [])]
        for file in unit.get("EnvironmentFile", []):
            lines += [
                line for line in Path(file).read_text().splitlines() if line and line[0] != "#"
            ]
        return {"PATH": os.defpath, **dict(line.split("=", 1) for line in lines)}

    def stop(self, name: str) -> int:
        file = self.run / f"{name}.pid"
        if not file.exists():
            return 0
        pid = int(file.read_text())
        file.unlink()
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        while self.lives(pid):
            if time.monotonic() > deadline:
                return 1
            time.sleep(0.02)
        return 0

    @staticmethod
    def lives(pid: int) -> bool:
        """A process that ended and that nobody has asked after is not alive."""
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False


def main(root: str, *words: str) -> int:
    machine = Machine(Path(root))
    verb, *rest = [word for word in words if not word.startswith("--")]
    if verb == "daemon-reload":
        return 0
    [name] = rest
    if verb == "start" or (verb == "enable" and "--now" in words):
        return machine.start(name)
    if verb == "stop" or (verb == "disable" and "--now" in words):
        return machine.stop(name)
    if verb == "restart":
        return machine.stop(name) or machine.start(name)
    if verb == "status":
        file = machine.run / f"{name}.pid"
        return 0 if file.exists() and machine.lives(int(file.read_text())) else 3
    raise SystemExit(f"systemctl {' '.join(words)}: not known here")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
