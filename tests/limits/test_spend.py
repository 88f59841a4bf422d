"""APP-6: how often a door may be called, per person and per address."""

from __future__ import annotations

from uuid import UUID

import psycopg
import pytest

from tests.limits.limits import HOME, freeze, headers, rename, spent
from tests.support.callers import Connection, Refusal, as_user, become, call, one, refused
from tests.support.databases import FreshDatabase
from tests.support.doors import doors, functions
from tests.support.limits import allow
from tests.support.people import make_moderator, make_people, make_user
from tests.support.work import submit

DOOR = "update_profile"


def test_a_burst_is_allowed_and_the_next_call_is_not(db: Connection) -> None:
    freeze(db)
    allow(db, DOOR, user=7)
    user = make_user(db)
    for _ in range(7):
        rename(db, user)
    with refused(db, "rate_limited") as refusal:
        rename(db, user)
    assert refusal.status == 429
    assert refusal.details == "update_profile: 7 calls per 60 seconds and person"


@pytest.mark.parametrize("burst", [1, 2, 3, 4, 5, 7, 30, 33, 61, 97])
def test_a_burst_is_exact_whatever_its_size(db: Connection, burst: int) -> None:
    """However it is split over slots, and whatever its period divides into."""
    freeze(db)
    allow(db, DOOR, user=burst, seconds=7)
    user = make_user(db)
    for _ in range(burst):
        rename(db, user)
    with refused(db, "rate_limited"):
        rename(db, user)


def test_a_limit_refills_evenly(db: Connection) -> None:
    """By the one clock of every rule: three a minute is one in twenty seconds."""
    freeze(db)
    allow(db, DOOR, user=3, seconds=60)
    user = make_user(db)
    for _ in range(3):
        rename(db, user)
    freeze(db, later=59.999)
    for _ in range(3):  # each slot of one call is nearly, but not quite, full again
        with refused(db, "rate_limited"):
            rename(db, user)
    freeze(db, later=60)
    for _ in range(3):
        rename(db, user)
    with refused(db, "rate_limited"):
        rename(db, user)


def allowed(db: Connection, user: UUID) -> bool:
    """Whether one more call passes now."""
    try:
        with db.transaction():
            rename(db, user)
    except psycopg.Error as error:
        if Refusal.of(error).code == "rate_limited":
            return False
        raise
    return True


def test_a_large_limit_refills_step_by_step(db: Connection) -> None:
    freeze(db)
    allow(db, DOOR, user=60, seconds=60)
    user = make_user(db)
    for _ in range(60):
        rename(db, user)
    total = 60
    for second in range(1, 13):
        freeze(db, later=second)
        while allowed(db, user):
            total += 1
        assert total <= 60 + second
    assert total == 60 + 12


def test_waiting_long_saves_up_no_more_than_a_burst(db: Connection) -> None:
    freeze(db)
    allow(db, DOOR, user=5, seconds=10)
    user = make_user(db)
    rename(db, user)
    freeze(db, later=100_000)
    for _ in range(5):
        rename(db, user)
    with refused(db, "rate_limited"):
        rename(db, user)


@pytest.mark.parametrize(("later", "seconds"), [(0, "60"), (19.5, "41"), (59.999, "1"), (30, "30")])
def test_retry_after_tells_when_to_come_back_in_whole_seconds(
    db: Connection, later: float, seconds: str
) -> None:
    freeze(db)
    allow(db, DOOR, user=1, seconds=60)
    user = make_user(db)
    rename(db, user)
    freeze(db, later=later)
    with refused(db, "rate_limited") as refusal:
        rename(db, user)
    assert refusal.headers["Retry-After"] == seconds
    freeze(db, later=later + int(seconds))
    rename(db, user)


def test_people_doors_and_addresses_are_counted_apart(db: Connection) -> None:
    freeze(db)
    allow(db, DOOR, user=1, ip=2)
    allow(db, "skip_clip", user=1, ip=2)
    clip = submit(db, make_user(db))
    one_, two, three, four = make_people(db, 4)
    rename(db, one_)
    with refused(db, "rate_limited"):
        rename(db, one_)
    with as_user(db, one_, headers=headers()):
        call(db, "skip_clip", clip_id=clip)
    rename(db, two)
    with refused(db, "rate_limited") as refusal:
        rename(db, three)
    assert refusal.details == "update_profile: 2 calls per 60 seconds and address"
    rename(db, three, "203.0.113.8")
    with refused(db, "rate_limited"):
        rename(db, four)


def test_a_call_is_counted_once_for_each_scope(db: Connection) -> None:
    """Also where the person's bucket is there and the address's is still to be made."""
    freeze(db)
    allow(db, DOOR, user=8)
    user = make_user(db)
    for n in range(8):
        rename(db, user, f"203.0.113.{n}")
    with refused(db, "rate_limited"):
        rename(db, user, "203.0.113.8")


def test_a_refusal_takes_nothing(db: Connection) -> None:
    """Neither of the person's share, when the address is over its own, nor of time to wait."""
    freeze(db)
    allow(db, DOOR, user=2, ip=1)
    user, neighbour = make_people(db, 2)
    rename(db, neighbour)
    before = db.execute("select * from limits.buckets order by 1, 2, 3").fetchall()
    for _ in range(5):
        with refused(db, "rate_limited") as refusal:
            rename(db, user)
        assert refusal.headers["Retry-After"] == "60"
    assert db.execute("select * from limits.buckets order by 1, 2, 3").fetchall() == before
    for address in ("203.0.113.8", "203.0.113.9"):
        rename(db, user, address)
    with refused(db, "rate_limited"):
        rename(db, user, "203.0.113.10")


def test_a_call_its_rule_refuses_takes_nothing(db: Connection) -> None:
    freeze(db)
    allow(db, DOOR, user=1)
    user = make_user(db)
    with as_user(db, user, headers=headers()), refused(db, "invalid_input"):
        call(db, DOOR, handle="!")
    rename(db, user)


def test_who_is_not_allowed_in_is_told_so_and_not_counted(db: Connection) -> None:
    freeze(db)
    allow(db, "votes_on_clip", user=1)
    clip = submit(db, make_user(db))
    db.execute("delete from limits.buckets where true")
    member, moderator = make_user(db), make_moderator(db)
    for _ in range(3):
        with as_user(db, member, headers=headers()), refused(db, "not_permitted"):
            call(db, "votes_on_clip", clip_id=clip)
    assert spent(db) == 0
    with as_user(db, moderator, headers=headers()):
        call(db, "votes_on_clip", clip_id=clip)
        with refused(db, "rate_limited"):
            call(db, "votes_on_clip", clip_id=clip)


def spend_as(db: Connection, user: UUID | None, role: str, given: dict[str, str] | None) -> None:
    """One call of a rule by whoever asks, with or without a request around it."""
    with db.transaction():
        db.execute(
            "create or replace function pg_temp.rule() returns void language sql security definer"
            f" as $$ select limits.spend('{DOOR}') $$"
        )
        become(db, user, role, headers=given)
        if given is None:
            db.execute("select set_config('request.headers', '', true)")
        db.execute("select pg_temp.rule()")
        db.execute("reset role")


def test_who_is_not_signed_in_has_the_address_alone(db: Connection) -> None:
    freeze(db)
    allow(db, DOOR, user=1, ip=3)
    for _ in range(3):
        spend_as(db, None, "anon", headers())
    with refused(db, "rate_limited") as refusal:
        spend_as(db, None, "anon", headers())
    assert refusal.details is not None
    assert refusal.details.endswith("address")
    with refused(db, "rate_limited"):
        rename(db, make_user(db))
    spend_as(db, None, "anon", headers("203.0.113.8"))


@pytest.mark.parametrize(
    ("role", "given"),
    [("service_role", headers()), ("service_role", {}), ("authenticated", None), ("anon", None)],
)
def test_the_service_and_work_without_a_request_have_no_limit(
    db: Connection, role: str, given: dict[str, str] | None
) -> None:
    """The worker, its clock and an operator at psql send no request."""
    freeze(db)
    allow(db, DOOR, user=1, ip=1)
    user = make_user(db)
    for _ in range(5):
        spend_as(db, user, role, given)
    assert spent(db) == 0


def test_a_token_of_service_role_must_be_one(db: Connection) -> None:
    """What a client writes into its headers makes it nobody else."""
    freeze(db)
    allow(db, DOOR, user=1, ip=1)
    user = make_user(db)
    lies = {"role": "service_role", "authorization": "Bearer service_role"}
    rename(db, user, HOME, **lies)
    with refused(db, "rate_limited"):
        rename(db, user, HOME, **lies)


def test_lowering_and_raising_a_limit_takes_effect_at_once(db: Connection) -> None:
    freeze(db)
    allow(db, DOOR, user=10, seconds=60)
    user = make_user(db)
    for _ in range(10):
        rename(db, user)
    allow(db, DOOR, user=2, seconds=60)
    with refused(db, "rate_limited"):
        rename(db, user)
    allow(db, DOOR, user=100, seconds=1)
    freeze(db, later=60)
    for _ in range(100):
        rename(db, user)
    with refused(db, "rate_limited"):
        rename(db, user)


def test_every_door_that_writes_or_costs_has_both_limits(db: Connection) -> None:
    """A door the API runs in a read-only transaction cannot count, and needs not."""
    limited = set(db.execute("select door, scope::text from limits.rules").fetchall())
    writing = [door.name for door in doors(db) if door.is_volatile]
    assert limited == {(door, scope) for door in writing for scope in ("user", "ip")}


def test_the_rule_behind_a_limited_door_spends_its_limit(db: Connection) -> None:
    limited = {row[0] for row in db.execute("select distinct door from limits.rules")}
    spending = {
        rule.name
        for schema in [row[0] for row in db.execute("select nspname from pg_namespace")]
        for rule in functions(db, schema)
        if f"limits.spend('{rule.name}')" in rule.source
    }
    assert spending == limited


def test_clients_neither_read_nor_change_limits(db: Connection) -> None:
    user = make_user(db)
    for role in ("anon", "authenticated", "service_role"):
        with as_user(db, user, role=role):
            for statement in (
                "select * from limits.rules",
                "delete from limits.buckets where true",
                "select limits.spend('cast_vote')",
                "select limits.purge_idle_buckets(1)",
            ):
                with refused(db, "42501"):
                    db.execute(statement)


def test_a_few_calls_leave_one_row_for_the_person_and_one_for_the_address(db: Connection) -> None:
    user = make_user(db)
    for _ in range(5):
        rename(db, user)
    assert spent(db) == 2


def test_idle_buckets_are_forgotten_in_bounds(db: Connection) -> None:
    freeze(db)
    allow(db, DOOR, user=1, seconds=60)
    for user in make_people(db, 5):
        rename(db, user)
    busy = make_user(db)
    rename(db, busy)
    assert one(db, "select limits.purge_idle_buckets(10)") == 0
    freeze(db, later=3 * 3600)
    rename(db, busy)
    purge = "select limits.purge_idle_buckets(2)"
    assert [one(db, purge) for _ in range(4)] == [2, 2, 1, 0]
    with refused(db, "rate_limited"):
        rename(db, busy)


def test_a_purge_never_waits_for_a_call_under_way(fresh_db: FreshDatabase) -> None:
    with fresh_db.connect() as owner:
        freeze(owner)
        user = make_user(owner)
        rename(owner, user)
        freeze(owner, later=3 * 3600)
        calling = fresh_db.connect(autocommit=False)
        rename(calling, user)
        assert one(owner, "select limits.purge_idle_buckets(10)") == 0
        calling.rollback()
        assert one(owner, "select limits.purge_idle_buckets(10)") == 2
