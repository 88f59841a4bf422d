"""Text arguments are trimmed, measured and named in the refusal."""

from __future__ import annotations

import pytest

from tests.support.callers import Connection, one, refused


def read(db: Connection, value: str | None, least: int = 1, most: int = 5) -> str | None:
    found = one(db, "select app.require_text('note', %s, %s, %s)", [value, least, most])
    return None if found is None else str(found)


@pytest.mark.parametrize(
    ("given", "read_as"),
    [
        ("abc", "abc"),
        (" \t\r\nabc \n", "abc"),
        ("a b", "a b"),
        ("ñandú", "ñandú"),
        ("🙂" * 5, "🙂" * 5),
    ],
)
def test_text_within_its_length_is_trimmed(db: Connection, given: str, read_as: str) -> None:
    assert read(db, given) == read_as


@pytest.mark.parametrize("given", [None, "", "   ", "\n", "abcdef", "🙂" * 6])
def test_missing_or_long_text_is_refused_by_name(db: Connection, given: str | None) -> None:
    with refused(db, "invalid_input") as refusal:
        read(db, given)
    assert refusal.details == "note: 1 to 5 characters"


@pytest.mark.parametrize("given", [None, "", "  "])
def test_optional_text_may_be_missing(db: Connection, given: str | None) -> None:
    assert read(db, given, least=0) is None


def test_ten_megabytes_are_refused_before_they_are_read(db: Connection) -> None:
    with refused(db, "invalid_input") as refusal:
        read(db, " " * 10_000_000)
    assert refusal.details == "note: at most 5 characters"
