"""JOB-3, JOB-4, JOB-8: events reach their topics, whatever Realtime does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.callers import Connection
from tests.support.events import Client, emit, tune_stream, value
from tests.support.running import Sandbox, WorkerProcess, until

StartWorker = Callable[..., WorkerProcess]

UNSETTLED = "select count(*) filter (where closed_at is null) from jobs.stream_leases"
DEAD = "select outbox_id, reason from jobs.dead_letters"


def arrived(sandbox: Sandbox, made: list[int]) -> Callable[[], bool]:
    return lambda: set(made) <= set(sandbox.accepted_ids())


def settled(conn: Connection) -> Callable[[], bool]:
    return lambda: value(conn, UNSETTLED) == 0


def test_events_arrive_private_in_batches_with_their_ids(
    conn: Connection, sandbox: Sandbox, start_worker: StartWorker
) -> None:
    """JOB-3, APP-10"""
    made = emit(conn, 25, text="hello")
    worker = start_worker(batch_size="10")
    worker.wait_until(arrived(sandbox, made))
    worker.wait_until(settled(conn))
    messages, requests = sandbox.accepted(), sandbox.requests()
    assert [int(message["payload"]["id"]) for message in messages] == made
    assert [message["payload"]["version"] for message in messages] == list(range(1, 26))
    assert len(requests) == 3
    leases = {str(row[0]) for row in conn.execute("select id from jobs.stream_leases")}
    assert {request["request_id"] for request in requests} == leases


def test_request_id_of_the_client_reaches_the_provider(
    conn: Connection, sandbox: Sandbox, start_worker: StartWorker
) -> None:
    """APP-10"""
    made = emit(conn)
    worker = start_worker()
    worker.wait_until(arrived(sandbox, made))
    assert [request["request_id"] for request in sandbox.requests()] == ["req-1"]
    worker.wait_until(lambda: worker.said("batch settled"))
    [line] = worker.said("batch settled")
    assert line["request_id"] == "req-1"
    assert line["task"] == "realtime:deliver_events"
    assert line["job_id"]


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "500", "times": 2},
        {"kind": "429", "times": 2, "seconds": 1},
        {"kind": "429", "times": 2},
        {"kind": "timeout", "times": 1},
        {"kind": "drop_after_accept", "times": 2},
    ],
    ids=lambda fault: str(fault["kind"]) + ("-retry-after" if "seconds" in fault else ""),
)
def test_everything_arrives_after_a_fault(
    conn: Connection, sandbox: Sandbox, start_worker: StartWorker, fault: dict[str, Any]
) -> None:
    """JOB-5, JOB-8: and a client applies each event at most once."""
    sandbox.fail(**fault)
    made = emit(conn, 6)
    worker = start_worker(realtime_timeout="1" if fault["kind"] == "timeout" else "20")
    worker.wait_until(arrived(sandbox, made))
    worker.wait_until(settled(conn))
    client = Client()
    for message in sandbox.accepted():
        client.receive(message)
    assert len(client.applied) == len(set(client.applied))
    assert client.shown == {(messages_topic(sandbox), "balance_updated"): 6}
    assert conn.execute(DEAD).fetchall() == []


def messages_topic(sandbox: Sandbox) -> str:
    return str(sandbox.accepted()[0]["topic"])


def test_retry_after_spends_nothing(
    conn: Connection, sandbox: Sandbox, start_worker: StartWorker
) -> None:
    """JOB-5"""
    sandbox.fail("429", times=3, seconds=0)
    made = emit(conn, 4)
    worker = start_worker()
    worker.wait_until(arrived(sandbox, made))
    worker.wait_until(settled(conn))
    assert value(conn, "select count(*) from jobs.attempts") == 0


def test_batch_over_the_projects_rate_shrinks_until_it_fits(
    conn: Connection, sandbox: Sandbox, start_worker: StartWorker
) -> None:
    """JOB-5: 4000 events at 2500 messages a second."""
    made = emit(conn, 4000)
    worker = start_worker(batch_size="1000")
    worker.wait_until(arrived(sandbox, made))
    worker.wait_until(settled(conn))
    assert sorted(sandbox.accepted_ids()) == made


def test_oversized_event_is_isolated_and_its_topic_goes_on(
    conn: Connection, sandbox: Sandbox, start_worker: StartWorker
) -> None:
    """JOB-3, JOB-8: 422 for the batch, then for the event alone."""
    before = emit(conn, 5)
    [poison] = emit(conn, text="x" * 300_000)
    after = emit(conn, 5)
    worker = start_worker()
    worker.wait_until(arrived(sandbox, before + after))
    worker.wait_until(lambda: conn.execute(DEAD).fetchall() == [(poison, "rejected")])
    worker.wait_until(settled(conn))
    assert sorted(sandbox.accepted_ids()) == before + after


def test_event_realtime_chokes_on_is_isolated(
    conn: Connection, sandbox: Sandbox, start_worker: StartWorker
) -> None:
    """JOB-3: a 500 whenever it is in the batch; others go on arriving."""
    tune_stream(conn, max_attempts=2)
    sandbox.fail("500", times=-1, topic="user:poison")
    [poison] = emit(conn, topic="user:poison")
    made = emit(conn, 5)
    worker = start_worker()
    worker.wait_until(arrived(sandbox, made))

    def given_up() -> bool:
        made.extend(emit(conn))
        return conn.execute(DEAD).fetchall() == [(poison, "exhausted")]

    worker.wait_until(given_up)
    worker.wait_until(arrived(sandbox, made))


def test_realtime_down_for_a_while(
    conn: Connection, sandbox: Sandbox, start_worker: StartWorker
) -> None:
    """JOB-5, JOB-8: nothing is lost, nothing is given up, the worker stays ready."""
    tune_stream(conn, max_attempts=1)
    sandbox.fail("500", times=-1)
    made = emit(conn, 20)
    worker = start_worker()
    worker.wait_until(lambda: len(sandbox.requests()) > 10)
    made += emit(conn, 20)
    worker.wait_until(lambda: len(sandbox.requests()) > 20)
    assert worker.get("/readyz")[0] == 200
    sandbox.release()
    worker.wait_until(arrived(sandbox, made))
    assert conn.execute(DEAD).fetchall() == []
    assert sorted(set(sandbox.accepted_ids())) == made


def test_realtime_refusing_connections(
    conn: Connection, sandbox: Sandbox, start_worker: StartWorker
) -> None:
    """JOB-5: the same when nobody listens there."""
    made = emit(conn, 3)
    lost = start_worker(realtime_url="http://127.0.0.1:9/realtime/v1")
    lost.wait_until(lambda: value(conn, "select outages > 2 from jobs.streams"))
    assert value(conn, "select max(attempts) from jobs.outbox_retries") == 0
    lost.kill()
    start_worker().wait_until(arrived(sandbox, made))


def test_wrong_key_gives_nothing_up(
    conn: Connection, sandbox: Sandbox, start_worker: StartWorker
) -> None:
    """JOB-5: 401 is a mistake in our settings, not in the events."""
    made = emit(conn, 3)
    wrong = start_worker(secret_key="sb_secret_sandbox_wrong")
    wrong.wait_until(lambda: value(conn, "select outages > 2 from jobs.streams"))
    wrong.kill()
    start_worker().wait_until(arrived(sandbox, made))
    assert conn.execute(DEAD).fetchall() == []


def test_two_workers_share_the_stream(
    conn: Connection, sandbox: Sandbox, start_worker: StartWorker
) -> None:
    """JOB-8: each event is sent once when nothing fails."""
    first, second = start_worker(batch_size="5"), start_worker(batch_size="5")
    first.wait_ready()
    second.wait_ready()
    made = emit(conn, 400)
    until(arrived(sandbox, made), lambda: first.output() + second.output())
    until(settled(conn))
    assert sorted(sandbox.accepted_ids()) == made
