"""The worker's own HTTP: /healthz (its loop turns), /readyz (it can work), /metrics."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from procrastinate_app.db import LOST, call
from procrastinate_app.deploy import latest_version
from procrastinate_app.services import Services

ANSWER_WITHIN = 2.0

HELP = {
    "jobs_waiting": "Jobs waiting, by queue.",
    "jobs_running": "Jobs running, by queue.",
    "outbox_waiting": "Events not yet handed out, by stream; counted up to 10000.",
    "outbox_lag_seconds": "Age of the oldest event not yet handed out, by stream.",
    "outbox_retries": "Events tried and not delivered yet, by stream.",
    "stream_paused_seconds": "How long the stream still backs off.",
    "dead_letters": "Dead letters waiting for somebody, by task or stream.",
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
        families: list[Metric] = [self._pool_gauge()]
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                families += _queue_gauges(await call(self._services.pool, "jobs.metrics"))
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


def _queue_gauges(rows: list[dict[str, object]]) -> list[Metric]:
    """jobs.metrics() as gauges. A kind without rows is there too, empty."""
    gauges = {
        name: GaugeMetricFamily(f"hub_{name}", text, labels=["name"]) for name, text in HELP.items()
    }
    for row in rows:
        gauges[str(row["metric"])].add_metric([str(row["label"])], float(str(row["value"])))
    return list(gauges.values())


class _Scrape(CollectorRegistry):
    """Families made for one scrape, in a registry's clothes."""

    def __init__(self, families: list[Metric]) -> None:
        super().__init__()
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return iter(self._families)
