"""`hub secrets`: secrets that rules in SQL use. Values come from a file or the input, never from
the command line, and are never printed."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, LiteralString

import typer

from procrastinate_app.commands import DatabaseUrl, address, stop

LONGEST = 65536

Reason = Annotated[str | None, typer.Option(help="Why; goes into the audit record.")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]

secrets = typer.Typer(
    name="secrets",
    help="Secrets that rules use: several may be active, so that one is changed without a gap.",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    app.add_typer(secrets)


@secrets.command("set")
def set_secret(
    name: Annotated[str, typer.Argument(help="Such as stripe_webhook_secret.")],
    database_url: DatabaseUrl = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="Read the value from it; else from the input.")
    ] = None,
    reason: Reason = None,
) -> None:
    """Add a value, active at once beside the older ones; retire those when nobody uses them."""
    value = _read(file)
    with _connection(database_url) as conn:
        # COPY, because statements and their parameters may stand in the server's log
        conn.execute("create temporary table hub_secret (value text) on commit drop")
        with conn.cursor().copy("copy hub_secret (value) from stdin") as copy:
            copy.write_row([value])
        [row] = _call(
            conn, "select secrets.put(%s, (select value from hub_secret), %s) as id", name, reason
        )
    typer.echo(f"{name} {row['id']} is active")


@secrets.command("list")
def list_secrets(database_url: DatabaseUrl = None, as_json: Json = False) -> None:
    """List all versions by name, newest first. Values are not shown."""
    with _connection(database_url) as conn:
        rows = _call(conn, "select * from secrets.list_versions()")
        [where] = _call(conn, "select secrets.provider() as provider")
    if as_json:
        typer.echo(json.dumps(rows, default=str))
        return
    typer.echo(f"new secrets are kept in: {where['provider']}")
    for row in rows:
        state = "active" if row["is_active"] else "value is gone"
        if row["retired_at"]:
            state = f"retired {_day(row['retired_at'])}"
        made = _day(row["created_at"])
        typer.echo(f"{row['id']:>6}  {row['name']:32}  {row['kept_in']:6}  {made}  {state}")


@secrets.command("retire")
def retire_secret(
    version: Annotated[int, typer.Argument(help="Its number, as in hub secrets list.")],
    database_url: DatabaseUrl = None,
    reason: Reason = None,
    last: Annotated[
        bool, typer.Option("--last", help="Also when it is the only active one of its name.")
    ] = False,
) -> None:
    """End one version and destroy its value."""
    with _connection(database_url) as conn:
        [row] = _call(conn, "select secrets.retire(%s, %s, %s) as name", version, reason, last)
    typer.echo(f"{row['name']} {version} is retired")


@secrets.command("provider")
def choose_provider(
    provider: Annotated[str | None, typer.Argument(help="table or none.")] = None,
    database_url: DatabaseUrl = None,
    reason: Reason = None,
) -> None:
    """Show where secrets are kept, or choose it where there is no Supabase Vault.

    table: as they are, in a table that only the owner reads; backups of the database hold them too.
    """
    with _connection(database_url) as conn:
        if provider is None:
            [row] = _call(conn, "select secrets.provider() as provider")
        else:
            [row] = _call(conn, "select secrets.use_provider(%s, %s) as provider", provider, reason)
    typer.echo(row["provider"])


def _read(file: Path | None) -> str:
    """The value, without the line break at its end."""
    try:
        if file:
            value = file.read_text(encoding="utf-8")
        elif sys.stdin.isatty():
            value = str(typer.prompt("Value", hide_input=True))
        else:
            value = sys.stdin.read()
    except (OSError, UnicodeDecodeError) as error:
        stop(type(error).__name__ if isinstance(error, UnicodeDecodeError) else error)
    value = value.removesuffix("\n").removesuffix("\r")
    if not value or len(value) > LONGEST or "\0" in value:
        stop(f"a secret has 1 to {LONGEST} characters of text")
    return value


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


def _connection(database_url: str | None) -> Any:
    import psycopg
    from psycopg.rows import dict_row

    try:
        return psycopg.connect(address(database_url), row_factory=dict_row)
    except psycopg.Error as error:
        stop(str(error).strip())


def _call(conn: Any, query: LiteralString, *args: Any) -> list[dict[str, Any]]:
    import psycopg

    try:
        rows: list[dict[str, Any]] = conn.execute(query, args).fetchall()
    except psycopg.Error as error:
        hint = error.diag.message_hint
        stop(f"{error.diag.message_primary}{f'. {hint}' if hint else ''}")
    return rows
