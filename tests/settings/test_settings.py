"""APP-12: settings change through audited doors, the dangerous ones by two admins."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.support.callers import Connection, Refusal, as_user, call, one, refused
from tests.support.databases import FreshDatabase
from tests.support.parallel import refusals, together, wait_until_any_waits
from tests.support.people import give_role, make_admin, make_moderator, make_user

REWARD = "consensus.voice.author_reward"
LEASE = "consensus.voice.lease_duration"
HEADERS = {"cf-connecting-ip": "203.0.113.7"}
RATE = "value: 1 to 1000000 per 1 to 86400 s, such as 60 per 120 s"


def change(db: Connection, admin: UUID, name: str, value: str, **other: Any) -> Any:
    """Change a setting as an admin; gives the change by field name."""
    with as_user(db, admin):
        [row] = call(db, "change_setting", name=name, value=value, reason="a test", **other)
    return dict(zip(FIELDS, row, strict=True))


def approve(db: Connection, admin: UUID, change_id: UUID, **other: Any) -> Any:
    with as_user(db, admin):
        [row] = call(db, "approve_setting_change", change_id=change_id, **other)
    return dict(zip(FIELDS, row, strict=True))


FIELDS = (
    "change_id", "name", "old_value", "new_value", "state", "reason", "proposed_by",
    "proposed_at", "expires_at", "decided_by", "decided_at",
)  # fmt: skip


def value(db: Connection, name: str) -> str:
    return str(one(db, "select value from settings.current() where name = %s", [name]))


def advance(db: Connection, interval: str) -> None:
    db.execute("select app.freeze_clock(app.now() + %s::interval)", [interval])


def test_every_setting_can_be_changed_and_put_back(db: Connection) -> None:
    """Whatever its home: one is not listed that no door could change."""
    first, second = make_admin(db), make_admin(db)
    others = {"text": "x-forwarded-for", "rate": "7 per 70 s"}
    changed = set()
    db.execute("update limits.rules set burst = 1000000 where true")
    before = dict(db.execute("select name, value from settings.current()").fetchall())
    for name, kind, old, lowest, highest, needs_approval in db.execute(
        "select name, type::text, value, lowest, highest, needs_approval from settings.current()"
    ).fetchall():
        if name.startswith(("limits.change_setting", "limits.approve_setting")):
            continue
        other = others.get(kind) or str(int(old) + 1 if int(old) < highest else lowest)
        for wanted in (other, old):
            made = change(db, first, name, wanted)
            if needs_approval:
                assert value(db, name) != wanted
                made = approve(db, second, made["change_id"])
            assert made["state"] == "applied"
            assert value(db, name) == wanted
        changed.add(name)
    after = dict(db.execute("select name, value from settings.current()").fetchall())
    assert after == before
    assert len(changed) > 40


def test_a_harmless_setting_changes_at_once(db: Connection) -> None:
    admin = make_admin(db)
    made = change(db, admin, LEASE, "600")
    assert made["state"] == "applied"
    assert made["decided_by"] == admin
    assert made["expires_at"] is None
    assert one(db, "select lease_duration::text from consensus.kinds where kind = 'voice'") == (
        "00:10:00"
    )
    assert one(db, "select lease_duration::text from consensus.kinds where kind = 'video'") == (
        "00:15:00"
    )


def test_a_dangerous_setting_waits_for_a_second_admin(db: Connection) -> None:
    first, second = make_admin(db), make_admin(db)
    made = change(db, first, REWARD, "99")
    assert made["state"] == "proposed"
    assert value(db, REWARD) == "10"
    done = approve(db, second, made["change_id"])
    assert (done["state"], done["decided_by"]) == ("applied", second)
    assert one(db, "select author_reward from consensus.kinds where kind = 'voice'") == 99


def test_nobody_approves_their_own_change(db: Connection) -> None:
    first, second = make_admin(db), make_admin(db)
    made = change(db, first, REWARD, "99")
    with refused(db, "own_setting_change") as refusal:
        approve(db, first, made["change_id"])
    assert refusal.status == 403
    assert value(db, REWARD) == "10"
    approve(db, second, made["change_id"])


def test_a_proposal_expires(db: Connection) -> None:
    db.execute("select app.freeze_clock('2026-03-01')")
    first, second = make_admin(db), make_admin(db)
    made = change(db, first, REWARD, "99")
    advance(db, "3 days")
    with refused(db, "setting_change_closed") as refusal:
        approve(db, second, made["change_id"])
    assert (refusal.status, refusal.details) == (409, "it has expired")
    with as_user(db, first):
        assert call(db, "list_setting_changes")[0][4] == "expired"
    assert change(db, first, REWARD, "98")["state"] == "proposed"
    assert value(db, REWARD) == "10"


def test_a_later_proposal_takes_the_place_of_an_earlier_one(db: Connection) -> None:
    first, second = make_admin(db), make_admin(db)
    early = change(db, first, REWARD, "99")
    late = change(db, second, REWARD, "98")
    with refused(db, "setting_change_closed") as refusal:
        approve(db, second, early["change_id"])
    assert refusal.details == "it is superseded"
    approve(db, first, late["change_id"])
    assert value(db, REWARD) == "98"


def test_a_proposal_holds_only_against_the_value_it_was_made_for(db: Connection) -> None:
    first, second = make_admin(db), make_admin(db)
    made = change(db, first, REWARD, "99")
    db.execute("update consensus.kinds set author_reward = 50 where kind = 'voice'")
    with refused(db, "setting_change_closed") as refusal:
        approve(db, second, made["change_id"])
    assert refusal.details == "the setting has another value by now"
    assert value(db, REWARD) == "50"


def test_who_proposed_must_still_be_an_admin(db: Connection) -> None:
    first, second = make_admin(db), make_admin(db)
    made = change(db, first, REWARD, "99")
    with as_user(db, second):
        call(db, "revoke_role", user_id=first, role="admin", reason="left")
        with refused(db, "setting_change_closed"):
            call(db, "approve_setting_change", change_id=made["change_id"])
    assert value(db, REWARD) == "10"


def test_bounds_that_moved_meanwhile_are_looked_at_again(db: Connection) -> None:
    first, second = make_admin(db), make_admin(db)
    made = change(db, first, "consensus.voice.min_votes", "7")
    db.execute("update consensus.kinds set max_votes = 5 where kind = 'voice'")
    with refused(db, "invalid_input") as refusal:
        approve(db, second, made["change_id"])
    assert refusal.details == "value: 1 to 5"


def test_a_proposal_can_be_given_up(db: Connection) -> None:
    first, second = make_admin(db), make_admin(db)
    made = change(db, first, REWARD, "99")
    with as_user(db, second):
        [row] = call(db, "reject_setting_change", change_id=made["change_id"], reason="too much")
        assert row[4] == "rejected"
        for door, more in (
            ("approve_setting_change", {}),
            ("reject_setting_change", {"reason": "x"}),
        ):
            with refused(db, "setting_change_closed"):
                call(db, door, change_id=made["change_id"], **more)
    assert value(db, REWARD) == "10"


def test_every_step_is_on_record(db: Connection) -> None:
    first, second = make_admin(db), make_admin(db)
    made = change(db, first, REWARD, "99")
    approve(db, second, made["change_id"])
    rows = db.execute(
        "select actor_id, action, subject_id, reason, details from audit.events"
        " where subject_type = 'setting' order by id"
    ).fetchall()
    change_id = str(made["change_id"])
    assert rows == [
        (first, "setting_change_proposed", REWARD, "a test",
         {"from": "10", "to": "99", "change_id": change_id}),
        (second, "setting_changed", REWARD, "a test",
         {"from": "10", "to": "99", "change_id": change_id, "proposed_by": str(first)}),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "given", "details"),
    [
        (REWARD, "-1", "value: 0 to 1000000"),
        (REWARD, "1000001", "value: 0 to 1000000"),
        (REWARD, "1.5", "value: 0 to 1000000"),
        (REWARD, "9" * 30, "value: 0 to 1000000"),
        (REWARD, "ten", "value: 0 to 1000000"),
        (REWARD, "", "value: 1 to 200 characters"),
        ("consensus.voice.min_votes", "8", "value: 1 to 7"),
        ("consensus.voice.max_votes", "1", "value: 2 to 1000"),
        ("limits.cast_vote.user", "0 per 60 s", RATE),
        ("limits.cast_vote.user", "5 per 86401 s", RATE),
        ("limits.cast_vote.user", "5", RATE),
        ("limits.client_address_header", "X-Real-IP", "value: text like ^[a-z0-9-]{1,64}$"),
        ("app.keep_idempotency_keys", "86399", "value: 86400 to 2592000"),
    ],
)  # fmt: skip
def test_values_have_types_and_bounds(db: Connection, name: str, given: str, details: str) -> None:
    with refused(db, "invalid_input") as refusal:
        change(db, make_admin(db), name, given)
    assert refusal.details == details


def test_a_value_is_kept_in_one_form(db: Connection) -> None:
    admin = make_admin(db)
    assert change(db, admin, LEASE, " 0600 ")["new_value"] == "600"
    assert change(db, admin, "limits.cast_vote.user", "050 per 060 s")["new_value"] == "50 per 60 s"
    with refused(db, "setting_unchanged"):
        change(db, admin, LEASE, "600")


def test_unknown_settings_and_changes_are_refused(db: Connection) -> None:
    admin = make_admin(db)
    for name in ("nothing", "consensus.voice.labels", "consensus.nothing.min_votes", "app.clock"):
        with refused(db, "setting_not_found"):
            change(db, admin, name, "1")
    with refused(db, "setting_change_not_found"):
        approve(db, admin, uuid4())


def test_changing_a_limit_changes_the_limit(db: Connection) -> None:
    """APP-6: limits are data, and admins change them with a reason."""
    admin = make_admin(db)
    change(db, admin, "limits.update_profile.user", "1 per 3600 s")
    user = make_user(db)
    with as_user(db, user):
        call(db, "update_profile", bio="hello")
        with refused(db, "rate_limited"):
            call(db, "update_profile", bio="hello")


def test_only_admins_see_and_change_settings(db: Connection) -> None:
    admin = make_admin(db)
    made = change(db, make_admin(db), REWARD, "99")
    calls: dict[str, dict[str, Any]] = {
        "list_settings": {},
        "list_setting_changes": {},
        "change_setting": {"name": LEASE, "value": "600", "reason": "x"},
        "approve_setting_change": {"change_id": made["change_id"]},
        "reject_setting_change": {"change_id": made["change_id"], "reason": "x"},
    }
    for user in (make_user(db), make_moderator(db)):
        for door, given in calls.items():
            with as_user(db, user), refused(db, "not_permitted"):
                call(db, door, **given)
    with as_user(db, admin):
        assert {row[0] for row in call(db, "list_settings")} > {REWARD, LEASE}
        for table in ("entries", "changes", "deployment"):
            with refused(db, "42501"):
                db.execute(f"select * from settings.{table}")
        with refused(db, "42501"):
            db.execute("select settings.set_environment('test', 'x')")


def test_changes_are_listed_newest_first_in_pages(db: Connection) -> None:
    admin = make_admin(db)
    for seconds in range(600, 605):
        change(db, admin, LEASE, str(seconds))
    with as_user(db, admin):
        first = call(db, "list_setting_changes", max_rows=2)
        second = call(db, "list_setting_changes", max_rows=2, before_change=first[-1][0])
    assert [row[3] for row in first + second] == ["604", "603", "602", "601"]


def test_many_approvals_at_once_apply_it_once(fresh_db: FreshDatabase) -> None:
    with fresh_db.connect() as owner:
        proposer = make_admin(owner)
        admins = [make_admin(owner) for _ in range(12)]
        made = change(owner, proposer, REWARD, "99")

        def ask(admin: UUID) -> Any:
            with fresh_db.as_user(admin) as conn:
                return call(conn, "approve_setting_change", change_id=made["change_id"])

        answers = together([partial(ask, admin) for admin in admins])
        assert refusals(answers) == ["setting_change_closed"] * 11
        applied = "select count(*) from audit.events where action = 'setting_changed'"
        assert one(owner, applied) == 1
        assert value(owner, REWARD) == "99"


def test_proposals_at_once_leave_one_open(fresh_db: FreshDatabase) -> None:
    with fresh_db.connect() as owner:
        admins = [make_admin(owner) for _ in range(10)]

        def ask(number: int, admin: UUID) -> Any:
            with fresh_db.as_user(admin) as conn:
                return call(
                    conn, "change_setting", name=REWARD, value=str(100 + number), reason="x"
                )

        answers = together([partial(ask, n, admin) for n, admin in enumerate(admins)])
        assert refusals(answers) == []
        states = dict(
            owner.execute(
                "select state::text, count(*) from settings.changes group by 1"
            ).fetchall()
        )
        assert states == {"superseded": 9, "proposed": 1}


def test_approving_meets_a_newer_proposal(fresh_db: FreshDatabase) -> None:
    """One of the two comes first; what is in force was approved, or nothing was."""
    with fresh_db.connect() as owner:
        first, second = make_admin(owner), make_admin(owner)
        for turn in range(8):
            made = change(owner, first, REWARD, str(200 + turn))

            def approve_it(made: Any = made) -> Any:
                with fresh_db.as_user(second) as conn:
                    return call(conn, "approve_setting_change", change_id=made["change_id"])

            def propose(turn: int = turn) -> Any:
                with fresh_db.as_user(first) as conn:
                    return call(
                        conn, "change_setting", name=REWARD, value=str(300 + turn), reason="x"
                    )

            before = value(owner, REWARD)
            approved, proposed = together([approve_it, propose])
            assert not isinstance(proposed, Refusal)
            expected = before if isinstance(approved, Refusal) else str(200 + turn)
            assert value(owner, REWARD) == expected


def test_one_person_with_many_roles_is_still_one(db: Connection) -> None:
    admin = give_role(db, make_admin(db), "moderator")
    made = change(db, admin, REWARD, "99")
    with refused(db, "own_setting_change"):
        approve(db, admin, made["change_id"])


def test_an_admin_of_the_proposers_making_does_not_approve(db: Connection) -> None:
    """APP-12: a second account is not a second person."""
    first, other, puppet = make_admin(db), make_admin(db), make_user(db)
    with as_user(db, first):
        call(db, "grant_role", user_id=puppet, role="admin", reason="mine")
    made = change(db, first, REWARD, "99")
    with refused(db, "approver_not_independent") as refusal:
        approve(db, puppet, made["change_id"])
    assert refusal.status == 403
    assert value(db, REWARD) == "10"
    approve(db, other, made["change_id"])
    made = change(db, puppet, REWARD, "98")
    assert approve(db, first, made["change_id"])["state"] == "applied"


def test_who_became_admin_after_the_proposal_does_not_approve(db: Connection) -> None:
    """APP-12: whoever made them one; they may for the next."""
    db.execute("select app.freeze_clock('2026-03-01')")
    first, late = make_admin(db), make_user(db)
    made = change(db, first, REWARD, "99")
    advance(db, "1 second")
    give_role(db, late, "admin")
    with refused(db, "approver_not_independent"):
        approve(db, late, made["change_id"])
    assert value(db, REWARD) == "10"
    made = change(db, first, REWARD, "98")
    assert approve(db, late, made["change_id"])["state"] == "applied"


@pytest.mark.parametrize(
    "door", ["change_setting", "approve_setting_change", "reject_setting_change"]
)
def test_who_lost_the_role_while_waiting_is_refused(fresh_db: FreshDatabase, door: str) -> None:
    """IDN-2, APP-12: the role is asked for again once the setting is theirs to change."""
    with fresh_db.connect() as owner:
        first, second = make_admin(owner), make_admin(owner)
        name = LEASE if door == "change_setting" else REWARD
        given: dict[str, Any] = {"name": LEASE, "value": "600", "reason": "x"}
        if door != "change_setting":
            made = change(owner, first, REWARD, "99")
            given = {"change_id": made["change_id"]}
        if door == "reject_setting_change":
            given["reason"] = "x"

        def ask() -> Any:
            with fresh_db.as_user(second) as conn:
                return call(conn, door, **given)

        with fresh_db.connect() as holder, ThreadPoolExecutor(1) as pool:
            with holder.transaction():
                holder.execute("select settings.lock_setting(%s)", [name])
                waiting = pool.submit(together, [ask])
                wait_until_any_waits(owner)
                owner.execute("delete from identity.user_roles where user_id = %s", [second])
            assert refusals(waiting.result()) == ["not_permitted"]
        assert one(owner, "select count(*) from settings.changes where decided_by is not null") == 0


def test_two_bounds_of_one_kind_at_once_keep_their_order(fresh_db: FreshDatabase) -> None:
    """The later approval sees what the earlier one did, and is refused in words."""
    with fresh_db.connect() as owner:
        first, second, third = (make_admin(owner) for _ in range(3))
        low = change(owner, first, "consensus.voice.min_votes", "7")
        high = change(owner, first, "consensus.voice.max_votes", "3")

        def ask(admin: UUID, made: Any) -> Any:
            with fresh_db.as_user(admin) as conn:
                return call(conn, "approve_setting_change", change_id=made["change_id"])

        with ThreadPoolExecutor(1) as pool, fresh_db.as_user(second) as early:
            call(early, "approve_setting_change", change_id=low["change_id"])
            late = pool.submit(together, [partial(ask, third, high)])
            wait_until_any_waits(owner)
        [answer] = late.result()
        assert isinstance(answer, Refusal)
        assert (answer.code, answer.details) == ("invalid_input", "value: 7 to 1000")


def test_a_limit_set_back_locks_nobody_out(db: Connection) -> None:
    """APP-6: what was used up under a mistaken limit is cut to the new period."""
    admin, user, other = make_admin(db), make_user(db), make_user(db)
    db.execute("select app.freeze_clock('2026-03-01')")
    change(db, admin, "limits.update_profile.user", "4 per 86400 s")
    for person in (user, other):
        with as_user(db, person, headers=HEADERS):
            for _ in range(4):
                call(db, "update_profile", bio="hello")
            with refused(db, "rate_limited"):
                call(db, "update_profile", bio="hello")
    change(db, admin, "limits.update_profile.user", "30 per 600 s")
    advance(db, "600 seconds")
    for person in (user, other):
        with as_user(db, person, headers=HEADERS):
            for _ in range(30):
                call(db, "update_profile", bio="hello")


def test_a_limit_is_changed_while_a_call_under_it_runs(fresh_db: FreshDatabase) -> None:
    """R55: it waits for no caller, whose slot is passed over."""
    with fresh_db.connect() as owner:
        admin, user = make_admin(owner), make_user(owner)
        change(owner, admin, "limits.update_profile.user", "8 per 86400 s")
        with fresh_db.as_user(user, headers=HEADERS) as done:
            call(done, "update_profile", bio="hello")
        with fresh_db.as_user(user, headers=HEADERS) as running:
            call(running, "update_profile", bio="hello")
            owner.execute("set lock_timeout = '1s'")
            made = change(owner, admin, "limits.update_profile.user", "30 per 600 s")
        assert made["state"] == "applied"


def test_the_doors_of_settings_stay_passable(db: Connection) -> None:
    """APP-6: one admin cannot lock the others out of mending."""
    admin = make_admin(db)
    for door in ("change_setting", "approve_setting_change", "reject_setting_change"):
        for scope in ("user", "ip"):
            for given in ("4 per 1 s", "5 per 601 s"):
                with refused(db, "invalid_input") as refusal:
                    change(db, admin, f"limits.{door}.{scope}", given)
                assert refusal.details == (
                    "value: 5 to 1000000 per 1 to 600 s, such as 60 per 120 s"
                )
    assert change(db, admin, "limits.change_setting.user", "5 per 600 s")["state"] == "applied"


def test_a_repeated_change_under_its_key_is_one(db: Connection) -> None:
    """APP-5: the late repeat of an old change does not undo a newer one."""
    admin = make_admin(db)
    first = change(db, admin, LEASE, "600", idempotency_key="a")
    change(db, admin, LEASE, "700", idempotency_key="b")
    again = change(db, admin, LEASE, "600", idempotency_key="a")
    assert again["change_id"] == first["change_id"]
    assert value(db, LEASE) == "700"
