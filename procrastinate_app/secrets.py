"""The keys a provider may accept from us, newest first: rotated without refusing a call.

A key file holds one key per line, the newest first. It is read again when it changes and when a
provider refuses every key (401, 403), so that new keys need no restart. A refused key is tried last
for a while; a call that a key was refused for is repeated with the next one at once, because the
provider did nothing. Keys are never logged.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from pydantic import SecretStr

log = structlog.get_logger(__name__)

REFUSED_FOR = 60.0


@dataclass
class Keys:
    """One provider's keys. `fits` says whether a key may be used in this environment at all."""

    given: tuple[SecretStr, ...] = ()
    path: Path | None = None
    fits: Callable[[str], bool] = lambda _: True
    _seen: tuple[int, int, int] | None = field(default=None, init=False)
    _refused: dict[str, float] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.path:
            self._read()

    @classmethod
    def fixed(cls, key: SecretStr) -> Keys:
        """Keys that stay as they are."""
        return cls(parse_keys(key.get_secret_value()))

    def to_try(self) -> Iterator[SecretStr]:
        """The keys in the order to try them. Say `refused` of one, and the next comes; when all
        were refused the file is read again, and what is new in it comes too."""
        self._read_if_changed()
        tried: set[str] = set()
        for _ in range(2):
            for key in self._ordered():
                if key.get_secret_value() not in tried:
                    tried.add(key.get_secret_value())
                    yield key
            if not self._read():
                return

    def refused(self, key: SecretStr) -> None:
        """The provider answered 401 or 403 to it."""
        self._refused[key.get_secret_value()] = time.monotonic() + REFUSED_FOR

    def accepted(self, key: SecretStr) -> None:
        """The provider took it."""
        self._refused.pop(key.get_secret_value(), None)

    def _ordered(self) -> list[SecretStr]:
        now = time.monotonic()
        self._refused = {key: until for key, until in self._refused.items() if until > now}
        return sorted(self.given, key=lambda key: key.get_secret_value() in self._refused)

    def _read_if_changed(self) -> None:
        if self.path and self._mark() != self._seen:
            self._read()

    def _mark(self) -> tuple[int, int, int] | None:
        try:
            found = self.path.stat() if self.path else None
        except OSError:
            return None
        return (found.st_mtime_ns, found.st_size, found.st_ino) if found else None

    def _read(self) -> bool:
        """Read the file; whether its keys are others than before. What cannot be read, or holds
        nothing that may be used, leaves the keys as they are."""
        if self.path is None:
            return False
        self._seen = self._mark()
        try:
            found = parse_keys(self.path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            log.warning("keys not read", path=str(self.path), reason=type(error).__name__)
            return False
        unfit = [key for key in found if not self.fits(key.get_secret_value())]
        if unfit or not found:
            log.error(
                "keys not taken",
                path=str(self.path),
                reason="not for this environment" if unfit else "the file is empty",
            )
            return False
        if found == self.given:
            return False
        if self.given:
            log.info("keys read again", path=str(self.path), count=len(found))
        self.given = found
        return True


def parse_keys(text: str) -> tuple[SecretStr, ...]:
    """The keys in a file or variable: one per line, the newest first."""
    return tuple(
        dict.fromkeys(SecretStr(line.strip()) for line in text.split("\n") if line.strip())
    )
