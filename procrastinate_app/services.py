"""What a running job may use: settings, the database, the providers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from procrastinate import JobContext

from procrastinate_app.db import Pool
from procrastinate_app.metrics import Metrics
from procrastinate_app.providers.auth import SupabaseAuth
from procrastinate_app.providers.realtime import Realtime
from procrastinate_app.seals import HeadKeeper
from procrastinate_app.settings import Settings
from procrastinate_app.tracing import Tracing


@dataclass(frozen=True)
class Services:
    settings: Settings
    pool: Pool
    realtime: Realtime
    auth: SupabaseAuth
    metrics: Metrics
    heads: HeadKeeper = field(default_factory=HeadKeeper)
    tracing: Tracing = field(default_factory=Tracing)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


def services(context: JobContext) -> Services:
    """The services the worker gave this job."""
    found = context.additional_context["services"]
    assert isinstance(found, Services)
    return found
