"""The system's rules by id, and the tests that hold them.

docs/rules.md lists every rule as `- CON-3 title`. A test names the rules it holds in its name
(`test_con_3_…`) or in its docstring (`CON-3`); a module's docstring speaks for all of its tests.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

from procrastinate_app.project import PROJECT_ROOT

_LISTED = re.compile(r"^- ([A-Z]{3}-\d+) (.+)$", re.MULTILINE)
_IN_TEXT = re.compile(r"\b([A-Z]{3})-(\d+)\b")
_IN_NAME = re.compile(r"(?<![a-z0-9])([a-z]{3})_(\d+)(?![0-9])")


def listed(root: Path = PROJECT_ROOT) -> dict[str, str]:
    """Each rule's title by its id, in the page's order."""
    return dict(_LISTED.findall((root / "docs" / "rules.md").read_text("utf-8")))


def held(root: Path = PROJECT_ROOT) -> dict[str, list[str]]:
    """Each named id with the tests that name it, as `tests/file.py::test`."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted((root / "tests").rglob("test_*.py")):
        module = ast.parse(path.read_text("utf-8"))
        everywhere = _in_text(ast.get_docstring(module))
        for node in ast.walk(module):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if not node.name.startswith("test_"):
                continue
            ids = everywhere | _in_text(ast.get_docstring(node)) | _in_name(node.name)
            for rule in ids:
                found[rule].append(f"{path.relative_to(root).as_posix()}::{node.name}")
    return dict(found)


def _in_text(text: str | None) -> set[str]:
    return {f"{domain}-{number}" for domain, number in _IN_TEXT.findall(text or "")}


def _in_name(name: str) -> set[str]:
    return {f"{domain.upper()}-{number}" for domain, number in _IN_NAME.findall(name)}


def lines(root: Path = PROJECT_ROOT, *, tests: bool = True) -> list[str]:
    """What `hub rules` prints: every rule, its tests, and ids that no rule has."""
    titles, found = listed(root), held(root)
    said: list[str] = []
    for rule, title in titles.items():
        names = found.get(rule, [])
        said.append(f"{rule:<7} {len(names) or 'none':>4}  {title}")
        said += [f"              {name}" for name in names if tests]
    unknown = sorted({rule for rule in found if rule not in titles and _looks_ours(rule, titles)})
    said += [
        f"{rule:<7} is named by {found[rule][0]}, but docs/rules.md lacks it" for rule in unknown
    ]
    with_tests = sum(1 for rule in titles if rule in found)
    said.append(f"{with_tests} of {len(titles)} rules have tests")
    return said


def _looks_ours(rule: str, titles: dict[str, str]) -> bool:
    """SHA-256 is no rule: only ids of a domain the page knows are missed."""
    return rule[:3] in {known[:3] for known in titles}
