"""One deployer at a time.

The lock is polled: a session blocked inside pg_advisory_lock holds a snapshot, which a
`create index concurrently` of the other deployer would wait for: a deadlock. It lives on the very
connection that does the work, so that it cannot be lost while the work goes on.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

from procrastinate_app.deploy.session import Connection, Report
from procrastinate_app.deploy.tree import DeployRefused

KEY = (1751474733, 1684369519)  # "hhd-", "depl" as bytes; any two numbers nobody else uses


@contextmanager
def only_deployer(conn: Connection, report: Report) -> Iterator[None]:
    """Wait for other deployers of this database, then keep them out."""
    waiting = False
    while conn.execute("select pg_try_advisory_lock(%s, %s)", KEY).fetchone() != (True,):
        if not waiting:
            report("waiting for another deploy")
            waiting = True
        time.sleep(random.uniform(0.1, 0.3))
    ensure_held(conn)
    try:
        yield
    finally:
        if not conn.closed and not conn.broken:
            conn.execute("select pg_advisory_unlock(%s, %s)", KEY)


def ensure_held(conn: Connection) -> None:
    """Refuse to go on without the lock, as behind a pooler that changes sessions under us."""
    row = conn.execute(
        """
        select exists (
          select
          from pg_locks
          where locktype = 'advisory'
            and pid = pg_backend_pid()
            and database = (select oid from pg_database where datname = current_database())
            and (classid::bigint, objid::bigint) = (%s, %s)
        )
        """,
        KEY,
    ).fetchone()
    if row != (True,):
        raise DeployRefused(
            "The deploy lock does not hold on this connection: it goes through a transaction "
            "pooler, or a migration dropped it (discard all). Use a direct or session connection."
        )
