"""What the commands of `hub` share: the database's address, and how they end with a message."""

from __future__ import annotations

from typing import Annotated, NoReturn

import typer

DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        envvar="HUB_DATABASE_URL",
        help="Direct or session-mode connection, as owner. Or HUB_DATABASE_URL_FILE names a file.",
    ),
]


def address(database_url: str | None) -> str:
    """The database to work on, as given or as the environment says. Ends the command without."""
    from procrastinate_app.settings import database_address

    try:
        found = database_address(database_url)
    except (ValueError, OSError) as error:
        stop(error)
    if not found:
        stop("Which database? Give --database-url, HUB_DATABASE_URL or HUB_DATABASE_URL_FILE.")
    return found


def stop(message: object) -> NoReturn:
    """End with this message and exit code 1."""
    typer.echo(str(message), err=True)
    raise typer.Exit(1)


def need_checkout(command: str) -> None:
    """End a command that works on the project's own files, where only the wheel is installed."""
    from procrastinate_app.project import IS_CHECKOUT

    if not IS_CHECKOUT:
        stop(
            f"`{command}` needs a checkout of the project with its development packages: "
            "clone it and run `make install`. Here is only the installed package."
        )
