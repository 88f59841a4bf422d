"""Who logs in to a local database, and with which password.

Clusters of our own have a random password for their owner, one per checkout: they are copies of one
that is cached until `hub local reset`. The other logins' are made from it and cannot be turned back
into it: who knows one of them is nobody else. On a database that is not ours they have the owner's
own password, as self-hosted Supabase gives it to them.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from urllib.parse import quote

from procrastinate_app.local.errors import LocalError

OURS = "hub_owner_"

# What libpq and postgres.js, the gateway's driver, understand alike.
CARRIED = ("sslmode", "connect_timeout", "application_name", "options")
HOST = re.compile(r"[A-Za-z0-9._-]+")
DBNAME = re.compile(r"[\w.!$&'()*+,;=:@~-]+", re.ASCII)


class LoginError(LocalError):
    """The address cannot be used through another login; the message never repeats its values."""


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
    """The same database, whose owner's address is given in any form, through another login.

    A URL that libpq and postgres.js both read. Raises LoginError when there is none.
    """
    from psycopg.conninfo import conninfo_to_dict

    try:
        given = {name: str(value) for name, value in conninfo_to_dict(database_url).items()}
    except UnicodeDecodeError:
        raise LoginError("The database's address holds bytes that are not UTF-8.") from None
    given.pop("user", None)
    password = given.pop("password", "")
    hosts, ports = (given.pop(name, "").split(",") for name in ("host", "port"))
    dbname = given.pop("dbname", "")
    if unknown := given.keys() - set(CARRIED):
        raise _unusable("it has " + ", ".join(sorted(unknown)))
    if not all(map(HOST.fullmatch, hosts)) or not DBNAME.fullmatch(dbname):
        raise _unusable("it needs a host's name or IPv4 address, and a database's plain name")
    if len(ports) == 1:
        ports *= len(hosts)
    if len(ports) != len(hosts):
        raise _unusable("it has not as many ports as hosts")
    where = [f"{host}:{port}" if port else host for host, port in zip(hosts, ports, strict=True)]
    login = f"{role}:{quote(password_of(role, password), safe='')}" if password else role
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in given.items())
    return f"postgresql://{login}@{','.join(where)}/{dbname}{'?' if query else ''}{query}"


def _unusable(why: str) -> LoginError:
    return LoginError(
        f"The local API cannot use this address of the database: {why}. Write it as "
        f"postgresql://user:password@host:port/dbname; of options it knows {', '.join(CARRIED)}."
    )
