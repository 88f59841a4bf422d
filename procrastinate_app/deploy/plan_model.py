"""The shape of a plan, as `hub plan --json` prints it. A changed meaning raises `format`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

Risk = Literal["none", "low", "medium", "high"]
RISKS: tuple[Risk, ...] = ("none", "low", "medium", "high")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Holder(_Part):
    """A session that holds a lock now which the plan's would have to wait for. seconds: how long,
    by the server's clock."""

    pid: int
    user: str
    application: str
    state: str
    since: datetime
    seconds: float
    query: str


class Table(_Part):
    """A table that is there, and who uses it. rows: an estimate. bytes: with indexes and TOAST.

    reads and writes: scans begun, rows changed, per second while the plan was made.
    """

    name: str
    rows: int
    bytes: int
    reads_per_second: float
    writes_per_second: float
    is_read: bool
    is_written: bool
    holders: tuple[Holder, ...] = ()


class Lock(_Part):
    """One table-level lock; `table` is null where the plan cannot tell which."""

    mode: str
    table: str | None
    blocks_reads: bool
    blocks_writes: bool


class Statement(_Part):
    """One statement of a file. line is null for what deploy says by itself.

    scans, rewrites: tables that are read in full, or written anew, while the locks are held.
    seconds: a rough guess of that work. reason: why the risk is what it is. instead: the safer way.
    """

    file: str
    line: int | None
    sql: str
    what: str
    locks: tuple[Lock, ...]
    scans: tuple[str, ...]
    rewrites: tuple[str, ...]
    seconds: float
    risk: Risk
    reason: str
    instead: str | None
    drops: tuple[str, ...]


class File(_Part):
    """A file that a transaction applies, and why: pending, new, changed, or what was dropped."""

    path: str
    why: str


class Transaction(_Part):
    """What is committed together, and so holds its locks together, in the order deploy runs it."""

    number: int
    kind: Literal["history", "queue", "migration", "function", "view", "trigger", "policy"]
    title: str
    in_transaction: bool
    files: tuple[File, ...]
    statements: tuple[Statement, ...]
    strongest: Lock | None
    risk: Risk


class Summary(_Part):
    """The whole plan in figures, and in one line."""

    transactions: int
    statements: int
    strongest: Lock | None
    rewrites: tuple[str, ...]
    scans: tuple[str, ...]
    drops: tuple[str, ...]
    risk: Risk
    text: str


class Database(_Part):
    host: str
    port: int
    name: str
    user: str
    server: str


class Plan(_Part):
    """What deploy would do to this database now. Nothing was done to find out."""

    format: Literal[1] = 1
    made_at: datetime
    database: Database
    transactions: tuple[Transaction, ...]
    tables: tuple[Table, ...]
    forgotten: tuple[str, ...]
    summary: Summary
