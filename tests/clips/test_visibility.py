"""Who sees which clip, on every path a client has to it."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from tests.consensus.crowd import cast, change_rule, review, set_status
from tests.support.callers import Connection, as_user, one, refused
from tests.support.money import fund
from tests.support.people import give_role, make_admin, make_moderator, make_people, make_user
from tests.support.work import submit, vote

# Each gives something only for a reader to whom the clip is visible.
TABLE_PATHS = {
    "the table": "select id from public.clips where id = %(clip)s",
    "its path": "select id from public.clips where media_path like %(author)s || '/%%'",
    "a count": "select nullif(count(*), 0) from public.clips",
    "an aggregate": "select max(prompt) from public.clips",
    "an embedding from the author": (
        "select c.id from public.profiles as p"
        " left join lateral (select * from public.clips as c where c.author_id = p.id) as c on true"
        " where p.id = %(author)s"
    ),
    "an embedding from the language": (
        "select c.id from public.languages as l left join public.clips as c"
        " on c.language = l.code where l.code = 'sw'"
    ),
    "an embedding from one's votes": (
        "select c.id from public.votes as v inner join public.clips as c on c.id = v.clip_id"
        " union all select id from public.clips"
    ),
    "a subquery": "select 1 where exists (select from public.clips where prompt is not null)",
}
FEED_PATHS = {
    "the feed": "select id from public.clip_feed",
    "a count of the feed": "select nullif(count(*), 0) from public.clip_feed",
    "the feed of an author": "select id from public.clip_feed where author_id = %(author)s",
}


def pending(db: Connection, author: UUID) -> UUID:
    return submit(db, author)


def rejected(db: Connection, author: UUID) -> UUID:
    clip = submit(db, author)
    cast(db, make_people(db, 2), clip, "invalid")
    return clip


def disputed(db: Connection, author: UUID) -> UUID:
    change_rule(db, max_votes=2)
    clip = submit(db, author)
    first, second = make_people(db, 2)
    vote(db, first, clip, "valid")
    vote(db, second, clip, "invalid")
    return clip


def hidden(db: Connection, author: UUID) -> UUID:
    clip = valid(db, author)
    db.execute(
        "update public.clips set is_hidden = true, published_at = null where id = %s", [clip]
    )
    return clip


def hidden_before_it_was_valid(db: Connection, author: UUID) -> UUID:
    clip = submit(db, author)
    db.execute("update public.clips set is_hidden = true where id = %s", [clip])
    set_status(db, make_moderator(db), clip, "valid")
    return clip


def reopened(db: Connection, author: UUID) -> UUID:
    clip = valid(db, author)
    set_status(db, make_moderator(db), clip, "pending")
    return clip


def overruled(db: Connection, author: UUID) -> UUID:
    clip = valid(db, author)
    set_status(db, make_moderator(db), clip, "invalid")
    return clip


def valid(db: Connection, author: UUID) -> UUID:
    clip = submit(db, author)
    cast(db, make_people(db, 2), clip)
    return clip


UNPUBLISHED = [
    pending,
    rejected,
    disputed,
    hidden,
    hidden_before_it_was_valid,
    reopened,
    overruled,
]
Make = Callable[[Connection, UUID], UUID]


def sees(db: Connection, who: UUID | None, role: str, query: str, clip: UUID, author: UUID) -> bool:
    """Whether this caller gets anything out of a query."""
    with as_user(db, who, role):
        return one(db, query, {"clip": clip, "author": str(author)}) is not None


@pytest.mark.parametrize("path", TABLE_PATHS)
@pytest.mark.parametrize("make", UNPUBLISHED, ids=lambda make: make.__name__)
def test_an_unpublished_clip_is_there_for_its_author_and_staff_only(
    db: Connection, make: Make, path: str
) -> None:
    """CLP-3."""
    author = make_user(db)
    clip = make(db, author)
    query = TABLE_PATHS[path]
    stranger, moderator, admin = make_user(db), make_moderator(db), make_admin(db)
    ambassador = give_role(db, make_user(db), "ambassador")
    if path.endswith("one's votes"):
        query = query.partition(" union all ")[0]
        for voter in (stranger, ambassador, moderator, admin):
            db.execute(
                "insert into public.votes (clip_id, voter_id, label) values (%s, %s, 'valid')",
                [clip, voter],
            )
    else:
        assert sees(db, None, "anon", query, clip, author) is False
        assert sees(db, author, "authenticated", query, clip, author) is True
    assert sees(db, stranger, "authenticated", query, clip, author) is False
    assert sees(db, ambassador, "authenticated", query, clip, author) is False
    assert sees(db, None, "authenticated", query, clip, author) is False
    assert sees(db, moderator, "authenticated", query, clip, author) is True
    assert sees(db, admin, "authenticated", query, clip, author) is True
    assert one(db, "select count(*) from public.clips where id = %s", [clip]) == 1


@pytest.mark.parametrize("path", FEED_PATHS)
@pytest.mark.parametrize("make", UNPUBLISHED, ids=lambda make: make.__name__)
def test_the_feed_shows_an_unpublished_clip_to_nobody(
    db: Connection, make: Make, path: str
) -> None:
    """CLP-3: not even to its author or to staff; the feed is what everyone may see."""
    author = make_user(db)
    clip = make(db, author)
    query = FEED_PATHS[path]
    for who, role in (
        (None, "anon"),
        (make_user(db), "authenticated"),
        (author, "authenticated"),
        (make_moderator(db), "authenticated"),
    ):
        assert sees(db, who, role, query, clip, author) is False
    assert one(db, "select count(*) from public.clips where id = %s", [clip]) == 1


@pytest.mark.parametrize("path", [*TABLE_PATHS, *FEED_PATHS])
def test_a_published_clip_is_there_for_everyone(db: Connection, path: str) -> None:
    """CLP-3: the same queries, so the ones above fail to see for the right reason."""
    author = make_user(db)
    clip = valid(db, author)
    query = {**TABLE_PATHS, **FEED_PATHS}[path]
    if not path.endswith("one's votes"):
        assert sees(db, None, "anon", query, clip, author) is True
    assert sees(db, make_user(db), "authenticated", query, clip, author) is True


def test_a_strangers_own_condition_is_not_asked_about_rows_it_may_not_see(db: Connection) -> None:
    """CLP-3: no error tells what a hidden row holds."""
    author, stranger = make_people(db, 2)
    submit(db, author, prompt="the secret")
    probe = "select id from public.clips where 1 / (prompt <> 'the secret')::integer = 1"
    with as_user(db, stranger):
        assert one(db, probe) is None
    with as_user(db, author), refused(db, "22012"):
        one(db, probe)


def test_a_reviewer_sees_a_leased_clip_through_the_lease_alone(db: Connection) -> None:
    """CLP-2, CLP-3."""
    author, reviewer = make_people(db, 2)
    clip = submit(db, author)
    assert review(db, reviewer) == [clip]
    with as_user(db, reviewer):
        assert one(db, "select count(*) from public.clips") == 0
    assert one(db, "select count(*) from public.clips") == 1


def test_a_moderator_who_is_none_any_more_sees_no_more_than_others(db: Connection) -> None:
    """CLP-3, IDN-2: at once, whatever the token says."""
    author, moderator = make_user(db), make_moderator(db)
    clip = submit(db, author)
    query = TABLE_PATHS["the table"]
    assert sees(db, moderator, "authenticated", query, clip, author) is True
    db.execute("delete from identity.user_roles where user_id = %s", [moderator])
    with as_user(db, moderator, app_metadata={"roles": ["moderator"]}, user_role="moderator"):
        assert one(db, query, {"clip": clip}) is None
    assert one(db, "select count(*) from public.clips where id = %s", [clip]) == 1


@pytest.mark.parametrize("end", ["banned_until = 'infinity'", "deleted_at = now()"])
def test_staff_who_are_banned_or_deleted_see_no_more_than_others(db: Connection, end: str) -> None:
    """CLP-3, IDN-5: at once, whatever their token and their role say."""
    author, moderator, admin = make_user(db), make_moderator(db), make_admin(db)
    clip = submit(db, author)
    query = TABLE_PATHS["the table"]
    for staff in (moderator, admin):
        assert sees(db, staff, "authenticated", query, clip, author) is True
        db.execute(f"update auth.users set {end} where id = %s", [staff])
        assert sees(db, staff, "authenticated", query, clip, author) is False
        assert one(db, "select count(*) from identity.user_roles where user_id = %s", [staff]) == 1
    assert one(db, "select count(*) from public.clips where id = %s", [clip]) == 1


@pytest.mark.parametrize(
    ("where", "index"),
    [("", "clips_feed_all_idx"), (" where f.language = 'sw'", "clips_feed_idx")],
)
def test_a_page_of_the_feed_reads_an_index_in_its_order(
    db: Connection, where: str, index: str
) -> None:
    """CLP-3: of one language or of all, without sorting what it does not show."""
    db.execute("set local enable_seqscan = off")
    db.execute("set local enable_bitmapscan = off")
    with as_user(db, None, "anon"):
        rows = db.execute(
            f"explain select f.id from public.clip_feed as f{where}"
            " order by f.published_at desc, f.id desc limit 20"
        ).fetchall()
    plan = "\n".join(row[0] for row in rows)
    assert f"using {index} " in plan
    assert "Sort" not in plan


def test_the_feed_names_the_author_and_goes_newest_first(db: Connection) -> None:
    """CLP-3."""
    author = make_user(db)
    db.execute("select app.freeze_clock('2026-03-01 12:00+00')")
    older = valid(db, author)
    db.execute("select app.freeze_clock('2026-03-01 12:01+00')")
    newer = valid(db, author)
    with as_user(db, None, "anon"):
        rows = db.execute(
            "select f.id, f.author_handle = p.handle, f.published_at from public.clip_feed as f"
            " inner join public.profiles as p on p.id = f.author_id"
            " where f.language = 'sw' order by f.published_at desc"
        ).fetchall()
    assert [(row[0], row[1]) for row in rows] == [(newer, True), (older, True)]
    assert rows[0][2].isoformat() == "2026-03-01T12:01:00+00:00"


def test_the_author_reads_why_votes_rejected_a_clip(db: Connection) -> None:
    """CLP-4."""
    author, first, second, third = make_people(db, 4)
    clip = submit(db, author)
    vote(db, first, clip, "valid")
    cast(db, [second, third], clip, "invalid")
    reason = "select status_reason from public.clips where id = %s"
    with as_user(db, author):
        assert one(db, reason, [clip]) == "Votes: 2 invalid, 1 valid"
    with as_user(db, first):
        assert one(db, reason, [clip]) is None
    assert one(db, reason, [clip]) == "Votes: 2 invalid, 1 valid"


def test_the_author_reads_and_is_told_why_staff_rejected_a_clip(db: Connection) -> None:
    """CLP-4."""
    fund(db)
    author = make_user(db)
    clip = valid(db, author)
    set_status(db, make_moderator(db), clip, "invalid", "  somebody else is speaking ")
    with as_user(db, author):
        assert one(db, "select status_reason from public.clips where id = %s", [clip]) == (
            "somebody else is speaking"
        )
    assert one(
        db,
        "select payload ->> 'reason' from jobs.outbox where event = 'clip_decided'"
        " and topic = 'user:' || %s order by id desc limit 1",
        [author],
    ) == ("somebody else is speaking")


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role"])
@pytest.mark.parametrize(
    "statement",
    [
        "insert into public.clips (author_id, kind, language, media_path, duration_ms, prompt)"
        " select author_id, kind, language, media_path || 'x', 1, 'p' from public.clips",
        "update public.clips set status = 'valid'",
        "update public.clips set prompt = 'p' where author_id = auth.uid()",
        "delete from public.clips",
        "truncate public.clips cascade",
        "insert into public.languages (code, name) values ('xx', 'X')",
        "update public.languages set is_open = false",
        "delete from public.languages",
    ],
)
def test_nobody_writes_clips_or_languages_directly(
    db: Connection, role: str, statement: str
) -> None:
    """CLP-1: doors only, for the author and for the service key alike. The feed is a join."""
    author = make_user(db)
    submit(db, author)
    with as_user(db, author, role), refused(db, "42501"):
        one(db, statement)
    assert one(db, "select prompt || status from public.clips") == "Habari ya asubuhipending"
    assert one(db, "select is_open from public.languages where code = 'sw'") is True
