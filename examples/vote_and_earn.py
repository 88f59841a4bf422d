"""The whole path with supabase-py: a clip is submitted, reviewed, decided, its people are paid.

SUPABASE_URL=… SUPABASE_KEY=sb_publishable_… python examples/vote_and_earn.py

`make up` prints both.
"""

import os
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from postgrest.exceptions import APIError
from supabase import Client, create_client


@dataclass
class Person:
    """A client each: it carries their access token."""

    name: str
    id: str
    supabase: Client

    def call(self, door: str, **arguments: Any) -> Any:
        """Call a door. It answers with data or raises APIError (code, message, details, hint)."""
        return self.supabase.rpc(door, arguments).execute().data


def join(name: str) -> Person:
    """Sign up. Where e-mails must be confirmed, following the link makes one a member."""
    supabase = create_client(os.environ["SUPABASE_URL"], os.environ["SUPABASE_KEY"])
    credentials = {"email": f"{name}-{uuid4()}@example.com", "password": str(uuid4())}
    user = supabase.auth.sign_up(credentials).user
    return Person(name, user.id, supabase)


def money(minor: int, currency: str) -> str:
    """Amounts are whole minor units (cents), so that no sum is ever rounded."""
    return f"{minor / 100:.2f} {currency}"


author, reviewers = join("amara"), [join("biko"), join("chidi")]
me = author.call("update_profile", display_name="Amara", locale="yo")
print(f"signed up: {me['display_name']}, member: {me['is_member']}")

# A clip, taken in once. The recording lies in the author's own folder. With an idempotency key the
# call can be repeated when its answer got lost: the same clip comes back.
submission = {
    "kind": "voice",
    "language": "yo",
    "media_path": f"{author.id}/{uuid4()}.ogg",
    "duration_ms": 2400,
    "prompt": "Ẹ káàárọ̀",
    "idempotency_key": str(uuid4()),
}
clip = author.call("submit_clip", **submission)
same = author.call("submit_clip", **submission)["id"] == clip["id"]
print(f"submitted: {clip['status']}, repeated: {'same clip' if same else 'another'}")

# An error is told by its code; message and hint are for people.
try:
    author.call("cast_vote", clip_id=clip["id"], label="valid")
except APIError as error:
    match error.code:
        case "own_clip":
            print(f"refused: {error.code}: {error.message}")
        case "already_decided":
            print("too late: on to the next clip")
        case _:
            raise

# Review: clips are leased for a while, those that need the fewest votes come first.
for reviewer in reviewers:
    for item in reviewer.call("next_clips_to_review", language="yo", max_clips=5):
        vote = reviewer.call("cast_vote", clip_id=item["clip_id"], label="valid")
        needed = f"{vote['votes_needed']} more needed"
        print(f"{reviewer.name} voted {vote['label']}: {vote['status']}, {needed}")

# The feed: everyone sees a valid clip; `!author_id` says which link to profiles is meant.
feed = (
    author.supabase.table("clips")
    .select("prompt, author:profiles!author_id(display_name)")
    .eq("language", "yo")
    .not_.is_("published_at", "null")
    .order("published_at", desc=True)
    .limit(1)
    .execute()
    .data
)
print(f'feed: "{feed[0]["prompt"]}" by {feed[0]["author"]["display_name"]}')

# The wallets: rewards are pending until the decision has stood for some days.
for person in [author, *reviewers]:
    for wallet in person.supabase.table("wallets").select("*").execute().data:
        currency = wallet["currency"]
        lines = person.call("wallet_statement", currency=currency)
        pending = money(wallet["pending"], currency)
        available = money(wallet["available"], currency)
        print(f"{person.name}: {pending} pending, {available} available, {len(lines)} entries")
