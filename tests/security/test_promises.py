"""docs/security.md: every promise and every attack stands beside tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from procrastinate_app.deploy import attacks, reference, rules
from procrastinate_app.project import PROJECT_ROOT

PAGE = PROJECT_ROOT / "docs" / "security.md"


def test_every_test_that_the_page_names_exists() -> None:
    every = attacks.every_test()
    known = {*every, *(name.split("::")[0] for name in every)}
    assert len(attacks.named()) > 80
    assert [name for name in attacks.named() if name not in known] == []


def test_every_promise_names_a_test() -> None:
    rows = re.findall(r"^\| (.+) \| (.+) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    promises = [(promise, tests) for promise, tests in rows if promise != "Promise"]
    assert len(promises) > 20
    assert [promise for promise, tests in promises if "`tests/" not in tests] == []


def test_every_rule_that_the_page_promises_is_a_rule_and_is_held() -> None:
    promised = set(re.findall(r"\b[A-Z]{3}-\d+\b", PAGE.read_text("utf-8")))
    assert promised <= rules.listed().keys()
    assert promised <= rules.held().keys()


def test_attacks_are_numbered_without_a_gap() -> None:
    numbers = [attack.number for attack in attacks.listed()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_attack_is_made_or_says_why_not() -> None:
    held = attacks.held()
    assert [
        f"R{attack.number}: {attack.title}"
        for attack in attacks.listed()
        if attack.number not in held and not attack.note
    ] == []


def test_every_number_that_a_test_cites_is_on_the_page() -> None:
    known = {attack.number for attack in attacks.listed()}
    unknown = {test: cited - known for test, cited in attacks.every_test().items() if cited - known}
    assert unknown == {}


def test_the_committed_table_of_attacks_is_up_to_date() -> None:
    assert reference.attacks_page(PROJECT_ROOT) == reference.committed("attacks.md")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A page with two attacks and a test that cites one of them."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "docs" / "security.md").write_text(
        "- R1 Reading\n  everything. Also: `tests/test_b.py`, `tests/test_a.py::test_z` — in time\n"
        "- R2 Writing. — later\n"
    )
    (tmp_path / "tests" / "test_a.py").write_text(
        '"""Numbers such as R9 are attacks."""\n\n'
        'def test_x(): "R2, R3"\n'
        "def test_y(): ...\n"
        "def test_z(): ...\n"
    )
    (tmp_path / "tests" / "test_b.py").write_text("async def test_all(): ...\n")
    return tmp_path


def test_the_list_and_the_docstrings_are_joined(tree: Path) -> None:
    first, second = attacks.listed(tree)
    assert (first.title, first.note) == ("Reading everything.", "in time")
    assert first.named == ("tests/test_b.py", "tests/test_a.py::test_z")
    assert (second.title, second.note) == ("Writing.", "later")
    assert attacks.held(tree) == {
        1: ["tests/test_a.py::test_z", "tests/test_b.py::test_all"],
        2: ["tests/test_a.py::test_x"],
    }
    assert attacks.every_test(tree)["tests/test_a.py::test_x"] == {2, 3}
