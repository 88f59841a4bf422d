"""IDN-4, R49: all of one's own data and nobody else's; every table that names people is decided."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.support.callers import Connection, as_user, call, one, refused
from tests.support.money import fund
from tests.support.people import make_admin, make_user
from tests.support.work import submit, vote
from tests.support.world import World, make_world

# a column that names a person, by its name or by what it refers to
NAMING = """
select format('%%I.%%I', n.nspname, c.relname), a.attname::text
from pg_attribute as a
join pg_class as c on c.oid = a.attrelid
join pg_namespace as n on n.oid = c.relnamespace
where c.relkind in ('r', 'p')
  and n.nspname = any (%(schemas)s)
  and a.attnum > 0
  and not a.attisdropped
  and (
    (c.oid = 'public.profiles'::regclass and a.attname = 'id')
    or (
      a.atttypid = 'uuid'::regtype
      and a.attname ~ '(user|author|voter|reviewer|owner|actor|person|member|reporter|sender|recipient)(_id)?$|_by$'
    )
    or exists (
      select
      from pg_constraint as k
      where k.conrelid = c.oid
        and k.contype = 'f'
        and k.confrelid = 'public.profiles'::regclass
        and a.attnum = any (k.conkey)
    )
  )
"""  # noqa: E501

# Where people are named by other means than a column of their own, and why that is left as it is.
NAMED_OTHERWISE = {
    "jobs.outbox": "topics user:<id> and payloads of events, deleted days after delivery",
    "jobs.dead_letters": "arguments hold ids only, deleted after their time",
    "limits.buckets": "user:<id> and addresses, forgotten when the limit has refilled",
    "audit.events": "subject_id may be a person's id; the record holds ids only",
}


@pytest.fixture
def world(db: Connection) -> World:
    return make_world(db)


def export(conn: Connection, user_id: UUID) -> dict[str, Any]:
    with as_user(conn, user_id):
        [(document,)] = call(conn, "export_my_data")
    assert isinstance(document, dict)
    return document


def test_every_column_that_names_a_person_is_decided(db: Connection) -> None:
    """IDN-4: a new table is exported and erased, or listed as kept with a reason."""
    schemas = [
        row[0]
        for row in db.execute(
            "select nspname::text from pg_namespace where nspname !~ '^pg_' and nspname not in"
            " ('information_schema', 'auth', 'storage', 'realtime', 'extensions', 'procrastinate',"
            " 'supabase_migrations', 'deploy', 'vault')"
        )
    ]
    found = set(db.execute(NAMING, {"schemas": schemas}).fetchall())
    listed = set(db.execute("select table_name, column_name from identity.personal_data()"))
    assert found == listed
    rows = db.execute("select * from identity.personal_data()").fetchall()
    assert {row[3] for row in rows} == {"removed", "cleared", "kept"}
    assert [row for row in rows if (row[2] is None or row[3] == "kept") and not row[4]] == []
    known = {row[0] for row in db.execute("select oid::regclass::text from pg_class")}
    assert set(NAMED_OTHERWISE) <= known


def test_the_document_holds_what_the_list_says(db: Connection, world: World) -> None:
    """IDN-4"""
    keys = {
        row[0]
        for row in db.execute("select exported_as from identity.personal_data()")
        if row[0] is not None
    }
    document = export(db, world.author)
    assert set(document) == keys | {"format", "exported_at", "user_id", "account"}
    assert document["format"] == "hub export 1"


def test_one_finds_all_of_oneself(db: Connection, world: World) -> None:
    """IDN-4"""
    author = world.author
    document = export(db, author)
    assert document["account"]["email"] == f"{author}@example.org"
    assert document["profile"]["id"] == str(author)
    assert document["preferences"] == {"locale": "en", "timezone": "UTC"}
    assert len(document["clips"]) == 3
    assert document["wallets"][0]["posted"] == 500
    assert document["statement"][0]["amount"] == 500
    assert {row["door"] for row in document["requests"]} == {"submit_clip"}
    voter = one(db, "select voter_id from public.votes limit 1")
    assert {row["label"] for row in export(db, voter)["votes"]} == {"valid", "invalid"}
    admin = export(db, world.admin)
    assert admin["roles"][0]["role"] == "moderator"
    assert {row["action"] for row in admin["record"]} >= {"role_granted"}


def test_nobody_else_is_in_it(db: Connection, world: World) -> None:
    """IDN-4, R49: no other person's id, not of voters, staff or whoever granted a role."""
    admin = make_admin(db)
    with as_user(db, admin):
        call(db, "grant_role", user_id=world.author, role="tutor", reason="why")
    everybody = {str(row[0]) for row in db.execute("select id from auth.users")}
    for user_id in (world.author, world.member, world.admin):
        text = json.dumps(export(db, user_id))
        record = json.dumps(export(db, user_id)["record"])
        others = {other for other in everybody - {str(user_id)} if other in text}
        # what one did to others stands in one's own record
        assert {other for other in others if other not in record} == set()
    assert str(admin) not in json.dumps(export(db, world.author))


def test_what_admins_did_about_one_is_in_ones_own_record(db: Connection) -> None:
    """IDN-4: also being put on a flag's list; not that somebody else was."""
    admin, user, other = make_admin(db), make_user(db), make_user(db)
    db.execute("insert into flags.flags (flag, description) values ('beta', 'x')")
    with as_user(db, admin):
        for listed in (user, other):
            call(
                db, "set_flag_for_user", flag="beta", user_id=listed, is_listed=True, reason="test"
            )
    [row] = export(db, user)["record"]
    assert (row["action"], row["subject_id"], row["acted"]) == ("flag_list_changed", "beta", False)
    assert str(admin) not in json.dumps(export(db, user))


def test_an_operators_export_says_what_is_promised_too(db: Connection) -> None:
    """IDN-4: nobody is signed in then."""
    fund(db)
    author, *voters = (make_user(db) for _ in range(3))
    clip = submit(db, author)
    for voter in voters:
        vote(db, voter, clip)
    [wallet] = one(db, "select identity.export_data(%s)", [author])["wallets"]
    assert (wallet["posted"], wallet["pending"]) == (0, 10)


def test_whoever_has_an_account_may_have_their_data(db: Connection, world: World) -> None:
    """IDN-4: also who is banned, unconfirmed or anonymous; not who is deleted or never was."""
    for user_id in (world.banned, world.unconfirmed, world.anonymous):
        assert export(db, user_id)["user_id"] == str(user_id)
    for user_id in (world.deleted, uuid4()):
        with as_user(db, user_id), refused(db, "not_a_member"):
            call(db, "export_my_data")
    with as_user(db, None, role="anon"), refused(db, "42501"):
        call(db, "export_my_data")


def test_an_operator_exports_for_somebody_who_cannot_sign_in(db: Connection) -> None:
    """IDN-4: as the owner; no API role can."""
    user = make_user(db)
    document = one(db, "select identity.export_data(%s)", [user])
    assert document["user_id"] == str(user)
    for role in ("anon", "authenticated", "service_role"):
        with as_user(db, user, role=role), refused(db, "42501"):
            db.execute("select identity.export_data(%s)", [user])


def test_a_vote_shows_in_the_voters_document_alone(db: Connection) -> None:
    """IDN-4"""
    author, voter = make_user(db), make_user(db)
    clip = submit(db, author)
    vote(db, voter, clip, "valid")
    assert [row["clip_id"] for row in export(db, voter)["votes"]] == [str(clip)]
    assert str(voter) not in json.dumps(export(db, author))
