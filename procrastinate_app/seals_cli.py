"""`hub seal`: the heads of the hash chains, and proving the chains against them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from procrastinate_app.commands import DatabaseUrl, address, stop

UNPROVED = """\
No outside head was given. This shows that seals and rows agree with each other inside this
database. It cannot show that nobody rewrote rows and seals together or cut the chain off, as a
superuser can. Give --head FILE: lines that HUB_SEAL_FILE or the worker's log kept elsewhere."""
MARKS = {True: "ok", False: "BROKEN", None: "-"}

seal = typer.Typer(
    name="seal",
    help="Heads of the sealed, append-only tables, and proving that nothing was changed.",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    app.add_typer(seal)


@seal.command("head")
def show_heads(
    database_url: DatabaseUrl = None,
    to: Annotated[
        Path | None, typer.Option("--to", help="Append them to this file, synced to disk.")
    ] = None,
) -> None:
    """Print the newest seal of each chain, a JSON object per line, to be kept elsewhere."""
    from procrastinate_app.seals import Head, HeadsDisagree, append_heads, refuse_uncovered

    heads = [Head.model_validate(row) for row in _rows(database_url, "seals.heads()")]
    try:
        for head in heads:
            refuse_uncovered(head, _rows(database_url, "seals.uncovered(%s, 0)", head.chain))
    except HeadsDisagree as error:
        stop(error)
    if to:
        try:
            append_heads(to, heads)
        except OSError as error:
            stop(error)
    for head in heads:
        typer.echo(json.dumps(head.model_dump(mode="json")))
    if not heads:
        typer.echo("nothing is sealed yet", err=True)


@seal.command("verify")
def verify(
    database_url: DatabaseUrl = None,
    chain: Annotated[str | None, typer.Argument(help="One chain; all when left out.")] = None,
    head: Annotated[
        Path | None,
        typer.Option("--head", help="Heads kept outside, or the worker's log; - is the input."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Hold every sealed row and seal against the chain, and the chain against heads kept outside.

    Ends with 1 when anything was changed, or when the file has no head of a chain.
    """
    heads = _read(head) if head else []
    chains = (
        [chain]
        if chain
        else sorted(
            {row["chain"] for row in _rows(database_url, "seals.chains")}
            | {each.chain for each in heads}
        )
    )
    broken, found = False, {}
    for name in chains:
        ours = [each for each in heads if each.chain == name]
        rows = _verify(database_url, name, ours)
        if head and not ours:
            rows.append(_row("the file has a head of this chain", False, 1, str(head)))
        found[name] = rows
        broken |= any(row["holds"] is False for row in rows)
    if as_json:
        typer.echo(json.dumps(found))
    else:
        _show(found)
        if not head:
            typer.echo(f"\n{UNPROVED}")
    if broken:
        raise typer.Exit(1)


def _verify(database_url: str | None, chain: str, heads: list[Any]) -> list[dict[str, Any]]:
    """The checks of one chain against its newest head; all older heads must be in it too."""
    newest = max(heads, key=lambda each: each.seal_no, default=None)
    rows = _rows(database_url, "seals.verify(%s, %s)", chain, newest.as_text() if newest else None)
    if newest:
        older = {(each.seal_no, each.digest) for each in heads}
        missing = [
            seal_no
            for seal_no, digest in sorted(older)
            if not _rows(database_url, "seals.has_head(%s, %s, %s)", chain, seal_no, digest)[0][
                "has_head"
            ]
        ]
        where = f"seal {missing[0]}" if missing else f"{len(older)} heads"
        rows.append(
            _row("every head in the file is in the chain", not missing, len(missing), where)
        )
    return rows


def _row(check_name: str, holds: bool, found: int, details: str) -> dict[str, Any]:
    return {"check_name": check_name, "holds": holds, "found": found, "details": details}


def _read(path: Path) -> list[Any]:
    from procrastinate_app.seals import read_heads

    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        stop(error)
    return read_heads(text.splitlines())


def _show(found: dict[str, list[dict[str, Any]]]) -> None:
    for name, rows in found.items():
        typer.echo(name)
        for row in rows:
            mark = MARKS[row["holds"]]
            if row["check_name"] == "rows not sealed yet":
                mark = str(row["found"])
            details = f"  ({row['details']})" if row["details"] else ""
            typer.echo(f"  {mark:>6}  {row['check_name']}{details}")


def _rows(database_url: str | None, what: str, *args: Any) -> list[dict[str, Any]]:
    import psycopg
    from psycopg.rows import dict_row

    try:
        with psycopg.connect(address(database_url), row_factory=dict_row) as conn:
            return conn.execute(f"select * from {what}".encode(), args).fetchall()
    except psycopg.Error as error:
        stop(error.diag.message_primary or str(error).strip())
