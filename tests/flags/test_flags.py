"""APP-8: features switched for all, for a stable share of people, or for a list."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from tests.support.callers import Connection, as_user, call, one, refused
from tests.support.doors import doors
from tests.support.people import make_admin, make_moderator, make_people, make_user

FLAG_DOORS = ("list_flags", "set_flag", "set_flag_for_user")


@pytest.fixture
def admin(db: Connection) -> UUID:
    return make_admin(db)


def set_flag(db: Connection, admin: UUID, flag: str = "new_feed", **values: Any) -> Any:
    with as_user(db, admin):
        return call(db, "set_flag", flag=flag, reason="trying it out", **values)[0]


def my_flags(db: Connection, user: UUID) -> dict[str, bool]:
    with as_user(db, user):
        return dict(call(db, "my_flags"))


def has(db: Connection, user: UUID | None, flag: str = "new_feed") -> bool:
    return bool(one(db, "select flags.is_on(%s, %s)", [flag, user]))


def test_a_flag_is_off_until_it_is_switched_on(db: Connection, admin: UUID) -> None:
    user = make_user(db)
    assert not has(db, user)
    set_flag(db, admin)
    assert my_flags(db, user) == {"new_feed": False}
    set_flag(db, admin, is_on=True)
    assert my_flags(db, user) == {"new_feed": True}
    set_flag(db, admin, is_on=False)
    assert my_flags(db, user) == {"new_feed": False}


def test_what_is_left_out_stays(db: Connection, admin: UUID) -> None:
    set_flag(db, admin, is_on=True, percentage=25, description="The feed of next year")
    assert set_flag(db, admin)[:4] == ("new_feed", True, 25, "The feed of next year")
    assert set_flag(db, admin, percentage=0, description="")[:4] == ("new_feed", True, 0, "")


def test_a_percentage_is_that_share_of_people(db: Connection, admin: UUID) -> None:
    people = [UUID(int=n * 7919) for n in range(1, 4001)]
    for percentage in map(Decimal, ("0", "10", "50", "99.5", "100")):
        set_flag(db, admin, is_on=True, percentage=percentage)
        share = one(
            db,
            "select 100.0 * count(*) filter (where flags.is_on('new_feed', id)) / count(*)"
            " from unnest(%s::uuid[]) as u (id)",
            [people],
        )
        assert abs(share - percentage) < 2.5, percentage


def test_who_has_a_feature_keeps_it_as_the_share_grows(db: Connection, admin: UUID) -> None:
    people = make_people(db, 60)
    had: set[UUID] = set()
    for percentage in (5, 20, 21, 60, 100):
        set_flag(db, admin, is_on=True, percentage=percentage)
        having = {user for user in people if has(db, user)}
        assert had <= having
        assert having == {user for user in people if has(db, user)}
        had = having
    assert had == set(people)


def test_each_flag_draws_its_own_people(db: Connection, admin: UUID) -> None:
    """Or the same unlucky ones would try every half-done feature."""
    people = make_people(db, 80)
    for flag in ("first", "second"):
        set_flag(db, admin, flag, is_on=True, percentage=50)
    first, second = ({u for u in people if has(db, u, flag)} for flag in ("first", "second"))
    assert first != second
    assert first & second


def test_the_draw_never_changes(db: Connection, admin: UUID) -> None:
    """With a release, a server or a major version of Postgres."""
    set_flag(db, admin, is_on=True, percentage=50)
    drawn = [n for n in range(12) if has(db, UUID(int=n))]
    assert drawn == [0, 1, 2, 3, 7, 10, 11]


def test_listed_people_have_what_is_on(db: Connection, admin: UUID) -> None:
    tester, other = make_people(db, 2)
    set_flag(db, admin, is_on=True, percentage=0)
    with as_user(db, admin):
        for _ in range(2):
            [row] = call(
                db, "set_flag_for_user",
                flag="new_feed", user_id=tester, is_listed=True, reason="tests it",
            )  # fmt: skip
    assert row[4] == [tester]
    assert has(db, tester)
    assert not has(db, other)
    set_flag(db, admin, is_on=False)
    assert not has(db, tester)
    set_flag(db, admin, is_on=True)
    with as_user(db, admin):
        call(
            db, "set_flag_for_user",
            flag="new_feed", user_id=tester, is_listed=False, reason="done",
        )  # fmt: skip
    assert not has(db, tester)


def test_nobody_in_particular_has_only_what_everybody_has(db: Connection, admin: UUID) -> None:
    set_flag(db, admin, is_on=True, percentage=Decimal("99.99"))
    assert not has(db, None)
    set_flag(db, admin, percentage=100)
    assert has(db, None)


def test_rules_ask_for_the_caller(db: Connection, admin: UUID) -> None:
    tester, other = make_people(db, 2)
    set_flag(db, admin, is_on=True, percentage=0)
    db.execute("insert into flags.listed_users (flag, user_id) values ('new_feed', %s)", [tester])
    for user, expected in ((tester, True), (other, False)):
        db.execute(
            "select set_config('request.jwt.claims', %s, true)", [json.dumps({"sub": str(user)})]
        )
        assert one(db, "select flags.is_on('new_feed')") is expected


def test_me_names_what_is_on(db: Connection, admin: UUID) -> None:
    user = make_user(db)
    set_flag(db, admin, "second", is_on=True)
    set_flag(db, admin, "first", is_on=True)
    set_flag(db, admin, "third", is_on=False)
    with as_user(db, user):
        assert one(db, "select (public.me()).flags") == ["first", "second"]


def test_guests_learn_their_flags_too(db: Connection, admin: UUID) -> None:
    set_flag(db, admin, is_on=True)
    assert my_flags(db, make_user(db, anonymous=True)) == {"new_feed": True}


def test_every_change_is_on_record_with_its_reason(db: Connection, admin: UUID) -> None:
    user = make_user(db)
    set_flag(db, admin, is_on=True, percentage=10)
    set_flag(db, admin, percentage=20)
    with as_user(db, admin):
        call(db, "set_flag_for_user", flag="new_feed", user_id=user, is_listed=True, reason="x")
    rows = db.execute(
        "select actor_id, action, reason, details from audit.events"
        " where subject_type = 'flag' order by id"
    ).fetchall()
    assert rows == [
        (admin, "flag_set", "trying it out",
         {"is_on": True, "percentage": 10.00, "was_on": None, "was_percentage": None}),
        (admin, "flag_set", "trying it out",
         {"is_on": True, "percentage": 20.00, "was_on": True, "was_percentage": 10.00}),
        (admin, "flag_list_changed", "x", {"user_id": str(user), "is_listed": True}),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "details"),
    [
        ({"flag": "New"}, "flag: a to z, 0 to 9 and _, beginning with a letter"),
        ({"flag": " "}, "flag: 1 to 63 characters"),
        ({"percentage": -1}, "percentage: 0 to 100"),
        ({"percentage": Decimal("100.01")}, "percentage: 0 to 100"),
        ({"percentage": Decimal("NaN")}, "percentage: 0 to 100"),
        ({"reason": ""}, "reason: 1 to 2000 characters"),
        ({"description": "x" * 501}, "description: 0 to 500 characters"),
    ],
)
def test_values_have_bounds(
    db: Connection, admin: UUID, values: dict[str, Any], details: str
) -> None:
    given = {"flag": "new_feed", "reason": "x", **values}
    with as_user(db, admin), refused(db, "invalid_input") as refusal:
        call(db, "set_flag", **given)
    assert refusal.details == details


def test_unknown_flags_and_people_are_refused(db: Connection, admin: UUID) -> None:
    user = make_user(db)
    set_flag(db, admin)
    with as_user(db, admin):
        with refused(db, "flag_not_found") as refusal:
            call(db, "set_flag_for_user", flag="x", user_id=user, is_listed=True, reason="x")
        assert refusal.status == 404
        with refused(db, "user_not_found"):
            call(
                db, "set_flag_for_user",
                flag="new_feed", user_id=UUID(int=1), is_listed=True, reason="x",
            )  # fmt: skip


def test_only_admins_see_and_change_flags(db: Connection, admin: UUID) -> None:
    """Stranger, member and moderator alike; and nobody writes the tables."""
    set_flag(db, admin)
    calls: dict[str, dict[str, Any]] = {
        "list_flags": {},
        "set_flag": {"flag": "new_feed", "is_on": True, "reason": "x"},
        "set_flag_for_user": {
            "flag": "new_feed", "user_id": admin, "is_listed": True, "reason": "x",
        },
    }  # fmt: skip
    assert set(calls) == set(FLAG_DOORS) <= {door.name for door in doors(db)}
    for user in (make_user(db), make_moderator(db)):
        for door, given in calls.items():
            with as_user(db, user), refused(db, "not_permitted"):
                call(db, door, **given)
    with as_user(db, admin):
        for door, given in calls.items():
            call(db, door, **given)
        with refused(db, "42501"):
            db.execute("update flags.flags set is_on = true where true")
        with refused(db, "42501"):
            db.execute("select flags.is_on('new_feed', null)")


def test_a_percentage_has_two_decimals_at_most(db: Connection, admin: UUID) -> None:
    """99.999 is not everybody."""
    for given in ("99.999", "0.001"):
        with refused(db, "invalid_input") as refusal:
            set_flag(db, admin, percentage=Decimal(given))
        assert refusal.details == "percentage: two decimals at most"
    assert set_flag(db, admin, percentage=Decimal("99.990"))[2] == Decimal("99.99")


def test_one_number_written_two_ways_is_one_request(db: Connection, admin: UUID) -> None:
    """APP-5: the repeat of a call may write 10 as 10.0."""
    first = set_flag(db, admin, percentage=Decimal("10"), idempotency_key="k")
    assert set_flag(db, admin, percentage=Decimal("10.0"), idempotency_key="k") == first
