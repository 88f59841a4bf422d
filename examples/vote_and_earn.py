"""The whole path with supabase-py: a clip is submitted, reviewed, decided, its people are paid.

SUPABASE_URL=… SUPABASE_KEY=sb_publishable_… python examples/vote_and_earn.py

`make up` prints both. Doors, rows and answers come from database_models.py, which `make types`
writes: a type checker knows them, and an answer of another shape is refused.
"""

import os
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID, uuid4

from database_models import (
    CastVoteCall,
    Door,
    NextClipsToReviewCall,
    SubmitClipCall,
    UpdateProfileCall,
    WalletsRow,
    WalletStatementCall,
)
from postgrest.exceptions import APIError
from pydantic import BaseModel
from supabase import Client, create_client

Answer = TypeVar("Answer")


@dataclass
class Person:
    """A client each: it carries their access token."""

    name: str
    id: UUID
    supabase: Client

    def call(self, door: Door[Answer]) -> Answer:
        """Call a door. It answers with data or raises APIError (code, message, details, hint)."""
        return door.read(self.supabase.rpc(door.door, door.arguments()).execute().data)


def join(name: str) -> Person:
    """Sign up. Where e-mails must be confirmed, following the link makes one a member."""
    supabase = create_client(os.environ["SUPABASE_URL"], os.environ["SUPABASE_KEY"])
    email, password = f"{name}-{uuid4()}@example.com", str(uuid4())
    user = supabase.auth.sign_up({"email": email, "password": password}).user
    if user is None:
        raise RuntimeError("signed up as nobody")
    return Person(name, UUID(user.id), supabase)


class Author(BaseModel):
    display_name: str


class FeedItem(BaseModel):
    """What the select below asks for."""

    prompt: str | None
    author: Author


def money(minor: int, currency: str) -> str:
    """Amounts are whole minor units (cents), so that no sum is ever rounded."""
    return f"{minor / 100:.2f} {currency}"


author, reviewers = join("amara"), [join("biko"), join("chidi")]
me = author.call(UpdateProfileCall(display_name="Amara", locale="yo"))
print(f"signed up: {me.display_name}, member: {me.is_member}")

# A clip, taken in once. The recording lies in the author's own folder. With an idempotency key the
# call can be repeated when its answer got lost: the same clip comes back.
submission = SubmitClipCall(
    kind="voice",
    language="yo",
    media_path=f"{author.id}/{uuid4()}.ogg",
    duration_ms=2400,
    prompt="Ẹ káàárọ̀",
    idempotency_key=str(uuid4()),
)
clip = author.call(submission)
same = author.call(submission).id == clip.id
print(f"submitted: {clip.status}, repeated: {'same clip' if same else 'another'}")

# An error is told by its code; message and hint are for people.
try:
    author.call(CastVoteCall(clip_id=clip.id, label="valid"))
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
    for item in reviewer.call(NextClipsToReviewCall(language="yo", max_clips=5)):
        vote = reviewer.call(CastVoteCall(clip_id=item.clip_id, label="valid"))
        needed = f"{vote.votes_needed} more needed"
        print(f"{reviewer.name} voted {vote.label}: {vote.status}, {needed}")

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
newest = FeedItem.model_validate(feed[0])
print(f'feed: "{newest.prompt}" by {newest.author.display_name}')

# The wallets: rewards are pending until the decision has stood for some days.
for person in [author, *reviewers]:
    for row in person.supabase.table("wallets").select("*").execute().data:
        wallet = WalletsRow.model_validate(row)
        lines = person.call(WalletStatementCall(currency=wallet.currency))
        pending = money(wallet.pending, wallet.currency)
        available = money(wallet.available, wallet.currency)
        print(f"{person.name}: {pending} pending, {available} available, {len(lines)} entries")
