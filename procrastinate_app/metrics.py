"""What this worker counts itself; the queue's state is read from the database at each scrape."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SECONDS = (0.005, 0.02, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)


@dataclass
class Ended:
    """How a job ended, filled in by whoever knows."""

    outcome: str = "aborted"


class Metrics:
    """One registry per worker. Labels are names from the code, never ids."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.deliveries = Counter(
            "hub_deliveries",
            "Events handed to a provider, by what became of them.",
            ["stream", "outcome"],
            registry=self.registry,
        )
        self.batches = Counter(
            "hub_delivery_batches",
            "Provider calls, by what became of them.",
            ["stream", "outcome"],
            registry=self.registry,
        )
        self.jobs = Counter(
            "hub_jobs_finished",
            "Jobs this worker ran, by how they ended.",
            ["task", "outcome"],
            registry=self.registry,
        )
        self.job_seconds = Histogram(
            "hub_job_duration_seconds",
            "How long jobs ran.",
            ["task"],
            registry=self.registry,
        )
        self.job_wait_seconds = Histogram(
            "hub_job_wait_seconds",
            "How long jobs waited once they were due.",
            ["queue"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.call_seconds = Histogram(
            "hub_provider_call_seconds",
            "How long calls to a stream's provider took.",
            ["stream"],
            registry=self.registry,
        )
        self.busy = Gauge(
            "hub_worker_jobs_running",
            "Jobs this worker runs right now.",
            registry=self.registry,
        )
        self.slots = Gauge(
            "hub_worker_slots",
            "Jobs this worker may run at once.",
            registry=self.registry,
        )
        self.build = Gauge(
            "hub_build_info",
            "Always 1; the release is the label.",
            ["version"],
            registry=self.registry,
        )
        self.rescues = Counter(
            "hub_jobs_rescued",
            "Stalled jobs this worker put right, by what was done.",
            ["action"],
            registry=self.registry,
        )
        self.reconnects = Counter(
            "hub_database_reconnects",
            "Times the database was lost and found again.",
            registry=self.registry,
        )

    @contextmanager
    def job(self, task: str, queue: str, waited: float | None) -> Iterator[Ended]:
        """Around one run of a job."""
        if waited is not None:
            self.job_wait_seconds.labels(queue).observe(max(0, waited))
        started, ended = time.monotonic(), Ended()
        self.busy.inc()
        try:
            yield ended
        finally:
            self.busy.dec()
            self.jobs.labels(task, ended.outcome).inc()
            self.job_seconds.labels(task).observe(time.monotonic() - started)
