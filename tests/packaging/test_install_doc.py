"""OPS-5: docs/how-to/install-on-a-vm.md, followed word by word, ends with a worker that works.

The machine is a folder: paths below /etc and /opt are below it. Packages are not fetched (they are
taken from the development environment, in the versions of the lock), and systemctl is
tests/packaging/systemd.py, which runs what the units say. Everything else is run as it is written.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from procrastinate_app.project import PROJECT_ROOT
from tests.packaging.installed import UV, run
from tests.packaging.systemd import Machine, read_unit
from tests.support.running import KEY, QUICK, until

PAGE = PROJECT_ROOT / "docs/how-to/install-on-a-vm.md"
BLOCK = re.compile(r"^```sh (\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LOCKED = re.compile(r"(\S+)/bin/pip install .*--require-hashes.*-r runtime\.lock")
TAKE_OVER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.packaging.installed import take_over_locked
[site] = Path(sys.argv[2]).glob("lib/python*/site-packages")
take_over_locked(site)
"""
EDITOR = """#!/bin/sh
# Does what the page asks for: the project's URL. And what a test needs more.
set -eu
grep -q '<project>' "$1"
sed -i 's#https://<project>.supabase.co#http://127.0.0.1:9#; s#=9464#={port}#' "$1"
cat >>"$1" <<'END'
{more}
END
"""


def blocks() -> list[tuple[str, str]]:
    """(what it is, its commands), in order."""
    found = BLOCK.findall(PAGE.read_text())
    assert len(found) == PAGE.read_text().count("```sh")
    return found


@dataclass
class Vm:
    """A machine that is a folder."""

    root: Path
    url: str
    port: int

    def place(self, text: str) -> str:
        """The commands, for this folder; refuses what would touch the real machine."""
        text = re.sub(r"(?<![\w/-])/(etc|opt)/", rf"{self.root}/\1/", text)
        text = text.replace("9464", str(self.port))
        text = LOCKED.sub(rf"{sys.executable} {self.root}/take-over {PROJECT_ROOT} \1", text)
        for path in re.findall(r"(?<![\w.:/-])/[\w/.*-]+", text):
            known = (str(self.root), "/dev/stdin", str(PROJECT_ROOT), sys.prefix)
            assert path.startswith(known), path
        return text

    def sh(self, text: str, said: str = "") -> str:
        """Run a block; fails when one of its commands does."""
        done = subprocess.run(
            ["sh", "-euc", self.place(text)],
            input=said,
            cwd=self.root / "dist",
            env={
                "PATH": f"{self.root}/bin:{os.defpath}",
                "HOME": str(self.root),
                "HUB_ENVIRONMENT": "test",
                "HUB_DATABASE_URL_FILE": f"{self.root}/etc/hybrid-hub/database_url",
            },
            capture_output=True,
            text=True,
        )
        logs = "".join(log.read_text() for log in (self.root / "run").glob("*.log"))
        assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}{logs}"
        return done.stdout

    def program(self, name: str, text: str) -> None:
        path = self.root / "bin" / name
        path.write_text(text)
        path.chmod(0o755)


@pytest.fixture
def vm(wheel: Path, tmp_path: Path, empty_database: Callable[[], str]) -> Iterator[Vm]:
    """Bare, but for what `make build` left and was copied to it."""
    for name in ("bin", "dist", "etc/systemd/system", "opt", "run"):
        (tmp_path / name).mkdir(parents=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        made = Vm(tmp_path, empty_database(), int(free.getsockname()[1]))
    for file in what_is_built(wheel):
        text = file.read_bytes()
        if file.suffix == ".service":
            text = made.place(text.decode()).encode()
        (tmp_path / "dist" / file.name).write_bytes(text)
    quick = {**QUICK, "HUB_SECRET_KEY": ""}
    more = "\n".join(f"{name}={text}" for name, text in quick.items())
    made.program("editor", EDITOR.format(port=made.port, more=more))
    made.program("apt-get", "#!/bin/sh\n")
    made.program("python3", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    script = Path(__file__).with_name("systemd.py")
    made.program("systemctl", f'#!/bin/sh\nexec {sys.executable} {script} {tmp_path} "$@"\n')
    (tmp_path / "take-over").write_text(TAKE_OVER)
    yield made
    Machine(tmp_path).stop("hub-worker")


def what_is_built(wheel: Path) -> list[Path]:
    """What the Makefile's `build` puts into dist/."""
    text = (PROJECT_ROOT / "Makefile").read_text()
    [copied] = re.findall(r"^\t@cp (.*) dist$", text, re.MULTILINE)
    return [wheel, *(file for one in copied.split() for file in PROJECT_ROOT.glob(one))]


def test_page_ends_with_a_working_worker(vm: Vm) -> None:
    """Install, look, deploy, start, upgrade, rotate, roll back, remove."""
    done: list[str] = []
    for kind, text in blocks():
        done.append(kind)
        if kind == "secrets":
            folder, url, key = text.splitlines()
            vm.sh(folder)
            vm.sh(url, vm.url)
            vm.sh(key, KEY)
        elif kind == "rotate":
            first, *rest = text.splitlines()
            vm.sh(first, f"{KEY}_new\n{KEY}\n")
            vm.sh("\n".join(rest))
        elif kind == "rollback":
            [wheel] = (vm.root / "dist").glob("*.whl")
            vm.sh(text.replace("<version before>", wheel.name.split("-")[1]))
        elif kind in ("vm", "settings"):
            said = vm.sh(text)
            if "hub plan" in text and "doctor || true" in text:
                assert "nothing is deployed here yet" in said
            if "enable --now" in text:
                assert_working(vm)
        else:
            assert kind in ("build", "copy", "look")
    assert done.count("vm") >= 6
    assert {"secrets", "settings", "rotate", "rollback"} <= set(done)
    assert list((vm.root / "opt").iterdir()) == []
    assert list((vm.root / "etc/systemd/system").iterdir()) == []


def assert_working(vm: Vm) -> None:
    """The worker has the database, and the secrets are root's alone."""
    with psycopg.connect(vm.url, autocommit=True) as conn:
        fetchers = "select from procrastinate.procrastinate_workers"
        until(lambda: len(conn.execute(fetchers).fetchall()) == int(QUICK["HUB_FETCHERS"]))
    for name in ("database_url", "secret_key", "worker.env"):
        assert (vm.root / "etc/hybrid-hub" / name).stat().st_mode & 0o777 == 0o600
    assert (vm.root / "etc/hybrid-hub").stat().st_mode & 0o777 == 0o700


def test_build_leaves_all_that_a_machine_needs(wheel: Path) -> None:
    """The page names these files."""
    names = {file.name for file in what_is_built(wheel)}
    assert {"runtime.lock", "worker.env", "hub-worker.service", "hub-deploy.service"} <= names
    for word in set(re.findall(r"[\w-]+\.(?:service|lock|env)\b", PAGE.read_text())):
        assert word in names, word


def test_what_is_copied_is_what_is_locked(wheel: Path) -> None:
    """Hashes for every package: pip refuses the rest."""
    [lock] = [file for file in what_is_built(wheel) if file.name == "runtime.lock"]
    run(
        *UV, "pip", "install", "--quiet", "--dry-run", "--offline", "--require-hashes", "--no-deps",
        "--python", sys.executable, "-r", str(lock),
    )  # fmt: skip


def test_page_and_units_agree() -> None:
    """Ports, paths and names of the page are those of the units."""
    text = PAGE.read_text()
    assert f"http://127.0.0.1:{port_of_worker_env()}" in text
    for name in ("hub-worker", "hub-deploy"):
        unit = read_unit(PROJECT_ROOT / "deploy/systemd" / f"{name}.service")
        assert unit["ExecStart"][0].startswith("/opt/hybrid-hub/bin/hub ")
        for one in [*unit["LoadCredential"], *unit.get("EnvironmentFile", [])]:
            assert (one.partition(":")[2] or one) in text


def port_of_worker_env() -> str:
    lines = (PROJECT_ROOT / "deploy/worker.env").read_text()
    [port] = re.findall(r"^HUB_HTTP_PORT=(\d+)$", lines, re.MULTILINE)
    return port
