"""procrastinate's schema: installed closed and pinned, upgraded by its own migration files."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from procrastinate.schema import SchemaManager

from procrastinate_app.deploy import DeployRefused
from procrastinate_app.deploy.dump import dump
from procrastinate_app.deploy.queue import package_migrations
from procrastinate_app.local import postgres
from tests.deploy.project import Connection, Project

DEFER = """
select procrastinate.procrastinate_defer_jobs_v1(
  array[
    row('default', 'demo', 0, null, null, '{}', null)::procrastinate.procrastinate_job_to_defer_v1
  ]
)
"""


def test_functions_work_under_an_empty_search_path(
    shop: Project, url: str, conn: Connection
) -> None:
    shop.deploy(url)

    conn.execute("set search_path = ''")
    assert conn.execute(DEFER).fetchone() == ([1],)


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role"])
def test_api_roles_cannot_reach_the_queue(
    role: str, shop: Project, url: str, conn: Connection
) -> None:
    shop.deploy(url)

    conn.execute(f"set role {role}")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="schema procrastinate"):
        conn.execute(DEFER)
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="schema procrastinate"):
        conn.execute("select * from procrastinate.procrastinate_jobs")


def test_public_may_execute_nothing_of_it(shop: Project, url: str, conn: Connection) -> None:
    shop.deploy(url)

    open_to_all = conn.execute(
        """
        select p.oid::regprocedure::text
        from pg_proc as p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as a
        where p.pronamespace = 'procrastinate'::regnamespace
          and a.grantee = 0
        """
    ).fetchall()
    assert open_to_all == []


def test_older_release_is_upgraded_to_the_same_schema(
    shop: Project, server: postgres.Server, new_database: Callable[[], str]
) -> None:
    """A database with the queue of release 3.2 ends like one installed today."""
    fresh, old = new_database(), new_database()
    shop.deploy(server.url(fresh))
    steps = [path for path in package_migrations() if path.name < "03.03"]
    with psycopg.connect(server.url(old), autocommit=True) as conn:
        conn.execute("create schema procrastinate; set search_path = procrastinate")
        for path in steps:
            conn.execute(path.read_bytes())
    with pytest.raises(DeployRefused, match="its version is unknown"):
        shop.deploy(server.url(old))
    with psycopg.connect(server.url(old), autocommit=True) as conn:
        conn.execute(
            "insert into deploy.queue (version, migration) values ('3.2.0', %s)", (steps[-1].name,)
        )

    lines: list[str] = []
    done = shop.deploy(server.url(old), report=lines.append)

    assert done.queue is not None
    assert done.queue.startswith("3.2.0 upgraded to 3.")
    assert sum(line.startswith("procrastinate: 03.0") for line in lines) == 3
    assert functions(server.url(old)) == functions(server.url(fresh))
    assert columns(dump(server, old, schemas=("procrastinate",))) == columns(
        dump(server, fresh, schemas=("procrastinate",))
    )
    assert not shop.deploy(server.url(old)).changed


def functions(url: str) -> list[tuple[object, ...]]:
    """Each function with its text, its pinned path, and who may call it."""
    with psycopg.connect(url) as conn:
        return conn.execute(
            """
            select p.oid::regprocedure::text, p.proconfig, p.proacl::text,
              regexp_replace(p.prosrc, '\\s+', ' ', 'g')
            from pg_proc as p
            where p.pronamespace = 'procrastinate'::regnamespace
            order by 1
            """
        ).fetchall()


def columns(text: str) -> set[str]:
    """The dump as a set of lines: columns added later stand elsewhere in the table."""
    return {line.strip().rstrip(",") for line in text.splitlines() if line.startswith("    ")}


def test_newer_queue_than_the_package_is_refused(shop: Project, url: str, conn: Connection) -> None:
    shop.deploy(url)
    conn.execute("update deploy.queue set version = '99.0.0' where singleton")

    with pytest.raises(DeployRefused, match=r"has procrastinate 99\.0\.0"):
        shop.deploy(url)


def test_package_schema_is_read_whole() -> None:
    """The lexer finds as many functions in it as its text creates."""
    from procrastinate_app.deploy.lexer import statements

    text = SchemaManager.get_schema()
    found = sum(part.words("create", "function") for part in statements(text))
    assert found == text.count("CREATE FUNCTION")
