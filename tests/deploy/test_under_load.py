"""hub deploy under 50 connections that read and write what it changes."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier, Event

import psycopg

from tests.deploy.project import Connection, Project

USERS = 50
TABLES = 6

SHELF = """
create table public.shelf_{n} (id bigint generated always as identity primary key, title text);
alter table public.shelf_{n} enable row level security;
"""
VIEW = """
create or replace view public.shown_{n} with (security_invoker = true) as
select s.id, s.title as title_{column} from public.shelf_{n} as s;
grant select on public.shown_{n} to authenticated;
"""
TRIGGER = """
create or replace function shop.tg_shelf_{n}__check_title()
returns trigger language plpgsql set search_path = '' as $$
begin
  new.title := new.title || {round};
  return new;
end;
$$;
create or replace trigger _100_check_title before insert on public.shelf_{n}
for each row execute function shop.tg_shelf_{n}__check_title();
"""
POLICY = """
drop policy if exists select_all on public.shelf_{n};
create policy select_all on public.shelf_{n} for select to authenticated
using (id > {round} - 100);
drop policy if exists insert_all on public.shelf_{n};
create policy insert_all on public.shelf_{n} for insert to authenticated
with check (length(title) > {round} - 100);
revoke all on public.shelf_{n} from public, anon, authenticated;
grant select, insert (title) on public.shelf_{n} to authenticated;
"""


def write_shelves(shop: Project, round_: int) -> None:
    """A release: every view, trigger and policy of every shelf differs from the last."""
    for n in range(TABLES):
        values = {"n": n, "round": round_, "column": "a"}
        shop.write(f"sql/shop/shown_{n}.sql", f"-- {round_}\n" + VIEW.format(**values))
        shop.write(f"sql/shop/tg_shelf_{n}__check_title.sql", TRIGGER.format(**values))
        shop.write(f"policies/shop/shelf_{n}.sql", POLICY.format(**values))


def use_shelves(url: str, ready: Barrier, stop: Event, seed: int) -> Counter[str]:
    """A user's transactions over several tables, until told to stop.

    The session's own lock_timeout is the judge: the server cancels a statement that waits for a
    lock over a second, and the caller counts it.
    """
    chosen = random.Random(seed)
    counted: Counter[str] = Counter()
    with psycopg.connect(url, autocommit=True, options="-c lock_timeout=1s") as conn:
        conn.execute("set role authenticated")
        ready.wait(60)
        while not stop.is_set():
            try:
                with conn.transaction():
                    for n in chosen.sample(range(TABLES), 3):
                        conn.execute(f"insert into public.shelf_{n} (title) values ('x')")
                        conn.execute(f"select title_a from public.shown_{n} order by id limit 5")
                counted["committed"] += 1
            except psycopg.Error as error:
                counted[f"{error.sqlstate} {error}"] += 1
    return counted


@contextmanager
def long_reads(url: str, deploy_waits: Event) -> Iterator[None]:
    """A report that holds its locks for over a second: whoever queued behind a deploy that waits
    for it to end would wait too long. The first one goes on until deploy has met it."""
    reading, stop = Event(), Event()

    def read() -> None:
        with psycopg.connect(url, options="-c lock_timeout=1s") as conn:
            while not stop.is_set():
                conn.execute("select count(*) from public.shown_0")
                reading.set()
                deploy_waits.wait(60)
                stop.wait(1.2)  # the shape of the load: thinking inside the transaction
                conn.rollback()
                stop.wait(0.3)

    with ThreadPoolExecutor(1) as thread:
        report = thread.submit(read)
        try:
            assert reading.wait(60)
            yield
        finally:
            deploy_waits.set()
            stop.set()
            report.result(60)


def test_nobody_is_killed_and_nobody_waits_a_second(
    shop: Project, url: str, conn: Connection
) -> None:
    shop.write(
        "migrations/20260104000000_create_shop_shelves.sql",
        "".join(SHELF.format(n=n) for n in range(TABLES)),
    )
    write_shelves(shop, 1)
    shop.deploy(url)

    ready, stop, deploy_waits = Barrier(USERS + 1), Event(), Event()

    def report(line: str) -> None:
        if "in use, trying again" in line:
            deploy_waits.set()

    with ThreadPoolExecutor(USERS) as threads, long_reads(url, deploy_waits):
        users = [threads.submit(use_shelves, url, ready, stop, seed) for seed in range(USERS)]
        try:
            ready.wait(60)
            write_shelves(shop, 2)
            shop.write(
                "migrations/20260105000000_add_shop_shelf_column.sql",
                "alter table public.shelf_0 add column colour text;",
            )
            done = shop.deploy(url, report=report)
            assert deploy_waits.is_set()
            assert len(done.files) == 3 * TABLES
            assert len(done.migrations) == 1
        finally:
            stop.set()
        counted = sum((user.result(60) for user in users), Counter())

    failures = {what: times for what, times in counted.items() if what != "committed"}
    assert failures == {}
    assert counted["committed"] > USERS
    kept = conn.execute(
        "select count(*) from pg_policy where polrelid::regclass::text like '%shelf%'"
    ).fetchone()
    assert kept == (2 * TABLES,)
