"""A plan for people: one block for each transaction, then the tables, then one line."""

from __future__ import annotations

import textwrap
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC
from itertools import groupby
from pathlib import PurePosixPath

from procrastinate_app.deploy.plan_model import (
    File,
    Lock,
    Plan,
    Risk,
    Statement,
    Table,
    Transaction,
)
from procrastinate_app.deploy.plan_risk import count, size, use

_WIDTH = 110
_STATEMENT = 48
_LOOK = "ACCESS SHARE"
_HEADS = ("line", "statement", "lock", "on", "blocks", "work", "risk")


def lines(plan: Plan, *, everything: bool = False) -> list[str]:
    """What `hub plan` prints. `everything`: also each statement that locks no existing table."""
    where = plan.database
    said = [
        f"Plan for {where.name} on {where.host}:{where.port} as {where.user}, "
        f"Postgres {where.server}. Nothing was changed.",
        "",
    ]
    tables = {table.name: table for table in plan.tables}
    rows = {
        transaction.number: [
            (statement, _cells(statement, line, tables))
            for statement, line in _shown(transaction, everything=everything)
        ]
        for transaction in plan.transactions
    }
    cells = [_HEADS, *(row for found in rows.values() for _, row in found)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(_HEADS))]
    if any(rows.values()):
        said += [_row(_HEADS, widths), ""]
    for group in _runs(plan.transactions, everything=everything):
        if len(group) > 1:
            said += [*_quiet(group), ""]
        else:
            said += [*_transaction(group[0], rows[group[0].number], widths), ""]
    said += _tables(plan)
    said += _drops(plan)
    said.append(plan.summary.text)
    return said


def _row(cells: Iterable[str], widths: list[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
    return f"   {'  '.join(padded)}".rstrip()


def _runs(transactions: Iterable[Transaction], *, everything: bool) -> list[list[Transaction]]:
    """Transactions that lock nobody are told together with their neighbours of the same kind."""
    runs: list[list[Transaction]] = []
    for one in transactions:
        last = runs[-1][-1] if runs else None
        together = last and last.kind == one.kind and not (_locks(last) or _locks(one))
        if together and one.kind not in ("history", "queue") and not everything:
            runs[-1].append(one)
        else:
            runs.append([one])
    return runs


def _locks(transaction: Transaction) -> bool:
    return any(_taken(statement) for statement in transaction.statements)


def _quiet(group: list[Transaction]) -> list[str]:
    number = sum(len(one.statements) for one in group)
    said = [
        f"{group[0].number}-{group[-1].number}  {len(group)} files, each in a transaction of its "
        f"own, {_many(number, 'statement')}: lock no existing table"
    ]
    return said + [f"   {line}" for line in _why(file for one in group for file in one.files)]


def _transaction(
    transaction: Transaction,
    rows: list[tuple[Statement, tuple[str, ...]]],
    widths: list[int],
) -> list[str]:
    quiet = sum(1 for one in transaction.statements if not _taken(one))
    how = "in one transaction" if transaction.in_transaction else "outside a transaction"
    number = len(transaction.statements)
    none = ": no lock on an existing table" if quiet == number else ""
    said = [
        f"{transaction.number}  {_title(transaction)}, {_many(number, 'statement')} {how}{none}"
    ]
    if len(transaction.files) > 1:
        said += [f"   {line}" for line in _why(transaction.files)]
    for statement, cells in rows:
        said.append(_row(cells, widths))
        if statement.risk in ("medium", "high"):
            said += _wrapped("why", statement.reason)
            if statement.instead:
                said += _wrapped("instead", statement.instead)
    if 0 < quiet < number and len(rows) < number:
        said.append(f"   and {_many(quiet, 'statement')} without a lock on an existing table")
    return said


def _title(transaction: Transaction) -> str:
    """The file, and why it is applied."""
    why = {file.why for file in transaction.files} - {"pending"}
    one = len(transaction.files) == 1 and transaction.kind not in ("migration", "queue")
    return f"{transaction.title} ({why.pop()})" if one and why else transaction.title


def _shown(transaction: Transaction, *, everything: bool) -> list[tuple[Statement, str]]:
    if everything:
        return [(one, _line(one)) for one in transaction.statements]
    return _folded([one for one in transaction.statements if _taken(one)])


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _taken(statement: Statement) -> list[Lock]:
    """Looking at a table (ACCESS SHARE) waits only for who waits for nobody; it is left out."""
    return [lock for lock in statement.locks if lock.mode != _LOOK]


def _why(files: Iterable[File]) -> list[str]:
    """The files by reason and folder."""
    by_reason: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for file in files:
        path = PurePosixPath(file.path)
        by_reason[file.why][str(path.parent)].append(path.stem)
    said: list[str] = []
    for reason, folders in by_reason.items():
        listed = "; ".join(f"{folder}: {', '.join(names)}" for folder, names in folders.items())
        said += textwrap.wrap(
            f"{reason}  {listed}", _WIDTH - 4, subsequent_indent="  ", break_on_hyphens=False
        )
    return said


def _folded(shown: Iterable[Statement]) -> list[tuple[Statement, str]]:
    """Neighbours that do the same to the same tables, at once, share a line."""

    def alike(one: Statement) -> object:
        if one.scans or one.rewrites or one.risk == "high":
            return one.line, one.sql
        return one.file, one.locks, one.risk, one.reason

    found: list[tuple[Statement, str]] = []
    for _, group in groupby(shown, key=alike):
        first, *rest = group
        if not rest:
            found.append((first, _line(first)))
            continue
        numbers = [one.line for one in (first, *rest) if one.line is not None]
        line = f"{min(numbers)}-{max(numbers)}" if numbers else "-"
        room = _STATEMENT - len(f" and {len(rest)} more")
        what = first.what if len(first.what) <= room else f"{first.what[: room - 1]}…"
        found.append((first.model_copy(update={"what": f"{what} and {len(rest)} more"}), line))
    return found


def _line(statement: Statement) -> str:
    return "-" if statement.line is None else str(statement.line)


def _cells(statement: Statement, line: str, tables: Mapping[str, Table]) -> tuple[str, ...]:
    what = statement.what
    if len(what) > _STATEMENT:
        what = f"{what[: _STATEMENT - 1]}…"
    taken = _taken(statement)
    if not taken:
        return line, what, "-", "-", "nobody", "-", "none"
    work = "rewrite" if statement.rewrites else "full scan" if statement.scans else "instant"
    return line, what, taken[0].mode, _on(taken, tables), _blocks(taken), work, statement.risk


def _on(taken: list[Lock], tables: Mapping[str, Table]) -> str:
    """The tables of the strongest lock, and others that block somebody."""
    first = [lock for lock in taken if lock.mode == taken[0].mode]
    biggest = max(first, key=lambda lock: _bytes(lock, tables))
    text = table_with_size(biggest, tables)
    if len(first) > 1:
        text += f" +{len(first) - 1}"
    others = [lock for lock in taken if lock.mode != taken[0].mode and lock.blocks_writes]
    for lock in others[:1]:
        text += f"; {lock.mode} on {lock.table}" + (f" +{len(others) - 1}" * (len(others) > 1))
    return text


def _bytes(lock: Lock, tables: Mapping[str, Table]) -> float:
    if lock.table is None:
        return float("inf")
    return tables[lock.table].bytes if lock.table in tables else 0


def _blocks(taken: list[Lock]) -> str:
    if any(lock.blocks_reads for lock in taken):
        return "reads, writes"
    return "writes" if any(lock.blocks_writes for lock in taken) else "nobody"


def table_with_size(lock: Lock, tables: Mapping[str, Table]) -> str:
    """`public.votes (1.2 M rows, 210 MB)`; a view has neither."""
    if lock.table is None:
        return "unknown"
    table = tables.get(lock.table)
    if table is None or not table.bytes:
        return lock.table
    return f"{lock.table} ({count(table.rows)} rows, {size(table.bytes)})"


def _wrapped(head: str, text: str) -> list[str]:
    indent = " " * 6
    return textwrap.wrap(
        f"{head:<9}{text}",
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + " " * 9,
        break_on_hyphens=False,
    )


def _tables(plan: Plan) -> list[str]:
    """Everybody who is locked, with who uses it now."""
    locked: dict[str, None] = {}
    for transaction in plan.transactions:
        for statement in transaction.statements:
            locked.update({lock.table: None for lock in _taken(statement) if lock.table})
    rows = [
        (table.name, f"{count(table.rows)} rows", size(table.bytes), use(table))
        for table in plan.tables
        if table.name in locked
    ]
    if not rows:
        return []
    widths = [max(len(row[n]) for row in rows) for n in range(3)]
    holders = {table.name: table.holders for table in plan.tables}
    said = ["tables"]
    for name, rows_, bytes_, used in rows:
        padded = f"{name:<{widths[0]}}  {rows_:>{widths[1]}}  {bytes_:>{widths[2]}}  {used}"
        said.append(f"   {padded}")
        for holder in holders[name][:3]:
            who = f"{holder.user}, {holder.application or 'no name'}, {holder.state}"
            since = f"{holder.since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
            said.append(
                f"      held by pid {holder.pid} ({who}) since {since}: {holder.query[:60]}"
            )
    return [*said, ""]


def _drops(plan: Plan) -> list[str]:
    said: list[str] = []
    remade = [drop for drop in plan.summary.drops if _is_made_again(drop, plan)]
    gone = [drop for drop in plan.summary.drops if drop not in remade]
    if gone:
        said += ["dropped", *(f"   {drop}" for drop in gone), ""]
    if plan.forgotten:
        paths = ", ".join(plan.forgotten)
        text = f"no longer in the tree, forgotten by deploy; their objects stay: {paths}"
        said += [*textwrap.wrap(text, _WIDTH, subsequent_indent="   "), ""]
    return said


def _is_made_again(drop: str, plan: Plan) -> bool:
    """`drop policy if exists` before `create policy` is how a policy is replaced."""
    return any(
        statement.what == f"create {drop}"
        or statement.what.removeprefix("create or replace ") == drop
        for transaction in plan.transactions
        for statement in transaction.statements
    )


def summary_line(
    statements: int,
    transactions: int,
    strongest: Lock | None,
    rewrites: tuple[str, ...],
    tables: Mapping[str, Table],
    risk: Risk,
) -> str:
    """The whole plan in a line."""
    if not transactions:
        return "nothing to do"
    said = f"{_many(statements, 'statement')}, {_many(transactions, 'transaction')}, "
    if strongest is None:
        return said + "no lock on an existing table, no rewrite, risk none"
    said += f"strongest lock {strongest.mode} on {table_with_size(strongest, tables)}, "
    said += f"rewrites {', '.join(rewrites)}, " if rewrites else "no rewrite, "
    return said + f"risk {risk}"
