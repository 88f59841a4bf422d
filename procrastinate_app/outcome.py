"""What became of a provider call, in the words SQL settles by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from procrastinate_app.logging import Failure


class Result(StrEnum):
    DELIVERED = "delivered"
    REJECTED = "rejected"  # the provider will never take it
    RETRY = "retry"  # not taken, may be later
    UNKNOWN = "unknown"  # sent, but no answer came
    ABANDONED = "abandoned"  # we stopped before there was one


@dataclass(frozen=True)
class Outcome:
    """A provider's answer, translated. retry_after: it asked for a wait, which is no attempt."""

    result: Result
    retry_after: timedelta | None = None
    failure: Failure | None = None


class Undelivered(Exception):
    """A unit job's delivery did not succeed: raised in the task, tried again as SQL decides."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.failure.message if outcome.failure else outcome.result.value)
        self.outcome = outcome
