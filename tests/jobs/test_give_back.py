"""JOB-6: a job of another release is put back, not lost."""

from __future__ import annotations

import pytest

from tests.support.callers import Connection
from tests.support.databases import FreshDatabase
from tests.support.events import value
from tests.support.parallel import together, wait_until_any_waits

TAKE = "update procrastinate.procrastinate_jobs set status = 'doing', attempts = %s where id = %s"


def held(
    db: Connection, task: str = "jobs:purge", *, attempts: int = 0, queueing_lock: str | None = None
) -> int:
    """A job in a worker's hands that it does not know."""
    job_id = int(
        value(
            db,
            "insert into procrastinate.procrastinate_jobs (queue_name, task_name, queueing_lock)"
            " values ('x', %s, %s) returning id",
            [task, queueing_lock],
        )
    )
    db.execute(TAKE, [attempts, job_id])
    return job_id


def give_back(db: Connection, job_id: int) -> str:
    return str(value(db, "select jobs.give_back(%s)", [job_id]))


def job(db: Connection, job_id: int) -> tuple[object, ...] | None:
    return db.execute(
        "select status::text, attempts, worker_id,"
        " scheduled_at between now() and now() + interval '61 seconds'"
        " from procrastinate.procrastinate_jobs where id = %s",
        [job_id],
    ).fetchone()


@pytest.mark.parametrize("attempts", [0, 500])
def test_known_task_is_put_back_as_often_as_need_be(db: Connection, attempts: int) -> None:
    job_id = held(db, attempts=attempts)
    assert give_back(db, job_id) == "given_back"
    assert job(db, job_id) == ("todo", attempts + 1, None, True)
    assert value(db, "select count(*) from jobs.attempts") == 0


def test_task_that_no_release_knows_ends_as_a_dead_letter(db: Connection) -> None:
    job_id = held(db, "x:gone", attempts=19)
    assert give_back(db, job_id) == "given_back"
    db.execute(TAKE, [20, job_id])
    assert give_back(db, job_id) == "given_up"
    assert value(db, "select status from procrastinate.procrastinate_jobs") == "failed"
    assert db.execute("select job_id, task, error_class from jobs.dead_letters").fetchall() == [
        (job_id, "x:gone", "UnknownTask")
    ]


def test_job_waiting_under_the_same_lock_does_the_work(db: Connection) -> None:
    """Putting it back would break the lock, and leave it in a dead worker's hands."""
    job_id = held(db, queueing_lock="one")
    db.execute(
        "insert into procrastinate.procrastinate_jobs (queue_name, task_name, queueing_lock)"
        " values ('x', 'jobs:purge', 'one')"
    )
    assert give_back(db, job_id) == "merged"
    assert job(db, job_id) is None
    assert value(db, "select count(*) from procrastinate.procrastinate_jobs") == 1


def test_job_whose_sibling_commits_meanwhile_is_merged(fresh_db: FreshDatabase) -> None:
    """JOB-6: it is not left in the hands of a worker that does not know it."""
    conn = fresh_db.connect()
    job_id = held(conn, queueing_lock="one")
    deferring = fresh_db.connect(autocommit=False)
    deferring.execute(
        "insert into procrastinate.procrastinate_jobs (queue_name, task_name, queueing_lock)"
        " values ('x', 'jobs:purge', 'one')"
    )

    def commit() -> None:
        wait_until_any_waits(conn)
        deferring.commit()

    other = fresh_db.connect()
    assert together([lambda: give_back(other, job_id), commit]) == ["merged", None]


def test_cancelled_job_is_not_put_back(db: Connection) -> None:
    job_id = held(db)
    db.execute(
        "update procrastinate.procrastinate_jobs set abort_requested = true where id = %s", [job_id]
    )
    assert give_back(db, job_id) == "aborted"
    assert value(db, "select status from procrastinate.procrastinate_jobs") == "aborted"


def test_job_that_left_our_hands_is_left_alone(db: Connection) -> None:
    job_id = held(db)
    assert give_back(db, job_id) == "given_back"
    assert give_back(db, job_id) == "gone"
    assert give_back(db, 0) == "gone"
