"""set_validation_status: what staff may do by hand, and what follows."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.consensus.crowd import (
    Item,
    advance,
    at_once,
    cast,
    change_rule,
    codes,
    freeze,
    item,
    posted,
    review,
    rewards,
    set_status,
    settle_all,
    state_of,
)
from tests.consensus.invariants import broken
from tests.support.callers import Connection, as_user, call, one, refused
from tests.support.databases import FreshDatabase
from tests.support.money import account, fund, open_wallet, post
from tests.support.people import (
    give_role,
    make_admin,
    make_moderator,
    make_people,
    make_user,
)
from tests.support.work import submit, vote

HUGE = "x" * 10_000_000
UNTOUCHED = "select count(*) from consensus.decisions where rule = 'staff'"


def decided_clip(db: Connection, label: str = "valid") -> tuple[UUID, UUID, UUID, UUID, UUID]:
    """A clip two agreed on and one did not: clip, author, two who agreed, who did not."""
    author, against, first, second = make_people(db, 4)
    clip = submit(db, author)
    vote(db, against, clip, "invalid" if label == "valid" else "valid")
    cast(db, [first, second], clip, label)
    return clip, author, first, second, against


def settled_clip(db: Connection, label: str = "valid") -> tuple[UUID, UUID, UUID, UUID, UUID]:
    made = decided_clip(db, label)
    advance(db, "7 days")
    settle_all(db)
    assert state_of(db, made[0]) == "settled"
    return made


def balances(db: Connection, *people: UUID) -> list[int]:
    return [posted(db, person) for person in people]


@pytest.mark.parametrize(
    ("who", "role", "code", "status"),
    [
        ("anon", "anon", "42501", None),
        ("service_role", "service_role", "42501", None),
        ("nobody", "authenticated", "not_authenticated", 401),
        ("member", "authenticated", "not_permitted", 403),
        ("author", "authenticated", "not_permitted", 403),
        ("ambassador", "authenticated", "not_permitted", 403),
        ("tutor", "authenticated", "not_permitted", 403),
        ("unconfirmed moderator", "authenticated", "not_a_member", 403),
        ("former moderator", "authenticated", "not_permitted", 403),
    ],
)
def test_everyone_but_staff_is_refused_and_learns_nothing(
    db: Connection, who: str, role: str, code: str, status: int | None
) -> None:
    """CON-8, IDN-2: whatever the token claims; existing and unknown clips answer alike."""
    clip, author, *_ = decided_clip(db)
    callers = {
        "member": lambda: make_user(db),
        "author": lambda: author,
        "ambassador": lambda: give_role(db, make_user(db), "ambassador"),
        "tutor": lambda: give_role(db, make_user(db), "tutor"),
        "unconfirmed moderator": lambda: give_role(db, make_user(db, confirmed=False), "moderator"),
        "former moderator": lambda: make_moderator(db),
    }
    caller = callers.get(who, lambda: None)()
    if who == "former moderator":
        db.execute("delete from identity.user_roles where user_id = %s", [caller])
    answers = []
    for given in (clip, uuid4()):
        with (
            as_user(db, caller, role, user_role="admin", user_metadata={"roles": ["admin"]}),
            refused(db, code) as refusal,
        ):
            call(db, "set_validation_status", clip_id=given, status="invalid", reason="r")
        answers.append((refusal.code, refusal.message, refusal.details, refusal.status))
    assert answers[0] == answers[1]
    assert answers[0][3] == status
    assert one(db, UNTOUCHED) == 0
    assert item(db, clip).label == "valid"


@pytest.mark.parametrize("reason", [None, "", " \n\t ", "r" * 2001, HUGE])
def test_a_reason_is_required(db: Connection, reason: str | None) -> None:
    """CON-8."""
    clip, *_ = decided_clip(db)
    with as_user(db, make_moderator(db)), refused(db, "invalid_input") as refusal:
        call(db, "set_validation_status", clip_id=clip, status="invalid", reason=reason)
    assert refusal.status == 400
    assert (refusal.details or "").startswith("reason: ")
    assert one(db, UNTOUCHED) == 0


@pytest.mark.parametrize(
    ("status", "code"), [(None, "invalid_input"), ("", "22P02"), ("hidden", "22P02")]
)
def test_a_status_is_one_of_three(db: Connection, status: str | None, code: str) -> None:
    """CON-8."""
    clip, *_ = decided_clip(db)
    with as_user(db, make_moderator(db)), refused(db, code):
        call(db, "set_validation_status", clip_id=clip, status=status, reason="r")
    assert one(db, UNTOUCHED) == 0


@pytest.mark.parametrize("clip", [uuid4(), None], ids=["unknown", "null"])
def test_an_unknown_clip_is_not_found(db: Connection, clip: UUID | None) -> None:
    """CON-8."""
    with as_user(db, make_moderator(db)), refused(db, "clip_not_found") as refusal:
        call(db, "set_validation_status", clip_id=clip, status="valid", reason="r")
    assert refusal.status == 404


@pytest.mark.parametrize("status", ["valid", "invalid", "pending"])
def test_staff_do_not_judge_their_own_clips(db: Connection, status: str) -> None:
    """CON-8."""
    for staff in (make_moderator(db), make_admin(db)):
        clip = submit(db, staff)
        with as_user(db, staff), refused(db, "own_clip") as refusal:
            call(db, "set_validation_status", clip_id=clip, status=status, reason="r")
        assert refusal.status == 403
        assert item(db, clip) == Item("open", [0, 0], 2, None)


def test_what_is_final_already_is_not_set_again(db: Connection) -> None:
    """CON-8."""
    fund(db)
    moderator = make_moderator(db)
    settled, *_ = settled_clip(db)
    fresh = submit(db, make_user(db))
    for clip, status in ((settled, "valid"), (fresh, "pending")):
        before = item(db, clip)
        with as_user(db, moderator), refused(db, "status_unchanged") as refusal:
            call(db, "set_validation_status", clip_id=clip, status=status, reason="r")
        assert refusal.status == 409
        assert item(db, clip) == before
    assert one(db, "select count(*) from audit.events where action = 'validation_status_set'") == 0
    assert broken(db) == []


def test_every_use_is_in_the_audit(db: Connection) -> None:
    """CON-8, APP-9."""
    fund(db)
    moderator = make_moderator(db)
    clip, *_ = decided_clip(db)
    with as_user(db, moderator, headers={"x-request-id": "req-7"}):
        call(db, "set_validation_status", clip_id=clip, status="invalid", reason=" clipped ")
    set_status(db, moderator, clip, "pending", "listen again")
    with as_user(db, moderator):
        rows = db.execute(
            "select actor_id, actor_role, reason, details, request_id = 'req-7'"
            " from public.audit_events where action = 'validation_status_set'"
            " and subject_type = 'clip' and subject_id = %s order by id",
            [str(clip)],
        ).fetchall()
    assert rows == [
        (moderator, "authenticated", "clipped",
         {"from": "valid", "to": "invalid", "version": 3}, True),
        (moderator, "authenticated", "listen again",
         {"from": "invalid", "to": "pending", "version": 4}, False),
    ]  # fmt: skip


@pytest.mark.parametrize("label", ["valid", "invalid"])
def test_confirming_pays_at_once(db: Connection, label: str) -> None:
    """CON-7, CON-8: the community's decision stays, its rewards are posted before their time."""
    fund(db)
    clip, author, first, second, against = decided_clip(db, label)
    promised = rewards(db, clip)
    outcome = set_status(db, make_moderator(db), clip, label)
    assert outcome == (clip, label, label, True, 2)
    assert state_of(db, clip) == "settled"
    assert rewards(db, clip) == {}
    assert rewards(db, clip, "settled") == promised
    assert balances(db, author, first, second, against) == [
        10 if label == "valid" else 0, 2, 2, 0,
    ]  # fmt: skip
    assert one(db, UNTOUCHED) == 0
    assert broken(db) == []


def test_overruling_before_settlement_voids_and_pays_the_other_side(db: Connection) -> None:
    """CON-4, CON-8."""
    fund(db)
    moderator = make_moderator(db)
    clip, author, first, second, against = decided_clip(db, "valid")
    outcome = set_status(db, moderator, clip, "invalid", "clipped")
    assert outcome == (clip, "invalid", "valid", True, 3)
    assert item(db, clip) == Item("settled", [2, 1], 0, "invalid")
    assert set(rewards(db, clip, "voided")) == {author, first, second}
    assert rewards(db, clip, "settled") == {against: ("clip_reviewer_reward", 2)}
    assert balances(db, author, first, second, against) == [0, 0, 0, 2]
    assert db.execute(
        "select version, status::text, label, rule, decided_by, tally, reason"
        " from consensus.decisions where clip_id = %s order by version",
        [clip],
    ).fetchall() == [
        (2, "valid", "valid", "classic", None, [2, 1], "Votes: 2 valid, 1 invalid"),
        (3, "invalid", "invalid", "staff", moderator, [2, 1], "clipped"),
    ]
    assert one(db, "select published_at from public.clips") is None
    assert one(db, "select count(*) from jobs.outbox where payload ->> 'version' = '3'") == 4
    assert broken(db) == []


def test_overruling_to_valid_pays_and_publishes(db: Connection) -> None:
    """CON-8, CLP-3."""
    fund(db)
    clip, author, first, second, against = decided_clip(db, "invalid")
    set_status(db, make_admin(db), clip, "valid", "good enough")
    assert balances(db, author, first, second, against) == [10, 0, 0, 2]
    with as_user(db, None, "anon"):
        assert one(db, "select id from public.clip_feed") == clip
    assert broken(db) == []


@pytest.mark.parametrize("status", ["valid", "invalid"])
def test_everybody_reads_the_votes_of_a_valid_clip_and_not_the_words_of_staff(
    db: Connection, status: str
) -> None:
    """CLP-4, CON-4: those are in the history and the audit; who is rejected is told them."""
    fund(db)
    words = f"says {status}, whatever they voted"
    clip, author, *voters = decided_clip(db, "invalid" if status == "valid" else "valid")
    set_status(db, make_moderator(db), clip, status, words)
    shown = "Votes: 2 invalid, 1 valid" if status == "valid" else words
    assert one(db, "select status_reason from public.clips where id = %s", [clip]) == shown
    assert one(
        db, "select reason from consensus.decisions where clip_id = %s and version = 3", [clip]
    ) == (words)
    assert {
        row[0]
        for row in db.execute(
            "select reason from audit.events where subject_id = %s and"
            " (action = 'validation_status_set' or details ->> 'version' = '3')",
            [str(clip)],
        )
    } == {words}
    told = db.execute(
        "select topic, payload from jobs.outbox where payload ->> 'version' = '3'"
        " and event = 'clip_decided'"
    ).fetchall()
    assert dict(told) == {
        f"user:{person}": {
            "clip_id": str(clip),
            "status": status,
            "reason": shown if person == author else None,
            "version": 3,
        }
        for person in (author, *voters)
    }
    assert broken(db) == []


def test_overruling_after_settlement_takes_the_money_back(db: Connection) -> None:
    """CON-7, LED-4: by opposite entries; nothing is erased."""
    fund(db)
    clip, author, first, second, against = settled_clip(db, "valid")
    assert balances(db, author, first, second, against) == [10, 2, 2, 0]
    set_status(db, make_moderator(db), clip, "invalid", "clipped")
    assert balances(db, author, first, second, against) == [0, 0, 0, 2]
    with as_user(db, author):
        lines = db.execute(
            "select amount, balance_after, cause, cause_id from public.wallet_statement('USD')"
        ).fetchall()
    assert lines == [
        (-10, 0, "clip_author_reward_reversed", clip),
        (10, 10, "clip_author_reward", clip),
    ]
    told = db.execute(
        "select payload ->> 'posted', payload ->> 'change', payload ->> 'version'"
        " from jobs.outbox where event = 'balance_updated' and topic = 'user:' || %s order by id",
        [author],
    ).fetchall()
    assert told == [("10", "10", "1"), ("0", "-10", "2")]
    assert broken(db) == []


def test_a_reversal_alone_takes_a_wallet_below_its_floor(db: Connection) -> None:
    """CON-7: money already spent is owed, and paid off by what is earned next."""
    fund(db)
    clip, author, *_ = settled_clip(db, "valid")
    spent = open_wallet(db, author)
    post(db, spent, account(db, "revenue"), 8)
    set_status(db, make_moderator(db), clip, "invalid", "clipped")
    with as_user(db, author):
        assert db.execute("select posted, available from public.wallets").fetchall() == [(-8, -8)]
    assert one(db, "select reversal_debt from ledger.accounts where id = %s", [spent]) == 8
    assert broken(db) == []
    with refused(db, "insufficient_funds"):
        post(db, spent, account(db, "revenue"), 1)
    again = submit(db, author)
    cast(db, make_people(db, 2), again)
    set_status(db, make_moderator(db), again, "valid")
    assert posted(db, author) == 2
    assert one(db, "select reversal_debt from ledger.accounts where id = %s", [spent]) == 0
    assert broken(db) == []


def test_staff_may_change_their_mind_as_often_as_they_like(db: Connection) -> None:
    """CON-4: each time everything before is undone; in the end one set of rewards stands."""
    fund(db)
    moderator = make_moderator(db)
    clip, author, first, second, against = settled_clip(db, "valid")
    for status in ("invalid", "valid", "pending", "invalid", "pending", "valid", "invalid"):
        set_status(db, moderator, clip, status)
        assert one(db, "select status::text from public.clips") == status
        assert broken(db) == []
    assert balances(db, author, first, second, against) == [0, 0, 0, 2]
    assert one(db, "select version from public.clips") == 9


def test_staff_decide_a_clip_before_the_community_has(db: Connection) -> None:
    """CON-8: who had voted so is paid, the author too."""
    fund(db)
    author, right, wrong = make_people(db, 3)
    clip = submit(db, author)
    vote(db, right, clip, "valid")
    vote(db, wrong, clip, "invalid")
    assert set_status(db, make_moderator(db), clip, "valid") == (clip, "valid", "pending", True, 2)
    assert balances(db, author, right, wrong) == [10, 2, 0]
    with as_user(db, make_user(db)), refused(db, "already_decided"):
        call(db, "cast_vote", clip_id=clip, label="valid")
    assert broken(db) == []


@pytest.mark.parametrize("decided_before", [False, True])
def test_nobody_earns_by_overruling(db: Connection, decided_before: bool) -> None:
    """CON-8: a vote of one's own pays nothing when one decides for it by hand."""
    fund(db)
    moderator = make_moderator(db)
    author, like_minded, *others = make_people(db, 4)
    clip = submit(db, author)
    vote(db, moderator, clip, "invalid")
    if decided_before:
        cast(db, others, clip, "valid")
    else:
        vote(db, others[0], clip, "valid")
    set_status(db, moderator, clip, "invalid")
    assert state_of(db, clip) == "settled"
    assert rewards(db, clip, "settled") == {}
    assert one(db, "select count(*) from consensus.withheld_rewards") == 0
    assert broken(db) == []
    paid_by_another = submit(db, author)
    vote(db, moderator, paid_by_another, "invalid")
    vote(db, like_minded, paid_by_another, "valid")
    set_status(db, make_moderator(db), paid_by_another, "invalid")
    assert set(rewards(db, paid_by_another, "settled")) == {moderator}
    assert broken(db) == []
    by_votes = submit(db, author)
    cast(db, [moderator, like_minded], by_votes, "invalid")
    set_status(db, moderator, by_votes, "invalid")
    assert set(rewards(db, by_votes, "settled")) == {moderator, like_minded}
    assert broken(db) == []


def test_reopening_takes_back_rewards_and_lets_the_vote_go_on(db: Connection) -> None:
    """CON-4, CON-8: held ones are voided, posted ones reversed; the votes stay."""
    fund(db)
    moderator = make_moderator(db)
    for make in (decided_clip, settled_clip):
        clip, author, first, second, against = make(db, "valid")
        people = (author, first, second, against)
        outcome = set_status(db, moderator, clip, "pending", "not sure")
        assert outcome == (clip, "pending", "valid", False, 3)
        assert item(db, clip) == Item("open", [2, 1], 1, None)
        assert rewards(db, clip) == {}
        assert balances(db, *people) == [0, 0, 0, 0]
        assert db.execute(
            "select status_reason, published_at, decided_at from public.clips where id = %s",
            [clip],
        ).fetchone() == ("not sure", None, None)
        assert broken(db) == []
        newcomer = make_user(db)
        assert clip in review(db, newcomer)
        assert vote(db, newcomer, clip, "valid")["status"] == "valid"
        assert set(rewards(db, clip)) == {author, first, second, newcomer}
        advance(db, "7 days")
        settle_all(db)
        assert balances(db, *people, newcomer) == [10, 2, 2, 0, 2]
        assert broken(db) == []


def test_a_disputed_clip_can_be_given_back_to_voters(db: Connection) -> None:
    """CON-2, CON-8: one further vote is asked for, and decides or disputes again."""
    fund(db)
    change_rule(db, min_votes=2, max_votes=2)
    author, first, second, third = make_people(db, 4)
    clip = submit(db, author)
    vote(db, first, clip, "valid")
    vote(db, second, clip, "invalid")
    moderator = make_moderator(db)
    assert set_status(db, moderator, clip, "pending")[1:3] == ("pending", "pending")
    assert item(db, clip) == Item("open", [1, 1], 1, None)
    assert vote(db, third, clip, "valid")["status"] == "valid"
    assert broken(db) == []


@pytest.mark.parametrize(
    ("decided_as", "status", "label"),
    [
        (None, "valid", "valid"),
        (None, "invalid", "invalid"),
        ("noisy", "valid", "noisy"),
        ("noisy", "invalid", "invalid"),
        ("silent", "invalid", "silent"),
        ("silent", "valid", "valid"),
    ],
)
def test_staff_choose_a_status_and_the_kind_says_the_label(
    db: Connection, decided_as: str | None, status: str, label: str
) -> None:
    """CON-2, CON-8: confirming keeps the community's label; else the first that fits."""
    fund(db)
    change_rule(
        db, labels=["valid", "invalid", "noisy", "silent"], validating_labels=["valid", "noisy"]
    )
    clip = submit(db, make_user(db))
    if decided_as:
        cast(db, make_people(db, 2), clip, decided_as)
    set_status(db, make_moderator(db), clip, status)
    assert (state_of(db, clip), item(db, clip).label) == ("settled", label)
    assert broken(db) == []


def test_a_hidden_clip_stays_hidden_when_it_is_found_valid(db: Connection) -> None:
    """CLP-3, CON-8."""
    clip, *_ = decided_clip(db, "invalid")
    db.execute("update public.clips set is_hidden = true")
    set_status(db, make_moderator(db), clip, "valid")
    assert db.execute("select status::text, published_at from public.clips").fetchone() == (
        "valid", None,
    )  # fmt: skip


def test_overruling_with_an_empty_pool_withholds_and_settles(db: Connection) -> None:
    """CON-7: the money taken back is there to pay with, and when it is not enough, says so."""
    clip, author, _, _, against = decided_clip(db, "invalid")
    set_status(db, make_moderator(db), clip, "valid")
    assert state_of(db, clip) == "settled"
    assert balances(db, author, against) == [0, 0]
    assert one(db, "select count(*) from consensus.withheld_rewards where why = 'pool_empty'") == (
        4
    )
    assert broken(db) == []


def test_a_clip_withheld_by_the_cap_can_be_overruled(db: Connection) -> None:
    """CON-7: there is less to undo, nothing else differs."""
    fund(db)
    change_rule(db, daily_reward_cap=5)
    clip, author, first, second, against = settled_clip(db, "valid")
    assert balances(db, author, first, second, against) == [0, 2, 2, 0]
    set_status(db, make_moderator(db), clip, "invalid")
    assert balances(db, author, first, second, against) == [0, 0, 0, 2]
    assert broken(db) == []


def test_of_ten_who_overrule_at_once_one_does(fresh_db: FreshDatabase) -> None:
    """CON-8: reversed once, paid once."""
    owner = fresh_db.connect()
    fund(owner)
    freeze(owner, "2026-03-01 12:00+00")
    clip, author, first, second, against = settled_clip(owner, "valid")
    staff = [make_moderator(owner) for _ in range(10)]

    def overrule(conn: Connection) -> Any:
        return call(conn, "set_validation_status", clip_id=clip, status="invalid", reason="clipped")

    answers = at_once(fresh_db, [(moderator, overrule) for moderator in staff])
    assert codes(answers) == ["status_unchanged"] * 9
    assert balances(owner, author, first, second, against) == [0, 0, 0, 2]
    assert broken(owner) == []
