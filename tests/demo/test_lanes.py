"""Side by side, at most so many at a time, and in order where order is asked for."""

from __future__ import annotations

import asyncio
from collections import defaultdict

import pytest

from procrastinate_app.local.demo.lanes import side_by_side


@pytest.mark.parametrize("lanes", [1, 3, 100])
async def test_items_of_one_key_keep_their_order(lanes: int) -> None:
    done: dict[str, list[int]] = defaultdict(list)

    async def work(item: tuple[str, int]) -> None:
        for _ in range(item[1] % 3):
            await asyncio.sleep(0)
        done[item[0]].append(item[1])

    items = [("abcdefg"[number % 7], number) for number in range(70)]
    await side_by_side(items, work, lanes=lanes, in_order=lambda item: item[0])
    assert sum(map(len, done.values())) == 70
    assert all(numbers == sorted(numbers) for numbers in done.values())


async def test_no_more_run_at_once_than_there_are_lanes() -> None:
    running = most = 0

    async def work(_: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    await side_by_side(range(50), work, lanes=4)
    assert most == 4


async def test_the_first_failure_stops_all() -> None:
    done: list[int] = []

    async def work(item: int) -> None:
        if item == 3:
            raise ValueError("the third")
        await asyncio.sleep(0)
        done.append(item)

    with pytest.raises(ValueError, match="the third"):
        await side_by_side(range(1000), work, lanes=2)
    assert len(done) < 10


async def test_nothing_to_do_is_done() -> None:
    async def work(_: int) -> None:
        raise AssertionError("there is no item")

    await side_by_side([], work, lanes=3)
