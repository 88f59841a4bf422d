"""Recorded votes are read as they stand; what is wrong is named by file and line, or counted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from procrastinate_app.local.demo.crowd import Vote
from procrastinate_app.local.demo.files import FileRefused, Recorded, read_recorded

VOTES = "task,worker,label\nt1,ann,1\nt1,ben,0\nt2,ann,0\n"
TRUTH = "task,truth\nt1,1\nt2,0\n"

Read = Callable[..., Recorded]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read(votes: str | bytes = VOTES, truth: str | bytes = TRUTH) -> Recorded:
        for name, text in (("votes.csv", votes), ("truth.csv", truth)):
            (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
        return read_recorded(tmp_path / "votes.csv", tmp_path / "truth.csv")

    return read


def test_votes_keep_their_order(read: Read) -> None:
    recorded = read()
    assert recorded.votes == (
        Vote("t1", "ann", "valid"),
        Vote("t1", "ben", "invalid"),
        Vote("t2", "ann", "invalid"),
    )
    assert recorded.truth == {"t1": "valid", "t2": "invalid"}
    assert (recorded.tasks, recorded.workers) == (["t1", "t2"], ["ann", "ben"])
    assert (recorded.repeated, recorded.truth_missing, recorded.truth_unused) == (0, 0, 0)


@pytest.mark.parametrize(
    "votes",
    [
        "\ufeff" + VOTES,
        VOTES.replace("\n", "\r\n"),
        VOTES + "\n\n",
        "worker,note,label,task\nann,x,1,t1\nben,,0,t1\nann,,0,t2\n",
        'task,worker,label\n"t1",ann,1\nt1, ben ,0\nt2,ann,0',
    ],
    ids=["BOM", "CRLF", "empty lines at the end", "columns in another order", "quotes and blanks"],
)
def test_the_same_votes_written_otherwise(read: Read, votes: str) -> None:
    assert read(votes=votes).votes == read().votes


def test_a_repeated_vote_is_left_out_and_counted(read: Read) -> None:
    recorded = read(votes=VOTES + "t1,ann,0\nt1,ann,1\n")
    assert recorded.repeated == 2
    assert recorded.votes == read().votes


def test_a_missing_truth_is_counted(read: Read) -> None:
    assert read(truth="task,truth\nt1,1\n").truth_missing == 1


def test_a_truth_without_votes_is_counted(read: Read) -> None:
    assert read(truth=TRUTH + "t3,1\nt4,0\n").truth_unused == 2


@pytest.mark.parametrize(
    ("votes", "said"),
    [
        ("", "votes.csv: is empty; expected the header task,worker,label"),
        ("\n", "votes.csv: is empty"),
        ("task,worker,label\n", "votes.csv: has a header and no rows"),
        ("t1,ann,1\n", "votes.csv: the header has no task and no worker and no label"),
        ("task,worker\nt1,ann\n", "the header has no label; expected task,worker,label, found"),
        (VOTES + "t2,ben,2\n", "votes.csv, line 5: label '2' is neither 0 nor 1"),
        (VOTES + "t2,ben,\n", "votes.csv, line 5: each of task,worker,label needs 1 to 200"),
        (VOTES + "t2,ben\n", "votes.csv, line 5: 2 values, expected 3"),
        (VOTES + "t2,ben,1,1\n", "votes.csv, line 5: 4 values, expected 3"),
        (VOTES + "t2," + "b" * 201 + ",1\n", "votes.csv, line 5: each of"),
        (VOTES + 't2,"ben,1\n', "votes.csv: is not CSV"),
        (b"task,worker,label\nt1,\xff\xfe,1\n", "votes.csv: is not UTF-8"),
        ("task,worker,label\nt9,ann,1\n", "truth.csv: tells the truth of none of the tasks"),
    ],
)
def test_votes_that_cannot_be_played(read: Read, votes: str | bytes, said: str) -> None:
    with pytest.raises(FileRefused) as refused:
        read(votes=votes)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("truth", "said"),
    [
        ("", "truth.csv: is empty; expected the header task,truth"),
        ("task,label\nt1,1\n", "the header has no truth; expected task,truth, found task,label"),
        ("task,truth\nt1,yes\n", "truth.csv, line 2: label 'yes' is neither 0 nor 1"),
        (TRUTH + "t1,0\n", "truth.csv, line 4: task t1 has another truth further up"),
    ],
)
def test_truth_that_cannot_be_used(read: Read, truth: str, said: str) -> None:
    with pytest.raises(FileRefused) as refused:
        read(truth=truth)
    assert said in str(refused.value)


def test_the_same_truth_twice_is_one(read: Read) -> None:
    assert read(truth=TRUTH + "t1,1\n").truth == read().truth


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match=r"none\.csv: No such file or directory"):
        read_recorded(tmp_path / "none.csv", tmp_path / "none.csv")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match="Is a directory"):
        read_recorded(tmp_path, tmp_path)
