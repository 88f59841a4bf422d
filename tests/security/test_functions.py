"""Role by function: who may execute what, and that what is reachable cannot be turned around.

Numbers such as R25 are the attacks of docs/security.md.
"""

from __future__ import annotations

import re

import pytest

from tests.support.callers import Connection, as_user
from tests.support.doors import call_positional, domains, doors, functions
from tests.support.world import API_ROLES, World, executable, outcome

# What else than the rule behind a door clients may execute: the kernel, and what a view calls.
KERNEL = {
    "app.error_catalog",
    "app.fail",
    "app.is_staff",
    "app.now",
    "app.request_id",
    "app.user_id",
}
CALLED_BY_VIEWS = {"ledger.pending_amount"}
CALLED_AS_THE_CALLER = {"ledger.own_wallet_id"}
FOR_ADMIN_TOOLS = {"ledger.fund_reward_pool", "ledger.verify"}


def test_the_rule_behind_each_door_checks_its_caller_itself(db: Connection, world: World) -> None:
    """APP-1: the rule is granted too, so it must not rely on the door."""
    rules = [
        each
        for each in executable(db, "authenticated")
        if each.qualified not in KERNEL | CALLED_BY_VIEWS
    ]
    assert rules
    with as_user(db, None):
        for rule in rules:
            refusal = outcome(db, call_positional, db, rule)
            assert refusal is not None, rule.qualified
            assert refusal.code == "not_authenticated", rule.qualified


@pytest.mark.parametrize("role", API_ROLES)
def test_a_function_that_is_not_granted_cannot_be_executed(
    db: Connection, world: World, role: str
) -> None:
    """R25, R26, R38: called for real, in every schema of ours and the queue's."""
    granted = {each.oid for each in executable(db, role)}
    closed = [each for each in functions(db, *domains(db)) if each.oid not in granted]
    assert len(closed) > 50
    open_after_all = []
    with as_user(db, world.admin, role=role):
        for function in closed:
            refusal = outcome(db, call_positional, db, function)
            if refusal is None or refusal.sqlstate != "42501":
                open_after_all.append((function.qualified, refusal and refusal.sqlstate))
    assert open_after_all == []


def test_clients_may_execute_the_rules_behind_doors_and_the_kernel_only(db: Connection) -> None:
    """R26: what else is granted is named at the top of this file."""
    named = {door.name for door in doors(db)}
    extra = {each.qualified for each in executable(db, "authenticated") if each.name not in named}
    assert extra == KERNEL | CALLED_BY_VIEWS | CALLED_AS_THE_CALLER
    assert {each.qualified for each in executable(db, "anon")} == KERNEL
    assert {each.qualified for each in executable(db, "service_role")} == KERNEL | FOR_ADMIN_TOOLS


def test_no_reachable_function_builds_sql_out_of_text(db: Connection) -> None:
    """R23, R28: no execute, no query_to_xml, in whatever a client may execute."""
    builds = re.compile(
        r"\bexecute\b(?!\s+function)|query_to_xml|cursor_to_xml|\bdblink|set_config\(\s*'role'|"
        r"\bset\s+(local\s+)?role\b",
        re.IGNORECASE,
    )
    reachable = [*doors(db), *executable(db, "authenticated"), *executable(db, "anon")]
    sources = {each.qualified: re.sub(r"--.*", "", each.source) for each in reachable}
    assert [name for name, source in sources.items() if builds.search(source)] == []
