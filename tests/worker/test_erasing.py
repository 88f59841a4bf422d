"""IDN-4, JOB-4: an erased account's sign-in is deleted at Supabase Auth, whatever that answers."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from tests.support.callers import Connection, one
from tests.support.databases import FreshDatabase
from tests.support.people import make_user
from tests.support.running import Sandbox, WorkerProcess

StartWorker = Callable[..., WorkerProcess]


def leave(fresh_db: FreshDatabase, user_id: UUID) -> None:
    with fresh_db.as_user(user_id) as conn:
        conn.execute("select public.erase_my_account('erase my account')")


@pytest.fixture
def person(conn: Connection) -> UUID:
    conn.execute(
        "update jobs.settings set backoff_base = '50 ms', backoff_cap = '100 ms' where true"
    )
    return make_user(conn)


def is_done(conn: Connection) -> bool:
    return bool(one(conn, "select sign_in_deleted_at is not null from identity.erasures"))


def calls(sandbox: Sandbox, person: UUID) -> list[int | None]:
    return [each["status"] for each in sandbox.requests() if each["topics"] == [str(person)]]


def test_the_sign_in_is_deleted_once(
    conn: Connection, sandbox: Sandbox, start_worker: StartWorker, fresh_db: FreshDatabase,
    person: UUID,
) -> None:  # fmt: skip
    """IDN-4"""
    leave(fresh_db, person)
    start_worker().wait_until(lambda: is_done(conn))
    assert calls(sandbox, person) == [200]


@pytest.mark.parametrize("fault", ["500", "drop_after_accept"])
def test_a_failure_is_tried_again(
    conn: Connection, sandbox: Sandbox, start_worker: StartWorker, fresh_db: FreshDatabase,
    person: UUID, fault: str,
) -> None:  # fmt: skip
    """IDN-4, JOB-5: and a user whom a lost call deleted is gone, which is what was wanted."""
    sandbox.fail(fault, topic=str(person))
    leave(fresh_db, person)
    start_worker().wait_until(lambda: is_done(conn))
    expected = {"500": [500, 200], "drop_after_accept": [0, 404]}[fault]
    assert calls(sandbox, person) == expected
    assert one(conn, "select count(*) from jobs.dead_letters") == 0


def test_a_wait_the_provider_asks_for_is_no_attempt(
    conn: Connection, sandbox: Sandbox, start_worker: StartWorker, fresh_db: FreshDatabase,
    person: UUID,
) -> None:  # fmt: skip
    """IDN-4, JOB-5: 429 with Retry-After."""
    sandbox.fail("429", topic=str(person), seconds=1)
    leave(fresh_db, person)
    start_worker().wait_until(lambda: is_done(conn))
    assert calls(sandbox, person) == [429, 200]
    assert one(conn, "select outcome from jobs.attempts") == "snoozed"


def test_a_wrong_key_gives_nothing_up(
    conn: Connection, sandbox: Sandbox, start_worker: StartWorker, fresh_db: FreshDatabase,
    person: UUID,
) -> None:  # fmt: skip
    """IDN-4: 401 is our settings' fault: the job waits and spends no attempt."""
    leave(fresh_db, person)
    wrong = start_worker(secret_key="sb_secret_sandbox_wrong")
    wrong.wait_until(
        lambda: one(conn, "select count(*) from jobs.attempts where outcome = 'snoozed'")
    )
    assert calls(sandbox, person) == [401]
    assert not is_done(conn)
    assert one(conn, "select scheduled_at > now() from procrastinate.procrastinate_jobs"
                     " where task_name = 'identity:delete_sign_in'")  # fmt: skip


def test_an_answer_that_is_not_supabase_auths_deletes_nobody(
    conn: Connection, sandbox: Sandbox, start_worker: StartWorker, fresh_db: FreshDatabase,
    person: UUID,
) -> None:  # fmt: skip
    """IDN-4: a 404 of a server that knows no such address is not taken for a user who is gone."""
    leave(fresh_db, person)
    worker = start_worker(auth_url=f"{sandbox.url}/elsewhere")
    worker.wait_until(lambda: one(conn, "select count(*) from jobs.attempts"))
    assert not is_done(conn)


def test_a_worker_killed_after_the_call_leaves_it_to_the_next(
    conn: Connection, sandbox: Sandbox, start_worker: StartWorker, fresh_db: FreshDatabase,
    person: UUID,
) -> None:  # fmt: skip
    """IDN-4, JOB-8: the lease runs out, the user is found to be gone."""
    sandbox.fail("hold_after_accept", topic=str(person))
    leave(fresh_db, person)
    quick = {
        "lease": "2", "auth_timeout": "1.5", "realtime_timeout": "1.5", "stalled_after": "3",
    }  # fmt: skip
    first = start_worker(**quick)
    first.wait_until(sandbox.holds_one)
    first.kill()
    sandbox.release()
    start_worker(**quick).wait_until(lambda: is_done(conn))
    assert calls(sandbox, person)[-1] == 404


def test_the_worker_withdraws_the_clips(
    conn: Connection, start_worker: StartWorker, fresh_db: FreshDatabase, person: UUID
) -> None:
    """IDN-4: the job of every minute, called by hand here."""
    with fresh_db.as_user(person) as caller:
        caller.execute(
            "select public.submit_clip('voice', 'sw', %s, 1000, 'hello')", [f"{person}/a.ogg"]
        )
    leave(fresh_db, person)
    worker = start_worker().wait_ready()
    conn.execute(
        "select jobs.defer('identity:finish_erasures', '{\"timestamp\": 0}',"
        " p_queueing_lock => 'identity:finish_erasures')"
    )
    worker.wait_until(lambda: one(conn, "select is_hidden from public.clips"))
