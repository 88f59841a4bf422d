"""The look-alikes of Supabase's roles and schemas: as hosted has them, and no more."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from typer.testing import CliRunner

from procrastinate_app.cli import app
from procrastinate_app.local import postgres, shim
from procrastinate_app.local.logins import LoginError, login_as
from procrastinate_app.project import PROJECT_ROOT

Connection = psycopg.Connection[Any]


@pytest.fixture(scope="module")
def own_server() -> Iterator[postgres.Server]:
    """A cluster that has no Supabase roles yet."""
    with postgres.start() as running:
        yield running


@pytest.fixture
def plain(own_server: postgres.Server) -> Iterator[Connection]:
    """A database with nothing in it, dropped afterwards."""
    with psycopg.connect(own_server.url(), autocommit=True) as admin:
        admin.execute("create database plain")
        with psycopg.connect(own_server.url("plain"), autocommit=True) as conn:
            yield conn
        admin.execute("drop database plain with (force)")


def test_several_databases_of_one_cluster_at_once(own_server: postgres.Server) -> None:
    names = [f"many_{n}" for n in range(6)]
    with psycopg.connect(own_server.url(), autocommit=True) as admin:
        for name in names:
            admin.execute(f"create database {name}")

    def apply(name: str) -> None:
        with psycopg.connect(own_server.url(name), autocommit=True) as conn:
            shim.apply(conn)

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(apply, names * 2))
    with psycopg.connect(own_server.url(names[-1])) as conn:
        assert conn.execute("select to_regclass('auth.users') is not null").fetchone() == (True,)


def test_twice_changes_nothing(plain: Connection) -> None:
    state = """
    select c.oid::regclass::text, c.relowner::regrole::text, c.relacl::text, c.relrowsecurity
    from pg_class as c
    where c.relnamespace::regnamespace::text in ('auth', 'storage', 'realtime')
    order by 1
    """
    shim.apply(plain)
    before = plain.execute(state).fetchall()
    shim.apply(plain)
    assert plain.execute(state).fetchall() == before
    assert len(before) > 8


def test_the_api_login_reads_nothing_by_itself(
    plain: Connection, own_server: postgres.Server
) -> None:
    shim.apply(plain)
    plain.execute("create table public.things (n int); grant select on public.things to anon")
    with psycopg.connect(own_server.url("plain", "authenticator"), autocommit=True) as conn:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("select * from public.things")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("set role postgres")
        conn.execute("set role anon")
        conn.execute("select * from public.things")


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role"])
def test_no_api_role_reads_who_signs_in(plain: Connection, role: str) -> None:
    shim.apply(plain)
    plain.execute(f"set role {role}")
    for table in ("users", "sessions", "refresh_tokens", "identities"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            plain.execute(f"select * from auth.{table}")
    assert plain.execute("select auth.uid()").fetchone() == (None,)


def test_new_tables_are_closed_unless_the_project_is_old(plain: Connection) -> None:
    shim.apply(plain)
    reads = "select has_table_privilege('anon', %s, 'select')"
    plain.execute("create table public.young (n int)")
    assert plain.execute(reads, ["public.young"]).fetchone() == (False,)
    shim.apply(plain, old_project=True)
    plain.execute("create table public.old (n int)")
    assert plain.execute(reads, ["public.old"]).fetchone() == (True,)


def test_claims_are_read_as_hosted_reads_them(plain: Connection) -> None:
    shim.apply(plain)
    one = "00000000-0000-7000-8000-000000000001"
    two = "00000000-0000-7000-8000-000000000002"

    def seen() -> tuple[Any, ...] | None:
        return plain.execute("select auth.uid()::text, auth.role(), auth.email()").fetchone()

    with plain.transaction():
        assert seen() == (None, None, None)
        plain.execute(
            "select set_config('request.jwt.claims', %s, true)",
            [f'{{"sub": "{one}", "role": "authenticated", "email": "a@b.c"}}'],
        )
        assert seen() == (one, "authenticated", "a@b.c")
        plain.execute("select set_config('request.jwt.claim.sub', %s, true)", [two])
        assert seen() == (two, "authenticated", "a@b.c")
    assert seen() == (None, None, None)


def test_realtime_send_never_aborts_and_storage_names_split(plain: Connection) -> None:
    shim.apply(plain)
    plain.execute("""select realtime.send('{"a": 1}', 'made', 'room:1')""")
    row = plain.execute("select topic, event, private, payload ? 'id' from realtime.messages")
    assert row.fetchone() == ("room:1", "made", True, True)
    parts = "select storage.foldername(%(n)s), storage.filename(%(n)s), storage.extension(%(n)s)"
    found = plain.execute(parts, {"n": "a/b/c.d.ogg"}).fetchone()
    assert found == (["a", "b"], "c.d.ogg", "ogg")


LOGINS = [
    "authenticator",
    "supabase_auth_admin",
    "supabase_storage_admin",
    "supabase_read_only_user",
]


def opens(server: postgres.Server, login: str, password: str) -> bool:
    try:
        psycopg.connect(
            host=server.host,
            port=server.port,
            dbname="plain",
            user=login,
            password=password,
            passfile=os.devnull,
        ).close()
    except psycopg.OperationalError:
        return False
    return True


def test_each_login_has_a_password_that_opens_no_other(
    plain: Connection, own_server: postgres.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever gets hold of the API's login is not the owner."""
    monkeypatch.delenv("PGPASSWORD", raising=False)
    shim.apply(plain)
    rows = plain.execute(
        "select rolname from pg_roles where rolcanlogin and rolname <> 'postgres' order by rolname"
    ).fetchall()
    assert [row[0] for row in rows] == sorted(LOGINS)
    for login in (*LOGINS, "postgres"):
        assert not opens(own_server, login, "")
        for other in (*LOGINS, "postgres"):
            assert opens(own_server, login, own_server.password_of(other)) is (login == other)


def test_a_login_keeps_the_password_it_has(plain: Connection, own_server: postgres.Server) -> None:
    """On a server of one's own these may be in use already."""
    shim.apply(plain)
    plain.execute("alter role authenticator password 'chosen'")
    try:
        shim.apply(plain)
        assert opens(own_server, "authenticator", "chosen")
    finally:
        plain.execute("alter role authenticator password null")
        shim.apply(plain)
    assert opens(own_server, "authenticator", own_server.password_of("authenticator"))


def test_passwords_are_told_to_the_server_as_verifiers_only(
    plain: Connection, own_server: postgres.Server
) -> None:
    """Its log may hold what it is told."""
    shim.apply(plain)
    plain.execute("alter role authenticator password null")
    plain.execute("set log_statement = 'all'")
    shim.apply(plain)
    log = own_server.log.read_text()
    assert 'alter role "authenticator" password \'SCRAM-SHA-256$' in log
    assert own_server.password_of("authenticator") not in log
    assert own_server.password_of("postgres") not in log


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (
            "postgresql://postgres:p%40ss@db:5432/d?sslmode=require",
            ":p%40ss@db:5432/d?sslmode=require",
        ),
        ("postgresql://me@localhost/db", "@localhost/db"),
        ("postgres://me:%C3%A9%25%2F+@localhost/db", ":%C3%A9%25%2F%2B@localhost/db"),
        ("postgresql:///db?host=h&port=5&user=me&password=p%26", ":p%26@h:5/db"),
        ("postgresql://localhost/db?user=me&password=p", ":p@localhost/db"),
        (r"host=h port=5 dbname=db user=me password='p \' @'", ":p%20%27%20%40@h:5/db"),
        ("host=h dbname=db user=me options='-c a=b'", "@h/db?options=-c%20a%3Db"),
        ("postgresql://me:p@a:1,b:2/db", ":p@a:1,b:2/db"),
        ("host=a,b port=5 dbname=db", "@a:5,b:5/db"),
    ],
)
def test_a_database_of_others_has_one_password_for_all_logins(address: str, expected: str) -> None:
    """As self-hosted Supabase; libpq reads the same in both, however the first is written."""
    made = login_as(address, "authenticator")
    assert made == f"postgresql://authenticator{expected}"
    before, after = conninfo_to_dict(address), conninfo_to_dict(made)
    assert after["user"] == "authenticator"
    for name in ("host", "dbname", "password", "sslmode", "options"):
        assert after.get(name) == before.get(name)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("service=hush", "it has service"),
        ("postgresql://me:hush@h/db?passfile=/hush", "it has passfile"),
        ("postgresql://me:hush@h/db?hostaddr=192.0.2.1&sslkey=hush", "it has hostaddr, sslkey"),
        ("postgresql:///hush", "a host's name"),
        ("host=/hush dbname=db", "a host's name"),
        ("postgresql://me:hush@[::1]/db", "a host's name"),
        ("postgresql://me:hush@h", "plain name"),
        ("postgresql://me:hush@h/d%20hush", "plain name"),
        ("host=a,b,c port=1,2 dbname=db", "as many ports"),
        ("postgresql://me:hush%ff@h/db", "not UTF-8"),
    ],
)
def test_an_address_that_other_logins_cannot_have_is_refused(address: str, said: str) -> None:
    """Rather than let the owner in as the API's login, or a driver misread it."""
    with pytest.raises(LoginError, match=said) as caught:
        login_as(address, "authenticator")
    assert "hush" not in str(caught.value)


def test_a_database_of_ours_has_a_password_for_each_login(own_server: postgres.Server) -> None:
    assert login_as(own_server.url("x"), "authenticator") == own_server.url("x", "authenticator")


def test_a_supabase_database_is_left_alone() -> None:
    with postgres.start() as server, psycopg.connect(server.url(), autocommit=True) as conn:
        conn.execute("create role supabase_admin")
        with pytest.raises(shim.ShimRefused, match="Supabase database"):
            shim.apply(conn)
        assert conn.execute("select to_regnamespace('auth')").fetchone() == (None,)


def test_a_login_that_cannot_make_roles_is_told(
    plain: Connection, own_server: postgres.Server
) -> None:
    shim.apply(plain)
    with (
        psycopg.connect(own_server.url("plain", "authenticator")) as conn,
        pytest.raises(shim.ShimRefused, match="superuser"),
    ):
        shim.apply(conn)


def test_the_command_says_whose_password_the_logins_get() -> None:
    said = " ".join(CliRunner().invoke(app, ["local", "shim", "--help"]).output.split())
    assert "get the password of the login it connects with" in said
    assert "get the owner's password" in " ".join(
        (PROJECT_ROOT / "docs/how-to/deploy.md").read_text().split()
    )
