"""LED-1: transfers and entries are never changed, and only balanced entries are ever added."""

from __future__ import annotations

import pytest

from tests.support.books import Books
from tests.support.callers import Connection, as_user, one, refused
from tests.support.money import hold, post, settle

TABLES = ("ledger.entries", "ledger.transfers")
CHANGES = [
    "update {table} set amount = amount + 1",
    "update {table} set cause = cause",
    "update {table} set created_at = now() where false",
    "delete from {table}",
    "delete from {table} where false",
    "truncate {table} cascade",
]
API_ROLES = ("anon", "authenticated", "service_role")


def rows(db: Connection, table: str) -> list[tuple[object, ...]]:
    return db.execute(f"select * from {table} order by 1, 2").fetchall()


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("table", TABLES)
def test_the_owner_cannot_change_the_books(
    db: Connection, books: Books, table: str, change: str
) -> None:
    before = rows(db, table)
    with refused(db, "append_only") as refusal:
        db.execute(change.format(table=table))
    assert refusal.status == 403
    assert rows(db, table) == before != []


@pytest.mark.parametrize("session", ["replica", "local"])
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("table", TABLES)
def test_a_session_that_calls_itself_a_replica_cannot_either(
    db: Connection, books: Books, table: str, change: str, session: str
) -> None:
    """A superuser's tools turn most triggers off that way; these stay on."""
    before = rows(db, table)
    db.execute(f"set local session_replication_role = {session}")
    with refused(db, "append_only"):
        db.execute(change.format(table=table))
    assert rows(db, table) == before != []


def test_a_replica_resolves_no_hold_twice_and_truncates_none(db: Connection, books: Books) -> None:
    done = hold(db, books.ama_wallet, books.kofi_wallet, 20)
    settle(db, done)
    before = rows(db, "ledger.holds")
    db.execute("set local session_replication_role = replica")
    for change, code in (
        ("delete from ledger.holds", "append_only"),
        ("truncate ledger.holds cascade", "append_only"),
        ("update ledger.holds set state = 'pending', resolved_at = null, settled_amount = null",
         "hold_resolved"),
    ):  # fmt: skip
        with refused(db, code):
            db.execute(change)
    assert rows(db, "ledger.holds") == before != []


def test_every_trigger_that_refuses_is_always_on(db: Connection) -> None:
    """APP-9, LED-1, LED-3, CON-4: wherever one is added."""
    found: dict[str, str] = dict(
        db.execute(
            "select format('%s on %s', tgname, tgrelid::regclass), tgenabled::text from pg_trigger"
            " where not tgisinternal and tgname ~ '_(refuse_|resolve_once)'"
        ).fetchall()
    )
    assert len(found) >= 5
    assert set(found.values()) == {"A"}, found


@pytest.mark.parametrize("role", API_ROLES)
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("table", TABLES)
def test_no_api_role_can_change_the_books(
    db: Connection, books: Books, table: str, change: str, role: str
) -> None:
    before = rows(db, table)
    with as_user(db, books.ama, role=role), refused(db, "42501"):
        db.execute(change.format(table=table))
    assert rows(db, table) == before != []


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("table", TABLES)
def test_even_a_role_granted_everything_cannot_change_them(
    db: Connection, books: Books, table: str, change: str
) -> None:
    db.execute("grant all on all tables in schema ledger to service_role")
    before = rows(db, table)
    with as_user(db, books.ama, role="service_role"), refused(db, "append_only"):
        db.execute(change.format(table=table))
    assert rows(db, table) == before != []


def test_truncating_what_they_hang_on_is_refused_too(db: Connection, books: Books) -> None:
    for table in ("ledger.accounts", "ledger.currencies", "public.profiles"):
        with refused(db, "append_only"):
            db.execute(f"truncate {table} cascade")
    assert rows(db, "ledger.entries") != []


def new_transfer(db: Connection, books: Books, amount: int = 10) -> int:
    """A bare transfer row, as only the owner could write it."""
    return int(
        one(
            db,
            "insert into ledger.transfers (debit_account_id, credit_account_id, currency, amount,"
            " cause, event_at) values (%s, %s, 'USD', %s, 'forged', now()) returning id",
            [books.ama_wallet, books.kofi_wallet, amount],
        )
    )


ADD_ENTRIES = (
    "insert into ledger.entries (account_id, version, owner_id, transfer_id, amount,"
    " balance_after, cause, event_at)"
    " select a.id, 900 + n, a.owner_id, %s, amount, 0, 'forged', now()"
    " from unnest(%s::bigint[], %s::bigint[]) with ordinality as u (id, amount, n)"
    " inner join ledger.accounts as a on a.id = u.id"
)


@pytest.mark.parametrize(
    "amounts", [(-10,), (10,), (-10, 9), (-9, 9), (-11, 11), (10, -10)], ids=str
)
def test_the_owner_cannot_add_unbalanced_entries(
    db: Connection, books: Books, amounts: tuple[int, ...]
) -> None:
    transfer = new_transfer(db, books)
    before = rows(db, "ledger.entries")
    wallets = [books.ama_wallet, books.kofi_wallet][: len(amounts)]
    with refused(db, "invalid_transfer"):
        db.execute(ADD_ENTRIES, [transfer, wallets, list(amounts)])
    assert rows(db, "ledger.entries") == before


def test_balanced_entries_on_other_accounts_are_refused(db: Connection, books: Books) -> None:
    transfer = new_transfer(db, books)
    with refused(db, "invalid_transfer"):
        db.execute(ADD_ENTRIES, [transfer, [books.ama_wallet, books.revenue], [-10, 10]])


def test_both_halves_on_one_account_are_refused(db: Connection, books: Books) -> None:
    transfer = new_transfer(db, books)
    with refused(db, "invalid_transfer"):
        db.execute(ADD_ENTRIES, [transfer, [books.ama_wallet, books.ama_wallet], [-10, 10]])


def test_the_two_halves_must_come_together(db: Connection, books: Books) -> None:
    """The trigger can fail: the same two rows pass when they come as one statement."""
    transfer = new_transfer(db, books)
    wallets = [books.ama_wallet, books.kofi_wallet]
    with refused(db, "invalid_transfer"):
        db.execute(ADD_ENTRIES, [transfer, wallets[:1], [-10]])
    db.execute(ADD_ENTRIES, [transfer, wallets, [-10, 10]])


@pytest.mark.parametrize("owner", ["null", "'00000000-0000-0000-0000-000000000001'"])
def test_an_entry_cannot_be_shown_to_somebody_else(
    db: Connection, books: Books, owner: str
) -> None:
    """LED-7: the owner an entry names is who may read it."""
    transfer = new_transfer(db, books)
    with refused(db, "invalid_transfer"):
        db.execute(
            ADD_ENTRIES.replace("a.owner_id", owner),
            [transfer, [books.ama_wallet, books.kofi_wallet], [-10, 10]],
        )


def test_an_old_transfer_takes_no_more_entries(db: Connection, books: Books) -> None:
    transfer = post(db, books.ama_wallet, books.kofi_wallet, 10)
    with refused(db, "23505"):
        db.execute(ADD_ENTRIES, [transfer, [books.ama_wallet, books.kofi_wallet], [-10, 10]])


def test_an_entry_needs_a_transfer_and_an_amount(db: Connection, books: Books) -> None:
    with refused(db, "23503"):
        db.execute(ADD_ENTRIES, [10**12, [books.ama_wallet, books.kofi_wallet], [-10, 10]])
    transfer = new_transfer(db, books)
    with refused(db, "23514"):
        db.execute(ADD_ENTRIES, [transfer, [books.ama_wallet, books.kofi_wallet], [0, 0]])


def test_an_unbalanced_transfer_cannot_be_written(db: Connection, books: Books) -> None:
    for amount in (0, -5):
        with refused(db, "23514"):
            new_transfer(db, books, amount)


def test_holds_are_never_removed_and_change_only_by_resolving(db: Connection, books: Books) -> None:
    """LED-3: whoever asks."""
    pending = hold(db, books.ama_wallet, books.kofi_wallet, 10, expires_at="2031-01-01")
    done = hold(db, books.ama_wallet, books.kofi_wallet, 20)
    settle(db, done)
    before = rows(db, "ledger.holds")
    resolve = "state = 'voided', resolved_at = now()"
    for change, code in (
        ("delete from ledger.holds", "append_only"),
        ("truncate ledger.holds cascade", "append_only"),
        (f"update ledger.holds set amount = 11 where id = {pending}", "hold_resolved"),
        (f"update ledger.holds set amount = 11, {resolve} where id = {pending}", "append_only"),
        (f"update ledger.holds set cause = 'x', {resolve} where id = {pending}", "append_only"),
        (f"update ledger.holds set created_at = '2020-01-01', {resolve} where id = {pending}",
         "append_only"),
        (f"update ledger.holds set expires_at = null, {resolve} where id = {pending}",
         "append_only"),
        (f"update ledger.holds set state = 'pending', resolved_at = null, settled_amount = null"
         f" where id = {done}", "hold_resolved"),
        (f"update ledger.holds set {resolve}, settled_amount = null where id = {done}",
         "hold_resolved"),
    ):  # fmt: skip
        with refused(db, code):
            db.execute(change)
    assert rows(db, "ledger.holds") == before
