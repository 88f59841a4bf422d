"""The Realtime sandbox from the demo's side: faults on demand, and what arrived."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import aiohttp

# Each happens to one call: Realtime fails, asks to wait, takes the batch but the answer is lost.
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "500"},
    {"kind": "429", "seconds": 1},
    {"kind": "drop_after_accept"},
)
FAULTS_TOLD = "one 500, one 429, one answer lost after the batch was taken"


@dataclass(frozen=True)
class Arrived:
    """What Realtime took: messages by event, how many came twice, how many nobody may see."""

    by_event: Counter[str]
    repeated: Counter[str]
    topics: dict[str, int]
    dropped: int


class Sandbox:
    def __init__(self, url: str) -> None:
        self._url = url

    async def add_faults(self) -> None:
        async with aiohttp.ClientSession(self._url, raise_for_status=True) as session:
            for fault in FAULTS:
                async with session.post("/_sandbox/faults", json=fault):
                    pass

    async def arrived(self) -> Arrived:
        async with (
            aiohttp.ClientSession(self._url, raise_for_status=True) as session,
            session.get("/_sandbox/messages") as response,
        ):
            found = await response.json()
        sightings = Counter(
            (message["event"], message["payload"]["id"]) for message in found["accepted"]
        )
        topics: dict[str, set[str]] = {}
        for message in found["accepted"]:
            topics.setdefault(message["event"], set()).add(message["topic"])
        repeated: Counter[str] = Counter()
        for (event, _), times in sightings.items():
            repeated[event] += times - 1
        return Arrived(
            by_event=Counter(event for event, _ in sightings),
            repeated=repeated,
            topics={event: len(names) for event, names in topics.items()},
            dropped=len(found["dropped"]),
        )
