"""`hub bundle`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from procrastinate_app.commands import stop
from procrastinate_app.project import PROJECT_ROOT


def register(app: typer.Typer) -> None:
    app.command("bundle")(_bundle)


def _bundle(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder such as supabase/migrations.")
    ],
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail where something is missing.")
    ] = False,
    root: Annotated[
        Path, typer.Option(help="The folder of migrations/, sql/ and policies/.")
    ] = PROJECT_ROOT,
) -> None:
    """Write this release as migration files for `supabase db push` or psql.

    Keep DIR under version control: files once written are never changed, a later release adds its
    own.
    """
    from procrastinate_app.deploy.bundle import bundle
    from procrastinate_app.deploy.tree import DeployRefused

    try:
        names = bundle(folder, root=root, write=not check)
    except (DeployRefused, OSError) as error:
        stop(error)
    for name in names:
        typer.echo(f"missing: {name}" if check else name)
    if names and check:
        stop(f"{folder} lacks {len(names)} files: run `hub bundle {folder}` and commit them.")
    typer.echo(f"{len(names)} files added to {folder}" if names else f"{folder} is up to date")
