"""IDN-3: the access token hook as sign-in calls it, seen by a client."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from tests.examples.conftest import Person
from tests.support.databases import Connection


def claims(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found


def test_a_token_tells_its_owners_roles_from_the_next_sign_in_on(
    owner: Connection, join: Callable[[], Person]
) -> None:
    """IDN-3: none at sign-up, those of the table later, whatever the user writes of themselves."""
    person = join()
    assert claims(person.token)["app_roles"] == []
    owner.execute("select identity.add_role(%s, 'tutor', 'for the test')", [person.id])
    person.supabase.auth.update_user({"data": {"app_roles": ["admin"]}})
    answer = person.supabase.auth.sign_in_with_password(
        {"email": person.email, "password": person.password}
    )
    assert answer.session is not None
    told = claims(answer.session.access_token)
    assert told["app_roles"] == ["tutor"]
    assert (told["sub"], told["role"]) == (person.id, "authenticated")
