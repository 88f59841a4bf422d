"""The few lines the README begins with do what it says."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.examples.conftest import EXAMPLES, ROOT, Person


def test_readme_shows_exactly_what_is_tested() -> None:
    code = (EXAMPLES / "ten_lines.mjs").read_text().strip()
    blocks = re.findall(r"```(?:js|javascript)\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert code in [block.strip() for block in blocks]


def test_a_vote_decides_and_is_paid(
    owner: object,
    join: Callable[[], Person],
    submit: Callable[..., dict[str, Any]],
    run_program: Callable[..., list[str]],
) -> None:
    author, first, reader = join(), join(), join()
    clip = submit(author, language="sw", prompt="Habari za leo")
    first.call("cast_vote", clip_id=clip["id"], label="valid")

    lines = run_program("ten_lines.mjs", EMAIL=reader.email, PASSWORD=reader.password)

    assert lines == ["Habari za leo valid", "{ currency: 'USD', pending: 2, available: 0 }"]
