"""hub deploy: two at once, and killed half-way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import psycopg
import pytest

from procrastinate_app.deploy.dump import dump
from procrastinate_app.local import postgres
from tests.deploy.project import Connection, Project

STEPS = 11  # lines of progress of a fresh deploy of the shop

DEPLOY_AND_DIE = """
import os, signal, sys
from pathlib import Path
from procrastinate_app.deploy import deploy

root, last = Path(sys.argv[1]), int(sys.argv[2])
lines = 0

def report(line):
    global lines
    print(line, flush=True)
    lines += 1
    if lines == last:
        os.kill(os.getpid(), signal.SIGKILL)

deploy(os.environ["HUB_DATABASE_URL"], root=root, report=report)
"""


def start_deploy(shop: Project, url: str, die_after: int) -> subprocess.Popen[str]:
    """A deploy in a process of its own that kills itself after so many lines of progress."""
    return subprocess.Popen(
        [sys.executable, "-c", DEPLOY_AND_DIE, str(shop.root), str(die_after)],
        env={**os.environ, "HUB_DATABASE_URL": url},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def whole_dump() -> dict[str, str]:
    return {}


@pytest.mark.parametrize("die_after", range(1, STEPS))
def test_killed_deploy_is_completed_by_the_next(
    die_after: int,
    shop: Project,
    server: postgres.Server,
    new_database: Callable[[], str],
    whole_dump: dict[str, str],
) -> None:
    """A fresh deploy of the shop reports its steps; die after each but the last."""
    if not whole_dump:
        name = new_database()
        lines: list[str] = []
        shop.deploy(server.url(name), report=lines.append)
        assert len(lines) == STEPS
        whole_dump["shop"] = dump(server, name)

    name = new_database()
    with start_deploy(shop, server.url(name), die_after) as process:
        process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL

    done = shop.deploy(server.url(name))

    assert len(done.migrations) + len(done.files) > 0
    assert dump(server, name) == whole_dump["shop"]
    assert not shop.deploy(server.url(name)).changed


@pytest.mark.parametrize(
    ("path", "busy", "die_after"),
    [
        ("policies/shop/goods.sql", "lock table public.goods in access share mode", 1),
        ("sql/shop/offers.sql", "lock table public.offers in access share mode", 1),
        ("sql/shop/tg_sales__refuse_change.sql", "lock table shop.sales in row exclusive mode", 2),
        (
            "sql/shop/discounted.sql",
            "alter function shop.discounted(bigint) cost 50",
            1,
        ),
    ],
)
def test_killed_inside_a_transaction_is_completed_by_the_next(
    path: str, busy: str, die_after: int, shop: Project, url: str, conn: Connection
) -> None:
    """A file that waits for a lock is killed while its transaction is open."""
    shop.deploy(url)
    shop.write(path, (shop.root / path).read_text() + "-- changed\n")

    with psycopg.connect(url) as user:
        user.execute(busy)
        with start_deploy(shop, url, die_after) as process:
            said, _ = process.communicate(timeout=60)
        assert "in use, trying again" in said
        user.rollback()

    assert shop.deploy(url).files == [path]
    assert not shop.deploy(url).changed


def test_two_deployers_take_turns(shop: Project, url: str) -> None:
    first_is_inside, second_waits = Event(), Event()
    first_lines: list[str] = []
    second_lines: list[str] = []

    def first_report(line: str) -> None:
        first_lines.append(line)
        first_is_inside.set()
        assert second_waits.wait(30)

    def second_report(line: str) -> None:
        second_lines.append(line)
        second_waits.set()

    with ThreadPoolExecutor() as threads:
        first = threads.submit(shop.deploy, url, report=first_report)
        assert first_is_inside.wait(30)
        second = threads.submit(shop.deploy, url, report=second_report)
        assert first.result(60).changed
        assert not second.result(60).changed

    assert second_lines == ["waiting for another deploy"]
    assert len(first_lines) == STEPS


def test_lost_lock_stops_the_deploy(shop: Project, url: str) -> None:
    """`discard all` drops session locks; another deployer could be inside."""
    shop.write(
        "migrations/20260104000000_discard_shop_session.sql", "-- no-transaction\ndiscard all;"
    )

    with pytest.raises(Exception, match="deploy lock does not hold"):
        shop.deploy(url)


def test_impatient_deploy_gives_up_and_names_who_stands_in_the_way(shop: Project, url: str) -> None:
    shop.deploy(url)
    shop.change("policies/shop/goods.sql", "using (true)", "using (id > 0)")

    with psycopg.connect(url) as user:
        user.execute("select 1 from public.goods")
        with pytest.raises(Exception, match=r"policies/shop/goods\.sql: its lock could not be had"):
            shop.deploy(url, patience=0.0)
        assert user.execute("select count(*) from public.goods").fetchone() == (0,)

    assert shop.deploy(url).files == ["policies/shop/goods.sql"]
