"""`hub deploy`, `hub schema`, `hub reference`, `hub rules`."""

from __future__ import annotations

from difflib import unified_diff
from pathlib import Path
from typing import Annotated

import typer

from procrastinate_app.commands import DatabaseUrl, address, stop
from procrastinate_app.project import PROJECT_ROOT

schema = typer.Typer(help="The committed schema dump.", no_args_is_help=True)
reference = typer.Typer(help="The generated pages of docs/reference.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.command("deploy")(_deploy)
    app.command("rules")(_rules)
    app.add_typer(schema, name="schema")
    app.add_typer(reference, name="reference")


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

    try:
        done = deploy(
            address(database_url), report=typer.echo, root=root, until=until, patience=patience
        )
    except (DeployRefused, DeployFailed) as error:
        stop(error)
    except psycopg.Error as error:
        stop(f"The database: {error}\nWhat was done is kept; run deploy again to go on.")
    typer.echo(str(done))


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
    """Write docs/reference/{errors,doors,tables}.md from a fresh deploy and sql/."""
    _write(_generated_pages())


@reference.command("verify")
def _reference_verify() -> None:
    """Fail when a page of docs/reference is not what the code says."""
    _verify(_generated_pages(), "hub reference write")


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
