"""Traces sent to an OpenTelemetry collector: OTLP over HTTP, from a thread of its own.

A CONSUMER span around each job and each batch, linked to the requests that caused it; a CLIENT span
around each provider call, whose `traceparent` goes out with it. Work of one request, and a batch
whose events are all of one trace, joins that trace; a batch of several starts its own and links to
theirs. A caller who said it is not sampled is not; work nobody asked for is sampled by ratio.

Spans hold names and numbers: no topic, payload, argument or error text, which may be about people.
Names of attributes are those of the semantic conventions for messaging and HTTP. A collector that
is slow or away costs nothing but spans.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from urllib.parse import urlsplit
from uuid import uuid4

import aiohttp
import structlog
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import (
    Decision,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceState,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import Attributes
from yarl import URL

from procrastinate_app.deploy.history import tool_version
from procrastinate_app.tracing import Caller, Span, Tracing

log = structlog.get_logger(__name__)

EXPORT_SECONDS = 5.0
STOP_SECONDS = 5.0

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_W3C = TraceContextTextMapPropagator()


class ExportedSpan(Span):
    def __init__(self, span: OtelSpan) -> None:
        super().__init__(f"{span.get_span_context().trace_id:032x}")
        self._span = span
        self.ended = False

    def end_as(self, outcome: str, error: str | None = None) -> None:
        self.ended = True
        self._span.set_attribute("hub.outcome", outcome)
        if error:
            _fail(self._span, error)


class ExportedTracing(Tracing):
    """`endpoint` is the collector's address, with or without /v1/traces."""

    exports = True

    def __init__(self, endpoint: str, *, ratio: float, environment: str) -> None:
        self._provider = TracerProvider(
            sampler=ByCaller(ratio),
            resource=Resource.create(
                {
                    "service.name": "hub-worker",
                    "service.version": tool_version(),
                    "service.instance.id": str(uuid4()),
                    "deployment.environment.name": environment,
                }
            ),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(
                OTLPSpanExporter(endpoint=_traces_url(endpoint), timeout=EXPORT_SECONDS)
            )
        )
        self._tracer = self._provider.get_tracer("hub", tool_version())

    @contextmanager
    def job(self, task: str, queue: str, job_id: int | None, caller: Caller) -> Iterator[Span]:
        attributes = _messaging("procrastinate", queue) | {
            "messaging.message.id": str(job_id),
            "hub.task": task,
        }
        with self._consume(f"process {task}", [caller], attributes) as span:
            yield span

    @contextmanager
    def batch(
        self, stream: str, event_ids: Sequence[int], callers: Sequence[Caller]
    ) -> Iterator[Span]:
        attributes: dict[str, str | int] = {
            **_messaging("hub", stream),
            "messaging.batch.message_count": len(event_ids),
        }
        if len(event_ids) == 1:
            attributes["messaging.message.id"] = str(event_ids[0])
        with self._consume(f"process {stream}", callers, attributes) as span:
            yield span

    @contextmanager
    def _consume(
        self, name: str, callers: Sequence[Caller], attributes: Attributes
    ) -> Iterator[ExportedSpan]:
        producers = [found for caller in callers if (found := _context_of(caller)).is_valid]
        parent: Context | None = None
        if len({producer.trace_id for producer in producers}) == 1:
            parent = set_span_in_context(_remote(producers[0]), Context())
        elif producers:
            parent = Context()
        with self._tracer.start_as_current_span(
            name,
            context=parent,
            kind=SpanKind.CONSUMER,
            attributes=attributes,
            links=[Link(producer) for producer in producers],
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            told = ExportedSpan(span)
            try:
                yield told
            except BaseException as error:
                if not told.ended:
                    told.end_as("unknown", type(error).__name__)
                raise

    def http_hooks(self) -> list[aiohttp.TraceConfig]:
        hooks = aiohttp.TraceConfig()
        hooks.on_request_start.append(self._call_started)
        hooks.on_request_end.append(_call_ended)
        hooks.on_request_exception.append(_call_failed)
        return [hooks]

    async def _call_started(
        self, _: aiohttp.ClientSession, call: SimpleNamespace, sent: aiohttp.TraceRequestStartParams
    ) -> None:
        url = sent.url
        call.span = self._tracer.start_span(
            sent.method,
            kind=SpanKind.CLIENT,
            attributes={
                "http.request.method": sent.method,
                "url.full": public_address(url),
                "server.address": url.host or "",
                "server.port": url.port or 0,
            },
        )
        _W3C.inject(sent.headers, set_span_in_context(call.span))

    async def stop(self) -> None:
        """In a thread nobody waits for: a collector that does not answer must not keep us."""
        loop, stopped = asyncio.get_running_loop(), asyncio.Event()

        def shut_down() -> None:
            self._provider.shutdown()
            with suppress(RuntimeError):  # the loop is closed: nobody waited
                loop.call_soon_threadsafe(stopped.set)

        threading.Thread(target=shut_down, name="traces end", daemon=True).start()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await stopped.wait()
        except TimeoutError:
            log.warning("traces not sent", reason="the collector does not answer")


class ByCaller(Sampler):
    """As the caller decided; of several, as soon as one is sampled; without any, by ratio."""

    def __init__(self, ratio: float) -> None:
        self._unasked = TraceIdRatioBased(ratio)

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        parent = get_current_span(parent_context).get_span_context()
        if parent.is_valid:
            sampled, state = parent.trace_flags.sampled, parent.trace_state
        elif links:
            sampled, state = any(link.context.trace_flags.sampled for link in links), None
        else:
            return self._unasked.should_sample(parent_context, trace_id, name, kind, attributes)
        return SamplingResult(
            Decision.RECORD_AND_SAMPLE if sampled else Decision.DROP, attributes, state
        )

    def get_description(self) -> str:
        return "ByCaller"


async def _call_ended(
    _: aiohttp.ClientSession, call: SimpleNamespace, answer: aiohttp.TraceRequestEndParams
) -> None:
    status = answer.response.status
    call.span.set_attribute("http.response.status_code", status)
    if status >= 400:
        _fail(call.span, str(status))
    call.span.end()


async def _call_failed(
    _: aiohttp.ClientSession, call: SimpleNamespace, failed: aiohttp.TraceRequestExceptionParams
) -> None:
    _fail(call.span, type(failed.exception).__name__)
    call.span.end()


def public_address(url: URL) -> str:
    """Without user, query and fragment, which may hold keys, and without ids of people."""
    return _UUID.sub("{id}", str(url.with_user(None).with_query(None).with_fragment(None)))


def _fail(span: OtelSpan, error: str) -> None:
    span.set_attribute("error.type", error)
    span.set_status(Status(StatusCode.ERROR))


def _messaging(system: str, destination: str) -> dict[str, str]:
    return {
        "messaging.system": system,
        "messaging.destination.name": destination,
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
    }


def _context_of(caller: Caller) -> SpanContext:
    carrier = {"traceparent": caller.traceparent or "", "tracestate": caller.tracestate or ""}
    return get_current_span(_W3C.extract(carrier, Context())).get_span_context()


def _remote(context: SpanContext) -> OtelSpan:
    return NonRecordingSpan(context)


def _traces_url(endpoint: str) -> str:
    """OTLP's path is added to a bare address, as with OTEL_EXPORTER_OTLP_ENDPOINT."""
    path = urlsplit(endpoint).path
    return endpoint if path.endswith("/v1/traces") else endpoint.rstrip("/") + "/v1/traces"
