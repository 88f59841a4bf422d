"""docs/reference/: errors, doors and tables, written from the deployed database and sql/."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psycopg

from procrastinate_app.deploy import access, attacks, doors_page, graph
from procrastinate_app.deploy.tree import read_tree
from procrastinate_app.project import PROJECT_ROOT

FOLDER = PROJECT_ROOT / "docs" / "reference"
CLIENTS = ("anon", "authenticated", "service_role")

_TABLES = """
select c.oid,
  c.relname,
  case when c.relkind = 'v' then 'view' else 'table' end,
  obj_description(c.oid, 'pg_class'),
  array(
    select r.rolname::text
    from pg_roles as r
    where r.rolname = any(%s)
      and has_any_column_privilege(r.oid, c.oid, 'select')
    order by 1
  )
from pg_class as c
where c.relnamespace = 'public'::regnamespace
  and c.relkind in ('r', 'p', 'v', 'm')
  and not c.relispartition
order by c.relname
"""

_COLUMNS = """
select a.attname,
  format_type(a.atttypid, a.atttypmod),
  a.attnotnull,
  col_description(a.attrelid, a.attnum),
  has_column_privilege('authenticated', a.attrelid, a.attnum, 'select'),
  has_column_privilege('authenticated', a.attrelid, a.attnum, 'insert'),
  has_column_privilege('authenticated', a.attrelid, a.attnum, 'update')
from pg_attribute as a
where a.attrelid = %s
  and a.attnum > 0
  and not a.attisdropped
order by a.attnum
"""

_POLICIES = """
select p.polname,
  case p.polcmd
    when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update'
    when 'd' then 'delete' else 'all'
  end,
  array(
    select case when r = 0 then 'public' else r::regrole::text end
    from unnest(p.polroles) as r
    order by 1
  ),
  obj_description(p.oid, 'pg_policy')
from pg_policy as p
where p.polrelid = %s
order by p.polname
"""

Connection = psycopg.Connection[Any]


def pages(conn: Connection, root: Path = PROJECT_ROOT) -> dict[str, str]:
    """Every generated page by file name."""
    found = graph.functions(read_tree(root).code)
    return {
        "errors.md": errors_page(conn, found),
        "doors.md": doors(conn, found),
        "tables.md": tables_page(conn),
        "access.md": access_page(conn),
        "attacks.md": attacks_page(root),
    }


def committed(name: str) -> str:
    """A page as it stands in docs/reference; empty when it is not there."""
    path = FOLDER / name
    return path.read_text("utf-8") if path.exists() else ""


def errors_page(conn: Connection, found: graph.Functions) -> str:
    by_code = graph.failing(found)
    rows = conn.execute(
        "select code, status, message, hint from app.error_catalog() order by status, code"
    ).fetchall()
    lines = [
        *_head("Errors", "app.error_catalog() and the calls of app.fail() in sql/"),
        "Every refusal has a stable `code`: branch on it. supabase-js gives it as",
        "`error.code`, with `message`, `details` and `hint` beside it. What a trigger",
        "refuses is listed under its function: any door that writes the table may meet it.",
        "",
        *_table(
            ("code", "HTTP", "message", "hint", "from"),
            (
                (
                    f'<a id="{code}"></a>`{code}`',
                    status,
                    message,
                    hint,
                    _names(found, by_code.get(code, [])),
                )
                for code, status, message, hint in rows
            ),
        ),
    ]
    return _page(lines)


def doors(conn: Connection, found: graph.Functions) -> str:
    source = "the functions in the schema public, limits.rules and sql/"
    return _page([*_head("Doors", source), *doors_page.lines(conn, found)])


def tables_page(conn: Connection) -> str:
    lines = [
        *_head("Tables and views", "the tables and views in the schema public"),
        "Which rows a client sees is decided by the policies named here; `may` says what a",
        "signed-in person may do with a column.",
    ]
    for oid, name, kind, comment, roles in conn.execute(_TABLES, (list(CLIENTS),)):
        columns = conn.execute(_COLUMNS, (oid,)).fetchall()
        policies = conn.execute(_POLICIES, (oid,)).fetchall()
        lines += [
            "",
            f"## {name}",
            "",
            f"{kind.capitalize()}. {comment or ''}".strip(),
            "",
            f"- Who may read: {', '.join(roles) or 'nobody by API'}",
            *(
                f"- Policy `{policy}`: {command} to {', '.join(to)}."
                + (f" {described}" if described else "")
                for policy, command, to, described in policies
            ),
            "",
            *_table(
                ("column", "type", "may", "meaning"),
                (
                    (
                        f"`{column}`",
                        type_ + ("" if not_null or kind == "view" else ", or null"),
                        ", ".join(
                            verb
                            for verb, granted in (("read", r), ("insert", i), ("update", u))
                            if granted
                        ),
                        described,
                    )
                    for column, type_, not_null, described, r, i, u in columns
                ),
            ),
        ]
    return _page(lines)


def access_page(conn: Connection) -> str:
    return _page([*_head("Access", "the database's own answers"), *access.page(conn)])


def attacks_page(root: Path) -> str:
    return _page(
        [
            *_head("Attacks", "docs/security.md and the docstrings of tests/"),
            "Numbered in [security.md](../security.md); a test cites the numbers it makes.",
            "",
            *attacks.lines(root),
        ]
    )


def _head(title: str, source: str) -> list[str]:
    return [f"# {title}", "", f"<!-- Written by `hub reference write` from {source}. -->", ""]


def _names(found: graph.Functions, names: Iterable[tuple[str, str]]) -> str:
    """Doors by their bare name, everything else qualified; each links to its file."""
    return ", ".join(
        f"[`{name if schema == 'public' else f'{schema}.{name}'}`]"
        f"(../../{found[(schema, name)].path})"
        for schema, name in names
    )


def _table(columns: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> list[str]:
    lines = [f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]
    for row in rows:
        cells = ("" if cell is None else str(cell).replace("|", "\\|") for cell in row)
        lines.append(f"| {' | '.join(' '.join(cell.split()) for cell in cells)} |")
    return lines


def _page(lines: list[str]) -> str:
    return "\n".join(lines).rstrip() + "\n"
