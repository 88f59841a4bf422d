"""hub deploy when something goes wrong: it says what and what to do, and nothing is half done."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from procrastinate_app.deploy import DeployFailed, DeployRefused
from procrastinate_app.deploy.dump import dump
from procrastinate_app.deploy.plan import plan
from procrastinate_app.local import postgres, shim
from procrastinate_app.project import PROJECT_ROOT
from tests.deploy.project import Project
from tests.support.clock import shifted_clock
from tests.support.databases import HOSTED, make_supabase
from tests.support.running import until
from tests.support.tls import DAY, Authority, TlsFront

COLOUR = "migrations/20260104000000_add_shop_colour.sql"
AFTERWARDS = "migrations/20260105000000_add_shop_afterwards.sql"


def failing(shop: Project, url: str, *, patience: float = 30.0) -> str:
    """Deploy, expecting it to fail; gives what it says."""
    with pytest.raises(DeployFailed) as failure:
        shop.deploy(url, patience=patience)
    return str(failure.value)


def unreachable(shop: Project, url: str) -> str:
    """Deploy and plan, expecting both to say the same of the connection."""
    with pytest.raises(DeployRefused) as by_deploy:
        shop.deploy(url)
    with pytest.raises(DeployRefused) as by_plan:
        plan(url, root=shop.root, sample=0)
    said = [re.sub(r"\bport \d+\b", "port", str(e.value)) for e in (by_deploy, by_plan)]
    assert said[0] == said[1]
    return str(by_deploy.value)


# a migration fails


def test_migration_failing_half_way_leaves_nothing_and_the_next_run_goes_on(
    shop: Project, server: postgres.Server, new_database: Callable[[], str]
) -> None:
    name = new_database()
    shop.deploy(server.url(name))
    before = dump(server, name)
    shop.write(
        COLOUR,
        "alter table public.goods add column colour text;\n"
        "create table shop.notes (id bigint);\n\n"
        "alter table public.goods\n  add column stock integer;\n",
    )
    shop.write(AFTERWARDS, "create table shop.afterwards (id bigint);")

    said = failing(shop, server.url(name))

    assert f"{COLOUR}:4: column" in said
    assert "already exists (42701)" in said
    assert "statement: alter table public.goods add column stock integer" in said
    assert "do: mend the file, and run deploy again" in said
    assert "Nothing of this step was kept, everything before it was" in said
    assert dump(server, name) == before

    shop.write(COLOUR, "alter table public.goods add column colour text;")
    assert shop.deploy(server.url(name)).migrations == [COLOUR, AFTERWARDS]


def test_rows_that_break_a_migration_are_told(shop: Project, url: str) -> None:
    shop.deploy(url)
    shop.write(COLOUR, "alter table public.goods add constraint c check (price > 0);")
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("insert into public.goods (title, price) values ('x', -1)")

    said = failing(shop, url)

    assert f"{COLOUR}:1: check constraint" in said
    assert "Mend the rows, or the file" in said


def test_failure_at_the_commit_is_told(shop: Project, url: str) -> None:
    shop.deploy(url)
    shop.write(
        COLOUR,
        """
        alter table shop.sales alter constraint sales_goods_id_fkey deferrable initially deferred;
        insert into shop.sales (goods_id, amount) values (999, 1);
        """,
    )

    said = failing(shop, url)

    assert said.startswith(f"{COLOUR}: ")
    assert "violates foreign key constraint" in said
    shop.remove(COLOUR)
    assert not shop.deploy(url).changed


def test_failing_concurrent_index_is_told_and_made_again(shop: Project, url: str) -> None:
    shop.deploy(url)
    shop.write(
        COLOUR,
        "-- no-transaction\n"
        "create unique index concurrently if not exists goods_title_idx on public.goods (title);\n",
    )
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("insert into public.goods (title, price) values ('x', 1), ('x', 1)")
        said = failing(shop, url)
        assert f"{COLOUR}:2: could not create unique index" in said
        conn.execute("delete from public.goods")

    assert shop.deploy(url).migrations == [COLOUR]
    assert not shop.deploy(url).changed


# a stranger holds a lock


@pytest.fixture
def stranger(url: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """Somebody's program with a transaction open."""
    with psycopg.connect(url, application_name="nightly report") as conn:
        yield conn


def who(conn: psycopg.Connection[tuple[object, ...]]) -> str:
    return rf"held by pid {conn.info.backend_pid} \(postgres, nightly report, 127\.0\.0\.1, idle in"


@pytest.mark.parametrize(
    ("path", "text", "waiting"),
    [
        (
            COLOUR,
            "create table shop.notes (id bigint);\nalter table public.goods add column c text;\n",
            f"{COLOUR}:2: alter table public.goods add column c text",
        ),
        (
            "policies/shop/goods.sql",
            None,
            "policies/shop/goods.sql:3: drop policy if exists select_all on public.goods",
        ),
    ],
)
def test_lock_of_a_stranger_is_given_up_and_the_stranger_is_named(
    path: str,
    text: str | None,
    waiting: str,
    shop: Project,
    server: postgres.Server,
    new_database: Callable[[], str],
) -> None:
    """Clean: as before the step; and no second later, while the stranger still holds the lock."""
    name = new_database()
    url = server.url(name)
    shop.deploy(url)
    before = dump(server, name)
    shop.write(path, text or (shop.root / path).read_text() + "-- changed\n")

    with psycopg.connect(url, application_name="nightly report") as stranger:
        stranger.execute("select count(*) from public.goods")
        said = failing(shop, url, patience=0.0)
        assert f"{path}: its lock could not be had within 0 s" in said
        assert f"waiting at {waiting}" in said
        assert re.search(who(stranger), said)
        assert re.search(r"in a transaction since 2\d{3}-.* \(\d+ s\)", said)
        assert "its query: select count(*) from public.goods" in said
        assert f"to end it: select pg_terminate_backend({stranger.info.backend_pid});" in said
        assert "the database is as it was before it" in said
        assert dump(server, name) == before
        stranger.execute("select 1")  # deploy ended nobody

    assert shop.deploy(url).changed


def test_concurrent_index_behind_a_long_transaction_is_given_up(
    shop: Project, url: str, stranger: psycopg.Connection[tuple[object, ...]]
) -> None:
    """It would wait for ever. What it leaves is dropped by the next run."""
    shop.deploy(url)
    shop.write(
        COLOUR,
        "-- no-transaction\n"
        "create index concurrently if not exists goods_title_idx on public.goods (title);\n",
    )
    stranger.execute("insert into public.goods (title, price) values ('x', 1)")

    said = failing(shop, url, patience=0.2)

    assert f"{COLOUR}:2: create index concurrently" in said
    assert re.search(who(stranger), said)
    assert "An unfinished index may be left" in said
    stranger.rollback()
    assert shop.deploy(url).migrations == [COLOUR]
    valid = "select indisvalid from pg_index where indexrelid = 'public.goods_title_idx'::regclass"
    assert stranger.execute(valid).fetchone() == (True,)


def test_patient_deploy_outlasts_the_stranger(
    shop: Project, url: str, stranger: psycopg.Connection[tuple[object, ...]]
) -> None:
    shop.deploy(url)
    shop.write(COLOUR, "alter table public.goods add column colour text;")
    stranger.execute("select count(*) from public.goods")
    told: list[str] = []

    with ThreadPoolExecutor(1) as thread:
        deploying = thread.submit(shop.deploy, url, report=told.append, patience=60)
        until(lambda: any("in use, trying again" in line for line in told))
        stranger.rollback()
        assert deploying.result(60).migrations == [COLOUR]


def test_prepared_transaction_is_named_with_the_way_to_end_it(shop: Project) -> None:
    """It belongs to no process, so nobody sees it in pg_stat_activity."""
    with postgres.start(settings={"max_prepared_transactions": "2"}) as server:
        with psycopg.connect(server.url(), autocommit=True) as conn:
            shim.apply(conn)
            shop.deploy(server.url())
            shop.write(COLOUR, "alter table public.goods add column colour text;")
            conn.execute("begin")
            conn.execute("lock table public.goods in share mode")
            conn.execute("prepare transaction 'left behind'")

        said = failing(shop, server.url(), patience=0.0)

    assert "held by the prepared transaction left behind" in said
    assert "to end it: rollback prepared 'left behind';" in said


# the machine


@pytest.mark.skipif(HOSTED, reason="only a superuser makes tablespaces")
def test_full_disk_is_told_and_deploy_goes_on_when_there_is_room(
    shop: Project, server: postgres.Server, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A database on a file system of 24 MB, really full."""
    disk = Path(server.datadir).parent / "small_disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m,mode=777", "tmpfs", str(disk)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("only root may mount a small file system")
    try:
        with psycopg.connect(server.url(), autocommit=True) as admin:
            folder = disk / "space"
            folder.mkdir(mode=0o700)
            os.chown(folder, Path(server.datadir).stat().st_uid, -1)
            admin.execute(f"create tablespace small location '{folder}'".encode())
            try:
                admin.execute("create database full_disk tablespace small")
                _fill_up(shop, server, disk)
            finally:
                admin.execute("drop database if exists full_disk with (force)")
                admin.execute("drop tablespace small")
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def _fill_up(shop: Project, server: postgres.Server, disk: Path) -> None:
    url = server.url("full_disk")
    with psycopg.connect(url, autocommit=True) as conn:
        shim.apply(conn)
    shop.deploy(url)
    before = dump(server, "full_disk")
    shop.write(
        COLOUR,
        "create table shop.notes as\n"
        "select repeat(md5(n::text), 30) as note from generate_series(1, 60000) as n;\n",
    )

    said = failing(shop, url)

    assert f"{COLOUR}:1: could not extend file" in said
    assert "(53100)" in said
    assert "the server's disk is full" in said
    assert dump(server, "full_disk") == before
    shop.change(COLOUR, "60000", "60")
    assert shop.deploy(url).migrations == [COLOUR]


def test_server_that_stops_meanwhile_is_told_and_deploy_goes_on(shop: Project) -> None:
    with postgres.start() as server:
        with psycopg.connect(server.url(), autocommit=True) as conn:
            shim.apply(conn)
        shop.deploy(server.url())
        shop.write(COLOUR, "select pg_sleep(60);")
        with ThreadPoolExecutor(1) as thread:
            deploying = thread.submit(failing, shop, server.url())
            with psycopg.connect(server.url(), autocommit=True) as conn:
                sleeping = "select 1 from pg_stat_activity where query like 'select pg_sleep%'"
                until(lambda: conn.execute(sleeping).fetchone())
            server.restart()
            said = deploying.result(60)
        assert f"{COLOUR}:1: " in said
        assert re.search("When (it|the server) is back, run deploy again", said)
        shop.write(COLOUR, "alter table public.goods add column colour text;")
        assert shop.deploy(server.url()).migrations == [COLOUR]


def test_read_only_database_is_told(
    shop: Project, url: str, conn: psycopg.Connection[tuple[object, ...]]
) -> None:
    """As a provider does when the disk is nearly full."""
    shop.deploy(url)
    shop.write(COLOUR, "alter table public.goods add column colour text;")
    conn.execute(
        "do $$ begin execute format('alter database %I set default_transaction_read_only = on', "
        "current_database()); end $$"
    )

    assert "the database takes no writes" in failing(shop, url)


# the way to the database


def test_wrong_password_is_told_and_not_repeated(shop: Project, server: postgres.Server) -> None:
    url = make_conninfo(server.url(), password="hunter2")

    said = unreachable(shop, url)

    assert "password authentication failed" in said
    assert "The password of postgres is wrong" in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"host": "db.nowhere.invalid"}, "The name db.nowhere.invalid is not known"),
        ({"port": "1"}, "Nothing answers at 127.0.0.1, port 1"),
        ({"dbname": "nowhere"}, "There is no database nowhere"),
        ({"sslmode": "require"}, "The server speaks no TLS"),
    ],
)
def test_wrong_address_is_told(
    changed: dict[str, str], told: str, shop: Project, server: postgres.Server
) -> None:
    said = unreachable(shop, make_conninfo(server.url(), **changed))
    assert told in said
    assert said.startswith("No connection to ")


def test_malformed_address_is_refused_and_not_repeated(shop: Project) -> None:
    said = unreachable(shop, "postgresql://user:hunter2@[host/db")
    assert "not a Postgres address" in said
    assert "hunter2" not in said


def test_too_many_connections_is_told(shop: Project) -> None:
    settings = {"max_connections": "4", "superuser_reserved_connections": "0"}
    settings["max_wal_senders"] = "0"
    if postgres.wanted_major() >= 16:
        settings["reserved_connections"] = "0"
    with postgres.start(settings=settings) as server:
        taken = [psycopg.connect(server.url()) for _ in range(4)]
        try:
            assert "The server has no connection left" in unreachable(shop, server.url())
        finally:
            for conn in taken:
                conn.close()


# certificates


def through(front: TlsFront, server: postgres.Server, root: Path) -> str:
    return make_conninfo(
        server.url("tls_front"),
        port=front.port,
        sslmode="verify-full",
        sslrootcert=str(root),
    )


@pytest.fixture(scope="module")
def tls_database(server: postgres.Server) -> Iterator[postgres.Server]:
    """The server with a database to deploy into through TLS."""
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute("create database tls_front")
        make_supabase(server.url("tls_front"))
        yield server
        admin.execute("drop database tls_front with (force)")


@pytest.mark.parametrize(
    ("host", "start", "end", "told"),
    [
        ("127.0.0.1", -2 * DAY, -DAY, "The server's certificate has expired. Put a new one"),
        ("127.0.0.1", DAY, 2 * DAY, "not valid yet: this machine's clock is behind"),
        ("db.example.com", -DAY, DAY, "is for another name than 127.0.0.1"),
    ],
)
def test_bad_certificate_is_told(
    host: str,
    start: timedelta,
    end: timedelta,
    told: str,
    shop: Project,
    tls_database: postgres.Server,
    tmp_path: Path,
) -> None:
    authority = Authority(tmp_path / "authority")
    address = (tls_database.host, tls_database.port)

    with TlsFront(authority.certify(host, start, end), *address) as front:
        said = unreachable(shop, through(front, tls_database, authority.path))
    assert "certificate" in said.splitlines()[0]
    assert told in said

    with TlsFront(authority.certify("127.0.0.1", -DAY, DAY), *address) as front:
        shop.deploy(through(front, tls_database, authority.path))  # nothing else was wrong


def test_certificate_of_a_strange_authority_is_told(
    shop: Project, tls_database: postgres.Server, tmp_path: Path
) -> None:
    authority, other = Authority(tmp_path / "authority"), Authority(tmp_path / "other")
    context = authority.certify("127.0.0.1", -DAY, DAY)

    with TlsFront(context, tls_database.host, tls_database.port) as front:
        said = unreachable(shop, through(front, tls_database, other.path))
        assert "signed by nobody whom sslrootcert names" in said
        said = unreachable(shop, through(front, tls_database, tmp_path / "nowhere.crt"))
        assert "sslmode=verify-full needs the authority's certificate" in said


# clocks


@pytest.mark.parametrize("seconds", [120, -120])
def test_deploy_and_plan_do_not_mind_a_clock_two_minutes_off(
    seconds: int, shop: Project, url: str, tmp_path: Path
) -> None:
    """The times that deploy writes and plan shows are the server's own."""
    shifted = shifted_clock(tmp_path, seconds)
    probe = "import time, psycopg, sys; print(time.time())"
    here = float(subprocess.check_output([*shifted, sys.executable, "-c", probe], text=True))
    assert abs(here - datetime.now(UTC).timestamp() - seconds) < 60

    hub = [*shifted, sys.executable, "-m", "procrastinate_app"]
    where = ["--database-url", url, "--root", str(shop.root)]
    for command in (["deploy"], ["deploy"], ["plan", "--sample", "0"]):
        subprocess.run([*hub, *command, *where], check=True, cwd=PROJECT_ROOT, capture_output=True)
    with psycopg.connect(url) as conn:
        late = """
            select count(*) from deploy.files
            where abs(extract(epoch from now() - applied_at)) > 60
        """
        assert conn.execute(late).fetchone() == (0,)
