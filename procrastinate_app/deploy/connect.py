"""Opening a connection, and saying what to do when there is none.

libpq says what went wrong, not what helps. Passwords are never repeated.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
import struct
from contextlib import suppress
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from procrastinate_app.deploy.session import Connection
from procrastinate_app.deploy.tree import DeployRefused

SECONDS = 10
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
# OpenSSL's X509_V_ERR_…
_EXPIRED, _NOT_YET, _OTHER_NAME, _UNTRUSTED = 10, 9, (62, 64), (18, 19, 20, 21)


class CannotConnect(DeployRefused):
    """The database could not be reached; the message says why and what to do."""


def connect(url: str, *, application: str) -> Connection:
    """A connection in autocommit. Raises CannotConnect."""
    try:
        given = conninfo_to_dict(url)
    except psycopg.Error:
        raise CannotConnect(
            "This is not a Postgres address: postgresql://user:…@host/db."
        ) from None
    timeout = {} if "connect_timeout" in given else {"connect_timeout": SECONDS}
    try:
        return psycopg.connect(
            url,
            autocommit=True,
            application_name=application,
            prepare_threshold=None,
            **timeout,  # type: ignore[arg-type]
        )
    except psycopg.OperationalError as error:
        raise CannotConnect(explain(error, {k: str(v) for k, v in given.items()})) from error


# What libpq or the server says, and what helps. {host}, {port}, {user}, {dbname}: of the address.
_ADVICE = (
    (
        r"password authentication failed|no password supplied|SASL authentication failed",
        "The password of {user} is wrong. Put the right one into the address; characters such as "
        "@ : / # % in it are written %40 %3A %2F %23 %25. It is changed by `alter role {user} "
        "password …`, on Supabase under Settings, Database.",
    ),
    (
        r"could not translate host name|failed to resolve host|Name or service not known",
        "The name {host} is not known. Check its spelling, and that this machine may ask for names "
        "(DNS). A Supabase project's direct address db.….supabase.co has IPv6 only: without it use "
        "the session pooler's address (port 5432).",
    ),
    (
        r"Connection refused",
        "Nothing answers at {host}, port {port}. Start the server, or check host, port, "
        "listen_addresses and the firewall.",
    ),
    (
        r"timeout expired|timed out|No route to host|Network is unreachable",
        "{host}, port {port} does not answer. A firewall or a network restriction drops the "
        "packets, or the address has IPv6 only and this machine has not: then use the session "
        "pooler's address.",
    ),
    (
        r"does not support SSL",
        "The server speaks no TLS, and the address demands it. Switch it on there (ssl = on), or, "
        "for a server on this very machine, set sslmode=prefer.",
    ),
    (
        r"root certificate file .* does not exist",
        "sslmode={sslmode} needs the authority's certificate: sslrootcert=/path/to/ca.crt, or "
        "sslrootcert=system for a public one. Supabase's is under Settings, Database, SSL.",
    ),
    (
        r"database .* does not exist",
        "There is no database {dbname}. Check the end of the address; on Supabase it is postgres.",
    ),
    (
        r"role .* does not exist",
        "There is no role {user}. Check the address; the session pooler wants postgres.<project>.",
    ),
    (
        r"no pg_hba.conf entry",
        "The server lets {user} into {dbname} from here only in another way, or not at all: see "
        "pg_hba.conf there. With `no encryption` in the message, set sslmode=require.",
    ),
    (
        r"too many clients|remaining connection slots|too many connections",
        "The server has no connection left. End idle ones (pg_stat_activity), or raise "
        "max_connections; then run this again.",
    ),
    (
        r"starting up|shutting down|in recovery mode|not yet accepting connections",
        "The server is starting or stopping. Run this again in a moment.",
    ),
)


def explain(error: psycopg.OperationalError, given: dict[str, str]) -> str:
    """The error in one line, and what to do."""
    said = " ".join(str(error).split())
    about = {
        "host": given.get("host") or os.environ.get("PGHOST") or "the local socket",
        "port": given.get("port") or os.environ.get("PGPORT") or "5432",
        "user": given.get("user") or os.environ.get("PGUSER") or "this user",
        "dbname": given.get("dbname") or os.environ.get("PGDATABASE") or given.get("user") or "",
        "sslmode": given.get("sslmode") or os.environ.get("PGSSLMODE") or "prefer",
    }
    if re.search(r"certificate verify failed|server certificate for|SSL error", said):
        advice = _about_certificate(given, about)
    else:
        found = (text.format(**about) for pattern, text in _ADVICE if re.search(pattern, said))
        advice = next(found, "Check the address, the network and the server's log.")
    where = f"{about['host']}, port {about['port']}"
    return f"No connection to {where}: {said}\n{advice}"


def _about_certificate(given: dict[str, str], about: dict[str, str]) -> str:
    """libpq only says that it failed; asked once more, the handshake tells why."""
    code = _refusal_of(given, about)
    keep = "Do not lower sslmode: then anybody on the way could read the password."
    if code == _EXPIRED:
        return (
            "The server's certificate has expired. Put a new one there (ssl_cert_file, "
            "ssl_key_file), then `select pg_reload_conf()` as superuser; no restart is needed. "
            f"If it is not expired, this machine's clock is wrong. {keep}"
        )
    if code == _NOT_YET:
        return (
            "The server's certificate is not valid yet: this machine's clock is behind, or the "
            "certificate was made for later. Compare `date -u` here and there."
        )
    if code in _OTHER_NAME:
        return (
            f"The server's certificate is for another name than {about['host']}. Use the name it "
            f"was made for in the address, or a certificate with this name. {keep}"
        )
    if code in _UNTRUSTED:
        return (
            "The server's certificate was signed by nobody whom sslrootcert names. Give the "
            f"authority's certificate: sslrootcert=/path/to/ca.crt. {keep}"
        )
    return f"The server's certificate was not accepted. {keep}"


def _refusal_of(given: dict[str, str], about: dict[str, str]) -> int | None:
    """OpenSSL's reason against the server's certificate, None where it has none."""
    root = given.get("sslrootcert") or os.environ.get("PGSSLROOTCERT") or ""
    root = root or str(Path.home() / ".postgresql" / "root.crt")
    try:
        context = ssl.create_default_context(cafile=None if root == "system" else root)
    except (OSError, ssl.SSLError):
        return None
    context.check_hostname = about["sslmode"] == "verify-full"
    address = (given.get("hostaddr") or about["host"], int(about["port"]))
    with suppress(OSError), socket.create_connection(address, timeout=SECONDS) as raw:
        raw.sendall(_SSL_REQUEST)
        if raw.recv(1) != b"S":
            return None
        try:
            context.wrap_socket(raw, server_hostname=about["host"]).close()
        except ssl.SSLCertVerificationError as refusal:
            return refusal.verify_code
    return None
