"""The secrets that rules use: where they are kept, whether they have a value. Never the value."""

from __future__ import annotations

from collections.abc import Iterator

from procrastinate_app.doctor.finding import Case, Finding, Level


def secrets(case: Case) -> Iterator[Finding]:
    if not case.exists("secrets.versions"):
        yield Finding(Level.NOTE, "secrets", "this schema keeps none")
        return
    vault = case.exists("vault.decrypted_secrets")
    kept = "vault" if vault else case.value("select provider from secrets.settings")
    active: dict[str, int] = dict(
        case.rows(
            "select name, count(*) filter (where retired_at is null) from secrets.versions"
            " group by name order by name"
        )
    )
    without = [name for name, count in active.items() if not count]
    for name in without:
        yield Finding(
            Level.WARNING, "secrets", f"{name} has no active value: what needs it is refused",
            f"hub secrets set {name}",
        )  # fmt: skip
    in_table = case.value(
        "select count(*) from secrets.versions where retired_at is null and vault_id is null"
    )
    if in_table and case.is_production:
        yield Finding(
            Level.WARNING,
            "secrets",
            f"{in_table} values stand in a table as they are, and so in every backup",
            "Install Supabase Vault, then set them anew: hub secrets set <name>",
        )
    if not without:
        named = ", ".join(f"{name} ({count})" for name, count in active.items()) or "none"
        yield Finding(Level.OK, "secrets", f"kept in: {kept}; active: {named}")
