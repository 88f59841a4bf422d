"""`hub deploy`, `hub schema`, `hub reference`, `hub types`, `hub rules`."""

from __future__ import annotations

import os
from difflib import unified_diff
from pathlib import Path
from typing import Annotated

import typer

from procrastinate_app.commands import DatabaseUrl, address, stop
from procrastinate_app.project import PROJECT_ROOT

schema = typer.Typer(help="The committed schema dump.", no_args_is_help=True)
reference = typer.Typer(help="The generated pages of docs/reference.", no_args_is_help=True)


types = typer.Typer(help="The types that clients import.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.command("deploy")(_deploy)
    app.command("plan")(_plan)
    app.command("rules")(_rules)
    app.add_typer(schema, name="schema")
    app.add_typer(reference, name="reference")
    app.add_typer(types, name="types")


def _deploy(
    database_url: DatabaseUrl = None,
    until: Annotated[
        str | None, typer.Option(help="Stop after this migration, and leave the code as it is.")
    ] = None,
    patience: Annotated[
        float, typer.Option(help="Seconds to keep trying for a lock that others hold.")
    ] = 120.0,
    root: Annotated[
        Path, typer.Option(help="The folder of migrations/, sql/ and policies/.")
    ] = PROJECT_ROOT,
) -> None:
    """Bring a database to this release: queue, migrations, functions, views, policies."""
    import psycopg

    from procrastinate_app.deploy import DeployFailed, DeployRefused, deploy
    from procrastinate_app.deploy.environment import refuse_another, stamp

    url, environment = address(database_url), os.environ.get("HUB_ENVIRONMENT")
    try:
        if environment:
            refuse_another(url, environment)
        done = deploy(url, report=typer.echo, root=root, until=until, patience=patience)
        if environment and until is None:
            stamp(url, environment)
    except (DeployRefused, DeployFailed) as error:
        stop(error)
    except psycopg.Error as error:
        stop(f"The database: {error}\nWhat was done is kept; run deploy again to go on.")
    typer.echo(str(done))


def _plan(
    database_url: DatabaseUrl = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Also each statement that locks no existing table.")
    ] = False,
    sample: Annotated[
        float, typer.Option(min=0, help="Seconds to watch who uses the tables.")
    ] = 1.0,
    until: Annotated[str | None, typer.Option(help="As deploy --until.")] = None,
    root: Annotated[
        Path, typer.Option(help="The folder of migrations/, sql/ and policies/.")
    ] = PROJECT_ROOT,
) -> None:
    """Show what deploy would do to this database, its locks and risks. Changes nothing.

    Ends with 0 when nothing is a high risk, with 2 when something is, with 1 when deploy would
    refuse or the database cannot be reached.
    """
    import psycopg

    from procrastinate_app.deploy import DeployRefused
    from procrastinate_app.deploy.plan import plan
    from procrastinate_app.deploy.plan_text import lines

    try:
        found = plan(address(database_url), root=root, until=until, sample=sample)
    except DeployRefused as error:
        stop(error)
    except psycopg.Error as error:
        stop(f"The database: {error}")
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
    else:
        for line in lines(found, everything=everything):
            typer.echo(line)
    if found.summary.risk == "high":
        raise typer.Exit(2)


@schema.command("dump")
def _schema_dump() -> None:
    """Write docs/reference/schema.sql from a fresh deploy."""
    _write(_generated_schema())


@schema.command("verify")
def _schema_verify() -> None:
    """Fail when docs/reference/schema.sql is not what a fresh deploy gives."""
    _verify(_generated_schema(), "hub schema dump")


@reference.command("write")
def _reference_write() -> None:
    """Write docs/reference/*.md from a fresh deploy, sql/ and docs/."""
    _write(_generated_pages())


@reference.command("verify")
def _reference_verify() -> None:
    """Fail when a page of docs/reference is not what the code says."""
    _verify(_generated_pages(), "hub reference write")


@types.command("write")
def _types_write() -> None:
    """Write examples/database.types.ts and database_models.py from a fresh deploy."""
    _write(_generated_types())


@types.command("verify")
def _types_verify() -> None:
    """Fail when the types are not what a fresh deploy gives."""
    _verify(_generated_types(), "make types")


def _rules(
    tests: Annotated[bool, typer.Option(help="Name the tests of each rule.")] = True,
) -> None:
    """Every rule of the system with the tests that hold it, and those without."""
    from procrastinate_app.deploy import rules

    for line in rules.lines(tests=tests):
        typer.echo(line)


def _generated_schema() -> dict[Path, str]:
    from procrastinate_app.deploy.dump import COMMITTED, dump
    from procrastinate_app.deploy.fresh import fresh_database

    with fresh_database() as fresh:
        return {COMMITTED: dump(fresh.server, fresh.dbname)}


def _generated_pages() -> dict[Path, str]:
    from procrastinate_app.deploy.fresh import fresh_database
    from procrastinate_app.deploy.reference import FOLDER, pages

    with fresh_database() as fresh:
        return {FOLDER / name: text for name, text in pages(fresh.conn).items()}


def _generated_types() -> dict[Path, str]:
    from procrastinate_app.deploy import client_types, shapes
    from procrastinate_app.deploy.fresh import fresh_database
    from procrastinate_app.local.supabase_cli import find_cli

    with fresh_database() as fresh:
        files = {client_types.MODELS: client_types.models(shapes.read(fresh.conn))}
        if find_cli():
            url = fresh.server.url(fresh.dbname)
            files[client_types.TYPESCRIPT] = client_types.typescript(url)
        else:
            typer.echo("database.types.ts: skipped, there is no Supabase CLI for this platform")
    return files


def _write(files: dict[Path, str]) -> None:
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        typer.echo(f"wrote {path.relative_to(PROJECT_ROOT)}")


def _verify(files: dict[Path, str], mend: str) -> None:
    """Show what differs from the committed files, and fail."""
    stale = False
    for path, text in files.items():
        name = path.relative_to(PROJECT_ROOT).as_posix()
        committed = path.read_text(encoding="utf-8") if path.exists() else ""
        difference = list(
            unified_diff(
                committed.splitlines(), text.splitlines(), f"{name} (committed)", name, lineterm=""
            )
        )
        stale = stale or bool(difference)
        for line in difference[:80]:
            typer.echo(line)
        typer.echo(f"{name}: {f'{len(difference)} lines of difference' if difference else 'ok'}")
    if stale:
        stop(f"run `{mend}` and commit the result")
