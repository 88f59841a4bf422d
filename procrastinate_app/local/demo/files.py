"""Recorded votes from CSV files: `task,worker,label` and `task,truth`, labels 0 and 1, UTF-8."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from procrastinate_app.local.demo.crowd import Label, Vote
from procrastinate_app.local.errors import LocalError

LABELS: dict[str, Label] = {"1": "valid", "0": "invalid"}
LONGEST = 200


class FileRefused(LocalError):
    """A file cannot be played; the message names the file and line and says what is wrong."""


@dataclass(frozen=True)
class Recorded:
    """Votes in file order, one per task and worker, and the truth as far as it is known.

    repeated: further votes of a worker on the same task, left out. truth_missing: voted tasks
    without a truth. truth_unused: tasks with a truth that nobody voted on.
    """

    votes: tuple[Vote, ...]
    truth: dict[str, Label]
    repeated: int
    truth_missing: int
    truth_unused: int

    @property
    def tasks(self) -> list[str]:
        return list(dict.fromkeys(vote.task for vote in self.votes))

    @property
    def workers(self) -> list[str]:
        return list(dict.fromkeys(vote.worker for vote in self.votes))


def read_recorded(votes_file: Path, truth_file: Path) -> Recorded:
    """Read both files. Raises FileRefused."""
    votes, repeated = _read_votes(votes_file)
    truth = _read_truth(truth_file)
    voted = {vote.task for vote in votes}
    if not voted & truth.keys():
        raise FileRefused(f"{truth_file}: tells the truth of none of the tasks in {votes_file}")
    return Recorded(
        votes=tuple(votes),
        truth=truth,
        repeated=repeated,
        truth_missing=len(voted - truth.keys()),
        truth_unused=len(truth.keys() - voted),
    )


def _read_votes(path: Path) -> tuple[list[Vote], int]:
    votes: dict[tuple[str, str], Vote] = {}
    repeated = 0
    for line, (task, worker, label) in _rows(path, ("task", "worker", "label")):
        if (task, worker) in votes:
            repeated += 1
            continue
        votes[task, worker] = Vote(task, worker, _label(path, line, label))
    return list(votes.values()), repeated


def _read_truth(path: Path) -> dict[str, Label]:
    truth: dict[str, Label] = {}
    for line, (task, told) in _rows(path, ("task", "truth")):
        label = _label(path, line, told)
        if truth.setdefault(task, label) != label:
            raise FileRefused(f"{path}, line {line}: task {task} has another truth further up")
    return truth


def _label(path: Path, line: int, label: str) -> Label:
    if label not in LABELS:
        raise FileRefused(f"{path}, line {line}: label {label!r} is neither 0 nor 1")
    return LABELS[label]


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, list[str]]]:
    """The named columns of each row with its line number; other columns are passed over."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, [])]
            if not header:
                raise FileRefused(f"{path}: is empty; expected the header {','.join(columns)}")
            missing = [name for name in columns if name not in header]
            if missing:
                raise FileRefused(
                    f"{path}: the header has no {' and no '.join(missing)}; "
                    f"expected {','.join(columns)}, found {','.join(header)[:LONGEST]}"
                )
            places = [header.index(name) for name in columns]
            rows = 0
            for row in reader:
                if not row:
                    continue
                if len(row) != len(header):
                    raise FileRefused(
                        f"{path}, line {reader.line_num}: {len(row)} values, expected {len(header)}"
                    )
                values = [row[place].strip() for place in places]
                if not all(values) or max(map(len, values)) > LONGEST or "\0" in "".join(values):
                    raise FileRefused(
                        f"{path}, line {reader.line_num}: "
                        f"each of {','.join(columns)} needs 1 to {LONGEST} characters"
                    )
                rows += 1
                yield reader.line_num, values
            if not rows:
                raise FileRefused(f"{path}: has a header and no rows")
    except OSError as error:
        raise FileRefused(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise FileRefused(f"{path}: is not UTF-8 ({error.reason})") from error
    except csv.Error as error:
        raise FileRefused(f"{path}: is not CSV ({error})") from error
