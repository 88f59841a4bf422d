"""The worker's settings, from HUB_* variables; and the database's address, for every command.

HUB_DATABASE_URL_FILE and HUB_SECRET_KEY_FILE name files to read these secrets from instead. A
variable that is empty counts as not set.
"""

from __future__ import annotations

import ipaddress
import os
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from procrastinate_app.secrets import Keys

PREFIX = "HUB_"
SANDBOX_KEY = "sb_secret_sandbox_"


class Settings(BaseSettings):
    """Times are seconds. Fails at once, naming the variable, when one is missing or absurd."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", hide_input_in_errors=True
    )

    environment: Literal["local", "test", "production"] = "production"
    database_url: SecretStr
    supabase_url: str
    secret_key: SecretStr
    secret_key_file: Path | None = Field(default=None, repr=False)
    realtime_url: str = ""
    realtime_timeout: float = Field(default=10, gt=0)
    auth_url: str = ""
    auth_timeout: float = Field(default=10, gt=0)

    http_host: str = "127.0.0.1"
    http_port: int = Field(default=0, ge=0, le=65535)
    http_port_file: Path | None = None
    seal_file: Path | None = None

    fetchers: int = Field(default=4, ge=1, le=32)
    concurrency: int = Field(default=4, ge=1, le=100)
    batch_size: int = Field(default=100, ge=1, le=1000)
    lease: float = Field(default=30, gt=0)
    ring_interval: float = Field(default=0.25, gt=0)
    poll_interval: float = Field(default=2, gt=0)
    heartbeat_interval: float = Field(default=10, gt=0)
    rescue_interval: float = Field(default=5, gt=0)
    stalled_after: float = Field(default=30, gt=0)
    max_rescues: int = Field(default=3, ge=1)
    shutdown_graceful_timeout: float = Field(default=30, gt=0)

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_sample: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(default_factory=dict)

    otlp_endpoint: str = ""
    trace_ratio: float = Field(default=1, ge=0, le=1)

    @field_validator("supabase_url", "realtime_url", "auth_url", "otlp_endpoint")
    @classmethod
    def _is_http(cls, value: str) -> str:
        if value and urlsplit(value).scheme not in ("http", "https"):
            raise ValueError("must be an http or https address")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _fill_and_check(self) -> Self:
        self.realtime_url = self.realtime_url or f"{self.supabase_url}/realtime/v1"
        self.auth_url = self.auth_url or f"{self.supabase_url}/auth/v1"
        if self.lease <= self.realtime_timeout:
            raise ValueError("lease must outlast realtime_timeout, or batches are sent twice")
        if self.lease <= self.auth_timeout:
            raise ValueError("lease must outlast auth_timeout, or calls are made twice at once")
        if self.stalled_after <= 2 * self.heartbeat_interval:
            raise ValueError("stalled_after must outlast two heartbeats of a live worker")
        if not self.keys.given:
            raise ValueError("secret_key is empty")
        self._keep_sandbox_and_production_apart()
        return self

    def _keep_sandbox_and_production_apart(self) -> None:
        """A test must not tell real people; real events must not end in a sandbox.

        Local and test: database, Realtime and Auth are on this machine, and every key is the
        sandbox's. Production: no sandbox key, and Realtime on this machine only if the database is
        too (Supabase hosted by oneself).
        """
        fits = all(self._fits(key.get_secret_value()) for key in self.keys.given)
        database_here = is_here(database_host(self.database_url.get_secret_value()))
        realtime_here = is_here(urlsplit(self.realtime_url).hostname or "")
        auth_here = is_here(urlsplit(self.auth_url).hostname or "")
        if self.environment != "production":
            if not (database_here and realtime_here and auth_here):
                raise ValueError(
                    f"environment is {self.environment}, but the database, Realtime or Auth is not "
                    "on this machine: set HUB_ENVIRONMENT=production or local addresses"
                )
            if not fits:
                raise ValueError(
                    f"environment is {self.environment}, but secret_key is no sandbox key: what a "
                    "test does may reach real people"
                )
            return
        if not fits:
            raise ValueError("environment is production, but secret_key is a sandbox key")
        if realtime_here and not database_here:
            raise ValueError(
                "environment is production and the database is elsewhere, but Realtime is on this "
                "machine: real events would end in a sandbox"
            )
        if auth_here and not database_here:
            raise ValueError(
                "environment is production and the database is elsewhere, but Supabase Auth is on "
                "this machine: erased people would keep their sign-in"
            )

    @cached_property
    def keys(self) -> Keys:
        """The Supabase secret keys, newest first; read again when they came from a file."""
        keys = Keys.fixed(self.secret_key)
        if self.secret_key_file and _from_file("secret_key") == self.secret_key.get_secret_value():
            return Keys(path=self.secret_key_file, fits=self._fits)
        return keys

    def _fits(self, key: str) -> bool:
        return (self.environment == "production") != key.startswith(SANDBOX_KEY)

    @property
    def lease_time(self) -> timedelta:
        return timedelta(seconds=self.lease)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _SecretFiles(settings_cls)


class _SecretFiles(PydanticBaseSettingsSource):
    """HUB_SECRET_KEY_FILE=/run/secrets/key, as containers and systemd hand secrets out."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return _from_file(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        found = {
            name: self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
            if field.annotation is SecretStr and name not in self.current_state
        }
        return {name: value for name, value in found.items() if value is not None}


def database_address(given: str | None = None) -> str | None:
    """The database's address: the given one, else HUB_DATABASE_URL, else what the file holds that
    HUB_DATABASE_URL_FILE names, else None.

    Raises ValueError for what is no address, without repeating it, and for a file without text;
    OSError for a file that cannot be read.
    """
    found = given or os.environ.get(f"{PREFIX}DATABASE_URL") or _from_file("database_url")
    if found:
        database_host(found)
    return found or None


def _from_file(name: str) -> str | None:
    """The secret of this name, where a variable names a file that holds it.

    Raises ValueError for a file that holds none: it was meant to, so none is not "not set".
    """
    variable = f"{PREFIX}{name.upper()}_FILE"
    path = os.environ.get(variable)
    if not path:
        return None
    try:
        found = Path(path).read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        raise ValueError(f"{variable}: {path} is not text in UTF-8") from None
    if not found:
        raise ValueError(f"{variable}: {path} is empty")
    return found


def database_host(url: str) -> str:
    """The host of a database address; empty for a socket. The address is never repeated."""
    try:
        parts = conninfo_to_dict(url)
    except (psycopg.Error, UnicodeDecodeError):
        raise ValueError("database_url is not a Postgres address") from None
    host, port = (str(parts.get(name) or "") for name in ("host", "port"))
    if "@" in host or (port and not port.replace(",", "").isdecimal()):
        raise ValueError(
            "database_url holds a password with an @ : / # ? or % as it stands: write %40 for @,"
            " %3A for :, %2F for /, %23 for #, %3F for ?, %25 for %"
        )
    return str(parts.get("hostaddr") or host)


def is_here(host: str) -> bool:
    """Whether an address is this machine; an empty host or a path is a socket."""
    if host in ("", "localhost") or host.startswith("/"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
