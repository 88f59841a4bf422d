"""The project's own tree: every way to it gives the same database."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import psycopg
import pytest

from procrastinate_app.deploy import latest_version
from procrastinate_app.deploy.code import ordered
from procrastinate_app.deploy.dump import dump
from procrastinate_app.deploy.session import Session
from procrastinate_app.deploy.tree import read_tree
from procrastinate_app.local import postgres
from procrastinate_app.project import PROJECT_ROOT
from tests.deploy.project import Project
from tests.support.databases import HOSTED, give_old_grants

VERSIONS = [migration.version for migration in read_tree(PROJECT_ROOT).migrations]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The tree as it is now, so that an edit meanwhile does not come between two deploys."""
    copy = tmp_path_factory.mktemp("tree")
    for room in ("migrations", "sql", "policies"):
        shutil.copytree(PROJECT_ROOT / room, copy / room)
    return Project(copy)


@pytest.fixture(scope="module")
def fresh(tree: Project, server: postgres.Server, supabase_template: str) -> str:
    """A database with one fresh deploy of the tree."""
    name = "fresh_tree"
    with psycopg.connect(server.url(), autocommit=True) as conn:
        conn.execute(f"create database {name} template {supabase_template}")
    tree.deploy(server.url(name))
    return name


@pytest.mark.parametrize("version", VERSIONS)
def test_upgrade_from_each_release_gives_the_schema_of_a_fresh_deploy(
    version: str,
    tree: Project,
    fresh: str,
    server: postgres.Server,
    new_database: Callable[[], str],
) -> None:
    name = new_database()
    tree.deploy(server.url(name), until=version)
    assert tree.version_at(server.url(name)) == version

    tree.deploy(server.url(name))

    assert dump(server, name) == dump(server, fresh)
    assert tree.version_at(server.url(name)) == latest_version(tree.root)


def test_applying_all_code_again_with_bodies_checked_changes_nothing(
    tree: Project, fresh: str, server: postgres.Server, new_database: Callable[[], str]
) -> None:
    """Deploy leaves bodies unchecked, so that their order does not matter: here they must hold."""
    name = new_database()
    tree.deploy(server.url(name))
    with psycopg.connect(server.url(name), autocommit=True) as conn:
        session = Session(conn, report=lambda line: None)
        for step in ordered(read_tree(tree.root).code):
            for file in step.files:
                with conn.transaction():
                    session.script(file.path, [action.statement for action in file.actions])

    assert dump(server, name) == dump(server, fresh)


def test_second_run_applies_nothing(tree: Project, url: str) -> None:
    tree.deploy(url)

    assert not tree.deploy(url).changed


@pytest.mark.skipif(HOSTED, reason="there no test's owner is superuser")
def test_owner_need_not_be_superuser(
    tree: Project, server: postgres.Server, new_database: Callable[[], str]
) -> None:
    """As on hosted Supabase: no superuser, no rights on auth but to reference and hang triggers.

    Owning realtime.messages stands for hosted's leave to make policies on it.
    """
    name = new_database()
    with psycopg.connect(server.url(name), autocommit=True) as conn:
        conn.execute(
            f"""
            create role tree_owner login password '{server.password_of("tree_owner")}'
            createdb createrole bypassrls;
            grant create on database {name} to tree_owner;
            grant create, usage on schema public to tree_owner;
            grant usage on schema auth, realtime, storage to tree_owner;
            grant select, references, trigger on all tables in schema auth to tree_owner;
            grant execute on all functions in schema auth to tree_owner;
            alter table realtime.messages owner to tree_owner;
            """
        )
        try:
            done = tree.deploy(server.url(name, user="tree_owner"))
            assert len(done.files) == len(read_tree(tree.root).code)
            assert not tree.deploy(server.url(name, user="tree_owner")).changed
        finally:
            conn.execute("drop owned by tree_owner cascade; drop role tree_owner")


def test_old_projects_default_grants_give_the_same_privileges(
    tree: Project, fresh: str, url: str, server: postgres.Server
) -> None:
    """Older projects grant everything in public to API roles by default; ours is revoked first."""
    give_old_grants(url)

    tree.deploy(url)

    assert privileges(url) == privileges(server.url(fresh))


def privileges(url: str) -> list[tuple[object, ...]]:
    """Every right of an API role on an object in public."""
    with psycopg.connect(url) as conn:
        return conn.execute(
            """
            select c.relname::text, a.grantee::regrole::text, a.privilege_type
            from pg_class as c, aclexplode(c.relacl) as a
            where c.relnamespace = 'public'::regnamespace
              and a.grantee in ('anon'::regrole, 'authenticated'::regrole, 'service_role'::regrole)
            union all
            select p.oid::regprocedure::text, a.grantee::regrole::text, a.privilege_type
            from pg_proc as p, aclexplode(p.proacl) as a
            where p.pronamespace = 'public'::regnamespace
              and a.grantee in ('anon'::regrole, 'authenticated'::regrole, 'service_role'::regrole)
            order by 1, 2, 3
            """
        ).fetchall()


def test_dump_is_of_our_schemas_only(fresh: str, server: postgres.Server) -> None:
    text = dump(server, fresh)
    for schema in ("auth", "storage", "realtime", "procrastinate", "supabase_migrations"):
        assert f"CREATE SCHEMA {schema};" not in text
    assert "CREATE SCHEMA ledger;" in text
    assert "restrict" not in text.split("CREATE SCHEMA", 1)[0]
    assert "COMMENT ON FUNCTION public.cast_vote" in text
    assert "GRANT ALL ON FUNCTION public.cast_vote" in text
