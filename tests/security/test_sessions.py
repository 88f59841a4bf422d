"""What a session can make or set: shadows on the search path, roles, leftovers of other requests.

Numbers such as R27 are the attacks of docs/security.md.
"""

from __future__ import annotations

from typing import Any

from psycopg import sql

from tests.support.callers import Connection, as_user, become, one, refused
from tests.support.databases import FreshDatabase
from tests.support.doors import domains, doors
from tests.support.people import make_admin
from tests.support.world import RELATIONS, World, call_plainly, make_world, outcome, told

SHADOWS = """
create temp table user_roles as select '{user}'::uuid as user_id, 'admin'::public.app_role as role;
create temp table users as select '{user}'::uuid as id, now() as email_confirmed_at;
create temp table clips as select * from public.clips;
create temp table profiles as select * from public.profiles;
create function pg_temp.uid() returns uuid language sql as $$ select '{admin}'::uuid $$;
create function pg_temp.now() returns timestamptz language sql as $$ select 'epoch'::timestamptz $$;
create function pg_temp.is_staff() returns boolean language sql as 'select true';
create function pg_temp.length(text) returns integer language sql as 'select 1';
create function pg_temp.equal(uuid, uuid) returns boolean language sql as 'select true';
create operator pg_temp.= (leftarg = uuid, rightarg = uuid, function = pg_temp.equal);
"""


def test_nothing_a_session_makes_shadows_what_doors_use(db: Connection, world: World) -> None:
    """R27: temp tables, functions and operators, first on the search path."""
    plain_answers: dict[str, Any] = {}
    for shadowed in (False, True):
        with as_user(db, world.member):
            if shadowed:
                db.execute(
                    SHADOWS.replace("{user}", str(world.member))
                    .replace("{admin}", str(world.admin))
                )  # fmt: skip
                db.execute("set local search_path = pg_temp, public, pg_catalog")
                assert one(db, "select pg_temp.uid()") == world.admin
            for door in doors(db):
                seen = told(outcome(db, call_plainly, db, door, world, world.member))
                assert plain_answers.setdefault(door.name, seen) == seen, door.name
    assert ("not_permitted", 403) in {answer and answer[:2] for answer in plain_answers.values()}


SPY = """
create function pg_temp.watch() returns boolean language plpgsql as $$
begin
  if current_user <> 'authenticated' then
    raise exception 'ran as %', current_user;
  end if;
  return true;
end $$;
"""


def test_types_a_session_makes_never_run_as_somebody_else(fresh_db: FreshDatabase) -> None:
    """R27: a temp domain named like a type that a rule uses would run its check as the owner."""
    with fresh_db.connect() as owner:
        world = make_world(owner)
        known = doors(owner)
        with fresh_db.as_user(world.member) as conn:
            conn.execute(SPY)
            for name in ("text", "uuid", "jsonb", "bytea", "date", "timestamptz"):
                conn.execute(
                    sql.SQL("create domain pg_temp.{} as {} check (pg_temp.watch())").format(
                        sql.Identifier(name), sql.Identifier("pg_catalog", name)
                    )
                )
            for door in known:
                refusal = outcome(conn, call_plainly, conn, door, world, world.member)
                assert refusal is None or refusal.sqlstate == "PGRST", (door.name, refusal)


def test_an_empty_or_hostile_search_path_changes_nothing(db: Connection, world: World) -> None:
    """R27"""
    with as_user(db, world.admin):
        for path in ("''", "pg_temp", "auth, storage", '"$user", nowhere'):
            db.execute(f"set local search_path = {path}")
            for door in doors(db):
                refusal = outcome(db, call_plainly, db, door, world, world.admin)
                assert refusal is None, (door.name, path, refusal)


def test_a_session_of_one_role_reaches_no_other(fresh_db: FreshDatabase) -> None:
    """R28: whoever is authenticated alone cannot become the service or the owner."""
    with fresh_db.connect() as owner:
        password = fresh_db.server.password_of("only_authenticated")
        owner.execute(
            f"create role only_authenticated login password '{password}' in role authenticated"
        )
        try:
            conn = fresh_db.connect(user="only_authenticated")
            conn.execute("set role authenticated")
            for role in ("service_role", "postgres", "supabase_auth_admin", "authenticator"):
                with refused(conn, "42501"):
                    conn.execute(f"set role {role}")
                with refused(conn, "42501"):
                    conn.execute("select set_config('role', %s, true)", [role])
                with refused(conn, "42501"):
                    conn.execute(f"set session authorization {role}")
            assert one(conn, "select current_user") == "authenticated"
            conn.close()
        finally:
            owner.execute("drop role only_authenticated")


def test_a_login_without_a_role_reads_and_calls_nothing(
    fresh_db: FreshDatabase,
) -> None:
    """R53: authenticator by itself, before the API sets a role, has no rights at all."""
    with fresh_db.connect() as owner:
        world = make_world(owner)
        conn = fresh_db.connect(user="authenticator")
        for name, _, _ in owner.execute(RELATIONS, [["public", *domains(owner)]]).fetchall():
            with refused(conn, "42501"):
                conn.execute(f"select * from {name}")
        for door in doors(owner):
            refusal = outcome(conn, call_plainly, conn, door, world, world.admin)
            assert refusal is not None, door.name
            assert refusal.sqlstate == "42501", door.name


def test_claims_of_one_request_are_gone_in_the_next(fresh_db: FreshDatabase) -> None:
    """R53: on the same pooled connection."""
    with fresh_db.connect() as owner:
        admin = make_admin(owner)
        conn = fresh_db.connect(user="authenticator")
        with conn.transaction():
            become(conn, admin, headers={"x-request-id": "first"})
            assert one(conn, "select app.is_staff()") is True
            assert one(conn, "select app.request_id()") == "first"
        with conn.transaction():
            conn.execute("set local role authenticated")
            assert one(conn, "select app.is_staff()") is False
            assert one(conn, "select app.request_id()") != "first"
            with refused(conn, "not_authenticated"):
                conn.execute("select public.me()")
