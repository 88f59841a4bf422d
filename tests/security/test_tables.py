"""Role by table by verb: who may do what with rows, tried for real and read from the catalogue.

Numbers such as R1 are the attacks of docs/security.md.
"""

from __future__ import annotations

import psycopg
import pytest

from tests.support.callers import Connection, as_user, one
from tests.support.doors import domains
from tests.support.people import make_user
from tests.support.world import API_ROLES, RELATIONS, World, fingerprint, outcome, writes_to

# Relations a stranger sees rows of.
PUBLIC_ROWS = {"public.clip_feed", "public.clips", "public.languages", "public.profiles"}


@pytest.mark.parametrize("role", API_ROLES)
def test_nobody_writes_a_table_or_view_directly(db: Connection, world: World, role: str) -> None:
    """R1, R5, R6, R37: as the admin's own token, so that no policy helps either."""
    relations = db.execute(RELATIONS, [["public", *domains(db)]]).fetchall()
    assert len(relations) > 30
    before = fingerprint(db)
    allowed = []
    with as_user(db, world.admin, role=role):
        for name, is_view, column in relations:
            for statement in writes_to(name, is_view, column):
                refusal = outcome(db, db.execute, statement)
                # A view over a join cannot be written by anybody, which Postgres says first.
                if refusal is None or refusal.sqlstate not in (
                    ("42501", "55000") if is_view else ("42501",)
                ):
                    allowed.append((statement, refusal and refusal.sqlstate))
    assert allowed == []
    assert fingerprint(db) == before


def test_no_api_role_holds_a_right_to_write(db: Connection) -> None:
    """R1: not on a column, a sequence or a schema either."""
    found = db.execute(
        """
        select r.role, c.oid::regclass::text, k.kind
        from pg_class as c
        cross join unnest(%(roles)s::text[]) as r (role)
        cross join unnest('{insert,update,delete,truncate,references,trigger}'::text[]) as k (kind)
        where c.relkind in ('r', 'p', 'v', 'm', 'f')
          and c.relnamespace::regnamespace::text = any (%(schemas)s)
          and (
            has_table_privilege(r.role, c.oid, k.kind)
            or (k.kind in ('insert', 'update', 'references')
              and has_any_column_privilege(r.role, c.oid, k.kind))
          )
        union all
        select r.role, c.oid::regclass::text, 'sequence'
        from pg_class as c
        cross join unnest(%(roles)s::text[]) as r (role)
        where c.relkind = 'S'
          and c.relnamespace::regnamespace::text = any (%(schemas)s)
          and has_sequence_privilege(r.role, c.oid, 'usage,update')
        union all
        select r.role, n.nspname, 'create'
        from pg_namespace as n
        cross join unnest(%(roles)s::text[]) as r (role)
        where n.nspname = any (%(schemas)s)
          and has_schema_privilege(r.role, n.oid, 'create')
        """,
        {"roles": list(API_ROLES), "schemas": ["public", *domains(db)]},
    ).fetchall()
    assert found == []


def test_a_stranger_sees_only_public_rows(db: Connection, world: World) -> None:
    """R1, R29, R36, LED-7: in every table and view they may select from."""
    stranger = make_user(db)
    for role in ("anon", "authenticated"):
        shown = set()
        for name, _, _ in db.execute(RELATIONS, [["public", *domains(db)]]).fetchall():
            count = f"select count(*) from {name}"
            with as_user(db, stranger, role=role):
                refusal = outcome(db, db.execute, count)
                if refusal is not None:
                    assert refusal.sqlstate == "42501", name
                    continue
                visible = one(db, count)
            # Hidden, not absent.
            assert one(db, count) > 0, f"{name} is empty, so nothing was shown"
            if visible:
                shown.add(name)
        assert shown == PUBLIC_ROWS


def test_a_stranger_sees_no_hidden_clip_by_any_path(db: Connection, world: World) -> None:
    """CLP-3, R36: pending and rejected clips, by table, view, join or count."""
    hidden = [world.open_clip, world.rejected_clip]
    for query in (
        "select count(*) from public.clips where id = any (%s)",
        "select count(*) from public.clip_feed where id = any (%s)",
        "select count(*) from public.profiles as p inner join public.clips as c"
        " on c.author_id = p.id where c.id = any (%s)",
        "select count(*) from public.votes where clip_id = any (%s)",
    ):
        for role in ("anon", "authenticated"):
            if role == "anon" and "votes" in query:
                continue
            with as_user(db, world.member, role=role):
                assert one(db, query, [hidden]) == 0
    assert one(db, "select count(*) from public.clips where id = any (%s)", [hidden]) == 2


@pytest.mark.parametrize("role", API_ROLES)
def test_an_upsert_or_a_bulk_insert_onto_others_rows_fails_whole(
    db: Connection, world: World, role: str
) -> None:
    """R7, R8: the rows that are there already, once more, in one statement."""
    before = fingerprint(db)
    allowed = []
    with as_user(db, world.author, role=role):
        for name, is_view, column in db.execute(RELATIONS, [["public", *domains(db)]]).fetchall():
            if is_view:
                continue
            for clause in ("", " on conflict do nothing"):
                refusal = outcome(
                    db,
                    db.execute,
                    f"insert into {name} ({column}) select {column} from {name}{clause}",
                )
                if refusal is None or refusal.sqlstate != "42501":
                    allowed.append((name, clause, refusal))
    assert allowed == []
    assert fingerprint(db) == before


SPY = """
create function pg_temp.spy(seen text) returns boolean language plpgsql cost 0.0000001 as $$
begin
  raise notice '%', seen;
  return true;
end $$;
"""


def test_a_strangers_own_condition_is_asked_about_visible_rows_only(
    db: Connection, world: World
) -> None:
    """R30: the cheapest function there is, in every table and view they may read."""
    stranger = make_user(db)
    heard: list[str] = []

    def hear(notice: psycopg.errors.Diagnostic) -> None:
        heard.append(notice.message_primary or "")

    db.add_notice_handler(hear)
    try:
        watched = 0
        with as_user(db, stranger):
            db.execute(SPY)
            for name, _, _ in db.execute(RELATIONS, [["public", *domains(db)]]).fetchall():
                plain_query = f"select count(*) from {name}"
                if outcome(db, db.execute, plain_query) is not None:
                    continue
                heard.clear()
                watched += 1
                visible = one(db, f"select count(*) from {name} as t where pg_temp.spy(t::text)")
                assert len(heard) == visible == one(db, plain_query), name
        assert watched > 5
    finally:
        db.remove_notice_handler(hear)
