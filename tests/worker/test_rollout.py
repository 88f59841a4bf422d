"""OPS-5: a release goes in under old clients and an old worker; nothing fails or is lost."""

from __future__ import annotations

import os
import random
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from tests.support.callers import Connection, become
from tests.support.databases import FreshDatabase
from tests.support.events import value
from tests.support.people import make_people
from tests.support.running import Sandbox, WorkerProcess, until
from tests.worker.releases import Release, contract, expand, present, switch

StartWorker = Callable[..., WorkerProcess]

AUTHORS, REVIEWERS = 2, 4
NEW_JOB = "select jobs.defer('consensus:copy_skipped_at')"
UNSENT = "select o.id from jobs.outbox as o where not o.id = any (%s::bigint[]) order by o.id"


@dataclass
class Client:
    """One person's app: calls doors as the API does, prepared and by name."""

    database: FreshDatabase
    person: UUID
    seed: int
    calls: Counter[str] = field(default_factory=Counter)

    def run(self, stop: Event) -> Counter[str]:
        chance = random.Random(self.seed)
        with psycopg.connect(self.database.url_of("authenticator"), autocommit=True) as conn:
            while not stop.is_set():
                self.act(conn, chance)
        return self.calls

    def act(self, conn: Connection, chance: random.Random) -> None:
        raise NotImplementedError

    def rpc(self, conn: Connection, door: str, **arguments: Any) -> Any:
        """The statement that PostgREST makes of POST /rpc/<door>."""
        named = sql.SQL(", ").join(
            sql.SQL("{} => {}").format(sql.Identifier(name), sql.Placeholder(name))
            for name in arguments
        )
        query = sql.SQL(
            "with called as (select * from {}({})) select coalesce(json_agg(c), '[]') from called c"
        ).format(sql.Identifier("public", door), named)
        return self._request(conn, door, query, arguments)

    def read(self, conn: Connection, query: str) -> Any:
        """A GET: named columns of a table or view."""
        wrapped = sql.SQL("select coalesce(json_agg(q), '[]') from ({}) q").format(
            sql.SQL(query)  # type: ignore[arg-type]
        )
        return self._request(conn, "read", wrapped, {})

    def _request(self, conn: Connection, name: str, query: sql.Composed, given: Any) -> Any:
        with conn.transaction():
            become(conn, self.person)
            [answer] = conn.execute(query, given, prepare=True).fetchone() or (None,)
        self.calls[name] += 1
        return answer


class Author(Client):
    def act(self, conn: Connection, chance: random.Random) -> None:
        self.rpc(
            conn, "submit_clip", kind="voice", language="sw", duration_ms=900, prompt="Habari",
            media_path=f"{self.person}/{uuid4()}.ogg", idempotency_key=str(uuid4()),
        )  # fmt: skip
        self.read(conn, "select id, status, prompt, published_at from public.clips limit 5")
        self.rpc(conn, "me")


class Reviewer(Client):
    def act(self, conn: Connection, chance: random.Random) -> None:
        for clip in self.rpc(conn, "next_clips_to_review", language="sw", max_clips=2):
            if chance.random() < 0.4:
                self.skip(conn, clip["clip_id"])
            else:
                self.rpc(conn, "cast_vote", clip_id=clip["clip_id"], label="valid")
        self.read(conn, "select * from public.wallets")

    def skip(self, conn: Connection, clip: str) -> None:
        self.rpc(conn, "skip_clip", clip_id=clip)


class NewReviewer(Reviewer):
    """Knows the argument that the expanding release added."""

    def skip(self, conn: Connection, clip: str) -> None:
        self.rpc(conn, "skip_clip", clip_id=clip, reason="too quiet")


@dataclass
class Crowd:
    """Clients at work. A call that fails ends its client, and is raised when the block ends."""

    clients: list[Client]
    running: list[Future[Counter[str]]]

    def calls(self) -> int:
        for future in self.running:
            if future.done():
                future.result()
        return sum(client.calls.total() for client in self.clients)

    def wait_for_more(self, count: int = 100) -> None:
        """Until they have made so many calls more."""
        goal = self.calls() + count
        until(lambda: self.calls() >= goal)


@contextmanager
def at_work(clients: list[Client]) -> Iterator[Crowd]:
    stop = Event()
    with ThreadPoolExecutor(len(clients)) as pool:
        crowd = Crowd(clients, [pool.submit(client.run, stop) for client in clients])
        try:
            crowd.wait_for_more()
            yield crowd
            crowd.wait_for_more()
        finally:
            stop.set()
        for future in crowd.running:
            future.result()


@pytest.fixture
def people(conn: Connection) -> list[UUID]:
    """Their calls are limited by nothing here."""
    conn.execute("update limits.rules set burst = 1000000, period = '1 hour' where true")
    return make_people(conn, AUTHORS + REVIEWERS)


def clients(database: FreshDatabase, people: list[UUID], reviewer: type[Reviewer]) -> list[Client]:
    authors = [Author(database, person, seed) for seed, person in enumerate(people[:AUTHORS])]
    return [
        *authors,
        *(reviewer(database, person, seed) for seed, person in enumerate(people[AUTHORS:])),
    ]


def deploy(release: Release, url: str) -> str:
    """As an operator does, with the release's own program."""
    done = subprocess.run(
        release.hub("deploy"),
        env={**os.environ, "HUB_DATABASE_URL": url},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def assert_all_delivered(conn: Connection, sandbox: Sandbox) -> None:
    """Every event of the outbox reached the provider."""

    def unsent() -> list[Any]:
        return conn.execute(UNSENT, [sandbox.accepted_ids()]).fetchall()

    until(lambda: not unsent(), lambda: str(unsent()[:20]))
    assert value(conn, "select count(*) from jobs.outbox") > 0
    assert value(conn, "select count(*) from jobs.dead_letters") == 0


def complaints(worker: WorkerProcess) -> list[str]:
    """What a worker should not have to say while a release goes in."""
    return [
        line["event"]
        for line in worker.events()
        if line.get("level") in ("error", "critical") or "failed" in line["event"]
    ]


def test_release_goes_in_under_old_clients_and_an_old_worker(
    fresh_db: FreshDatabase,
    conn: Connection,
    sandbox: Sandbox,
    workers: StartWorker,
    people: list[UUID],
    tmp_path: Path,
) -> None:
    """Database, then workers, then clients; and the contract two releases later."""
    old, one = present(), expand(present(), tmp_path / "one")
    two = switch(one, tmp_path / "two")
    three = contract(two, tmp_path / "three")

    older = workers(fresh_db.url).wait_ready()
    refused = workers(fresh_db.url, command=one.hub("worker"))
    assert refused.wait() == 78, "a newer worker must not start before its schema is there"

    with at_work(clients(fresh_db, people, Reviewer)) as crowd:
        said = deploy(one, fresh_db.url)
        assert "2 migrations" in said
        crowd.wait_for_more()
        # what the new schema defers, the old worker leaves to the new one
        conn.execute("update consensus.skips set skipped_at = null where true")
        job_id = value(conn, NEW_JOB)
        older.wait_until(lambda: older.said("job of another release"))
        newer = workers(fresh_db.url, command=one.hub("worker")).wait_ready()
        crowd.wait_for_more()
        older.terminate()
        assert older.wait() == 0, older.output()
        crowd.wait_for_more()
    assert complaints(older) == []
    conn.execute(
        "update procrastinate.procrastinate_jobs set scheduled_at = null where id = %s", [job_id]
    )
    uncopied = "select count(*) from consensus.skips where skipped_at is null"
    until(lambda: value(conn, uncopied) == 0, newer.output)
    assert value(conn, "select count(*) from consensus.skips") > 0
    assert_all_delivered(conn, sandbox)

    with at_work(clients(fresh_db, people, NewReviewer)) as crowd:
        deploy(two, fresh_db.url)
        crowd.wait_for_more()
        deploy(three, fresh_db.url)
    assert complaints(newer) == []
    assert newer.process.poll() is None
    assert_all_delivered(conn, sandbox)
    columns = conn.execute(
        "select attname::text from pg_attribute where attrelid = 'consensus.skips'::regclass"
        " and attnum > 0 and not attisdropped order by 1"
    ).fetchall()
    assert columns == [("clip_id",), ("reviewer_id",), ("skipped_at",)]
    assert all(row == (True,) for row in conn.execute("select holds from ledger.verify()"))

    behind = subprocess.run(
        old.hub("deploy"), env={**os.environ, "HUB_DATABASE_URL": fresh_db.url},
        capture_output=True, text=True,
    )  # fmt: skip
    assert behind.returncode == 1
    assert "older than the database" in behind.stderr
