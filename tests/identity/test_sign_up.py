"""IDN-1: a profile appears with the sign-up, and a profile never stops a sign-up."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from tests.support.callers import Connection, as_user, call, one
from tests.support.databases import FreshDatabase
from tests.support.people import make_user


def profiles_of(db: Connection, user_id: UUID) -> tuple[int, int]:
    """How many public and private profiles somebody has."""
    return (
        one(db, "select count(*) from public.profiles where id = %s", [user_id]),
        one(db, "select count(*) from identity.private_profiles where user_id = %s", [user_id]),
    )


def sign_up(database: FreshDatabase, user_id: UUID) -> list[str]:
    """As Supabase Auth does it: its own login, no claims. Gives the warnings."""
    warnings: list[str] = []
    auth = database.connect(user="supabase_auth_admin")
    auth.add_notice_handler(lambda notice: warnings.append(notice.message_primary or ""))
    auth.execute(
        "insert into auth.users (id, email, email_confirmed_at) values (%s, %s, now())",
        [user_id, f"{user_id}@example.org"],
    )
    return warnings


def test_a_profile_appears_when_auth_creates_the_user(fresh_db: FreshDatabase) -> None:
    db, user_id = fresh_db.connect(), uuid4()
    sign_up(fresh_db, user_id)
    assert profiles_of(db, user_id) == (1, 1)
    handle = one(db, "select handle from public.profiles where id = %s", [user_id])
    assert handle == "user_" + user_id.hex[-20:]


def test_many_users_in_one_statement_all_get_profiles(db: Connection) -> None:
    db.execute(
        "insert into auth.users (id, email) select gen_random_uuid(), g || '@example.org'"
        " from generate_series(1, 100) as g"
    )
    assert one(db, "select count(*) from public.profiles") == 100
    assert one(db, "select count(*) from identity.private_profiles") == 100


def test_an_anonymous_sign_in_has_a_profile_too(db: Connection) -> None:
    assert profiles_of(db, make_user(db, anonymous=True)) == (1, 1)


def test_nothing_is_taken_from_what_the_user_wrote_about_themselves(db: Connection) -> None:
    """IDN-2: user_metadata is never trusted."""
    user_id = make_user(
        db,
        user_metadata={"handle": "admin", "name": "Admin", "role": "admin", "locale": "xx"},
        app_metadata={"role": "admin", "roles": ["admin"]},
    )
    found = db.execute(
        "select handle, display_name from public.profiles where id = %s", [user_id]
    ).fetchone()
    assert found == ("user_" + user_id.hex[-20:], "")
    assert one(db, "select count(*) from identity.user_roles") == 0


@pytest.mark.parametrize(
    "obstacle",
    [
        "alter table public.profiles add constraint broken check (false) not valid",
        "alter table identity.private_profiles add constraint broken check (false) not valid",
        "alter function identity.create_profile(uuid) rename to lost",
        "create function public.broken() returns trigger language plpgsql"
        " as 'begin raise exception ''broken''; end';"
        " create trigger broken before insert on public.profiles"
        " for each row execute function public.broken()",
    ],
    ids=["public table", "private table", "missing function", "trigger"],
)
def test_a_failing_profile_never_aborts_the_sign_up_and_is_mended_later(
    fresh_db: FreshDatabase, obstacle: str
) -> None:
    db, user_id = fresh_db.connect(), uuid4()
    db.execute(obstacle)
    warnings = sign_up(fresh_db, user_id)
    assert one(db, "select count(*) from auth.users where id = %s", [user_id]) == 1
    assert profiles_of(db, user_id) == (0, 0)
    assert [w for w in warnings if f"no profile for user {user_id} yet" in w] != []


def test_a_user_without_a_profile_sees_themselves_and_gets_one_at_the_first_act(
    fresh_db: FreshDatabase,
) -> None:
    db, user_id = fresh_db.connect(), uuid4()
    db.execute("alter table public.profiles add constraint broken check (false) not valid")
    sign_up(fresh_db, user_id)
    db.execute("alter table public.profiles drop constraint broken")
    assert profiles_of(db, user_id) == (0, 0)
    with as_user(db, user_id):
        assert db.execute("select id, handle, is_member from public.me()").fetchone() == (
            user_id, None, True,
        )  # fmt: skip
        call(db, "update_profile", display_name="Ama")
    assert profiles_of(db, user_id) == (1, 1)


def test_a_taken_default_handle_does_not_cost_the_profile(fresh_db: FreshDatabase) -> None:
    """Somebody may have chosen the very handle that another person's id would make."""
    db = fresh_db.connect()
    squatter, user_id = make_user(db), uuid4()
    with as_user(db, squatter):
        call(db, "update_profile", handle="user_" + user_id.hex[-20:])
    sign_up(fresh_db, user_id)
    assert profiles_of(db, user_id) == (1, 1)


def test_a_second_profile_is_never_made(db: Connection) -> None:
    user_id = make_user(db)
    with as_user(db, user_id):
        call(db, "update_profile", handle="ama_k", display_name="Ama")
    db.execute("select identity.create_profile(%s)", [user_id])
    assert profiles_of(db, user_id) == (1, 1)
    assert one(db, "select handle from public.profiles where id = %s", [user_id]) == "ama_k"
