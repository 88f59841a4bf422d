"""The benches there are, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks import clean_db, deploy, idempotency, limits, rls, seal, votes
from benchmarks.harness import Options, Result


@dataclass(frozen=True)
class Bench:
    """A bench: `hub bench NAME` runs it."""

    name: str
    title: str
    run: Callable[[Options], Result]


MODULES = (votes, rls, limits, idempotency, clean_db, deploy, seal)
BENCHES = {each.NAME: Bench(each.NAME, each.TITLE, each.run) for each in MODULES}
