"""docs/reference/doors.md beside the doors themselves."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from procrastinate_app.deploy import graph, reference
from procrastinate_app.deploy.tree import read_tree
from procrastinate_app.local.node import PACKAGES, find_node
from procrastinate_app.project import PROJECT_ROOT
from tests.support.callers import Connection, as_user, call, refused
from tests.support.doors import doors
from tests.support.people import make_user

FUNCTIONS = graph.functions(read_tree(PROJECT_ROOT).code)


@pytest.fixture
def page(db: Connection) -> str:
    return reference.doors(db, FUNCTIONS)


def sections(page: str) -> dict[str, str]:
    """By door, what stands below its heading."""
    body = page.split("\n## Types\n")[0]
    return dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", body, re.MULTILINE | re.DOTALL))


def test_the_committed_pages_are_what_the_database_says(db: Connection) -> None:
    pages = reference.pages(db)
    assert [name for name, text in pages.items() if reference.committed(name) != text] == []


def test_every_door_is_there_with_every_argument(db: Connection, page: str) -> None:
    found = sections(page)
    known = doors(db)
    assert found.keys() == {door.name for door in known}
    for door in known:
        rows = re.findall(r"^\| `(\w+)` \| (\S+) \| (\S+) \|$", found[door.name], re.MULTILINE)
        needed = {name: default == "needed" for name, _, default in rows}
        assert needed == {str(each.name): not each.has_default for each in door.arguments}


def test_every_code_and_link_leads_somewhere(db: Connection, page: str) -> None:
    catalogue = db.execute("select code, status from app.error_catalog()").fetchall()
    statuses: dict[str, int] = dict(catalogue)
    errors, tables = reference.committed("errors.md"), reference.committed("tables.md")
    listed = re.findall(r"\[`(\w+)`\]\(errors\.md#(\w+)\) (\d+)", page)
    assert len(listed) > 100
    for code, anchor, status in listed:
        assert code == anchor
        assert statuses[code] == int(status)
        assert f'<a id="{anchor}"></a>' in errors
    headings = set(re.findall(r"^###? (\w+)$", page, re.MULTILINE))
    assert set(re.findall(r"\]\(#(\w+)\)", page)) <= headings
    assert set(re.findall(r"\]\(tables\.md#(\w+)\)", page)) <= set(
        re.findall(r"^## (\w+)$", tables, re.MULTILINE)
    )


def test_who_may_call_is_what_the_rule_asks(db: Connection, page: str) -> None:
    """Nobody without a role passes a door that the page keeps for one."""
    found = sections(page)
    member = make_user(db)
    kept = {door.name: door for door in doors(db) if "members who are `" in found[door.name]}
    assert {"grant_role", "set_validation_status"} <= kept.keys()
    with as_user(db, member):
        for door in kept.values():
            with refused(db, "not_permitted"):
                call(db, door.name, **{str(each.name): None for each in door.arguments})
    assert "members who are `admin` or `moderator`" in found["set_validation_status"]
    assert "members who are `admin`\n" in found["grant_role"]
    assert "call it: members\n" in found["cast_vote"]
    assert "call it: whoever is signed in\n" in found["me"]


def test_limits_are_those_of_the_table(db: Connection) -> None:
    db.execute("delete from limits.rules where door = 'cast_vote'")
    db.execute(
        "insert into limits.rules (door, scope, burst, period)"
        " values ('cast_vote', 'user', 60, '1 minute'), ('cast_vote', 'ip', 7, '90 seconds'),"
        " ('skip_clip', 'user', 5, '1 hour')"
        " on conflict (door, scope) do update set burst = excluded.burst, period = excluded.period"
    )
    found = sections(reference.doors(db, FUNCTIONS))
    assert "- Limits: 60 a minute, per person; 7 in 90 seconds, per address\n" in found["cast_vote"]
    assert "5 an hour, per person" in found["skip_clip"]
    assert "- Limits: none\n" in found["me"]


def test_a_door_with_a_key_says_that_it_can_be_repeated(page: str) -> None:
    found = sections(page)
    assert "- Idempotent: with an `idempotency_key`\n" in found["submit_clip"]
    assert "- Idempotent: no key\n" in found["cast_vote"]
    assert "- Idempotent: yes, it changes nothing\n" in found["me"]


def test_parts_of_an_answer_say_what_they_mean(page: str) -> None:
    assert "| `label` | `text` | Your vote. |" in page
    assert "| `status` | [`validation_status`](#validation_status) |" in page
    assert "null until the first profile exists" in page


def test_roles_are_read_where_they_are_asked_for() -> None:
    assert FUNCTIONS[("consensus", "set_validation_status")].roles == {"moderator", "admin"}
    assert FUNCTIONS[("consensus", "cast_vote")].roles == set()


def test_every_example_is_accepted_by_the_types(page: str, tmp_path: Path) -> None:
    """OPS-7: each is checked by TypeScript against database.types.ts, and a mistake is found."""
    examples = re.findall(r"^```js\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(examples) == len(sections(page))
    head = (
        'import { createClient } from "@supabase/supabase-js"\n'
        'import type { Database } from "./database.types"\n'
        'const supabase = createClient<Database>("", "")\n'
        "declare const user: { id: string }\n"
    )
    mistake = "await supabase.rpc('cast_vote', { clip_id: 'x', lable: 'valid' })"
    blocks = "\n".join(f"{{\n{example.rstrip()}\n}}" for example in [*examples, mistake])
    (tmp_path / "examples.ts").write_text(f"{head}{blocks}\nexport {{}}\n")
    (tmp_path / "database.types.ts").write_text(
        (PROJECT_ROOT / "examples" / "database.types.ts").read_text()
    )
    (tmp_path / "node_modules").symlink_to(PACKAGES)
    options = ["--noEmit", "--strict", "--skipLibCheck", "--target", "es2023"]
    options += ["--module", "esnext", "--moduleResolution", "bundler", "--types", "node"]
    done = subprocess.run(
        [find_node(), PACKAGES / "typescript/bin/tsc", *options, "examples.ts"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    complaints = [line for line in done.stdout.splitlines() if line.startswith("examples.ts")]
    last = len((head + blocks).splitlines()) - 1
    assert [line.split(",")[0] for line in complaints] == [f"examples.ts({last}"], done.stdout
    assert "lable" in complaints[0]


def test_the_typed_program_is_accepted_by_typescript() -> None:
    """OPS-7: examples/vote_and_earn.mjs, which is JavaScript with types in comments."""
    done = subprocess.run(
        [find_node(), PACKAGES / "typescript/bin/tsc", "-p", PROJECT_ROOT / "examples"],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "")
