"""The API's roles: what they are, how long their statements may take, which schemas they see."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql

from procrastinate_app.doctor.finding import API_ROLES, Case, Finding, Level

# Roles that give a member more than the grants of our files.
_POWERS = (
    "pg_read_all_data", "pg_write_all_data", "pg_execute_server_program", "pg_read_server_files",
    "pg_write_server_files", "pg_maintain", "pg_signal_backend", "service_role", "postgres",
    "supabase_admin",
)  # fmt: skip


def roles(case: Case) -> Iterator[Finding]:
    found = {
        row[0]: row[1:]
        for row in case.rows(
            "select rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolcanlogin,"
            " rolinherit from pg_roles where rolname = any(%s)",
            [[*API_ROLES, "authenticator"]],
        )
    }
    healthy = True
    for finding in _wrong(case, found):
        healthy = False
        yield finding
    if healthy:
        yield Finding(
            Level.OK, "roles", "anon, authenticated and service_role are as they should be"
        )


def _wrong(case: Case, found: dict[str, tuple[bool, ...]]) -> Iterator[Finding]:
    if missing := [role for role in API_ROLES if role not in found]:
        yield Finding(
            Level.ERROR, "roles", f"missing: {', '.join(missing)}",
            "This must be a Supabase project; for local work run `hub local shim`.",
        )  # fmt: skip
    for role in ("anon", "authenticated"):
        if role not in found:
            continue
        superuser, bypass, create_role, create_db, login, _ = found[role]
        for has, name in (
            (superuser, "superuser"), (bypass, "bypassrls"), (create_role, "createrole"),
            (create_db, "createdb"),
        ):  # fmt: skip
            if has:
                yield Finding(
                    Level.ERROR, "roles", f"{role} is {name}: every client of the API is",
                    f"alter role {role} no{name};",
                )  # fmt: skip
        if login:
            yield Finding(
                Level.WARNING, "roles", f"{role} may log in by itself, past the API",
                f"alter role {role} nologin;",
            )  # fmt: skip
        for (power,) in case.rows(
            "select r.rolname from pg_roles as r where r.rolname = any(%s)"
            " and r.rolname <> %s and pg_has_role(%s, r.oid, 'member')"
            " and not (select s.rolsuper from pg_roles as s where s.rolname = %s)",
            [list(_POWERS), role, role, role],
        ):
            yield Finding(
                Level.ERROR, "roles", f"{role} is a member of {power}: every client of the API is",
                f"revoke {power} from {role};",
            )  # fmt: skip
    if "service_role" in found and not found["service_role"][1]:
        yield Finding(
            Level.WARNING, "roles", "service_role does not bypass row security, as Supabase's does",
            "alter role service_role bypassrls;  -- as a superuser",
        )  # fmt: skip
    if "authenticator" in found:
        yield from _authenticator(case, inherits=found["authenticator"][5])


def _authenticator(case: Case, *, inherits: bool) -> Iterator[Finding]:
    """The API's login: it may become the three roles, and has none of their rights by itself."""
    if inherits:
        yield Finding(
            Level.WARNING, "roles", "authenticator inherits the rights of the roles it may become",
            "alter role authenticator noinherit;",
        )  # fmt: skip
    for (role,) in case.rows(
        "select rolname from pg_roles where rolname = any(%s)"
        " and not pg_has_role('authenticator', oid, 'member')",
        [list(API_ROLES)],
    ):
        yield Finding(
            Level.ERROR, "roles", f"the API cannot become {role}: its requests fail",
            f"grant {role} to authenticator;",
        )  # fmt: skip


def timeouts(case: Case) -> Iterator[Finding]:
    """A statement of a client must end some day; the service's may take its time."""
    default = case.value("select reset_val from pg_settings where name = 'statement_timeout'")
    own = _role_settings(case, "statement_timeout")
    without = [
        role
        for role in ("anon", "authenticated")
        if own.get(role, own.get("authenticator", default)) in ("0", "", None)
    ]
    for role in without:
        yield Finding(
            Level.WARNING, "timeouts",
            f"{role} has no statement_timeout: one request can keep the database busy for ever",
            f"alter role {role} in database {_database(case)} set statement_timeout = '8s';",
        )  # fmt: skip
    if not without:
        said = ", ".join(f"{role} {own[role]}" for role in sorted(own))
        yield Finding(Level.OK, "timeouts", said or f"{default} ms for all")


def _show_only(case: Case, schemas: str) -> str:
    return (
        f"alter role authenticator in database {_database(case)} "
        f"set pgrst.db_schemas = '{schemas}'; notify pgrst, 'reload config';"
    )


def _database(case: Case) -> str:
    """Settings for one database win over those for all."""
    return sql.Identifier(case.conn.info.dbname).as_string()


def _role_settings(case: Case, name: str) -> dict[str, str]:
    """A setting as `alter role [… in database …] set` left it, for the API's roles."""
    rows = case.rows(
        "select r.rolname, split_part(c, '=', 2) from pg_db_role_setting as s"
        " join pg_roles as r on r.oid = s.setrole cross join unnest(s.setconfig) as c"
        " where split_part(c, '=', 1) = %s and r.rolname = any(%s) and s.setdatabase in (0,"
        "   (select oid from pg_database where datname = current_database()))"
        " order by s.setdatabase",
        [name, [*API_ROLES, "authenticator"]],
    )
    return {str(role): str(text) for role, text in rows}


def exposed(case: Case) -> Iterator[Finding]:
    """Which schemas the API shows, and tables there that no policy guards."""
    said = _role_settings(case, "pgrst.db_schemas").get("authenticator")
    shown = [name.strip() for name in said.split(",")] if said else ["public"]
    if said is None:
        yield Finding(
            Level.NOTE, "exposed",
            "which schemas the API shows is not written in the database",
            "See the project's API settings: public (and graphql_public), none of ours beside it.",
        )  # fmt: skip
    inner = sorted(set(shown) & set(case.domains))
    if inner:
        keep = ", ".join(name for name in shown if name not in inner)
        yield Finding(
            Level.ERROR, "exposed", f"the API shows {', '.join(inner)}: rules without their doors",
            _show_only(case, keep),
        )  # fmt: skip
    if "public" not in shown:
        yield Finding(
            Level.ERROR, "exposed", f"the API does not show public, but {', '.join(shown)}",
            _show_only(case, "public"),
        )  # fmt: skip
    unguarded = case.rows(
        "select format('%%I.%%I', n.nspname, c.relname) from pg_class as c"
        " join pg_namespace as n on n.oid = c.relnamespace"
        " where n.nspname = any(%s) and c.relkind in ('r', 'p') and not c.relrowsecurity"
        " and exists (select from unnest(array['anon', 'authenticated']) as r (name)"
        "   where to_regrole(r.name) is not null and has_table_privilege(r.name, c.oid,"
        "     'select, insert, update, delete')) order by 1",
        [shown],
    )
    for (table,) in unguarded:
        yield Finding(
            Level.ERROR, "exposed", f"{table} is open to every client: row security is off",
            f"alter table {table} enable row level security;",
        )  # fmt: skip
    if said is not None and not inner and "public" in shown and not unguarded:
        yield Finding(Level.OK, "exposed", ", ".join(shown))
