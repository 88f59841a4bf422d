"""What a running job may use: settings, the database, the providers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from procrastinate import JobContext

from procrastinate_app.db import Pool
from procrastinate_app.metrics import Metrics
from procrastinate_app.providers.realtime import Realtime
from procrastinate_app.settings import Settings


@dataclass(frozen=True)
class Services:
    settings: Settings
    pool: Pool
    realtime: Realtime
    metrics: Metrics
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


def services(context: JobContext) -> Services:
    """The services the worker gave this job."""
    found = context.additional_context["services"]
    assert isinstance(found, Services)
    return found
