"""Doing many things side by side while some of them keep their order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from itertools import count
from typing import TypeVar

T = TypeVar("T")


async def side_by_side(
    items: Iterable[T],
    work: Callable[[T], Awaitable[None]],
    *,
    lanes: int,
    in_order: Callable[[T], object] | None = None,
) -> None:
    """Do the work for each item, at most `lanes` at a time. The first failure stops all.

    Items of one lane are done one after another. Items for which `in_order` gives the same value
    share a lane, so they keep their order; without it they are dealt out in turn.
    """
    turns = count()
    places: dict[object, int] = {}
    piles: list[list[T]] = [[] for _ in range(lanes)]
    for item in items:
        key = in_order(item) if in_order else next(turns)
        piles[places.setdefault(key, len(places)) % lanes].append(item)

    async def go(pile: list[T]) -> None:
        for item in pile:
            await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for pile in piles:
                group.create_task(go(pile))
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
