"""The benches there are, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks import clean_db, rls, votes
from benchmarks.harness import Options, Result


@dataclass(frozen=True)
class Bench:
    """A bench: `hub bench NAME` runs it."""

    name: str
    title: str
    run: Callable[[Options], Result]


BENCHES = {
    module.NAME: Bench(module.NAME, module.TITLE, module.run) for module in (votes, rls, clean_db)
}
