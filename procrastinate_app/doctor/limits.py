"""The limits per address: whether the header they read is one that tells the client's."""

from __future__ import annotations

from collections.abc import Iterator

from procrastinate_app.doctor.finding import Case, Finding, Level
from procrastinate_app.settings import database_host

CLOUDFLARE = "cf-connecting-ip"
SUPABASE = (".supabase.co", ".supabase.com")
MEND = (
    "Propose limits.client_address_header and limits.trusted_proxies for the proxy in front: "
    "docs/how-to/change-limits-flags-and-settings.md"
)


def addresses(case: Case) -> Iterator[Finding]:
    """A header that nobody sets throws all together; one that clients set is no limit."""
    if not case.exists("settings.entries") or not case.exists("limits.buckets"):
        return
    header = case.value(
        "select max(value) from settings.entries where name = 'limits.client_address_header'"
    )
    unknown, known = case.row(
        "select count(*) filter (where b.subject = 'ip:unknown'),"
        " count(*) filter (where b.subject <> 'ip:unknown')"
        " from (select subject from limits.buckets where subject like %s and full_at > now()"
        "   limit 10000) as b",
        ["ip:%"],
    )
    if unknown > known:
        yield Finding(
            Level.WARNING, "limits", f"most calls of late came without an address in {header}: "
            "their callers share one limit, and one of them can use it up for all", MEND,
        )  # fmt: skip
    elif header == CLOUDFLARE and case.is_production and not _is_supabase(case):
        yield Finding(
            Level.WARNING, "limits", f"limits per address read {header}, which Cloudflare sets in "
            "front of hosted Supabase, and this database is elsewhere: where another proxy stands "
            "in front, clients choose their address, or all share one", MEND,
        )  # fmt: skip
    else:
        yield Finding(Level.OK, "limits", f"addresses are read from {header}")


def _is_supabase(case: Case) -> bool:
    return database_host(case.url).endswith(SUPABASE)
