"""Contracts between rooms: tasks in SQL and Python, error codes in rules and catalogue."""

from __future__ import annotations

import inspect

from procrastinate_app.app import make_app
from procrastinate_app.deploy import graph
from procrastinate_app.deploy.lexer import STRING, flat_tokens
from procrastinate_app.deploy.tree import read_tree
from procrastinate_app.project import PROJECT_ROOT
from tests.support.databases import Connection

TREE = read_tree(PROJECT_ROOT)
FUNCTIONS = graph.functions(TREE.code)

# tasks that procrastinate registers itself
BUILT_IN = "builtin:"

# a log line, the same error once more, or our own mistake that no client can cause
HARMLESS = {"debug", "log", "info", "notice", "warning", ";", "internal_error"}


def registered_tasks() -> dict[str, list[str]]:
    """Every task of the app with the names of its arguments, in order."""
    tasks = make_app().tasks
    return {
        name: [
            argument.name
            for argument in inspect.signature(task.func).parameters.values()
            if not (task.pass_context and argument.name == "context")
        ]
        for name, task in tasks.items()
        if name == task.name and not name.startswith(BUILT_IN)
    }


def test_sql_and_python_know_the_same_tasks_with_the_same_arguments(db: Connection) -> None:
    """JOB-2: a job is stored by name; a misspelt one would fail only in the worker."""
    rows = db.execute("select task, arguments from jobs.task_catalog()").fetchall()

    assert registered_tasks() == dict(rows)


def test_every_task_deferred_in_sql_is_in_the_catalogue(db: Connection) -> None:
    """JOB-2: the first argument of jobs.defer() is written out."""
    known = {row[0] for row in db.execute("select task from jobs.task_catalog()")}
    deferred: set[str] = set()
    for file in TREE.code:
        tokens = [t for action in file.actions for t in flat_tokens(action.statement.text)]
        for at in range(len(tokens) - 4):
            call = [token.text for token in tokens[at : at + 4]]
            if call == ["jobs", ".", "defer", "("] and tokens[at + 4].kind == STRING:
                deferred.add(tokens[at + 4].text.strip("'"))
    assert deferred <= known


def test_every_code_that_fails_is_in_the_catalogue_and_the_other_way_round(
    db: Connection,
) -> None:
    """APP-3: codes are a promise to clients."""
    used = {code for function in FUNCTIONS.values() for code in function.codes}
    listed = {row[0] for row in db.execute("select code from app.error_catalog()")}

    assert used - listed == set()
    assert listed - used == set()


def test_codes_are_written_out_where_they_fail() -> None:
    """APP-3: a computed code could not be held against the catalogue."""
    assert [f.path for f in FUNCTIONS.values() if f.unread] == []


def test_every_code_has_a_message_and_a_status_that_clients_can_act_on(db: Connection) -> None:
    """APP-3"""
    rows = db.execute("select code, status, message from app.error_catalog()").fetchall()

    assert len({row[0] for row in rows}) == len(rows)
    assert [row for row in rows if row[1] not in (400, 401, 403, 404, 409, 422, 429)] == []
    assert [row for row in rows if not row[2]] == []


def test_nothing_but_app_fail_raises_to_clients() -> None:
    """APP-4: an exception raised elsewhere would leave as a plain 400 or 500."""
    raising: set[str] = set()
    for file in TREE.code:
        for action in file.actions:
            words = [token.text.lower() for token in flat_tokens(action.statement.text)]
            raising |= {
                file.path
                for at, word in enumerate(words[:-1])
                if word == "raise" and words[at + 1] not in HARMLESS
            }
    assert raising <= {"sql/app/fail.sql"}
