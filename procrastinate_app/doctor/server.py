"""The server: its release, its settings, its room."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from procrastinate_app.doctor.finding import Case, Finding, Level
from procrastinate_app.settings import Settings, database_host, is_here

OLDEST, NEWEST = 15, 18
# Below these whoever may run SQL can corrupt the server's memory (CVE-2026-6473); some steps
# further down, what a policy hides leaks through planner statistics (CVE-2025-8713).
SAFE_MINORS = {15: 18, 16: 14, 17: 10, 18: 4}
GIB = 1024**3
LEAST_FREE = 0.05
WRAPAROUND_NEAR = 1_000_000_000
LONG_TRANSACTION = "5 minutes"


def release(case: Case) -> Iterator[Finding]:
    yield from judge_release(case.conn.info.server_version)
    if case.value("select pg_is_in_recovery()"):
        yield Finding(
            Level.ERROR, "server", "this is a standby: nothing can be written here",
            "Give the primary's address.",
        )  # fmt: skip
    elif case.value("select setting from pg_settings where name = 'default_transaction_read_only'"
                    ) == "on" and _is_set_outside(case):  # fmt: skip
        yield Finding(
            Level.ERROR,
            "server",
            "the database takes no writes (default_transaction_read_only). Supabase does so when "
            "the disk is nearly full: make room or enlarge it first",
            f"set default_transaction_read_only = off; alter database {case.conn.info.dbname} "
            "set default_transaction_read_only = off;",
        )


def _is_set_outside(case: Case) -> bool:
    source = case.value(
        "select source from pg_settings where name = 'default_transaction_read_only'"
    )
    return source not in ("session", "default")


def judge_release(number: int) -> Iterator[Finding]:
    """`number` as libpq gives it: 150018 is 15.18."""
    major, minor = divmod(number, 10000)
    if major < OLDEST:
        yield Finding(
            Level.ERROR, "server", f"Postgres {major} is too old: {OLDEST} to {NEWEST} will do",
            "Upgrade the server (pg_upgrade, or the project's settings on Supabase).",
        )  # fmt: skip
    elif major > NEWEST:
        yield Finding(
            Level.WARNING, "server", f"Postgres {major} is newer than this program was tested with"
        )
    elif minor < SAFE_MINORS[major]:
        yield Finding(
            Level.WARNING,
            "server",
            f"Postgres {major}.{minor} has holes that {major}.{SAFE_MINORS[major]} closed: who may "
            "run SQL can corrupt the server's memory (CVE-2026-6473)",
            f"Install the newest {major}; a restart is all it takes.",
        )
    else:
        yield Finding(Level.OK, "server", f"Postgres {major}.{minor}")


def settings(case: Case) -> Iterator[Finding]:
    """What loses commits, blinds Realtime, or lets a forgotten transaction stop the outbox."""
    said = dict(
        case.rows(
            "select name, setting from pg_settings where name = any(%s)",
            [["fsync", "full_page_writes", "synchronous_commit", "wal_level",
              "idle_in_transaction_session_timeout"]],
        )
    )  # fmt: skip
    severity = Level.ERROR if case.is_production else Level.NOTE
    found = [
        Finding(
            severity, "settings", f"{name} is off: a crash of the server loses what was committed",
            f"alter system set {name} = on;  -- then: select pg_reload_conf();",
        )
        for name in ("fsync", "full_page_writes", "synchronous_commit")
        if said.get(name) == "off"
    ]  # fmt: skip
    if said.get("wal_level") != "logical":
        found.append(
            Finding(
                Level.NOTE,
                "settings",
                f"wal_level is {said.get('wal_level')}: table listeners of Realtime "
                "(postgres_changes) need logical",
                "alter system set wal_level = logical;  -- then restart the server",
            )
        )
    if said.get("idle_in_transaction_session_timeout") == "0":
        found.append(
            Finding(
                Level.NOTE,
                "settings",
                "idle_in_transaction_session_timeout is 0: one forgotten transaction stops the "
                "outbox and vacuum for as long as it is open",
                f"alter database {case.conn.info.dbname} "
                "set idle_in_transaction_session_timeout = '1min';",
            )
        )
    yield from found
    yield from _long_transactions(case)
    if not found:
        yield Finding(Level.OK, "settings", "as they should be")


def _long_transactions(case: Case) -> Iterator[Finding]:
    for pid, application, state, age in case.rows(
        "select pid, coalesce(nullif(application_name, ''), usename), state,"
        " date_trunc('second', now() - xact_start)::text from pg_stat_activity"
        " where xact_start < now() - %s::interval and datname = current_database()"
        "   and backend_type = 'client backend' and (backend_xid is not null"
        "     or backend_xmin is not null or state like 'idle in transaction%%')"
        " order by xact_start limit 5",
        [LONG_TRANSACTION],
    ):
        yield Finding(
            Level.WARNING,
            "settings",
            f"a transaction of {application} (pid {pid}, {state}) is open for {age}: events "
            "written since wait in the outbox until it ends, and vacuum frees nothing",
            f"select pg_terminate_backend({pid});",
        )


def connections(case: Case) -> Iterator[Finding]:
    """Whether the worker's pool fits into what the server has left."""
    wanted = _pool_size(case)
    allowed, used = case.row(
        "select current_setting('max_connections')::integer"
        "   - current_setting('superuser_reserved_connections')::integer"
        "   - coalesce(current_setting('reserved_connections', true), '0')::integer,"
        " (select count(*) from pg_stat_activity where backend_type = 'client backend')"
    )
    role_limit, database_limit = case.row(
        "select r.rolconnlimit, d.datconnlimit from pg_roles as r, pg_database as d"
        " where r.rolname = current_user and d.datname = current_database()"
    )
    limit = min([allowed, *(one for one in (role_limit, database_limit) if one >= 0)])
    text = f"{used} of {allowed} in use; a worker takes up to {wanted}"
    if wanted > limit:
        yield Finding(
            Level.ERROR, "connections", f"{text}, and only {limit} are allowed to it",
            "Lower HUB_FETCHERS, or raise max_connections or the role's connection limit.",
        )  # fmt: skip
    elif used > 0.8 * allowed:
        yield Finding(
            Level.WARNING, "connections", f"{text}: newcomers will soon be turned away",
            "select application_name, state, count(*) from pg_stat_activity group by 1, 2;",
        )  # fmt: skip
    else:
        yield Finding(Level.OK, "connections", text)


def _pool_size(case: Case) -> int:
    """As the worker sizes its pool, with a few for listening and looking."""
    fetchers = case.environment.get("HUB_FETCHERS") or ""
    default = Settings.model_fields["fetchers"].default
    return (int(fetchers) if fetchers.isdecimal() else int(default)) * 2 + 4 + 2


def disk(case: Case) -> Iterator[Finding]:
    """Room, what eats it (abandoned replication slots), and how far transaction ids have run."""
    size, age = case.row(
        "select pg_database_size(oid), age(datfrozenxid) from pg_database"
        " where datname = current_database()"
    )
    for slot, kept in case.rows(
        "select slot_name, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint"
        " from pg_replication_slots where not active and not pg_is_in_recovery()"
        "   and pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) > %s",
        [GIB],
    ):
        yield Finding(
            Level.WARNING,
            "disk",
            f"the replication slot {slot} has no reader and keeps {_size(kept)} of WAL",
            f"If nobody needs it any more: select pg_drop_replication_slot('{slot}');",
        )
    if age > WRAPAROUND_NEAR:
        yield Finding(
            Level.WARNING, "disk",
            f"vacuum lags {age:,} transactions behind; at two thousand million writes stop",
            "vacuum (freeze, verbose);  -- and end transactions that have been open for long",
        )  # fmt: skip
    yield from _room(case, size)


def _room(case: Case, size: int) -> Iterator[Finding]:
    text = f"the database takes {_size(size)}"
    folder = _data_folder(case)
    if folder is None:
        yield Finding(Level.OK, "disk", text)
        return
    usage = shutil.disk_usage(folder)
    text += f"; {_size(usage.free)} are free"
    if usage.free < LEAST_FREE * usage.total:
        yield Finding(
            Level.WARNING, "disk", f"{text}, less than one part in twenty",
            f"Make room below {folder}: a full disk stops the server.",
        )  # fmt: skip
    else:
        yield Finding(Level.OK, "disk", text)


def _data_folder(case: Case) -> Path | None:
    """Where the data is, if that is on this machine and we may know it."""
    if not is_here(database_host(case.url)):
        return None
    said = case.rows("select setting from pg_settings where name = 'data_directory'")
    folder = Path(said[0][0]) if said and said[0][0] else None
    try:
        return folder if folder and folder.exists() else None
    except OSError:
        return None


def _size(count: int) -> str:
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if abs(count) < 1024 or unit == "GiB":
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count = count / 1024  # type: ignore[assignment]
    raise AssertionError
