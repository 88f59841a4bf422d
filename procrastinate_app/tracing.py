"""Where work comes from, and the traces told about it.

A job or an event carries the request id and the W3C trace context of the request that caused it.
`Tracing` is what the worker uses when nobody collects traces: it only knows the caller's trace id,
for the logs. With HUB_OTLP_ENDPOINT set, procrastinate_app.otlp takes its place; without it no code
of OpenTelemetry is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import TraceConfig

from procrastinate_app.settings import Settings

CONTEXT = "_context"


@dataclass(frozen=True)
class Caller:
    """The request behind a job or an event; traceparent is valid when there is one."""

    request_id: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None

    @property
    def trace_id(self) -> str | None:
        return self.traceparent.split("-")[1] if self.traceparent else None


@dataclass(frozen=True)
class Origin:
    """What jobs.fetch_job() says of a job: its caller, and how long it waited once it was due."""

    caller: Caller
    waited: float | None = None

    @classmethod
    def take_from(cls, arguments: dict[str, Any]) -> Origin:
        """Take it out of a fetched job's arguments, which the task must not see it among."""
        found: Mapping[str, Any] = arguments.pop(CONTEXT, None) or {}
        return cls(
            Caller(found.get("request_id"), found.get("traceparent"), found.get("tracestate")),
            found.get("waited"),
        )


class Span:
    """One piece of work in a trace; this one is told to nobody."""

    def __init__(self, trace_id: str | None = None) -> None:
        self.trace_id = trace_id

    def log_context(self) -> dict[str, str]:
        """What a log line about it says besides."""
        return {"trace_id": self.trace_id} if self.trace_id else {}

    def end_as(self, outcome: str, error: str | None = None) -> None:
        """What became of it; `error` is the class of what failed."""


class Tracing:
    """Makes spans around jobs, batches and provider calls."""

    exports = False

    @contextmanager
    def job(self, task: str, queue: str, job_id: int | None, caller: Caller) -> Iterator[Span]:
        """Around one run of a job."""
        yield Span(caller.trace_id)

    @contextmanager
    def batch(
        self, stream: str, event_ids: Sequence[int], callers: Sequence[Caller]
    ) -> Iterator[Span]:
        """Around one batch of a stream."""
        yield Span()

    def http_hooks(self) -> list[TraceConfig]:
        """For an aiohttp session that calls a provider."""
        return []

    async def stop(self) -> None:
        """Send what is left; never takes long, never fails."""


def make_tracing(settings: Settings) -> Tracing:
    """Traces as the settings want them."""
    if not settings.otlp_endpoint:
        return Tracing()
    from procrastinate_app.otlp import ExportedTracing

    return ExportedTracing(
        settings.otlp_endpoint, ratio=settings.trace_ratio, environment=settings.environment
    )
