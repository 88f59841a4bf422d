"""Folders and database hold together: what exists has one home, and no more rights than it says."""

from __future__ import annotations

from collections import Counter

import pytest

from procrastinate_app.deploy import shapes
from procrastinate_app.deploy.lexer import Statement, qualified_name
from procrastinate_app.deploy.meaning import FUNCTION, POLICY, TABLE, TRIGGER, VIEW, read
from procrastinate_app.deploy.tree import policy_tables, read_tree
from procrastinate_app.project import PROJECT_ROOT
from tests.support.databases import Connection

TREE = read_tree(PROJECT_ROOT)
DOMAINS = sorted({file.domain for file in TREE.code} - {"realtime", "storage", "auth"})
SCHEMAS = [*DOMAINS, "public"]
CLIENTS = ["anon", "authenticated", "service_role"]
AUTH = "supabase_auth_admin"  # calls the auth hooks

SETTLED = "the parents are a few settings rows, switched off but never deleted or renamed"
KEPT = "accounts are never deleted, nor their keys changed; the index would cost every posting"

# foreign key: why no index leads with its columns
UNINDEXED = {
    "consensus.items.items_kind_fkey": SETTLED,
    "consensus.kinds.kinds_currency_fkey": SETTLED,
    "consensus.reward_days.reward_days_currency_fkey": SETTLED,
    "consensus.withheld_rewards.withheld_rewards_currency_fkey": SETTLED,
    "jobs.dead_letters.dead_letters_stream_fkey": SETTLED,
    "ledger.holds.holds_credit_in_currency": KEPT,
    "ledger.holds.holds_debit_in_currency": KEPT,
    "ledger.transfers.transfers_credit_in_currency": KEPT,
    "ledger.transfers.transfers_debit_in_currency": KEPT,
}


def made_in_migrations(*kind: str) -> list[str]:
    """The qualified names of what migrations create and a later one does not drop."""
    found: list[str] = []
    for migration in TREE.migrations:
        for part in migration.statements:
            at = 3 if part.words("or", "replace", at=1) else 1
            if part.words("create") and part.words(*kind, at=at):
                found.append(".".join(qualified_name(part.tokens, at + len(kind))[0]))
            if part.words("drop", *kind, "if", "exists"):
                gone = ".".join(qualified_name(part.tokens, 3 + len(kind))[0])
                found = [name for name in found if name != gone]
    return found


def made_in_files(kind: str) -> list[str]:
    return [
        f"{target.schema}.{target.name}"
        for file in TREE.code
        for target in file.defines
        if target.kind == kind
    ]


def column(db: Connection, query: str, *values: object) -> list[str]:
    return [str(row[0]) for row in db.execute(query.encode(), values)]


FUNCTIONS = """
select p.oid::regproc::text
from pg_proc as p
where p.pronamespace = any(%s::text[]::regnamespace[])
  and not exists (select from pg_depend as d where d.objid = p.oid and d.deptype = 'e')
"""


def qualified(db: Connection, query: str) -> list[str]:
    """Names as `schema.name`: public is on the path, so regproc leaves it out."""
    db.execute("set local search_path = ''")
    return column(db, query, SCHEMAS)


def test_every_function_has_exactly_one_file_and_no_overload(db: Connection) -> None:
    homes = made_in_files(FUNCTION) + made_in_migrations("function")

    assert Counter(qualified(db, FUNCTIONS)) == Counter(homes)


def test_every_view_has_exactly_one_file(db: Connection) -> None:
    views = """
    select format('%%I.%%I', schemaname, viewname)
    from pg_views
    where schemaname = any(%s)
    """
    assert Counter(qualified(db, views)) == Counter(made_in_files(VIEW))


def test_every_trigger_has_exactly_one_file(db: Connection) -> None:
    """Also those on tables of others, such as auth.users."""
    triggers = """
    select format('%%I on %%s', t.tgname, t.tgrelid::regclass)
    from pg_trigger as t
    join pg_proc as p on p.oid = t.tgfoid
    where not t.tgisinternal
      and t.tgparentid = 0
      and p.pronamespace = any(%s::text[]::regnamespace[])
    """
    declared = [
        f"{target.name} on {target.schema}.{target.table}"
        for file in TREE.code
        for target in file.defines
        if target.kind == TRIGGER
    ]
    assert Counter(qualified(db, triggers)) == Counter(declared)


def test_every_function_pins_its_search_path(db: Connection) -> None:
    unpinned = f"""
    {FUNCTIONS}
      and not exists (
        select
        from unnest(p.proconfig) as c
        where c = 'search_path=""' or c ~ '^search_path=.*, pg_temp$'
      )
    """
    assert qualified(db, unpinned) == []


def test_definer_functions_live_outside_the_exposed_schema(db: Connection) -> None:
    exposed = f"{FUNCTIONS} and p.prosecdef and p.pronamespace = 'public'::regnamespace"

    assert qualified(db, exposed) == []


def test_doors_and_rules_are_volatile_when_they_write(db: Connection) -> None:
    """A door is as volatile as its rule: the API runs a stable one in a read-only transaction."""
    rows = db.execute(
        """
        select door.proname, door.provolatile, rule.provolatile
        from pg_proc as door
        join pg_proc as rule
          on rule.proname = door.proname and rule.pronamespace <> door.pronamespace
        where door.pronamespace = 'public'::regnamespace
          and rule.pronamespace = any(%s::text[]::regnamespace[])
          and door.provolatile <> rule.provolatile
        """,
        (DOMAINS,),
    ).fetchall()
    assert rows == []


def test_public_may_execute_nothing(db: Connection) -> None:
    open_to_all = f"""
    {FUNCTIONS}
      and exists (
        select
        from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as a
        where a.grantee = 0
      )
    """
    assert qualified(db, open_to_all) == []


def grants_of(statement: Statement) -> set[tuple[str, str]]:
    """(role, privilege) of one `grant … on … to …`, columns left out."""
    words = [token.name for token in statement.tokens]
    depth = 0
    privileges: list[str] = []
    for word in words[1 : words.index("on")]:
        depth += {"(": 1, ")": -1}.get(word, 0)
        if depth == 0 and word not in (",", ")"):
            privileges.append(word)
    roles = [word for word in words[len(words) - words[::-1].index("to") :] if word != ","]
    return {(role, privilege) for role in roles for privilege in privileges}


def granted_in_files() -> set[tuple[str, str, str]]:
    """Every (object, role, privilege) that code files and migrations grant on functions and
    relations."""
    statements = [
        action.statement for file in TREE.code for action in file.actions if action.verb == "grant"
    ] + [
        part
        for migration in TREE.migrations
        for part in migration.statements
        if part.words("grant") and not part.words("usage", "on", "schema", at=1)
    ]
    return {
        (f"{target.schema}.{target.name}", role, privilege)
        for statement in statements
        for target in [read(statement).target]
        if target.schema in SCHEMAS
        for role, privilege in grants_of(statement)
    }


GRANTED = """
select p.oid::regproc::text, a.grantee::regrole::text, lower(a.privilege_type)
from pg_proc as p, aclexplode(p.proacl) as a
where p.pronamespace = any(%(schemas)s::text[]::regnamespace[])
  and a.grantee = any(%(roles)s::text[]::regrole[])
  and not exists (select from pg_depend as d where d.objid = p.oid and d.deptype = 'e')
union
select c.oid::regclass::text, a.grantee::regrole::text, lower(a.privilege_type)
from pg_class as c, aclexplode(c.relacl) as a
where c.relnamespace = any(%(schemas)s::text[]::regnamespace[])
  and a.grantee = any(%(roles)s::text[]::regrole[])
union
select c.oid::regclass::text, a.grantee::regrole::text, lower(a.privilege_type)
from pg_attribute as t
join pg_class as c on c.oid = t.attrelid
cross join aclexplode(t.attacl) as a
where c.relnamespace = any(%(schemas)s::text[]::regnamespace[])
  and a.grantee = any(%(roles)s::text[]::regrole[])
"""


def test_clients_have_exactly_the_rights_that_files_grant(db: Connection) -> None:
    db.execute("set local search_path = ''")
    held = set(db.execute(GRANTED, {"schemas": SCHEMAS, "roles": [*CLIENTS, AUTH]}).fetchall())

    assert held == granted_in_files()


def test_clients_may_create_nothing(db: Connection) -> None:
    rows = db.execute(
        """
        select n.nspname, r.rolname
        from pg_namespace as n, pg_roles as r
        where r.rolname = any(%s)
          and n.nspname = any(%s)
          and has_schema_privilege(r.oid, n.oid, 'create')
        """,
        (CLIENTS, [*SCHEMAS, "deploy", "procrastinate", "supabase_migrations"]),
    ).fetchall()
    assert rows == []


@pytest.mark.parametrize("schema", ["deploy", "procrastinate"])
def test_clients_cannot_enter_the_tool_schemas(schema: str, db: Connection) -> None:
    rows = db.execute(
        "select r from unnest(%s::text[]) as r where has_schema_privilege(r, %s, 'usage')",
        (CLIENTS, schema),
    ).fetchall()
    assert rows == []


def test_every_file_takes_all_rights_before_it_grants(db: Connection) -> None:
    """Otherwise a right taken out of a file would stay, and older projects would keep theirs."""
    careless: list[str] = []
    for file in TREE.code:
        made = [t for t in file.defines if t.kind in (FUNCTION, VIEW)]
        for target in made + list(policy_tables(file) if file.kind == POLICY else ()):
            if target.schema == "realtime":  # Supabase's own table: the grants on it are Supabase's
                continue
            revoked = {
                word
                for action in file.actions
                if action.verb == "revoke"
                and (action.target.schema, action.target.name) == (target.schema, target.name)
                and action.statement.words("all", "on", at=1)
                for word in [token.name for token in action.statement.tokens]
            }
            if not revoked >= {"public", *CLIENTS}:
                careless.append(f"{file.path}: revoke all on {target} from public, all three roles")
    assert careless == []


TABLES = """
select c.oid::regclass::text
from pg_class as c
where c.relnamespace = any(%s::text[]::regnamespace[])
  and c.relkind in ('r', 'p')
  and not c.relispartition
"""


def test_every_table_has_row_level_security(db: Connection) -> None:
    """Partitions too: they can be read by their own name."""
    partitions = TABLES.replace("and not c.relispartition", "")

    assert qualified(db, f"{partitions} and not c.relrowsecurity") == []


def test_every_table_has_exactly_one_policy_file(db: Connection) -> None:
    homes = [
        f"{table.schema}.{table.name}"
        for file in TREE.code
        if file.kind == POLICY and file.domain in DOMAINS
        for table in policy_tables(file)
    ]
    assert Counter(qualified(db, TABLES)) == Counter(homes)


def test_every_policy_is_in_its_file_and_names_its_roles(db: Connection) -> None:
    policies = """
    select format('%%I on %%s', p.polname, p.polrelid::regclass)
    from pg_policy as p
    join pg_class as c on c.oid = p.polrelid
    where c.relnamespace = any(%s::text[]::regnamespace[])
    """
    declared = {
        f"{target.name} on {target.schema}.{target.table}"
        for file in TREE.code
        for target in file.defines
        if target.kind == POLICY and target.schema in SCHEMAS
    }
    assert set(qualified(db, policies)) == declared
    assert qualified(db, f"{policies} and 0::oid = any(p.polroles)") == []


def test_views_run_with_the_rights_of_their_reader(db: Connection) -> None:
    owners = """
    select c.oid::regclass::text
    from pg_class as c
    where c.relnamespace = any(%s::text[]::regnamespace[])
      and c.relkind = 'v'
      and not coalesce(c.reloptions @> array['security_invoker=true'], false)
    """
    assert qualified(db, owners) == []


@pytest.mark.parametrize(
    "query",
    [
        "select p.oid::regprocedure::text from pg_proc as p"
        " where p.pronamespace = 'public'::regnamespace"
        " and obj_description(p.oid, 'pg_proc') is null",
        "select c.oid::regclass::text from pg_class as c"
        " where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')"
        " and obj_description(c.oid, 'pg_class') is null",
        "select t.oid::regtype::text from pg_type as t"
        " left join pg_class as c on c.oid = t.typrelid"
        " where t.typnamespace = 'public'::regnamespace"
        " and (t.typtype in ('e', 'd') or c.relkind = 'c')"
        " and obj_description(t.oid, 'pg_type') is null",
    ],
    ids=["functions", "tables and views", "types"],
)
def test_whatever_clients_see_has_a_comment(query: str, db: Connection) -> None:
    assert column(db, query) == []


def test_every_column_and_attribute_that_clients_see_is_explained(db: Connection) -> None:
    """One of a view that is a table's own counts as explained where the table is."""
    found = shapes.read(db)
    assert [
        f"comment on column public.{each.name}.{column.name}"
        for each in (*found.relations, *found.composites)
        for column in each.columns
        if not column.meaning
    ] == []


def test_every_foreign_key_has_a_covering_index(db: Connection) -> None:
    """Without one, each delete or key change of the parent reads the whole child table."""
    uncovered = """
    select format('%%s.%%s', k.conrelid::regclass, k.conname)
    from pg_constraint as k
    where k.contype = 'f'
      and k.connamespace = any(%s::text[]::regnamespace[])
      and k.conparentid = 0
      and not exists (
        select
        from pg_index as i
        where i.indrelid = k.conrelid
          and i.indisvalid
          and (i.indkey::int2[])[0:array_length(k.conkey, 1) - 1] @> k.conkey
      )
    """
    assert sorted(qualified(db, uncovered)) == sorted(UNINDEXED)


def test_code_files_name_only_tables_that_exist(db: Connection) -> None:
    """A grant on a table that a later migration renamed would fail the next fresh deploy."""
    named = {
        f"{action.target.schema}.{action.target.name}"
        for file in TREE.code
        for action in file.actions
        if action.target.kind == TABLE and file.domain in DOMAINS
    }
    db.execute("set local search_path = ''")
    missing = "select n from unnest(%s::text[]) as n where to_regclass(n) is null"
    assert column(db, missing, sorted(named)) == []
