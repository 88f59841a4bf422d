"""What clients import: held against the database, and against what doors really answer."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from psycopg import sql
from pydantic import BaseModel, ValidationError

from procrastinate_app.deploy import client_types, shapes
from procrastinate_app.local import supabase_cli
from tests.support.callers import Connection, as_user
from tests.support.databases import FreshDatabase
from tests.support.doors import Function, doors, json_body
from tests.support.people import make_admin
from tests.support.world import World, make_world, plain


@pytest.fixture(scope="module")
def models() -> Iterator[ModuleType]:
    """examples/database_models.py as it is committed."""
    spec = importlib.util.spec_from_file_location("database_models", client_types.MODELS)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["database_models"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["database_models"]


@pytest.fixture
def world(db: Connection) -> World:
    return make_world(db)


def test_the_committed_models_are_what_the_database_says(db: Connection) -> None:
    """OPS-7"""
    assert client_types.models(shapes.read(db)) == client_types.MODELS.read_text("utf-8")


@pytest.mark.skipif(supabase_cli.find_cli() is None, reason="no Supabase CLI for this platform")
def test_the_committed_types_are_what_supabase_gives(fresh_db: FreshDatabase) -> None:
    """OPS-7: whatever the version of Postgres."""
    text = client_types.TYPESCRIPT.read_text("utf-8")
    assert client_types.typescript(fresh_db.url) == text
    with fresh_db.connect() as conn:
        for door in doors(conn):
            assert re.search(rf"^      {door.name}: \{{", text, re.MULTILINE), door.name


def answer(conn: Connection, door: Function, arguments: dict[str, Any], is_set: bool) -> Any:
    """What the API sends: an array for a set, else one value."""
    record = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(str(each.name)), sql.SQL(each.type))
        for each in door.arguments
    )
    given = sql.SQL(", ").join(
        sql.SQL("{0} => a.{0}").format(sql.Identifier(name)) for name in arguments
    )
    source = (
        sql.SQL("json_to_record({}::json) as a ({}),").format(
            sql.Literal(json_body(arguments)), record
        )
        if arguments
        else sql.SQL("")
    )
    rows = conn.execute(
        sql.SQL("select to_jsonb(d) from {} lateral {}({}) as d").format(
            source, sql.Identifier("public", door.name), given
        )
    ).fetchall()
    return [row[0] for row in rows] if is_set else rows[0][0]


def test_every_door_answers_what_its_model_says(
    db: Connection, world: World, models: ModuleType
) -> None:
    """OPS-7: called for real; a null where the model has none would be refused."""
    found = {door.name: door for door in shapes.read(db).doors}
    read = 0
    for door in doors(db):
        name = "".join(part.capitalize() for part in door.name.split("_"))
        call = getattr(models, f"{name}Call")
        shape = found[door.name]
        caller = world.author if door.name == "wallet_statement" else world.admin
        with db.transaction(force_rollback=True), as_user(db, caller):
            arguments = plain(door, world, caller)
            made = call.model_validate(arguments)
            assert made.arguments().keys() == arguments.keys()
            if shape.returns == "void":
                continue
            data = answer(db, door, made.arguments(), shape.is_set)
            read += bool(made.read(data))
    assert read > 10


def test_every_row_is_what_its_model_says(db: Connection, world: World, models: ModuleType) -> None:
    """OPS-7: columns, types and nulls of tables and views, read by whoever sees most of them."""
    read = 0
    for relation in shapes.read(db).relations:
        name = "".join(part.capitalize() for part in relation.name.split("_"))
        model = getattr(models, f"{name}Row")
        caller = world.author if relation.name == "wallets" else world.admin
        with as_user(db, caller):
            rows = db.execute(
                sql.SQL("select to_jsonb(t) from {} as t").format(
                    sql.Identifier("public", relation.name)
                )
            ).fetchall()
        for (row,) in rows:
            assert row.keys() == {field.alias or at for at, field in model.model_fields.items()}
            model.model_validate(row)
            read += 1
    assert read > 20


def test_a_null_where_there_is_none_is_refused(models: ModuleType) -> None:
    outcome = {
        "clip_id": "00000000-0000-7000-8000-000000000001",
        "label": "valid",
        "status": "pending",
        "is_decided": False,
        "votes": 1,
        "votes_needed": 1,
        "version": 1,
    }
    call = models.CastVoteCall(clip_id=outcome["clip_id"], label="valid")
    assert call.arguments() == {"clip_id": outcome["clip_id"], "label": "valid"}
    assert call.read({**outcome, "added_later": 1}).votes == 1
    for changed in ({"votes": None}, {"status": "unknown"}, {"clip_id": "x"}):
        with pytest.raises(ValidationError):
            call.read({**outcome, **changed})
    with pytest.raises(ValidationError):
        models.CastVoteCall(clip_id=outcome["clip_id"], lable="valid")


def test_names_that_python_keeps_for_itself_get_an_alias(db: Connection) -> None:
    """Arguments such as `from` and `copy` arrive under their own name."""
    db.execute(
        """
        create type public.odd_answer as ("from" text, copies integer[]);
        create function public.odd_door("from" text, copy date default null)
        returns setof public.odd_answer language sql as 'select ''a'', ''{1}''::integer[]';
        """
    )
    odd_models = ModuleType("odd_models")
    sys.modules["odd_models"] = odd_models
    try:
        exec(client_types.models(shapes.read(db)), odd_models.__dict__)
        call = odd_models.OddDoorCall
        assert issubclass(call, BaseModel)
        assert call(**{"from": "x"}).arguments() == {"from": "x"}
        made = call(from_="x", copy_="2030-01-01")
        assert made.arguments() == {"from": "x", "copy": "2030-01-01"}
        assert [row.from_ for row in made.read([{"from": "a", "copies": [1]}])] == ["a"]
    finally:
        del sys.modules["odd_models"]


def test_a_type_without_a_counterpart_is_said_plainly(db: Connection) -> None:
    db.execute("create type public.odd as (place point)")
    with pytest.raises(client_types.NoType, match="point"):
        client_types.models(shapes.read(db))


def test_what_is_computed_in_a_view_may_be_null(db: Connection) -> None:
    """And so may everything behind an outer join; a comment may say that it is not."""
    make_admin(db)
    db.execute(
        """
        create view public.inner_view as
        select p.id, p.bio || 'x' as longer, p.bio || 'y' as said from public.profiles as p;
        comment on column public.inner_view.said is 'Always there.';
        create view public.outer_view as
        select p.id from public.clips as c left join public.profiles as p on p.id = c.author_id;
        """
    )
    views = {each.name: each for each in shapes.read(db).relations}
    assert [each.may_be_null for each in views["inner_view"].columns] == [False, True, False]
    assert views["inner_view"].columns[0].meaning == "The user id of Supabase Auth."
    assert [each.may_be_null for each in views["outer_view"].columns] == [True]
