"""APP-7: where Supabase Vault is, secrets go there, with the rights `postgres` has there."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.support.callers import Connection, one, refused


@pytest.fixture
def vault(deployed: str) -> Iterator[Connection]:
    """The platform's look-alike, as `postgres`; nothing stays."""
    with psycopg.connect(deployed) as conn:
        yield conn
        conn.rollback()


def active(conn: Connection) -> list[str]:
    return [row[0] for row in conn.execute("select secrets.active('hook')")]


def test_secrets_are_kept_in_the_vault(vault: Connection) -> None:
    """APP-7: without asking, and the table stays empty."""
    assert one(vault, "select secrets.provider()") == "vault"
    for value in ("old", "new"):
        vault.execute("select secrets.put('hook', %s)", [value])
    assert active(vault) == ["new", "old"]
    assert (
        one(vault, "select count(*) from vault.decrypted_secrets where name like 'hub.hook.%%'")
        == 2
    )
    assert one(vault, "select count(*) from secrets.stored_values") == 0


def test_a_retired_secret_leaves_the_vault(vault: Connection) -> None:
    """APP-7"""
    old = one(vault, "select secrets.put('hook', 'old')")
    vault.execute("select secrets.put('hook', 'new')")
    vault.execute("select secrets.retire(%s)", [old])
    assert active(vault) == ["new"]
    assert vault.execute("select decrypted_secret from vault.decrypted_secrets").fetchall() == [
        ("new",)
    ]


def test_a_secret_deleted_in_the_dashboard_is_not_active(vault: Connection) -> None:
    """APP-7: and the list says that its value is gone."""
    vault.execute("select secrets.put('hook', 'old')")
    vault.execute("delete from vault.secrets where name like 'hub.%%'")
    assert active(vault) == []
    assert one(vault, "select is_active from secrets.list_versions()") is False


def test_the_table_is_no_choice_beside_the_vault(vault: Connection) -> None:
    """APP-7"""
    with refused(vault, "XX000"):
        vault.execute("select secrets.use_provider('table')")
