"""APP-3: the catalogue is in order, and headers promise only what is in it."""

from __future__ import annotations

import re

from procrastinate_app.project import PROJECT_ROOT
from tests.support.callers import Connection

SQL = {
    path.relative_to(PROJECT_ROOT): path.read_text()
    for path in sorted((PROJECT_ROOT / "sql").rglob("*.sql"))
}


def codes_of(db: Connection) -> list[str]:
    return [row[0] for row in db.execute("select code from app.error_catalog()")]


def test_codes_are_unique_names_in_order(db: Connection) -> None:
    codes = codes_of(db)
    assert codes == sorted(set(codes))
    assert [code for code in codes if not re.fullmatch(r"[a-z][a-z_]*[a-z]", code)] == []


def test_headers_promise_only_codes_that_exist(db: Connection) -> None:
    """A header says 'Fails with a, b (why), c.'; each is in the catalogue."""
    known = set(codes_of(db))
    unknown = []
    for path, text in SQL.items():
        header = " ".join(
            line.removeprefix("--").strip()
            for line in text.split("create or replace", 1)[0].splitlines()
        )
        for sentence in re.findall(r"Fails with ([^.]*)\.", header):
            for named in re.findall(r"[a-z]+(?:_[a-z]+)+", re.sub(r"\([^)]*\)", "", sentence)):
                if named not in known:
                    unknown.append(f"{path}: {named}")
    assert unknown == []
