"""Starts the gateway, the stand-in for the Supabase API (see gateway/server.mjs)."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from procrastinate_app.local.children import Child
from procrastinate_app.local.logins import login_as
from procrastinate_app.local.node import find_node, require_packages
from procrastinate_app.project import PROJECT_ROOT
from procrastinate_app.settings import SANDBOX_KEY

SERVER = Path(__file__).parent / "gateway" / "server.mjs"
READY_SECONDS = 60


@dataclass(frozen=True)
class Keys:
    """What clients and the gateway share. Random for each stack, marked as a sandbox's."""

    publishable_key: str = field(
        default_factory=lambda: "sb_publishable_" + secrets.token_urlsafe(24)
    )
    secret_key: str = field(default_factory=lambda: SANDBOX_KEY + secrets.token_urlsafe(24))
    jwt_secret: str = field(
        default_factory=lambda: base64.b64encode(secrets.token_bytes(36)).decode()
    )


class Gateway:
    """A gateway process, begun at once. A context manager: entering it waits until it serves,
    leaving it stops the process."""

    def __init__(
        self,
        database_url: str,
        *,
        log: Path,
        keys: Keys | None = None,
        port: int = 0,
        schemas: tuple[str, ...] = ("public",),
    ) -> None:
        """Serve the database at `database_url`, logging in as the shim's roles, not as its user."""
        require_packages()
        self.keys = keys or Keys()
        config = {
            "port": port,
            "schemas": list(schemas),
            "api_url": login_as(database_url, "authenticator"),
            "auth_url": login_as(database_url, "supabase_auth_admin"),
            "reader_url": login_as(database_url, "supabase_read_only_user"),
            "publishable_key": self.keys.publishable_key,
            "secret_key": self.keys.secret_key,
            "jwt_secret": self.keys.jwt_secret,
        }
        self.child = Child(
            "The gateway",
            [find_node(), SERVER],
            log=log,
            first_line=json.dumps(config),
            cwd=PROJECT_ROOT,
        )
        self.url = ""

    def wait_ready(self) -> str:
        """Wait until it serves; returns its address."""
        try:
            self.url = str(self.child.ready(READY_SECONDS)["url"])
        except BaseException:
            self.child.stop()
            raise
        return self.url

    def stop(self) -> None:
        self.child.stop()

    def __enter__(self) -> Self:
        self.wait_ready()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
