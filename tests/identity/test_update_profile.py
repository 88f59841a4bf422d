"""IDN-1: people change their own profile, within its bounds, through one door."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

import pytest

from tests.support.callers import Connection, as_user, call, one, refused
from tests.support.databases import FreshDatabase
from tests.support.parallel import refusals, together
from tests.support.people import make_people, make_user

FIELDS = ("handle", "display_name", "avatar_path", "bio", "locale", "timezone")


def update(db: Connection, user_id: UUID, **changes: Any) -> dict[str, Any]:
    with as_user(db, user_id):
        call(db, "update_profile", **changes)
        found: dict[str, Any] = one(db, "select to_jsonb(m) from public.me() as m")
    return {field: found[field] for field in FIELDS}


def stored(db: Connection, user_id: UUID) -> Any:
    return db.execute(
        "select p.*, s.* from public.profiles as p"
        " inner join identity.private_profiles as s on s.user_id = p.id where p.id = %s",
        [user_id],
    ).fetchone()


def test_every_field_can_be_changed(db: Connection) -> None:
    user_id = make_user(db)
    wanted = {
        "handle": "ama_k",
        "display_name": "Ama Kusi 🙂",
        "avatar_path": f"{user_id}/me.png",
        "bio": "I speak\nTwi.",
        "locale": "tw-GH",
        "timezone": "Africa/Accra",
    }
    assert update(db, user_id, **wanted) == wanted


def test_the_door_answers_with_me(db: Connection) -> None:
    user_id = make_user(db)
    with as_user(db, user_id):
        answer = call(db, "update_profile", bio="x")
        assert answer == db.execute("select * from public.me()").fetchall()


def test_fields_left_out_stay_and_empty_texts_empty(db: Connection) -> None:
    user_id = make_user(db)
    full = update(db, user_id, handle="ama_k", display_name="Ama", bio="x", locale="fr",
                  timezone="Africa/Lagos", avatar_path=f"{user_id}/a.png")  # fmt: skip
    assert update(db, user_id) == full
    emptied = update(db, user_id, **{**dict.fromkeys(FIELDS, ""), "display_name": "  "})
    assert emptied == {**full, "bio": "", "display_name": "", "avatar_path": None}


def test_handles_are_lower_case_and_trimmed(db: Connection) -> None:
    assert update(db, make_user(db), handle=" Ama_K ")["handle"] == "ama_k"


BAD = [
    ("handle", "ab"),
    ("handle", "a" * 31),
    ("handle", "ama k"),
    ("handle", "ama-k"),
    ("handle", "ämä_k"),
    ("handle", "ama\u202ek"),
    ("handle", "'; drop table public.profiles; --"),
    ("handle", "a" * 10_000_000),
    ("display_name", "x" * 81),
    ("display_name", "x" * 10_000_000),
    ("bio", "x" * 1001),
    ("bio", "x" * 10_000_000),
    ("avatar_path", "x.png"),
    ("avatar_path", "00000000-0000-0000-0000-000000000000/x.png"),
    ("avatar_path", "{id}"),
    ("avatar_path", "{id}x/a.png"),
    ("avatar_path", "{id}/../00000000-0000-0000-0000-000000000000/a.png"),
    ("avatar_path", "{id}/./a.png"),
    ("avatar_path", "{id}/a/.."),
    ("avatar_path", "{id}/"),
    ("avatar_path", "{id}//a.png"),
    ("avatar_path", "{id}/" + "x" * 400),
    ("locale", "english"),
    ("locale", "en_GB"),
    ("locale", "e"),
    ("locale", "en-"),
    ("locale", "en-abcdefghi"),
    ("timezone", "Accra"),
    ("timezone", "africa/accra; select 1"),
    ("timezone", "UTC+3"),
    ("timezone", "EST5EDT"),
    ("timezone", "posixrules"),
    ("timezone", "EST"),
    ("timezone", "posix/Africa/Accra"),
    ("timezone", "Posix/Africa/Accra"),
    ("timezone", "right/Africa/Accra"),
    ("timezone", "+03:00"),
    ("timezone", "Nowhere/Town"),
    ("timezone", "Nowhere/Town+3"),
    ("timezone", "Nowhere/Town-3:30"),
    ("timezone", "Africa/Accra5"),
    ("timezone", "Etc/GMT+13"),
    ("timezone", "Etc/GMT-15"),
    ("timezone", "Africa/Accra/"),
    ("timezone", "/Africa/Accra"),
    ("timezone", "../Africa/Accra"),
    ("timezone", "Africa/Accra\nUTC"),
    ("timezone", "x" * 61),
]


@pytest.mark.parametrize(("field", "value"), BAD, ids=[f"{f}-{v[:30]!r}" for f, v in BAD])
def test_bad_input_is_refused_by_name_and_changes_nothing(
    db: Connection, field: str, value: str
) -> None:
    user_id = make_user(db)
    before = stored(db, user_id)
    with as_user(db, user_id), refused(db, "invalid_input") as refusal:
        call(db, "update_profile", **{field: value.replace("{id}", str(user_id))})
    assert refusal.status == 400
    assert (refusal.details or "").startswith(f"{field}: ")
    assert stored(db, user_id) == before


@pytest.mark.parametrize(
    "timezone",
    [
        "UTC", "Africa/Accra", "America/Argentina/Buenos_Aires", "America/Port-au-Prince",
        "Etc/GMT+12", "Etc/GMT-14", "Etc/GMT0", "Etc/UTC",
    ],
)  # fmt: skip
def test_a_timezone_is_utc_or_a_place(db: Connection, timezone: str) -> None:
    assert update(db, make_user(db), timezone=timezone)["timezone"] == timezone


def test_every_place_postgres_knows_is_a_timezone(db: Connection) -> None:
    """The rule tells a name from an offset by its letters; no name may be lost by that."""
    names = [
        row[0]
        for row in db.execute(
            "select name from pg_timezone_names where name like '%/%'"
            " and name !~ '^(posix|right|SystemV)/'"
        )
    ]
    assert len(names) > 300
    refused_names = db.execute(
        "select n from unnest(%s::text[]) as n where identity.is_timezone(n) is not true", [names]
    ).fetchall()
    assert refused_names == []


def test_one_bad_field_leaves_the_good_ones_alone_too(db: Connection) -> None:
    user_id = make_user(db)
    before = stored(db, user_id)
    with as_user(db, user_id), refused(db, "invalid_input"):
        call(db, "update_profile", display_name="Ama", timezone="Nowhere/Town")
    assert stored(db, user_id) == before


def test_a_taken_handle_is_refused_whatever_its_case(db: Connection) -> None:
    ama, kofi = make_people(db, 2)
    update(db, ama, handle="star")
    before = stored(db, kofi)
    for handle in ("star", "STAR", " Star "):
        with as_user(db, kofi), refused(db, "handle_taken") as refusal:
            call(db, "update_profile", handle=handle, bio="x")
        assert refusal.status == 409
    assert stored(db, kofi) == before
    assert update(db, ama, handle="star")["handle"] == "star"


def test_nobody_changes_anybody_elses_profile(db: Connection) -> None:
    ama, kofi = make_people(db, 2)
    before = stored(db, ama)
    update(db, kofi, bio="mine")
    for role in ("anon", "authenticated", "service_role"):
        with as_user(db, kofi, role=role):
            for statement in (
                "update public.profiles set bio = 'x' where id = %s",
                "update public.profiles set handle = 'x' where id = %s",
                "delete from public.profiles where id = %s",
                "update identity.private_profiles set locale = 'xx' where user_id = %s",
                "insert into public.profiles (id, handle) values (%s, 'other')"
                " on conflict (id) do update set bio = 'x'",
            ):
                with refused(db, "42501"):
                    db.execute(statement, [ama])
    assert stored(db, ama) == before


def test_of_many_people_taking_one_handle_at_once_one_gets_it(fresh_db: FreshDatabase) -> None:
    with fresh_db.connect() as owner:
        people = make_people(owner, 8)

        def take(user_id: UUID) -> Any:
            with fresh_db.as_user(user_id) as conn:
                return call(conn, "update_profile", handle="star")

        results = together([partial(take, user_id) for user_id in people])
        assert refusals(results) == ["handle_taken"] * 7
        assert one(owner, "select count(*) from public.profiles where handle = 'star'") == 1
