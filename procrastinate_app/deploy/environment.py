"""Keeping a deploy away from a database of another environment.

Only where HUB_ENVIRONMENT is set: the first deploy that names one stamps the database with it.
"""

from __future__ import annotations

from typing import Any

import psycopg

from procrastinate_app.deploy.tree import DeployRefused


def refuse_another(database_url: str, environment: str) -> None:
    """Raise DeployRefused where the database belongs to another environment."""
    with psycopg.connect(database_url, autocommit=True) as conn:
        if not _can_be_stamped(conn):
            return
        row = conn.execute("select environment from settings.deployment").fetchone()
    if row is not None and row[0] != environment:
        raise DeployRefused(
            f"this database belongs to {row[0]}, but HUB_ENVIRONMENT is {environment}: take the "
            "other database, or if this one is a copy, declare it as its owner: "
            f"select settings.set_environment('{environment}', '<why>')"
        )


def stamp(database_url: str, environment: str) -> None:
    """Write down the environment, unless one is."""
    with psycopg.connect(database_url, autocommit=True) as conn:
        if _can_be_stamped(conn):
            conn.execute("select settings.claim_environment(%s)", [environment])


def _can_be_stamped(conn: psycopg.Connection[tuple[Any, ...]]) -> bool:
    row = conn.execute("select to_regclass('settings.deployment') is not null").fetchone()
    return row == (True,)
