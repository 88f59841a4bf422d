"""Money for tests: a filled reward pool, wallets, transfers, holds, and the proof of the books."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from tests.support.callers import Connection, one


@dataclass(frozen=True)
class Account:
    """An account as the ledger has it, amounts in minor units."""

    posted: int
    held: int
    available: int
    reversal_debt: int
    version: int


def fund(conn: Connection, amount: int = 100_000, currency: str = "USD") -> None:
    """Fill the reward pool, evenly over its slots."""
    conn.execute("select ledger.fund_reward_pool(%s, %s)", [currency, amount])


def account(conn: Connection, purpose: str, currency: str = "USD", slot: int = 0) -> int:
    """The id of one of the platform's own accounts."""
    found = one(
        conn,
        "select id from ledger.accounts where purpose = %s::ledger.account_purpose"
        " and currency = %s and slot = %s and owner_id is null",
        [purpose, currency, slot],
    )
    assert found is not None, f"no {purpose} account in {currency}"
    return int(found)


def open_wallet(conn: Connection, owner: UUID, currency: str = "USD", balance: int = 0) -> int:
    """The id of a person's wallet, opened if missing, with this much paid into it."""
    conn.execute("select ledger.open_wallets(array[%s], %s)", [owner, currency])
    wallet = int(
        one(
            conn,
            "select id from ledger.accounts where owner_id = %s and currency = %s"
            " and purpose = 'wallet'",
            [owner, currency],
        )
    )
    if balance:
        post(conn, account(conn, "funding", currency), wallet, balance)
    return wallet


def read_account(conn: Connection, account_id: int) -> Account:
    """Where an account stands."""
    row = conn.execute(
        "select posted, held, posted - held, reversal_debt, version"
        " from ledger.accounts where id = %s",
        [account_id],
    ).fetchone()
    assert row is not None
    return Account(*row)


def post(
    conn: Connection,
    debit: int | None,
    credit: int | None,
    amount: int | None,
    cause: str = "test_payment",
    cause_id: UUID | None = None,
) -> int:
    """Post one transfer; gives its id."""
    return post_all(conn, [(debit, credit, amount, cause, cause_id)])[0]


def post_all(conn: Connection, postings: Sequence[tuple[Any, ...]]) -> list[int]:
    """Post (debit, credit, amount, cause, cause_id) transfers in one call; gives their ids."""
    debits, credits, amounts, causes, cause_ids = (
        zip(*postings, strict=True) if postings else ((), (), (), (), ())
    )
    found: list[int] = one(
        conn,
        "select ledger.post(array(select row(p.*, null, null, null)::ledger.posting from"
        " unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::uuid[]) as p))",
        [list(debits), list(credits), list(amounts), list(causes), list(cause_ids)],
    )
    return found


def hold(
    conn: Connection,
    debit: int | None,
    credit: int | None,
    amount: int | None,
    *,
    cause: str = "test_promise",
    cause_id: UUID | None = None,
    expires_at: str | None = None,
) -> int:
    """Place one hold; gives its id."""
    return int(
        one(
            conn,
            "select (ledger.place_holds(array[row(%s, %s, %s, %s, %s, %s)"
            "::ledger.hold_request]))[1]",
            [debit, credit, amount, cause, cause_id or uuid4(), expires_at],
        )
    )


def settle(conn: Connection, *holds: int, amounts: Sequence[int | None] | None = None) -> list[int]:
    """Settle holds, wholly or by amounts; gives the transfers' ids."""
    found: list[int] = one(
        conn,
        "select ledger.settle_holds(%s::bigint[], %s::bigint[])",
        [list(holds), list(amounts) if amounts is not None else None],
    )
    return found


def void(conn: Connection, *holds: int) -> None:
    """Void holds."""
    conn.execute("select ledger.release_holds(%s::bigint[])", [list(holds)])


def reverse(conn: Connection, *transfers: int) -> list[int]:
    """Reverse transfers; gives the new transfers' ids."""
    found: list[int] = one(conn, "select ledger.reverse_transfers(%s::bigint[])", [list(transfers)])
    return found


def broken_checks(conn: Connection) -> list[str]:
    """Names of the checks of ledger.verify() that do not hold; empty when the books are right."""
    return [
        row[0] for row in conn.execute("select check_name from ledger.verify() where not holds")
    ]
