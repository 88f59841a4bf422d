"""The attacks of docs/security.md by number, and the tests that make them.

The page lists every attack as `- R3 what it tries. Also: tests… — what is open.` A test says in its
docstring which numbers it makes (`R3`); a module's docstring speaks for all of its tests. Tests
that name no number are named by the list, as a file or as `file::test`.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from procrastinate_app.project import PROJECT_ROOT

_LISTED = re.compile(r"^- R(\d+) (.+(?:\n  .+)*)$", re.MULTILINE)
_CITED = re.compile(r"\bR(\d+)\b")
_NAMED = re.compile(r"`(tests/[\w/]+\.py(?:::\w+)?)`")
_ALSO = " Also: "
_OPEN = " — "


@dataclass(frozen=True)
class Attack:
    """What it tries, the tests that the list itself names, and what stays open or comes later."""

    number: int
    title: str
    named: tuple[str, ...]
    note: str


def listed(root: Path = PROJECT_ROOT) -> list[Attack]:
    """Every attack of the page, in its order."""
    text = (root / "docs" / "security.md").read_text("utf-8")
    found = []
    for number, entry in _LISTED.findall(text):
        said, _, note = " ".join(entry.split()).partition(_OPEN)
        title, _, also = said.partition(_ALSO)
        found.append(Attack(int(number), title, tuple(_NAMED.findall(also)), note))
    return found


def named(root: Path = PROJECT_ROOT) -> list[str]:
    """Every test or file of tests that docs/security.md names anywhere, in its order."""
    return _NAMED.findall((root / "docs" / "security.md").read_text("utf-8"))


def every_test(root: Path = PROJECT_ROOT) -> dict[str, set[int]]:
    """Every test as `tests/file.py::test`, with the numbers it cites."""
    found: dict[str, set[int]] = {}
    for path in sorted((root / "tests").rglob("test_*.py")):
        module = ast.parse(path.read_text("utf-8"))
        everywhere = _cited(ast.get_docstring(module))
        for node in ast.walk(module):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith(
                "test_"
            ):
                name = f"{path.relative_to(root).as_posix()}::{node.name}"
                found[name] = everywhere | _cited(ast.get_docstring(node))
    return found


def _cited(text: str | None) -> set[int]:
    """A sentence such as `Numbers such as R22 are attacks` cites nothing."""
    return {
        int(number)
        for line in (text or "").split("\n")
        if "such as R" not in line
        for number in _CITED.findall(line)
    }


def held(root: Path = PROJECT_ROOT) -> dict[int, list[str]]:
    """By number: the tests that cite it or that the list names."""
    every = every_test(root)
    found: dict[int, list[str]] = defaultdict(list)
    for attack in listed(root):
        for test, numbers in every.items():
            whole_file = test.split("::")[0] in attack.named
            if attack.number in numbers or test in attack.named or whole_file:
                found[attack.number].append(test)
    return dict(found)


def lines(root: Path = PROJECT_ROOT) -> list[str]:
    """The table of docs/reference/attacks.md."""
    found = held(root)
    said = ["| | attack | held by | still open |", "|---:| --- | --- | --- |"]
    for attack in listed(root):
        by_file: dict[str, list[str]] = defaultdict(list)
        for test in found.get(attack.number, []):
            file, name = test.split("::")
            by_file[file].append(name)
        cell = "<br>".join(
            f"[{file.removeprefix('tests/')}](../../{file}): {_names(attack, file, names)}"
            for file, names in by_file.items()
        )
        said.append(f"| R{attack.number} | {attack.title} | {cell} | {attack.note} |")
    return said


def _names(attack: Attack, file: str, names: list[str]) -> str:
    """A file that the list names as a whole is not listed test by test."""
    if file in attack.named:
        return "the whole file"
    return ", ".join(f"`{name.removeprefix('test_')}`" for name in names)
