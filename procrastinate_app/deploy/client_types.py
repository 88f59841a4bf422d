"""Typed clients: `examples/database.types.ts` and `examples/database_models.py`.

The first is what `supabase gen types` gives, in Supabase's own layout; the second is written here
from the catalogue: enums, rows, types, and each door with its arguments and its answer.
"""

from __future__ import annotations

import json
import keyword
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from procrastinate_app.deploy import shapes
from procrastinate_app.local import supabase_cli
from procrastinate_app.local.node import PACKAGES, find_node
from procrastinate_app.project import PROJECT_ROOT

EXAMPLES = PROJECT_ROOT / "examples"
TYPESCRIPT = EXAMPLES / "database.types.ts"
MODELS = EXAMPLES / "database_models.py"

WIDTH = 100

PYTHON = {
    "bigint": "int",
    "boolean": "bool",
    "bytea": "bytes",
    "date": "date",
    "double precision": "float",
    "integer": "int",
    "json": "Any",
    "jsonb": "Any",
    "numeric": "Decimal",
    "real": "float",
    "smallint": "int",
    "text": "str",
    "timestamp with time zone": "datetime",
    "uuid": "UUID",
    "void": "None",
}

# What pydantic and the base class of the doors call their own.
RESERVED = {"answer", "arguments", "copy", "door", "json", "read", "schema", "validate"}

HEAD = '''"""What clients see of the database, for pydantic: enums, rows, types and doors.

Written by `hub types write`; not to be edited. A door is called by its arguments:

    call = CastVoteCall(clip_id=clip_id, label="valid")
    outcome = call.read(supabase.rpc(call.door, call.arguments()).execute().data)
"""

from __future__ import annotations

'''

BASES = '''
Answer = TypeVar("Answer")


class Row(BaseModel):
    """A row as the API sends it. Columns that a later release adds are passed over."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)


class Door(BaseModel, Generic[Answer]):
    """One call of a door: its arguments, and how its answer is read."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    door: ClassVar[str]
    answer: ClassVar[Any]

    def arguments(self) -> dict[str, Any]:
        """What was given, as JSON; what was left out keeps the door's default."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    def read(self, data: Any) -> Answer:
        """The answer, checked."""
        answer: Answer = TypeAdapter(self.answer).validate_python(data)
        return answer
'''


class NoType(Exception):
    """A type of the database has no counterpart here yet; the message names it."""


def typescript(database_url: str) -> str:
    """`supabase gen types typescript`, laid out as Supabase's own pages do."""
    said = supabase_cli.run(
        "gen", "types", "--lang=typescript", "--schema=public", database_url=database_url
    )
    done = subprocess.run(
        [find_node(), PACKAGES / "prettier/bin/prettier.cjs", "--parser=typescript", "--no-semi"],
        input=said,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def models(found: shapes.Shapes) -> str:
    """The Python module."""
    known = {each.name: _camel(each.name) for each in found.enums}
    known |= {each.name: _camel(each.name) for each in found.composites}
    known |= {each.name: f"{_camel(each.name)}Row" for each in found.relations}
    body = [
        *(line for enum in found.enums for line in _enum(enum)),
        *BASES.rstrip().split("\n"),
        *(line for type_ in _in_order(found.composites) for line in _composite(type_, known)),
        *(line for relation in found.relations for line in _relation(relation, known)),
        *(line for door in found.doors for line in _door(door, known)),
    ]
    text = "\n".join(body)
    return HEAD + _imports(text) + "\n" + text.rstrip() + "\n"


def _imports(text: str) -> str:
    """Only what the body uses, as ruff sorts it."""
    times = [name for name in ("date", "datetime") if re.search(rf"[:\[] ?{name}\b", text)]
    lines = [f"from datetime import {', '.join(times)}"] if times else []
    lines += ["from decimal import Decimal"] if "Decimal" in text else []
    lines.append("from typing import Any, ClassVar, Generic, Literal, TypeVar")
    lines += ["from uuid import UUID"] if "UUID" in text else []
    field = ", Field" if "Field(" in text else ""
    lines += ["", f"from pydantic import BaseModel, ConfigDict{field}, TypeAdapter"]
    return "\n".join(lines) + "\n"


def _enum(enum: shapes.Enum) -> Iterator[str]:
    labels = ", ".join(json.dumps(label) for label in enum.labels)
    line = f"{_camel(enum.name)} = Literal[{labels}]"
    if len(line) <= WIDTH:
        yield line
    else:
        yield f"{_camel(enum.name)} = Literal["
        yield from (f"    {json.dumps(label)}," for label in enum.labels)
        yield "]"
    yield _docstring(enum.meaning, "")


def _in_order(composites: Iterable[shapes.Composite]) -> list[shapes.Composite]:
    """Types after those they are made of, so that pydantic knows them."""
    waiting = {each.name: each for each in composites}
    done: list[shapes.Composite] = []
    while waiting:
        ready = [
            each
            for each in waiting.values()
            if not any(
                column.type.removesuffix("[]") in waiting and column.type != each.name
                for column in each.columns
            )
        ]
        done += ready
        for each in ready:
            del waiting[each.name]
    return done


def _composite(type_: shapes.Composite, known: dict[str, str]) -> Iterator[str]:
    yield from _class(f"{_camel(type_.name)}(Row)", type_.meaning)
    yield from _columns(type_.columns, known)


def _relation(relation: shapes.Relation, known: dict[str, str]) -> Iterator[str]:
    yield from _class(f"{_camel(relation.name)}Row(Row)", relation.meaning)
    yield from _columns(relation.columns, known)


def _door(door: shapes.Door, known: dict[str, str]) -> Iterator[str]:
    name = _camel(door.name)
    if door.columns:
        answer = f"{name}Row"
        yield from _class(f"{answer}(Row)", f"One row of what {door.name}() answers.")
        yield from _columns(door.columns, known)
    else:
        answer = _python(door.returns, known)
    answer = f"list[{answer}]" if door.is_set else answer
    yield from _class(f"{name}Call(Door[{answer}])", door.meaning)
    yield f'    door: ClassVar[str] = "{door.name}"'
    yield f"    answer: ClassVar[Any] = {answer}"
    needed = [each for each in door.arguments if each.default is None]
    given = [each for each in door.arguments if each.default is not None]
    if door.arguments:
        yield ""
    for argument in needed:
        yield from _field(argument.name, _python(argument.type, known), "")
    for argument in given:
        yield from _field(argument.name, f"{_python(argument.type, known)} | None", "None")


def _class(line: str, meaning: str) -> Iterator[str]:
    yield from ("", "", f"class {line}:", _docstring(meaning, "    "), "")


def _columns(columns: Iterable[shapes.Column], known: dict[str, str]) -> Iterator[str]:
    for column in columns:
        type_ = _python(column.type, known)
        yield from _field(column.name, f"{type_} | None" if column.may_be_null else type_, "")
        if column.meaning:
            yield _docstring(column.meaning, "    ")


def _field(name: str, type_: str, default: str) -> Iterator[str]:
    """A name that Python or pydantic keeps for itself gets an underscore and an alias."""
    if keyword.iskeyword(name) or name in RESERVED or name.startswith("model_"):
        alias = f"alias={json.dumps(name)}"
        yield f"    {name}_: {type_} = Field({f'{default}, ' if default else ''}{alias})"
    else:
        yield f"    {name}: {type_}{f' = {default}' if default else ''}"


def _python(type_: str, known: dict[str, str]) -> str:
    if type_.endswith("[]"):
        return f"list[{_python(type_[:-2], known)}]"
    if type_ in known:
        return known[type_]
    if type_ not in PYTHON:
        raise NoType(f"what is {type_} in Python? Say it in {Path(__file__).name}")
    return PYTHON[type_]


def _docstring(text: str, indent: str) -> str:
    """A docstring, broken at words where it is too long for a line."""
    words = " ".join(text.replace("\\", "\\\\").replace('"""', "'''").split()).split(" ")
    lines, line = [], f'{indent}"""'
    for word in words:
        if len(line) + len(word) + 4 > WIDTH:
            lines.append(line.rstrip())
            line = indent
        line += word + " "
    lines.append(line.rstrip())
    if len(lines) == 1:
        return f'{lines[0]}"""'
    return "\n".join([*lines, f'{indent}"""'])


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
