"""Heads of the hash chains, kept outside the database.

A head is a chain's newest seal: whoever holds it can prove later what lay below. One JSON object
per line, {"chain", "seal_no", "digest", "sealed_at"}, the newest last; the worker's log lines with
the event "seal head" hold the same, so that a log may serve as the file.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import structlog
from pydantic import BaseModel, Field, ValidationError

from procrastinate_app.db import Pool, call

log = structlog.get_logger(__name__)

EVENT = "seal head"
# enough for the last head of every chain; the file itself grows by a line a minute at most
TAIL_BYTES = 65536


class Head(BaseModel, extra="ignore"):
    """A chain's newest seal. `digest` is SHA-256 in hex."""

    chain: str
    seal_no: Annotated[int, Field(ge=1)]
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    sealed_at: datetime | None = None

    def as_text(self) -> str:
        """As seals.verify() takes it."""
        return f"{self.seal_no}:{self.digest}"


class HeadsDisagree(Exception):
    """A head kept outside is not in the database: it was changed, or it was restored. Or a head
    that is to be kept stands on a seal that leaves columns out."""


def read_heads(lines: Iterable[str]) -> list[Head]:
    """The heads among these lines, in their order; other lines are passed over."""
    found: list[Head] = []
    for line in lines:
        try:
            found.append(Head.model_validate_json(line))
        except ValidationError:
            continue
    return found


@dataclass
class HeadKeeper:
    """Tells each new head once: to the log, and to the file where one is named."""

    path: Path | None = None
    _told: dict[str, int] = field(default_factory=dict)
    _busy: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def keep(self, pool: Pool) -> None:
        """Write down the heads that are new, one caller at a time. Raises HeadsDisagree before
        writing when a head that was kept is not in its chain or a newer seal leaves columns out,
        and OSError when the file cannot be written."""
        async with self._busy:
            await self._keep(pool)

    async def _keep(self, pool: Pool) -> None:
        heads = [Head.model_validate(row) for row in await call(pool, "seals.heads")]
        kept = await asyncio.to_thread(self._kept)
        for chain, head in kept.items():
            [row] = await call(pool, "seals.has_head", chain, head.seal_no, head.digest)
            if not row["has_head"]:
                raise HeadsDisagree(
                    f"seal {head.seal_no} of {chain} in {self.path} is not in the database: it was"
                    " changed, or restored from an earlier moment; see hub seal verify --head"
                )
        fresh = [h for h in heads if h.chain not in kept or kept[h.chain].seal_no < h.seal_no]
        for head in heads:
            known = kept[head.chain].seal_no if head.chain in kept else 0
            known = max(known, self._told.get(head.chain, 0))
            if known < head.seal_no:
                refuse_uncovered(head, await call(pool, "seals.uncovered", head.chain, known))
        if self.path and fresh:
            await asyncio.to_thread(append_heads, self.path, fresh)
        for head in heads:
            if self._told.get(head.chain, 0) < head.seal_no:
                log.info(EVENT, **head.model_dump(mode="json"))
                self._told[head.chain] = head.seal_no

    def _kept(self) -> dict[str, Head]:
        """The last head of each chain near the end of the file."""
        if self.path is None or not self.path.exists():
            return {}
        with self.path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
        return {head.chain: head for head in read_heads(lines)}


def refuse_uncovered(head: Head, found: Iterable[Mapping[str, Any]]) -> None:
    """Raises HeadsDisagree for the first row of seals.uncovered, if there is one."""
    for row in found:
        raise HeadsDisagree(f"{head.chain}: {row['details']}; see hub seal verify")


def append_heads(path: Path, heads: Iterable[Head]) -> None:
    """Append to the file in one write, and return when it is on the disk."""
    text = "".join(_line(head.model_dump(mode="json")) for head in heads)
    is_new = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
    try:
        os.write(descriptor, text.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if is_new:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _line(fields: dict[str, Any]) -> str:
    return json.dumps(fields) + "\n"
