"""The same small test without a database, on the rolled-back one, and on a clone of its own.

Run by `hub bench clean_db` under benchmarks.clean_db_timing, never with the tests.
"""

from __future__ import annotations

import psycopg

from tests.support.databases import FreshDatabase


def write_and_read(conn: psycopg.Connection[tuple[object, ...]]) -> None:
    conn.execute("insert into public.languages (code, name) values ('tlh', 'Klingon')")
    assert conn.execute("select name from public.languages where code = 'tlh'").fetchone() == (
        "Klingon",
    )


def test_none(turn: int) -> None:
    assert turn >= 0


def test_rolled_back(turn: int, db: psycopg.Connection[tuple[object, ...]]) -> None:
    write_and_read(db)


def test_clean(turn: int, fresh_db: FreshDatabase) -> None:
    write_and_read(fresh_db.connect())
