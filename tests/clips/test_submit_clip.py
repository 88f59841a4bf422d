"""submit_clip: taking in a clip, once, and only a proper one."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.consensus.crowd import at_once, change_rule, codes
from tests.support.callers import Connection, as_user, call, one, refused
from tests.support.databases import FreshDatabase
from tests.support.people import make_admin, make_people, make_user
from tests.support.work import submit, vote

HUGE = "x" * 10_000_000
UNKNOWN = uuid4()


def arguments(author: UUID, **changes: Any) -> dict[str, Any]:
    """What a proper call says, with some of it changed."""
    return {
        "kind": "voice",
        "language": "sw",
        "media_path": f"{author}/{uuid4()}.ogg",
        "duration_ms": 4200,
        "prompt": "Habari ya asubuhi",
        "transcript": None,
        "idempotency_key": None,
        **changes,
    }


def clips(conn: Connection) -> int:
    return int(one(conn, "select count(*) from public.clips"))


@pytest.mark.parametrize(("kind", "needed"), [("voice", 2), ("video", 2)])
def test_a_submitted_clip_is_pending_and_open_for_votes(
    db: Connection, kind: str, needed: int
) -> None:
    """CLP-1."""
    author = make_user(db)
    given = arguments(author, kind=kind, prompt="  Habari \n", transcript=" asubuhi njema ")
    with as_user(db, author):
        row = db.execute(
            "select author_id, kind::text, language, media_path, duration_ms, prompt, transcript,"
            " status::text, status_reason, is_hidden, version, decided_at, published_at, id"
            " from public.submit_clip(%(kind)s, %(language)s, %(media_path)s, %(duration_ms)s,"
            " %(prompt)s, %(transcript)s, %(idempotency_key)s)",
            given,
        ).fetchone()
    assert row is not None
    assert row[:13] == (
        author, kind, "sw", given["media_path"], 4200, "Habari", "asubuhi njema",
        "pending", None, False, 1, None, None,
    )  # fmt: skip
    assert db.execute(
        "select kind::text, language, author_id, state::text, tally, votes_needed, label,"
        " settle_at from consensus.items where clip_id = %s",
        [row[13]],
    ).fetchone() == (kind, "sw", author, "open", [0, 0], needed, None, None)


def test_the_kind_of_the_clip_says_how_many_labels_and_votes(db: Connection) -> None:
    """CLP-1, CON-2: the rule of the kind at submission."""
    author = make_user(db)
    change_rule(
        db, "video", labels=["valid", "invalid", "wrong", "silent"],
        validating_labels=["valid"], min_votes=3, max_votes=9,
    )  # fmt: skip
    clip = submit(db, author, kind="video")
    assert db.execute(
        "select tally, votes_needed from consensus.items where clip_id = %s", [clip]
    ).fetchone() == ([0, 0, 0, 0], 3)


def test_ids_grow_with_time(db: Connection) -> None:
    """CLP-1: the queue goes by id, so an older clip has a smaller one."""
    author = make_user(db)
    ids = [submit(db, author) for _ in range(10)]
    milliseconds = [clip.int >> 80 for clip in ids]
    assert milliseconds == sorted(milliseconds)
    assert {clip.version for clip in ids} == {7}


@pytest.mark.parametrize(
    ("change", "code", "names"),
    [
        ({"kind": None}, "invalid_input", "kind"),
        ({"kind": "song"}, "22P02", None),
        ({"kind": ""}, "22P02", None),
        ({"language": None}, "unknown_language", None),
        ({"language": ""}, "unknown_language", None),
        ({"language": "SW"}, "unknown_language", None),
        ({"language": "tlh"}, "unknown_language", None),
        ({"language": "sw' or true --"}, "unknown_language", None),
        ({"language": HUGE}, "unknown_language", None),
        ({"duration_ms": None}, "invalid_input", "duration_ms"),
        ({"duration_ms": 0}, "invalid_input", "duration_ms"),
        ({"duration_ms": -1}, "invalid_input", "duration_ms"),
        ({"duration_ms": 600_001}, "invalid_input", "duration_ms"),
        ({"duration_ms": 2**31 - 1}, "invalid_input", "duration_ms"),
        ({"duration_ms": "long"}, "22P02", None),
        ({"prompt": None}, "invalid_input", "prompt or transcript"),
        ({"prompt": "", "transcript": " \t\r\n"}, "invalid_input", "prompt or transcript"),
        ({"prompt": "p" * 2001}, "invalid_input", "prompt"),
        ({"prompt": HUGE}, "invalid_input", "prompt"),
        ({"transcript": "t" * 5001}, "invalid_input", "transcript"),
        ({"transcript": HUGE}, "invalid_input", "transcript"),
        ({"media_path": None}, "invalid_input", "media_path"),
        ({"media_path": ""}, "invalid_input", "media_path"),
        ({"media_path": "   "}, "invalid_input", "media_path"),
        ({"media_path": HUGE}, "invalid_input", "media_path"),
        ({"idempotency_key": ""}, "invalid_input", "idempotency_key"),
        ({"idempotency_key": "k" * 256}, "invalid_input", "idempotency_key"),
        ({"idempotency_key": HUGE}, "invalid_input", "idempotency_key"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_bad_input_is_refused_by_name_and_leaves_nothing(
    db: Connection, change: dict[str, Any], code: str, names: str | None
) -> None:
    """CLP-1."""
    author = make_user(db)
    with as_user(db, author), refused(db, code) as refusal:
        call(db, "submit_clip", **arguments(author, **change))
    if names:
        assert refusal.status == 400
        assert (refusal.details or "").startswith(names)
        assert len(refusal.details or "") < 200
    assert clips(db) == 0
    with as_user(db, author):
        call(db, "submit_clip", **arguments(author))
    assert clips(db) == 1


@pytest.mark.parametrize(
    "path",
    [
        "a.ogg",
        "/{me}/a.ogg",
        "{other}/a.ogg",
        "{me}",
        "{me}.ogg",
        "{me}x/a.ogg",
        "{me}/",
        "{me}/a/",
        "{me}//a.ogg",
        "{me}/../{other}/a.ogg",
        "{me}/a/../../{other}/a.ogg",
        "{me}/..",
        "{me}/./a.ogg",
        "{me}/.",
        "../{me}/a.ogg",
        "{ME}/a.ogg",
        "clips/{me}/a.ogg",
        "{me}/" + "a" * 364,
    ],
)
def test_a_path_outside_the_authors_own_folder_is_refused(db: Connection, path: str) -> None:
    """CLP-1: the object a clip names is the author's own, whatever the path looks like."""
    author, other = make_people(db, 2)
    media_path = path.format(me=author, other=other, ME=str(author).upper())
    with as_user(db, author), refused(db, "invalid_input") as refusal:
        call(db, "submit_clip", **arguments(author, media_path=media_path))
    assert (refusal.status, (refusal.details or "")[:10]) == (400, "media_path")
    assert clips(db) == 0


@pytest.mark.parametrize("name", ["a.ogg", "2026/11/a.ogg", "..a..ogg", "a b.ogg", "a" * 363])
def test_any_name_inside_the_folder_will_do(db: Connection, name: str) -> None:
    """CLP-1: the test above refuses paths for what they reach, not for how they look."""
    author = make_user(db)
    submit(db, author, media_path=f"{author}/{name}")
    assert clips(db) == 1


def test_a_closed_language_takes_no_clips_and_goes_on_with_those_it_has(db: Connection) -> None:
    """CLP-1, CLP-2."""
    author, reviewer = make_people(db, 2)
    clip = submit(db, author)
    db.execute("update public.languages set is_open = false where code = 'sw'")
    with as_user(db, author), refused(db, "unknown_language") as refusal:
        call(db, "submit_clip", **arguments(author))
    assert refusal.status == 400
    assert vote(db, reviewer, clip)["votes"] == 1


def test_media_makes_one_clip_only(db: Connection) -> None:
    """CLP-1."""
    author = make_user(db)
    path = f"{author}/a.ogg"
    submit(db, author, media_path=path)
    with as_user(db, author), refused(db, "media_already_used") as refusal:
        call(db, "submit_clip", **arguments(author, media_path=path))
    assert refusal.status == 409
    with as_user(db, author), refused(db, "media_already_used"):
        call(db, "submit_clip", **arguments(author, media_path=f" {path} ", kind="video"))
    assert clips(db) == 1


@pytest.mark.parametrize(
    ("who", "code", "status"),
    [
        ("anon", "42501", None),
        ("nobody", "not_authenticated", 401),
        ("unknown", "not_a_member", 403),
        ("unconfirmed", "not_a_member", 403),
        ("anonymous", "not_a_member", 403),
        ("banned", "not_a_member", 403),
        ("deleted", "not_a_member", 403),
        ("service_role", "42501", None),
    ],
)
def test_only_members_submit(db: Connection, who: str, code: str, status: int | None) -> None:
    """CLP-1, APP-1, IDN-5."""
    people = {
        "anon": None,
        "nobody": None,
        "service_role": None,
        "unknown": UNKNOWN,
        "unconfirmed": make_user(db, confirmed=False),
        "anonymous": make_user(db, anonymous=True),
        "banned": make_user(db),
        "deleted": make_user(db),
    }
    db.execute(
        "update auth.users set banned_until = now() + interval '1 day' where id = %s",
        [people["banned"]],
    )
    db.execute("update auth.users set deleted_at = now() where id = %s", [people["deleted"]])
    role = who if who in ("anon", "service_role") else "authenticated"
    with as_user(db, people[who], role), refused(db, code) as refusal:
        call(db, "submit_clip", **arguments(people[who] or UNKNOWN))
    assert refusal.status == status
    assert clips(db) == 0


def test_staff_submit_for_nobody_else(db: Connection) -> None:
    """CLP-1."""
    admin, author = make_admin(db), make_user(db)
    with as_user(db, admin), refused(db, "invalid_input"):
        call(db, "submit_clip", **arguments(author))
    assert clips(db) == 0


def test_the_same_key_gives_the_same_clip_even_after_it_was_decided(db: Connection) -> None:
    """APP-5: the stored answer, not today's state."""
    author, first, second = make_people(db, 3)
    given = arguments(author, idempotency_key="one")
    with as_user(db, author):
        answer = call(db, "submit_clip", **given)
    vote(db, first, answer[0][0])
    vote(db, second, answer[0][0])
    with as_user(db, author):
        assert call(db, "submit_clip", **given) == answer
        assert one(db, "select current_setting('response.headers')").startswith("[{")
    assert one(db, "select status::text from public.clips") == "valid"
    assert clips(db) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "video"},
        {"language": "yo"},
        {"duration_ms": 4201},
        {"prompt": "other"},
        {"transcript": "other"},
        {"media_path": None},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_key_is_for_one_request(db: Connection, change: dict[str, Any]) -> None:
    """APP-5."""
    author = make_user(db)
    given = arguments(author, idempotency_key="one")
    changed = {**given, **change}
    changed["media_path"] = changed["media_path"] or f"{author}/other.ogg"
    with as_user(db, author):
        call(db, "submit_clip", **given)
        with refused(db, "idempotency_key_reused") as refusal:
            call(db, "submit_clip", **changed)
    assert refusal.status == 422
    assert clips(db) == 1


def test_a_key_is_per_person_and_free_again_after_a_refusal(db: Connection) -> None:
    """APP-5: only committed answers are stored."""
    author, other = make_people(db, 2)
    with as_user(db, author), refused(db, "unknown_language"):
        call(db, "submit_clip", **arguments(author, idempotency_key="one", language="tlh"))
    with as_user(db, author):
        call(db, "submit_clip", **arguments(author, idempotency_key="one"))
    with as_user(db, other):
        call(db, "submit_clip", **arguments(other, idempotency_key="one"))
    assert clips(db) == 2


def test_ten_calls_at_once_with_one_key_make_one_clip(fresh_db: FreshDatabase) -> None:
    """APP-5: the others wait for the first and give its answer."""
    owner = fresh_db.connect()
    author = make_user(owner)
    given = arguments(author, idempotency_key="one")
    answers = at_once(fresh_db, [(author, lambda c: call(c, "submit_clip", **given))] * 10)
    assert codes(answers) == []
    assert len({answer[0] for answer in answers}) == 1
    assert clips(owner) == 1
    assert one(owner, "select count(*) from consensus.items") == 1


def test_ten_calls_at_once_with_one_object_make_one_clip(fresh_db: FreshDatabase) -> None:
    """CLP-1."""
    owner = fresh_db.connect()
    author = make_user(owner)
    given = arguments(author)
    answers = at_once(fresh_db, [(author, lambda c: call(c, "submit_clip", **given))] * 10)
    assert codes(answers) == ["media_already_used"] * 9
    assert clips(owner) == 1
