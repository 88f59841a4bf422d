"""docs/reference/access.md: who may do what, as the database answers when asked.

Nothing is read from sql/ or policies/: the page shows what the catalogue grants, also to roles that
were never meant to have anything. PUBLIC stands for a role that is member of nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

Connection = psycopg.Connection[Any]

PUBLIC = "PUBLIC"
# Supabase's own roles that requests, sign-ups and hooks arrive as.
ROLES = ("anon", "authenticated", "service_role", "authenticator", "supabase_auth_admin")
# The owner, and those Supabase runs the platform with: no request arrives as one of them.
PLATFORM = ("postgres", "dashboard_user", "supabase_admin", "supabase_read_only_user")
VERBS = ("select", "insert", "update", "delete", "truncate", "references", "trigger")
BY_COLUMN = ("select", "insert", "update", "references")

# Every schema of ours; Supabase's and Postgres's own are theirs to grant.
_SCHEMAS = """
select n.nspname::text
from pg_namespace as n
where n.nspname !~ '^pg_'
  and n.nspname not in (
    'information_schema', 'auth', 'storage', 'realtime', 'extensions', 'vault', 'pgbouncer',
    'graphql', 'graphql_public', 'cron', 'net'
  )
order by n.nspname
"""

# Whoever holds something in these schemas beside the owner, so that no role is overlooked.
_HOLDERS = """
select distinct coalesce(r.rolname::text, 'PUBLIC')
from (
  select c.relowner as owner, c.relacl as acl from pg_class as c
  where c.relnamespace = any (%(schemas)s::text[]::regnamespace[])
  union all
  select c.relowner, a.attacl from pg_attribute as a
  inner join pg_class as c on c.oid = a.attrelid
  where c.relnamespace = any (%(schemas)s::text[]::regnamespace[])
  union all
  select p.proowner, coalesce(p.proacl, acldefault('f', p.proowner)) from pg_proc as p
  where p.pronamespace = any (%(schemas)s::text[]::regnamespace[])
  union all
  select n.nspowner, n.nspacl from pg_namespace as n
  where n.nspname = any (%(schemas)s)
) as held
cross join aclexplode(held.acl) as a
left join pg_roles as r on r.oid = a.grantee
where a.grantee <> held.owner and not coalesce(r.rolsuper, false)
"""

_RELATIONS = """
select c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relkind::text,
  c.relrowsecurity
from pg_class as c
inner join pg_namespace as n on n.oid = c.relnamespace
where n.nspname = any (%(schemas)s)
  and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
  and not c.relispartition
order by n.nspname, c.relname
"""

# One row per relation and role that has something: verbs of the whole, then those by column.
_RIGHTS = """
select c.oid, r.role,
  array(
    select v.verb
    from unnest(
      case c.relkind when 'S' then '{usage,select,update}' else %(verbs)s::text[] end
    ) with ordinality as v (verb, nth)
    where case c.relkind
      when 'S' then has_sequence_privilege(r.role, c.oid, v.verb)
      else has_table_privilege(r.role, c.oid, v.verb)
    end
    order by v.nth
  )
  || array(
    select format('%%s (%%s)', v.verb, string_agg(quote_ident(a.attname), ', ' order by a.attnum))
    from unnest(%(by_column)s::text[]) with ordinality as v (verb, nth)
    cross join pg_attribute as a
    where a.attrelid = c.oid
      and c.relkind <> 'S'
      and a.attnum > 0
      and not a.attisdropped
      and not has_table_privilege(r.role, c.oid, v.verb)
      and has_column_privilege(r.role, c.oid, a.attnum, v.verb)
    group by v.nth, v.verb
    order by v.nth
  )
from pg_class as c
inner join pg_namespace as n on n.oid = c.relnamespace
cross join unnest(%(roles)s::text[]) as r (role)
where n.nspname = any (%(schemas)s)
  and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
  and not c.relispartition
"""

_FUNCTIONS = """
select p.oid, n.nspname::text,
  format('%%I.%%I(%%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
  p.prosecdef,
  array(
    select r.role
    from unnest(%(roles)s::text[]) with ordinality as r (role, nth)
    where has_function_privilege(r.role, p.oid, 'execute')
    order by r.nth
  )
from pg_proc as p
inner join pg_namespace as n on n.oid = p.pronamespace
where n.nspname = any (%(schemas)s)
  and not exists (select from pg_depend as d where d.objid = p.oid and d.deptype = 'e')
order by n.nspname, p.proname, 3
"""

_POLICIES = """
select format('%%s.%%s', quote_ident(n.nspname), quote_ident(c.relname)),
  p.polname::text,
  case p.polcmd
    when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update'
    when 'd' then 'delete' else 'all'
  end,
  p.polpermissive,
  array(
    select case when r = 0 then 'PUBLIC' else r::regrole::text end
    from unnest(p.polroles) as r
    order by 1
  ),
  pg_get_expr(p.polqual, p.polrelid),
  pg_get_expr(p.polwithcheck, p.polrelid)
from pg_policy as p
inner join pg_class as c on c.oid = p.polrelid
inner join pg_namespace as n on n.oid = c.relnamespace
where n.nspname = any (%(schemas)s) or n.nspname = 'realtime'
order by n.nspname, c.relname, p.polname
"""


# A role without inheritance has the others' rights only after `set role`, which no request says.
_MEMBERSHIPS = """
select m.rolname::text, array_agg(r.rolname::text order by r.rolname)
from pg_auth_members as a
inner join pg_roles as m on m.oid = a.member
inner join pg_roles as r on r.oid = a.roleid
where m.rolname = any (%(roles)s)
group by m.rolname
order by m.rolname
"""


@dataclass(frozen=True)
class Relation:
    """A table, view or sequence: each role's verbs; by column as `select (a, b)`."""

    oid: int
    name: str
    kind: str
    has_row_security: bool
    rights: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Function:
    """A function, the roles that may execute it, and whether it runs as its owner."""

    oid: int
    schema: str
    signature: str
    is_definer: bool
    roles: tuple[str, ...]


@dataclass(frozen=True)
class Policy:
    table: str
    name: str
    verb: str
    is_permissive: bool
    roles: tuple[str, ...]
    using: str | None
    check: str | None


@dataclass(frozen=True)
class Access:
    """The whole matrix."""

    roles: tuple[str, ...]
    memberships: dict[str, tuple[str, ...]]
    schemas: dict[str, dict[str, tuple[str, ...]]]
    relations: tuple[Relation, ...]
    functions: tuple[Function, ...]
    policies: tuple[Policy, ...]


def schemas(conn: Connection) -> list[str]:
    """Every schema but Supabase's and Postgres's own."""
    return [str(row[0]) for row in conn.execute(_SCHEMAS)]


def read(conn: Connection) -> Access:
    """Ask the database. Needs no rights beyond reading the catalogue."""
    with conn.transaction():
        conn.execute("set local search_path = pg_catalog")
        names = schemas(conn)
        given: dict[str, Any] = {"schemas": names}
        holders = {str(row[0]) for row in conn.execute(_HOLDERS, given)}
        existing = {str(row[0]) for row in conn.execute("select rolname from pg_roles")}
        others = sorted(holders - {*ROLES, *PLATFORM, PUBLIC})
        roles = (PUBLIC, *(role for role in ROLES if role in existing), *others)
        given |= {"roles": [_name(role) for role in roles], "verbs": list(VERBS)}
        rights: dict[int, dict[str, tuple[str, ...]]] = {}
        for oid, role, verbs in conn.execute(_RIGHTS, {**given, "by_column": list(BY_COLUMN)}):
            rights.setdefault(oid, {})[_role(role)] = tuple(verbs)
        return Access(
            roles,
            {
                member: tuple(of)
                for member, of in conn.execute(_MEMBERSHIPS, {"roles": list(roles)}).fetchall()
            },
            {name: _schema_rights(conn, name, roles) for name in names},
            tuple(
                Relation(oid, name, kind, secured, rights[oid])
                for oid, name, kind, secured in conn.execute(_RELATIONS, given).fetchall()
            ),
            tuple(
                Function(oid, schema, signature, definer, tuple(_role(name) for name in may))
                for oid, schema, signature, definer, may in conn.execute(
                    _FUNCTIONS, given
                ).fetchall()
            ),
            tuple(
                Policy(table, name, verb, permissive, tuple(to), using, check)
                for table, name, verb, permissive, to, using, check in conn.execute(
                    _POLICIES, given
                ).fetchall()
            ),
        )


def _schema_rights(
    conn: Connection, schema: str, roles: Iterable[str]
) -> dict[str, tuple[str, ...]]:
    query = """
    select v.verb
    from unnest('{usage,create}'::text[]) with ordinality as v (verb, nth)
    where has_schema_privilege(%(role)s, %(schema)s, v.verb)
    order by v.nth
    """
    return {role: _column(conn, query, {"role": _name(role), "schema": schema}) for role in roles}


def _name(role: str) -> str:
    """has_…_privilege() takes 'public' for what everybody has."""
    return "public" if role == PUBLIC else role


def _role(name: str) -> str:
    return PUBLIC if name == "public" else name


def _column(conn: Connection, query: str, given: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(row[0]) for row in conn.execute(query.encode(), given))


def page(conn: Connection) -> list[str]:
    """The page's lines below its title."""
    found = read(conn)
    return [
        "Who may do what, asked of the database role by role: inherited rights count, and what",
        "everybody has stands under PUBLIC. A table shows the roles that have something in it; the",
        "others have nothing. Policies, at the end, cut rows down further. No request arrives as",
        "the owner or as a role that Supabase runs its platform with: they are left out.",
        "",
        f"Roles asked: {_listed(found.roles)}.",
        *(f"`{role}` may become {_listed(of)}." for role, of in found.memberships.items()),
        "",
        "## Schemas",
        "",
        *_matrix("schema", found.roles, found.schemas.items()),
        "",
        "## Tables, views and sequences",
        "",
        "Verbs asked: " + ", ".join(f"`{verb}`" for verb in VERBS) + "; on sequences `usage`,",
        "`select`, `update`. A verb with columns holds for those only.",
        "",
        *_relations(found),
        "",
        "## Functions",
        "",
        "`owner`: runs with its owner's rights and checks its caller itself.",
        "",
        *_functions(found),
        "",
        "## Policies",
        "",
        *_policies(found),
    ]


def _matrix(
    what: str, roles: Sequence[str], rows: Iterable[tuple[str, dict[str, tuple[str, ...]]]]
) -> list[str]:
    """Rows by roles, without the roles that nobody needs a column for."""
    listed = list(rows)
    shown = [role for role in roles if any(rights.get(role) for _, rights in listed)]
    lines = [f"| {what} | {' | '.join(shown)} |", f"|{' --- |' * (len(shown) + 1)}"]
    lines += [
        f"| `{name}` | {' | '.join(', '.join(rights.get(role, ())) for role in shown)} |"
        for name, rights in listed
    ]
    return lines


def _relations(found: Access) -> list[str]:
    open_ones = [each for each in found.relations if any(each.rights.values())]
    closed = [each.name for each in found.relations if not any(each.rights.values())]
    unguarded = [
        each.name
        for each in found.relations
        if each.kind in ("r", "p") and not each.has_row_security
    ]
    return [
        *_matrix("relation", found.roles, ((each.name, each.rights) for each in open_ones)),
        "",
        f"Closed to all of them: {_listed(closed)}.",
        "",
        f"Tables without row level security: {_listed(unguarded)}.",
    ]


def _functions(found: Access) -> list[str]:
    open_ones = [each for each in found.functions if each.roles]
    shown = [role for role in found.roles if any(role in each.roles for each in open_ones)]
    lines = [
        f"| function | runs as | {' | '.join(shown)} |",
        f"|{' --- |' * (len(shown) + 2)}",
    ]
    for each in open_ones:
        cells = ("execute" if role in each.roles else "" for role in shown)
        runs_as = "owner" if each.is_definer else "caller"
        lines.append(f"| `{each.signature}` | {runs_as} | {' | '.join(cells)} |")
    for schema in found.schemas:
        closed = [
            each.signature.removeprefix(f"{schema}.").split("(")[0]
            for each in found.functions
            if each.schema == schema and not each.roles
        ]
        if closed:
            lines += ["", f"Closed in `{schema}`: {_listed(closed)}."]
    return lines


def _policies(found: Access) -> list[str]:
    lines = ["| table | policy | verb | to | rows | new rows |", f"|{' --- |' * 6}"]
    for each in found.policies:
        verb = each.verb if each.is_permissive else f"{each.verb}, restrictive"
        lines.append(
            f"| `{each.table}` | `{each.name}` | {verb} | {', '.join(each.roles)}"
            f" | {_code(each.using)} | {_code(each.check)} |"
        )
    return lines


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


def _code(expression: str | None) -> str:
    """An expression on one line; a bar would end the cell."""
    text = " ".join((expression or "").split()).replace("|", "\\|")
    return f"`{text}`" if text else ""
