"""APP-5: a call repeated under its key has one effect and one answer."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from tests.support.callers import Connection, Refusal, as_user, call, one, refused
from tests.support.databases import FreshDatabase
from tests.support.doors import doors
from tests.support.parallel import refusals, together, wait_until_gone, wait_until_waiting
from tests.support.people import make_admin, make_moderator, make_people, make_user
from tests.support.work import submit

CALLS = 50


def submit_with(conn: Connection, author: UUID, key: str | None, path: str, **other: Any) -> Any:
    """One submit_clip under a key, by whoever the connection is; gives the clip's id."""
    arguments: dict[str, Any] = {
        "kind": "voice",
        "language": "sw",
        "media_path": f"{author}/{path}",
        "duration_ms": 1000,
        "prompt": "Habari",
        "idempotency_key": key,
    }
    return call(conn, "submit_clip", **{**arguments, **other})[0]


def replayed(conn: Connection) -> bool:
    return "Idempotent-Replayed" in (
        one(conn, "select coalesce(current_setting('response.headers', true), '')")
    )


def clips(conn: Connection) -> int:
    return int(one(conn, "select count(*) from public.clips"))


def test_the_same_key_and_request_give_the_stored_answer(db: Connection) -> None:
    author = make_user(db)
    with as_user(db, author):
        first = submit_with(db, author, "key", "a.ogg")
        assert not replayed(db)
        assert submit_with(db, author, "key", "a.ogg") == first
        assert replayed(db)
    assert clips(db) == 1


def test_the_stored_answer_is_the_first_one_whatever_happened_since(db: Connection) -> None:
    author = make_user(db)
    with as_user(db, author):
        first = submit_with(db, author, "key", "a.ogg")
    db.execute("update public.clips set prompt = 'changed', version = 9 where true")
    with as_user(db, author):
        assert submit_with(db, author, "key", "a.ogg") == first


@pytest.mark.parametrize(
    "other",
    [
        {"prompt": "Jambo"},
        {"transcript": "Jambo"},
        {"duration_ms": 1001},
        {"language": "yo"},
        {"kind": "video"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_the_same_key_for_another_request_is_refused(db: Connection, other: dict[str, Any]) -> None:
    author = make_user(db)
    with as_user(db, author):
        submit_with(db, author, "key", "a.ogg")
        with refused(db, "idempotency_key_reused") as refusal:
            submit_with(db, author, "key", "a.ogg", **other)
        assert refusal.status == 422
    assert clips(db) == 1


def test_one_key_at_two_doors_is_refused(db: Connection) -> None:
    user = make_user(db)
    db.execute("select app.claim_idempotency_key(%s, 'key', 'door_a', '{}')", [user])
    with refused(db, "idempotency_key_reused"):
        db.execute("select app.claim_idempotency_key(%s, 'key', 'door_b', '{}')", [user])


def test_keys_are_per_caller(db: Connection) -> None:
    author, other = make_people(db, 2)
    with as_user(db, author):
        mine = submit_with(db, author, "key", "a.ogg")
    with as_user(db, other):
        theirs = submit_with(db, other, "key", "a.ogg")
    assert mine[0] != theirs[0]
    assert clips(db) == 2


def test_each_key_of_a_caller_has_its_own_answer(db: Connection) -> None:
    author = make_user(db)
    with as_user(db, author):
        answers = [submit_with(db, author, f"key-{n}", f"{n}.ogg") for n in range(3)]
        assert [submit_with(db, author, f"key-{n}", f"{n}.ogg") for n in range(3)] == answers
    assert clips(db) == 3


def test_without_a_key_nothing_is_remembered(db: Connection) -> None:
    author = make_user(db)
    with as_user(db, author):
        submit_with(db, author, None, "a.ogg")
        with refused(db, "media_already_used"):
            submit_with(db, author, None, "a.ogg")
    assert one(db, "select count(*) from app.idempotency_keys") == 0


@pytest.mark.parametrize("key", ["", "k" * 256, "k" * 10_000_000], ids=["empty", "long", "huge"])
def test_a_key_of_no_use_is_refused(db: Connection, key: str) -> None:
    author = make_user(db)
    with as_user(db, author), refused(db, "invalid_input") as refusal:
        submit_with(db, author, key, "a.ogg")
    assert refusal.details == "idempotency_key: 1 to 255 characters"
    assert clips(db) == 0


def test_a_refused_call_leaves_its_key_free(db: Connection) -> None:
    author = make_user(db)
    with as_user(db, author):
        with refused(db, "unknown_language"):
            submit_with(db, author, "key", "a.ogg", language="xx")
        submit_with(db, author, "key", "a.ogg")
    assert clips(db) == 1


def test_clients_neither_read_nor_write_stored_answers(db: Connection) -> None:
    author = make_user(db)
    with as_user(db, author):
        submit_with(db, author, "key", "a.ogg")
    for role in ("anon", "authenticated", "service_role"):
        with as_user(db, author, role=role):
            with refused(db, "42501"):
                db.execute("select * from app.idempotency_keys")
            with refused(db, "42501"):
                db.execute("delete from app.idempotency_keys where true")
            with refused(db, "42501"):
                db.execute("select app.store_idempotent_response(%s, 'key', '{}')", [author])
    assert one(db, "select count(*) from app.idempotency_keys") == 1


def test_fifty_calls_at_once_have_one_effect_and_one_answer(fresh_db: FreshDatabase) -> None:
    with fresh_db.connect() as owner:
        author = make_user(owner)

        def submit() -> Any:
            with fresh_db.as_user(author) as conn:
                return submit_with(conn, author, "key", "a.ogg")

        answers = together([submit] * CALLS)
        assert len({str(answer) for answer in answers}) == 1
        assert refusals(answers) == []
        assert clips(owner) == 1
        assert one(owner, "select count(*) from consensus.items") == 1


def test_fifty_callers_at_once_do_not_share_a_key(fresh_db: FreshDatabase) -> None:
    with fresh_db.connect() as owner:
        people = make_people(owner, CALLS)

        def submit(author: UUID) -> Any:
            with fresh_db.as_user(author) as conn:
                return submit_with(conn, author, "key", "a.ogg")[0]

        answers = together([partial(submit, author) for author in people])
        assert len(set(answers)) == CALLS
        assert clips(owner) == CALLS


def test_of_two_different_requests_at_once_one_is_refused(fresh_db: FreshDatabase) -> None:
    with fresh_db.connect() as owner:
        author = make_user(owner)

        def submit(path: str) -> Any:
            with fresh_db.as_user(author) as conn:
                return submit_with(conn, author, "key", path)

        answers = together([partial(submit, "a.ogg"), partial(submit, "b.ogg")])
        assert refusals(answers) == ["idempotency_key_reused"]
        assert clips(owner) == 1


def test_a_second_call_waits_and_gets_the_first_ones_answer(fresh_db: FreshDatabase) -> None:
    with fresh_db.connect() as owner:
        author = make_user(owner)
        first, second = (fresh_db.connect(autocommit=False) for _ in range(2))
        with as_user(first, author):
            answer = submit_with(first, author, "key", "a.ogg")

        def repeat() -> Any:
            with as_user(second, author):
                return submit_with(second, author, "key", "a.ogg")

        def commit_once_waited_for() -> None:
            wait_until_waiting(owner, second.info.backend_pid)
            first.commit()

        repeated, _ = together([repeat, commit_once_waited_for])
        second.commit()
        assert repeated == answer
        assert clips(owner) == 1


@pytest.mark.parametrize("end", ["rollback", "crash"])
def test_work_that_was_never_committed_is_done_by_the_repeat(
    fresh_db: FreshDatabase, end: str
) -> None:
    """The effect and the answer are saved by one commit: there is no moment between them."""
    with fresh_db.connect() as owner:
        author = make_user(owner)
        first, second = (fresh_db.connect(autocommit=False) for _ in range(2))
        pid = first.info.backend_pid
        with as_user(first, author):
            lost = submit_with(first, author, "key", "a.ogg")

        def repeat() -> Any:
            with as_user(second, author):
                return submit_with(second, author, "key", "a.ogg")

        def end_once_waited_for() -> None:
            wait_until_waiting(owner, second.info.backend_pid)
            if end == "crash":
                owner.execute("select pg_terminate_backend(%s)", [pid])
                wait_until_gone(owner, pid)
            else:
                first.rollback()

        done, _ = together([repeat, end_once_waited_for])
        second.commit()
        assert not isinstance(done, Refusal), done
        assert done[0] != lost[0]
        assert one(owner, "select array_agg(id) from public.clips") == [done[0]]
        with fresh_db.as_user(author) as conn:
            assert submit_with(conn, author, "key", "a.ogg") == done
        if end == "crash":
            with pytest.raises(psycopg.OperationalError):
                first.commit()


def test_a_call_that_waits_too_long_is_told_to_come_back(fresh_db: FreshDatabase) -> None:
    with fresh_db.connect() as owner:
        assert "lock_timeout=5s" in one(
            owner,
            "select proconfig from pg_proc where oid = 'app.claim_idempotency_key'::regproc",
        )
        owner.execute(
            "alter function app.claim_idempotency_key(uuid, text, text, jsonb)"
            " set lock_timeout = '20ms'"
        )
        author = make_user(owner)
        first = fresh_db.connect(autocommit=False)
        with as_user(first, author):
            submit_with(first, author, "key", "a.ogg")
        with fresh_db.as_user(author) as conn:
            with refused(conn, "idempotency_key_in_use") as refusal:
                submit_with(conn, author, "key", "a.ogg")
            assert refusal.status == 409
            assert refusal.headers["Retry-After"] == "1"
        first.commit()
        assert clips(owner) == 1


def test_keys_are_kept_a_day_and_purged_in_bounds(db: Connection) -> None:
    user = make_user(db)
    db.execute(
        "insert into app.idempotency_keys (user_id, key, door, request_digest, created_at)"
        " select %s, 'key' || g, 'door', '', now() - g * interval '1 day' - interval '1 minute'"
        " from generate_series(0, 6) as g",
        [user],
    )
    purge = "select app.purge_idempotency_keys(3)"
    assert [one(db, purge), one(db, purge), one(db, purge)] == [3, 2, 0]
    kept = db.execute("select key from app.idempotency_keys order by key").fetchall()
    assert kept == [("key0",), ("key1",)]


def test_purging_takes_the_oldest_first_and_never_a_locked_one(fresh_db: FreshDatabase) -> None:
    with fresh_db.connect() as owner:
        owner.execute(
            "insert into app.idempotency_keys (user_id, key, door, request_digest, created_at)"
            " select %s, 'key' || g, 'door', '', now() - g * interval '1 day'"
            " from generate_series(3, 5) as g",
            [uuid4()],
        )
        busy = fresh_db.connect(autocommit=False)
        busy.execute("select from app.idempotency_keys where key = 'key5' for update")
        assert one(owner, "select app.purge_idempotency_keys(1)") == 1
        busy.rollback()
        kept = owner.execute("select key from app.idempotency_keys order by key").fetchall()
        assert kept == [("key3",), ("key5",)]


@pytest.mark.parametrize(
    ("other", "field"),
    [
        ({"prompt": "Jambo"}, "prompt"),
        ({"kind": "video", "language": "yo"}, "kind, language"),
        ({"transcript": "Jambo"}, "transcript"),
        ({"path": "b.ogg"}, "media_path"),
    ],
)
def test_the_refusal_names_what_differs(db: Connection, other: dict[str, Any], field: str) -> None:
    author = make_user(db)
    with as_user(db, author):
        submit_with(db, author, "key", "a.ogg")
        with refused(db, "idempotency_key_reused") as refusal:
            submit_with(db, author, "key", **{"path": "a.ogg", **other})
    assert refusal.details == f"differs in {field}"


def test_another_door_is_named(db: Connection) -> None:
    admin = make_admin(db)
    with as_user(db, admin):
        submit_with(db, admin, "key", "a.ogg")
        with refused(db, "idempotency_key_reused") as refusal:
            call(db, "set_flag", flag="x", reason="x", idempotency_key="key")
    assert refusal.details == "used at submit_clip"


def test_no_value_of_a_request_is_kept_with_its_key(db: Connection) -> None:
    """Digests only, and not the same ones for the same value under another key."""
    author = make_user(db)
    with as_user(db, author):
        for key in ("one", "two"):
            submit_with(db, author, key, f"{key}.ogg", prompt="a secret phrase")
    rows = db.execute("select request, request::text from app.idempotency_keys").fetchall()
    assert all("secret" not in text and "voice" not in text for _, text in rows)
    assert len({request["prompt"] for request, _ in rows}) == 2


def test_a_key_of_the_release_before_still_gives_its_answer(db: Connection) -> None:
    """Its row knows its door and not its fields."""
    author = make_user(db)
    with as_user(db, author):
        first = submit_with(db, author, "key", "a.ogg")
    db.execute("update app.idempotency_keys set request = null where true")
    with as_user(db, author):
        assert submit_with(db, author, "key", "a.ogg") == first


@pytest.mark.parametrize("header", ["key", '"key"', ' "key" '])
def test_the_key_may_come_as_a_header(db: Connection, header: str) -> None:
    author = make_user(db)
    with as_user(db, author, headers={"idempotency-key": header}):
        first = submit_with(db, author, None, "a.ogg")
        assert submit_with(db, author, None, "a.ogg") == first
        assert submit_with(db, author, "key", "a.ogg") == first
        with refused(db, "invalid_input"):
            submit_with(db, author, "other", "a.ogg")
    with as_user(db, author):
        assert submit_with(db, author, "key", "a.ogg") == first
    assert clips(db) == 1


def test_a_header_of_no_use_is_refused(db: Connection) -> None:
    author = make_user(db)
    for header in ("", '""', "k" * 256):
        given = as_user(db, author, headers={"idempotency-key": header})
        with given, refused(db, "invalid_input"):
            submit_with(db, author, None, "a.ogg")
    assert clips(db) == 0


# Doors that create or move something, each with a change that undoes it in between: a repeat
# under the key gives the old answer and does not do the work again.

REPEATED: dict[str, tuple[dict[str, Any], str, str]] = {
    "submit_clip": (
        {"kind": "voice", "language": "sw", "media_path": "{admin}/x.ogg", "duration_ms": 1000,
         "prompt": "Habari"},
        "delete from consensus.items where author_id = '{admin}'",
        "select count(*) from public.clips where prompt = 'Habari'",
    ),
    "set_validation_status": (
        {"clip_id": "{clip}", "status": "valid", "reason": "x"},
        "select",
        "select count(*) from consensus.decisions",
    ),
    "grant_role": (
        {"user_id": "{user}", "role": "tutor", "reason": "x"},
        "delete from identity.user_roles where role = 'tutor'",
        "select count(*) + 1 from identity.user_roles where role = 'tutor'",
    ),
    "revoke_role": (
        {"user_id": "{user}", "role": "student", "reason": "x"},
        "insert into identity.user_roles (user_id, role) values ('{user}', 'student')",
        "select count(*) from identity.user_roles where role = 'student'",
    ),
    "set_flag": (
        {"flag": "x", "reason": "x", "is_on": True},
        "update flags.flags set is_on = false where true",
        "select count(*) from flags.flags where flag = 'x' and not is_on",
    ),
    "set_flag_for_user": (
        {"flag": "known", "user_id": "{user}", "is_listed": True, "reason": "x"},
        "delete from flags.listed_users where true",
        "select count(*) + 1 from flags.listed_users",
    ),
    "change_setting": (
        {"name": "consensus.voice.lease_duration", "value": "600", "reason": "x"},
        "update consensus.kinds set lease_duration = '700 s' where true",
        "select count(*) from consensus.kinds where kind = 'voice' and lease_duration = '700 s'",
    ),
    "approve_setting_change": (
        {"change_id": "{change}"},
        "update consensus.kinds set author_reward = 10 where true",
        "select count(*) from consensus.kinds where kind = 'voice' and author_reward = 10",
    ),
    "reject_setting_change": (
        {"change_id": "{change}", "reason": "x"},
        "select",
        "select count(*) from settings.changes where state = 'rejected'",
    ),
}  # fmt: skip


# what happens to a person who leaves: tests/identity
TRIED_ELSEWHERE = {"erase_account", "erase_my_account"}


def test_every_door_with_a_key_is_tried_here(db: Connection) -> None:
    keyed = {
        door.name
        for door in doors(db)
        if door.arguments and door.arguments[-1].name == "idempotency_key"
    }
    assert keyed == set(REPEATED) | TRIED_ELSEWHERE


@pytest.mark.parametrize("door", REPEATED)
def test_a_repeat_does_nothing_again(db: Connection, door: str) -> None:
    arguments, meanwhile, once = REPEATED[door]
    admin, other, user = make_admin(db), make_admin(db), make_user(db)
    db.execute("insert into identity.user_roles (user_id, role) values (%s, 'student')", [user])
    with as_user(db, other):
        call(db, "set_flag", flag="known", reason="x")
        [(change, *_)] = call(
            db, "change_setting", name="consensus.voice.author_reward", value="11", reason="x"
        )
    names = {"admin": admin, "user": user, "clip": submit(db, user), "change": change}
    given = {
        name: value.format(**names) if isinstance(value, str) else value
        for name, value in arguments.items()
    }
    with as_user(db, admin):
        first = call(db, door, **given, idempotency_key="key")
    db.execute(meanwhile.format(**names).encode())
    recorded = one(db, "select count(*) from audit.events")
    with as_user(db, admin):
        assert call(db, door, **given, idempotency_key="key") == first
    assert replayed(db)
    assert one(db, once) == 1
    assert one(db, "select count(*) from audit.events") == recorded


def test_funding_the_pool_twice_under_one_key_funds_it_once(db: Connection) -> None:
    """For a tool of the operator's, which has no person to keep the key under."""
    fund_it = "select ledger.fund_reward_pool('USD', 1000, 'may')"
    pool = "select sum(posted)::int from ledger.accounts where purpose = 'reward_pool'"
    with as_user(db, None, role="service_role"):
        first = one(db, fund_it)
        assert one(db, fund_it) == first
        with refused(db, "idempotency_key_reused") as refusal:
            db.execute("select ledger.fund_reward_pool('USD', 1001, 'may')")
    assert refusal.details == "differs in amount"
    assert one(db, pool) == 1000


def test_fifty_approvals_of_one_status_at_once_are_one(fresh_db: FreshDatabase) -> None:
    with fresh_db.connect() as owner:
        moderator, author = make_moderator(owner), make_user(owner)
        clip = submit(owner, author)

        def decide() -> Any:
            with fresh_db.as_user(moderator) as conn:
                return call(
                    conn, "set_validation_status",
                    clip_id=clip, status="valid", reason="x", idempotency_key="key",
                )  # fmt: skip

        answers = together([decide] * CALLS)
        assert refusals(answers) == []
        assert len({str(answer) for answer in answers}) == 1
        assert one(owner, "select count(*) from consensus.decisions") == 1
