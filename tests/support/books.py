"""Two people with money, for the tests of the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from tests.support.callers import Connection
from tests.support.money import account, open_wallet
from tests.support.people import make_people


@dataclass(frozen=True)
class Books:
    """Ama has 1000 USD, Kofi has an empty wallet; funding and revenue have no floor."""

    ama: UUID
    kofi: UUID
    ama_wallet: int
    kofi_wallet: int
    funding: int
    revenue: int


def make_books(conn: Connection) -> Books:
    """Make the two people and their wallets."""
    ama, kofi = make_people(conn, 2)
    return Books(
        ama,
        kofi,
        open_wallet(conn, ama, balance=1000),
        open_wallet(conn, kofi),
        account(conn, "funding"),
        account(conn, "revenue"),
    )
