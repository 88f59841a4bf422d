"""The worker: one process that fetches jobs, rings the doorbell and rescues the stalled.

It outlives its database: what fails because a connection did is noticed, the fetchers stop, wait
until the database answers and start afresh. It ends only when told to. SIGTERM or SIGINT: take
nothing new, finish what runs, leave. A second one: leave at once; leases and heartbeats run out,
and what was in hand is handed out again.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import structlog
from procrastinate import App
from procrastinate.worker import Worker as PlainFetcher

from procrastinate_app.app import Connector, make_app
from procrastinate_app.checks import refuse_unfit
from procrastinate_app.db import LOST, call, make_pool
from procrastinate_app.deploy.history import tool_version
from procrastinate_app.fetcher import Fetcher
from procrastinate_app.health import Health, Pulse
from procrastinate_app.logging import dropped_lines
from procrastinate_app.metrics import Metrics
from procrastinate_app.notify import Notifier
from procrastinate_app.providers.auth import SupabaseAuth
from procrastinate_app.providers.realtime import Realtime
from procrastinate_app.retries import record_attempts
from procrastinate_app.seals import HeadKeeper
from procrastinate_app.services import Services
from procrastinate_app.settings import Settings
from procrastinate_app.tracing import make_tracing

log = structlog.get_logger(__name__)

FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0
STARTING_TAKES = 60.0  # longer than one try to reach the database and the wait after it


class Worker:
    """Runs until stop(); a second stop() ends the process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lost = asyncio.Event()
        self._pulse = Pulse()
        self._notifier = Notifier()
        tracing, metrics = make_tracing(settings), Metrics()
        metrics.slots.set(settings.fetchers * settings.concurrency)
        metrics.build.labels(tool_version()).set(1)
        self._services = Services(
            settings=settings,
            pool=make_pool(
                settings.database_url.get_secret_value(), size=settings.fetchers * 2 + 4
            ),
            realtime=Realtime(
                settings.realtime_url,
                settings.keys,
                timeout=settings.realtime_timeout,
                trace_configs=tracing.http_hooks(),
            ),
            auth=SupabaseAuth(
                settings.auth_url,
                settings.keys,
                timeout=settings.auth_timeout,
                trace_configs=tracing.http_hooks(),
            ),
            metrics=metrics,
            heads=HeadKeeper(settings.seal_file),
            tracing=tracing,
        )
        self._stopping = self._services.stopping

    async def run(self) -> None:
        """Work until told to stop. Raises Refused when this database is not for this worker."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._notifier.watchdog())
            health = Health(self._services, self._pulse)
            stack.push_async_callback(health.stop)
            log.info("listening", url=await health.start())
            await self._until_fit()
            if self._stopping.is_set():
                return
            stack.push_async_callback(self._services.tracing.stop)
            await self._services.pool.open()
            stack.push_async_callback(self._services.pool.close)
            await stack.enter_async_context(self._services.realtime)
            await stack.enter_async_context(self._services.auth)
            log.info(
                "working", environment=self._settings.environment, fetchers=self._settings.fetchers
            )
            async with asyncio.TaskGroup() as group:
                group.create_task(self._every(self._settings.ring_interval, self._ring))
                group.create_task(self._every(self._settings.rescue_interval, self._rescue))
                group.create_task(self._fetch())
        if dropped := {name: count for name, count in dropped_lines().items() if count}:
            log.info("log lines dropped", **{"events": dropped})
        log.info("stopped")

    def stop(self) -> None:
        """Finish what runs and end; the second time, end at once."""
        if self._stopping.is_set():
            log.warning("stopping at once")
            sys.stdout.flush()
            os._exit(1)
        log.info("stopping")
        self._notifier.tell("STOPPING=1", "STATUS=finishing what runs")
        self._stopping.set()

    async def _until_fit(self) -> None:
        """Wait for the database to answer, then check it."""
        wait = FIRST_WAIT
        while not self._stopping.is_set():
            try:
                self._notifier.wait_for("the database", STARTING_TAKES)
                await refuse_unfit(self._settings)
                self._pulse.checked = True
                return
            except LOST as error:
                log.warning("database away", exc_info=error, retry_in=round(wait, 1))
                wait = await self._pause(wait)

    async def _fetch(self) -> None:
        """Run the fetchers; start them afresh whenever the database was lost."""
        connector = Connector(on_lost=self._lost.set)
        async with AsyncExitStack() as stack:
            app = stack.enter_context(make_app().replace_connector(connector))
            await stack.enter_async_context(app.open_async(self._services.pool))
            wait = FIRST_WAIT
            while not self._stopping.is_set():
                try:
                    await self._services.pool.check()
                    await call(self._services.pool, "pg_catalog.now")
                except LOST as error:
                    log.warning("database away", exc_info=error, retry_in=round(wait, 1))
                    wait = await self._pause(wait)
                    continue
                self._lost.clear()
                if await self._run_fetchers(app):
                    wait = FIRST_WAIT
                else:
                    wait = await self._pause(wait)
                if not self._stopping.is_set():
                    self._services.metrics.reconnects.inc()
                    log.warning("database lost, fetchers start afresh")

    async def _run_fetchers(self, app: App) -> bool:
        """Fetch until told to stop or until the database is lost; what runs is finished first.
        False when the fetchers came to nothing."""
        settings = self._settings
        started = asyncio.get_running_loop().time()
        fetchers: list[PlainFetcher] = [
            Fetcher(
                app,
                name=f"fetcher-{number}",
                concurrency=settings.concurrency,
                fetch_job_polling_interval=settings.poll_interval,
                shutdown_graceful_timeout=settings.shutdown_graceful_timeout,
                listen_notify=number == 0,
                # a finished job is a row to vacuum and nothing to anybody; failed ones stay
                delete_jobs="successful",
                additional_context={"services": self._services},
                install_signal_handlers=False,
                update_heartbeat_interval=settings.heartbeat_interval,
                stalled_worker_timeout=settings.stalled_after,
                worker_middleware=[record_attempts],
            )
            for number in range(settings.fetchers)
        ]
        running = [asyncio.create_task(fetcher.run()) for fetcher in fetchers]
        signs = [
            asyncio.create_task(self._lost.wait()),
            asyncio.create_task(self._stopping.wait()),
        ]
        # run() forgets a stop that came before it: let all begin. Told to stop rather than
        # cancelled, because a cancellation that hits a fetcher connecting is swallowed.
        await asyncio.sleep(0)
        await asyncio.wait([*running, *signs], return_when=asyncio.FIRST_COMPLETED)
        for fetcher in fetchers:
            fetcher.stop()
        for task in signs:
            task.cancel()
        for ended in await asyncio.gather(*running, return_exceptions=True):
            if isinstance(ended, Exception):
                log.warning("fetcher ended", exc_info=ended)
        await asyncio.gather(*signs, return_exceptions=True)
        return asyncio.get_running_loop().time() - started > LONGEST_WAIT

    async def _ring(self) -> None:
        await call(self._services.pool, "jobs.ring")
        if self._pulse.last_poll is None:
            self._notifier.tell("READY=1", "STATUS=working")
        self._pulse.beat()

    async def _rescue(self) -> None:
        settings = self._settings
        rescued = await call(
            self._services.pool,
            "jobs.rescue_stalled",
            f"{settings.stalled_after} seconds",
            settings.max_rescues,
        )
        for row in rescued:
            self._services.metrics.rescues.labels(row["action"]).inc()
            log.warning("job rescued", job_id=row["job_id"], task=row["task"], action=row["action"])

    async def _every(self, seconds: float, action: Callable[[], Awaitable[None]]) -> None:
        """Do it again and again; wait longer while the database is away."""
        wait = FIRST_WAIT
        while not self._stopping.is_set():
            try:
                await action()
                wait = FIRST_WAIT
                await self._pause(seconds)
            except LOST:
                self._lost.set()
                wait = await self._pause(wait)
            except Exception as error:
                log.error("loop failed", loop=action.__name__, exc_info=error)
                wait = await self._pause(wait)

    async def _pause(self, seconds: float) -> float:
        """Sleep, or less when told to stop; answers how long to sleep the next time."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass
        return min(seconds * 2, LONGEST_WAIT)
