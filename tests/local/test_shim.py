"""The look-alikes of Supabase's roles and schemas: as hosted has them, and no more."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from procrastinate_app.local import postgres, shim

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


def test_the_api_login_reads_nothing_by_itself(plain: Connection) -> None:
    shim.apply(plain)
    plain.execute("create table public.things (n int); grant select on public.things to anon")
    with psycopg.connect(plain.info.dsn, user="authenticator", autocommit=True) as conn:
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


def test_a_supabase_database_is_left_alone() -> None:
    with postgres.start() as server, psycopg.connect(server.url(), autocommit=True) as conn:
        conn.execute("create role supabase_admin")
        with pytest.raises(shim.ShimRefused, match="Supabase database"):
            shim.apply(conn)
        assert conn.execute("select to_regnamespace('auth')").fetchone() == (None,)


def test_a_login_that_cannot_make_roles_is_told(plain: Connection) -> None:
    shim.apply(plain)
    with (
        psycopg.connect(plain.info.dsn, user="authenticator") as conn,
        pytest.raises(shim.ShimRefused, match="superuser"),
    ):
        shim.apply(conn)
