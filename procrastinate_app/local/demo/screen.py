"""What the demo shows while it works: a line per step, a bar while it lasts."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table

NARROWEST = 100
WORDS = 44


class Step:
    """One step under way."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task
        self.done = 0
        self.result = ""

    def advance(self, done: int = 1) -> None:
        self.done += done
        self._progress.update(self._task, completed=self.done)

    def reached(self, done: int) -> None:
        self.advance(max(0, done - self.done))

    def say(self, doing: str) -> None:
        """Tell what is being done just now, for those who watch."""
        if doing:
            self._progress.update(self._task, description=doing[:WORDS])


class Screen:
    """The terminal, or the file that stands in for it."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        if not self.console.is_terminal:
            self.console.width = max(NARROWEST, self.console.width)
        self.started = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    @contextmanager
    def step(self, doing: str, total: int | None = None) -> Iterator[Step]:
        """Show a bar while the block runs, and one line with its time when it is done."""
        bar = [TextColumn("  {task.description:<44}"), BarColumn()]
        counted = [MofNCompleteColumn()] if total else []
        started = time.monotonic()
        with Progress(
            *bar,
            *counted,
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        ) as progress:
            step = Step(progress, progress.add_task(doing, total=total))
            yield step
        took = time.monotonic() - started
        self.console.print(f"  {doing:<44} {took:6.1f} s  {step.result}".rstrip())

    def say(self, text: str = "") -> None:
        self.console.print(text, markup=False)

    def table(self, title: str, *columns: str, rows: Sequence[Sequence[object]]) -> None:
        """Print a table. A column whose name starts with > holds numbers."""
        table = Table(box=None)
        for column in columns:
            name = column.removeprefix(">")
            justify: Literal["left", "right"] = "left" if name == column else "right"
            table.add_column(name, justify=justify, header_style="dim")
        for row in rows:
            table.add_row(*(escape(str(value)) for value in row))
        self.console.print(f"\n[bold]{escape(title)}[/]")
        self.console.print(table)
