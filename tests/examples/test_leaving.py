"""IDN-4: a person takes their data along and leaves, as a client does it, down to the sign-in."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from postgrest.exceptions import APIError
from supabase_auth.errors import AuthApiError

from tests.examples.conftest import Person
from tests.support.callers import one
from tests.support.databases import Connection
from tests.support.running import until


def test_export_then_erase_then_nothing(owner: Connection, join: Callable[[], Person]) -> None:
    """IDN-4: the worker deletes the user through the API; afterwards nobody can sign in."""
    person = join()
    document = person.call("export_my_data")
    assert document["account"]["email"] == person.email
    answer = person.call("erase_my_account", confirm="erase my account", idempotency_key="bye")
    assert answer["user_id"] == person.id
    with pytest.raises(APIError) as refused:
        person.call("export_my_data")
    assert refused.value.code == "not_a_member"
    left = "select count(*) = 0 from auth.users where id = %s"
    until(lambda: one(owner, left, [person.id]))
    until(
        lambda: one(
            owner,
            "select sign_in_deleted_at is not null from identity.erasures where user_id = %s",
            [person.id],
        )
    )
    with pytest.raises(AuthApiError):
        person.supabase.auth.sign_in_with_password(
            {"email": person.email, "password": person.password}
        )
    again = person.call("erase_my_account", confirm="erase my account", idempotency_key="bye")
    assert again["user_id"] == person.id
