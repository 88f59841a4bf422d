"""procrastinate's App with every task of tasks/, and its connector over the worker's pool."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.sql import queries

from procrastinate_app.db import LOST
from procrastinate_app.tasks import app, consensus, identity, jobs, ledger, limits, realtime, seals

NAMESPACES = {
    "app": app.blueprint,
    "consensus": consensus.blueprint,
    "identity": identity.blueprint,
    "jobs": jobs.blueprint,
    "ledger": ledger.blueprint,
    "limits": limits.blueprint,
    "realtime": realtime.blueprint,
    "seals": seals.blueprint,
}


# procrastinate's own statement, over our function: it knows pauses, and where a job comes from
FETCH_JOB = queries["fetch_job"].replace(
    "procrastinate_fetch_job_v2(%(queues)s::varchar[]", "jobs.fetch_job(%(queues)s::text[]"
)
assert queries["fetch_job"] != FETCH_JOB, "procrastinate fetches jobs in another way now"


class Connector(PsycopgConnector):
    """Fetches by jobs.fetch_job(); tells the worker when a statement failed because the connection
    did.

    procrastinate swallows some of these failures, and a job whose end could not be written stays
    `doing` under a worker that lives on: only starting the fetchers afresh frees it.
    """

    def __init__(self, on_lost: Callable[[], None]) -> None:
        super().__init__()
        self._on_lost = on_lost

    @contextmanager
    def _watching(self) -> Iterator[None]:
        try:
            yield
        except ConnectorException as error:
            if isinstance(error.__cause__, LOST):
                self._on_lost()
            raise

    async def execute_query_async(self, query: Any, **arguments: Any) -> None:
        with self._watching():
            await super().execute_query_async(query, **arguments)

    async def execute_query_one_async(self, query: Any, **arguments: Any) -> dict[str, Any]:
        if query == queries["fetch_job"]:
            query = FETCH_JOB
        with self._watching():
            row: dict[str, Any] = await super().execute_query_one_async(query, **arguments)
            return row

    async def execute_query_all_async(self, query: Any, **arguments: Any) -> list[dict[str, Any]]:
        with self._watching():
            rows: list[dict[str, Any]] = await super().execute_query_all_async(query, **arguments)
            return rows


@cache
def make_app() -> App:
    """The App, one per process (adding a blueprint changes it), not connected to anything yet."""
    made = App(connector=PsycopgConnector())
    for namespace, blueprint in NAMESPACES.items():
        made.add_tasks_from(blueprint, namespace=namespace)
    return made
