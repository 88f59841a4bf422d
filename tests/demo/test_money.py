"""Amounts are shown in units of their currency, exactly."""

from __future__ import annotations

import pytest

from procrastinate_app.local.demo.report import money


@pytest.mark.parametrize(
    ("minor", "digits", "shown"),
    [
        (0, 2, "0.00 USD"),
        (2, 2, "0.02 USD"),
        (123_456, 2, "1,234.56 USD"),
        (-5, 2, "-0.05 USD"),
        (-12_345, 2, "-123.45 USD"),
        (1500, 0, "1,500 USD"),
        (1500, 3, "1.500 USD"),
        (9_007_199_254_740_993, 2, "90,071,992,547,409.93 USD"),
    ],
)
def test_money_is_exact(minor: int, digits: int, shown: str) -> None:
    assert money(minor, digits, "USD") == shown
