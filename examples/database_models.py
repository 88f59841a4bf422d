"""What clients see of the database, for pydantic: enums, rows, types and doors.

Written by `hub types write`; not to be edited. A door is called by its arguments:

    call = CastVoteCall(clip_id=clip_id, label="valid")
    outcome = call.read(supabase.rpc(call.door, call.arguments()).execute().data)
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, TypeAdapter

AppRole = Literal["student", "tutor", "ambassador", "moderator", "admin"]
"""What a person may be besides a user."""
ClipKind = Literal["voice", "video"]
"""What a clip is recorded as."""
SettingChangeState = Literal["proposed", "applied", "rejected", "superseded", "expired"]
"""proposed: waits for a second admin; superseded: another proposal for the setting came later."""
SettingType = Literal["integer", "seconds", "text", "rate"]
"""How a setting's value is written: 12, seconds as 3600, text, or a rate as 60 per 120 s."""
ValidationStatus = Literal["pending", "valid", "invalid"]
"""What the community, or staff, found of a clip."""

Answer = TypeVar("Answer")


class Row(BaseModel):
    """A row as the API sends it. Columns that a later release adds are passed over."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)


class Door(BaseModel, Generic[Answer]):
    """One call of a door: its arguments, and how its answer is read."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    door: ClassVar[str]
    answer: ClassVar[Any]

    def arguments(self) -> dict[str, Any]:
        """What was given, as JSON; what was left out keeps the door's default."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    def read(self, data: Any) -> Answer:
        """The answer, checked."""
        answer: Answer = TypeAdapter(self.answer).validate_python(data)
        return answer


class AccountErasure(Row):
    """An erased account. sign_in_deleted_at: when the sign-in was deleted too, some seconds
    later.
    """

    user_id: UUID
    """Whose account it was."""
    erased_at: datetime
    """When the personal data was erased."""
    sign_in_deleted_at: datetime | None
    """When the sign-in was deleted too, some seconds later; null until then."""
    forfeited: bool
    """Whether money, held or promised, was given up with it."""


class DisputedClip(Row):
    """A clip staff must decide, with the votes per label."""

    clip_id: UUID
    """The clip."""
    kind: ClipKind
    """Voice or video."""
    language: str
    """BCP 47 code of the clip's language."""
    author_id: UUID
    """Who submitted it."""
    media_path: str
    """Object path in the clips bucket."""
    prompt: str | None
    """What the speaker was asked to say, or null."""
    transcript: str | None
    """What the speaker says was said, or null."""
    labels: list[str]
    """The labels people chose from."""
    tally: list[int]
    """Votes per label, in the order of labels."""


class FeatureFlag(Row):
    """A feature flag as staff set it."""

    flag: str
    """Its name."""
    is_on: bool
    """The main switch: off is off for everybody, listed or not."""
    percentage: Decimal
    """While on: share of people who have it."""
    description: str
    """What it switches."""
    listed_users: list[UUID]
    """People who have it whatever the percentage."""
    updated_at: datetime
    """When it was changed last."""


class ReviewItem(Row):
    """A clip leased to a reviewer, with the labels to choose from."""

    clip_id: UUID
    """The clip, leased to you."""
    kind: ClipKind
    """Voice or video."""
    language: str
    """BCP 47 code of the clip's language."""
    media_path: str
    """Object path in the clips bucket."""
    duration_ms: int
    """Length in milliseconds."""
    prompt: str | None
    """What the speaker was asked to say, or null."""
    transcript: str | None
    """What the speaker says was said, or null."""
    labels: list[str]
    """The labels to choose from."""
    lease_expires_at: datetime
    """Until then the clip is kept for you."""


class SealState(Row):
    """How far an append-only table is sealed: its newest seal, and what waits (counted up to
    10000).
    """

    chain: str
    """The table, schema.name."""
    seal_no: int
    """Number of the newest seal; 0 before the first."""
    digest: str | None
    """Digest of the newest seal in hex; null before the first."""
    sealed_at: datetime | None
    """When it was sealed last; null before the first."""
    unsealed_rows: int
    """Rows that wait for a seal, counted up to 10000."""
    unsealed_seconds: float
    """Age of the oldest that waits, 0 when none does."""


class Setting(Row):
    """A setting, its value, its bounds, and whether a change needs a second admin."""

    name: str
    """Its name."""
    type: SettingType
    """How its value is written."""
    value: str
    """Its value now, as text."""
    lowest: int | None
    """Least value, or null."""
    highest: int | None
    """Greatest value, or null."""
    needs_approval: bool
    """Whether a change waits for a second admin."""
    description: str
    """What it rules."""


class SettingChange(Row):
    """A change of a setting, and what became of it."""

    change_id: UUID
    """Its id: approve or reject it by this."""
    name: str
    """The setting."""
    old_value: str
    """Its value before."""
    new_value: str
    """The value asked for."""
    state: SettingChangeState
    """Whether it waits, was applied, or was given up."""
    reason: str
    """Why, as given with the change."""
    proposed_by: UUID
    """Who asked for it."""
    proposed_at: datetime
    """When it was asked for."""
    expires_at: datetime | None
    """Until when it can be approved; null where one admin is enough."""
    decided_by: UUID | None
    """Who applied or rejected it; null while it is open."""
    decided_at: datetime | None
    """When it was applied or rejected; null while it is open."""


class StatementLine(Row):
    """One line of a wallet statement, amounts in minor units."""

    entry_no: int
    """Number of the entry in this wallet; pass the smallest as `before` for the next page."""
    amount: int
    """Minor units that came in, negative when they went out."""
    balance_after: int
    """Minor units posted after this entry."""
    currency: str
    """ISO 4217 code."""
    cause: str
    """What kind of thing moved the money, e.g. clip_author_reward."""
    cause_id: UUID | None
    """Which one: the clip, the payout, the payment; or null."""
    event_at: datetime
    """When it happened."""
    created_at: datetime
    """When it was booked."""


class ValidationOutcome(Row):
    """A clip after staff set its validation status."""

    clip_id: UUID
    """The clip."""
    status: ValidationStatus
    """Its status now."""
    previous_status: ValidationStatus
    """Its status before."""
    is_settled: bool
    """Whether rewards were posted and only staff may change it."""
    version: int
    """The clip's version now."""


class VoteOutcome(Row):
    """A clip as it stands after one's vote."""

    clip_id: UUID
    """The clip."""
    label: str
    """Your vote."""
    status: ValidationStatus
    """What the clip is found to be so far."""
    is_decided: bool
    """Whether voting has ended."""
    votes: int
    """Votes it has, yours included."""
    votes_needed: int
    """Least number of further votes that can decide it; 0 once voting has ended."""
    version: int
    """The clip's version; drop events that carry an older one."""


class WalletBalance(Row):
    """One wallet, in minor units: posted, held for going out, available (posted - held),
    pending to come in.
    """

    currency: str
    """ISO 4217 code."""
    posted: int
    """Sum of the wallet's entries, in minor units."""
    held: int
    """Of it, kept for what is going out."""
    available: int
    """What can be spent: posted - held."""
    pending: int
    """Promised to come in."""


class Me(Row):
    """The signed-in person: profile, roles, wallets and features that are on."""

    id: UUID
    """Your user id."""
    handle: str | None
    """Your name in addresses; null until the first profile exists."""
    display_name: str | None
    """Your name on screen; null until the first profile exists."""
    avatar_path: str | None
    """Object path in the avatars bucket, or null."""
    bio: str | None
    """What you say about yourself; null until the first profile exists."""
    locale: str | None
    """BCP 47 code of the language you read; null until the first profile exists."""
    timezone: str | None
    """Name of your time zone; null until the first profile exists."""
    phone_verified_at: datetime | None
    """When your phone was confirmed, or null."""
    is_member: bool
    """Whether you may act, not only read."""
    roles: list[AppRole]
    """What you are besides a user."""
    wallets: list[WalletBalance]
    """Your wallets, one per currency."""
    created_at: datetime | None
    """When you joined; null until the first profile exists."""
    flags: list[str]
    """Features that are on for you."""


class AuditEventsRow(Row):
    """Staff: who did what to which thing, when and why. Empty for everybody else."""

    id: int
    """Grows with each row."""
    at: datetime
    """When, by the business clock."""
    actor_id: UUID | None
    """The signed-in user, or null when the system acted."""
    actor_role: str
    """The database role it was done with."""
    action: str
    """What was done."""
    subject_type: str
    """What kind of thing it was done to."""
    subject_id: str
    """Which one."""
    reason: str | None
    """Why, in the words of who did it, or null."""
    details: Any
    """What was changed, by name."""
    request_id: str
    """The request that did it; the same in jobs and logs."""


class ClipFeedRow(Row):
    """Validated clips that everyone may see, with their authors. Newest: order by published_at
    desc.
    """

    id: UUID
    """Grows with time (UUID version 7)."""
    kind: ClipKind
    """Voice or video."""
    language: str
    """The language spoken."""
    media_path: str
    """Object path in the clips bucket, inside the author's own folder."""
    duration_ms: int
    """Length in milliseconds."""
    prompt: str | None
    """What the speaker was asked to say, or null."""
    transcript: str | None
    """What the speaker says was said, or null."""
    author_id: UUID
    """Who submitted it."""
    author_handle: str
    """The name in addresses, lower case, unique."""
    author_display_name: str
    """The name on screen, empty until set."""
    author_avatar_path: str | None
    """Object path in the avatars bucket."""
    published_at: datetime | None
    """Set while everyone may see the clip: valid and not hidden."""


class ClipsRow(Row):
    """Contributed clips. Others see one only while it is published."""

    id: UUID
    """Grows with time (UUID version 7)."""
    author_id: UUID
    """Who submitted it."""
    kind: ClipKind
    """Voice or video."""
    language: str
    """The language spoken."""
    media_path: str
    """Object path in the clips bucket, inside the author's own folder."""
    duration_ms: int
    """Length in milliseconds."""
    prompt: str | None
    """What the speaker was asked to say, or null."""
    transcript: str | None
    """What the speaker says was said, or null."""
    status: ValidationStatus
    """What it is found to be."""
    status_reason: str | None
    """Why the clip has its status, for its author."""
    is_hidden: bool
    """Hidden by moderation; never published while set."""
    version: int
    """Grows with every change; events carry it."""
    created_at: datetime
    """When it was submitted."""
    decided_at: datetime | None
    """When voting or staff decided it; null while pending."""
    published_at: datetime | None
    """Set while everyone may see the clip: valid and not hidden."""


class LanguagesRow(Row):
    """Languages clips may be in, by BCP 47 tag."""

    code: str
    """BCP 47 code."""
    name: str
    """The language's name in English."""
    is_open: bool
    """Whether new clips are accepted."""


class ProfilesRow(Row):
    """What everyone may see of a person."""

    id: UUID
    """The user id of Supabase Auth."""
    handle: str
    """The name in addresses, lower case, unique."""
    display_name: str
    """The name on screen, empty until set."""
    avatar_path: str | None
    """Object path in the avatars bucket."""
    bio: str
    """What people say about themselves."""
    created_at: datetime
    """When they joined."""
    updated_at: datetime
    """When the profile was changed last."""


class VotesRow(Row):
    """One vote per person and clip; voting again replaces it until the clip is decided."""

    clip_id: UUID
    """The clip."""
    voter_id: UUID
    """Who voted."""
    label: str
    """What they found."""
    created_at: datetime
    """When they voted first."""
    updated_at: datetime
    """When they changed it last."""


class WalletsRow(Row):
    """Your wallets, in minor units: posted, held, available (posted - held), pending to come
    in.
    """

    currency: str
    """ISO 4217 code."""
    posted: int
    """Sum of the account's entries, in minor units."""
    held: int
    """Sum of its pending outgoing holds. Available = posted - held."""
    available: int
    """What can be spent: posted - held."""
    pending: int
    """Promised to come in."""
    version: int
    """Number of entries; the newest entry carries it."""
    created_at: datetime
    """When the account was opened."""


class ApproveSettingChangeCall(Door[SettingChange]):
    """Admins: approve another admin's change of a dangerous setting; it takes effect at once."""

    door: ClassVar[str] = "approve_setting_change"
    answer: ClassVar[Any] = SettingChange

    change_id: UUID
    idempotency_key: str | None = None


class CastVoteCall(Door[VoteOutcome]):
    """Cast or change your vote on a clip. Returns the clip's state after the vote."""

    door: ClassVar[str] = "cast_vote"
    answer: ClassVar[Any] = VoteOutcome

    clip_id: UUID
    label: str


class ChangeSettingCall(Door[SettingChange]):
    """Admins: change a setting, with a reason. A dangerous one waits for another admin:
    approve_setting_change.
    """

    door: ClassVar[str] = "change_setting"
    answer: ClassVar[Any] = SettingChange

    name: str
    value: str
    reason: str
    idempotency_key: str | None = None


class DisputedClipsCall(Door[list[DisputedClip]]):
    """Staff: clips that reached their vote cap undecided, oldest first, with labels and tally."""

    door: ClassVar[str] = "disputed_clips"
    answer: ClassVar[Any] = list[DisputedClip]

    language: str
    after: UUID | None = None
    max_rows: int | None = None


class EraseAccountCall(Door[AccountErasure]):
    """Admins: erase somebody's account, with a reason. forfeit: money left in it goes to the
    platform. Audited.
    """

    door: ClassVar[str] = "erase_account"
    answer: ClassVar[Any] = AccountErasure

    user_id: UUID
    reason: str
    forfeit: bool | None = None
    idempotency_key: str | None = None


class EraseMyAccountCall(Door[AccountErasure]):
    """Erase your account for good. confirm is "erase my account", or, with money left, "erase
    my account and forfeit my balance".
    """

    door: ClassVar[str] = "erase_my_account"
    answer: ClassVar[Any] = AccountErasure

    confirm: str
    idempotency_key: str | None = None


class ExportMyDataCall(Door[Any]):
    """Everything stored about you, as one JSON document: account, profile, clips, votes,
    wallets, statement, record.
    """

    door: ClassVar[str] = "export_my_data"
    answer: ClassVar[Any] = Any


class GrantRoleCall(Door[None]):
    """Admins: give somebody a role, with a reason. Audited."""

    door: ClassVar[str] = "grant_role"
    answer: ClassVar[Any] = None

    user_id: UUID
    role: AppRole
    reason: str
    idempotency_key: str | None = None


class ListFlagsCall(Door[list[FeatureFlag]]):
    """Admins: every feature flag, its switch, percentage and listed people."""

    door: ClassVar[str] = "list_flags"
    answer: ClassVar[Any] = list[FeatureFlag]


class ListSettingChangesCall(Door[list[SettingChange]]):
    """Admins: changes of settings, newest first, with those that wait for approval; page with
    before_change.
    """

    door: ClassVar[str] = "list_setting_changes"
    answer: ClassVar[Any] = list[SettingChange]

    before_change: UUID | None = None
    max_rows: int | None = None


class ListSettingsCall(Door[list[Setting]]):
    """Admins: every setting, its value and bounds, and whether a change needs a second admin."""

    door: ClassVar[str] = "list_settings"
    answer: ClassVar[Any] = list[Setting]


class MeCall(Door[Me]):
    """Yourself: profile, whether you are a member, roles, wallets (minor units), features that
    are on.
    """

    door: ClassVar[str] = "me"
    answer: ClassVar[Any] = Me


class MyFlagsRow(Row):
    """One row of what my_flags() answers."""

    flag: str
    is_on: bool


class MyFlagsCall(Door[list[MyFlagsRow]]):
    """Every feature flag and whether it is on for you."""

    door: ClassVar[str] = "my_flags"
    answer: ClassVar[Any] = list[MyFlagsRow]


class NextClipsToReviewCall(Door[list[ReviewItem]]):
    """Clips leased to you for review in one language; vote, skip, or let the lease run out."""

    door: ClassVar[str] = "next_clips_to_review"
    answer: ClassVar[Any] = list[ReviewItem]

    language: str
    max_clips: int | None = None


class RejectSettingChangeCall(Door[SettingChange]):
    """Admins: give up a proposed change of a setting, with a reason."""

    door: ClassVar[str] = "reject_setting_change"
    answer: ClassVar[Any] = SettingChange

    change_id: UUID
    reason: str
    idempotency_key: str | None = None


class RevokeRoleCall(Door[None]):
    """Admins: take a role from somebody, with a reason. Audited; the last admin stays."""

    door: ClassVar[str] = "revoke_role"
    answer: ClassVar[Any] = None

    user_id: UUID
    role: AppRole
    reason: str
    idempotency_key: str | None = None


class SealStatusCall(Door[list[SealState]]):
    """Staff: how far the append-only tables are sealed, the newest digest, and what waits."""

    door: ClassVar[str] = "seal_status"
    answer: ClassVar[Any] = list[SealState]


class SetFlagCall(Door[FeatureFlag]):
    """Admins: make or change a feature flag, with a reason. What you leave out stays as it is."""

    door: ClassVar[str] = "set_flag"
    answer: ClassVar[Any] = FeatureFlag

    flag: str
    reason: str
    is_on: bool | None = None
    percentage: Decimal | None = None
    description: str | None = None
    idempotency_key: str | None = None


class SetFlagForUserCall(Door[FeatureFlag]):
    """Admins: put a person on a flag's list or take them off it, with a reason."""

    door: ClassVar[str] = "set_flag_for_user"
    answer: ClassVar[Any] = FeatureFlag

    flag: str
    user_id: UUID
    is_listed: bool
    reason: str
    idempotency_key: str | None = None


class SetValidationStatusCall(Door[ValidationOutcome]):
    """Staff: confirm, overrule or reopen a clip's validation, with a reason. Final and paid at
    once unless pending.
    """

    door: ClassVar[str] = "set_validation_status"
    answer: ClassVar[Any] = ValidationOutcome

    clip_id: UUID
    status: ValidationStatus
    reason: str
    idempotency_key: str | None = None


class SkipClipCall(Door[None]):
    """Pass over a clip; it is not offered to you again."""

    door: ClassVar[str] = "skip_clip"
    answer: ClassVar[Any] = None

    clip_id: UUID


class SubmitClipCall(Door[ClipsRow]):
    """Submit a clip you uploaded to <your id>/… in the clips bucket; returns it, pending.
    Repeat with the same idempotency_key when unsure.
    """

    door: ClassVar[str] = "submit_clip"
    answer: ClassVar[Any] = ClipsRow

    kind: ClipKind
    language: str
    media_path: str
    duration_ms: int
    prompt: str | None = None
    transcript: str | None = None
    idempotency_key: str | None = None


class UpdateProfileCall(Door[Me]):
    """Change your profile; fields you leave out stay as they are. Returns me()."""

    door: ClassVar[str] = "update_profile"
    answer: ClassVar[Any] = Me

    handle: str | None = None
    display_name: str | None = None
    avatar_path: str | None = None
    bio: str | None = None
    locale: str | None = None
    timezone: str | None = None


class VotesOnClipCall(Door[list[VotesRow]]):
    """Staff: all votes on a clip, oldest first."""

    door: ClassVar[str] = "votes_on_clip"
    answer: ClassVar[Any] = list[VotesRow]

    clip_id: UUID


class WalletStatementCall(Door[list[StatementLine]]):
    """Your wallet's entries, newest first; page with before = the last entry_no you have."""

    door: ClassVar[str] = "wallet_statement"
    answer: ClassVar[Any] = list[StatementLine]

    currency: str
    before: int | None = None
    max_rows: int | None = None
