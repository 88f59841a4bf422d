"""What client developers rely on, asked through both SDKs: people, errors, embedding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from postgrest.exceptions import APIError
from supabase import Client

from tests.examples.conftest import Person
from tests.support.databases import Connection

Submit = Callable[..., dict[str, Any]]
Join = Callable[[], Person]
AskJs = Callable[..., Any]

SIGN_UP = """(async () => {
  const { data } = await supabase.auth.signUp(given);
  const { data: me } = await supabase.rpc("me");
  const { id } = data.user;
  const { data: profile } = await supabase.from("profiles").select("id").eq("id", id).single();
  return { id, me, profile };
})()"""

ASK_ALL = """Promise.all(given.map(async ([door, args]) => {
  const { error, status } = await supabase.rpc(door, args);
  return { ...error, status };
}))"""


def test_sign_up_with_supabase_py_makes_a_member_with_a_profile(join: Join) -> None:
    person = join()
    me = person.call("me")
    assert (me["id"], me["is_member"], me["roles"], me["wallets"]) == (person.id, True, [], [])
    [profile] = person.supabase.table("profiles").select("id").eq("id", person.id).execute().data
    assert profile == {"id": person.id}


def test_sign_up_with_supabase_js_makes_a_member_with_a_profile(ask_js: AskJs) -> None:
    credentials = {"email": f"{uuid4()}@example.com", "password": str(uuid4())}
    joined = ask_js(SIGN_UP, given=credentials)
    assert joined["me"]["id"] == joined["id"]
    assert joined["me"]["is_member"] is True
    assert joined["profile"] == {"id": joined["id"]}


def test_an_anonymous_user_may_read_and_is_no_member(nobody: Client, owner: Connection) -> None:
    signed_in = nobody.auth.sign_in_anonymously()
    assert signed_in.user is not None
    assert nobody.rpc("me", {}).execute().data["is_member"] is False
    with pytest.raises(APIError) as refused:
        nobody.rpc("next_clips_to_review", {"language": "sw"}).execute()
    assert refused.value.code == "not_a_member"


def test_both_sdks_see_the_same_errors(
    owner: Connection, join: Join, submit: Submit, ask_js: AskJs
) -> None:
    """Each error is the catalogue's entry with details of its own; supabase-js adds the status."""
    author, stranger = join(), join()
    clip_id = submit(author)["id"]
    key = str(uuid4())
    submit(stranger, idempotency_key=key)
    again = {
        "kind": "voice", "language": "ha", "duration_ms": 1, "prompt": "?", "idempotency_key": key,
        "media_path": f"{stranger.id}/{uuid4()}.ogg",
    }  # fmt: skip
    cases: list[tuple[str, str, dict[str, Any]]] = [
        ("unknown_label", "cast_vote", {"clip_id": clip_id, "label": "splendid"}),
        ("clip_not_found", "cast_vote", {"clip_id": str(uuid4()), "label": "valid"}),
        ("invalid_input", "next_clips_to_review", {"language": "ha", "max_clips": 0}),
        ("unknown_language", "next_clips_to_review", {"language": "xx"}),
        ("invalid_input", "update_profile", {"handle": "No Handle"}),
        ("invalid_input", "wallet_statement", {"currency": "dollars"}),
        ("idempotency_key_reused", "submit_clip", again),
        (
            "not_permitted",
            "set_validation_status",
            {"clip_id": clip_id, "status": "valid", "reason": "because"},
        ),
    ]
    catalogue = {
        code: (status, message, hint)
        for code, status, message, hint in owner.execute("select * from app.error_catalog()")
    }
    seen_by_js = ask_js(ASK_ALL, person=stranger, given=[case[1:] for case in cases])
    for (code, door, arguments), js in zip(cases, seen_by_js, strict=True):
        status, message, hint = catalogue[code]
        with pytest.raises(APIError) as refused:
            stranger.call(door, **arguments)
        py = refused.value
        assert (py.code, py.message, py.hint) == (code, message, hint), door
        assert (js["code"], js["message"], js["hint"]) == (code, message, hint), door
        assert js["status"] == status, door
        assert js["details"] == py.details, door


def test_details_name_what_was_wrong(join: Join, submit: Submit) -> None:
    author, reviewer = join(), join()
    clip = submit(author)
    with pytest.raises(APIError) as refused:
        reviewer.call("cast_vote", clip_id=clip["id"], label="splendid")
    assert refused.value.details == "label: one of valid, invalid"


def test_a_clip_embeds_its_author(join: Join, submit: Submit, ask_js: AskJs) -> None:
    author = join()
    clip = submit(author)
    expected = {**clip, "author": {"handle": author.call("me")["handle"]}}
    query = "*, author:profiles!author_id(handle)"
    found = author.supabase.table("clips").select(query).eq("id", clip["id"]).execute().data
    assert found == [expected]
    in_js = f"""supabase.from("clips").select("{query}").eq("id", given).then(({{data}}) => data)"""
    assert ask_js(in_js, person=author, given=clip["id"]) == [expected]


def test_a_vote_embeds_its_voter_and_its_clip(join: Join, submit: Submit) -> None:
    author, first, second = join(), join(), join()
    clip = submit(author)
    for reviewer in (first, second):
        reviewer.call("cast_vote", clip_id=clip["id"], label="valid")
    [vote] = (
        first.supabase.table("votes")
        .select("*, author:profiles(handle), clip:clips(status, prompt)")
        .execute()
        .data
    )
    assert vote["label"] == "valid"
    assert vote["author"] == {"handle": first.call("me")["handle"]}
    assert vote["clip"] == {"status": "valid", "prompt": clip["prompt"]}


def test_the_feed_shows_everyone_a_valid_clip_with_its_author(
    join: Join, submit: Submit, nobody: Client
) -> None:
    author, first, second = join(), join(), join()
    author.call("update_profile", display_name="Abebe", handle=f"a{uuid4().hex[:20]}")
    clip = submit(author, language="am")
    seen = nobody.table("clip_feed").select("*").eq("id", clip["id"])
    assert seen.execute().data == []
    for reviewer in (first, second):
        reviewer.call("cast_vote", clip_id=clip["id"], label="valid")
    [shown] = seen.execute().data
    me = author.call("me")
    assert shown["author_display_name"] == "Abebe"
    assert (shown["author_id"], shown["author_handle"]) == (author.id, me["handle"])
