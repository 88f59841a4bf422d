"""OPS-1: one trace from the client's request through the job to the provider call."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from procrastinate_app.tracing import Caller, Origin
from tests.support.callers import Connection
from tests.support.collector import Collector, Told, collecting
from tests.support.databases import FreshDatabase
from tests.support.events import emit, value
from tests.support.people import make_people
from tests.support.running import KEY, Sandbox, WorkerProcess, until
from tests.support.work import submit

StartWorker = Callable[..., WorkerProcess]

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
OTHER = f"00-{'a' * 32}-{'b' * 16}-01"
SCRIPT = Path(__file__).with_name("unit_tasks.py")


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as made:
        yield made


def emit_traced(conn: Connection, *parents: str | None, text: str = "") -> list[int]:
    """Events as a rule appends them in requests with these traceparents, known at once."""
    rows = conn.execute(
        "insert into jobs.outbox (topic, event, payload, traceparent, tracestate)"
        " select 'user:11111111-1111-4111-8111-111111111111', 'balance_updated',"
        " jsonb_build_object('version', n, 'text', %s::text), p, 'vendor=x'"
        " from unnest(%s::text[]) with ordinality as u (p, n) returning id",
        [text, list(parents)],
    )
    return [row[0] for row in rows]


def carried(worker: WorkerProcess, sandbox: Sandbox, made: list[int]) -> None:
    """Return when all has arrived and the worker, stopped, has told the last span."""
    worker.wait_until(lambda: set(made) <= set(sandbox.accepted_ids()))
    worker.wait_until(lambda: worker.said("batch settled"))
    worker.terminate()
    assert worker.wait() == 0


def only(spans: list[Told]) -> Told:
    [span] = spans
    return span


def test_a_clients_trace_reaches_the_provider_and_the_collector(
    fresh_db: FreshDatabase,
    conn: Connection,
    sandbox: Sandbox,
    start_worker: StartWorker,
    collector: Collector,
) -> None:
    """OPS-1: the whole way, from the request's header on."""
    author, *voters = make_people(conn, 3)
    clip = submit(conn, author)
    for voter in voters:
        with fresh_db.as_user(
            voter,
            email_verified=True,
            headers={"traceparent": PARENT, "tracestate": "vendor=x"},
        ) as request:
            request.execute("select * from public.cast_vote(%s, 'valid')", [clip])
    made = [row[0] for row in conn.execute("select id from jobs.outbox")]
    assert made
    worker = start_worker(otlp_endpoint=collector.url)
    carried(worker, sandbox, made)

    batch = only(collector.named("process realtime"))
    assert batch.trace_id == TRACE
    assert batch.parent_id == SPAN
    assert batch.links == {(TRACE, SPAN)}
    assert batch.state == "vendor=x"
    call = only(collector.named("POST", "client"))
    assert (call.trace_id, call.parent_id) == (TRACE, batch.span_id)
    assert [request["traceparent"] for request in sandbox.requests()] == [
        f"00-{TRACE}-{call.span_id}-01"
    ]
    [line] = worker.said("batch settled")
    assert line["trace_id"] == TRACE
    assert collector.paths == {"/v1/traces"}


def test_spans_follow_the_conventions_and_name_nobody(
    conn: Connection, sandbox: Sandbox, start_worker: StartWorker, collector: Collector
) -> None:
    """OPS-1, APP-7"""
    [made] = emit_traced(conn, PARENT, text="a private word")
    carried(start_worker(otlp_endpoint=collector.url), sandbox, [made])
    batch = only(collector.named("process realtime"))
    assert batch.attributes == {
        "messaging.system": "hub",
        "messaging.destination.name": "realtime",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.batch.message_count": 1,
        "messaging.message.id": str(made),
        "hub.outcome": "delivered",
    }
    call = only(collector.named("POST", "client"))
    port = int(sandbox.url.rpartition(":")[2])
    assert call.attributes == {
        "http.request.method": "POST",
        "url.full": f"{sandbox.url}/realtime/v1/api/broadcast",
        "server.address": "127.0.0.1",
        "server.port": port,
        "http.response.status_code": 202,
    }
    job = collector.named("process realtime:deliver_events")[0]
    assert job.attributes["messaging.system"] == "procrastinate"
    assert job.attributes["messaging.destination.name"] == "realtime"
    assert job.attributes["hub.outcome"] == "succeeded"
    assert job.resource["service.name"] == "hub-worker"
    assert job.resource["service.version"]
    assert job.resource["deployment.environment.name"] == "test"
    told = b"".join(collector.raw)
    for secret in (KEY, "a private word", "11111111-1111", "balance_updated"):
        assert secret.encode() not in told


def test_a_batch_of_several_traces_links_to_all(
    conn: Connection, sandbox: Sandbox, start_worker: StartWorker, collector: Collector
) -> None:
    """OPS-1"""
    made = emit_traced(conn, PARENT, OTHER, None, OTHER)
    carried(start_worker(otlp_endpoint=collector.url), sandbox, made)
    batch = only(collector.named("process realtime"))
    assert batch.links == {(TRACE, SPAN), ("a" * 32, "b" * 16)}
    assert batch.trace_id not in (TRACE, "a" * 32)
    assert batch.parent_id == ""
    assert batch.attributes["messaging.batch.message_count"] == 4
    [request] = sandbox.requests()
    assert request["traceparent"].split("-")[1] == batch.trace_id


@pytest.mark.parametrize(
    ("parents", "told"),
    [
        ([PARENT[:-1] + "0"], False),
        ([PARENT[:-1] + "0", OTHER[:-1] + "0"], False),
        ([PARENT[:-1] + "0", OTHER], True),
        ([None], False),
        (["garbage"], False),
    ],
    ids=["not sampled", "none of two", "one of two", "no trace", "malformed"],
)
def test_the_callers_word_on_sampling_holds(
    conn: Connection,
    sandbox: Sandbox,
    start_worker: StartWorker,
    collector: Collector,
    parents: list[str | None],
    told: bool,
) -> None:
    """OPS-1: work without a caller is told by ratio, here never. The provider learns of it."""
    made = emit_traced(conn, *parents)
    carried(start_worker(otlp_endpoint=collector.url, trace_ratio="0"), sandbox, made)
    assert bool(collector.spans) is told
    [request] = sandbox.requests()
    assert bool(int(request["traceparent"].rpartition("-")[2], 16) & 1) is told
    if parents == [PARENT[:-1] + "0"]:
        assert request["traceparent"].split("-")[1] == TRACE


def test_a_failed_call_is_told_without_its_text(
    conn: Connection, sandbox: Sandbox, start_worker: StartWorker, collector: Collector
) -> None:
    """OPS-1"""
    sandbox.fail("500")
    made = emit_traced(conn, PARENT)
    carried(start_worker(otlp_endpoint=collector.url), sandbox, made)
    first, second = collector.named("POST", "client")
    assert (first.failed, first.attributes["error.type"]) == (True, "500")
    assert not second.failed
    batch = collector.named("process realtime")[0]
    assert (batch.failed, batch.attributes["error.type"]) == (True, "HTTP 500")
    assert batch.attributes["hub.outcome"] == "retry"


def test_a_call_without_an_answer_is_told(
    conn: Connection, sandbox: Sandbox, start_worker: StartWorker, collector: Collector
) -> None:
    """OPS-1"""
    sandbox.fail("drop_after_accept")
    made = emit_traced(conn, PARENT)
    worker = start_worker(otlp_endpoint=collector.url)
    worker.wait_until(lambda: len(worker.said("batch settled")) > 1)
    carried(worker, sandbox, made)
    assert (
        collector.named("POST", "client")[0].attributes["error.type"] == "ServerDisconnectedError"
    )


@pytest.mark.parametrize("fault", ["refuses", "fails", "hangs"])
def test_the_collector_disturbs_nobody(
    conn: Connection,
    sandbox: Sandbox,
    start_worker: StartWorker,
    collector: Collector,
    fault: str,
) -> None:
    """OPS-1: work goes on, the worker stays ready, and ends when told to."""
    collector.status = 503
    if fault == "hangs":
        collector.open.clear()
    url = "http://127.0.0.1:9" if fault == "refuses" else collector.url
    made = emit_traced(conn, PARENT, OTHER)
    worker = start_worker(otlp_endpoint=url).wait_ready()
    worker.wait_until(lambda: set(made) <= set(sandbox.accepted_ids()))
    assert worker.get("/readyz")[0] == 200
    carried(worker, sandbox, made)
    assert value(conn, "select count(*) from jobs.attempts") == 0


def test_unit_jobs_join_their_requests_trace_and_see_no_context(
    fresh_db: FreshDatabase,
    conn: Connection,
    workers: StartWorker,
    collector: Collector,
) -> None:
    """OPS-1, APP-10: the task is called with what it takes and nothing else."""
    conn.execute(
        "create or replace function jobs.task_catalog() returns table (task text, queue text,"
        " priority integer, arguments text[], max_attempts integer, description text)"
        " language sql immutable set search_path = '' as $$"
        " select t, 'test', 50, array['number'], 2, ''"
        " from unnest(array['test:fail', 'test:count']) as t $$"
    )
    conn.execute(
        "update jobs.settings set backoff_base = '50 ms', backoff_cap = '50 ms' where true"
    )
    with conn.transaction():
        conn.execute(
            "select set_config('request.headers', %s, true)",
            [json.dumps({"traceparent": PARENT, "x-request-id": "r-9"})],
        )
        conn.execute("select jobs.defer('test:count', '{\"number\": 42}')")
        conn.execute("select jobs.defer('test:fail', '{\"number\": 1}')")
    worker = workers(
        fresh_db.url, command=[sys.executable, str(SCRIPT)], otlp_endpoint=collector.url
    )
    worker.wait_until(lambda: "counted 42" in worker.output())
    worker.wait_until(lambda: value(conn, "select count(*) from jobs.dead_letters") == 1)
    worker.terminate()
    assert worker.wait() == 0

    count = only(collector.named("process test:count"))
    assert (count.trace_id, count.parent_id) == (TRACE, SPAN)
    assert count.links == {(TRACE, SPAN)}
    failures = collector.named("process test:fail")
    assert [(span.trace_id, span.failed) for span in failures] == [(TRACE, True)] * 2
    assert failures[0].attributes["error.type"] == "ValueError"
    assert b"number 1 with" not in b"".join(collector.raw)
    for line in worker.said("job failed"):
        assert (line["trace_id"], line["request_id"]) == (TRACE, "r-9")
    assert value(conn, "select request_id from jobs.dead_letters") == "r-9"


def test_without_a_collector_nothing_of_it_is_loaded(
    fresh_db: FreshDatabase,
    conn: Connection,
    sandbox: Sandbox,
    workers: StartWorker,
    tmp_path: Path,
) -> None:
    """OPS-1: no cost; logs know the caller's trace all the same, of unit jobs."""
    script = tmp_path / "look.py"
    script.write_text(
        "import atexit, sys\n"
        "atexit.register(lambda: print('loaded', [n for n in sys.modules if 'opentel' in n]))\n"
        "from procrastinate_app import cli\n"
        "sys.argv = ['hub', 'worker']\n"
        "cli.app()\n"
    )
    conn.execute("alter function jobs.purge(integer) rename to purge_gone")
    with conn.transaction():
        conn.execute(
            "select set_config('request.headers', %s, true)", [json.dumps({"traceparent": PARENT})]
        )
        conn.execute("select jobs.defer('jobs:purge', '{\"timestamp\": 0}')")
    made = emit_traced(conn, PARENT)
    worker = workers(fresh_db.url, command=[sys.executable, str(script)])
    worker.wait_until(lambda: worker.said("job failed"))
    carried(worker, sandbox, made)
    assert "loaded []" in worker.output()
    assert [request["traceparent"] for request in sandbox.requests()] == [None]
    assert worker.said("job failed")[0]["trace_id"] == TRACE


@pytest.mark.parametrize(
    ("arguments", "caller", "waited"),
    [
        ({"a": 1}, Caller(), None),
        ({"a": 1, "_context": None}, Caller(), None),
        ({"a": 1, "_context": {"waited": 0.5}}, Caller(), 0.5),
        (
            {"a": 1, "_context": {"waited": None, "request_id": "r", "traceparent": PARENT}},
            Caller("r", PARENT),
            None,
        ),
    ],
)
def test_the_context_is_taken_out_of_the_arguments(
    arguments: dict[str, Any], caller: Caller, waited: float | None
) -> None:
    """OPS-1"""
    assert Origin.take_from(arguments) == Origin(caller, waited)
    assert arguments == {"a": 1}


def test_addresses_are_told_without_keys_and_without_people() -> None:
    """OPS-1, APP-7: deleting a user names them in the path."""
    from procrastinate_app.otlp import public_address

    person = "1B4E28BA-2fa1-11d2-883f-0016d3cca427"
    url = URL(f"https://user:hush@auth.example.com:8443/admin/users/{person}?apikey=hush#hush")
    assert public_address(url) == "https://auth.example.com:8443/admin/users/{id}"


def test_the_trace_id_is_part_of_the_context() -> None:
    assert Caller(traceparent=PARENT).trace_id == TRACE
    assert Caller().trace_id is None


def test_a_worker_under_another_collector_path(
    conn: Connection, sandbox: Sandbox, start_worker: StartWorker, collector: Collector
) -> None:
    """OPS-1: a full address is taken as it is."""
    made = emit_traced(conn, PARENT)
    carried(start_worker(otlp_endpoint=f"{collector.url}/in/v1/traces"), sandbox, made)
    until(lambda: collector.spans)
    assert collector.paths == {"/in/v1/traces"}


def test_untraced_events_are_carried_as_before(
    conn: Connection, sandbox: Sandbox, start_worker: StartWorker, collector: Collector
) -> None:
    """OPS-1: rows of an earlier release have no context."""
    made = emit(conn, 3)
    carried(start_worker(otlp_endpoint=collector.url), sandbox, made)
    batch = only(collector.named("process realtime"))
    job = only([s for s in collector.spans if s.span_id == batch.parent_id])
    assert job.name == "process realtime:deliver_events"
    assert batch.links == frozenset()
