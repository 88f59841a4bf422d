"""Ids that clients see are uuids of version 7: in order of time, not guessable."""

from __future__ import annotations

import time
from uuid import UUID

from tests.support.callers import Connection


def make(db: Connection, count: int) -> list[UUID]:
    return [
        row[0] for row in db.execute("select app.uuid_v7() from generate_series(1, %s)", [count])
    ]


def test_they_carry_version_variant_and_time(db: Connection) -> None:
    before = time.time_ns() // 1_000_000
    made = make(db, 1)[0]
    after = time.time_ns() // 1_000_000
    assert made.version == 7
    assert made.variant == "specified in RFC 4122"
    assert before - 1 <= made.int >> 80 <= after + 1


def test_they_are_unique_and_sort_by_time(db: Connection) -> None:
    made = make(db, 5000)
    assert len(set(made)) == 5000
    times = [each.int >> 80 for each in made]
    assert times == sorted(times)
