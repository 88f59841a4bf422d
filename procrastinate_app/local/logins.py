"""Who logs in to a local database, and with which password.

A cluster of our own has a random password for its owner. The other logins' are made from it and
cannot be turned back into it: who knows one of them is nobody else. On a database that is not ours
they have the owner's own password, as self-hosted Supabase gives it to them.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from urllib.parse import quote, unquote, urlsplit, urlunsplit

OURS = "hub_owner_"


def new_owner_password() -> str:
    """A password for the owner of a new cluster; its beginning says that it is one of ours."""
    return OURS + secrets.token_urlsafe(24)


def password_of(role: str, owner_password: str) -> str:
    """The password of another login, where the owner has this one."""
    if not owner_password.startswith(OURS):
        return owner_password
    made = hmac.digest(owner_password.encode(), role.encode(), "sha256")
    return base64.urlsafe_b64encode(made).decode().rstrip("=")


def login_as(database_url: str, role: str) -> str:
    """The same database, whose owner's address is given, through another login."""
    parts = urlsplit(database_url)
    owner, _, host = parts.netloc.rpartition("@")
    _, asked, given = owner.partition(":")
    login = f"{role}:{quote(password_of(role, unquote(given)), safe='')}" if asked else role
    return urlunsplit(parts._replace(netloc=f"{login}@{host}"))
