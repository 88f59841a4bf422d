"""What is generated from the schema and committed: dump, reference, rules."""

from __future__ import annotations

from pathlib import Path

from procrastinate_app.deploy import reference, rules
from procrastinate_app.deploy.lexer import statements
from procrastinate_app.deploy.meaning import read
from tests.support.databases import Connection


def test_every_code_of_the_catalogue_has_its_line_in_the_reference(db: Connection) -> None:
    page = reference.pages(db)["errors.md"]

    codes = [row[0] for row in db.execute("select code from app.error_catalog()")]
    assert codes
    assert [code for code in codes if f"</a>`{code}` |" not in page] == []


def test_a_door_is_described_with_its_callers_and_codes(db: Connection) -> None:
    page = reference.pages(db)["doors.md"]

    door = page.split("## cast_vote\n")[1].split("\n## ")[0]
    assert "supabase.rpc('cast_vote', {" in door
    assert "| `clip_id` | `uuid` | needed |" in door
    assert "- Who may call it: members\n" in door
    assert "- Answers: one [`vote_outcome`](#vote_outcome)\n" in door
    assert "`own_clip`" in door
    assert "`not_authenticated`" in door  # two calls away


def test_pages_are_the_same_when_written_again(db: Connection) -> None:
    assert reference.pages(db) == reference.pages(db)


def test_grants_with_columns_are_read() -> None:
    (statement,) = statements("grant select (a, b), update (c) on table public.t to authenticated")
    assert str(read(statement).target) == "table public.t"


def test_rules_are_found_in_names_and_docstrings(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "rules.md").write_text(
        "- CON-3 Skill.\n- CON-4 History.\n- LED-1 Books.\n"
    )
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").write_text(
        '"""Books (LED-1)."""\n\n'
        'def test_con_3_weighs(): "SHA-256 CON-9"\n'
        "async def test_x(): ...\n"
    )

    assert rules.held(tmp_path)["CON-3"] == ["tests/test_a.py::test_con_3_weighs"]
    assert len(rules.held(tmp_path)["LED-1"]) == 2
    said = rules.lines(tmp_path, tests=False)
    assert said == [
        "CON-3      1  Skill.",
        "CON-4   none  History.",
        "LED-1      2  Books.",
        "CON-9   is named by tests/test_a.py::test_con_3_weighs, but docs/rules.md lacks it",
        "2 of 3 rules have tests",
    ]
