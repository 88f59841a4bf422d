-- What every column and attribute that clients see means: the reference and the typed clients are
-- generated from it. A text that says null is what marks an attribute of a type as one that may be.

comment on column public.profiles.id is 'The user id of Supabase Auth.';
comment on column public.profiles.handle is 'The name in addresses, lower case, unique.';
comment on column public.profiles.display_name is 'The name on screen, empty until set.';
comment on column public.profiles.bio is 'What people say about themselves.';
comment on column public.profiles.created_at is 'When they joined.';
comment on column public.profiles.updated_at is 'When the profile was changed last.';

comment on column public.languages.code is 'BCP 47 code.';
comment on column public.languages.name is 'The language''s name in English.';

comment on column public.clips.id is 'Grows with time (UUID version 7).';
comment on column public.clips.author_id is 'Who submitted it.';
comment on column public.clips.kind is 'Voice or video.';
comment on column public.clips.language is 'The language spoken.';
comment on column public.clips.duration_ms is 'Length in milliseconds.';
comment on column public.clips.prompt is 'What the speaker was asked to say, or null.';
comment on column public.clips.transcript is 'What the speaker says was said, or null.';
comment on column public.clips.status is 'What it is found to be.';
comment on column public.clips.created_at is 'When it was submitted.';
comment on column public.clips.decided_at is 'When voting or staff decided it; null while pending.';

comment on column public.votes.clip_id is 'The clip.';
comment on column public.votes.voter_id is 'Who voted.';
comment on column public.votes.label is 'What they found.';
comment on column public.votes.created_at is 'When they voted first.';
comment on column public.votes.updated_at is 'When they changed it last.';

comment on column audit.events.id is 'Grows with each row.';
comment on column audit.events.at is 'When, by the business clock.';
comment on column audit.events.actor_role is 'The database role it was done with.';
comment on column audit.events.action is 'What was done.';
comment on column audit.events.subject_type is 'What kind of thing it was done to.';
comment on column audit.events.subject_id is 'Which one.';
comment on column audit.events.reason is 'Why, in the words of who did it, or null.';
comment on column audit.events.details is 'What was changed, by name.';
comment on column audit.events.request_id is 'The request that did it; the same in jobs and logs.';

comment on column ledger.accounts.currency is 'ISO 4217 code.';
comment on column ledger.accounts.created_at is 'When the account was opened.';

comment on column public.vote_outcome.clip_id is 'The clip.';
comment on column public.vote_outcome.label is 'Your vote.';
comment on column public.vote_outcome.status is 'What the clip is found to be so far.';
comment on column public.vote_outcome.is_decided is 'Whether voting has ended.';
comment on column public.vote_outcome.votes is 'Votes it has, yours included.';
comment on column public.vote_outcome.votes_needed is
'Least number of further votes that can decide it; 0 once voting has ended.';
comment on column public.vote_outcome.version is 'The clip''s version; drop events that carry an older one.';

comment on column public.review_item.clip_id is 'The clip, leased to you.';
comment on column public.review_item.kind is 'Voice or video.';
comment on column public.review_item.language is 'BCP 47 code of the clip''s language.';
comment on column public.review_item.media_path is 'Object path in the clips bucket.';
comment on column public.review_item.duration_ms is 'Length in milliseconds.';
comment on column public.review_item.prompt is 'What the speaker was asked to say, or null.';
comment on column public.review_item.transcript is 'What the speaker says was said, or null.';
comment on column public.review_item.labels is 'The labels to choose from.';
comment on column public.review_item.lease_expires_at is 'Until then the clip is kept for you.';

comment on column public.disputed_clip.clip_id is 'The clip.';
comment on column public.disputed_clip.kind is 'Voice or video.';
comment on column public.disputed_clip.language is 'BCP 47 code of the clip''s language.';
comment on column public.disputed_clip.author_id is 'Who submitted it.';
comment on column public.disputed_clip.media_path is 'Object path in the clips bucket.';
comment on column public.disputed_clip.prompt is 'What the speaker was asked to say, or null.';
comment on column public.disputed_clip.transcript is 'What the speaker says was said, or null.';
comment on column public.disputed_clip.labels is 'The labels people chose from.';
comment on column public.disputed_clip.tally is 'Votes per label, in the order of labels.';

comment on column public.validation_outcome.clip_id is 'The clip.';
comment on column public.validation_outcome.status is 'Its status now.';
comment on column public.validation_outcome.previous_status is 'Its status before.';
comment on column public.validation_outcome.is_settled is 'Whether rewards were posted and only staff may change it.';
comment on column public.validation_outcome.version is 'The clip''s version now.';

comment on column public.statement_line.entry_no is
'Number of the entry in this wallet; pass the smallest as `before` for the next page.';
comment on column public.statement_line.amount is 'Minor units that came in, negative when they went out.';
comment on column public.statement_line.balance_after is 'Minor units posted after this entry.';
comment on column public.statement_line.currency is 'ISO 4217 code.';
comment on column public.statement_line.cause is 'What kind of thing moved the money, e.g. clip_author_reward.';
comment on column public.statement_line.cause_id is 'Which one: the clip, the payout, the payment; or null.';
comment on column public.statement_line.event_at is 'When it happened.';
comment on column public.statement_line.created_at is 'When it was booked.';

comment on column public.wallet_balance.currency is 'ISO 4217 code.';
comment on column public.wallet_balance.posted is 'Sum of the wallet''s entries, in minor units.';
comment on column public.wallet_balance.held is 'Of it, kept for what is going out.';
comment on column public.wallet_balance.available is 'What can be spent: posted - held.';
comment on column public.wallet_balance.pending is 'Promised to come in.';

comment on column public.me.id is 'Your user id.';
comment on column public.me.handle is 'Your name in addresses; null until the first profile exists.';
comment on column public.me.display_name is 'Your name on screen; null until the first profile exists.';
comment on column public.me.avatar_path is 'Object path in the avatars bucket, or null.';
comment on column public.me.bio is 'What you say about yourself; null until the first profile exists.';
comment on column public.me.locale is 'BCP 47 code of the language you read; null until the first profile exists.';
comment on column public.me.timezone is 'Name of your time zone; null until the first profile exists.';
comment on column public.me.phone_verified_at is 'When your phone was confirmed, or null.';
comment on column public.me.is_member is 'Whether you may act, not only read.';
comment on column public.me.roles is 'What you are besides a user.';
comment on column public.me.wallets is 'Your wallets, one per currency.';
comment on column public.me.created_at is 'When you joined; null until the first profile exists.';
comment on column public.me.flags is 'Features that are on for you.';

comment on column public.feature_flag.flag is 'Its name.';
comment on column public.feature_flag.is_on is 'The main switch: off is off for everybody, listed or not.';
comment on column public.feature_flag.percentage is 'While on: share of people who have it.';
comment on column public.feature_flag.description is 'What it switches.';
comment on column public.feature_flag.listed_users is 'People who have it whatever the percentage.';
comment on column public.feature_flag.updated_at is 'When it was changed last.';

comment on column public.setting.name is 'Its name.';
comment on column public.setting.type is 'How its value is written.';
comment on column public.setting.value is 'Its value now, as text.';
comment on column public.setting.lowest is 'Least value, or null.';
comment on column public.setting.highest is 'Greatest value, or null.';
comment on column public.setting.needs_approval is 'Whether a change waits for a second admin.';
comment on column public.setting.description is 'What it rules.';

comment on column public.setting_change.change_id is 'Its id: approve or reject it by this.';
comment on column public.setting_change.name is 'The setting.';
comment on column public.setting_change.old_value is 'Its value before.';
comment on column public.setting_change.new_value is 'The value asked for.';
comment on column public.setting_change.state is 'Whether it waits, was applied, or was given up.';
comment on column public.setting_change.reason is 'Why, as given with the change.';
comment on column public.setting_change.proposed_by is 'Who asked for it.';
comment on column public.setting_change.proposed_at is 'When it was asked for.';
comment on column public.setting_change.expires_at is 'Until when it can be approved; null where one admin is enough.';
comment on column public.setting_change.decided_by is 'Who applied or rejected it; null while it is open.';
comment on column public.setting_change.decided_at is 'When it was applied or rejected; null while it is open.';

comment on column public.seal_state.chain is 'The table, schema.name.';
comment on column public.seal_state.seal_no is 'Number of the newest seal; 0 before the first.';
comment on column public.seal_state.digest is 'Digest of the newest seal in hex; null before the first.';
comment on column public.seal_state.sealed_at is 'When it was sealed last; null before the first.';
comment on column public.seal_state.unsealed_rows is 'Rows that wait for a seal, counted up to 10000.';
comment on column public.seal_state.unsealed_seconds is 'Age of the oldest that waits, 0 when none does.';

comment on column public.account_erasure.user_id is 'Whose account it was.';
comment on column public.account_erasure.erased_at is 'When the personal data was erased.';
comment on column public.account_erasure.sign_in_deleted_at is
'When the sign-in was deleted too, some seconds later; null until then.';
comment on column public.account_erasure.forfeited is 'Whether money, held or promised, was given up with it.';
