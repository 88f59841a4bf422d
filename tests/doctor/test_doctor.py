"""OPS-4: `hub doctor` finds what is broken and says how to mend it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

from procrastinate_app.deploy import deploy
from procrastinate_app.doctor import CHECKS, Level, examine
from procrastinate_app.doctor.server import judge_release
from procrastinate_app.local import hosted, postgres
from procrastinate_app.project import PROJECT_ROOT
from tests.doctor.conftest import Diagnose
from tests.doctor.tls import encrypted
from tests.support.callers import Connection
from tests.support.databases import HOSTED, FreshDatabase
from tests.support.pooler import Pooler

SUPERUSER = hosted.ADMIN if HOSTED else postgres.Server.superuser
NEWEST = "(select max(version) from supabase_migrations.schema_migrations)"


def test_healthy_database_has_no_warning(fresh_db: FreshDatabase) -> None:
    found = list(examine(fresh_db.url, deep=True))
    assert [one for one in found if one.level >= Level.WARNING] == []
    assert {one.check for one in found} == set(CHECKS)
    assert not [one for one in found if "not looked at" in one.text]


# What somebody did, the check that sees it, words of what it says, and of how to mend it. Where the
# mend is SQL it is run, and must mend.
BROKEN = {
    "table opened": (
        "grant insert on public.clips to authenticated",
        "grants", "authenticated may also: insert on public.clips",
        "revoke insert on public.clips from authenticated;",
    ),
    "column opened": (
        "grant update (published_at) on public.clips to anon",
        "grants", "anon may also: update (published_at)",
        "revoke update (published_at) on public.clips from anon;",
    ),
    "rule opened to all": (
        "grant execute on function ledger.verify() to public",
        "grants", "public may also: execute on function ledger.verify",
        "revoke execute on function ledger.verify from public;",
    ),
    "service opened": (
        "grant delete on public.clips to service_role",
        "grants", "service_role may also: delete", "revoke delete",
    ),
    "schema opened": (
        "grant create on schema ledger to authenticated",
        "grants", "authenticated may also: create on schema ledger",
        "revoke create on schema ledger from authenticated;",
    ),
    "door shut": (
        "revoke execute on function public.cast_vote from authenticated",
        "grants", "authenticated may not: execute on function public.cast_vote",
        "grant execute on function public.cast_vote to authenticated;",
    ),
    "table shut": (
        "revoke select on public.clips from anon",
        "grants", "anon may not: select on public.clips", "grant select on public.clips to anon;",
    ),
    "unguarded table": (
        "create table public.credentials (secret text); grant select on public.credentials to anon",
        "exposed", "public.credentials is open to every client",
        "alter table public.credentials enable row level security;",
    ),
    "rules exposed": (
        "alter role authenticator in database {name} set pgrst.db_schemas = 'public, ledger'",
        "exposed", "shows ledger", "set pgrst.db_schemas = 'public'",
    ),
    "no timeout": (
        "alter role anon in database {name} set statement_timeout = 0",
        "timeouts", "anon has no statement_timeout", "set statement_timeout = '8s';",
    ),
    "row security off": (
        "alter table ledger.entries disable row level security",
        "objects", "row security of ledger.entries is off",
        "alter table ledger.entries enable row level security;",
    ),
    "trigger off": (
        "alter table ledger.entries disable trigger user",
        "objects", "on ledger.entries is switched off", "enable trigger",
    ),
    "path unpinned": (
        "alter function ledger.verify() reset search_path",
        "objects", "ledger.verify() runs with its owner's rights", "set search_path",
    ),
    "function dropped": (
        "drop function public.skip_clip cascade",
        "code", "function public.skip_clip is gone", "hub deploy",
    ),
    "function replaced by hand": (
        "create or replace function app.clock_is_frozen() returns boolean language sql stable"
        " set search_path = pg_catalog, pg_temp as 'select false'",
        "code", "function app.clock_is_frozen was changed by hand", "hub deploy",
    ),
    "policy by hand": (
        "create policy everybody on public.clips for select to anon using (true)",
        "code", "policy everybody on public.clips is in no file", "drop policy everybody",
    ),
    "older schema": (
        f"delete from supabase_migrations.schema_migrations where version = {NEWEST}",
        "schema", "older than this program", "hub deploy",
    ),
    "newer schema": (
        "insert into deploy.files (path, digest, tool)"
        " values ('migrations/29990101000000_from_the_future.sql', 'x', 'x')",
        "schema", "newer than this program", "Install the release",
    ),
    "edited migration": (
        "update deploy.files set digest = 'x'"
        " where path = 'migrations/20261120190000_create_app_kernel.sql'",
        "schema", "create_app_kernel.sql was edited", "as a new migration",
    ),
    "code of another release": (
        "update deploy.files set digest = 'x' where path = 'sql/app/now.sql'",
        "code", "1 files differ from what is deployed: sql/app/now.sql", "hub deploy",
    ),
    "older queue": (
        "update deploy.queue set version = '3.0.0' where true",
        "schema", "procrastinate 3.0.0", "hub deploy",
    ),
    "no queue": (
        "drop schema procrastinate cascade", "queue", "the queue is not installed", "hub deploy",
    ),
    "nobody works": (
        "with j as (select jobs.defer('jobs:purge', '{{\"timestamp\": 1}}',"
        " now() - interval '1 hour') as id) select id from j",
        "queue", "no worker runs, and 1 jobs are overdue", "hub-worker",
    ),
    "stalled job": (
        "select jobs.defer('jobs:purge', '{{\"timestamp\": 1}}');"
        "update procrastinate.procrastinate_jobs set status = 'doing' where true",
        "queue", "1 jobs are stalled", "hub jobs list",
    ),
    "unknown task": (
        "insert into procrastinate.procrastinate_jobs (queue_name, task_name)"
        " values ('x', 'x:from_the_future')",
        "queue", "1 jobs of x:from_the_future wait", "hub jobs cancel",
    ),
    "dead letter": (
        "insert into jobs.dead_letters (job_id, task, args, reason, attempts)"
        " values (1, 'jobs:purge', '{{}}', 'exhausted', 2)",
        "queue", "1 dead letters of jobs:purge", "hub jobs list --state dead",
    ),
    "sign-in left": (
        "insert into identity.erasures (user_id, requested_by, forfeits, erased_at)"
        " select i, i, false, now() - interval '2 hours' from gen_random_uuid() as i",
        "queue", "1 erased accounts still have their sign-in", "identity:delete_sign_in",
    ),
    "erasure not finished": (
        "insert into identity.erasures (user_id, requested_by, forfeits, erased_at,"
        " sign_in_deleted_at) select i, i, false, now() - interval '2 hours', now()"
        " from gen_random_uuid() as i",
        "queue", "1 erasures are not finished", "erasure of",
    ),
    "stream waits": (
        "update jobs.streams set paused_until = now() + interval '1 hour' where true",
        "queue", "the stream realtime waits for its provider", "status",
    ),
    "outbox stands": (
        "insert into jobs.outbox (stream, topic, event, payload, created_at)"
        " values ('realtime', 'user:x', 'x', '{{}}', now() - interval '1 hour')",
        "queue", "the oldest event of realtime waits since 01:00", "Start a worker",
    ),
    "writes refused": (
        "alter database {name} set default_transaction_read_only = on",
        "server", "takes no writes", "set default_transaction_read_only = off",
    ),
    "no room for the pool": (
        "alter database {name} connection limit 5",
        "connections", "only 5 are allowed", "HUB_FETCHERS",
    ),
}  # fmt: skip


@pytest.fixture
def admin(fresh_db: FreshDatabase) -> Connection:
    """Somebody who may break everything."""
    return fresh_db.connect(user=SUPERUSER)


@pytest.mark.parametrize("broken", BROKEN)
def test_broken_thing_is_found(
    fresh_db: FreshDatabase, admin: Connection, diagnose: Diagnose, broken: str
) -> None:
    how, check, text, mend = BROKEN[broken]
    admin.execute(how.format(name=fresh_db.name).encode())
    found = [one for one in diagnose(check) if text in one.text]
    assert found, [one.text for one in diagnose()]
    assert mend in found[0].mend
    if found[0].mend.endswith(";"):
        for one in found:
            admin.execute(one.mend.encode())
        assert not [one for one in diagnose(check) if text in one.text]


def test_only_what_is_broken_is_told(admin: Connection, diagnose: Diagnose) -> None:
    admin.execute("grant insert on public.clips to authenticated")
    assert [one.check for one in diagnose()] == ["grants"]


# Roles belong to the whole server: broken and mended in one test.
BROKEN_ROLES = {
    "may log in": ("alter role anon login", "alter role anon nologin"),
    "bypassrls": ("alter role authenticated bypassrls", "alter role authenticated nobypassrls"),
    "member of service_role": ("grant service_role to anon", "revoke service_role from anon"),
    "inherits": ("alter role authenticator inherit", "alter role authenticator noinherit"),
    "cannot become anon": ("revoke anon from authenticator", "grant anon to authenticator"),
}


@pytest.mark.parametrize("text", BROKEN_ROLES)
def test_broken_role_is_found(admin: Connection, diagnose: Diagnose, text: str) -> None:
    breaks, mends = BROKEN_ROLES[text]
    admin.execute(breaks.encode())
    try:
        found = [one for one in diagnose("roles") if text in one.text]
    finally:
        admin.execute(mends.encode())
    assert len(found) == 1
    assert mends in found[0].mend
    assert diagnose("roles") == []


def test_empty_database(server_database: str) -> None:
    """Nothing of ours, nothing of Supabase's: each check says what is missing."""
    found = {one.check: one for one in examine(server_database) if one.level is Level.ERROR}
    assert "nothing is deployed here yet" in found["schema"].text
    assert "the queue is not installed" in found["queue"].text
    assert not [one for one in examine(server_database) if "could not be looked at" in one.text]


@pytest.fixture
def server_database(admin: Connection, fresh_db: FreshDatabase) -> Iterator[str]:
    name = f"{fresh_db.name}_empty"
    admin.execute(f"create database {name}".encode())
    yield fresh_db.server.url(name, SUPERUSER)
    admin.execute(f"drop database {name}".encode())


def test_least_rights(fresh_db: FreshDatabase, admin: Connection) -> None:
    """Who may only connect is told what they could not see, and still what the catalogue says."""
    admin.execute("grant insert on public.clips to authenticated")
    found = list(examine(fresh_db.url_of("authenticator"), deep=True))
    unseen = {one.check for one in found if "not looked at" in one.text}
    assert {"schema", "code", "queue", "books"} <= unseen
    assert [one.check for one in found if one.level >= Level.WARNING] == ["grants"]


def test_it_writes_nothing(fresh_db: FreshDatabase, admin: Connection) -> None:
    """Every check runs in a read-only transaction."""
    admin.execute("select pg_stat_force_next_flush()")
    admin.execute("select pg_stat_reset()")
    list(examine(fresh_db.url, deep=True))
    admin.execute("select pg_stat_force_next_flush()")
    written = admin.execute(
        "select relname from pg_stat_user_tables where n_tup_ins + n_tup_upd + n_tup_del > 0"
    ).fetchall()
    assert written == []


def test_transaction_pooler(fresh_db: FreshDatabase, diagnose: Diagnose) -> None:
    direct = f"{fresh_db.server.host}:{fresh_db.server.port}"
    with Pooler(fresh_db.server.host, fresh_db.server.port) as pooler:
        url = fresh_db.url.replace(direct, f"127.0.0.1:{pooler.port}")
        [found] = diagnose("connection", url=f"{url}?sslmode=disable&gssencmode=disable")
    assert "transaction pooler" in found.text
    assert "5432" in found.mend


def test_wrong_password(fresh_db: FreshDatabase, diagnose: Diagnose) -> None:
    """The fault is named, the password is not."""
    password = fresh_db.server.password_of("authenticator")
    url = fresh_db.url_of("authenticator").replace(password, "hush-hush")
    [found] = diagnose(url=url)
    assert "password authentication failed" in found.text
    assert "Put the right one into the address" in found.mend
    assert "hush" not in repr(found)


def test_nobody_listens(fresh_db: FreshDatabase, diagnose: Diagnose) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"postgresql://u:hush@127.0.0.1:{free.getsockname()[1]}/x"
        [found] = diagnose(url=url)
    assert "Nothing answers" in found.mend
    assert "hush" not in repr(found)


def test_no_such_database(fresh_db: FreshDatabase, diagnose: Diagnose) -> None:
    [found] = diagnose(url=fresh_db.server.url("nowhere"))
    assert "does not exist" in found.text


def test_encryption_is_missed_only_from_afar(
    fresh_db: FreshDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same plain connection, taken for one to another machine."""
    monkeypatch.setattr("procrastinate_app.doctor.connection.is_here", lambda host: False)
    [found] = [one for one in examine(fresh_db.url) if one.check == "tls"]
    assert found.level is Level.ERROR
    assert "verify-full" in found.mend


@pytest.mark.parametrize(
    ("off", "level"), [(0, None), (1, None), (-5, Level.WARNING), (120, Level.ERROR)]
)
def test_clock_two_minutes_off(diagnose: Diagnose, off: float, level: Level | None) -> None:
    found = diagnose("clock", now=lambda: time.time() + off)
    assert [one.level for one in found] == ([level] if level else [])
    if off == 120:
        assert "this machine is 120 s ahead of the database" in found[0].text
        assert "retry at" in found[0].text
        assert "timedatectl" in found[0].mend


def test_the_address_header_of_another_place_is_told(
    conn: Connection, diagnose: Diagnose, environment: pytest.MonkeyPatch
) -> None:
    """APP-6: the default suits hosted Supabase alone; on a test machine it does not matter."""
    assert diagnose("limits") == []
    environment.setenv("HUB_ENVIRONMENT", "production")
    [found] = diagnose("limits")
    assert "cf-connecting-ip, which Cloudflare sets" in found.text
    assert "limits.trusted_proxies" in found.mend
    with environment.context() as patch:
        patch.setattr(
            "procrastinate_app.doctor.limits.database_host", lambda url: "db.abc.supabase.co"
        )
        assert diagnose("limits") == []
    conn.execute(
        "update settings.entries set value = 'x-forwarded-for'"
        " where name = 'limits.client_address_header'"
    )
    assert diagnose("limits") == []


def test_callers_without_an_address_are_told(conn: Connection, diagnose: Diagnose) -> None:
    """APP-6: most of the slots in use are those of the unknown."""
    slot = (
        "insert into limits.buckets select %s, 'cast_vote', n, now() + %s::interval, 0"
        " from generate_series(1, %s) as n"
    )
    conn.execute(slot, ["ip:203.0.113.7", "1 hour", 2])
    conn.execute(slot, ["ip:unknown", "-1 hour", 9])
    assert diagnose("limits") == []
    conn.execute("update limits.buckets set full_at = now() + interval '1 hour'")
    [found] = diagnose("limits")
    assert "without an address in cf-connecting-ip" in found.text


def test_stopped_business_clock(
    admin: Connection, diagnose: Diagnose, environment: pytest.MonkeyPatch
) -> None:
    """APP-2: an error in production; in a test it is meant."""
    admin.execute("select app.freeze_clock(now())")
    assert diagnose("clock") == []
    environment.setenv("HUB_ENVIRONMENT", "production")
    [found] = diagnose("clock")
    assert "stands still" in found.text
    admin.execute(found.mend.encode())
    assert diagnose("clock") == []


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"HUB_ENVIRONMENT": "production"}, "sandbox key"),
        ({"HUB_SECRET_KEY": "sb_secret_real_hush"}, "no sandbox key"),
        ({"HUB_SUPABASE_URL": "ftp://x"}, "HUB_SUPABASE_URL"),
        ({"HUB_LEASE": "1"}, "lease must outlast"),
        ({"HUB_SECRET_KEY": "", "HUB_SECRET_KEY_FILE": "/nowhere/at/all"}, "/nowhere/at/all"),
        ({"HUB_SECRET_KEY": ""}, "HUB_SECRET_KEY"),
    ],
)
def test_unfit_settings_are_named_without_values(
    diagnose: Diagnose, environment: pytest.MonkeyPatch, change: dict[str, str], text: str
) -> None:
    """APP-11: sandbox and production do not mix."""
    for name, value in change.items():
        environment.setenv(name, value)
    found = diagnose("worker")
    assert any(text in one.text for one in found), found
    assert "hush" not in repr(found)


def test_no_settings_are_no_fault(diagnose: Diagnose, environment: pytest.MonkeyPatch) -> None:
    """A DBA's machine has none."""
    for name in ("HUB_SUPABASE_URL", "HUB_SECRET_KEY"):
        environment.delenv(name)
    assert diagnose("worker") == []


def test_database_of_another_environment(admin: Connection, diagnose: Diagnose) -> None:
    """APP-11: a copy of production on a developer's machine."""
    admin.execute("insert into settings.deployment (environment) values ('production')")
    [found] = diagnose("worker")
    assert "belongs to production" in found.text
    admin.execute("update settings.deployment set environment = 'test' where singleton")
    assert diagnose("worker") == []


def test_secret_that_everybody_may_read(
    diagnose: Diagnose, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_text(os.environ["HUB_SECRET_KEY"])
    environment.delenv("HUB_SECRET_KEY")
    environment.setenv("HUB_SECRET_KEY_FILE", str(file))
    file.chmod(0o644)
    [found] = diagnose("worker")
    subprocess.run(found.mend.split(), check=True)
    assert diagnose("worker") == []


def test_secrets_of_rules(
    admin: Connection, diagnose: Diagnose, environment: pytest.MonkeyPatch
) -> None:
    """APP-7: one that is named and has no value is told, and where values lie open. No value is."""
    table = "insert into secrets.versions (name, retired_at) values ('stripe', {}) returning id"
    [version] = admin.execute(table.format("now()").encode()).fetchone() or (None,)
    [found] = diagnose("secrets")
    assert "stripe has no active value" in found.text
    assert found.mend == "hub secrets set stripe"
    [version] = admin.execute(table.format("null").encode()).fetchone() or (None,)
    admin.execute(
        "insert into secrets.stored_values (version_id, value) values (%s, 'hush')", [version]
    )
    assert diagnose("secrets") == []
    environment.setenv("HUB_ENVIRONMENT", "production")
    [found] = diagnose("secrets")
    assert "1 values stand in a table" in found.text
    assert "hush" not in repr(diagnose(least=Level.OK))


def test_unsafe_server_settings(diagnose: Diagnose, environment: pytest.MonkeyPatch) -> None:
    """The test server is fast and forgetful; in production that is an error."""
    environment.setenv("HUB_ENVIRONMENT", "production")
    assert {one.text.split()[0] for one in diagnose("settings")} >= {"fsync", "full_page_writes"}


def test_forgotten_transaction(
    fresh_db: FreshDatabase, diagnose: Diagnose, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("procrastinate_app.doctor.server.LONG_TRANSACTION", "0 seconds")
    forgetful = fresh_db.connect(autocommit=False)
    forgetful.execute("create table public.half_done ()")
    found = [one for one in diagnose("settings") if f"pid {forgetful.info.backend_pid}" in one.text]
    assert len(found) == 1
    fresh_db.connect(user=SUPERUSER).execute(found[0].mend.encode())
    with pytest.raises(psycopg.OperationalError):
        forgetful.execute("select 1")


def test_paused_queue(admin: Connection, diagnose: Diagnose) -> None:
    admin.execute(
        "insert into jobs.pauses (kind, name, reason, paused_by)"
        " values ('queue', 'upkeep', 'a test', 'somebody')"
    )
    [found] = diagnose("queue")
    assert "the queue upkeep is paused" in found.text
    assert "by somebody: a test" in found.text


def test_books_are_proved_when_asked_deeply(admin: Connection, diagnose: Diagnose) -> None:
    admin.execute(
        "update ledger.accounts set posted = posted + 1"
        " where id = (select min(id) from ledger.accounts)"
    )
    assert diagnose("books") == []
    found = diagnose("books", deep=True)
    assert found
    assert all("does not hold" in one.text for one in found)


def test_full_disk(diagnose: Diagnose, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told from what the system says of the data's folder."""
    usage = SimpleNamespace(total=100 * 1024**3, free=1024**3)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    [found] = diagnose("disk")
    assert "1.0 GiB are free" in found.text


@pytest.mark.parametrize(
    ("number", "level"),
    [
        (140000, Level.ERROR), (150017, Level.WARNING), (150018, Level.OK), (160013, Level.WARNING),
        (170009, Level.WARNING), (170010, Level.OK), (180003, Level.WARNING), (180004, Level.OK),
        (190000, Level.WARNING),
    ],
)  # fmt: skip
def test_releases_with_known_holes(number: int, level: Level) -> None:
    assert [one.level for one in judge_release(number)] == [level]


@pytest.fixture(scope="module")
def older_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The released migrations alone: a database that was never deployed further."""
    root = tmp_path_factory.mktemp("older")
    for room in ("sql", "policies", "migrations"):
        shutil.copytree(PROJECT_ROOT / room, root / room)
    return root


def test_grants_of_undeployed_files_are_not_judged(
    fresh_db: FreshDatabase, diagnose: Diagnose, older_tree: Path
) -> None:
    """Between releases the files say what will be: that is no fault of the database."""
    policy = older_tree / "policies/clips/clips.sql"
    policy.write_text(policy.read_text() + "\ngrant insert on public.clips to authenticated;\n")
    found = list(examine(fresh_db.url, root=older_tree))
    assert [one.check for one in found if one.level >= Level.WARNING] == ["code"]
    deploy(fresh_db.url, root=older_tree)
    assert "grants" not in {
        one.check for one in examine(fresh_db.url, root=older_tree) if one.level >= Level.WARNING
    }


def run_doctor(url: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "procrastinate_app", "doctor", *options],
        env={**os.environ, "HUB_DATABASE_URL": url},
        capture_output=True,
        text=True,
    )


def test_exit_code_and_json(fresh_db: FreshDatabase, admin: Connection) -> None:
    done = run_doctor(fresh_db.url, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {one["check"] for one in json.loads(done.stdout)} == set(CHECKS)
    assert run_doctor(fresh_db.url, "--quiet").stdout.count("ok ") == 0
    admin.execute("grant delete on public.clips to service_role")
    assert run_doctor(fresh_db.url).returncode == 1
    admin.execute("grant delete on public.clips to anon")
    done = run_doctor(fresh_db.url)
    assert done.returncode == 2
    assert "→ revoke delete on public.clips from anon;" in done.stdout


CA = """
[ca]
default_ca = own
[own]
database = {folder}/index.txt
new_certs_dir = {folder}
serial = {folder}/serial
default_md = sha256
policy = any
x509_extensions = authority
[authority]
basicConstraints = CA:TRUE
[any]
commonName = supplied
"""


@pytest.fixture
def expired(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate that ran out, and its key."""
    (tmp_path / "ca.conf").write_text(CA.format(folder=tmp_path))
    (tmp_path / "index.txt").touch()
    (tmp_path / "serial").write_text("01\n")
    key, request, certificate = (tmp_path / name for name in ("key.pem", "request.pem", "cert.pem"))
    for command in (
        f"req -new -newkey rsa:2048 -nodes -subj /CN=localhost -keyout {key} -out {request}",
        f"ca -batch -selfsign -notext -config {tmp_path}/ca.conf -keyfile {key} -in {request}"
        f" -out {certificate} -startdate 20200101000000Z -enddate 20200201000000Z",
    ):
        subprocess.run(["openssl", *command.split()], check=True, capture_output=True)
    return certificate, key


def test_expired_certificate(
    fresh_db: FreshDatabase, expired: tuple[Path, Path], diagnose: Diagnose
) -> None:
    server, direct = fresh_db.server, f"{fresh_db.server.host}:{fresh_db.server.port}"
    with encrypted(server.host, server.port, *expired) as port:
        url = fresh_db.url.replace(direct, f"127.0.0.1:{port}")
        [found] = diagnose(url=f"{url}?sslmode=verify-ca&sslrootcert={expired[0]}")
        [unverified] = diagnose("tls", url=f"{url}?sslmode=require", least=Level.OK)
    assert "certificate has expired" in found.mend
    assert "clock" in found.mend
    assert unverified.text == "encrypted"
