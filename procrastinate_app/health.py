"""The worker's own HTTP: /healthz (its loop turns), /readyz (it can work), /metrics."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from procrastinate_app.db import LOST, call
from procrastinate_app.deploy import latest_version
from procrastinate_app.logging import dropped_lines
from procrastinate_app.services import Services

ANSWER_WITHIN = 2.0

# what the database says of itself; with a label `name`, or of the whole
NAMED = {
    "jobs_waiting": "Jobs waiting, by queue; counted up to 10000.",
    "jobs_running": "Jobs running, by queue.",
    "job_oldest_seconds": "How long the oldest job that is due waits, by queue.",
    "jobs_stalled": "Jobs in the hands of a worker that is gone, by queue.",
    "queue_paused_seconds": "How long an operator's pause lasts, by queue.",
    "outbox_waiting": "Events not yet handed out, by stream; counted up to 10000.",
    "outbox_lag_seconds": "Age of the oldest event not yet handed out, by stream.",
    "outbox_blocked_seconds": "How long committed events wait for an older transaction, by stream.",
    "outbox_retries": "Events tried and not delivered yet, by stream.",
    "stream_backoff_seconds": "How long the stream still backs off.",
    "stream_paused_seconds": "How long an operator's pause lasts, by stream.",
    "dead_letters": "Dead letters waiting for somebody, by task or stream.",
    "check_problems": "What the last run of a check found wrong, in rows.",
    "check_age_seconds": "How long ago a check last ran.",
    "unsealed_rows": "Rows not sealed yet, by chain; counted up to 10000.",
    "unsealed_seconds": "Age of the oldest row not sealed yet, by chain.",
}
WHOLE = {
    "fetchers_alive": "Fetchers of all workers that were heard of lately.",
    "oldest_writer_seconds": "Age of the oldest transaction that has written.",
    "jobs_deferred_total": "Jobs ever put on the queue, rolled back ones among them.",
    "outbox_events_total": "Events ever put into the outbox, rolled back ones among them.",
    "dead_letters_written_total": "Things ever given up.",
}


@dataclass
class Pulse:
    """What the worker's loops last did, on the monotonic clock."""

    checked: bool = False
    last_poll: float | None = None
    started: float = field(default_factory=time.monotonic)

    def beat(self) -> None:
        self.last_poll = time.monotonic()

    def poll_age(self) -> float:
        return time.monotonic() - (self.last_poll or self.started)


class Health:
    """Serves on a port of the system's choosing when http_port is 0."""

    def __init__(self, services: Services, pulse: Pulse) -> None:
        self._services = services
        self._pulse = pulse
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        """The address it listens on."""
        settings = self._services.settings
        site_app = web.Application()
        site_app.router.add_get("/healthz", self._healthz)
        site_app.router.add_get("/readyz", self._readyz)
        site_app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(site_app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, settings.http_host, settings.http_port).start()
        host, port = self._runner.addresses[0][:2]
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        if settings.http_port_file:
            settings.http_port_file.write_text(url + "\n")
        return url

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _readyz(self, _: web.Request) -> web.Response:
        """503 while stopping, before the first checks passed, or when the database is away."""
        given = self._services
        longest = 10 + 4 * given.settings.ring_interval
        state = {
            "database": await self._database_answers(),
            "schema": latest_version() if self._pulse.checked else None,
            "last_poll_seconds": round(self._pulse.poll_age(), 1),
            "stopping": given.stopping.is_set(),
        }
        ready = (
            state["database"]
            and self._pulse.checked
            and self._pulse.last_poll is not None
            and self._pulse.poll_age() < longest
            and not given.stopping.is_set()
        )
        return web.json_response(state | {"ready": ready}, status=200 if ready else 503)

    async def _database_answers(self) -> bool:
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                await call(self._services.pool, "pg_catalog.now")
        except (*LOST, TimeoutError):
            return False
        return True

    async def _metrics(self, _: web.Request) -> web.Response:
        """Our own counters always; the queue's state when the database answers."""
        families: list[Metric] = [self._pool_gauge(), _dropped_lines()]
        asked = time.time()
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                rows = await call(self._services.pool, "jobs.gauges")
            families += _of_database(rows, (asked + time.time()) / 2)
            up = 1
        except (*LOST, TimeoutError):
            up = 0
        families.append(
            GaugeMetricFamily("hub_database_up", "Whether the database answered.", value=up)
        )
        own = generate_latest(self._services.metrics.registry)
        return web.Response(
            body=own + generate_latest(_Scrape(families)),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )

    def _pool_gauge(self) -> GaugeMetricFamily:
        stats = self._services.pool.get_stats()
        size, idle = stats.get("pool_size", 0), stats.get("pool_available", 0)
        gauge = GaugeMetricFamily(
            "hub_database_connections", "The pool's connections, by state.", labels=["state"]
        )
        gauge.add_metric(["idle"], idle)
        gauge.add_metric(["busy"], size - idle)
        gauge.add_metric(["wanted"], stats.get("requests_waiting", 0))
        return gauge


def _of_database(rows: list[dict[str, Any]], now: float) -> list[Metric]:
    """jobs.gauges() as metrics. A kind without rows is there too, empty; a newer database's kinds
    are passed over."""
    families: dict[str, Metric] = {
        name: GaugeMetricFamily(f"hub_{name}", text, labels=["name"])
        for name, text in NAMED.items()
    }
    for row in rows:
        name, value = row["metric"], float(row["value"])
        if name in NAMED:
            families[name].add_sample(f"hub_{name}", {"name": row["name"]}, value)
        elif name in WHOLE:
            families[name] = _single(name, value)
        elif name == "database_time_seconds":
            families[name] = GaugeMetricFamily(
                "hub_clock_skew_seconds",
                "How far the database's clock is ahead of this machine's.",
                value=value - now,
            )
    return list(families.values())


def _single(name: str, value: float) -> Metric:
    kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
    return kind(f"hub_{name}", WHOLE[name], value=value)


def _dropped_lines() -> Metric:
    family = CounterMetricFamily(
        "hub_log_lines_dropped", "Log lines left out by sampling, by event.", labels=["event"]
    )
    for event, count in dropped_lines().items():
        family.add_metric([event], count)
    return family


class _Scrape(CollectorRegistry):
    """Families made for one scrape, in a registry's clothes."""

    def __init__(self, families: list[Metric]) -> None:
        super().__init__()
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return iter(self._families)
