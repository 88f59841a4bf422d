"""Supabase's own advisors (Splinter) over the deployed schema: no error and no warning.

`python -m procrastinate_app.deploy.advisors` deploys into a throw-away database and asks them
through the Supabase CLI, which needs neither Docker nor an account for that.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass

from procrastinate_app.local import supabase_cli

# cache key of a finding: why it is right as it is
ALLOWED: dict[str, str] = {}


@dataclass(frozen=True)
class Finding:
    """One finding; `key` stays the same from run to run."""

    level: str
    name: str
    key: str
    detail: str

    def __str__(self) -> str:
        return f"{self.level} {self.name}: {self.detail} ({self.key})"


def findings(database_url: str) -> list[Finding]:
    """Errors and warnings, those of ALLOWED too."""
    said = supabase_cli.run("db", "advisors", "--level=warn", "-o=json", database_url=database_url)
    rows = json.loads(said or "[]")  # nothing is said when nothing is found
    return [
        Finding(row["level"], row["name"], row["cache_key"], " ".join(row["detail"].split()))
        for row in rows
    ]


def complaints(found: list[Finding]) -> list[str]:
    """What is found and not allowed, and what is allowed and found no more."""
    keys = {finding.key for finding in found}
    return [str(finding) for finding in found if finding.key not in ALLOWED] + [
        f"{key} is allowed and not found any more" for key in ALLOWED if key not in keys
    ]


def main() -> None:
    from procrastinate_app.deploy.fresh import fresh_database

    if supabase_cli.find_cli() is None:
        print("advisors: skipped, there is no Supabase CLI for this platform in package-lock.json")
        return
    with fresh_database() as fresh:
        said = complaints(findings(fresh.server.url(fresh.dbname)))
    for line in said:
        print(line)
    if said:
        sys.exit(1)
    print("advisors: no errors, no warnings")


if __name__ == "__main__":
    main()
