"""What this worker counts itself; the queue's state is read from the database at each scrape."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram


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
