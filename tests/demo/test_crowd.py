"""The made-up crowd is the same for the same seed, as skilled as it says, and scored honestly."""

from __future__ import annotations

import subprocess
import sys

import pytest

from procrastinate_app.local.demo.crowd import Score, make_crowd, score

OPINIONS = """
from procrastinate_app.local.demo.crowd import make_crowd
crowd = make_crowd(seed=7, reviewers=3, clips=5)
print([[crowd.opinion(reviewer, task) for task in crowd.truth] for reviewer in crowd.reviewers])
"""


def test_same_seed_makes_the_same_crowd() -> None:
    assert make_crowd(seed=7, reviewers=12, clips=60) == make_crowd(seed=7, reviewers=12, clips=60)


def test_another_seed_makes_another_crowd() -> None:
    one, other = (make_crowd(seed=seed, reviewers=12, clips=60) for seed in (1, 2))
    assert one.truth != other.truth
    assert one.reviewers != other.reviewers


def test_opinions_do_not_depend_on_the_process() -> None:
    said = {
        subprocess.run(
            [sys.executable, "-c", OPINIONS], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    }
    assert len(said) == 1


def test_an_opinion_stays_the_same_however_often_it_is_asked() -> None:
    crowd = make_crowd(seed=7, reviewers=4, clips=10)
    asked = [(reviewer, task) for reviewer in crowd.reviewers for task in crowd.truth]
    forwards = {(reviewer, task): crowd.opinion(reviewer, task) for reviewer, task in asked}
    backwards = {(r, task): crowd.opinion(r, task) for r, task in reversed(asked)}
    assert forwards == backwards


def test_reviewers_are_right_as_often_as_their_skill_says() -> None:
    crowd = make_crowd(seed=7, reviewers=5, clips=2000)
    for reviewer in crowd.reviewers:
        right = sum(crowd.opinion(reviewer, task) == truth for task, truth in crowd.truth.items())
        assert right / 2000 == pytest.approx(reviewer.skill, abs=0.03)


def test_names_and_clips_are_all_different() -> None:
    crowd = make_crowd(seed=1, reviewers=200, clips=2000)
    assert len({reviewer.name for reviewer in crowd.reviewers}) == 200
    assert len(crowd.truth) == 2000


def test_one_reviewer_is_a_crowd_too() -> None:
    assert len(make_crowd(seed=1, reviewers=1, clips=1).reviewers) == 1


def test_score_counts_undecided_only_among_all() -> None:
    found = score(
        {"a": "valid", "b": "invalid", "c": "pending", "unknown": "valid"},
        {"a": "valid", "b": "valid", "c": "valid", "not voted on": "valid"},
    )
    assert found == Score(tasks=3, decided=2, correct=1)
    assert found.of_decided == 50
    assert found.of_all == pytest.approx(100 / 3)


def test_score_of_nothing_is_nothing() -> None:
    found = score({}, {"a": "valid"})
    assert (found.tasks, found.of_decided, found.of_all) == (0, 0, 0)
