"""How much each statement would hurt: none, low, medium or high, with the reason in words.

A lock that blocks nobody is no risk. One that blocks is judged by how long it is held: by itself,
and until the work of the statements after it in the same transaction is done. A table that somebody
reads or writes now has less time to give.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from procrastinate_app.deploy.locks import Effect, Mode
from procrastinate_app.deploy.plan_catalog import Relation
from procrastinate_app.deploy.plan_model import RISKS, Lock, Risk, Table

# a modest disk; a guess to compare sizes by, not a promise
SCAN_BYTES_PER_SECOND = 100e6
REWRITE_BYTES_PER_SECOND = 50e6
# seconds from which a held lock is medium, and from which it is high
IN_USE, QUIET = (0.25, 2.0), (2.0, 20.0)
MANY_ROWS, VERY_MANY_ROWS = 50_000, 1_000_000
_LONG = 1.0
# the size from which a statement that cannot be read is a high risk
_BIG = 10_000_000


@dataclass(frozen=True)
class Verdict:
    risk: Risk
    reason: str
    seconds: float = 0.0


def worst(risks: Iterable[Risk]) -> Risk:
    return max(risks, key=RISKS.index, default="none")


class Judge:
    """Knows the tables; `biggest` is the size of the biggest of the whole database, in bytes."""

    def __init__(self, tables: Mapping[Relation, Table], biggest: int) -> None:
        self.tables, self.biggest = tables, biggest
        self.sizes = {str(relation): table.bytes for relation, table in tables.items()}

    def transaction(self, effects: list[Effect], lines: list[int | None]) -> list[Verdict]:
        """The verdict on each statement of one transaction; a lock is held to its end."""
        work = [self._work(effect) for effect in effects]
        found: list[Verdict] = []
        for at, effect in enumerate(effects):
            alone = self._alone(effect, work[at])
            later = [n for n in range(at + 1, len(effects)) if work[n] > 0]
            held = self._held(effect, sum(work[at:]))
            if later and RISKS.index(held.risk) > RISKS.index(alone.risk):
                longest = max(later, key=lambda n: work[n])
                where = f"line {lines[longest]}" if lines[longest] else "a later statement"
                alone = Verdict(
                    held.risk,
                    f"{held.reason}; the lock is kept until {where} has done its work in the same "
                    "transaction: give that a file of its own",
                    work[at],
                )
            found.append(alone)
        return found

    def _work(self, effect: Effect) -> float:
        return sum(
            self._bytes(relation) / REWRITE_BYTES_PER_SECOND for relation in effect.rewrite
        ) + sum(
            self._bytes(relation) / SCAN_BYTES_PER_SECOND
            for relation in effect.scan - effect.rewrite
        )

    def _bytes(self, relation: Relation) -> int:
        table = self.tables.get(relation)
        return table.bytes if table else 0

    def _alone(self, effect: Effect, seconds: float) -> Verdict:
        if effect.unknown:
            return self._unknown(effect, seconds)
        found = [self._held(effect, seconds), self._rows(effect, seconds)]
        if effect.waits:
            reason = "waits for open transactions and blocks nobody meanwhile"
            found.append(Verdict("low", reason, seconds))
        return max(found, key=lambda verdict: RISKS.index(verdict.risk))

    def _unknown(self, effect: Effect, seconds: float) -> Verdict:
        risk: Risk = "high" if self.biggest >= _BIG else "medium"
        return Verdict(risk, f"may lock anything: {effect.unknown}", seconds)

    def _held(self, effect: Effect, seconds: float) -> Verdict:
        """For the table that suffers most."""
        blocking = {relation: mode for relation, mode in effect.locks.items() if mode.blocks_writes}
        if not blocking:
            return Verdict("none", "blocks neither reads nor writes", seconds)
        verdicts = [self._table(effect, one, mode, seconds) for one, mode in blocking.items()]
        return max(verdicts, key=lambda verdict: RISKS.index(verdict.risk))

    def _table(self, effect: Effect, relation: Relation, mode: Mode, seconds: float) -> Verdict:
        table = self.tables[relation]
        stopped = "reads and writes" if mode.blocks_reads else "writes"
        in_use = table.is_written or (mode.blocks_reads and table.is_read)
        medium, high = IN_USE if in_use else QUIET
        risk: Risk = "high" if seconds >= high else "medium" if seconds >= medium else "low"
        how_long = "for a moment" if seconds < IN_USE[0] else f"for about {duration(seconds)}"
        reason = f"{stopped} of {relation} wait {how_long}"
        if effect.rewrite | effect.scan and seconds >= IN_USE[0]:
            done = "written anew" if effect.rewrite else "read in full"
            reason += (
                f" while {size(sum(map(self._bytes, effect.scan | effect.rewrite)))} are {done}"
            )
        if risk != "low":
            reason += f" ({use(table)})"
        holder = next(iter(table.holders), None)
        if holder is not None and holder.seconds > _LONG:
            risk = worst((risk, "medium"))
            reason += (
                f"; deploy must wait for pid {holder.pid}, which has held a lock for "
                f"{duration(holder.seconds)}"
            )
        return Verdict(risk, reason, seconds)

    def _rows(self, effect: Effect, seconds: float) -> Verdict:
        """Changed rows stay locked until the commit, and leave their old versions behind."""
        rows = max((self.tables[one].rows for one in effect.rows if one in self.tables), default=0)
        if not effect.rows or rows < 1:
            return Verdict("none", "blocks neither reads nor writes", seconds)
        risk: Risk = "high" if rows >= VERY_MANY_ROWS else "medium" if rows >= MANY_ROWS else "low"
        names = ", ".join(sorted(map(str, effect.rows)))
        return Verdict(
            risk, f"changes up to {count(rows)} rows of {names}, locked until the commit", seconds
        )

    def strongest(self, found: Iterable[Lock]) -> Lock | None:
        return self.first(found, self.sizes)

    @staticmethod
    def first(found: Iterable[Lock], sizes: Mapping[str, int]) -> Lock | None:
        """The strongest lock, on the biggest table; a lock on the unknown is the strongest."""

        def strength(lock: Lock) -> tuple[int, bool, int]:
            return Mode.named(lock.mode), lock.table is None, sizes.get(lock.table or "", 0)

        best = max(found, key=strength, default=None)
        return None if best is None or best.mode == str(Mode.ACCESS_SHARE) else best


# figures as people say them


def count(number: float) -> str:
    for unit, name in ((1e9, " G"), (1e6, " M"), (1e4, " k")):
        if number >= unit:
            value = number / (1e3 if name == " k" else unit)
            return f"{value:.1f}".removesuffix(".0") + name if value < 10 else f"{value:.0f}{name}"
    return f"{number:.0f}"


def size(number: float) -> str:
    for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if number >= unit:
            value = number / unit
            return f"{value:.1f} {name}" if value < 10 else f"{value:.0f} {name}"
    return f"{number:.0f} B"


def duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def use(table: Table) -> str:
    """Who uses it, as far as could be seen."""
    found = []
    if table.reads_per_second:
        found.append(f"{count(table.reads_per_second)} reads/s")
    elif table.is_read:
        found.append("read now")
    if table.writes_per_second:
        found.append(f"{count(table.writes_per_second)} writes/s")
    elif table.is_written:
        found.append("written now")
    return ", ".join(found) or "nobody seen using it"
