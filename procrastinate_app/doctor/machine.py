"""This machine: its clock, and the settings that a worker started here would have."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from procrastinate_app.doctor.finding import Case, Finding, Level
from procrastinate_app.settings import PREFIX, SANDBOX_KEY, Settings
from procrastinate_app.worker_cli import complaints

SLIGHT, GRAVE = 2.0, 30.0
SECRETS = ("database_url", "secret_key")


def clock(case: Case) -> Iterator[Finding]:
    """The difference to this machine's clock, and the business clock, which only tests stop."""
    before = case.now()
    database = float(case.value("select extract(epoch from clock_timestamp())"))
    after = case.now()
    ahead = (before + after) / 2 - database
    surely = abs(ahead) - (after - before) / 2
    if surely < SLIGHT:
        yield Finding(Level.OK, "clock", "this machine and the database agree on the time")
    else:
        yield Finding(
            Level.ERROR if surely >= GRAVE else Level.WARNING,
            "clock",
            f"this machine is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the "
            "database. A worker here tells SQL a provider's `retry at` wrongly by as much, fires "
            "what is periodic at other times, may refuse certificates and be refused, and its "
            "log does not match the rows. Leases, holds and retries are counted by the database "
            "alone and stay right",
            "timedatectl set-ntp true  # on the machine whose clock is wrong",
        )
    if case.exists("app.clock") and case.value("select exists (select from app.clock)"):
        yield Finding(
            Level.ERROR if case.is_production else Level.NOTE,
            "clock",
            "the business clock of this database stands still, as only tests make it: nothing "
            "falls due",
            "delete from app.clock where true;",
        )


def settings(case: Case) -> Iterator[Finding]:
    """Whether the environment would start a worker, and suits this database. Values stay here."""
    given = {name for name, text in case.environment.items() if name.startswith(PREFIX) and text}
    yield from _readable_by_all(case)
    yield from _of_another_environment(case)
    if not given & {"HUB_SUPABASE_URL", "HUB_SECRET_KEY", "HUB_SECRET_KEY_FILE"}:
        yield Finding(
            Level.NOTE, "worker", "no worker's settings are in this environment: not looked at",
            "Run this where the worker runs, with its HUB_* variables.",
        )  # fmt: skip
        return
    try:
        found = Settings.model_validate({"database_url": case.url})
    except (ValidationError, OSError) as error:
        for line in complaints(error):
            yield Finding(Level.ERROR, "worker", line, "docs/how-to/run-the-worker.md lists them.")
        return
    keys = [key.get_secret_value() for key in found.keys.given]
    is_sandbox = all(key.startswith(SANDBOX_KEY) for key in keys)
    if found.environment != "production" and not is_sandbox:
        yield Finding(
            Level.ERROR,
            "worker",
            f"environment is {found.environment}, but HUB_SECRET_KEY is no sandbox key: what a "
            "test does may reach real people",
            "Take the sandbox's key, or set HUB_ENVIRONMENT=production.",
        )
        return
    kind = "sandbox" if is_sandbox else "secret"
    yield Finding(Level.OK, "worker", f"{found.environment}, {kind} keys present: {len(keys)}")


def _of_another_environment(case: Case) -> Iterator[Finding]:
    """The database remembers what it was first deployed as."""
    ours = case.environment.get("HUB_ENVIRONMENT")
    if not ours or not case.exists("settings.deployment"):
        return
    for (theirs,) in case.rows("select environment from settings.deployment"):
        if theirs != ours:
            yield Finding(
                Level.ERROR, "worker", f"this database belongs to {theirs}, HUB_ENVIRONMENT is "
                f"{ours} here: neither deploy nor a worker will touch it",
                "Take the other database; or, for a copy: "
                f"select settings.set_environment('{ours}', '<why>');",
            )  # fmt: skip


def _readable_by_all(case: Case) -> Iterator[Finding]:
    for name in SECRETS:
        path = case.environment.get(f"{PREFIX}{name.upper()}_FILE")
        if not path:
            continue
        try:
            mode = stat.S_IMODE(Path(path).stat().st_mode)
        except OSError:
            continue
        if mode & 0o004:
            yield Finding(
                Level.WARNING, "worker", f"every account of this machine may read {path}",
                f"chmod 600 {path}",
            )  # fmt: skip
