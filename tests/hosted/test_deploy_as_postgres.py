"""Hosted Supabase's `postgres`: no superuser, a guest in auth, storage and realtime."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors

from procrastinate_app.deploy import deploy
from procrastinate_app.local import hosted, postgres, shim
from procrastinate_app.project import PROJECT_ROOT
from tests.deploy.project import Project

OURS_IN_CLOSED_SCHEMAS = """
select pg_describe_object(d.classid, d.objid, d.objsubid)
from (
  select 'pg_class'::regclass, c.oid, 0, c.relnamespace, c.relowner
  from pg_class as c
  union all
  select 'pg_proc'::regclass, p.oid, 0, p.pronamespace, p.proowner
  from pg_proc as p
  union all
  select 'pg_type'::regclass, t.oid, 0, t.typnamespace, t.typowner
  from pg_type as t
) as d (classid, objid, objsubid, schema, owner)
where d.schema::regnamespace::text in ('auth', 'storage', 'realtime', 'vault', 'extensions')
  and d.owner = 'postgres'::regrole
"""
GUESTS = """
select 'trigger', t.tgname::text
from pg_trigger as t
join pg_class as c on c.oid = t.tgrelid
where c.relnamespace::regnamespace::text in ('auth', 'storage', 'realtime', 'vault')
  and not t.tgisinternal
union all
select 'policy', l.polname::text
from pg_policy as l
join pg_class as c on c.oid = l.polrelid
where c.relnamespace::regnamespace::text in ('auth', 'storage', 'realtime', 'vault')
"""


def test_postgres_is_what_it_is_on_the_platform(deployed: str) -> None:
    with psycopg.connect(deployed) as conn:
        row = conn.execute(
            "select rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls"
            " from pg_roles where rolname = current_user"
        ).fetchone()
        member_of = {
            str(name)
            for (name,) in conn.execute(
                "select r.rolname::text from pg_roles as r"
                " where r.rolname <> current_user and pg_has_role(current_user, r.oid, 'usage')"
            )
        }
    assert row == (False, True, True, True, True)
    assert not member_of & {"supabase_admin", "supabase_auth_admin", "supabase_storage_admin"}


@pytest.mark.parametrize(
    "statement",
    [
        "drop trigger _500_create_profile on auth.users",
        "alter table auth.users disable trigger _500_create_profile",
        "alter table auth.users add column extra text",
        "create table auth.extra ()",
        "create function storage.extra() returns integer language sql as 'select 1'",
        "create index on auth.users (role)",
        "create table realtime.extra ()",
        "create index on realtime.messages (topic)",
        "alter table realtime.messages disable row level security",
        "drop table realtime.messages cascade",
        "comment on policy select_own_topic on realtime.messages is 'x'",
        "drop schema vault cascade",
        "set role supabase_auth_admin",
        "create role boss superuser",
    ],
)
def test_what_the_platform_refuses_is_refused_here(deployed: str, statement: str) -> None:
    with psycopg.connect(deployed) as conn, pytest.raises(errors.InsufficientPrivilege):
        conn.execute(statement.encode())


def test_the_shim_does_nothing_on_the_platform(platform: postgres.Server, deployed: str) -> None:
    for user in ("postgres", hosted.ADMIN):
        name = psycopg.conninfo.conninfo_to_dict(deployed)["dbname"]
        with (
            psycopg.connect(platform.url(str(name), user)) as conn,
            pytest.raises(shim.ShimRefused, match="Supabase database"),
        ):
            shim.apply(conn)


def test_deploy_leaves_nothing_to_do_and_nothing_of_its_own_in_closed_schemas(
    deployed: str,
) -> None:
    assert not deploy(deployed).changed
    with psycopg.connect(deployed) as conn:
        assert conn.execute(OURS_IN_CLOSED_SCHEMAS.encode()).fetchall() == []
        guests = conn.execute(GUESTS.encode()).fetchall()
    assert sorted(guests) == [("policy", "select_own_topic"), ("trigger", "_500_create_profile")]


def test_projects_with_old_and_new_default_grants_end_with_the_same_rights(
    deployed: str, new_project: Callable[[], str]
) -> None:
    old = new_project()
    hosted.give_old_grants(old)

    deploy(old)

    assert rights(old) == rights(deployed)


def rights(url: str) -> list[tuple[Any, ...]]:
    """Every right of an API role on what we make."""
    with psycopg.connect(url) as conn:
        return conn.execute(
            """
            select o.name, a.grantee::regrole::text, a.privilege_type
            from (
              select c.oid::regclass::text, c.relacl, c.relnamespace
              from pg_class as c
              union all
              select p.oid::regprocedure::text, coalesce(p.proacl, acldefault('f', p.proowner)),
                p.pronamespace
              from pg_proc as p
              union all
              select n.nspname::text, n.nspacl, n.oid
              from pg_namespace as n
            ) as o (name, acl, schema)
            cross join lateral aclexplode(o.acl) as a
            where a.grantee in (0, 'anon'::regrole, 'authenticated'::regrole,
                'service_role'::regrole)
              and o.schema::regnamespace::text !~
                '^(pg_|information_schema|auth|storage|realtime|vault|extensions)'
            order by 1, 2, 3
            """
        ).fetchall()


@pytest.fixture
def tree(tmp_path: Path) -> Project:
    for room in ("migrations", "sql", "policies"):
        shutil.copytree(PROJECT_ROOT / room, tmp_path / room)
    return Project(tmp_path)


def test_our_trigger_and_policy_on_tables_of_others_can_be_changed_later(
    tree: Project, new_project: Callable[[], str]
) -> None:
    url = new_project()
    tree.deploy(url)
    tree.change(
        "sql/identity/tg_users__create_profile.sql", "after insert on", "after insert or update on"
    )
    tree.change("policies/realtime/messages.sql", "= 'broadcast'", "in ('broadcast', 'presence')")

    done = tree.deploy(url)

    assert done.files == [
        "sql/identity/tg_users__create_profile.sql",
        "policies/realtime/messages.sql",
    ]
    assert not tree.deploy(url).changed


def test_policies_of_others_on_realtime_messages_stay(
    tree: Project, new_project: Callable[[], str]
) -> None:
    url = new_project()
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("create policy theirs on realtime.messages for select using (true)")

    tree.deploy(url)

    with psycopg.connect(url) as conn:
        assert ("policy", "theirs") in conn.execute(GUESTS.encode()).fetchall()


def test_a_sign_up_by_supabase_auth_makes_a_profile(
    platform: postgres.Server, tree: Project, new_project: Callable[[], str]
) -> None:
    """IDN-1."""
    url = new_project()
    tree.deploy(url)
    name = str(psycopg.conninfo.conninfo_to_dict(url)["dbname"])
    with psycopg.connect(platform.url(name, "supabase_auth_admin"), autocommit=True) as auth:
        auth.execute("insert into auth.users (id, email) values (gen_random_uuid(), 'a@b.c')")

    with psycopg.connect(url) as conn:
        assert conn.execute("select count(*) from public.profiles").fetchone() == (1,)


def test_deploy_needs_no_extension(deployed: str) -> None:
    """What hosted offers need not be switched on, in whatever version."""
    with psycopg.connect(deployed) as conn:
        rows = conn.execute("select extname::text from pg_extension").fetchall()
    assert rows == [("plpgsql",)]
