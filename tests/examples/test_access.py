"""Who gets how far through the API itself: nobody, a stranger, and whoever writes directly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from postgrest.exceptions import APIError
from supabase import Client

from tests.examples.conftest import Person
from tests.support.callers import one
from tests.support.databases import Connection

Submit = Callable[..., dict[str, Any]]
Join = Callable[[], Person]

PERMISSION_DENIED = "42501"
# Views over several tables cannot be written to whoever asks.
NOT_UPDATABLE = "55000"

TABLES = ("profiles", "languages", "clips", "votes", "clip_feed", "wallets", "audit_events")
SEEN_BY_EVERYONE = ("profiles", "languages", "clips", "clip_feed")
ROWS = {
    "profiles": {"bio": "changed"},
    "languages": {"name": "changed"},
    "clips": {"status": "valid"},
    "votes": {"label": "valid"},
    "clip_feed": {"prompt": "changed"},
    "wallets": {"posted": 1_000_000},
    "audit_events": {"reason": "changed"},
}
KEYS = {"languages": "code", "votes": "clip_id", "wallets": "currency"}


def doors(owner: Connection) -> dict[str, dict[str, None]]:
    """Every door with each of its arguments null."""
    found = owner.execute(
        "select proname, coalesce(proargnames[1:pronargs], '{}') from pg_proc"
        " where pronamespace = 'public'::regnamespace"
    ).fetchall()
    return {name: dict.fromkeys(arguments) for name, arguments in found}


def test_nobody_opens_no_door(owner: Connection, nobody: Client) -> None:
    found = doors(owner)
    assert {"cast_vote", "submit_clip", "me"} <= found.keys()
    for door, arguments in found.items():
        with pytest.raises(APIError) as refused:
            nobody.rpc(door, arguments).execute()
        assert refused.value.code == PERMISSION_DENIED, door


def test_nobody_reads_only_what_everyone_may_see(nobody: Client) -> None:
    for table in TABLES:
        if table in SEEN_BY_EVERYONE:
            nobody.table(table).select("*").limit(1).execute()
            continue
        with pytest.raises(APIError) as refused:
            nobody.table(table).select("*").execute()
        assert refused.value.code == PERMISSION_DENIED, table


def test_stranger_sees_nothing_of_others(owner: Connection, join: Join, submit: Submit) -> None:
    author, first, second, stranger = join(), join(), join(), join()
    pending, decided = submit(author), submit(author)
    first.call("cast_vote", clip_id=pending["id"], label="valid")
    for reviewer in (first, second):
        reviewer.call("cast_vote", clip_id=decided["id"], label="invalid")

    see = stranger.supabase.table
    ids = [pending["id"], decided["id"]]
    assert see("clips").select("id").in_("id", ids).execute().data == []
    assert see("votes").select("*").execute().data == []
    assert see("wallets").select("*").execute().data == []
    assert see("audit_events").select("*").execute().data == []
    assert stranger.call("wallet_statement", currency="USD") == []

    assert len(first.supabase.table("votes").select("*").execute().data) == 2
    assert len(author.supabase.table("clips").select("*").in_("id", ids).execute().data) == 2
    assert (
        one(owner, "select count(*) from public.votes where clip_id = any (%s::uuid[])", [ids]) == 3
    )


@pytest.fixture
def anyone(
    request: pytest.FixtureRequest, join: Join, nobody: Client, holder_of_secret: Client
) -> Client:
    people = {
        "nobody": lambda: nobody,
        "a member": lambda: join().supabase,
        "the secret key": lambda: holder_of_secret,
    }
    return people[request.param]()


@pytest.mark.parametrize("anyone", ["nobody", "a member", "the secret key"], indirect=True)
def test_direct_writes_are_refused(
    anyone: Client, owner: Connection, join: Join, submit: Submit
) -> None:
    author, reviewer = join(), join()
    clip = submit(author)
    reviewer.call("cast_vote", clip_id=clip["id"], label="valid")
    before = _digests(owner)
    for table in TABLES:
        key = KEYS.get(table, "id")
        query = anyone.table(table)
        for write in (
            query.insert(ROWS[table]),
            query.upsert(ROWS[table]),
            query.update(ROWS[table]).not_.is_(key, "null"),
            query.delete().not_.is_(key, "null"),
        ):
            with pytest.raises(APIError) as refused:
                write.execute()
            assert refused.value.code in (PERMISSION_DENIED, NOT_UPDATABLE), table
    assert _digests(owner) == before


def test_members_do_not_write_their_own_rows_directly(join: Join, submit: Submit) -> None:
    author = join()
    clip = submit(author)
    mine = author.supabase.table
    for write in (
        mine("profiles").update({"handle": "admin"}).eq("id", author.id),
        mine("clips").update({"status": "valid"}).eq("id", clip["id"]),
        mine("votes").insert({"clip_id": clip["id"], "voter_id": author.id, "label": "valid"}),
    ):
        with pytest.raises(APIError) as refused:
            write.execute()
        assert refused.value.code == PERMISSION_DENIED


@pytest.mark.parametrize("schema", ["ledger", "consensus", "jobs", "identity", "auth", "app"])
def test_other_schemas_are_not_exposed(join: Join, schema: str) -> None:
    with pytest.raises(APIError) as refused:
        join().supabase.schema(schema).table("accounts").select("*").execute()
    assert refused.value.code == "PGRST106"


def _digests(owner: Connection) -> dict[str, Any]:
    """The rows of the tables behind what clients see, in short."""
    tables = (
        "public.profiles",
        "public.languages",
        "public.clips",
        "public.votes",
        "ledger.accounts",
        "audit.events",
    )
    digest = "select md5(string_agg(t::text, ';' order by t::text)) from {} as t"
    return {table: one(owner, digest.format(table)) for table in tables}
