"""docs/reference/access.md beside what really happens: every role tries every verb and function."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from procrastinate_app.deploy import access, reference
from tests.support.callers import Connection
from tests.support.databases import FreshDatabase, superuser_url
from tests.support.doors import call_positional, functions
from tests.support.world import outcome

NOBODY = "member_of_nothing"


@pytest.fixture
def superuser(fresh_db: FreshDatabase) -> Iterator[Connection]:
    """Whoever may become every role, on a database of its own."""
    with psycopg.connect(superuser_url(fresh_db.server, fresh_db.name)) as conn:
        yield conn


def becoming(conn: Connection, role: str) -> None:
    """PUBLIC is tried as a role that is member of nothing."""
    if role == access.PUBLIC:
        conn.execute(sql.SQL("create role {}").format(sql.Identifier(NOBODY)))
    name = NOBODY if role == access.PUBLIC else role
    conn.execute("select set_config('role', %s, true)", [name])


def is_denied(conn: Connection, statement: str) -> bool:
    """Whether the right itself is missing; what a policy refuses reads otherwise."""
    refusal = outcome(conn, conn.execute, statement)
    return refusal is not None and refusal.message.startswith(("permission denied", "must be"))


COLUMNS = """
select quote_ident(attname)
from pg_attribute
where attrelid = %s
  and attnum > 0
  and not attisdropped
  and attgenerated = ''
order by attidentity, attnum desc
"""


def tries(relation: access.Relation, role: str, columns: list[str]) -> Iterator[tuple[str, bool]]:
    """Statements, and whether the page says that the role may."""
    rights = relation.rights[role]
    by_column = {
        verb: set(re.findall(r"[^ ,()]+", rest))
        for verb, _, rest in (right.partition(" ") for right in rights)
        if rest
    }
    forms = {
        "select": "select {} from {} limit 1",
        "insert": "insert into {1} ({0}) values (default)",
        "update": "update {1} set {0} = default where true",
    }
    for verb, form in forms.items():
        for column in columns if verb in by_column else columns[:1]:
            may = verb in rights or column in by_column.get(verb, ())
            yield form.format(column, relation.name), may
    yield f"delete from {relation.name} where true", "delete" in rights
    if relation.kind != "v":
        yield f"truncate {relation.name} cascade", "truncate" in rights


def wrong_claims(conn: Connection) -> list[tuple[str, str, bool]]:
    """Where what happens is not what the page says: role, statement, what it says."""
    found = access.read(conn)
    wrong = []
    for role in found.roles:
        with conn.transaction(force_rollback=True):
            becoming(conn, role)
            for each in found.relations:
                if each.kind == "S":
                    continue
                entered = "usage" in found.schemas[each.name.split(".")[0]][role]
                columns = [str(row[0]) for row in conn.execute(COLUMNS, [each.oid])]
                for statement, says in tries(each, role, columns):
                    may = entered and says
                    # A view over a join cannot be written by anybody, which Postgres says first.
                    if each.kind == "v" and not statement.startswith("select") and not may:
                        continue
                    if is_denied(conn, statement) == may:
                        wrong.append((role, statement, may))
    return wrong


def test_every_role_can_do_with_every_table_what_the_page_says(superuser: Connection) -> None:
    """R1, R6, R37: select, insert, update, delete and truncate, tried for real."""
    assert wrong_claims(superuser) == []


def test_rights_to_single_columns_are_tried_column_by_column(superuser: Connection) -> None:
    """R5: and a page that left one out would be found wrong."""
    superuser.execute("grant update (prompt, transcript) on public.clips to authenticated")
    superuser.execute("grant insert (code) on public.languages to authenticated")
    superuser.execute("grant select (task) on jobs.dead_letters to service_role")
    assert wrong_claims(superuser) == []
    page = "\n".join(access.page(superuser))
    assert "update (prompt, transcript)" in page
    assert "insert (code)" in page


def test_every_role_executes_only_the_functions_the_page_names(superuser: Connection) -> None:
    """R25, R26: also the queue's and the deployer's, also by roles that are no clients."""
    found = access.read(superuser)
    by_oid = {each.oid: each for each in functions(superuser, *found.schemas)}
    assert len(by_oid) > 100
    wrong = []
    for role in found.roles:
        with superuser.transaction(force_rollback=True):
            becoming(superuser, role)
            for each in found.functions:
                entered = "usage" in found.schemas[each.schema][role]
                if (role in each.roles and entered) or each.oid not in by_oid:
                    continue
                refusal = outcome(superuser, call_positional, superuser, by_oid[each.oid])
                if refusal is None or not refusal.message.startswith("permission denied"):
                    wrong.append((role, each.signature, refusal))
    assert wrong == []


def test_nobody_but_clients_and_the_sign_in_hook_holds_anything(db: Connection) -> None:
    """R26, R53: PUBLIC may look into the schema public, where it finds nothing."""
    found = access.read(db)
    assert found.roles == (access.PUBLIC, *access.ROLES)
    for role in (access.PUBLIC, "authenticator"):
        held = [each.name for each in found.relations if each.rights[role]]
        held += [each.signature for each in found.functions if role in each.roles]
        held += [name for name, rights in found.schemas.items() if "create" in rights[role]]
        assert held == [], role
        assert [name for name, rights in found.schemas.items() if rights[role]] == ["public"]


def test_the_page_would_show_a_right_given_by_mistake(db: Connection) -> None:
    """By table, by column, by membership, to everybody and to a role nobody thought of."""
    before = set(access.page(db))
    db.execute(
        """
        create role forgotten;
        create role behind;
        grant select on jobs.outbox to forgotten;
        grant update (status) on public.clips to authenticated;
        grant execute on function app.freeze_clock(timestamptz) to public;
        grant delete on public.votes to behind;
        grant behind to anon;
        """
    )
    shown = "\n".join(line for line in access.page(db) if line not in before)
    assert "`forgotten`" in shown
    assert "`behind`" in shown
    (outbox,) = (line for line in shown.split("\n") if line.startswith("| `jobs.outbox`"))
    assert "select" in outbox
    (clips,) = (line for line in shown.split("\n") if line.startswith("| `public.clips`"))
    assert "update (status)" in clips
    (clock,) = (line for line in shown.split("\n") if line.startswith("| `app.freeze_clock("))
    assert clock.count("execute") == len(access.ROLES) + 3
    assert "`anon` may become `behind`." in shown


def test_the_committed_page_is_what_the_database_says(db: Connection) -> None:
    """R26, R37: the matrix a reviewer reads is the one in force."""
    assert reference.pages(db)["access.md"] == reference.committed("access.md")


# Policies


def test_every_policy_helps_a_role_that_holds_the_right(db: Connection) -> None:
    """R1, R9: one without a grant behind it is a mistake in either."""
    found = access.read(db)
    rights = {each.name: each.rights for each in found.relations}
    idle = [
        (policy.table, policy.name, role)
        for policy in found.policies
        if policy.table in rights
        for role in policy.roles
        if not any(
            right.startswith(policy.verb) or policy.verb == "all"
            for right in rights[policy.table][role]
        )
    ]
    assert idle == []


def test_every_right_on_a_table_of_clients_is_cut_down_by_a_policy(db: Connection) -> None:
    """R1: a right without a policy shows nothing, which nobody can have wanted."""
    found = access.read(db)
    policies = {
        (policy.table, verb, role)
        for policy in found.policies
        for role in policy.roles
        for verb in (access.VERBS if policy.verb == "all" else (policy.verb,))
    }
    missing = [
        (each.name, role, right)
        for each in found.relations
        if each.kind in ("r", "p")
        for role in ("anon", "authenticated")
        for right in each.rights[role]
        if (each.name, right.split(" ")[0], role) not in policies
    ]
    assert missing == []


def test_no_policy_lets_a_row_be_written_to_somebody_else(db: Connection) -> None:
    """R5, R9: whoever may update must be held on the new row too."""
    found = access.read(db)
    assert [
        (policy.table, policy.name)
        for policy in found.policies
        if policy.verb in ("insert", "update", "all") and policy.check in (None, "true")
    ] == []
