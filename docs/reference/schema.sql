-- The whole schema as deploy leaves it. Written by `hub schema dump`; do not edit.

--
-- PostgreSQL database dump
--

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: app; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA app;

--
-- Name: SCHEMA app; Type: COMMENT; Schema: -; Owner: -
--

COMMENT ON SCHEMA app IS 'Kernel: the caller, the clock, errors, idempotency.';

--
-- Name: audit; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA audit;

--
-- Name: SCHEMA audit; Type: COMMENT; Schema: -; Owner: -
--

COMMENT ON SCHEMA audit IS 'The append-only record of decisions and protected actions.';

--
-- Name: clips; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA clips;

--
-- Name: SCHEMA clips; Type: COMMENT; Schema: -; Owner: -
--

COMMENT ON SCHEMA clips IS 'Contributed voice and video clips.';

--
-- Name: consensus; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA consensus;

--
-- Name: SCHEMA consensus; Type: COMMENT; Schema: -; Owner: -
--

COMMENT ON SCHEMA consensus IS 'Votes, decisions, and the rewards they cause.';

--
-- Name: deploy; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA deploy;

--
-- Name: SCHEMA deploy; Type: COMMENT; Schema: -; Owner: -
--

COMMENT ON SCHEMA deploy IS 'What hub deploy has applied. Written by hub deploy only.';

--
-- Name: flags; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA flags;

--
-- Name: SCHEMA flags; Type: COMMENT; Schema: -; Owner: -
--

COMMENT ON SCHEMA flags IS 'Feature flags.';

--
-- Name: identity; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA identity;

--
-- Name: SCHEMA identity; Type: COMMENT; Schema: -; Owner: -
--

COMMENT ON SCHEMA identity IS 'Profiles and roles.';

--
-- Name: jobs; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA jobs;

--
-- Name: SCHEMA jobs; Type: COMMENT; Schema: -; Owner: -
--

COMMENT ON SCHEMA jobs IS 'The queue: outbox streams, leases, retries, attempts, dead letters. Not exposed.';

--
-- Name: ledger; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA ledger;

--
-- Name: SCHEMA ledger; Type: COMMENT; Schema: -; Owner: -
--

COMMENT ON SCHEMA ledger IS 'Accounts, transfers, entries and holds: where money is.';

--
-- Name: limits; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA limits;

--
-- Name: SCHEMA limits; Type: COMMENT; Schema: -; Owner: -
--

COMMENT ON SCHEMA limits IS 'Rate limits as data, and what has been used of them. Not exposed.';

--
-- Name: seals; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA seals;

--
-- Name: SCHEMA seals; Type: COMMENT; Schema: -; Owner: -
--

COMMENT ON SCHEMA seals IS 'Hash chains over append-only tables, and their proof.';

--
-- Name: secrets; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA secrets;

--
-- Name: SCHEMA secrets; Type: COMMENT; Schema: -; Owner: -
--

COMMENT ON SCHEMA secrets IS 'Secrets by name and version. Not exposed.';

--
-- Name: settings; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA settings;

--
-- Name: SCHEMA settings; Type: COMMENT; Schema: -; Owner: -
--

COMMENT ON SCHEMA settings IS 'Sensitive settings and how they were changed.';

--
-- Name: item_state; Type: TYPE; Schema: consensus; Owner: -
--

CREATE TYPE consensus.item_state AS ENUM (
    'open',
    'disputed',
    'decided',
    'settled'
);

--
-- Name: app_role; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.app_role AS ENUM (
    'student',
    'tutor',
    'ambassador',
    'moderator',
    'admin'
);

--
-- Name: TYPE app_role; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TYPE public.app_role IS 'What a person may be besides a user.';

--
-- Name: wallet_balance; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.wallet_balance AS (
	currency text,
	posted bigint,
	held bigint,
	available bigint,
	pending bigint
);

--
-- Name: TYPE wallet_balance; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TYPE public.wallet_balance IS 'One wallet, in minor units: posted, held for going out, available (posted - held), pending to come in.';

--
-- Name: COLUMN wallet_balance.currency; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.wallet_balance.currency IS 'ISO 4217 code.';

--
-- Name: COLUMN wallet_balance.posted; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.wallet_balance.posted IS 'Sum of the wallet''s entries, in minor units.';

--
-- Name: COLUMN wallet_balance.held; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.wallet_balance.held IS 'Of it, kept for what is going out.';

--
-- Name: COLUMN wallet_balance.available; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.wallet_balance.available IS 'What can be spent: posted - held.';

--
-- Name: COLUMN wallet_balance.pending; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.wallet_balance.pending IS 'Promised to come in.';

--
-- Name: me_before_flags; Type: TYPE; Schema: identity; Owner: -
--

CREATE TYPE identity.me_before_flags AS (
	id uuid,
	handle text,
	display_name text,
	avatar_path text,
	bio text,
	locale text,
	timezone text,
	phone_verified_at timestamp with time zone,
	is_member boolean,
	roles public.app_role[],
	wallets public.wallet_balance[],
	created_at timestamp with time zone
);

--
-- Name: TYPE me_before_flags; Type: COMMENT; Schema: identity; Owner: -
--

COMMENT ON TYPE identity.me_before_flags IS 'The shape of me() in the release before flags; nothing uses it any more.';

--
-- Name: account_purpose; Type: TYPE; Schema: ledger; Owner: -
--

CREATE TYPE ledger.account_purpose AS ENUM (
    'wallet',
    'funding',
    'reward_pool',
    'revenue',
    'fees',
    'escrow',
    'provider_clearing',
    'payouts_in_flight'
);

--
-- Name: hold_request; Type: TYPE; Schema: ledger; Owner: -
--

CREATE TYPE ledger.hold_request AS (
	debit_account_id bigint,
	credit_account_id bigint,
	amount bigint,
	cause text,
	cause_id uuid,
	expires_at timestamp with time zone
);

--
-- Name: TYPE hold_request; Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON TYPE ledger.hold_request IS 'A hold to be placed: see ledger.place_holds.';

--
-- Name: hold_state; Type: TYPE; Schema: ledger; Owner: -
--

CREATE TYPE ledger.hold_state AS ENUM (
    'pending',
    'settled',
    'voided',
    'expired'
);

--
-- Name: posting; Type: TYPE; Schema: ledger; Owner: -
--

CREATE TYPE ledger.posting AS (
	debit_account_id bigint,
	credit_account_id bigint,
	amount bigint,
	cause text,
	cause_id uuid,
	event_at timestamp with time zone,
	hold_id bigint,
	reverses_transfer_id bigint
);

--
-- Name: TYPE posting; Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON TYPE ledger.posting IS 'A transfer to be posted: see ledger.post.';

--
-- Name: scope; Type: TYPE; Schema: limits; Owner: -
--

CREATE TYPE limits.scope AS ENUM (
    'user',
    'ip'
);

--
-- Name: account_erasure; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.account_erasure AS (
	user_id uuid,
	erased_at timestamp with time zone,
	sign_in_deleted_at timestamp with time zone,
	forfeited boolean
);

--
-- Name: TYPE account_erasure; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TYPE public.account_erasure IS 'An erased account. sign_in_deleted_at: when the sign-in was deleted too, some seconds later.';

--
-- Name: COLUMN account_erasure.user_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.account_erasure.user_id IS 'Whose account it was.';

--
-- Name: COLUMN account_erasure.erased_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.account_erasure.erased_at IS 'When the personal data was erased.';

--
-- Name: COLUMN account_erasure.sign_in_deleted_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.account_erasure.sign_in_deleted_at IS 'When the sign-in was deleted too, some seconds later; null until then.';

--
-- Name: COLUMN account_erasure.forfeited; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.account_erasure.forfeited IS 'Whether money, held or promised, was given up with it.';

--
-- Name: clip_kind; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.clip_kind AS ENUM (
    'voice',
    'video'
);

--
-- Name: TYPE clip_kind; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TYPE public.clip_kind IS 'What a clip is recorded as.';

--
-- Name: disputed_clip; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.disputed_clip AS (
	clip_id uuid,
	kind public.clip_kind,
	language text,
	author_id uuid,
	media_path text,
	prompt text,
	transcript text,
	labels text[],
	tally integer[]
);

--
-- Name: TYPE disputed_clip; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TYPE public.disputed_clip IS 'A clip staff must decide, with the votes per label.';

--
-- Name: COLUMN disputed_clip.clip_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.disputed_clip.clip_id IS 'The clip.';

--
-- Name: COLUMN disputed_clip.kind; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.disputed_clip.kind IS 'Voice or video.';

--
-- Name: COLUMN disputed_clip.language; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.disputed_clip.language IS 'BCP 47 code of the clip''s language.';

--
-- Name: COLUMN disputed_clip.author_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.disputed_clip.author_id IS 'Who submitted it.';

--
-- Name: COLUMN disputed_clip.media_path; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.disputed_clip.media_path IS 'Object path in the clips bucket.';

--
-- Name: COLUMN disputed_clip.prompt; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.disputed_clip.prompt IS 'What the speaker was asked to say, or null.';

--
-- Name: COLUMN disputed_clip.transcript; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.disputed_clip.transcript IS 'What the speaker says was said, or null.';

--
-- Name: COLUMN disputed_clip.labels; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.disputed_clip.labels IS 'The labels people chose from.';

--
-- Name: COLUMN disputed_clip.tally; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.disputed_clip.tally IS 'Votes per label, in the order of labels.';

--
-- Name: feature_flag; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.feature_flag AS (
	flag text,
	is_on boolean,
	percentage numeric,
	description text,
	listed_users uuid[],
	updated_at timestamp with time zone
);

--
-- Name: TYPE feature_flag; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TYPE public.feature_flag IS 'A feature flag as staff set it.';

--
-- Name: COLUMN feature_flag.flag; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.feature_flag.flag IS 'Its name.';

--
-- Name: COLUMN feature_flag.is_on; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.feature_flag.is_on IS 'The main switch: off is off for everybody, listed or not.';

--
-- Name: COLUMN feature_flag.percentage; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.feature_flag.percentage IS 'While on: share of people who have it.';

--
-- Name: COLUMN feature_flag.description; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.feature_flag.description IS 'What it switches.';

--
-- Name: COLUMN feature_flag.listed_users; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.feature_flag.listed_users IS 'People who have it whatever the percentage.';

--
-- Name: COLUMN feature_flag.updated_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.feature_flag.updated_at IS 'When it was changed last.';

--
-- Name: me; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.me AS (
	id uuid,
	handle text,
	display_name text,
	avatar_path text,
	bio text,
	locale text,
	timezone text,
	phone_verified_at timestamp with time zone,
	is_member boolean,
	roles public.app_role[],
	wallets public.wallet_balance[],
	created_at timestamp with time zone,
	flags text[]
);

--
-- Name: TYPE me; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TYPE public.me IS 'The signed-in person: profile, roles, wallets and features that are on.';

--
-- Name: COLUMN me.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.me.id IS 'Your user id.';

--
-- Name: COLUMN me.handle; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.me.handle IS 'Your name in addresses; null until the first profile exists.';

--
-- Name: COLUMN me.display_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.me.display_name IS 'Your name on screen; null until the first profile exists.';

--
-- Name: COLUMN me.avatar_path; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.me.avatar_path IS 'Object path in the avatars bucket, or null.';

--
-- Name: COLUMN me.bio; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.me.bio IS 'What you say about yourself; null until the first profile exists.';

--
-- Name: COLUMN me.locale; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.me.locale IS 'BCP 47 code of the language you read; null until the first profile exists.';

--
-- Name: COLUMN me.timezone; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.me.timezone IS 'Name of your time zone; null until the first profile exists.';

--
-- Name: COLUMN me.phone_verified_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.me.phone_verified_at IS 'When your phone was confirmed, or null.';

--
-- Name: COLUMN me.is_member; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.me.is_member IS 'Whether you may act, not only read.';

--
-- Name: COLUMN me.roles; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.me.roles IS 'What you are besides a user.';

--
-- Name: COLUMN me.wallets; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.me.wallets IS 'Your wallets, one per currency.';

--
-- Name: COLUMN me.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.me.created_at IS 'When you joined; null until the first profile exists.';

--
-- Name: COLUMN me.flags; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.me.flags IS 'Features that are on for you.';

--
-- Name: review_item; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.review_item AS (
	clip_id uuid,
	kind public.clip_kind,
	language text,
	media_path text,
	duration_ms integer,
	prompt text,
	transcript text,
	labels text[],
	lease_expires_at timestamp with time zone
);

--
-- Name: TYPE review_item; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TYPE public.review_item IS 'A clip leased to a reviewer, with the labels to choose from.';

--
-- Name: COLUMN review_item.clip_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.review_item.clip_id IS 'The clip, leased to you.';

--
-- Name: COLUMN review_item.kind; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.review_item.kind IS 'Voice or video.';

--
-- Name: COLUMN review_item.language; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.review_item.language IS 'BCP 47 code of the clip''s language.';

--
-- Name: COLUMN review_item.media_path; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.review_item.media_path IS 'Object path in the clips bucket.';

--
-- Name: COLUMN review_item.duration_ms; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.review_item.duration_ms IS 'Length in milliseconds.';

--
-- Name: COLUMN review_item.prompt; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.review_item.prompt IS 'What the speaker was asked to say, or null.';

--
-- Name: COLUMN review_item.transcript; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.review_item.transcript IS 'What the speaker says was said, or null.';

--
-- Name: COLUMN review_item.labels; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.review_item.labels IS 'The labels to choose from.';

--
-- Name: COLUMN review_item.lease_expires_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.review_item.lease_expires_at IS 'Until then the clip is kept for you.';

--
-- Name: seal_state; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.seal_state AS (
	chain text,
	seal_no bigint,
	digest text,
	sealed_at timestamp with time zone,
	unsealed_rows bigint,
	unsealed_seconds double precision
);

--
-- Name: TYPE seal_state; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TYPE public.seal_state IS 'How far an append-only table is sealed: its newest seal, and what waits (counted up to 10000).';

--
-- Name: COLUMN seal_state.chain; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.seal_state.chain IS 'The table, schema.name.';

--
-- Name: COLUMN seal_state.seal_no; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.seal_state.seal_no IS 'Number of the newest seal; 0 before the first.';

--
-- Name: COLUMN seal_state.digest; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.seal_state.digest IS 'Digest of the newest seal in hex; null before the first.';

--
-- Name: COLUMN seal_state.sealed_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.seal_state.sealed_at IS 'When it was sealed last; null before the first.';

--
-- Name: COLUMN seal_state.unsealed_rows; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.seal_state.unsealed_rows IS 'Rows that wait for a seal, counted up to 10000.';

--
-- Name: COLUMN seal_state.unsealed_seconds; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.seal_state.unsealed_seconds IS 'Age of the oldest that waits, 0 when none does.';

--
-- Name: setting_type; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.setting_type AS ENUM (
    'integer',
    'seconds',
    'text',
    'rate'
);

--
-- Name: TYPE setting_type; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TYPE public.setting_type IS 'How a setting''s value is written: 12, seconds as 3600, text, or a rate as 60 per 120 s.';

--
-- Name: setting; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.setting AS (
	name text,
	type public.setting_type,
	value text,
	lowest bigint,
	highest bigint,
	needs_approval boolean,
	description text
);

--
-- Name: TYPE setting; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TYPE public.setting IS 'A setting, its value, its bounds, and whether a change needs a second admin.';

--
-- Name: COLUMN setting.name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.setting.name IS 'Its name.';

--
-- Name: COLUMN setting.type; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.setting.type IS 'How its value is written.';

--
-- Name: COLUMN setting.value; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.setting.value IS 'Its value now, as text.';

--
-- Name: COLUMN setting.lowest; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.setting.lowest IS 'Least value, or null.';

--
-- Name: COLUMN setting.highest; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.setting.highest IS 'Greatest value, or null.';

--
-- Name: COLUMN setting.needs_approval; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.setting.needs_approval IS 'Whether a change waits for a second admin.';

--
-- Name: COLUMN setting.description; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.setting.description IS 'What it rules.';

--
-- Name: setting_change_state; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.setting_change_state AS ENUM (
    'proposed',
    'applied',
    'rejected',
    'superseded',
    'expired'
);

--
-- Name: TYPE setting_change_state; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TYPE public.setting_change_state IS 'proposed: waits for a second admin; superseded: another proposal for the setting came later.';

--
-- Name: setting_change; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.setting_change AS (
	change_id uuid,
	name text,
	old_value text,
	new_value text,
	state public.setting_change_state,
	reason text,
	proposed_by uuid,
	proposed_at timestamp with time zone,
	expires_at timestamp with time zone,
	decided_by uuid,
	decided_at timestamp with time zone
);

--
-- Name: TYPE setting_change; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TYPE public.setting_change IS 'A change of a setting, and what became of it.';

--
-- Name: COLUMN setting_change.change_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.setting_change.change_id IS 'Its id: approve or reject it by this.';

--
-- Name: COLUMN setting_change.name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.setting_change.name IS 'The setting.';

--
-- Name: COLUMN setting_change.old_value; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.setting_change.old_value IS 'Its value before.';

--
-- Name: COLUMN setting_change.new_value; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.setting_change.new_value IS 'The value asked for.';

--
-- Name: COLUMN setting_change.state; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.setting_change.state IS 'Whether it waits, was applied, or was given up.';

--
-- Name: COLUMN setting_change.reason; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.setting_change.reason IS 'Why, as given with the change.';

--
-- Name: COLUMN setting_change.proposed_by; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.setting_change.proposed_by IS 'Who asked for it.';

--
-- Name: COLUMN setting_change.proposed_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.setting_change.proposed_at IS 'When it was asked for.';

--
-- Name: COLUMN setting_change.expires_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.setting_change.expires_at IS 'Until when it can be approved; null where one admin is enough.';

--
-- Name: COLUMN setting_change.decided_by; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.setting_change.decided_by IS 'Who applied or rejected it; null while it is open.';

--
-- Name: COLUMN setting_change.decided_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.setting_change.decided_at IS 'When it was applied or rejected; null while it is open.';

--
-- Name: statement_line; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.statement_line AS (
	entry_no bigint,
	amount bigint,
	balance_after bigint,
	currency text,
	cause text,
	cause_id uuid,
	event_at timestamp with time zone,
	created_at timestamp with time zone
);

--
-- Name: TYPE statement_line; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TYPE public.statement_line IS 'One line of a wallet statement, amounts in minor units.';

--
-- Name: COLUMN statement_line.entry_no; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.statement_line.entry_no IS 'Number of the entry in this wallet; pass the smallest as `before` for the next page.';

--
-- Name: COLUMN statement_line.amount; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.statement_line.amount IS 'Minor units that came in, negative when they went out.';

--
-- Name: COLUMN statement_line.balance_after; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.statement_line.balance_after IS 'Minor units posted after this entry.';

--
-- Name: COLUMN statement_line.currency; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.statement_line.currency IS 'ISO 4217 code.';

--
-- Name: COLUMN statement_line.cause; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.statement_line.cause IS 'What kind of thing moved the money, e.g. clip_author_reward.';

--
-- Name: COLUMN statement_line.cause_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.statement_line.cause_id IS 'Which one: the clip, the payout, the payment; or null.';

--
-- Name: COLUMN statement_line.event_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.statement_line.event_at IS 'When it happened.';

--
-- Name: COLUMN statement_line.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.statement_line.created_at IS 'When it was booked.';

--
-- Name: validation_status; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.validation_status AS ENUM (
    'pending',
    'valid',
    'invalid'
);

--
-- Name: TYPE validation_status; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TYPE public.validation_status IS 'What the community, or staff, found of a clip.';

--
-- Name: validation_outcome; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.validation_outcome AS (
	clip_id uuid,
	status public.validation_status,
	previous_status public.validation_status,
	is_settled boolean,
	version integer
);

--
-- Name: TYPE validation_outcome; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TYPE public.validation_outcome IS 'A clip after staff set its validation status.';

--
-- Name: COLUMN validation_outcome.clip_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.validation_outcome.clip_id IS 'The clip.';

--
-- Name: COLUMN validation_outcome.status; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.validation_outcome.status IS 'Its status now.';

--
-- Name: COLUMN validation_outcome.previous_status; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.validation_outcome.previous_status IS 'Its status before.';

--
-- Name: COLUMN validation_outcome.is_settled; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.validation_outcome.is_settled IS 'Whether rewards were posted and only staff may change it.';

--
-- Name: COLUMN validation_outcome.version; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.validation_outcome.version IS 'The clip''s version now.';

--
-- Name: vote_outcome; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.vote_outcome AS (
	clip_id uuid,
	label text,
	status public.validation_status,
	is_decided boolean,
	votes integer,
	votes_needed integer,
	version integer
);

--
-- Name: TYPE vote_outcome; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TYPE public.vote_outcome IS 'A clip as it stands after one''s vote.';

--
-- Name: COLUMN vote_outcome.clip_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.vote_outcome.clip_id IS 'The clip.';

--
-- Name: COLUMN vote_outcome.label; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.vote_outcome.label IS 'Your vote.';

--
-- Name: COLUMN vote_outcome.status; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.vote_outcome.status IS 'What the clip is found to be so far.';

--
-- Name: COLUMN vote_outcome.is_decided; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.vote_outcome.is_decided IS 'Whether voting has ended.';

--
-- Name: COLUMN vote_outcome.votes; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.vote_outcome.votes IS 'Votes it has, yours included.';

--
-- Name: COLUMN vote_outcome.votes_needed; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.vote_outcome.votes_needed IS 'Least number of further votes that can decide it; 0 once voting has ended.';

--
-- Name: COLUMN vote_outcome.version; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.vote_outcome.version IS 'The clip''s version; drop events that carry an older one.';

--
-- Name: claim_idempotency_key(uuid, text, text, jsonb); Type: FUNCTION; Schema: app; Owner: -
--

CREATE FUNCTION app.claim_idempotency_key(p_user_id uuid, p_key text, p_door text, p_request jsonb) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '5s'
    AS $$
declare
  v_request jsonb;
  v_known app.idempotency_keys;
begin
  if p_key is null then
    return null;
  end if;

  if length(p_key) not between 1 and 255 then
    perform app.fail('invalid_input', 'idempotency_key: 1 to 255 characters');
  end if;

  select coalesce(jsonb_object_agg(
    f.field,
    left(encode(sha256(convert_to(p_user_id || ' ' || p_key || ' ' || f.value, 'UTF8')), 'hex'), 32)
  ), '{}')
  into v_request
  from jsonb_each(p_request) as f (field, value);

  loop
    begin
      insert into app.idempotency_keys (user_id, key, door, request_digest, request, created_at)
      values (p_user_id, p_key, p_door, sha256(convert_to(v_request::text, 'UTF8')), v_request, app.now())
      on conflict on constraint idempotency_keys_pkey do nothing;
    exception when lock_not_available then
      perform app.fail('idempotency_key_in_use', p_headers => '{"Retry-After": "1"}');
    end;

    if found then
      return null;
    end if;

    select k.*
    into v_known
    from app.idempotency_keys as k
    where k.user_id = p_user_id
      and k.key = p_key;

    -- Not found: purged in between, so the key is free again.
    exit when found;
  end loop;

  if v_known.door <> p_door then
    perform app.fail('idempotency_key_reused', 'used at ' || v_known.door);
  end if;
  -- A row of the release before does not know its fields; its door has to do.
  if v_known.request <> v_request then
    perform app.fail('idempotency_key_reused', (
      select 'differs in ' || string_agg(coalesce(n.key, o.key), ', ' order by coalesce(n.key, o.key))
      from jsonb_each(v_request) as n
      full join jsonb_each(v_known.request) as o on o.key = n.key
      where o.value is distinct from n.value
    ));
  end if;

  perform set_config('response.headers', '[{"Idempotent-Replayed": "true"}]', true);
  return v_known.response;
end;
$$;

--
-- Name: FUNCTION claim_idempotency_key(p_user_id uuid, p_key text, p_door text, p_request jsonb); Type: COMMENT; Schema: app; Owner: -
--

COMMENT ON FUNCTION app.claim_idempotency_key(p_user_id uuid, p_key text, p_door text, p_request jsonb) IS 'Null when the request is new, else its stored answer.';

--
-- Name: clock_is_frozen(); Type: FUNCTION; Schema: app; Owner: -
--

CREATE FUNCTION app.clock_is_frozen() RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select exists (select from app.clock);
$$;

--
-- Name: FUNCTION clock_is_frozen(); Type: COMMENT; Schema: app; Owner: -
--

COMMENT ON FUNCTION app.clock_is_frozen() IS 'True while app.now() stands still; never in production.';

--
-- Name: error_catalog(); Type: FUNCTION; Schema: app; Owner: -
--

CREATE FUNCTION app.error_catalog() RETURNS TABLE(code text, status integer, message text, hint text)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  values
    ('already_decided', 409, 'Voting on this clip has ended.', 'Take the clip off the screen and go on with the next one.'),
    ('already_reversed', 409, 'This transfer has been reversed before.', null),
    ('append_only', 403, 'These rows are never changed or removed.', 'Write a new row that corrects the old one.'),
    ('approver_not_independent', 403, 'Who approves a change was an admin before it was proposed, and not made one by its proposer.', 'Ask another admin.'),
    ('clip_not_found', 404, 'There is no such clip.', null),
    ('flag_not_found', 404, 'There is no such feature flag.', 'set_flag makes one.'),
    ('handle_taken', 409, 'This handle belongs to somebody else.', 'Choose another handle.'),
    ('hold_resolved', 409, 'This hold has been settled, voided or has expired before.', null),
    ('idempotency_key_in_use', 409, 'The first call with this key has not finished yet.', 'Repeat the call with the same key in a moment.'),
    ('idempotency_key_reused', 422, 'This key was used for a different request.', 'Make a new key for every new request.'),
    ('insufficient_funds', 409, 'The account does not have this amount available.', null),
    ('invalid_input', 400, 'A value is missing or not acceptable.', 'details names the value and what it must be.'),
    ('invalid_transfer', 400, 'A transfer needs two different accounts of one currency and a positive amount.', null),
    ('last_admin', 409, 'The last admin cannot be removed.', 'Grant somebody else the role first.'),
    ('media_already_used', 409, 'Another clip was made of this media object.', 'Upload the recording under a new path.'),
    ('not_a_member', 403, 'This needs an account with a confirmed e-mail or phone.', 'Confirm the e-mail or phone, then try again.'),
    ('not_authenticated', 401, 'You are not signed in.', 'Sign in and send the access token.'),
    ('not_permitted', 403, 'Your roles do not allow this.', null),
    ('own_clip', 403, 'Authors do not vote on their own clips.', null),
    ('own_role', 403, 'Nobody grants a role to themselves.', 'Ask another admin.'),
    ('own_setting_change', 403, 'Nobody approves their own change of a setting.', 'Ask another admin.'),
    ('rate_limited', 429, 'Too many calls in a short time.', 'Wait as long as the Retry-After header says, then try again.'),
    ('setting_change_closed', 409, 'This change of a setting is not open any more.', 'Propose it again if it is still wanted.'),
    ('setting_change_not_found', 404, 'There is no such change of a setting.', null),
    ('setting_not_found', 404, 'There is no such setting.', 'list_settings names them.'),
    ('setting_unchanged', 409, 'The setting has this value already.', null),
    ('status_unchanged', 409, 'The clip has this status already, and it is final.', null),
    ('unknown_label', 400, 'Clips of this kind have no such label.', 'details lists the labels.'),
    ('unknown_language', 400, 'This language is not open for clips.', 'Read the languages table for those that are.'),
    ('user_not_found', 404, 'There is no such user.', null),
    ('wallet_not_empty', 409, 'There is money in the wallet, or promised to it.', 'Have it paid out first, or give it up expressly.');
$$;

--
-- Name: FUNCTION error_catalog(); Type: COMMENT; Schema: app; Owner: -
--

COMMENT ON FUNCTION app.error_catalog() IS 'Code, HTTP status, message and hint of every error the rules fail with.';

--
-- Name: fail(text, text, text, jsonb); Type: FUNCTION; Schema: app; Owner: -
--

CREATE FUNCTION app.fail(p_code text, p_details text DEFAULT NULL::text, p_hint text DEFAULT NULL::text, p_headers jsonb DEFAULT NULL::jsonb) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_entry record;
begin
  select c.status, c.message, c.hint
  into v_entry
  from app.error_catalog() as c
  where c.code = p_code;

  if not found then
    raise exception 'error code % is not in app.error_catalog()', p_code;
  end if;

  raise exception using
    errcode = 'PGRST',
    message = jsonb_build_object(
      'code', p_code,
      'message', v_entry.message,
      'details', left(p_details, 500),
      'hint', coalesce(p_hint, v_entry.hint)
    )::text,
    detail = jsonb_build_object(
      'status', v_entry.status,
      'headers', coalesce(p_headers, '{}') || jsonb_build_object('X-Request-Id', app.request_id())
    )::text;
end;
$$;

--
-- Name: FUNCTION fail(p_code text, p_details text, p_hint text, p_headers jsonb); Type: COMMENT; Schema: app; Owner: -
--

COMMENT ON FUNCTION app.fail(p_code text, p_details text, p_hint text, p_headers jsonb) IS 'Fail the request: code, HTTP status, message, details, hint.';

--
-- Name: freeze_clock(timestamp with time zone); Type: FUNCTION; Schema: app; Owner: -
--

CREATE FUNCTION app.freeze_clock(p_at timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if p_at is null then
    delete from app.clock as c where c.singleton;
  else
    insert into app.clock (frozen_at)
    values (p_at)
    on conflict (singleton) do update set frozen_at = excluded.frozen_at;
  end if;
end;
$$;

--
-- Name: FUNCTION freeze_clock(p_at timestamp with time zone); Type: COMMENT; Schema: app; Owner: -
--

COMMENT ON FUNCTION app.freeze_clock(p_at timestamp with time zone) IS 'Tests only: stop app.now() at a moment; null lets it run.';

--
-- Name: idempotency_key(text); Type: FUNCTION; Schema: app; Owner: -
--

CREATE FUNCTION app.idempotency_key(p_given text) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_header text := nullif(current_setting('request.headers', true), '')::json ->> 'idempotency-key';
begin
  if v_header is null then
    return p_given;
  end if;

  v_header := regexp_replace(btrim(v_header, E' \t'), '^"(.*)"$', '\1');
  if p_given <> v_header then
    perform app.fail('invalid_input', 'idempotency_key: another one than in the Idempotency-Key header');
  end if;

  return v_header;
end;
$_$;

--
-- Name: FUNCTION idempotency_key(p_given text); Type: COMMENT; Schema: app; Owner: -
--

COMMENT ON FUNCTION app.idempotency_key(p_given text) IS 'The idempotency key of a call: the argument given, else that of the request''s header.';

--
-- Name: is_member(uuid); Type: FUNCTION; Schema: app; Owner: -
--

CREATE FUNCTION app.is_member(p_user_id uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select exists (
    select
    from auth.users as u
    where u.id = p_user_id
      and (u.email_confirmed_at is not null or u.phone_confirmed_at is not null)
      and u.is_anonymous is not true
      and u.deleted_at is null
      and (u.banned_until is null or u.banned_until <= app.now())
      and not exists (select from identity.erasures as e where e.user_id = u.id)
  );
$$;

--
-- Name: FUNCTION is_member(p_user_id uuid); Type: COMMENT; Schema: app; Owner: -
--

COMMENT ON FUNCTION app.is_member(p_user_id uuid) IS 'Whether a user may do what members do.';

--
-- Name: is_staff(); Type: FUNCTION; Schema: app; Owner: -
--

CREATE FUNCTION app.is_staff() RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select exists (
    select
    from identity.user_roles as r
    where r.user_id = auth.uid()
      and r.role in ('moderator', 'admin')
      and app.is_member(r.user_id)
  );
$$;

--
-- Name: FUNCTION is_staff(); Type: COMMENT; Schema: app; Owner: -
--

COMMENT ON FUNCTION app.is_staff() IS 'Whether the caller is a moderator or admin now.';

--
-- Name: now(); Type: FUNCTION; Schema: app; Owner: -
--

CREATE FUNCTION app.now() RETURNS timestamp with time zone
    LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select coalesce((select c.frozen_at from app.clock as c), pg_catalog.now());
$$;

--
-- Name: FUNCTION now(); Type: COMMENT; Schema: app; Owner: -
--

COMMENT ON FUNCTION app.now() IS 'The time rules go by. Tests can stop it; see app.freeze_clock.';

--
-- Name: purge_idempotency_keys(integer); Type: FUNCTION; Schema: app; Owner: -
--

CREATE FUNCTION app.purge_idempotency_keys(p_limit integer) RETURNS integer
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with old as (
    select k.user_id, k.key
    from app.idempotency_keys as k
    where k.created_at < app.now() - settings.value('app.keep_idempotency_keys')::bigint * interval '1 second'
    order by k.created_at
    limit p_limit
    for update skip locked
  ),
  gone as (
    delete from app.idempotency_keys as k
    using old
    where k.user_id = old.user_id
      and k.key = old.key
    returning 1
  )
  select count(*)::integer from gone;
$$;

--
-- Name: FUNCTION purge_idempotency_keys(p_limit integer); Type: COMMENT; Schema: app; Owner: -
--

COMMENT ON FUNCTION app.purge_idempotency_keys(p_limit integer) IS 'Delete up to p_limit keys past their time; returns how many.';

--
-- Name: request_id(); Type: FUNCTION; Schema: app; Owner: -
--

CREATE FUNCTION app.request_id() RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_request_id text := nullif(current_setting('app.request_id', true), '');
begin
  if v_request_id is not null then
    return v_request_id;
  end if;

  v_request_id := nullif(current_setting('request.headers', true), '')::json ->> 'x-request-id';
  if v_request_id is null or v_request_id !~ '^[A-Za-z0-9._:-]{1,128}$' then
    v_request_id := gen_random_uuid()::text;
  end if;

  perform set_config('app.request_id', v_request_id, true);
  return v_request_id;
end;
$_$;

--
-- Name: FUNCTION request_id(); Type: COMMENT; Schema: app; Owner: -
--

COMMENT ON FUNCTION app.request_id() IS 'The request''s correlation id: the x-request-id header, or one made for this transaction.';

--
-- Name: require_member(); Type: FUNCTION; Schema: app; Owner: -
--

CREATE FUNCTION app.require_member() RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_user_id uuid := app.user_id();
begin
  if not app.is_member(v_user_id) then
    perform app.fail('not_a_member');
  end if;

  if not exists (select from public.profiles as p where p.id = v_user_id) then
    perform identity.create_profile(v_user_id);
  end if;

  return v_user_id;
end;
$$;

--
-- Name: FUNCTION require_member(); Type: COMMENT; Schema: app; Owner: -
--

COMMENT ON FUNCTION app.require_member() IS 'The caller''s id, or a refusal unless the caller is a member with a profile.';

--
-- Name: require_role(public.app_role[]); Type: FUNCTION; Schema: app; Owner: -
--

CREATE FUNCTION app.require_role(VARIADIC p_roles public.app_role[]) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_user_id uuid := app.require_member();
begin
  if not exists (
    select
    from identity.user_roles as r
    where r.user_id = v_user_id
      and r.role = any (p_roles)
  ) then
    perform app.fail('not_permitted');
  end if;

  return v_user_id;
end;
$$;

--
-- Name: FUNCTION require_role(VARIADIC p_roles public.app_role[]); Type: COMMENT; Schema: app; Owner: -
--

COMMENT ON FUNCTION app.require_role(VARIADIC p_roles public.app_role[]) IS 'The caller''s id, or a refusal unless the caller holds one of the roles.';

--
-- Name: require_text(text, text, integer, integer); Type: FUNCTION; Schema: app; Owner: -
--

CREATE FUNCTION app.require_text(p_name text, p_value text, p_min integer, p_max integer) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_value text;
begin
  if octet_length(p_value) > 4 * p_max + 1000 then
    perform app.fail('invalid_input', format('%s: at most %s characters', p_name, p_max));
  end if;

  v_value := nullif(btrim(p_value, E' \t\n\r'), '');
  if coalesce(length(v_value), 0) not between p_min and p_max then
    perform app.fail('invalid_input', format('%s: %s to %s characters', p_name, p_min, p_max));
  end if;

  return v_value;
end;
$$;

--
-- Name: FUNCTION require_text(p_name text, p_value text, p_min integer, p_max integer); Type: COMMENT; Schema: app; Owner: -
--

COMMENT ON FUNCTION app.require_text(p_name text, p_value text, p_min integer, p_max integer) IS 'A trimmed text within its length; null when empty and p_min is 0.';

--
-- Name: store_idempotent_response(uuid, text, jsonb); Type: FUNCTION; Schema: app; Owner: -
--

CREATE FUNCTION app.store_idempotent_response(p_user_id uuid, p_key text, p_response jsonb) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  update app.idempotency_keys as k
  set response = p_response
  where k.user_id = p_user_id
    and k.key = p_key;
$$;

--
-- Name: FUNCTION store_idempotent_response(p_user_id uuid, p_key text, p_response jsonb); Type: COMMENT; Schema: app; Owner: -
--

COMMENT ON FUNCTION app.store_idempotent_response(p_user_id uuid, p_key text, p_response jsonb) IS 'Store the answer for the key claimed in this transaction.';

--
-- Name: traceparent(); Type: FUNCTION; Schema: app; Owner: -
--

CREATE FUNCTION app.traceparent() RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_headers text := current_setting('request.headers', true);
  v_header text;
begin
  -- every request has headers, few are traced: look before parsing
  if coalesce(strpos(v_headers, '"traceparent"'), 0) = 0 then
    return null;
  end if;

  v_header := v_headers::json ->> 'traceparent';
  if v_header is null
    or length(v_header) > 200
    or v_header !~ '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-[!-~]*)?$'
    or starts_with(v_header, 'ff')
    or (starts_with(v_header, '00') and length(v_header) <> 55)
    or substr(v_header, 4, 32) = repeat('0', 32)
    or substr(v_header, 37, 16) = repeat('0', 16)
  then
    return null;
  end if;

  return '00' || substr(v_header, 3, 51)
    || case when substr(v_header, 55, 1) ~ '[13579bdf]' then '01' else '00' end;
end;
$_$;

--
-- Name: FUNCTION traceparent(); Type: COMMENT; Schema: app; Owner: -
--

COMMENT ON FUNCTION app.traceparent() IS 'The request''s traceparent header as version 00; null when missing or malformed.';

--
-- Name: tracestate(); Type: FUNCTION; Schema: app; Owner: -
--

CREATE FUNCTION app.tracestate() RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_headers text := current_setting('request.headers', true);
  v_header text;
begin
  if coalesce(strpos(v_headers, '"tracestate"'), 0) = 0 then
    return null;
  end if;

  v_header := v_headers::json ->> 'tracestate';
  if v_header is null
    or length(v_header) > 512
    or v_header !~ '^[!-~][ -~]*$'
    or app.traceparent() is null
  then
    return null;
  end if;
  return v_header;
end;
$_$;

--
-- Name: FUNCTION tracestate(); Type: COMMENT; Schema: app; Owner: -
--

COMMENT ON FUNCTION app.tracestate() IS 'The request''s tracestate header; null when missing, long or without a valid traceparent.';

--
-- Name: user_id(); Type: FUNCTION; Schema: app; Owner: -
--

CREATE FUNCTION app.user_id() RETURNS uuid
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_user_id uuid := auth.uid();
begin
  if v_user_id is null then
    perform app.fail('not_authenticated');
  end if;

  return v_user_id;
end;
$$;

--
-- Name: FUNCTION user_id(); Type: COMMENT; Schema: app; Owner: -
--

COMMENT ON FUNCTION app.user_id() IS 'The JWT''s subject; refuses with not_authenticated when there is none.';

--
-- Name: uuid_v7(); Type: FUNCTION; Schema: app; Owner: -
--

CREATE FUNCTION app.uuid_v7() RETURNS uuid
    LANGUAGE sql PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select encode(
    set_bit(
      set_bit(
        overlay(
          uuid_send(gen_random_uuid())
          placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
          from 1 for 6
        ),
        52, 1
      ),
      53, 1
    ),
    'hex'
  )::uuid;
$$;

--
-- Name: FUNCTION uuid_v7(); Type: COMMENT; Schema: app; Owner: -
--

COMMENT ON FUNCTION app.uuid_v7() IS 'A time-ordered uuid (version 7, RFC 9562).';

--
-- Name: record(text, text, text, text, jsonb); Type: FUNCTION; Schema: audit; Owner: -
--

CREATE FUNCTION audit.record(p_action text, p_subject_type text, p_subject_id text, p_reason text DEFAULT NULL::text, p_details jsonb DEFAULT '{}'::jsonb) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  insert into audit.events (
    at, actor_id, actor_role, action, subject_type, subject_id, reason, details, request_id
  )
  values (
    app.now(),
    auth.uid(),
    coalesce(auth.role(), session_user),
    p_action,
    p_subject_type,
    p_subject_id,
    p_reason,
    p_details,
    app.request_id()
  );
$$;

--
-- Name: FUNCTION record(p_action text, p_subject_type text, p_subject_id text, p_reason text, p_details jsonb); Type: COMMENT; Schema: audit; Owner: -
--

COMMENT ON FUNCTION audit.record(p_action text, p_subject_type text, p_subject_id text, p_reason text, p_details jsonb) IS 'Append an audit row: who, what, when, why, in which request.';

--
-- Name: tg_events__refuse_change(); Type: FUNCTION; Schema: audit; Owner: -
--

CREATE FUNCTION audit.tg_events__refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform app.fail('append_only', format('%s on %I.%I', lower(tg_op), tg_table_schema, tg_table_name));
  return null;
end;
$$;

--
-- Name: FUNCTION tg_events__refuse_change(); Type: COMMENT; Schema: audit; Owner: -
--

COMMENT ON FUNCTION audit.tg_events__refuse_change() IS 'Refuses update, delete and truncate, whoever asks.';

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: clips; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.clips (
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    author_id uuid NOT NULL,
    kind public.clip_kind NOT NULL,
    language text NOT NULL,
    media_path text NOT NULL,
    duration_ms integer NOT NULL,
    prompt text,
    transcript text,
    status public.validation_status DEFAULT 'pending'::public.validation_status NOT NULL,
    status_reason text,
    is_hidden boolean DEFAULT false NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    decided_at timestamp with time zone,
    published_at timestamp with time zone,
    CONSTRAINT clips_duration_in_range CHECK (((duration_ms >= 1) AND (duration_ms <= 600000))),
    CONSTRAINT clips_media_path_length CHECK (((length(media_path) >= 1) AND (length(media_path) <= 400))),
    CONSTRAINT clips_prompt_length CHECK ((length(prompt) <= 2000)),
    CONSTRAINT clips_prompt_or_transcript CHECK (((prompt IS NOT NULL) OR (transcript IS NOT NULL))),
    CONSTRAINT clips_published_only_when_valid CHECK (((published_at IS NULL) OR ((status = 'valid'::public.validation_status) AND (NOT is_hidden)))),
    CONSTRAINT clips_transcript_length CHECK ((length(transcript) <= 5000))
)
WITH (fillfactor='80');

--
-- Name: TABLE clips; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.clips IS 'Contributed clips. Others see one only while it is published.';

--
-- Name: COLUMN clips.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.clips.id IS 'Grows with time (UUID version 7).';

--
-- Name: COLUMN clips.author_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.clips.author_id IS 'Who submitted it.';

--
-- Name: COLUMN clips.kind; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.clips.kind IS 'Voice or video.';

--
-- Name: COLUMN clips.language; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.clips.language IS 'The language spoken.';

--
-- Name: COLUMN clips.media_path; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.clips.media_path IS 'Object path in the clips bucket, inside the author''s own folder.';

--
-- Name: COLUMN clips.duration_ms; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.clips.duration_ms IS 'Length in milliseconds.';

--
-- Name: COLUMN clips.prompt; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.clips.prompt IS 'What the speaker was asked to say, or null.';

--
-- Name: COLUMN clips.transcript; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.clips.transcript IS 'What the speaker says was said, or null.';

--
-- Name: COLUMN clips.status; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.clips.status IS 'What it is found to be.';

--
-- Name: COLUMN clips.status_reason; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.clips.status_reason IS 'Why the clip has its status, for its author.';

--
-- Name: COLUMN clips.is_hidden; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.clips.is_hidden IS 'Hidden by moderation; never published while set.';

--
-- Name: COLUMN clips.version; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.clips.version IS 'Grows with every change; events carry it.';

--
-- Name: COLUMN clips.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.clips.created_at IS 'When it was submitted.';

--
-- Name: COLUMN clips.decided_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.clips.decided_at IS 'When voting or staff decided it; null while pending.';

--
-- Name: COLUMN clips.published_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.clips.published_at IS 'Set while everyone may see the clip: valid and not hidden.';

--
-- Name: submit_clip(public.clip_kind, text, text, integer, text, text, text); Type: FUNCTION; Schema: clips; Owner: -
--

CREATE FUNCTION clips.submit_clip(p_kind public.clip_kind, p_language text, p_media_path text, p_duration_ms integer, p_prompt text, p_transcript text, p_idempotency_key text) RETURNS public.clips
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_author_id uuid := app.require_member();
  v_key text := app.idempotency_key(p_idempotency_key);
  v_media_path text := app.require_text('media_path', p_media_path, 1, 400);
  v_prompt text := app.require_text('prompt', p_prompt, 0, 2000);
  v_transcript text := app.require_text('transcript', p_transcript, 0, 5000);
  v_answer jsonb;
  v_clip public.clips;
begin
  perform limits.spend('submit_clip');

  if p_kind is null then
    perform app.fail('invalid_input', 'kind: voice or video');
  end if;
  if (p_duration_ms between 1 and 600000) is not true then
    perform app.fail('invalid_input', 'duration_ms: 1 to 600000');
  end if;
  if v_prompt is null and v_transcript is null then
    perform app.fail('invalid_input', 'prompt or transcript: one must be given');
  end if;
  if not starts_with(v_media_path, v_author_id || '/') or v_media_path ~ '(^|/)\.{1,2}(/|$)|//|/$' then
    perform app.fail('invalid_input', 'media_path: inside your own folder, <your id>/…');
  end if;

  v_answer := app.claim_idempotency_key(v_author_id, v_key, 'submit_clip', jsonb_build_object(
    'kind', p_kind, 'language', p_language, 'media_path', v_media_path,
    'duration_ms', p_duration_ms, 'prompt', v_prompt, 'transcript', v_transcript
  ));
  if v_answer is not null then
    return jsonb_populate_record(null::public.clips, v_answer);
  end if;

  if not exists (select from public.languages as l where l.code = p_language and l.is_open) then
    perform app.fail('unknown_language');
  end if;

  insert into public.clips (
    author_id, kind, language, media_path, duration_ms, prompt, transcript, created_at
  )
  values (
    v_author_id, p_kind, p_language, v_media_path, p_duration_ms, v_prompt, v_transcript, app.now()
  )
  on conflict on constraint clips_media_path_unique do nothing
  returning * into v_clip;

  if v_clip.id is null then
    perform app.fail('media_already_used');
  end if;

  perform consensus.open_item(v_clip);
  perform app.store_idempotent_response(v_author_id, v_key, to_jsonb(v_clip));
  return v_clip;
end;
$_$;

--
-- Name: FUNCTION submit_clip(p_kind public.clip_kind, p_language text, p_media_path text, p_duration_ms integer, p_prompt text, p_transcript text, p_idempotency_key text); Type: COMMENT; Schema: clips; Owner: -
--

COMMENT ON FUNCTION clips.submit_clip(p_kind public.clip_kind, p_language text, p_media_path text, p_duration_ms integer, p_prompt text, p_transcript text, p_idempotency_key text) IS 'The rule behind the door public.submit_clip.';

--
-- Name: cast_vote(uuid, text); Type: FUNCTION; Schema: consensus; Owner: -
--

CREATE FUNCTION consensus.cast_vote(p_clip_id uuid, p_label text) RETURNS public.vote_outcome
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_voter_id uuid := app.require_member();
  v_item consensus.items;
  v_kind consensus.kinds;
  v_clip public.clips;
  v_previous text;
  v_place integer;
  v_leader text;
begin
  perform limits.spend('cast_vote');

  select i.*
  into v_item
  from consensus.items as i
  where i.clip_id = p_clip_id
  for no key update;

  select c.*
  into v_clip
  from public.clips as c
  where c.id = v_item.clip_id;

  if v_clip.is_hidden is not false then
    perform app.fail('clip_not_found');
  end if;
  if v_item.author_id = v_voter_id then
    perform app.fail('own_clip');
  end if;

  select v.label
  into v_previous
  from public.votes as v
  where v.clip_id = p_clip_id
    and v.voter_id = v_voter_id;

  if v_item.state <> 'open' and (v_previous = p_label) is not true then
    if not consensus.has_met(p_clip_id, v_voter_id) then
      perform app.fail('clip_not_found');
    end if;
    perform app.fail('already_decided');
  end if;

  if (v_previous = p_label) is not true then
    select k.*
    into v_kind
    from consensus.kinds as k
    where k.kind = v_item.kind;

    v_place := array_position(v_kind.labels, p_label);
    if v_place is null then
      perform app.fail('unknown_label', format('label: one of %s', array_to_string(v_kind.labels, ', ')));
    end if;

    -- The kind may have got labels since the clip was submitted.
    v_item.tally := v_item.tally || array_fill(
      0, array[greatest(0, cardinality(v_kind.labels) - cardinality(v_item.tally))]
    );
    v_item.tally[v_place] := v_item.tally[v_place] + 1;

    if v_previous is null then
      insert into public.votes (clip_id, voter_id, label, created_at, updated_at)
      values (p_clip_id, v_voter_id, p_label, app.now(), app.now());
    else
      update public.votes as v
      set
        label = p_label,
        updated_at = app.now()
      where v.clip_id = p_clip_id
        and v.voter_id = v_voter_id;

      v_place := array_position(v_kind.labels, v_previous);
      v_item.tally[v_place] := v_item.tally[v_place] - 1;
    end if;

    delete from consensus.leases as l
    where l.clip_id = p_clip_id
      and l.reviewer_id = v_voter_id;

    v_item.votes_needed := consensus.votes_needed(v_item.tally, v_kind.min_votes);

    if v_item.votes_needed = 0 then
      v_leader := v_kind.labels[
        array_position(v_item.tally, (select max(t.votes) from unnest(v_item.tally) as t (votes)))
      ];
      v_clip := consensus.decide(v_item, v_kind, v_leader, 'classic', null);
    elsif (select sum(t.votes) from unnest(v_item.tally) as t (votes)) >= v_kind.max_votes then
      v_item.votes_needed := 0;
      v_clip := consensus.dispute(v_item, v_kind);
    else
      update consensus.items as i
      set
        tally = v_item.tally,
        votes_needed = v_item.votes_needed
      where i.clip_id = p_clip_id;
    end if;
  end if;

  return row(
    p_clip_id,
    p_label,
    v_clip.status,
    v_clip.status <> 'pending',
    (select sum(t.votes)::integer from unnest(v_item.tally) as t (votes)),
    v_item.votes_needed,
    v_clip.version
  );
end;
$$;

--
-- Name: FUNCTION cast_vote(p_clip_id uuid, p_label text); Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON FUNCTION consensus.cast_vote(p_clip_id uuid, p_label text) IS 'The rule behind the door public.cast_vote.';

--
-- Name: clips_to_lease(uuid, text, integer); Type: FUNCTION; Schema: consensus; Owner: -
--

CREATE FUNCTION consensus.clips_to_lease(p_reviewer_id uuid, p_language text, p_limit integer) RETURNS TABLE(clip_id uuid)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with
  held as materialized (
    select i.author_id, count(*) as clips
    from consensus.leases as l
    inner join consensus.items as i on i.clip_id = l.clip_id
    where l.reviewer_id = p_reviewer_id
      and i.state = 'open'
    group by i.author_id
  ),
  front as (
    select i.clip_id, i.author_id, i.votes_needed, k.max_leased_per_author - coalesce(h.clips, 0) as share
    from consensus.items as i
    inner join consensus.kinds as k on k.kind = i.kind
    left join held as h on h.author_id = i.author_id
    where i.language = p_language
      and i.state = 'open'
      and i.author_id <> p_reviewer_id
      and coalesce(h.clips, 0) < k.max_leased_per_author
      and not exists (
        select
        from public.votes as v
        where v.clip_id = i.clip_id
          and v.voter_id = p_reviewer_id
      )
      and not exists (
        select
        from consensus.skips as s
        where s.reviewer_id = p_reviewer_id
          and s.clip_id = i.clip_id
      )
      and not exists (
        select
        from consensus.leases as l
        where l.clip_id = i.clip_id
          and l.reviewer_id = p_reviewer_id
      )
      and (
        select count(*)
        from consensus.leases as l
        where l.clip_id = i.clip_id
          and l.expires_at > (select app.now())
      ) < i.votes_needed
      and not (
        select c.is_hidden
        from public.clips as c
        where c.id = i.clip_id
      )
    order by i.votes_needed, i.clip_id
    limit p_limit * 3
  ),
  ranked as (
    select f.*, row_number() over (partition by f.author_id order by f.votes_needed, f.clip_id) as nth
    from front as f
  )
  select r.clip_id
  from ranked as r
  where r.nth <= r.share
  order by r.votes_needed, r.clip_id
  limit p_limit;
$$;

--
-- Name: FUNCTION clips_to_lease(p_reviewer_id uuid, p_language text, p_limit integer); Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON FUNCTION consensus.clips_to_lease(p_reviewer_id uuid, p_language text, p_limit integer) IS 'Clips to lease next to a reviewer, best first.';

--
-- Name: items; Type: TABLE; Schema: consensus; Owner: -
--

CREATE TABLE consensus.items (
    clip_id uuid NOT NULL,
    kind public.clip_kind NOT NULL,
    language text NOT NULL,
    author_id uuid NOT NULL,
    state consensus.item_state DEFAULT 'open'::consensus.item_state NOT NULL,
    tally integer[] NOT NULL,
    votes_needed integer NOT NULL,
    label text,
    settle_at timestamp with time zone,
    CONSTRAINT items_label_iff_decided CHECK (((state = ANY (ARRAY['decided'::consensus.item_state, 'settled'::consensus.item_state])) = (label IS NOT NULL))),
    CONSTRAINT items_settle_at_iff_decided CHECK (((state = 'decided'::consensus.item_state) = (settle_at IS NOT NULL))),
    CONSTRAINT items_votes_needed_iff_open CHECK (((state = 'open'::consensus.item_state) = (votes_needed > 0)))
)
WITH (fillfactor='70');

--
-- Name: TABLE items; Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON TABLE consensus.items IS 'The votable side of a clip: its tally and where it stands. One row per clip.';

--
-- Name: COLUMN items.state; Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON COLUMN consensus.items.state IS 'open: voting; disputed: cap reached, staff decide; decided: rewards held; settled: rewards posted.';

--
-- Name: COLUMN items.tally; Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON COLUMN consensus.items.tally IS 'Votes per label, in the order of kinds.labels.';

--
-- Name: COLUMN items.votes_needed; Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON COLUMN consensus.items.votes_needed IS 'Least number of further votes that can decide it; 0 once voting has ended.';

--
-- Name: kinds; Type: TABLE; Schema: consensus; Owner: -
--

CREATE TABLE consensus.kinds (
    kind public.clip_kind NOT NULL,
    labels text[] NOT NULL,
    validating_labels text[] NOT NULL,
    min_votes integer NOT NULL,
    max_votes integer NOT NULL,
    lease_duration interval DEFAULT '00:15:00'::interval NOT NULL,
    max_leased_per_author integer DEFAULT 5 NOT NULL,
    currency text NOT NULL,
    author_reward bigint NOT NULL,
    reviewer_reward bigint NOT NULL,
    daily_reward_cap bigint NOT NULL,
    settle_after interval DEFAULT '7 days'::interval NOT NULL,
    CONSTRAINT kinds_durations_not_negative CHECK (((lease_duration > '00:00:00'::interval) AND (settle_after >= '00:00:00'::interval))),
    CONSTRAINT kinds_labels_two_or_more CHECK ((cardinality(labels) >= 2)),
    CONSTRAINT kinds_labels_without_null CHECK ((array_position(labels, NULL::text) IS NULL)),
    CONSTRAINT kinds_rewards_not_negative CHECK (((author_reward >= 0) AND (reviewer_reward >= 0) AND (daily_reward_cap >= 0))),
    CONSTRAINT kinds_some_label_invalidates CHECK ((NOT (labels <@ validating_labels))),
    CONSTRAINT kinds_validating_labels_are_labels CHECK (((validating_labels <@ labels) AND (cardinality(validating_labels) >= 1))),
    CONSTRAINT kinds_votes_in_order CHECK (((min_votes >= 1) AND (max_votes >= min_votes)))
);

--
-- Name: TABLE kinds; Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON TABLE consensus.kinds IS 'The rule each kind of clip is decided and paid by. Numbers are defaults to change here.';

--
-- Name: COLUMN kinds.validating_labels; Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON COLUMN consensus.kinds.validating_labels IS 'Labels that make a clip valid; any other decided label makes it invalid.';

--
-- Name: COLUMN kinds.min_votes; Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON COLUMN consensus.kinds.min_votes IS 'Votes the winning label needs at least; it also needs more than half.';

--
-- Name: COLUMN kinds.max_votes; Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON COLUMN consensus.kinds.max_votes IS 'Votes after which voting ends undecided and staff must decide.';

--
-- Name: COLUMN kinds.max_leased_per_author; Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON COLUMN consensus.kinds.max_leased_per_author IS 'Clips of one speaker a reviewer may hold at a time.';

--
-- Name: COLUMN kinds.author_reward; Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON COLUMN consensus.kinds.author_reward IS 'Minor units for the author of a valid clip.';

--
-- Name: COLUMN kinds.reviewer_reward; Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON COLUMN consensus.kinds.reviewer_reward IS 'Minor units for each reviewer who agreed with the decision.';

--
-- Name: COLUMN kinds.daily_reward_cap; Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON COLUMN consensus.kinds.daily_reward_cap IS 'Minor units one person may be promised per UTC day.';

--
-- Name: COLUMN kinds.settle_after; Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON COLUMN consensus.kinds.settle_after IS 'How long a reward stays held before it is posted.';

--
-- Name: decide(consensus.items, consensus.kinds, text, text, text); Type: FUNCTION; Schema: consensus; Owner: -
--

CREATE FUNCTION consensus.decide(p_item consensus.items, p_kind consensus.kinds, p_label text, p_rule text, p_reason text) RETURNS public.clips
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_now timestamptz := app.now();
  v_status public.validation_status :=
    (case when p_label = any (p_kind.validating_labels) then 'valid' else 'invalid' end)::public.validation_status;
  v_votes text := consensus.describe_tally(p_item.tally, p_kind.labels);
  v_reason text := coalesce(p_reason, v_votes);
  v_decided_by uuid := case when p_rule = 'staff' then app.user_id() end;
  v_clip public.clips;
begin
  update consensus.items as i
  set
    tally = p_item.tally,
    votes_needed = 0,
    state = 'decided',
    label = p_label,
    settle_at = v_now + p_kind.settle_after
  where i.clip_id = p_item.clip_id;

  update public.clips as c
  set
    status = v_status,
    status_reason = case when v_status = 'valid' then v_votes else v_reason end,
    version = c.version + 1,
    decided_at = v_now,
    published_at = case when v_status = 'valid' and not c.is_hidden then v_now end
  where c.id = p_item.clip_id
  returning c.* into v_clip;

  insert into consensus.decisions (
    clip_id, version, status, label, rule, decided_by, tally, reason, created_at
  )
  values (
    v_clip.id, v_clip.version, v_status, p_label, p_rule, v_decided_by, p_item.tally, v_reason, v_now
  );

  delete from consensus.leases as l
  where l.clip_id = v_clip.id
    and l.expires_at <= app.now();

  perform consensus.promise_rewards(v_clip, p_kind, p_label, v_decided_by);
  perform consensus.tell_decision(v_clip);
  perform audit.record(
    'clip_decided', 'clip', v_clip.id::text, v_reason,
    jsonb_build_object('status', v_status, 'label', p_label, 'rule', p_rule, 'version', v_clip.version)
  );

  return v_clip;
end;
$$;

--
-- Name: FUNCTION decide(p_item consensus.items, p_kind consensus.kinds, p_label text, p_rule text, p_reason text); Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON FUNCTION consensus.decide(p_item consensus.items, p_kind consensus.kinds, p_label text, p_rule text, p_reason text) IS 'Decide a locked clip by a label, with everything that follows in the same transaction.';

--
-- Name: describe_tally(integer[], text[]); Type: FUNCTION; Schema: consensus; Owner: -
--

CREATE FUNCTION consensus.describe_tally(p_tally integer[], p_labels text[]) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select 'Votes: ' || string_agg(t.votes || ' ' || t.label, ', ' order by t.votes desc, t.place)
  from unnest(p_tally, p_labels) with ordinality as t (votes, label, place);
$$;

--
-- Name: FUNCTION describe_tally(p_tally integer[], p_labels text[]); Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON FUNCTION consensus.describe_tally(p_tally integer[], p_labels text[]) IS 'A tally in words.';

--
-- Name: dispute(consensus.items, consensus.kinds); Type: FUNCTION; Schema: consensus; Owner: -
--

CREATE FUNCTION consensus.dispute(p_item consensus.items, p_kind consensus.kinds) RETURNS public.clips
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_votes text := consensus.describe_tally(p_item.tally, p_kind.labels);
  v_clip public.clips;
begin
  update consensus.items as i
  set
    tally = p_item.tally,
    votes_needed = 0,
    state = 'disputed'
  where i.clip_id = p_item.clip_id;

  update public.clips as c
  set
    status_reason = v_votes || '; staff decide',
    version = c.version + 1
  where c.id = p_item.clip_id
  returning c.* into v_clip;

  delete from consensus.leases as l
  where l.clip_id = v_clip.id
    and l.expires_at <= app.now();

  perform audit.record('clip_disputed', 'clip', v_clip.id::text, v_votes);
  return v_clip;
end;
$$;

--
-- Name: FUNCTION dispute(p_item consensus.items, p_kind consensus.kinds); Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON FUNCTION consensus.dispute(p_item consensus.items, p_kind consensus.kinds) IS 'Close a locked clip''s voting undecided.';

--
-- Name: disputed_clips(text, uuid, integer); Type: FUNCTION; Schema: consensus; Owner: -
--

CREATE FUNCTION consensus.disputed_clips(p_language text, p_after uuid, p_max_rows integer) RETURNS SETOF public.disputed_clip
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform app.require_role('moderator', 'admin');
  perform limits.spend('disputed_clips');

  if (p_max_rows between 1 and 200) is not true then
    perform app.fail('invalid_input', 'max_rows: 1 to 200');
  end if;

  return query
  select c.id, c.kind, c.language, c.author_id, c.media_path, c.prompt, c.transcript, k.labels, i.tally
  from consensus.items as i
  inner join consensus.kinds as k on k.kind = i.kind
  inner join public.clips as c on c.id = i.clip_id
  where i.state = 'disputed'
    and i.language = p_language
    and (p_after is null or i.clip_id > p_after)
  order by i.clip_id
  limit p_max_rows;
end;
$$;

--
-- Name: FUNCTION disputed_clips(p_language text, p_after uuid, p_max_rows integer); Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON FUNCTION consensus.disputed_clips(p_language text, p_after uuid, p_max_rows integer) IS 'The rule behind the door public.disputed_clips.';

--
-- Name: has_met(uuid, uuid); Type: FUNCTION; Schema: consensus; Owner: -
--

CREATE FUNCTION consensus.has_met(p_clip_id uuid, p_user_id uuid) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select exists (
    select
    from consensus.items as i
    inner join public.clips as c on c.id = i.clip_id
    where i.clip_id = p_clip_id
      and not c.is_hidden
      and (
        i.state = 'open'
        or c.published_at is not null
        or exists (
          select
          from public.votes as v
          where v.clip_id = i.clip_id
            and v.voter_id = p_user_id
        )
        or exists (
          select
          from consensus.leases as l
          where l.clip_id = i.clip_id
            and l.reviewer_id = p_user_id
            and l.expires_at > app.now()
        )
      )
  );
$$;

--
-- Name: FUNCTION has_met(p_clip_id uuid, p_user_id uuid); Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON FUNCTION consensus.has_met(p_clip_id uuid, p_user_id uuid) IS 'Whether a user may know that a clip exists.';

--
-- Name: lock_consequences(consensus.items, consensus.kinds); Type: FUNCTION; Schema: consensus; Owner: -
--

CREATE FUNCTION consensus.lock_consequences(p_item consensus.items, p_kind consensus.kinds) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_people uuid[] := array(
    select p_item.author_id
    union
    select v.voter_id
    from public.votes as v
    where v.clip_id = p_item.clip_id
  );
begin
  insert into consensus.reward_days as d (user_id, day, currency, promised)
  select p.id, p.day, p.currency, 0
  from (
    select u.id, (app.now() at time zone 'UTC')::date as day, p_kind.currency
    from unnest(v_people) as u (id)
    union
    select a.owner_id, (h.created_at at time zone 'UTC')::date, h.currency
    from ledger.holds as h
    inner join ledger.accounts as a on a.id = h.credit_account_id
    where h.cause_id = p_item.clip_id
  ) as p
  order by p.id, p.day, p.currency
  on conflict on constraint reward_days_pkey do update set promised = d.promised;

  perform ledger.open_wallets(v_people, p_kind.currency);

  perform
  from ledger.accounts as a
  where (a.purpose = 'wallet' and a.owner_id = any (v_people))
    or (
      a.purpose = 'reward_pool'
      and a.currency in (
        select p_kind.currency
        union
        select h.currency
        from ledger.holds as h
        where h.cause_id = p_item.clip_id
      )
    )
  order by a.id
  for no key update;
end;
$$;

--
-- Name: FUNCTION lock_consequences(p_item consensus.items, p_kind consensus.kinds); Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON FUNCTION consensus.lock_consequences(p_item consensus.items, p_kind consensus.kinds) IS 'Lock, in one order, everything that overruling a clip may move.';

--
-- Name: may_lease(consensus.items, uuid); Type: FUNCTION; Schema: consensus; Owner: -
--

CREATE FUNCTION consensus.may_lease(p_item consensus.items, p_reviewer_id uuid) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select
    not exists (
      select
      from public.votes as v
      where v.clip_id = p_item.clip_id
        and v.voter_id = p_reviewer_id
    )
    and not exists (
      select
      from consensus.skips as s
      where s.reviewer_id = p_reviewer_id
        and s.clip_id = p_item.clip_id
    )
    and not exists (
      select
      from consensus.leases as l
      where l.clip_id = p_item.clip_id
        and l.reviewer_id = p_reviewer_id
    )
    and (
      select count(*)
      from consensus.leases as l
      where l.clip_id = p_item.clip_id
        and l.expires_at > app.now()
    ) < p_item.votes_needed
    and not (
      select c.is_hidden
      from public.clips as c
      where c.id = p_item.clip_id
    );
$$;

--
-- Name: FUNCTION may_lease(p_item consensus.items, p_reviewer_id uuid); Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON FUNCTION consensus.may_lease(p_item consensus.items, p_reviewer_id uuid) IS 'Whether an open clip may be handed to a reviewer now.';

--
-- Name: next_clips_to_review(text, integer); Type: FUNCTION; Schema: consensus; Owner: -
--

CREATE FUNCTION consensus.next_clips_to_review(p_language text, p_max_clips integer) RETURNS SETOF public.review_item
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_reviewer_id uuid := app.require_member();
  v_now timestamptz := app.now();
  v_leased uuid[];
  v_locked uuid[];
  v_added uuid[];
begin
  perform limits.spend('next_clips_to_review');

  if (p_max_clips between 1 and 50) is not true then
    perform app.fail('invalid_input', 'max_clips: 1 to 50');
  end if;
  if not exists (select from public.languages as l where l.code = p_language) then
    perform app.fail('unknown_language');
  end if;

  perform
  from public.profiles as p
  where p.id = v_reviewer_id
  for no key update;

  delete from consensus.leases as l
  where l.reviewer_id = v_reviewer_id
    and l.expires_at <= v_now;

  v_leased := array(
    select l.clip_id
    from consensus.leases as l
    inner join consensus.items as i on i.clip_id = l.clip_id
    where l.reviewer_id = v_reviewer_id
      and i.language = p_language
      and i.state = 'open'
      and (select not c.is_hidden from public.clips as c where c.id = i.clip_id)
    order by l.expires_at, l.clip_id
    limit p_max_clips
  );

  for v_round in 1..5 loop
    exit when cardinality(v_leased) >= p_max_clips;

    v_locked := array(
      select i.clip_id
      from consensus.items as i
      where i.clip_id in (
        select c.clip_id
        from consensus.clips_to_lease(
          v_reviewer_id, p_language, p_max_clips - cardinality(v_leased)
        ) as c
      )
        and i.state = 'open'
      order by i.clip_id
      for no key update skip locked
    );

    with added as (
      insert into consensus.leases (clip_id, reviewer_id, expires_at)
      select i.clip_id, v_reviewer_id, v_now + k.lease_duration
      from consensus.items as i
      inner join consensus.kinds as k on k.kind = i.kind
      where i.clip_id = any (v_locked)
        and consensus.may_lease(i, v_reviewer_id)
      order by i.clip_id
      returning clip_id
    )
    select array_agg(a.clip_id) into v_added from added as a;

    exit when v_added is null;
    v_leased := v_leased || v_added;
  end loop;

  return query
  select
    c.id, c.kind, c.language, c.media_path, c.duration_ms, c.prompt, c.transcript, k.labels, l.expires_at
  from consensus.leases as l
  inner join consensus.items as i on i.clip_id = l.clip_id
  inner join consensus.kinds as k on k.kind = i.kind
  inner join public.clips as c on c.id = l.clip_id
  where l.reviewer_id = v_reviewer_id
    and l.clip_id = any (v_leased)
  order by i.votes_needed, c.id;
end;
$$;

--
-- Name: FUNCTION next_clips_to_review(p_language text, p_max_clips integer); Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON FUNCTION consensus.next_clips_to_review(p_language text, p_max_clips integer) IS 'The rule behind the door public.next_clips_to_review.';

--
-- Name: open_item(public.clips); Type: FUNCTION; Schema: consensus; Owner: -
--

CREATE FUNCTION consensus.open_item(p_clip public.clips) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  insert into consensus.items (clip_id, kind, language, author_id, tally, votes_needed)
  select p_clip.id, k.kind, p_clip.language, p_clip.author_id,
    array_fill(0, array[cardinality(k.labels)]), k.min_votes
  from consensus.kinds as k
  where k.kind = p_clip.kind;
$$;

--
-- Name: FUNCTION open_item(p_clip public.clips); Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON FUNCTION consensus.open_item(p_clip public.clips) IS 'Make a clip votable.';

--
-- Name: promise_rewards(public.clips, consensus.kinds, text, uuid); Type: FUNCTION; Schema: consensus; Owner: -
--

CREATE FUNCTION consensus.promise_rewards(p_clip public.clips, p_kind consensus.kinds, p_label text, p_decided_by uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_day date := (app.now() at time zone 'UTC')::date;
  v_people uuid[];
  v_amounts bigint[];
  v_causes text[];
  v_within uuid[];
  v_total bigint;
  v_slot_id bigint;
begin
  select array_agg(e.user_id order by e.user_id), array_agg(e.amount order by e.user_id), array_agg(e.cause order by e.user_id)
  into v_people, v_amounts, v_causes
  from (
    select p_clip.author_id as user_id, p_kind.author_reward as amount, 'clip_author_reward' as cause
    where p_clip.status = 'valid'
    union all
    select v.voter_id, p_kind.reviewer_reward, 'clip_reviewer_reward'
    from public.votes as v
    where v.clip_id = p_clip.id
      and v.label = p_label
      and v.voter_id <> p_clip.author_id
      and v.voter_id is distinct from p_decided_by
  ) as e
  where e.amount > 0
    and not exists (select from identity.erasures as g where g.user_id = e.user_id);

  if v_people is null then
    return;
  end if;

  with grown as (
    insert into consensus.reward_days as d (user_id, day, currency, promised)
    select e.user_id, v_day, p_kind.currency, e.amount
    from unnest(v_people, v_amounts) as e (user_id, amount)
    where e.amount <= p_kind.daily_reward_cap
    order by e.user_id
    on conflict on constraint reward_days_pkey do update
    set promised = d.promised + excluded.promised
    where d.promised + excluded.promised <= p_kind.daily_reward_cap
    returning d.user_id
  )
  select array_agg(g.user_id) into v_within from grown as g;

  select sum(e.amount)
  into v_total
  from unnest(v_people, v_amounts) as e (user_id, amount)
  where e.user_id = any (v_within);

  if v_total > 0 then
    v_slot_id := ledger.lock_pool_slot(p_kind.currency, v_total);
  end if;

  if v_slot_id is null then
    update consensus.reward_days as d
    set promised = d.promised - e.amount
    from unnest(v_people, v_amounts) as e (user_id, amount)
    where d.user_id = e.user_id
      and d.user_id = any (v_within)
      and d.day = v_day
      and d.currency = p_kind.currency;
  else
    perform ledger.open_wallets(v_within, p_kind.currency);
    perform ledger.place_holds(array(
      select row(v_slot_id, a.id, e.amount, e.cause, p_clip.id, null)::ledger.hold_request
      from unnest(v_people, v_amounts, v_causes) as e (user_id, amount, cause)
      inner join ledger.accounts as a
        on a.owner_id = e.user_id and a.currency = p_kind.currency and a.purpose = 'wallet'
      where e.user_id = any (v_within)
    ));
  end if;

  if v_slot_id is null or cardinality(v_within) < cardinality(v_people) then
    insert into consensus.withheld_rewards (clip_id, version, user_id, cause, currency, amount, why, created_at)
    select
      p_clip.id, p_clip.version, e.user_id, e.cause, p_kind.currency, e.amount,
      case when e.user_id = any (v_within) then 'pool_empty' else 'daily_cap' end,
      app.now()
    from unnest(v_people, v_amounts, v_causes) as e (user_id, amount, cause)
    where v_slot_id is null
      or (e.user_id = any (v_within)) is not true;
  end if;
end;
$$;

--
-- Name: FUNCTION promise_rewards(p_clip public.clips, p_kind consensus.kinds, p_label text, p_decided_by uuid); Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON FUNCTION consensus.promise_rewards(p_clip public.clips, p_kind consensus.kinds, p_label text, p_decided_by uuid) IS 'Hold the rewards of a decision for the author and the agreeing reviewers.';

--
-- Name: reopen(consensus.items, consensus.kinds, text); Type: FUNCTION; Schema: consensus; Owner: -
--

CREATE FUNCTION consensus.reopen(p_item consensus.items, p_kind consensus.kinds, p_reason text) RETURNS public.clips
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_clip public.clips;
begin
  update consensus.items as i
  set
    state = 'open',
    votes_needed = greatest(1, consensus.votes_needed(p_item.tally, p_kind.min_votes)),
    label = null,
    settle_at = null
  where i.clip_id = p_item.clip_id;

  update public.clips as c
  set
    status = 'pending',
    status_reason = p_reason,
    version = c.version + 1,
    decided_at = null,
    published_at = null
  where c.id = p_item.clip_id
  returning c.* into v_clip;

  insert into consensus.decisions (
    clip_id, version, status, label, rule, decided_by, tally, reason, created_at
  )
  values (
    v_clip.id, v_clip.version, 'pending', null, 'staff', app.user_id(), p_item.tally, p_reason, app.now()
  );

  perform consensus.tell_decision(v_clip);
  return v_clip;
end;
$$;

--
-- Name: FUNCTION reopen(p_item consensus.items, p_kind consensus.kinds, p_reason text); Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON FUNCTION consensus.reopen(p_item consensus.items, p_kind consensus.kinds, p_reason text) IS 'Open a locked clip for voting again.';

--
-- Name: set_validation_status(uuid, public.validation_status, text, text); Type: FUNCTION; Schema: consensus; Owner: -
--

CREATE FUNCTION consensus.set_validation_status(p_clip_id uuid, p_status public.validation_status, p_reason text, p_idempotency_key text) RETURNS public.validation_outcome
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_staff_id uuid := app.require_role('moderator', 'admin');
  v_key text := app.idempotency_key(p_idempotency_key);
  v_reason text := app.require_text('reason', p_reason, 1, 2000);
  v_answer jsonb;
  v_item consensus.items;
  v_kind consensus.kinds;
  v_clip public.clips;
  v_previous public.validation_status;
  v_label text;
  v_outcome public.validation_outcome;
begin
  perform limits.spend('set_validation_status');

  if p_status is null then
    perform app.fail('invalid_input', 'status: pending, valid or invalid');
  end if;

  v_answer := app.claim_idempotency_key(v_staff_id, v_key, 'set_validation_status', jsonb_build_object(
    'clip_id', p_clip_id, 'status', p_status, 'reason', v_reason
  ));
  if v_answer is not null then
    return jsonb_populate_record(null::public.validation_outcome, v_answer);
  end if;

  select i.*
  into v_item
  from consensus.items as i
  where i.clip_id = p_clip_id
  for no key update;

  if not found then
    perform app.fail('clip_not_found');
  end if;
  if v_item.author_id = v_staff_id then
    perform app.fail('own_clip');
  end if;

  select c.* into v_clip from public.clips as c where c.id = p_clip_id;
  select k.* into v_kind from consensus.kinds as k where k.kind = v_item.kind;
  v_previous := v_clip.status;

  if p_status = v_previous and v_item.state in ('open', 'settled') then
    perform app.fail('status_unchanged');
  end if;

  perform consensus.lock_consequences(v_item, v_kind);

  if p_status = v_previous and v_item.state = 'decided' then
    perform consensus.settle_clips(array[p_clip_id]);
  else
    perform consensus.undo_rewards(p_clip_id);
    if p_status = 'pending' then
      v_clip := consensus.reopen(v_item, v_kind, v_reason);
    else
      v_label := case
        when p_status = 'valid' then v_kind.validating_labels[1]
        else (select l.label from unnest(v_kind.labels) as l (label) where l.label <> all (v_kind.validating_labels) limit 1)
      end;
      v_clip := consensus.decide(v_item, v_kind, v_label, 'staff', v_reason);
      perform consensus.settle_clips(array[p_clip_id]);
    end if;
  end if;

  perform audit.record(
    'validation_status_set', 'clip', p_clip_id::text, v_reason,
    jsonb_build_object('from', v_previous, 'to', p_status, 'version', v_clip.version)
  );

  v_outcome := row(p_clip_id, v_clip.status, v_previous, p_status <> 'pending', v_clip.version);
  perform app.store_idempotent_response(v_staff_id, v_key, to_jsonb(v_outcome));
  return v_outcome;
end;
$$;

--
-- Name: FUNCTION set_validation_status(p_clip_id uuid, p_status public.validation_status, p_reason text, p_idempotency_key text); Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON FUNCTION consensus.set_validation_status(p_clip_id uuid, p_status public.validation_status, p_reason text, p_idempotency_key text) IS 'The rule behind the door public.set_validation_status.';

--
-- Name: settle_clips(uuid[]); Type: FUNCTION; Schema: consensus; Owner: -
--

CREATE FUNCTION consensus.settle_clips(p_clip_ids uuid[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform ledger.settle_holds(array(
    select h.id
    from ledger.holds as h
    where h.cause_id = any (p_clip_ids)
      and h.state = 'pending'
    order by h.id
  ));

  update consensus.items as i
  set
    state = 'settled',
    settle_at = null
  where i.clip_id = any (p_clip_ids);
end;
$$;

--
-- Name: FUNCTION settle_clips(p_clip_ids uuid[]); Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON FUNCTION consensus.settle_clips(p_clip_ids uuid[]) IS 'Turn the held rewards of decided clips into posted ones.';

--
-- Name: settle_due_clips(integer); Type: FUNCTION; Schema: consensus; Owner: -
--

CREATE FUNCTION consensus.settle_due_clips(p_limit integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_clip_ids uuid[] := array(
    select i.clip_id
    from consensus.items as i
    where i.state = 'decided'
      and i.settle_at <= app.now()
    order by i.settle_at
    limit p_limit
    for no key update skip locked
  );
begin
  if cardinality(v_clip_ids) > 0 then
    perform consensus.settle_clips(v_clip_ids);
  end if;

  return cardinality(v_clip_ids);
end;
$$;

--
-- Name: FUNCTION settle_due_clips(p_limit integer); Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON FUNCTION consensus.settle_due_clips(p_limit integer) IS 'Settle up to p_limit clips whose rewards have been held long enough; returns how many.';

--
-- Name: skip_clip(uuid); Type: FUNCTION; Schema: consensus; Owner: -
--

CREATE FUNCTION consensus.skip_clip(p_clip_id uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_reviewer_id uuid := app.require_member();
begin
  perform limits.spend('skip_clip');

  perform
  from consensus.items as i
  where i.clip_id = p_clip_id
  for no key update;

  if not consensus.has_met(p_clip_id, v_reviewer_id) then
    perform app.fail('clip_not_found');
  end if;

  insert into consensus.skips (reviewer_id, clip_id, created_at)
  values (v_reviewer_id, p_clip_id, app.now())
  on conflict do nothing;

  delete from consensus.leases as l
  where l.clip_id = p_clip_id
    and l.reviewer_id = v_reviewer_id;
end;
$$;

--
-- Name: FUNCTION skip_clip(p_clip_id uuid); Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON FUNCTION consensus.skip_clip(p_clip_id uuid) IS 'The rule behind the door public.skip_clip.';

--
-- Name: tell_decision(public.clips); Type: FUNCTION; Schema: consensus; Owner: -
--

CREATE FUNCTION consensus.tell_decision(p_clip public.clips) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  insert into jobs.outbox (topic, event, payload, request_id, traceparent, tracestate)
  select
    'user:' || t.user_id,
    'clip_decided',
    jsonb_build_object(
      'clip_id', p_clip.id,
      'status', p_clip.status,
      'reason', case when t.user_id = p_clip.author_id then p_clip.status_reason end,
      'version', p_clip.version
    ),
    app.request_id(),
    (select app.traceparent()),
    (select app.tracestate())
  from (
    select p_clip.author_id as user_id
    union
    select v.voter_id
    from public.votes as v
    where v.clip_id = p_clip.id
  ) as t;
$$;

--
-- Name: FUNCTION tell_decision(p_clip public.clips); Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON FUNCTION consensus.tell_decision(p_clip public.clips) IS 'Queue clip_decided for the author and the voters.';

--
-- Name: tg_decisions__refuse_change(); Type: FUNCTION; Schema: consensus; Owner: -
--

CREATE FUNCTION consensus.tg_decisions__refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform app.fail('append_only', format('%s on %I.%I', lower(tg_op), tg_table_schema, tg_table_name));
  return null;
end;
$$;

--
-- Name: FUNCTION tg_decisions__refuse_change(); Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON FUNCTION consensus.tg_decisions__refuse_change() IS 'Refuses update, delete and truncate, whoever asks.';

--
-- Name: tg_kinds__keep_labels(); Type: FUNCTION; Schema: consensus; Owner: -
--

CREATE FUNCTION consensus.tg_kinds__keep_labels() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if tg_op = 'UPDATE' and new.labels[1:cardinality(old.labels)] <> old.labels then
    perform app.fail('invalid_input', 'labels: add new ones at the end, keep the others');
  end if;
  if (select count(distinct l.label) from unnest(new.labels) as l (label)) <> cardinality(new.labels) then
    perform app.fail('invalid_input', 'labels: each once');
  end if;

  return new;
end;
$$;

--
-- Name: FUNCTION tg_kinds__keep_labels(); Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON FUNCTION consensus.tg_kinds__keep_labels() IS 'Lets the labels of a kind grow at the end only.';

--
-- Name: undo_rewards(uuid); Type: FUNCTION; Schema: consensus; Owner: -
--

CREATE FUNCTION consensus.undo_rewards(p_clip_id uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  update consensus.reward_days as d
  set promised = d.promised - g.amount
  from (
    select
      a.owner_id,
      (h.created_at at time zone 'UTC')::date as day,
      h.currency,
      sum(h.amount) as amount
    from ledger.holds as h
    inner join ledger.accounts as a on a.id = h.credit_account_id
    left join ledger.transfers as t on t.hold_id = h.id
    where h.cause_id = p_clip_id
      and (
        h.state = 'pending'
        or (
          h.state = 'settled'
          and not exists (select from ledger.transfers as r where r.reverses_transfer_id = t.id)
        )
      )
    group by a.owner_id, day, h.currency
  ) as g
  where d.user_id = g.owner_id
    and d.day = g.day
    and d.currency = g.currency;

  perform ledger.release_holds(array(
    select h.id
    from ledger.holds as h
    where h.cause_id = p_clip_id
      and h.state = 'pending'
    order by h.id
  ));

  perform ledger.reverse_transfers(array(
    select t.id
    from ledger.transfers as t
    where t.cause_id = p_clip_id
      and t.hold_id is not null
      and not exists (select from ledger.transfers as r where r.reverses_transfer_id = t.id)
    order by t.id
  ));
end;
$$;

--
-- Name: FUNCTION undo_rewards(p_clip_id uuid); Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON FUNCTION consensus.undo_rewards(p_clip_id uuid) IS 'Void the held and reverse the posted rewards of a clip.';

--
-- Name: votes_needed(integer[], integer); Type: FUNCTION; Schema: consensus; Owner: -
--

CREATE FUNCTION consensus.votes_needed(p_tally integer[], p_min_votes integer) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select greatest(0, p_min_votes - max(t.votes), sum(t.votes) - 2 * max(t.votes) + 1)::integer
  from unnest(p_tally) as t (votes);
$$;

--
-- Name: FUNCTION votes_needed(p_tally integer[], p_min_votes integer); Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON FUNCTION consensus.votes_needed(p_tally integer[], p_min_votes integer) IS 'Votes still needed at least before a tally decides; 0 when it does. The classic rule lives here.';

--
-- Name: votes; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.votes (
    clip_id uuid NOT NULL,
    voter_id uuid NOT NULL,
    label text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);

--
-- Name: TABLE votes; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.votes IS 'One vote per person and clip; voting again replaces it until the clip is decided.';

--
-- Name: COLUMN votes.clip_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.votes.clip_id IS 'The clip.';

--
-- Name: COLUMN votes.voter_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.votes.voter_id IS 'Who voted.';

--
-- Name: COLUMN votes.label; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.votes.label IS 'What they found.';

--
-- Name: COLUMN votes.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.votes.created_at IS 'When they voted first.';

--
-- Name: COLUMN votes.updated_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.votes.updated_at IS 'When they changed it last.';

--
-- Name: votes_on_clip(uuid); Type: FUNCTION; Schema: consensus; Owner: -
--

CREATE FUNCTION consensus.votes_on_clip(p_clip_id uuid) RETURNS SETOF public.votes
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform app.require_role('moderator', 'admin');
  perform limits.spend('votes_on_clip');

  if not exists (select from consensus.items as i where i.clip_id = p_clip_id) then
    perform app.fail('clip_not_found');
  end if;

  return query
  select v.*
  from public.votes as v
  where v.clip_id = p_clip_id
  order by v.created_at, v.voter_id;
end;
$$;

--
-- Name: FUNCTION votes_on_clip(p_clip_id uuid); Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON FUNCTION consensus.votes_on_clip(p_clip_id uuid) IS 'The rule behind the door public.votes_on_clip.';

--
-- Name: flags; Type: TABLE; Schema: flags; Owner: -
--

CREATE TABLE flags.flags (
    flag text NOT NULL,
    is_on boolean DEFAULT false NOT NULL,
    percentage numeric(5,2) DEFAULT 100 NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT flags_description_length CHECK ((length(description) <= 500)),
    CONSTRAINT flags_flag_is_a_name CHECK ((flag ~ '^[a-z][a-z0-9_]{0,62}$'::text)),
    CONSTRAINT flags_percentage_is_one CHECK (((percentage >= (0)::numeric) AND (percentage <= (100)::numeric)))
);

--
-- Name: TABLE flags; Type: COMMENT; Schema: flags; Owner: -
--

COMMENT ON TABLE flags.flags IS 'Features that are not, or not yet, for everybody.';

--
-- Name: COLUMN flags.is_on; Type: COMMENT; Schema: flags; Owner: -
--

COMMENT ON COLUMN flags.flags.is_on IS 'The main switch: off is off for everybody, listed or not.';

--
-- Name: COLUMN flags.percentage; Type: COMMENT; Schema: flags; Owner: -
--

COMMENT ON COLUMN flags.flags.percentage IS 'While on: share of people who have it; raising it takes it from nobody.';

--
-- Name: describe(flags.flags); Type: FUNCTION; Schema: flags; Owner: -
--

CREATE FUNCTION flags.describe(p_flag flags.flags) RETURNS public.feature_flag
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select
    p_flag.flag,
    p_flag.is_on,
    p_flag.percentage,
    p_flag.description,
    array(
      select l.user_id
      from flags.listed_users as l
      where l.flag = p_flag.flag
      order by l.user_id
    ),
    p_flag.updated_at;
$$;

--
-- Name: FUNCTION describe(p_flag flags.flags); Type: COMMENT; Schema: flags; Owner: -
--

COMMENT ON FUNCTION flags.describe(p_flag flags.flags) IS 'A flag with its listed people.';

--
-- Name: includes(flags.flags, uuid); Type: FUNCTION; Schema: flags; Owner: -
--

CREATE FUNCTION flags.includes(p_flag flags.flags, p_user_id uuid) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select p_flag.is_on and (
    p_flag.percentage = 100
    or coalesce(
      ('x' || left(md5(p_flag.flag || ':' || p_user_id), 8))::bit(32)::bigint % 10000 < p_flag.percentage * 100,
      false
    )
    or exists (
      select
      from flags.listed_users as l
      where l.flag = p_flag.flag
        and l.user_id = p_user_id
    )
  );
$$;

--
-- Name: FUNCTION includes(p_flag flags.flags, p_user_id uuid); Type: COMMENT; Schema: flags; Owner: -
--

COMMENT ON FUNCTION flags.includes(p_flag flags.flags, p_user_id uuid) IS 'Whether a flag is on for a person.';

--
-- Name: is_on(text, uuid); Type: FUNCTION; Schema: flags; Owner: -
--

CREATE FUNCTION flags.is_on(p_flag text, p_user_id uuid DEFAULT auth.uid()) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select coalesce(
    (
      select flags.includes(f, p_user_id)
      from flags.flags as f
      where f.flag = p_flag
    ),
    false
  );
$$;

--
-- Name: FUNCTION is_on(p_flag text, p_user_id uuid); Type: COMMENT; Schema: flags; Owner: -
--

COMMENT ON FUNCTION flags.is_on(p_flag text, p_user_id uuid) IS 'Whether a feature is on for a person; the caller unless said otherwise.';

--
-- Name: list_flags(); Type: FUNCTION; Schema: flags; Owner: -
--

CREATE FUNCTION flags.list_flags() RETURNS SETOF public.feature_flag
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform app.require_role('admin');
  perform limits.spend('list_flags');

  return query
  select (flags.describe(f)).*
  from flags.flags as f
  order by f.flag;
end;
$$;

--
-- Name: FUNCTION list_flags(); Type: COMMENT; Schema: flags; Owner: -
--

COMMENT ON FUNCTION flags.list_flags() IS 'The rule behind the door public.list_flags.';

--
-- Name: my_flags(); Type: FUNCTION; Schema: flags; Owner: -
--

CREATE FUNCTION flags.my_flags() RETURNS TABLE(flag text, is_on boolean)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select f.flag, flags.includes(f, u.id)
  from (select app.user_id() as id) as u
  left join flags.flags as f on true
  where f.flag is not null
  order by f.flag;
$$;

--
-- Name: FUNCTION my_flags(); Type: COMMENT; Schema: flags; Owner: -
--

COMMENT ON FUNCTION flags.my_flags() IS 'The rule behind the door public.my_flags.';

--
-- Name: on_for(uuid); Type: FUNCTION; Schema: flags; Owner: -
--

CREATE FUNCTION flags.on_for(p_user_id uuid) RETURNS text[]
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select array(
    select f.flag
    from flags.flags as f
    where f.is_on
      and flags.includes(f, p_user_id)
    order by f.flag
  );
$$;

--
-- Name: FUNCTION on_for(p_user_id uuid); Type: COMMENT; Schema: flags; Owner: -
--

COMMENT ON FUNCTION flags.on_for(p_user_id uuid) IS 'Names of the features that are on for a person.';

--
-- Name: set_flag(text, boolean, numeric, text, text, text); Type: FUNCTION; Schema: flags; Owner: -
--

CREATE FUNCTION flags.set_flag(p_flag text, p_is_on boolean, p_percentage numeric, p_description text, p_reason text, p_idempotency_key text) RETURNS public.feature_flag
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_admin_id uuid := app.require_role('admin');
  v_key text := app.idempotency_key(p_idempotency_key);
  v_flag_name text := app.require_text('flag', p_flag, 1, 63);
  v_description text := app.require_text('description', p_description, 0, 500);
  v_reason text := app.require_text('reason', p_reason, 1, 2000);
  v_percentage numeric := trim_scale(p_percentage);
  v_answer jsonb;
  v_before flags.flags;
  v_flag flags.flags;
begin
  perform limits.spend('set_flag');

  if v_flag_name !~ '^[a-z][a-z0-9_]{0,62}$' then
    perform app.fail('invalid_input', 'flag: a to z, 0 to 9 and _, beginning with a letter');
  end if;
  if (p_percentage between 0 and 100) is false or p_percentage = 'NaN' then
    perform app.fail('invalid_input', 'percentage: 0 to 100');
  end if;
  if scale(v_percentage) > 2 then
    perform app.fail('invalid_input', 'percentage: two decimals at most');
  end if;

  v_answer := app.claim_idempotency_key(v_admin_id, v_key, 'set_flag', jsonb_build_object(
    'flag', v_flag_name, 'is_on', p_is_on, 'percentage', v_percentage,
    'description', v_description, 'reason', v_reason
  ));
  if v_answer is not null then
    return jsonb_populate_record(null::public.feature_flag, v_answer);
  end if;

  select f.*
  into v_before
  from flags.flags as f
  where f.flag = v_flag_name
  for no key update;

  insert into flags.flags as f (flag, is_on, percentage, description, created_at, updated_at)
  values (
    v_flag_name, coalesce(p_is_on, false), coalesce(v_percentage, 100), coalesce(v_description, ''),
    app.now(), app.now()
  )
  on conflict on constraint flags_pkey do update
  set
    is_on = coalesce(p_is_on, f.is_on),
    percentage = coalesce(v_percentage, f.percentage),
    description = case when p_description is null then f.description else coalesce(v_description, '') end,
    updated_at = app.now()
  returning f.* into v_flag;

  perform audit.record(
    'flag_set', 'flag', v_flag_name, v_reason,
    jsonb_build_object(
      'is_on', v_flag.is_on, 'percentage', v_flag.percentage,
      'was_on', v_before.is_on, 'was_percentage', v_before.percentage
    )
  );
  perform app.store_idempotent_response(v_admin_id, v_key, to_jsonb(flags.describe(v_flag)));
  return flags.describe(v_flag);
end;
$_$;

--
-- Name: FUNCTION set_flag(p_flag text, p_is_on boolean, p_percentage numeric, p_description text, p_reason text, p_idempotency_key text); Type: COMMENT; Schema: flags; Owner: -
--

COMMENT ON FUNCTION flags.set_flag(p_flag text, p_is_on boolean, p_percentage numeric, p_description text, p_reason text, p_idempotency_key text) IS 'The rule behind the door public.set_flag.';

--
-- Name: set_flag_for_user(text, uuid, boolean, text, text); Type: FUNCTION; Schema: flags; Owner: -
--

CREATE FUNCTION flags.set_flag_for_user(p_flag text, p_user_id uuid, p_is_listed boolean, p_reason text, p_idempotency_key text) RETURNS public.feature_flag
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_admin_id uuid := app.require_role('admin');
  v_key text := app.idempotency_key(p_idempotency_key);
  v_flag_name text := app.require_text('flag', p_flag, 1, 63);
  v_reason text := app.require_text('reason', p_reason, 1, 2000);
  v_answer jsonb;
  v_flag flags.flags;
begin
  perform limits.spend('set_flag_for_user');

  if p_is_listed is null then
    perform app.fail('invalid_input', 'is_listed: true or false');
  end if;

  v_answer := app.claim_idempotency_key(v_admin_id, v_key, 'set_flag_for_user', jsonb_build_object(
    'flag', v_flag_name, 'user_id', p_user_id, 'is_listed', p_is_listed, 'reason', v_reason
  ));
  if v_answer is not null then
    return jsonb_populate_record(null::public.feature_flag, v_answer);
  end if;

  select f.*
  into v_flag
  from flags.flags as f
  where f.flag = v_flag_name
  for no key update;

  if not found then
    perform app.fail('flag_not_found');
  end if;
  if not exists (select from public.profiles as p where p.id = p_user_id)
    or exists (select from identity.erasures as e where e.user_id = p_user_id) then
    perform app.fail('user_not_found');
  end if;

  if p_is_listed then
    insert into flags.listed_users (flag, user_id, listed_at)
    values (v_flag_name, p_user_id, app.now())
    on conflict do nothing;
  else
    delete from flags.listed_users as l
    where l.flag = v_flag_name
      and l.user_id = p_user_id;
  end if;

  if found then
    perform audit.record(
      'flag_list_changed', 'flag', v_flag_name, v_reason,
      jsonb_build_object('user_id', p_user_id, 'is_listed', p_is_listed)
    );
  end if;
  perform app.store_idempotent_response(v_admin_id, v_key, to_jsonb(flags.describe(v_flag)));
  return flags.describe(v_flag);
end;
$$;

--
-- Name: FUNCTION set_flag_for_user(p_flag text, p_user_id uuid, p_is_listed boolean, p_reason text, p_idempotency_key text); Type: COMMENT; Schema: flags; Owner: -
--

COMMENT ON FUNCTION flags.set_flag_for_user(p_flag text, p_user_id uuid, p_is_listed boolean, p_reason text, p_idempotency_key text) IS 'The rule behind the door public.set_flag_for_user.';

--
-- Name: add_role(uuid, public.app_role, text); Type: FUNCTION; Schema: identity; Owner: -
--

CREATE FUNCTION identity.add_role(p_user_id uuid, p_role public.app_role, p_reason text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_reason text := app.require_text('reason', p_reason, 1, 2000);
begin
  if p_role is null then
    perform app.fail('invalid_input', 'role: must be given');
  end if;
  if not exists (select from public.profiles as p where p.id = p_user_id)
    or exists (select from identity.erasures as e where e.user_id = p_user_id) then
    perform app.fail('user_not_found');
  end if;

  insert into identity.user_roles (user_id, role, granted_by, granted_at)
  values (p_user_id, p_role, auth.uid(), app.now())
  on conflict do nothing;

  if found then
    perform audit.record(
      'role_granted', 'user', p_user_id::text, v_reason, jsonb_build_object('role', p_role)
    );
  end if;
end;
$$;

--
-- Name: FUNCTION add_role(p_user_id uuid, p_role public.app_role, p_reason text); Type: COMMENT; Schema: identity; Owner: -
--

COMMENT ON FUNCTION identity.add_role(p_user_id uuid, p_role public.app_role, p_reason text) IS 'Record and audit a role; the caller is checked by identity.grant_role.';

--
-- Name: erasures; Type: TABLE; Schema: identity; Owner: -
--

CREATE TABLE identity.erasures (
    user_id uuid NOT NULL,
    requested_by uuid NOT NULL,
    forfeits boolean NOT NULL,
    erased_at timestamp with time zone NOT NULL,
    sign_in_deleted_at timestamp with time zone,
    finished_at timestamp with time zone,
    lease_id uuid,
    lease_expires_at timestamp with time zone,
    CONSTRAINT erasures_lease_is_whole CHECK (((lease_id IS NULL) = (lease_expires_at IS NULL)))
);

--
-- Name: TABLE erasures; Type: COMMENT; Schema: identity; Owner: -
--

COMMENT ON TABLE identity.erasures IS 'Erased accounts, by id alone. Kept, so that a restored backup can be cleaned again.';

--
-- Name: COLUMN erasures.forfeits; Type: COMMENT; Schema: identity; Owner: -
--

COMMENT ON COLUMN identity.erasures.forfeits IS 'Whether money left in the wallets goes to the platform.';

--
-- Name: COLUMN erasures.sign_in_deleted_at; Type: COMMENT; Schema: identity; Owner: -
--

COMMENT ON COLUMN identity.erasures.sign_in_deleted_at IS 'When Supabase Auth said that the user is gone.';

--
-- Name: COLUMN erasures.finished_at; Type: COMMENT; Schema: identity; Owner: -
--

COMMENT ON COLUMN identity.erasures.finished_at IS 'When nothing was found any more, a while after erased_at: what was under way then has committed.';

--
-- Name: COLUMN erasures.lease_id; Type: COMMENT; Schema: identity; Owner: -
--

COMMENT ON COLUMN identity.erasures.lease_id IS 'The try under way at Supabase Auth.';

--
-- Name: chase_sign_in(identity.erasures); Type: FUNCTION; Schema: identity; Owner: -
--

CREATE FUNCTION identity.chase_sign_in(p_erasure identity.erasures) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if p_erasure.erased_at >= app.now() - interval '1 minute'
    or p_erasure.lease_expires_at > app.now()
    or exists (
      select
      from procrastinate.procrastinate_jobs as j
      where j.status in ('todo', 'doing')
        and j.task_name = 'identity:delete_sign_in'
        and j.args ->> 'user_id' = p_erasure.user_id::text
    )
    or exists (
      select
      from jobs.dead_letters as d
      where d.task = 'identity:delete_sign_in'
        and d.args ->> 'user_id' = p_erasure.user_id::text
        and d.redriven_at is null
    )
  then
    return;
  end if;

  perform jobs.defer('identity:delete_sign_in', jsonb_build_object('user_id', p_erasure.user_id));
end;
$$;

--
-- Name: FUNCTION chase_sign_in(p_erasure identity.erasures); Type: COMMENT; Schema: identity; Owner: -
--

COMMENT ON FUNCTION identity.chase_sign_in(p_erasure identity.erasures) IS 'Defer the deletion of an erased person''s sign-in again when its job was lost.';

--
-- Name: clear_person(uuid); Type: FUNCTION; Schema: identity; Owner: -
--

CREATE FUNCTION identity.clear_person(p_user_id uuid) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_count integer;
  v_done integer;
begin
  update public.profiles as p
  set
    handle = 'erased_' || left(replace(gen_random_uuid()::text, '-', ''), 20),
    display_name = '',
    avatar_path = null,
    bio = '',
    updated_at = app.now()
  where p.id = p_user_id
    and (
      p.handle !~ '^erased_[0-9a-f]{20}$'
      or p.display_name <> ''
      or p.avatar_path is not null
      or p.bio <> ''
    );
  get diagnostics v_done = row_count;

  delete from identity.user_roles as r
  where r.user_id = p_user_id;
  get diagnostics v_count = row_count;
  v_done := v_done + v_count;

  delete from identity.private_profiles as s
  where s.user_id = p_user_id;
  get diagnostics v_count = row_count;
  v_done := v_done + v_count;

  delete from flags.listed_users as f
  where f.user_id = p_user_id;
  get diagnostics v_count = row_count;
  v_done := v_done + v_count;

  delete from app.idempotency_keys as k
  where k.user_id = p_user_id
    and k.door not in ('erase_my_account', 'erase_account');
  get diagnostics v_count = row_count;
  return v_done + v_count;
end;
$_$;

--
-- Name: FUNCTION clear_person(p_user_id uuid); Type: COMMENT; Schema: identity; Owner: -
--

COMMENT ON FUNCTION identity.clear_person(p_user_id uuid) IS 'Clear an erased person''s profile, settings, roles, flags and kept answers; returns how many rows changed.';

--
-- Name: create_profile(uuid); Type: FUNCTION; Schema: identity; Owner: -
--

CREATE FUNCTION identity.create_profile(p_user_id uuid) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  insert into public.profiles (id, handle)
  values (p_user_id, 'user_' || right(replace(p_user_id::text, '-', ''), 20))
  on conflict do nothing;

  insert into public.profiles (id, handle)
  select p_user_id, 'user_' || left(replace(gen_random_uuid()::text, '-', ''), 20)
  where not exists (select from public.profiles as p where p.id = p_user_id)
  on conflict (id) do nothing;

  insert into identity.private_profiles (user_id)
  select p.id
  from public.profiles as p
  where p.id = p_user_id
  on conflict do nothing;
$$;

--
-- Name: FUNCTION create_profile(p_user_id uuid); Type: COMMENT; Schema: identity; Owner: -
--

COMMENT ON FUNCTION identity.create_profile(p_user_id uuid) IS 'Create a user''s profile rows if they are missing.';

--
-- Name: custom_access_token(jsonb); Type: FUNCTION; Schema: identity; Owner: -
--

CREATE FUNCTION identity.custom_access_token(event jsonb) RETURNS jsonb
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '500ms'
    AS $$
declare
  v_claims jsonb := '{}'::jsonb;
begin
  if jsonb_typeof(event -> 'claims') = 'object' then
    v_claims := (event -> 'claims') - 'app_roles';
  end if;

  return jsonb_build_object('claims', v_claims || jsonb_build_object('app_roles', array(
    select r.role
    from identity.user_roles as r
    where r.user_id = (event ->> 'user_id')::uuid
    order by r.role
  )));
exception when others then
  raise warning 'no app_roles in an access token: %', sqlerrm;
  return jsonb_build_object('claims', v_claims);
end;
$$;

--
-- Name: FUNCTION custom_access_token(event jsonb); Type: COMMENT; Schema: identity; Owner: -
--

COMMENT ON FUNCTION identity.custom_access_token(event jsonb) IS 'Supabase Auth hook: adds the claim app_roles to access tokens. For screens, not for rights.';

--
-- Name: erase(uuid, uuid, text, boolean); Type: FUNCTION; Schema: identity; Owner: -
--

CREATE FUNCTION identity.erase(p_user_id uuid, p_requested_by uuid, p_reason text, p_forfeits boolean) RETURNS public.account_erasure
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_money text;
  v_roles public.app_role[];
  v_erasure identity.erasures;
  v_is_first boolean;
begin
  insert into identity.erasures (user_id, requested_by, forfeits, erased_at)
  values (p_user_id, p_requested_by, p_forfeits, app.now())
  on conflict on constraint erasures_pkey do nothing;
  v_is_first := found;

  select * into strict v_erasure
  from identity.erasures as e
  where e.user_id = p_user_id;

  if not v_is_first then
    return row(v_erasure.user_id, v_erasure.erased_at, v_erasure.sign_in_deleted_at, v_erasure.forfeits);
  end if;

  if exists (select from identity.user_roles as r where r.user_id = p_user_id and r.role = 'admin') then
    perform
    from identity.user_roles as r
    where r.role = 'admin'
    order by r.user_id
    for update;

    if not exists (
      select
      from identity.user_roles as r
      where r.role = 'admin'
        and r.user_id <> p_user_id
        and app.is_member(r.user_id)
    ) then
      perform app.fail('last_admin');
    end if;
  end if;

  v_roles := array(
    select r.role
    from identity.user_roles as r
    where r.user_id = p_user_id
    order by r.role
  );
  perform identity.clear_person(p_user_id);

  select string_agg(
    format('%s: %s in the wallet, %s promised', a.currency, a.posted, ledger.promised_amount(a.id)),
    '; ' order by a.currency
  )
  into v_money
  from ledger.accounts as a
  where a.owner_id = p_user_id
    and (a.posted > 0 or ledger.promised_amount(a.id) > 0);

  if v_money is not null and not p_forfeits then
    perform app.fail('wallet_not_empty', v_money);
  end if;

  delete from consensus.leases as l
  where l.clip_id in (
    select o.clip_id
    from consensus.leases as o
    where o.reviewer_id = p_user_id
    for update skip locked
  )
    and l.reviewer_id = p_user_id;

  perform audit.record(
    'account_erased', 'user', p_user_id::text, p_reason,
    jsonb_build_object('roles', v_roles, 'forfeited', v_money is not null)
  );
  perform jobs.defer('identity:delete_sign_in', jsonb_build_object('user_id', p_user_id));

  return row(v_erasure.user_id, v_erasure.erased_at, v_erasure.sign_in_deleted_at, v_erasure.forfeits);
end;
$$;

--
-- Name: FUNCTION erase(p_user_id uuid, p_requested_by uuid, p_reason text, p_forfeits boolean); Type: COMMENT; Schema: identity; Owner: -
--

COMMENT ON FUNCTION identity.erase(p_user_id uuid, p_requested_by uuid, p_reason text, p_forfeits boolean) IS 'Erase an account; returns its erasure, also when it was erased before.';

--
-- Name: erase_account(uuid, text, boolean, text); Type: FUNCTION; Schema: identity; Owner: -
--

CREATE FUNCTION identity.erase_account(p_user_id uuid, p_reason text, p_forfeit boolean, p_idempotency_key text) RETURNS public.account_erasure
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_admin_id uuid := app.require_role('admin');
  v_key text := app.idempotency_key(p_idempotency_key);
  v_reason text := app.require_text('reason', p_reason, 1, 2000);
  v_answer jsonb;
  v_erasure public.account_erasure;
begin
  perform limits.spend('erase_account');

  v_answer := app.claim_idempotency_key(v_admin_id, v_key, 'erase_account', jsonb_build_object(
    'user_id', p_user_id, 'reason', v_reason, 'forfeit', p_forfeit
  ));
  if v_answer is not null then
    return jsonb_populate_record(null::public.account_erasure, v_answer);
  end if;

  if not exists (select from public.profiles as p where p.id = p_user_id) then
    perform app.fail('user_not_found');
  end if;

  v_erasure := identity.erase(p_user_id, v_admin_id, v_reason, coalesce(p_forfeit, false));

  -- asked again: another admin may have been waited for, who erased this one or took the role
  if p_user_id <> v_admin_id then
    perform app.require_role('admin');
  end if;
  perform app.store_idempotent_response(v_admin_id, v_key, to_jsonb(v_erasure));
  return v_erasure;
end;
$$;

--
-- Name: FUNCTION erase_account(p_user_id uuid, p_reason text, p_forfeit boolean, p_idempotency_key text); Type: COMMENT; Schema: identity; Owner: -
--

COMMENT ON FUNCTION identity.erase_account(p_user_id uuid, p_reason text, p_forfeit boolean, p_idempotency_key text) IS 'The rule behind the door public.erase_account.';

--
-- Name: erase_my_account(text, text); Type: FUNCTION; Schema: identity; Owner: -
--

CREATE FUNCTION identity.erase_my_account(p_confirm text, p_idempotency_key text) RETURNS public.account_erasure
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_user_id uuid := app.user_id();
  v_key text := app.idempotency_key(p_idempotency_key);
  v_answer jsonb;
  v_erasure public.account_erasure;
begin
  if not exists (select from identity.erasures as e where e.user_id = v_user_id) then
    perform app.require_member();
  end if;
  perform limits.spend('erase_my_account');

  if p_confirm not in ('erase my account', 'erase my account and forfeit my balance') or p_confirm is null then
    perform app.fail(
      'invalid_input', 'confirm: "erase my account", or "erase my account and forfeit my balance"'
    );
  end if;

  v_answer := app.claim_idempotency_key(
    v_user_id, v_key, 'erase_my_account', jsonb_build_object('confirm', p_confirm)
  );
  if v_answer is not null then
    return jsonb_populate_record(null::public.account_erasure, v_answer);
  end if;

  v_erasure := identity.erase(
    v_user_id, v_user_id, null, p_confirm = 'erase my account and forfeit my balance'
  );
  perform app.store_idempotent_response(v_user_id, v_key, to_jsonb(v_erasure));
  return v_erasure;
end;
$$;

--
-- Name: FUNCTION erase_my_account(p_confirm text, p_idempotency_key text); Type: COMMENT; Schema: identity; Owner: -
--

COMMENT ON FUNCTION identity.erase_my_account(p_confirm text, p_idempotency_key text) IS 'The rule behind the door public.erase_my_account.';

--
-- Name: export_data(uuid); Type: FUNCTION; Schema: identity; Owner: -
--

CREATE FUNCTION identity.export_data(p_user_id uuid) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select jsonb_build_object(
    'format', 'hub export 1',
    'exported_at', app.now(),
    'user_id', p_user_id,
    'account', (
      select jsonb_build_object(
        'email', u.email,
        'phone', u.phone,
        'email_confirmed_at', u.email_confirmed_at,
        'phone_confirmed_at', u.phone_confirmed_at,
        'last_sign_in_at', u.last_sign_in_at,
        'created_at', u.created_at,
        'user_metadata', u.raw_user_meta_data
      )
      from auth.users as u
      where u.id = p_user_id
    ),
    'profile', (select to_jsonb(p) from public.profiles as p where p.id = p_user_id),
    'preferences', (select to_jsonb(s) - 'user_id' from identity.private_profiles as s where s.user_id = p_user_id),
    'roles', (
      select coalesce(jsonb_agg(to_jsonb(r) - '{user_id,granted_by}'::text[] order by r.role), '[]')
      from identity.user_roles as r
      where r.user_id = p_user_id
    ),
    'features', (
      select coalesce(jsonb_agg(to_jsonb(f) - 'user_id' order by f.flag), '[]')
      from flags.listed_users as f
      where f.user_id = p_user_id
    ),
    'clips', (
      select coalesce(jsonb_agg(to_jsonb(c) order by c.id), '[]')
      from public.clips as c
      where c.author_id = p_user_id
    ),
    'votes', (
      select coalesce(jsonb_agg(to_jsonb(v) - 'voter_id' order by v.created_at), '[]')
      from public.votes as v
      where v.voter_id = p_user_id
    ),
    'skips', (
      select coalesce(jsonb_agg(to_jsonb(s) - 'reviewer_id' order by s.created_at), '[]')
      from consensus.skips as s
      where s.reviewer_id = p_user_id
    ),
    'leases', (
      select coalesce(jsonb_agg(to_jsonb(l) - 'reviewer_id' order by l.expires_at), '[]')
      from consensus.leases as l
      where l.reviewer_id = p_user_id
    ),
    'decisions', (
      select coalesce(jsonb_agg(to_jsonb(d) - '{id,decided_by,tally}'::text[] order by d.id), '[]')
      from consensus.decisions as d
      where d.decided_by = p_user_id
    ),
    'reward_days', (
      select coalesce(jsonb_agg(to_jsonb(d) - 'user_id' order by d.day), '[]')
      from consensus.reward_days as d
      where d.user_id = p_user_id
    ),
    'withheld_rewards', (
      select coalesce(jsonb_agg(to_jsonb(w) - 'user_id' order by w.created_at), '[]')
      from consensus.withheld_rewards as w
      where w.user_id = p_user_id
    ),
    'wallets', (
      select coalesce(jsonb_agg(jsonb_build_object(
        'currency', a.currency,
        'posted', a.posted,
        'held', a.held,
        'pending', ledger.promised_amount(a.id),
        'created_at', a.created_at
      ) order by a.currency), '[]')
      from ledger.accounts as a
      where a.owner_id = p_user_id
    ),
    'statement', (
      select coalesce(jsonb_agg(
        to_jsonb(e) - '{account_id,owner_id,transfer_id}'::text[] || jsonb_build_object('currency', a.currency)
        order by a.currency, e.version
      ), '[]')
      from ledger.accounts as a
      inner join ledger.entries as e on e.account_id = a.id
      where a.owner_id = p_user_id
    ),
    'requests', (
      select coalesce(jsonb_agg(
        jsonb_build_object('door', k.door, 'idempotency_key', k.key, 'created_at', k.created_at) order by k.created_at
      ), '[]')
      from app.idempotency_keys as k
      where k.user_id = p_user_id
    ),
    'setting_changes', (
      select coalesce(jsonb_agg(
        to_jsonb(c) - '{proposed_by,decided_by}'::text[]
        || jsonb_build_object('proposed', c.proposed_by = p_user_id, 'decided', c.decided_by is not distinct from p_user_id)
        order by c.id
      ), '[]')
      from settings.changes as c
      where c.proposed_by = p_user_id
        or c.decided_by = p_user_id
    ),
    'record', (
      select coalesce(jsonb_agg(to_jsonb(r) order by r.at, r.action), '[]')
      from (
        select e.at, e.action, e.subject_type, e.subject_id, e.reason, true as acted
        from audit.events as e
        where e.actor_id = p_user_id
        union all
        select e.at, e.action, e.subject_type, e.subject_id, e.reason, false
        from audit.events as e
        where e.subject_type = 'user'
          and e.subject_id = p_user_id::text
          and e.actor_id is distinct from p_user_id
        union all
        select e.at, e.action, e.subject_type, e.subject_id, e.reason, false
        from audit.events as e
        where e.subject_type = 'flag'
          and e.details ->> 'user_id' = p_user_id::text
          and e.actor_id is distinct from p_user_id
      ) as r
    )
  );
$$;

--
-- Name: FUNCTION export_data(p_user_id uuid); Type: COMMENT; Schema: identity; Owner: -
--

COMMENT ON FUNCTION identity.export_data(p_user_id uuid) IS 'Everything there is about a person, as one document.';

--
-- Name: export_my_data(); Type: FUNCTION; Schema: identity; Owner: -
--

CREATE FUNCTION identity.export_my_data() RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_user_id uuid := app.user_id();
begin
  if not exists (select from auth.users as u where u.id = v_user_id and u.deleted_at is null)
    or exists (select from identity.erasures as e where e.user_id = v_user_id) then
    perform app.fail('not_a_member');
  end if;
  perform limits.spend('export_my_data');

  return identity.export_data(v_user_id);
end;
$$;

--
-- Name: FUNCTION export_my_data(); Type: COMMENT; Schema: identity; Owner: -
--

COMMENT ON FUNCTION identity.export_my_data() IS 'The rule behind the door public.export_my_data.';

--
-- Name: finish_erasures(integer); Type: FUNCTION; Schema: identity; Owner: -
--

CREATE FUNCTION identity.finish_erasures(p_limit integer) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_erasure identity.erasures;
  v_clip_ids uuid[];
  v_count integer;
  v_done integer;
begin
  for v_erasure in
    select *
    from identity.erasures as e
    where e.finished_at is null
    order by e.erased_at
    for no key update skip locked
  loop
    begin
      v_done := identity.clear_person(v_erasure.user_id);

      delete from consensus.leases as l
      where l.clip_id in (
        select o.clip_id
        from consensus.leases as o
        where o.reviewer_id = v_erasure.user_id
        limit p_limit
        for update skip locked
      )
        and l.reviewer_id = v_erasure.user_id;
      get diagnostics v_count = row_count;
      v_done := v_done + v_count;

      delete from consensus.skips as s
      where s.reviewer_id = v_erasure.user_id
        and s.clip_id in (
          select o.clip_id
          from consensus.skips as o
          where o.reviewer_id = v_erasure.user_id
          limit p_limit
        );
      get diagnostics v_count = row_count;
      v_done := v_done + v_count;

      v_clip_ids := array(
        select i.clip_id
        from consensus.items as i
        where i.clip_id in (
          select c.id
          from public.clips as c
          where c.author_id = v_erasure.user_id
            and not starts_with(c.media_path, 'erased/')
          order by c.id
          limit p_limit
        )
        order by i.clip_id
        for no key update
      );

      update public.clips as c
      set
        media_path = 'erased/' || c.id,
        prompt = '',
        transcript = null,
        is_hidden = true,
        published_at = null,
        version = c.version + 1
      where c.id = any (v_clip_ids);
      get diagnostics v_count = row_count;
      v_done := v_done + v_count;

      v_done := v_done + identity.forfeit_money(v_erasure.user_id, p_limit);

      if v_done > 0 then
        return v_done;
      end if;

      if v_erasure.sign_in_deleted_at is null then
        perform identity.chase_sign_in(v_erasure);
        continue;
      end if;

      update identity.erasures as e
      set finished_at = app.now()
      where e.user_id = v_erasure.user_id
        and e.erased_at < app.now() - interval '1 minute'
        and not exists (
          select
          from ledger.accounts as a
          where a.owner_id = e.user_id
            and (a.posted > 0 or a.held > 0 or ledger.promised_amount(a.id) > 0)
        );
    exception when others then
      raise warning 'erasure of %: %', v_erasure.user_id, sqlerrm;
    end;
  end loop;

  return 0;
end;
$$;

--
-- Name: FUNCTION finish_erasures(p_limit integer); Type: COMMENT; Schema: identity; Owner: -
--

COMMENT ON FUNCTION identity.finish_erasures(p_limit integer) IS 'Withdraw clips and give up money of erased accounts, a bounded step; returns how much was done.';

--
-- Name: forfeit_money(uuid, integer); Type: FUNCTION; Schema: identity; Owner: -
--

CREATE FUNCTION identity.forfeit_money(p_user_id uuid, p_limit integer) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_hold_ids bigint[];
  v_wallet ledger.accounts;
  v_revenue_id bigint;
  v_done integer;
begin
  perform
  from consensus.items as i
  where i.clip_id in (
    select h.cause_id
    from ledger.accounts as a
    inner join ledger.holds as h on h.credit_account_id = a.id
    where a.owner_id = p_user_id
      and h.state = 'pending'
    order by h.id
    limit p_limit
  )
  order by i.clip_id
  for no key update;

  v_hold_ids := array(
    select h.id
    from ledger.accounts as a
    inner join ledger.holds as h on h.credit_account_id = a.id
    where a.owner_id = p_user_id
      and h.state = 'pending'
    order by h.id
    limit p_limit
  );
  v_done := cardinality(v_hold_ids);
  if v_done > 0 then
    perform ledger.release_holds(v_hold_ids);
    return v_done;
  end if;

  for v_wallet in
    select *
    from ledger.accounts as a
    where a.owner_id = p_user_id
      and a.posted - a.held > 0
    order by a.id
  loop
    select a.id into strict v_revenue_id
    from ledger.accounts as a
    where a.purpose = 'revenue'
      and a.currency = v_wallet.currency
      and a.slot = 0;

    perform
    from ledger.accounts as a
    where a.id in (v_wallet.id, v_revenue_id)
    order by a.id
    for no key update;

    perform ledger.post(array(
      select row(
        a.id, v_revenue_id, a.posted - a.held, 'erased_account_forfeit', p_user_id, null, null, null
      )::ledger.posting
      from ledger.accounts as a
      where a.id = v_wallet.id
        and a.posted - a.held > 0
    ));
    v_done := v_done + 1;
  end loop;

  return v_done;
end;
$$;

--
-- Name: FUNCTION forfeit_money(p_user_id uuid, p_limit integer); Type: COMMENT; Schema: identity; Owner: -
--

COMMENT ON FUNCTION identity.forfeit_money(p_user_id uuid, p_limit integer) IS 'Void promises to an erased account and book its balances to the platform.';

--
-- Name: grant_role(uuid, public.app_role, text, text); Type: FUNCTION; Schema: identity; Owner: -
--

CREATE FUNCTION identity.grant_role(p_user_id uuid, p_role public.app_role, p_reason text, p_idempotency_key text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_admin_id uuid := app.require_role('admin');
  v_key text := app.idempotency_key(p_idempotency_key);
  v_reason text := app.require_text('reason', p_reason, 1, 2000);
begin
  perform limits.spend('grant_role');

  if app.claim_idempotency_key(v_admin_id, v_key, 'grant_role', jsonb_build_object(
      'user_id', p_user_id, 'role', p_role, 'reason', v_reason
    )) is not null then
    return;
  end if;

  if p_user_id is not distinct from v_admin_id then
    perform app.fail('own_role');
  end if;

  perform identity.add_role(p_user_id, p_role, v_reason);
  perform app.store_idempotent_response(v_admin_id, v_key, 'null');
end;
$$;

--
-- Name: FUNCTION grant_role(p_user_id uuid, p_role public.app_role, p_reason text, p_idempotency_key text); Type: COMMENT; Schema: identity; Owner: -
--

COMMENT ON FUNCTION identity.grant_role(p_user_id uuid, p_role public.app_role, p_reason text, p_idempotency_key text) IS 'The rule behind the door public.grant_role.';

--
-- Name: is_timezone(text); Type: FUNCTION; Schema: identity; Owner: -
--

CREATE FUNCTION identity.is_timezone(p_name text) RETURNS boolean
    LANGUAGE plpgsql STABLE STRICT
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
begin
  perform app.now() at time zone p_name;
  return p_name !~* '^(posix|right)/'
    and p_name ~ '^(UTC|[A-Za-z_]+(/[A-Za-z_-]+)+|Etc/GMT(0|[+]([0-9]|1[0-2])|-([0-9]|1[0-4])))$';
exception when invalid_parameter_value then
  return false;
end;
$_$;

--
-- Name: FUNCTION is_timezone(p_name text); Type: COMMENT; Schema: identity; Owner: -
--

COMMENT ON FUNCTION identity.is_timezone(p_name text) IS 'Whether a text names a timezone.';

--
-- Name: me(); Type: FUNCTION; Schema: identity; Owner: -
--

CREATE FUNCTION identity.me() RETURNS public.me
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select
    u.id,
    p.handle,
    p.display_name,
    p.avatar_path,
    p.bio,
    s.locale,
    s.timezone,
    a.phone_confirmed_at,
    app.is_member(u.id),
    array(
      select r.role
      from identity.user_roles as r
      where r.user_id = u.id
      order by r.role
    ),
    array(
      select row(w.currency, w.posted, w.held, w.posted - w.held, ledger.pending_amount(w.id))::public.wallet_balance
      from ledger.accounts as w
      where w.owner_id = u.id
        and w.purpose = 'wallet'
      order by w.currency
    ),
    p.created_at,
    flags.on_for(u.id)
  from (select app.user_id() as id) as u
  left join public.profiles as p on p.id = u.id
  left join identity.private_profiles as s on s.user_id = u.id
  left join auth.users as a on a.id = u.id;
$$;

--
-- Name: FUNCTION me(); Type: COMMENT; Schema: identity; Owner: -
--

COMMENT ON FUNCTION identity.me() IS 'The rule behind the door public.me.';

--
-- Name: personal_data(); Type: FUNCTION; Schema: identity; Owner: -
--

CREATE FUNCTION identity.personal_data() RETURNS TABLE(table_name text, column_name text, exported_as text, on_erasure text, reason text)
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  values
    ('app.idempotency_keys', 'user_id', 'requests', 'removed', null),
    ('audit.events', 'actor_id', 'record', 'kept', 'the record of decisions is append-only and holds ids'),
    ('consensus.decisions', 'decided_by', 'decisions', 'kept', 'history of what staff decided'),
    ('consensus.items', 'author_id', null, 'kept', 'the votable side of a clip, exported as the clip'),
    ('consensus.leases', 'reviewer_id', 'leases', 'removed', null),
    ('consensus.reward_days', 'user_id', 'reward_days', 'kept', 'sums behind rewards that were booked'),
    ('consensus.skips', 'reviewer_id', 'skips', 'removed', null),
    ('consensus.withheld_rewards', 'user_id', 'withheld_rewards', 'kept', 'belongs to the books'),
    ('flags.listed_users', 'user_id', 'features', 'removed', null),
    ('identity.erasures', 'user_id', null, 'kept', 'shows that the account was erased'),
    ('identity.erasures', 'requested_by', null, 'kept', 'shows who asked'),
    ('identity.private_profiles', 'user_id', 'preferences', 'removed', null),
    ('identity.user_roles', 'granted_by', null, 'kept', 'about the person who holds the role'),
    ('identity.user_roles', 'user_id', 'roles', 'removed', null),
    ('ledger.accounts', 'owner_id', 'wallets', 'kept', 'the books are kept'),
    ('ledger.entries', 'owner_id', 'statement', 'kept', 'the books are kept'),
    ('public.clips', 'author_id', 'clips', 'cleared', 'votes and rewards rest on the clip'),
    ('public.profiles', 'id', 'profile', 'cleared', 'kept rows name the id'),
    ('public.votes', 'voter_id', 'votes', 'kept', 'counts of decided clips rest on it'),
    ('settings.changes', 'decided_by', 'setting_changes', 'kept', 'history of what admins changed'),
    ('settings.changes', 'proposed_by', 'setting_changes', 'kept', 'history of what admins changed');
$$;

--
-- Name: FUNCTION personal_data(); Type: COMMENT; Schema: identity; Owner: -
--

COMMENT ON FUNCTION identity.personal_data() IS 'Every column that names a person: what is exported of it and what erasing does to it.';

--
-- Name: revoke_role(uuid, public.app_role, text, text); Type: FUNCTION; Schema: identity; Owner: -
--

CREATE FUNCTION identity.revoke_role(p_user_id uuid, p_role public.app_role, p_reason text, p_idempotency_key text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_admin_id uuid := app.require_role('admin');
  v_key text := app.idempotency_key(p_idempotency_key);
  v_reason text := app.require_text('reason', p_reason, 1, 2000);
  v_admins uuid[];
begin
  perform limits.spend('revoke_role');

  if p_role is null then
    perform app.fail('invalid_input', 'role: must be given');
  end if;
  if not exists (select from public.profiles as p where p.id = p_user_id) then
    perform app.fail('user_not_found');
  end if;

  if app.claim_idempotency_key(v_admin_id, v_key, 'revoke_role', jsonb_build_object(
      'user_id', p_user_id, 'role', p_role, 'reason', v_reason
    )) is not null then
    return;
  end if;

  if p_role = 'admin' then
    perform
    from identity.user_roles as r
    where r.role = 'admin'
    order by r.user_id
    for update;

    -- Read again: whoever we waited for may have removed one, or us. Only members act.
    v_admins := array(
      select r.user_id
      from identity.user_roles as r
      where r.role = 'admin'
        and app.is_member(r.user_id)
    );
    perform app.require_role('admin');
    if v_admins = array[p_user_id] then
      perform app.fail('last_admin');
    end if;
  end if;

  delete from identity.user_roles as r
  where r.user_id = p_user_id
    and r.role = p_role;

  if found then
    perform audit.record(
      'role_revoked', 'user', p_user_id::text, v_reason, jsonb_build_object('role', p_role)
    );
  end if;

  perform app.store_idempotent_response(v_admin_id, v_key, 'null');
end;
$$;

--
-- Name: FUNCTION revoke_role(p_user_id uuid, p_role public.app_role, p_reason text, p_idempotency_key text); Type: COMMENT; Schema: identity; Owner: -
--

COMMENT ON FUNCTION identity.revoke_role(p_user_id uuid, p_role public.app_role, p_reason text, p_idempotency_key text) IS 'The rule behind the door public.revoke_role.';

--
-- Name: settle_sign_in(uuid, text, timestamp with time zone, jsonb); Type: FUNCTION; Schema: identity; Owner: -
--

CREATE FUNCTION identity.settle_sign_in(p_lease_id uuid, p_outcome text, p_retry_at timestamp with time zone DEFAULT NULL::timestamp with time zone, p_error jsonb DEFAULT NULL::jsonb) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  update identity.erasures as e
  set
    sign_in_deleted_at = case when p_outcome = 'delivered' then app.now() end,
    lease_id = null,
    lease_expires_at = null
  where e.lease_id = p_lease_id;

  return found;
end;
$$;

--
-- Name: FUNCTION settle_sign_in(p_lease_id uuid, p_outcome text, p_retry_at timestamp with time zone, p_error jsonb); Type: COMMENT; Schema: identity; Owner: -
--

COMMENT ON FUNCTION identity.settle_sign_in(p_lease_id uuid, p_outcome text, p_retry_at timestamp with time zone, p_error jsonb) IS 'Record the outcome of deleting a sign-in; false when the lease was lost.';

--
-- Name: take_sign_in(uuid, interval); Type: FUNCTION; Schema: identity; Owner: -
--

CREATE FUNCTION identity.take_sign_in(p_user_id uuid, p_lease interval) RETURNS TABLE(lease_id uuid, user_id uuid)
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  update identity.erasures as e
  set
    lease_id = gen_random_uuid(),
    lease_expires_at = app.now() + p_lease
  where e.user_id = p_user_id
    and e.sign_in_deleted_at is null
    and (e.lease_expires_at is null or e.lease_expires_at <= app.now())
  returning e.lease_id, e.user_id;
$$;

--
-- Name: FUNCTION take_sign_in(p_user_id uuid, p_lease interval); Type: COMMENT; Schema: identity; Owner: -
--

COMMENT ON FUNCTION identity.take_sign_in(p_user_id uuid, p_lease interval) IS 'Lease the deletion of a sign-in that is still due.';

--
-- Name: tg_users__create_profile(); Type: FUNCTION; Schema: identity; Owner: -
--

CREATE FUNCTION identity.tg_users__create_profile() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform identity.create_profile(new.id);
  return null;
exception when others then
  raise warning 'no profile for user % yet: %', new.id, sqlerrm;
  return null;
end;
$$;

--
-- Name: FUNCTION tg_users__create_profile(); Type: COMMENT; Schema: identity; Owner: -
--

COMMENT ON FUNCTION identity.tg_users__create_profile() IS 'Creates the profile of a new user; never fails the sign-up.';

--
-- Name: update_profile(text, text, text, text, text, text); Type: FUNCTION; Schema: identity; Owner: -
--

CREATE FUNCTION identity.update_profile(p_handle text, p_display_name text, p_avatar_path text, p_bio text, p_locale text, p_timezone text) RETURNS public.me
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_user_id uuid := app.require_member();
  v_handle text := lower(app.require_text('handle', p_handle, 0, 30));
  v_display_name text := app.require_text('display_name', p_display_name, 0, 80);
  v_avatar_path text := app.require_text('avatar_path', p_avatar_path, 0, 400);
  v_bio text := app.require_text('bio', p_bio, 0, 1000);
  v_locale text := app.require_text('locale', p_locale, 0, 35);
  v_timezone text := app.require_text('timezone', p_timezone, 0, 60);
begin
  perform limits.spend('update_profile');

  if v_handle !~ '^[a-z0-9_]{3,30}$' then
    perform app.fail('invalid_input', 'handle: 3 to 30 of a-z, 0-9 and _');
  end if;
  if v_avatar_path is not null
    and (not starts_with(v_avatar_path, v_user_id || '/') or v_avatar_path ~ '(^|/)\.{0,2}(/|$)') then
    perform app.fail('invalid_input', 'avatar_path: inside your own folder, <your id>/…');
  end if;
  if v_locale !~ '^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$' then
    perform app.fail('invalid_input', 'locale: a BCP 47 tag such as en or pt-BR');
  end if;
  if not identity.is_timezone(v_timezone) then
    perform app.fail('invalid_input', 'timezone: an IANA name such as Africa/Accra');
  end if;

  -- asked again under the lock: an erasure may have been waited for
  perform
  from public.profiles as p
  where p.id = v_user_id
  for no key update;
  perform app.require_member();

  update public.profiles as p
  set
    handle = coalesce(v_handle, p.handle),
    display_name = case when p_display_name is null then p.display_name else coalesce(v_display_name, '') end,
    avatar_path = case when p_avatar_path is null then p.avatar_path else v_avatar_path end,
    bio = case when p_bio is null then p.bio else coalesce(v_bio, '') end,
    updated_at = app.now()
  where p.id = v_user_id;

  update identity.private_profiles as s
  set
    locale = coalesce(v_locale, s.locale),
    timezone = coalesce(v_timezone, s.timezone)
  where s.user_id = v_user_id;

  return identity.me();
exception when unique_violation then
  perform app.fail('handle_taken');
  return null;
end;
$_$;

--
-- Name: FUNCTION update_profile(p_handle text, p_display_name text, p_avatar_path text, p_bio text, p_locale text, p_timezone text); Type: COMMENT; Schema: identity; Owner: -
--

COMMENT ON FUNCTION identity.update_profile(p_handle text, p_display_name text, p_avatar_path text, p_bio text, p_locale text, p_timezone text) IS 'The rule behind the door public.update_profile.';

--
-- Name: backoff(integer, interval, interval); Type: FUNCTION; Schema: jobs; Owner: -
--

CREATE FUNCTION jobs.backoff(p_failures integer, p_base interval, p_cap interval) RETURNS interval
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select least(p_cap, p_base * (2 ^ least(greatest(p_failures, 1) - 1, 30))) * (0.5 + random() / 2);
$$;

--
-- Name: FUNCTION backoff(p_failures integer, p_base interval, p_cap interval); Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON FUNCTION jobs.backoff(p_failures integer, p_base interval, p_cap interval) IS 'The wait before the next try after this many failures in a row.';

--
-- Name: bury_job(bigint, text); Type: FUNCTION; Schema: jobs; Owner: -
--

CREATE FUNCTION jobs.bury_job(p_job_id bigint, p_reason text) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  insert into jobs.dead_letters (
    job_id, task, args, reason, attempts, error_class, error_message, request_id
  )
  select
    j.id,
    j.task_name,
    j.args,
    p_reason,
    (select count(*) from jobs.attempts as a where a.job_id = j.id and a.outcome <> 'snoozed'),
    e.error_class,
    e.error_message,
    (select c.request_id from jobs.contexts as c where c.job_id = j.id)
  from procrastinate.procrastinate_jobs as j
  left join lateral (
    select
      a.error_class,
      a.error_message
    from jobs.attempts as a
    where a.job_id = j.id
    order by a.id desc
    limit 1
  ) as e on true
  where j.id = p_job_id;
$$;

--
-- Name: FUNCTION bury_job(p_job_id bigint, p_reason text); Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON FUNCTION jobs.bury_job(p_job_id bigint, p_reason text) IS 'Write the dead letter of a unit job.';

--
-- Name: cancel_job(bigint, text); Type: FUNCTION; Schema: jobs; Owner: -
--

CREATE FUNCTION jobs.cancel_job(p_job_id bigint, p_reason text DEFAULT NULL::text) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_state text;
begin
  if procrastinate.procrastinate_cancel_job_v1(p_job_id, true, false) is null then
    return null;
  end if;

  select case when j.status = 'cancelled' then 'cancelled' else 'asked_to_stop' end
  into v_state
  from procrastinate.procrastinate_jobs as j
  where j.id = p_job_id;

  perform audit.record(
    'job_cancelled', 'job', p_job_id::text, p_reason, jsonb_build_object('state', v_state)
  );
  return v_state;
end;
$$;

--
-- Name: FUNCTION cancel_job(p_job_id bigint, p_reason text); Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON FUNCTION jobs.cancel_job(p_job_id bigint, p_reason text) IS 'Cancel a job: cancelled when it waited, asked_to_stop when it runs, null when it was over.';

--
-- Name: defer(text, jsonb, timestamp with time zone, text, text, integer); Type: FUNCTION; Schema: jobs; Owner: -
--

CREATE FUNCTION jobs.defer(p_task text, p_args jsonb DEFAULT '{}'::jsonb, p_scheduled_at timestamp with time zone DEFAULT NULL::timestamp with time zone, p_queueing_lock text DEFAULT NULL::text, p_lock text DEFAULT NULL::text, p_priority integer DEFAULT NULL::integer) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_task record;
  v_names text[];
  v_job procrastinate.procrastinate_job_to_defer_v1;
  v_id bigint;
begin
  select * into v_task
  from jobs.task_catalog() as c
  where c.task = p_task;

  if not found then
    raise internal_error using message = format('unknown task %s', p_task);
  end if;

  -- PostgreSQL's notification channels are 63 bytes long; procrastinate's prefix takes the rest
  if octet_length(v_task.queue) > 40 then
    raise internal_error using message = format('queue name of %s is over 40 bytes', p_task);
  end if;

  select coalesce(array_agg(k order by k), '{}') into v_names
  from jsonb_object_keys(coalesce(p_args, '{}')) as k;

  if v_names <> array(select a from unnest(v_task.arguments) as a order by a) then
    raise internal_error using
      message = format('task %s does not take these arguments', p_task),
      detail = format('given %s, takes %s', v_names, v_task.arguments);
  end if;

  v_job := row(
    v_task.queue, p_task, coalesce(p_priority, v_task.priority),
    p_lock, p_queueing_lock, coalesce(p_args, '{}'), p_scheduled_at
  );

  if p_queueing_lock is null then
    v_id := (procrastinate.procrastinate_defer_jobs_v1(array[v_job]))[1];
    perform jobs.record_context(v_id);
    return v_id;
  end if;

  loop
    begin
      v_id := (procrastinate.procrastinate_defer_jobs_v1(array[v_job]))[1];
      perform jobs.record_context(v_id);
      return v_id;
    exception when unique_violation then
      select j.id into v_id
      from procrastinate.procrastinate_jobs as j
      where j.queueing_lock = p_queueing_lock
        and j.status = 'todo'
      for update;

      -- not found: it was started in between, so there is room for a new one
      if found then
        return v_id;
      end if;
    end;
  end loop;
end;
$$;

--
-- Name: FUNCTION defer(p_task text, p_args jsonb, p_scheduled_at timestamp with time zone, p_queueing_lock text, p_lock text, p_priority integer); Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON FUNCTION jobs.defer(p_task text, p_args jsonb, p_scheduled_at timestamp with time zone, p_queueing_lock text, p_lock text, p_priority integer) IS 'Put one job on the queue in the current transaction; returns its id, or that of the job already waiting under the queueing lock.';

--
-- Name: streams; Type: TABLE; Schema: jobs; Owner: -
--

CREATE TABLE jobs.streams (
    stream text NOT NULL,
    carrier_task text NOT NULL,
    cursor_xid xid8 DEFAULT '0'::xid8 NOT NULL,
    cursor_id bigint DEFAULT 0 NOT NULL,
    served_id bigint DEFAULT 0 NOT NULL,
    cluster bigint NOT NULL,
    epoch integer DEFAULT 1 NOT NULL,
    retries_next boolean DEFAULT true NOT NULL,
    paused_until timestamp with time zone,
    outages integer DEFAULT 0 NOT NULL,
    delivered_at timestamp with time zone,
    batch_limit integer DEFAULT 1000 NOT NULL,
    batch_bytes integer DEFAULT 1000000 NOT NULL,
    lanes integer DEFAULT 2 NOT NULL,
    split_after integer DEFAULT 5 NOT NULL,
    max_attempts integer DEFAULT 8 NOT NULL,
    backoff_base interval DEFAULT '00:00:01'::interval NOT NULL,
    backoff_cap interval DEFAULT '00:00:30'::interval NOT NULL,
    keep_for interval DEFAULT '3 days'::interval NOT NULL,
    CONSTRAINT streams_backoff_ordered CHECK (((backoff_base > '00:00:00'::interval) AND (backoff_cap >= backoff_base))),
    CONSTRAINT streams_batch_bytes_positive CHECK ((batch_bytes > 0)),
    CONSTRAINT streams_batch_limit_positive CHECK ((batch_limit > 0)),
    CONSTRAINT streams_lanes_positive CHECK ((lanes > 0)),
    CONSTRAINT streams_max_attempts_positive CHECK ((max_attempts > 0)),
    CONSTRAINT streams_split_after_positive CHECK ((split_after > 0))
)
WITH (fillfactor='50');

--
-- Name: TABLE streams; Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON TABLE jobs.streams IS 'One row per stream: how far it was handed out, its back-off and its limits.';

--
-- Name: COLUMN streams.cursor_xid; Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON COLUMN jobs.streams.cursor_xid IS 'With cursor_id, the last position handed out; only positions below the oldest running transaction are.';

--
-- Name: COLUMN streams.served_id; Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON COLUMN jobs.streams.served_id IS 'Highest outbox id ever handed out; tells old rows from new ones after a logical restore.';

--
-- Name: COLUMN streams.cluster; Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON COLUMN jobs.streams.cluster IS 'System identifier of the server the cursor''s transaction ids belong to.';

--
-- Name: COLUMN streams.epoch; Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON COLUMN jobs.streams.epoch IS 'Raised whenever the stream was rebased onto another server''s transaction ids.';

--
-- Name: COLUMN streams.retries_next; Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON COLUMN jobs.streams.retries_next IS 'Fresh events and retries take turns: whose turn comes next.';

--
-- Name: COLUMN streams.paused_until; Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON COLUMN jobs.streams.paused_until IS 'Nothing is handed out before: the provider is down or asked to wait.';

--
-- Name: COLUMN streams.outages; Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON COLUMN jobs.streams.outages IS 'Failed batches since the last delivery; drives the back-off.';

--
-- Name: COLUMN streams.batch_limit; Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON COLUMN jobs.streams.batch_limit IS 'Events per batch the provider accepts at present: halved when it says too many, grown by successes.';

--
-- Name: COLUMN streams.lanes; Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON COLUMN jobs.streams.lanes IS 'Batches under way at once, over all workers, before no further carrier job is deferred.';

--
-- Name: COLUMN streams.split_after; Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON COLUMN jobs.streams.split_after IS 'Failed batches after which an event is sent alone.';

--
-- Name: COLUMN streams.max_attempts; Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON COLUMN jobs.streams.max_attempts IS 'Failed attempts of one event, alone, after which it is a dead letter.';

--
-- Name: COLUMN streams.keep_for; Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON COLUMN jobs.streams.keep_for IS 'How long delivered events and closed leases are kept.';

--
-- Name: fail_event(jobs.streams, bigint, text, timestamp with time zone, jsonb); Type: FUNCTION; Schema: jobs; Owner: -
--

CREATE FUNCTION jobs.fail_event(p_stream jobs.streams, p_outbox_id bigint, p_outcome text, p_retry_at timestamp with time zone, p_error jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_attempts integer;
  v_snoozed boolean := p_outcome <> 'rejected' and p_retry_at is not null;
begin
  insert into jobs.outbox_retries as r (outbox_id, stream, attempts, next_try_at)
  values (p_outbox_id, p_stream.stream, (not v_snoozed)::integer, clock_timestamp())
  on conflict (outbox_id) do update
  set attempts = r.attempts + excluded.attempts,
    last_tried_at = excluded.last_tried_at,
    lease_id = null
  returning r.attempts into v_attempts;

  if v_snoozed then
    update jobs.outbox_retries as r
    set next_try_at = p_retry_at
    where r.outbox_id = p_outbox_id;
    return;
  end if;

  insert into jobs.attempts (
    outbox_id, stream, outcome, error_class, error_message, error_trace, request_id
  )
  select
    o.id,
    o.stream,
    p_outcome,
    p_error ->> 'class',
    p_error ->> 'message',
    p_error ->> 'trace',
    o.request_id
  from jobs.outbox as o
  where o.id = p_outbox_id;

  if p_outcome <> 'rejected' and v_attempts < p_stream.max_attempts then
    update jobs.outbox_retries as r
    set next_try_at = clock_timestamp()
      + jobs.backoff(v_attempts, p_stream.backoff_base, p_stream.backoff_cap)
    where r.outbox_id = p_outbox_id;
    return;
  end if;

  delete from jobs.outbox_retries as r
  where r.outbox_id = p_outbox_id;

  insert into jobs.dead_letters (
    outbox_id, stream, topic, event, reason, attempts, error_class, error_message, request_id
  )
  select
    o.id,
    o.stream,
    o.topic,
    o.event,
    case
      when p_outcome = 'rejected' then 'rejected'
      when p_outcome = 'abandoned' then 'killed_workers'
      else 'exhausted'
    end,
    v_attempts,
    p_error ->> 'class',
    p_error ->> 'message',
    o.request_id
  from jobs.outbox as o
  where o.id = p_outbox_id;
end;
$$;

--
-- Name: FUNCTION fail_event(p_stream jobs.streams, p_outbox_id bigint, p_outcome text, p_retry_at timestamp with time zone, p_error jsonb); Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON FUNCTION jobs.fail_event(p_stream jobs.streams, p_outbox_id bigint, p_outcome text, p_retry_at timestamp with time zone, p_error jsonb) IS 'Count one event''s own failure; schedule its next try or make it a dead letter.';

--
-- Name: fetch_job(text[], bigint); Type: FUNCTION; Schema: jobs; Owner: -
--

CREATE FUNCTION jobs.fetch_job(p_queues text[], p_worker_id bigint) RETURNS procrastinate.procrastinate_jobs
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_job procrastinate.procrastinate_jobs;
  v_deferred_at timestamptz;
  v_request jobs.contexts;
begin
  if exists (select from jobs.pauses as p where p.kind = 'queue') then
    p_queues := jobs.open_queues(p_queues);
  end if;

  v_job := procrastinate.procrastinate_fetch_job_v2(p_queues, p_worker_id);
  if v_job.id is null then
    return v_job;
  end if;

  select min(e.at) into v_deferred_at
  from procrastinate.procrastinate_events as e
  where e.job_id = v_job.id
    and e.type = 'deferred';

  select * into v_request
  from jobs.contexts as c
  where c.job_id = v_job.id;

  v_job.args := v_job.args || jsonb_build_object('_context', jsonb_build_object(
    'waited', extract(epoch from clock_timestamp() - greatest(v_job.scheduled_at, v_deferred_at)),
    'request_id', v_request.request_id,
    'traceparent', v_request.traceparent,
    'tracestate', v_request.tracestate
  ));
  return v_job;
end;
$$;

--
-- Name: FUNCTION fetch_job(p_queues text[], p_worker_id bigint); Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON FUNCTION jobs.fetch_job(p_queues text[], p_worker_id bigint) IS 'Claim the next job that is due in a queue that is not paused; an empty row when there is none.';

--
-- Name: find_dead_letters(bigint, text, text, text, timestamp with time zone, timestamp with time zone, text, bigint, integer); Type: FUNCTION; Schema: jobs; Owner: -
--

CREATE FUNCTION jobs.find_dead_letters(p_id bigint DEFAULT NULL::bigint, p_task text DEFAULT NULL::text, p_stream text DEFAULT NULL::text, p_error_class text DEFAULT NULL::text, p_created_since timestamp with time zone DEFAULT NULL::timestamp with time zone, p_created_before timestamp with time zone DEFAULT NULL::timestamp with time zone, p_text text DEFAULT NULL::text, p_after_id bigint DEFAULT 0, p_limit integer DEFAULT NULL::integer) RETURNS TABLE(id bigint, what text, error_class text, created_at timestamp with time zone)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select
    d.id,
    coalesce(d.task, d.stream || ' ' || d.event),
    d.error_class,
    d.created_at
  from jobs.dead_letters as d
  where d.redriven_at is null
    and d.id > p_after_id
    and (p_id is null or d.id = p_id)
    and (p_task is null or d.task = p_task)
    and (p_stream is null or d.stream = p_stream)
    and (p_error_class is null or d.error_class = p_error_class)
    and (p_created_since is null or d.created_at >= p_created_since)
    and (p_created_before is null or d.created_at < p_created_before)
    and (p_text is null or strpos(lower(d.error_message), lower(p_text)) > 0)
  order by d.id
  limit p_limit;
$$;

--
-- Name: FUNCTION find_dead_letters(p_id bigint, p_task text, p_stream text, p_error_class text, p_created_since timestamp with time zone, p_created_before timestamp with time zone, p_text text, p_after_id bigint, p_limit integer); Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON FUNCTION jobs.find_dead_letters(p_id bigint, p_task text, p_stream text, p_error_class text, p_created_since timestamp with time zone, p_created_before timestamp with time zone, p_text text, p_after_id bigint, p_limit integer) IS 'Dead letters that wait for somebody, by filter, oldest first.';

--
-- Name: find_history(text, timestamp with time zone, text, text, text, text, integer); Type: FUNCTION; Schema: jobs; Owner: -
--

CREATE FUNCTION jobs.find_history(p_kind text, p_before timestamp with time zone, p_what text DEFAULT NULL::text, p_state text DEFAULT NULL::text, p_error_class text DEFAULT NULL::text, p_text text DEFAULT NULL::text, p_limit integer DEFAULT NULL::integer) RETURNS TABLE(id bigint, state text, what text, at timestamp with time zone, error_class text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  (
    select
      j.id,
      j.status::text,
      j.task_name::text,
      e.at,
      a.error_class
    from procrastinate.procrastinate_jobs as j
    cross join lateral (
      select max(v.at) as at
      from procrastinate.procrastinate_events as v
      where v.job_id = j.id
    ) as e
    left join lateral (
      select
        t.error_class,
        t.error_message
      from jobs.attempts as t
      where t.job_id = j.id
      order by t.id desc
      limit 1
    ) as a on true
    where p_kind = 'finished'
      and j.status in ('succeeded', 'failed', 'cancelled', 'aborted')
      and coalesce(e.at, '-infinity') < p_before
      and (p_what is null or starts_with(j.task_name, p_what))
      and (p_state is null or j.status::text = p_state)
      and (p_error_class is null or a.error_class = p_error_class)
      and (p_text is null or strpos(lower(a.error_message), lower(p_text)) > 0)
    order by j.id
    limit p_limit
  )
  union all
  (
    select
      d.id,
      case when d.redriven_at is null then 'dead' else 'redriven' end,
      coalesce(d.task, d.stream || ' ' || d.event),
      d.created_at,
      d.error_class
    from jobs.dead_letters as d
    where p_kind = 'dead'
      and d.created_at < p_before
      and (p_what is null or starts_with(coalesce(d.task, d.stream), p_what))
      and (p_state is null or p_state = case when d.redriven_at is null then 'dead' else 'redriven' end)
      and (p_error_class is null or d.error_class = p_error_class)
      and (p_text is null or strpos(lower(d.error_message), lower(p_text)) > 0)
    order by d.created_at, d.id
    limit p_limit
  )
  union all
  (
    select
      t.id,
      t.outcome,
      coalesce(t.task, t.stream),
      t.created_at,
      t.error_class
    from jobs.attempts as t
    where p_kind = 'attempts'
      and t.created_at < p_before
      and (p_what is null or starts_with(coalesce(t.task, t.stream), p_what))
      and (p_state is null or t.outcome = p_state)
      and (p_error_class is null or t.error_class = p_error_class)
      and (p_text is null or strpos(lower(t.error_message), lower(p_text)) > 0)
    order by t.created_at, t.id
    limit p_limit
  );
$$;

--
-- Name: FUNCTION find_history(p_kind text, p_before timestamp with time zone, p_what text, p_state text, p_error_class text, p_text text, p_limit integer); Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON FUNCTION jobs.find_history(p_kind text, p_before timestamp with time zone, p_what text, p_state text, p_error_class text, p_text text, p_limit integer) IS 'Finished jobs, dead letters or attempts from before a time that match every filter, oldest first.';

--
-- Name: find_targets(text); Type: FUNCTION; Schema: jobs; Owner: -
--

CREATE FUNCTION jobs.find_targets(p_name text) RETURNS TABLE(kind text, name text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select
    k.kind,
    k.name
  from (
    select
      'queue' as kind,
      c.queue as name
    from jobs.task_catalog() as c
    union
    select
      'stream',
      s.stream
    from jobs.streams as s
    union
    -- also what a release has taken away since it was paused
    select
      p.kind,
      p.name
    from jobs.pauses as p
  ) as k
  where p_name in (k.name, k.kind || ':' || k.name)
  order by k.kind, k.name;
$$;

--
-- Name: FUNCTION find_targets(p_name text); Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON FUNCTION jobs.find_targets(p_name text) IS 'The queues and streams a name stands for.';

--
-- Name: gauges(); Type: FUNCTION; Schema: jobs; Owner: -
--

CREATE FUNCTION jobs.gauges() RETURNS TABLE(metric text, name text, value double precision)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with job as (
    select
      q.id,
      q.status,
      q.queue_name,
      q.scheduled_at,
      q.worker_id
    from procrastinate.procrastinate_jobs as q
    where q.status in ('todo', 'doing')
    limit 10000
  ),
  -- the lowest id that is due stands for the oldest
  oldest as (
    select
      j.queue_name,
      min(j.id) as id
    from job as j
    where j.status = 'todo'
      and (j.scheduled_at is null or j.scheduled_at <= clock_timestamp())
    group by j.queue_name
  ),
  known_queue as (
    select c.queue as name
    from jobs.task_catalog() as c
    union
    select j.queue_name
    from job as j
  ),
  -- events that are committed and wait for an older transaction to end
  blocked as (
    select
      s.stream,
      (
        select o.created_at
        from jobs.outbox as o
        where o.stream = s.stream
          and (o.xid, o.id) > (s.cursor_xid, s.cursor_id)
          and o.xid >= pg_snapshot_xmin(pg_current_snapshot())
        order by o.xid, o.id
        limit 1
      ) as since
    from jobs.streams as s
  ),
  writer as (
    select a.xact_start as since
    from pg_stat_activity as a
    where a.backend_xid is not null
      and a.pid <> pg_backend_pid()
    union all
    select p.prepared
    from pg_prepared_xacts as p
  )
  select
    'jobs_' || s.state,
    k.name,
    (
      select count(*)
      from job as j
      where j.queue_name = k.name
        and j.status = s.status
    )
  from known_queue as k
  cross join (
    values
      ('waiting', 'todo'::procrastinate.procrastinate_job_status), ('running', 'doing')
  ) as s (state, status)
  union all
  select
    'job_oldest_seconds',
    k.name,
    coalesce((
      select extract(epoch from clock_timestamp() - greatest(
        j.scheduled_at,
        (
          select min(e.at)
          from procrastinate.procrastinate_events as e
          where e.job_id = j.id
            and e.type = 'deferred'
        )
      ))
      from oldest as o
      join job as j on j.id = o.id
      where o.queue_name = k.name
    ), 0)
  from known_queue as k
  union all
  select
    'jobs_stalled',
    k.name,
    (
      select count(*)
      from job as j
      left join procrastinate.procrastinate_workers as w on w.id = j.worker_id
      where j.queue_name = k.name
        and j.status = 'doing'
        and (w.id is null or w.last_heartbeat < clock_timestamp() - interval '30 seconds')
    )
  from known_queue as k
  union all
  select
    'queue_paused_seconds',
    k.name,
    coalesce((
      select extract(epoch from clock_timestamp() - p.paused_at)
      from jobs.pauses as p
      where p.kind = 'queue'
        and p.name = k.name
    ), 0)
  from known_queue as k
  union all
  select
    'fetchers_alive',
    null,
    (
      select count(*)
      from procrastinate.procrastinate_workers as w
      where w.last_heartbeat >= clock_timestamp() - interval '30 seconds'
    )
  union all
  select
    'jobs_deferred_total',
    null,
    coalesce(pg_sequence_last_value('procrastinate.procrastinate_jobs_id_seq'), 0)
  union all
  select
    'outbox_waiting',
    s.stream,
    (
      select count(*)
      from (
        select
        from jobs.outbox as o
        where o.stream = s.stream
          and (o.xid, o.id) > (s.cursor_xid, s.cursor_id)
        limit 10000
      ) as w
    )
  from jobs.streams as s
  union all
  select
    'outbox_lag_seconds',
    s.stream,
    coalesce(extract(epoch from clock_timestamp() - (
      select o.created_at
      from jobs.outbox as o
      where o.stream = s.stream
        and (o.xid, o.id) > (s.cursor_xid, s.cursor_id)
      order by o.xid, o.id
      limit 1
    )), 0)
  from jobs.streams as s
  union all
  select
    'outbox_blocked_seconds',
    b.stream,
    coalesce(extract(epoch from clock_timestamp() - b.since), 0)
  from blocked as b
  union all
  select
    'oldest_writer_seconds',
    null,
    (select coalesce(max(extract(epoch from clock_timestamp() - w.since)), 0) from writer as w)
  union all
  select
    'outbox_retries',
    s.stream,
    (select count(*) from jobs.outbox_retries as r where r.stream = s.stream)
  from jobs.streams as s
  union all
  select
    'outbox_events_total',
    null,
    coalesce(pg_sequence_last_value('jobs.outbox_id_seq'), 0)
  union all
  select
    'stream_backoff_seconds',
    s.stream,
    greatest(0, coalesce(extract(epoch from s.paused_until - clock_timestamp()), 0))
  from jobs.streams as s
  union all
  select
    'stream_paused_seconds',
    s.stream,
    coalesce((
      select extract(epoch from clock_timestamp() - p.paused_at)
      from jobs.pauses as p
      where p.kind = 'stream'
        and p.name = s.stream
    ), 0)
  from jobs.streams as s
  union all
  select
    'dead_letters',
    coalesce(d.task, d.stream),
    count(*)
  from jobs.dead_letters as d
  where d.redriven_at is null
  group by coalesce(d.task, d.stream)
  union all
  select
    'dead_letters_written_total',
    null,
    coalesce(pg_sequence_last_value('jobs.dead_letters_id_seq'), 0)
  union all
  select
    'check_problems',
    c.check_name,
    c.problems
  from jobs.check_results as c
  union all
  select
    'check_age_seconds',
    c.check_name,
    extract(epoch from clock_timestamp() - c.checked_at)
  from jobs.check_results as c
  union all
  select
    s.metric,
    s.label,
    s.value
  from seals.metrics() as s
  union all
  select
    'database_time_seconds',
    null,
    extract(epoch from clock_timestamp());
$$;

--
-- Name: FUNCTION gauges(); Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON FUNCTION jobs.gauges() IS 'Queues, streams, dead letters, pauses and checks in numbers.';

--
-- Name: give_back(bigint); Type: FUNCTION; Schema: jobs; Owner: -
--

CREATE FUNCTION jobs.give_back(p_job_id bigint) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_job procrastinate.procrastinate_jobs;
begin
  select * into v_job
  from procrastinate.procrastinate_jobs as j
  where j.id = p_job_id
  for update;

  if v_job.status is distinct from 'doing' then
    return 'gone';
  end if;

  if v_job.abort_requested then
    perform procrastinate.procrastinate_finish_job_v1(p_job_id, 'aborted', false);
    return 'aborted';
  end if;

  if v_job.attempts >= 20 and not exists (
    select
    from jobs.task_catalog() as c
    where c.task = v_job.task_name
  ) then
    perform jobs.record_attempt(p_job_id, 'rejected', jsonb_build_object(
      'class', 'UnknownTask', 'message', 'no release of the schema or the worker knows this task'
    ));
    perform procrastinate.procrastinate_finish_job_v1(p_job_id, 'failed', false);
    return 'given_up';
  end if;

  if exists (
    select
    from procrastinate.procrastinate_jobs as j
    where j.queueing_lock = v_job.queueing_lock
      and j.status = 'todo'
  ) then
    perform procrastinate.procrastinate_finish_job_v1(p_job_id, 'aborted', true);
    return 'merged';
  end if;

  begin
    perform procrastinate.procrastinate_retry_job_v2(
      p_job_id,
      clock_timestamp() + jobs.backoff(v_job.attempts + 1, '1 second', '1 minute'),
      null, null, null
    );
  exception when unique_violation then
    -- the other one's transaction had not committed when we looked
    perform procrastinate.procrastinate_finish_job_v1(p_job_id, 'aborted', true);
    return 'merged';
  end;

  return 'given_back';
end;
$$;

--
-- Name: FUNCTION give_back(p_job_id bigint); Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON FUNCTION jobs.give_back(p_job_id bigint) IS 'Put back a job that the worker holding it does not know; returns what became of it.';

--
-- Name: has_moved(jobs.streams); Type: FUNCTION; Schema: jobs; Owner: -
--

CREATE FUNCTION jobs.has_moved(p_stream jobs.streams) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select p_stream.cluster <> c.system_identifier
    or p_stream.cursor_xid >= pg_snapshot_xmax(pg_current_snapshot())
  from pg_control_system() as c;
$$;

--
-- Name: FUNCTION has_moved(p_stream jobs.streams); Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON FUNCTION jobs.has_moved(p_stream jobs.streams) IS 'True after a logical restore onto another server, until the stream is rebased.';

--
-- Name: lease_fresh(jobs.streams, integer, interval); Type: FUNCTION; Schema: jobs; Owner: -
--

CREATE FUNCTION jobs.lease_fresh(p_stream jobs.streams, p_max integer, p_lease interval) RETURNS uuid
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_range record;
  v_lease_id uuid;
begin
  with fresh as (
    select
      o.xid,
      o.id,
      o.topic,
      o.event,
      o.payload
    from jobs.outbox as o
    where o.stream = p_stream.stream
      and (o.xid, o.id) > (p_stream.cursor_xid, p_stream.cursor_id)
      and o.xid < pg_snapshot_xmin(pg_current_snapshot())
    order by o.xid, o.id
    limit p_max
  ),
  measured as (
    select
      f.xid,
      f.id,
      row_number() over position as n,
      sum(100 + octet_length(f.topic) + octet_length(f.event) + octet_length(f.payload::text))
        over position as bytes
    from fresh as f
    window position as (order by f.xid, f.id)
  ),
  batch as (
    select
      m.xid,
      m.id
    from measured as m
    where m.n = 1 or m.bytes <= p_stream.batch_bytes
  )
  select
    b.xid as hi_xid,
    b.id as hi_id,
    count(*) over () as size,
    max(b.id) over () as greatest_id
  into v_range
  from batch as b
  order by b.xid desc, b.id desc
  limit 1;

  if not found then
    return null;
  end if;

  update jobs.streams as s
  set cursor_xid = v_range.hi_xid,
    cursor_id = v_range.hi_id,
    served_id = greatest(s.served_id, v_range.greatest_id),
    retries_next = true
  where s.stream = p_stream.stream;

  insert into jobs.stream_leases (
    stream, epoch, lo_xid, lo_id, hi_xid, hi_id, size, expires_at
  )
  values (
    p_stream.stream, p_stream.epoch, p_stream.cursor_xid, p_stream.cursor_id,
    v_range.hi_xid, v_range.hi_id, v_range.size, clock_timestamp() + p_lease
  )
  returning id into v_lease_id;

  return v_lease_id;
end;
$$;

--
-- Name: FUNCTION lease_fresh(p_stream jobs.streams, p_max integer, p_lease interval); Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON FUNCTION jobs.lease_fresh(p_stream jobs.streams, p_max integer, p_lease interval) IS 'Lease the next range of a stream''s fresh events; null when there are none.';

--
-- Name: lease_items(uuid); Type: FUNCTION; Schema: jobs; Owner: -
--

CREATE FUNCTION jobs.lease_items(p_lease_id uuid) RETURNS TABLE(outbox_id bigint)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select o.id
  from jobs.stream_leases as l
  join jobs.outbox as o
    on o.stream = l.stream
    and (o.xid, o.id) > (l.lo_xid, l.lo_id)
    and (o.xid, o.id) <= (l.hi_xid, l.hi_id)
  where l.id = p_lease_id
    and l.item_ids is null
  union all
  select i
  from jobs.stream_leases as l
  cross join unnest(l.item_ids) as i
  where l.id = p_lease_id;
$$;

--
-- Name: FUNCTION lease_items(p_lease_id uuid); Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON FUNCTION jobs.lease_items(p_lease_id uuid) IS 'The outbox ids of one lease.';

--
-- Name: lease_retries(jobs.streams, integer, interval); Type: FUNCTION; Schema: jobs; Owner: -
--

CREATE FUNCTION jobs.lease_retries(p_stream jobs.streams, p_max integer, p_lease interval) RETURNS uuid
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_alone boolean;
  v_items bigint[];
  v_lease_id uuid;
begin
  select r.alone into v_alone
  from jobs.outbox_retries as r
  where r.stream = p_stream.stream
    and r.lease_id is null
    and r.next_try_at <= clock_timestamp()
  order by r.next_try_at, r.outbox_id
  limit 1;

  if not found then
    return null;
  end if;

  with due as (
    select
      r.outbox_id,
      r.next_try_at
    from jobs.outbox_retries as r
    where r.stream = p_stream.stream
      and r.lease_id is null
      and r.next_try_at <= clock_timestamp()
      and r.alone = v_alone
    order by r.next_try_at, r.outbox_id
    limit case when v_alone then 1 else p_max end
  ),
  measured as (
    select
      d.outbox_id,
      row_number() over position as n,
      sum(100 + octet_length(o.topic) + octet_length(o.event) + octet_length(o.payload::text))
        over position as bytes
    from due as d
    join jobs.outbox as o on o.id = d.outbox_id
    window position as (order by d.next_try_at, d.outbox_id)
  )
  select array_agg(m.outbox_id order by m.n) into v_items
  from measured as m
  where m.n = 1 or m.bytes <= p_stream.batch_bytes;

  insert into jobs.stream_leases (stream, epoch, item_ids, size, expires_at)
  values (
    p_stream.stream, p_stream.epoch, v_items, cardinality(v_items), clock_timestamp() + p_lease
  )
  returning id into v_lease_id;

  update jobs.outbox_retries as r
  set lease_id = v_lease_id
  where r.outbox_id = any (v_items);

  update jobs.streams as s
  set retries_next = false
  where s.stream = p_stream.stream;

  return v_lease_id;
end;
$$;

--
-- Name: FUNCTION lease_retries(p_stream jobs.streams, p_max integer, p_lease interval); Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON FUNCTION jobs.lease_retries(p_stream jobs.streams, p_max integer, p_lease interval) IS 'Lease a stream''s due retries, one alone or several together; null when none is due.';

--
-- Name: lease_traces(uuid); Type: FUNCTION; Schema: jobs; Owner: -
--

CREATE FUNCTION jobs.lease_traces(p_lease_id uuid) RETURNS TABLE(traceparent text, tracestate text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select
    o.traceparent,
    min(o.tracestate)
  from jobs.lease_items(p_lease_id) as i
  join jobs.outbox as o on o.id = i.outbox_id
  where o.traceparent is not null
  group by o.traceparent
  limit 128;
$$;

--
-- Name: FUNCTION lease_traces(p_lease_id uuid); Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON FUNCTION jobs.lease_traces(p_lease_id uuid) IS 'The trace contexts of the requests behind a lease''s events.';

--
-- Name: list_attempts(text); Type: FUNCTION; Schema: jobs; Owner: -
--

CREATE FUNCTION jobs.list_attempts(p_id text) RETURNS TABLE(at timestamp with time zone, outcome text, error_class text, error_message text, error_trace text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select
    a.created_at,
    a.outcome,
    a.error_class,
    a.error_message,
    a.error_trace
  from jobs.attempts as a
  where case left(p_id, 1)
    when 'e' then a.outbox_id = substr(p_id, 2)::bigint
    when 'd' then exists (
      select
      from jobs.dead_letters as d
      where d.id = substr(p_id, 2)::bigint
        and (d.job_id = a.job_id or d.outbox_id = a.outbox_id)
    )
    else a.job_id = p_id::bigint
  end
  order by a.id desc
  limit 100;
$$;

--
-- Name: FUNCTION list_attempts(p_id text); Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON FUNCTION jobs.list_attempts(p_id text) IS 'The recorded failures of a job, an event or a dead letter.';

--
-- Name: list_jobs(text, text, text, integer); Type: FUNCTION; Schema: jobs; Owner: -
--

CREATE FUNCTION jobs.list_jobs(p_id text DEFAULT NULL::text, p_state text DEFAULT NULL::text, p_what text DEFAULT NULL::text, p_limit integer DEFAULT 100) RETURNS TABLE(id text, state text, what text, attempts integer, since timestamp with time zone, due_at timestamp with time zone, error_class text, error_message text, details jsonb)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with job as (
    select
      j.id::text as id,
      case j.status
        when 'todo' then 'waiting'
        when 'doing' then 'running'
        else j.status::text
      end as state,
      j.task_name::text as what,
      j.attempts,
      (
        select min(e.at)
        from procrastinate.procrastinate_events as e
        where e.job_id = j.id
          and e.type = 'deferred'
      ) as since,
      j.scheduled_at as due_at,
      a.error_class,
      a.error_message,
      jsonb_strip_nulls(jsonb_build_object(
        'queue', j.queue_name, 'priority', j.priority, 'args', j.args, 'request_id', (
          select c.request_id
          from jobs.contexts as c
          where c.job_id = j.id
        )
      )) as details
    from procrastinate.procrastinate_jobs as j
    left join lateral (
      select
        t.error_class,
        t.error_message
      from jobs.attempts as t
      where t.job_id = j.id
      order by t.id desc
      limit 1
    ) as a on true
    where j.status <> 'succeeded'
  ),
  event as (
    select
      'e' || r.outbox_id as id,
      case when r.lease_id is null then 'retrying' else 'running' end as state,
      r.stream || ' ' || o.event as what,
      r.attempts,
      o.created_at as since,
      r.next_try_at as due_at,
      a.error_class,
      a.error_message,
      jsonb_build_object(
        'topic', o.topic, 'alone', r.alone, 'failed_batches', r.stalls, 'request_id', o.request_id
      ) as details
    from jobs.outbox_retries as r
    join jobs.outbox as o on o.id = r.outbox_id
    left join lateral (
      select
        t.error_class,
        t.error_message
      from jobs.attempts as t
      where t.outbox_id = r.outbox_id
      order by t.id desc
      limit 1
    ) as a on true
  ),
  dead as (
    select
      'd' || d.id as id,
      case when d.redriven_at is null then 'dead' else 'redriven' end as state,
      coalesce(d.task, d.stream || ' ' || d.event) as what,
      d.attempts,
      d.created_at as since,
      null::timestamptz as due_at,
      d.error_class,
      d.error_message,
      jsonb_strip_nulls(jsonb_build_object(
        'reason', d.reason, 'job_id', d.job_id, 'args', d.args, 'event_id', d.outbox_id,
        'topic', d.topic, 'request_id', d.request_id, 'redriven_at', d.redriven_at
      )) as details
    from jobs.dead_letters as d
  ),
  listed as (
    select * from job
    union all
    select * from event
    union all
    select * from dead
  )
  select *
  from listed as l
  where (p_id is null or l.id = p_id)
    and (p_state is null or l.state = p_state)
    and (p_what is null or starts_with(l.what, p_what))
    and (p_id is not null or p_state is not null or l.state <> 'redriven')
  order by l.since desc nulls last
  limit p_limit;
$$;

--
-- Name: FUNCTION list_jobs(p_id text, p_state text, p_what text, p_limit integer); Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON FUNCTION jobs.list_jobs(p_id text, p_state text, p_what text, p_limit integer) IS 'Jobs, retried events and dead letters, newest first.';

--
-- Name: list_queues(); Type: FUNCTION; Schema: jobs; Owner: -
--

CREATE FUNCTION jobs.list_queues() RETURNS TABLE(kind text, name text, waiting bigint, running bigint, paused_at timestamp with time zone, paused_by text, reason text, backs_off_until timestamp with time zone)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with job as (
    select
      j.queue_name::text as name,
      count(*) filter (where j.status = 'todo') as waiting,
      count(*) filter (where j.status = 'doing') as running
    from (
      select
        q.queue_name,
        q.status
      from procrastinate.procrastinate_jobs as q
      where q.status in ('todo', 'doing')
      limit 10000
    ) as j
    group by j.queue_name
  ),
  listed as (
    select
      'queue' as kind,
      coalesce(c.queue, j.name) as name,
      coalesce(j.waiting, 0) as waiting,
      coalesce(j.running, 0) as running,
      null::timestamptz as backs_off_until
    from (select distinct t.queue from jobs.task_catalog() as t) as c
    full join job as j on j.name = c.queue
    union all
    select
      'stream',
      s.stream,
      (
        select count(*)
        from (
          select
          from jobs.outbox as o
          where o.stream = s.stream
            and (o.xid, o.id) > (s.cursor_xid, s.cursor_id)
          limit 10000
        ) as w
      ) + (
        select count(*)
        from jobs.outbox_retries as r
        where r.stream = s.stream
          and r.lease_id is null
      ),
      (
        select coalesce(sum(l.size), 0)
        from jobs.stream_leases as l
        where l.stream = s.stream
          and l.closed_at is null
      ),
      case when s.paused_until > clock_timestamp() then s.paused_until end
    from jobs.streams as s
  )
  select
    l.kind,
    l.name,
    l.waiting,
    l.running,
    p.paused_at,
    p.paused_by,
    p.reason,
    l.backs_off_until
  from listed as l
  left join jobs.pauses as p on p.kind = l.kind and p.name = l.name
  order by l.kind, l.name;
$$;

--
-- Name: FUNCTION list_queues(); Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON FUNCTION jobs.list_queues() IS 'Queues and streams with what waits in them and how they are paused.';

--
-- Name: metrics(); Type: FUNCTION; Schema: jobs; Owner: -
--

CREATE FUNCTION jobs.metrics() RETURNS TABLE(metric text, label text, value double precision)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select
    case g.metric when 'stream_backoff_seconds' then 'stream_paused_seconds' else g.metric end,
    g.name,
    g.value
  from jobs.gauges() as g
  where g.metric in (
    'jobs_waiting', 'jobs_running', 'outbox_waiting', 'outbox_lag_seconds', 'outbox_retries',
    'stream_backoff_seconds', 'dead_letters'
  );
$$;

--
-- Name: FUNCTION metrics(); Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON FUNCTION jobs.metrics() IS 'Queue depth, outbox lag, retries, back-off and dead letters, for older workers.';

--
-- Name: open_queues(text[]); Type: FUNCTION; Schema: jobs; Owner: -
--

CREATE FUNCTION jobs.open_queues(p_queues text[]) RETURNS text[]
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with recursive queue (name) as (
    (
      select j.queue_name
      from procrastinate.procrastinate_jobs as j
      order by j.queue_name
      limit 1
    )
    union all
    select (
      select j.queue_name
      from procrastinate.procrastinate_jobs as j
      where j.queue_name > q.name
      order by j.queue_name
      limit 1
    )
    from queue as q
    where q.name is not null
  )
  select coalesce(array_agg(q.name::text), '{}')
  from queue as q
  where q.name is not null
    and (p_queues is null or q.name = any (p_queues))
    and not exists (
      select
      from jobs.pauses as p
      where p.kind = 'queue'
        and p.name = q.name
    );
$$;

--
-- Name: FUNCTION open_queues(p_queues text[]); Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON FUNCTION jobs.open_queues(p_queues text[]) IS 'Names of the queues with jobs in them that no operator has paused.';

--
-- Name: pause(text, text, text); Type: FUNCTION; Schema: jobs; Owner: -
--

CREATE FUNCTION jobs.pause(p_name text, p_reason text, p_operator text DEFAULT NULL::text) RETURNS TABLE(kind text, name text, is_changed boolean, reason text, paused_by text, paused_at timestamp with time zone)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  v_target record;
begin
  for v_target in
    select *
    from jobs.find_targets(p_name) as t
  loop
    perform
    from jobs.streams as s
    where v_target.kind = 'stream'
      and s.stream = v_target.name
    for no key update;

    insert into jobs.pauses (kind, name, reason, paused_by)
    values (
      v_target.kind,
      v_target.name,
      p_reason,
      coalesce(nullif(btrim(p_operator), ''), session_user)
    )
    on conflict on constraint pauses_pkey do nothing;
    is_changed := found;

    if is_changed then
      perform jobs.record_operation(
        v_target.kind || '_paused', v_target.kind, v_target.name, p_reason, p_operator
      );
    end if;

    return query
    select
      p.kind,
      p.name,
      is_changed,
      p.reason,
      p.paused_by,
      p.paused_at
    from jobs.pauses as p
    where p.kind = v_target.kind
      and p.name = v_target.name;
  end loop;
end;
$$;

--
-- Name: FUNCTION pause(p_name text, p_reason text, p_operator text); Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON FUNCTION jobs.pause(p_name text, p_reason text, p_operator text) IS 'Pause a queue or stream; returns each with who paused it, why and since when. No row: unknown name.';

--
-- Name: purge(integer); Type: FUNCTION; Schema: jobs; Owner: -
--

CREATE FUNCTION jobs.purge(p_limit integer) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_settings jobs.settings;
  v_stream jobs.streams;
  v_count integer;
  v_gone integer := 0;
begin
  select * into strict v_settings
  from jobs.settings;

  delete from jobs.dead_letters as d
  where d.id in (
    select l.id
    from jobs.dead_letters as l
    where l.created_at < clock_timestamp() - v_settings.keep_dead_letters
    order by l.created_at
    limit p_limit
  );
  get diagnostics v_count = row_count;
  v_gone := v_gone + v_count;

  delete from jobs.attempts as a
  where a.id in (
    select t.id
    from jobs.attempts as t
    where t.created_at < clock_timestamp() - v_settings.keep_attempts
    order by t.created_at
    limit p_limit
  );
  get diagnostics v_count = row_count;
  v_gone := v_gone + v_count;

  delete from procrastinate.procrastinate_jobs as j
  where j.id in (
    select f.id
    from procrastinate.procrastinate_jobs as f
    where f.status in ('succeeded', 'failed', 'cancelled', 'aborted')
      and not exists (
        select
        from procrastinate.procrastinate_events as e
        where e.job_id = f.id
          and e.at >= clock_timestamp() - v_settings.keep_finished_jobs
      )
    order by f.id
    limit p_limit
  );
  get diagnostics v_count = row_count;
  v_gone := v_gone + v_count;

  -- a job's row goes when it succeeds; its context may still be wanted by what it left behind
  delete from jobs.contexts as c
  where c.job_id in (
    select n.job_id
    from jobs.contexts as n
    where n.created_at < clock_timestamp() - v_settings.keep_finished_jobs
      and not exists (
        select
        from procrastinate.procrastinate_jobs as j
        where j.id = n.job_id
      )
      and not exists (
        select
        from jobs.dead_letters as d
        where d.job_id = n.job_id
          and d.redriven_at is null
      )
    order by n.job_id
    limit p_limit
  );
  get diagnostics v_count = row_count;
  v_gone := v_gone + v_count;

  for v_stream in
    select *
    from jobs.streams as s
    order by s.stream
  loop
    delete from jobs.stream_leases as l
    where l.id in (
      select c.id
      from jobs.stream_leases as c
      where c.stream = v_stream.stream
        and c.closed_at < clock_timestamp() - v_stream.keep_for
      order by c.closed_at
      limit p_limit
    );
    get diagnostics v_count = row_count;
    v_gone := v_gone + v_count;

    delete from jobs.outbox as o
    where o.id in (
      select e.id
      from jobs.outbox as e
      where e.stream = v_stream.stream
        and (e.xid, e.id) <= (v_stream.cursor_xid, v_stream.cursor_id)
        and e.created_at < clock_timestamp() - v_stream.keep_for
        and not exists (
          select
          from jobs.stream_leases as l
          where l.stream = e.stream
            and l.closed_at is null
            and (e.xid, e.id) > (l.lo_xid, l.lo_id)
            and (e.xid, e.id) <= (l.hi_xid, l.hi_id)
        )
        and not exists (select from jobs.outbox_retries as r where r.outbox_id = e.id)
        and not exists (select from jobs.dead_letters as d where d.outbox_id = e.id)
      order by e.xid, e.id
      limit p_limit
    );
    get diagnostics v_count = row_count;
    v_gone := v_gone + v_count;
  end loop;

  return v_gone;
end;
$$;

--
-- Name: FUNCTION purge(p_limit integer); Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON FUNCTION jobs.purge(p_limit integer) IS 'Delete old history of the queue, up to p_limit rows of each kind; returns how many.';

--
-- Name: purge_history(text, timestamp with time zone, text, text, text, text, integer, text, text); Type: FUNCTION; Schema: jobs; Owner: -
--

CREATE FUNCTION jobs.purge_history(p_kind text, p_before timestamp with time zone, p_what text, p_state text, p_error_class text, p_text text, p_limit integer, p_reason text, p_operator text DEFAULT NULL::text) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_ids bigint[];
  v_gone bigint[];
begin
  if p_kind not in ('finished', 'dead', 'attempts') then
    raise internal_error using message = format('%s is not finished, dead or attempts', p_kind);
  end if;

  select array_agg(h.id) into v_ids
  from jobs.find_history(
    p_kind, p_before, p_what, p_state, p_error_class, p_text, p_limit
  ) as h;

  if p_kind = 'finished' then
    with held as (
      select j.id
      from procrastinate.procrastinate_jobs as j
      where j.id = any (v_ids)
        and j.status in ('succeeded', 'failed', 'cancelled', 'aborted')
      for update skip locked
    ),
    gone as (
      delete from procrastinate.procrastinate_jobs as j
      using held as h
      where j.id = h.id
      returning j.id
    )
    select array_agg(g.id) into v_gone from gone as g;
  elsif p_kind = 'dead' then
    -- whoever redrives one holds it; afterwards it may no longer be what was asked for
    with held as (
      select d.id
      from jobs.dead_letters as d
      where d.id = any (v_ids)
        and (
          p_state is null
          or p_state = case when d.redriven_at is null then 'dead' else 'redriven' end
        )
      for update skip locked
    ),
    gone as (
      delete from jobs.dead_letters as d
      using held as h
      where d.id = h.id
      returning d.id
    )
    select array_agg(g.id) into v_gone from gone as g;
  else
    with gone as (
      delete from jobs.attempts as t
      where t.id = any (v_ids)
      returning t.id
    )
    select array_agg(g.id) into v_gone from gone as g;
  end if;

  if v_gone is null then
    return 0;
  end if;

  perform jobs.record_operation(
    'history_purged',
    'queue',
    p_kind,
    p_reason,
    p_operator,
    jsonb_strip_nulls(jsonb_build_object(
      'rows', cardinality(v_gone),
      'first_id', (select min(i) from unnest(v_gone) as i),
      'last_id', (select max(i) from unnest(v_gone) as i),
      'before', p_before,
      'what', p_what,
      'state', p_state,
      'error_class', p_error_class,
      'text', p_text
    ))
  );
  return cardinality(v_gone);
end;
$$;

--
-- Name: FUNCTION purge_history(p_kind text, p_before timestamp with time zone, p_what text, p_state text, p_error_class text, p_text text, p_limit integer, p_reason text, p_operator text); Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON FUNCTION jobs.purge_history(p_kind text, p_before timestamp with time zone, p_what text, p_state text, p_error_class text, p_text text, p_limit integer, p_reason text, p_operator text) IS 'Delete a batch of old finished jobs, dead letters or attempts; audited. Returns how many went.';

--
-- Name: rebase_stream(text); Type: FUNCTION; Schema: jobs; Owner: -
--

CREATE FUNCTION jobs.rebase_stream(p_stream text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_stream jobs.streams;
  v_floor xid8 := pg_snapshot_xmin(pg_current_snapshot());
begin
  perform jobs.settle_events(l.id, 'abandoned')
  from jobs.stream_leases as l
  where l.stream = p_stream
    and l.closed_at is null;

  select * into strict v_stream
  from jobs.streams as s
  where s.stream = p_stream
  for no key update;

  update jobs.outbox as o
  set xid = case
    when (o.xid, o.id) <= (v_stream.cursor_xid, v_stream.cursor_id)
      and o.id <= v_stream.served_id then '0'::xid8
    else pg_current_xact_id()
  end
  where o.stream = p_stream;

  update jobs.streams as s
  set cursor_xid = v_floor,
    cursor_id = 0,
    cluster = (select c.system_identifier from pg_control_system() as c),
    epoch = s.epoch + 1,
    paused_until = null,
    outages = 0
  where s.stream = p_stream;

  raise log 'stream % was rebased onto this server: epoch %', p_stream, v_stream.epoch + 1;
end;
$$;

--
-- Name: FUNCTION rebase_stream(p_stream text); Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON FUNCTION jobs.rebase_stream(p_stream text) IS 'After a logical restore: restate a stream''s cursor and events in this server''s transaction ids.';

--
-- Name: record_attempt(bigint, text, jsonb, timestamp with time zone); Type: FUNCTION; Schema: jobs; Owner: -
--

CREATE FUNCTION jobs.record_attempt(p_job_id bigint, p_outcome text, p_error jsonb DEFAULT NULL::jsonb, p_retry_at timestamp with time zone DEFAULT NULL::timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_job procrastinate.procrastinate_jobs;
  v_settings jobs.settings;
  v_max_attempts integer;
  v_failures integer;
begin
  if p_outcome not in ('failed', 'snoozed', 'rejected') then
    raise internal_error using message = format('unknown outcome %s', p_outcome);
  end if;

  select * into strict v_job
  from procrastinate.procrastinate_jobs as j
  where j.id = p_job_id;

  insert into jobs.attempts (
    job_id, task, outcome, error_class, error_message, error_trace, request_id
  )
  values (
    p_job_id,
    v_job.task_name,
    p_outcome,
    p_error ->> 'class',
    p_error ->> 'message',
    p_error ->> 'trace',
    (select c.request_id from jobs.contexts as c where c.job_id = p_job_id)
  );

  if p_outcome = 'snoozed' then
    return p_retry_at;
  end if;

  select c.max_attempts into v_max_attempts
  from jobs.task_catalog() as c
  where c.task = v_job.task_name;

  -- a task the catalog does not know is a dead letter, not a task without a limit
  if found and v_max_attempts is null then
    return null;
  end if;

  select count(*) into v_failures
  from jobs.attempts as a
  where a.job_id = p_job_id
    and a.outcome = 'failed';

  if p_outcome = 'failed' and v_failures < v_max_attempts then
    select * into strict v_settings
    from jobs.settings;

    return clock_timestamp()
      + jobs.backoff(v_failures, v_settings.backoff_base, v_settings.backoff_cap);
  end if;

  perform jobs.bury_job(
    p_job_id, case when p_outcome = 'rejected' then 'rejected' else 'exhausted' end
  );
  return null;
end;
$$;

--
-- Name: FUNCTION record_attempt(p_job_id bigint, p_outcome text, p_error jsonb, p_retry_at timestamp with time zone); Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON FUNCTION jobs.record_attempt(p_job_id bigint, p_outcome text, p_error jsonb, p_retry_at timestamp with time zone) IS 'Record a unit job''s failure; returns when to try again, null when it is over.';

--
-- Name: record_check(text, interval, bigint, jsonb); Type: FUNCTION; Schema: jobs; Owner: -
--

CREATE FUNCTION jobs.record_check(p_check_name text, p_took interval, p_problems bigint, p_findings jsonb) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  insert into jobs.check_results (check_name, checked_at, took, problems, findings)
  values (p_check_name, clock_timestamp(), p_took, p_problems, p_findings)
  on conflict (check_name) do update
  set checked_at = excluded.checked_at,
    took = excluded.took,
    problems = excluded.problems,
    findings = excluded.findings;
$$;

--
-- Name: FUNCTION record_check(p_check_name text, p_took interval, p_problems bigint, p_findings jsonb); Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON FUNCTION jobs.record_check(p_check_name text, p_took interval, p_problems bigint, p_findings jsonb) IS 'Remember when a check ran, how long it took and what it found.';

--
-- Name: record_context(bigint); Type: FUNCTION; Schema: jobs; Owner: -
--

CREATE FUNCTION jobs.record_context(p_job_id bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if coalesce(current_setting('request.headers', true), '') = ''
    and coalesce(current_setting('app.request_id', true), '') = ''
  then
    return;
  end if;

  insert into jobs.contexts (job_id, request_id, traceparent, tracestate)
  values (p_job_id, app.request_id(), app.traceparent(), app.tracestate())
  on conflict (job_id) do update
  set
    request_id = excluded.request_id,
    traceparent = excluded.traceparent,
    tracestate = excluded.tracestate,
    created_at = clock_timestamp();
end;
$$;

--
-- Name: FUNCTION record_context(p_job_id bigint); Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON FUNCTION jobs.record_context(p_job_id bigint) IS 'Keep the request id and the trace context of the request that deferred a job.';

--
-- Name: record_operation(text, text, text, text, text, jsonb); Type: FUNCTION; Schema: jobs; Owner: -
--

CREATE FUNCTION jobs.record_operation(p_action text, p_subject_type text, p_subject_id text, p_reason text, p_operator text, p_details jsonb DEFAULT '{}'::jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if coalesce(btrim(p_reason), '') = '' then
    raise internal_error using message = 'say why: this needs a reason';
  end if;

  perform audit.record(
    p_action => p_action,
    p_subject_type => p_subject_type,
    p_subject_id => p_subject_id,
    p_reason => p_reason,
    p_details => p_details || jsonb_build_object(
      'operator', coalesce(nullif(btrim(p_operator), ''), session_user), 'login', session_user
    )
  );
end;
$$;

--
-- Name: FUNCTION record_operation(p_action text, p_subject_type text, p_subject_id text, p_reason text, p_operator text, p_details jsonb); Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON FUNCTION jobs.record_operation(p_action text, p_subject_type text, p_subject_id text, p_reason text, p_operator text, p_details jsonb) IS 'Audit what an operator did to the queue: who, what, why.';

--
-- Name: redrive_dead_letters(bigint, text, text, text, timestamp with time zone, timestamp with time zone, text, bigint, integer, text, text, boolean); Type: FUNCTION; Schema: jobs; Owner: -
--

CREATE FUNCTION jobs.redrive_dead_letters(p_id bigint DEFAULT NULL::bigint, p_task text DEFAULT NULL::text, p_stream text DEFAULT NULL::text, p_error_class text DEFAULT NULL::text, p_created_since timestamp with time zone DEFAULT NULL::timestamp with time zone, p_created_before timestamp with time zone DEFAULT NULL::timestamp with time zone, p_text text DEFAULT NULL::text, p_after_id bigint DEFAULT 0, p_limit integer DEFAULT 1000, p_reason text DEFAULT NULL::text, p_operator text DEFAULT NULL::text, p_dry_run boolean DEFAULT true) RETURNS TABLE(id bigint, what text, error_class text, created_at timestamp with time zone, job_id bigint, refused text)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  v_letter jobs.dead_letters;
  v_ids bigint[];
begin
  if not p_dry_run and coalesce(btrim(p_reason), '') = '' then
    raise internal_error using message = 'say why: this needs a reason';
  end if;

  if p_dry_run then
    return query
    select
      f.id,
      f.what,
      f.error_class,
      f.created_at,
      null::bigint,
      null::text
    from jobs.find_dead_letters(
      p_id, p_task, p_stream, p_error_class, p_created_since, p_created_before, p_text,
      p_after_id, p_limit
    ) as f;
    return;
  end if;

  select array_agg(f.id) into v_ids
  from jobs.find_dead_letters(
    p_id, p_task, p_stream, p_error_class, p_created_since, p_created_before, p_text,
    p_after_id, p_limit
  ) as f;

  for v_letter in
    select *
    from jobs.dead_letters as d
    where d.id = any (v_ids)
      and d.redriven_at is null
    order by d.id
    for update
  loop
    id := v_letter.id;
    what := coalesce(v_letter.task, v_letter.stream || ' ' || v_letter.event);
    error_class := v_letter.error_class;
    created_at := v_letter.created_at;
    job_id := null;
    refused := null;

    begin
      if v_letter.task is not null then
        job_id := jobs.defer(v_letter.task, v_letter.args);

        insert into jobs.contexts as n (job_id, request_id, traceparent, tracestate)
        select
          redrive_dead_letters.job_id,
          c.request_id,
          c.traceparent,
          c.tracestate
        from jobs.contexts as c
        where c.job_id = v_letter.job_id
        on conflict on constraint contexts_pkey do update
        set request_id = excluded.request_id,
          traceparent = excluded.traceparent,
          tracestate = excluded.tracestate;
      else
        insert into jobs.outbox_retries (outbox_id, stream, alone, next_try_at)
        values (v_letter.outbox_id, v_letter.stream, true, clock_timestamp())
        on conflict (outbox_id) do nothing;
      end if;

      update jobs.dead_letters as d
      set redriven_at = clock_timestamp()
      where d.id = v_letter.id;

      perform jobs.record_operation(
        'dead_letter_redriven',
        'dead_letter',
        v_letter.id::text,
        p_reason,
        p_operator,
        jsonb_strip_nulls(jsonb_build_object('what', what, 'job_id', job_id))
      );
    exception when others then
      job_id := null;
      refused := sqlerrm;
    end;

    return next;
  end loop;
end;
$$;

--
-- Name: FUNCTION redrive_dead_letters(p_id bigint, p_task text, p_stream text, p_error_class text, p_created_since timestamp with time zone, p_created_before timestamp with time zone, p_text text, p_after_id bigint, p_limit integer, p_reason text, p_operator text, p_dry_run boolean); Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON FUNCTION jobs.redrive_dead_letters(p_id bigint, p_task text, p_stream text, p_error_class text, p_created_since timestamp with time zone, p_created_before timestamp with time zone, p_text text, p_after_id bigint, p_limit integer, p_reason text, p_operator text, p_dry_run boolean) IS 'Redrive dead letters by id or filter, or list what would be; audited.';

--
-- Name: rescue_stalled(interval, integer); Type: FUNCTION; Schema: jobs; Owner: -
--

CREATE FUNCTION jobs.rescue_stalled(p_stalled_after interval DEFAULT '00:00:30'::interval, p_max_rescues integer DEFAULT 3) RETURNS TABLE(job_id bigint, task text, action text)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  v_job procrastinate.procrastinate_jobs;
  v_rescues integer;
begin
  for v_job in
    select j.*
    from procrastinate.procrastinate_jobs as j
    left join procrastinate.procrastinate_workers as w on w.id = j.worker_id
    where j.status = 'doing'
      and (w.id is null or w.last_heartbeat < clock_timestamp() - p_stalled_after)
    order by j.id
    limit 1000
    for update of j skip locked
  loop
    job_id := v_job.id;
    task := v_job.task_name;

    begin
      insert into jobs.attempts (job_id, task, outcome, error_class, request_id)
      values (
        v_job.id,
        v_job.task_name,
        'stalled',
        'WorkerLost',
        (select c.request_id from jobs.contexts as c where c.job_id = v_job.id)
      );

      select count(*) into v_rescues
      from jobs.attempts as a
      where a.job_id = v_job.id
        and a.outcome = 'stalled';

      if v_rescues >= p_max_rescues then
        if not exists (
          select
          from jobs.task_catalog() as c
          where c.task = v_job.task_name
            and c.max_attempts is null
        ) then
          perform jobs.bury_job(v_job.id, 'killed_workers');
        end if;
        perform procrastinate.procrastinate_finish_job_v1(v_job.id, 'failed', false);
        action := 'given_up';
      elsif v_job.abort_requested then
        perform procrastinate.procrastinate_finish_job_v1(v_job.id, 'aborted', false);
        action := 'aborted';
      elsif exists (
        select
        from procrastinate.procrastinate_jobs as j
        where j.queueing_lock = v_job.queueing_lock
          and j.status = 'todo'
      ) then
        perform procrastinate.procrastinate_finish_job_v1(v_job.id, 'aborted', true);
        action := 'merged';
      else
        perform procrastinate.procrastinate_retry_job_v2(v_job.id, null, null, null, null);
        action := 'queued';
      end if;

      return next;
    exception when others then
      raise warning 'job % was not rescued: %', v_job.id, sqlerrm;
    end;
  end loop;
end;
$$;

--
-- Name: FUNCTION rescue_stalled(p_stalled_after interval, p_max_rescues integer); Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON FUNCTION jobs.rescue_stalled(p_stalled_after interval, p_max_rescues integer) IS 'Requeue, merge or give up each job whose worker is gone; returns what was done.';

--
-- Name: resume(text, text, text); Type: FUNCTION; Schema: jobs; Owner: -
--

CREATE FUNCTION jobs.resume(p_name text, p_reason text, p_operator text DEFAULT NULL::text) RETURNS TABLE(kind text, name text, is_changed boolean, reason text, paused_by text, paused_at timestamp with time zone)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  v_target record;
begin
  for v_target in
    select *
    from jobs.find_targets(p_name) as t
  loop
    delete from jobs.pauses as p
    where p.kind = v_target.kind
      and p.name = v_target.name
    returning p.kind, p.name, true, p.reason, p.paused_by, p.paused_at
    into kind, name, is_changed, reason, paused_by, paused_at;

    if found then
      perform jobs.record_operation(
        v_target.kind || '_resumed',
        v_target.kind,
        v_target.name,
        p_reason,
        p_operator,
        jsonb_build_object('paused_at', paused_at, 'paused_by', paused_by)
      );
    else
      kind := v_target.kind;
      name := v_target.name;
      is_changed := false;
    end if;
    return next;
  end loop;

  perform pg_notify(
    'procrastinate_any_queue_v1', '{"type": "job_inserted", "job_id": 0}'
  );
end;
$$;

--
-- Name: FUNCTION resume(p_name text, p_reason text, p_operator text); Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON FUNCTION jobs.resume(p_name text, p_reason text, p_operator text) IS 'Resume a queue or stream; returns each with how it was paused. No row: unknown name.';

--
-- Name: retry_now(text, text, text); Type: FUNCTION; Schema: jobs; Owner: -
--

CREATE FUNCTION jobs.retry_now(p_id text, p_reason text, p_operator text DEFAULT NULL::text) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_what text;
begin
  if starts_with(p_id, 'e') then
    update jobs.outbox_retries as r
    set next_try_at = clock_timestamp()
    from jobs.outbox as o
    where r.outbox_id = substr(p_id, 2)::bigint
      and r.lease_id is null
      and o.id = r.outbox_id
    returning o.stream || ' ' || o.event into v_what;
  else
    update procrastinate.procrastinate_jobs as j
    set scheduled_at = null
    where j.id = p_id::bigint
      and j.status = 'todo'
      and j.scheduled_at > clock_timestamp()
    returning j.task_name into v_what;

    perform pg_notify('procrastinate_any_queue_v1', '{"type": "job_inserted", "job_id": 0}');
  end if;

  if v_what is not null then
    perform jobs.record_operation(
      'retried_now', 'job', p_id, p_reason, p_operator, jsonb_build_object('what', v_what)
    );
  end if;
  return v_what;
end;
$$;

--
-- Name: FUNCTION retry_now(p_id text, p_reason text, p_operator text); Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON FUNCTION jobs.retry_now(p_id text, p_reason text, p_operator text) IS 'Make a scheduled job or a retried event due at once; audited.';

--
-- Name: ring(); Type: FUNCTION; Schema: jobs; Owner: -
--

CREATE FUNCTION jobs.ring() RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_stream jobs.streams;
  v_lock text;
  v_rung integer := 0;
begin
  for v_stream in
    select *
    from jobs.streams as s
    where (s.paused_until is null or s.paused_until <= clock_timestamp())
      and not exists (
        select
        from jobs.pauses as p
        where p.kind = 'stream'
          and p.name = s.stream
      )
    order by s.stream
  loop
    v_lock := 'stream:' || v_stream.stream;

    continue when exists (
      select
      from procrastinate.procrastinate_jobs as j
      where j.queueing_lock = v_lock
        and j.status = 'todo'
    );

    continue when v_stream.lanes <= (
      select count(*)
      from jobs.stream_leases as l
      where l.stream = v_stream.stream
        and l.closed_at is null
        and l.expires_at > clock_timestamp()
    );

    continue when not exists (
      select
      from jobs.outbox as o
      where o.stream = v_stream.stream
        and (o.xid, o.id) > (v_stream.cursor_xid, v_stream.cursor_id)
        and o.xid < pg_snapshot_xmin(pg_current_snapshot())
    ) and not exists (
      select
      from jobs.outbox_retries as r
      where r.stream = v_stream.stream
        and r.lease_id is null
        and r.next_try_at <= clock_timestamp()
    ) and not exists (
      select
      from jobs.stream_leases as l
      where l.stream = v_stream.stream
        and l.closed_at is null
        and l.expires_at <= clock_timestamp()
    ) and not jobs.has_moved(v_stream);

    begin
      perform jobs.defer(
        v_stream.carrier_task,
        jsonb_build_object('stream', v_stream.stream),
        p_queueing_lock => v_lock
      );
      v_rung := v_rung + 1;
    exception when others then
      raise warning 'stream % was not rung: %', v_stream.stream, sqlerrm;
    end;
  end loop;

  return v_rung;
end;
$$;

--
-- Name: FUNCTION ring(); Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON FUNCTION jobs.ring() IS 'Defer a carrier job for each stream with due work; returns how many.';

--
-- Name: settle_events(uuid, text, timestamp with time zone, jsonb, jsonb); Type: FUNCTION; Schema: jobs; Owner: -
--

CREATE FUNCTION jobs.settle_events(p_lease_id uuid, p_outcome text, p_retry_at timestamp with time zone DEFAULT NULL::timestamp with time zone, p_error jsonb DEFAULT NULL::jsonb, p_items jsonb DEFAULT '[]'::jsonb) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_lease jobs.stream_leases;
  v_stream jobs.streams;
  v_only_id bigint;
  v_item record;
  v_failed integer := 0;
  v_judged boolean;
  v_counts boolean := false;
  v_outage boolean;
  v_next_try_at timestamptz := clock_timestamp();
begin
  if p_outcome not in ('delivered', 'rejected', 'retry', 'unknown', 'abandoned') then
    raise internal_error using message = format('unknown outcome %s', p_outcome);
  end if;

  select s.* into v_stream
  from jobs.streams as s
  join jobs.stream_leases as l on l.stream = s.stream
  where l.id = p_lease_id
  for no key update of s;

  select * into v_lease
  from jobs.stream_leases as l
  where l.id = p_lease_id
    and l.closed_at is null;

  if not found then
    return false;
  end if;

  -- an event on its own spends an attempt only when others got through since its last try
  if v_lease.size = 1 and p_retry_at is null then
    select
      i.outbox_id,
      coalesce(v_stream.delivered_at > coalesce(r.last_tried_at, v_lease.taken_at), false)
    into v_only_id, v_counts
    from jobs.lease_items(p_lease_id) as i
    left join jobs.outbox_retries as r on r.outbox_id = i.outbox_id;
  end if;

  v_judged := v_lease.size = 1 and p_outcome = 'rejected';
  v_outage := p_outcome in ('retry', 'unknown') and not v_counts;
  if v_outage then
    v_next_try_at := coalesce(
      p_retry_at,
      v_next_try_at + jobs.backoff(
        v_stream.outages + 1, v_stream.backoff_base, v_stream.backoff_cap
      )
    );
  end if;

  if p_outcome <> 'delivered' or p_items <> '[]' then
    for v_item in
      select
        i.outbox_id,
        coalesce(e.outcome, p_outcome) as outcome,
        coalesce(e.retry_at, p_retry_at) as retry_at,
        coalesce(e.error, p_error) as error,
        e.id is not null or v_judged or v_counts as judged
      from jobs.lease_items(p_lease_id) as i
      left join jsonb_to_recordset(p_items) as e (
        id bigint, outcome text, retry_at timestamptz, error jsonb
      ) on e.id = i.outbox_id
      where coalesce(e.outcome, p_outcome) <> 'delivered'
    loop
      v_failed := v_failed + 1;

      if v_item.judged then
        perform jobs.fail_event(
          v_stream, v_item.outbox_id, v_item.outcome, v_item.retry_at, v_item.error
        );
      else
        insert into jobs.outbox_retries as r (outbox_id, stream, stalls, alone, next_try_at)
        values (
          v_item.outbox_id,
          v_stream.stream,
          (p_retry_at is null)::integer,
          v_lease.size > 1 and p_outcome = 'rejected',
          v_next_try_at
        )
        on conflict (outbox_id) do update
        set stalls = r.stalls + excluded.stalls,
          alone = r.alone or excluded.alone
            or r.stalls + excluded.stalls >= v_stream.split_after,
          next_try_at = excluded.next_try_at,
          last_tried_at = excluded.last_tried_at,
          lease_id = null;
      end if;
    end loop;

    if p_outcome <> 'delivered' and p_retry_at is null and not v_judged and not v_counts then
      insert into jobs.attempts (
        lease_id, outbox_id, stream, outcome, error_class, error_message, error_trace
      )
      values (
        p_lease_id,
        v_only_id,
        v_stream.stream,
        p_outcome,
        p_error ->> 'class',
        p_error ->> 'message',
        p_error ->> 'trace'
      );
    end if;
  end if;

  delete from jobs.outbox_retries as r
  where r.lease_id = p_lease_id;

  update jobs.stream_leases as l
  set closed_at = clock_timestamp(),
    outcome = p_outcome,
    delivered = l.size - v_failed
  where l.id = p_lease_id;

  update jobs.streams as s
  set delivered_at = case
      when v_failed < v_lease.size then clock_timestamp()
      else s.delivered_at
    end,
    outages = case
      when v_failed < v_lease.size then 0
      when v_outage and p_retry_at is null then s.outages + 1
      else s.outages
    end,
    paused_until = case when v_outage then v_next_try_at else s.paused_until end,
    batch_limit = case
      when v_outage and p_retry_at is not null then greatest(1, v_lease.size / 2)
      when v_failed = 0 then least(1000, s.batch_limit + 1 + s.batch_limit / 10)
      else s.batch_limit
    end
  where s.stream = v_stream.stream;

  return true;
end;
$$;

--
-- Name: FUNCTION settle_events(p_lease_id uuid, p_outcome text, p_retry_at timestamp with time zone, p_error jsonb, p_items jsonb); Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON FUNCTION jobs.settle_events(p_lease_id uuid, p_outcome text, p_retry_at timestamp with time zone, p_error jsonb, p_items jsonb) IS 'Record the outcome of a lease; false when it was closed meanwhile and nothing was recorded.';

--
-- Name: take_events(text, integer, interval); Type: FUNCTION; Schema: jobs; Owner: -
--

CREATE FUNCTION jobs.take_events(p_stream text, p_max integer, p_lease interval) RETURNS TABLE(lease_id uuid, id bigint, topic text, event text, payload jsonb, request_id text)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  v_stream jobs.streams;
  v_max integer;
  v_lease_id uuid;
begin
  select * into strict v_stream
  from jobs.streams as s
  where s.stream = p_stream
  for no key update;

  if jobs.has_moved(v_stream) then
    perform jobs.rebase_stream(p_stream);
  end if;

  perform jobs.settle_events(l.id, 'abandoned')
  from jobs.stream_leases as l
  where l.stream = p_stream
    and l.closed_at is null
    and l.expires_at <= clock_timestamp();

  select * into v_stream
  from jobs.streams as s
  where s.stream = p_stream;

  if v_stream.paused_until > clock_timestamp() or exists (
    select
    from jobs.pauses as p
    where p.kind = 'stream'
      and p.name = p_stream
  ) then
    return;
  end if;

  v_max := least(p_max, v_stream.batch_limit);

  if v_stream.retries_next then
    v_lease_id := coalesce(
      jobs.lease_retries(v_stream, v_max, p_lease),
      jobs.lease_fresh(v_stream, v_max, p_lease)
    );
  else
    v_lease_id := coalesce(
      jobs.lease_fresh(v_stream, v_max, p_lease),
      jobs.lease_retries(v_stream, v_max, p_lease)
    );
  end if;

  return query
  select
    v_lease_id,
    o.id,
    o.topic,
    o.event,
    o.payload || jsonb_build_object('id', o.id::text),
    o.request_id
  from jobs.lease_items(v_lease_id) as i
  join jobs.outbox as o on o.id = i.outbox_id
  order by o.xid, o.id;
end;
$$;

--
-- Name: FUNCTION take_events(p_stream text, p_max integer, p_lease interval); Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON FUNCTION jobs.take_events(p_stream text, p_max integer, p_lease interval) IS 'Lease the next due events of a stream, at most p_max; each row carries the lease to settle.';

--
-- Name: task_catalog(); Type: FUNCTION; Schema: jobs; Owner: -
--

CREATE FUNCTION jobs.task_catalog() RETURNS TABLE(task text, queue text, priority integer, arguments text[], max_attempts integer, description text)
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  values
    (
      'realtime:deliver_events', 'realtime', 30, array['stream'], null::integer,
      'Carry one outbox stream to Supabase Realtime until nothing is due.'
    ),
    (
      'consensus:settle_due_clips', 'clock', 20, array['timestamp'], null,
      'Settle decided clips whose holding time is over.'
    ),
    (
      'ledger:expire_holds', 'clock', 20, array['timestamp'], null,
      'Give back holds that were neither settled nor released in time.'
    ),
    (
      'ledger:check_books', 'upkeep', 10, array['timestamp'], null,
      'Prove the books and keep the verdict for the metrics.'
    ),
    (
      'app:purge_idempotency_keys', 'upkeep', 10, array['timestamp'], null,
      'Forget stored answers older than their retention.'
    ),
    (
      'identity:delete_sign_in', 'identity', 25, array['user_id'], 10,
      'Delete the sign-in of an erased account at Supabase Auth.'
    ),
    (
      'identity:finish_erasures', 'clock', 20, array['timestamp'], null,
      'Withdraw the clips and give up the money of erased accounts.'
    ),
    (
      'seals:seal', 'upkeep', 10, array['timestamp'], null,
      'Seal new rows of the append-only tables and keep the heads outside.'
    ),
    (
      'limits:purge_idle_buckets', 'upkeep', 10, array['timestamp'], null,
      'Forget what was used of limits that have long refilled.'
    ),
    (
      'jobs:purge', 'upkeep', 10, array['timestamp'], null,
      'Forget delivered events, old attempts and old dead letters.'
    );
$$;

--
-- Name: FUNCTION task_catalog(); Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON FUNCTION jobs.task_catalog() IS 'Every task: its name, queue, priority, argument names and how often it is tried.';

--
-- Name: balance_at(bigint, timestamp with time zone); Type: FUNCTION; Schema: ledger; Owner: -
--

CREATE FUNCTION ledger.balance_at(p_account_id bigint, p_at timestamp with time zone) RETURNS bigint
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select coalesce((
    select e.balance_after
    from ledger.entries as e
    where e.account_id = p_account_id
      and e.created_at <= p_at
    order by e.version desc
    limit 1
  ), 0);
$$;

--
-- Name: FUNCTION balance_at(p_account_id bigint, p_at timestamp with time zone); Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON FUNCTION ledger.balance_at(p_account_id bigint, p_at timestamp with time zone) IS 'Posted balance of an account as booked at a past moment, in minor units.';

--
-- Name: check_books(); Type: FUNCTION; Schema: ledger; Owner: -
--

CREATE FUNCTION ledger.check_books() RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_started timestamptz := clock_timestamp();
  v_problems bigint;
  v_findings jsonb;
begin
  select
    sum(v.violations),
    coalesce(
      jsonb_agg(jsonb_build_object('check', v.check_name, 'rows', v.violations))
        filter (where not v.holds),
      '[]'
    )
  into v_problems, v_findings
  from ledger.verify() as v;

  perform jobs.record_check('books', clock_timestamp() - v_started, v_problems, v_findings);
  return v_problems;
end;
$$;

--
-- Name: FUNCTION check_books(); Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON FUNCTION ledger.check_books() IS 'Run every check of the books and record the result; returns the number of problems.';

--
-- Name: expire_holds(integer); Type: FUNCTION; Schema: ledger; Owner: -
--

CREATE FUNCTION ledger.expire_holds(p_limit integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_hold_ids bigint[] := array(
    select h.id
    from ledger.holds as h
    where h.state = 'pending'
      and h.expires_at <= app.now()
    order by h.id
    limit p_limit
    for no key update skip locked
  );
begin
  if cardinality(v_hold_ids) > 0 then
    perform ledger.release_holds(v_hold_ids, 'expired');
  end if;

  return cardinality(v_hold_ids);
end;
$$;

--
-- Name: FUNCTION expire_holds(p_limit integer); Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON FUNCTION ledger.expire_holds(p_limit integer) IS 'Expire up to p_limit holds that are past their time; returns how many.';

--
-- Name: fund_reward_pool(text, bigint, text); Type: FUNCTION; Schema: ledger; Owner: -
--

CREATE FUNCTION ledger.fund_reward_pool(p_currency text, p_amount bigint, p_idempotency_key text DEFAULT NULL::text) RETURNS bigint[]
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_caller_id uuid := coalesce(auth.uid(), '00000000-0000-0000-0000-000000000000');
  v_key text := app.idempotency_key(p_idempotency_key);
  v_answer jsonb;
  v_transfers bigint[];
  v_postings ledger.posting[];
begin
  if (p_amount > 0) is not true then
    perform app.fail('invalid_transfer', 'amount: minor units, more than 0');
  end if;

  v_answer := app.claim_idempotency_key(v_caller_id, v_key, 'fund_reward_pool', jsonb_build_object(
    'currency', p_currency, 'amount', p_amount
  ));
  if v_answer is not null then
    return array(select t.id::bigint from jsonb_array_elements_text(v_answer) with ordinality as t (id, nth) order by t.nth);
  end if;

  select array_agg(row(f.id, s.id, s.share, 'pool_funding', null, null, null, null)::ledger.posting)
  into v_postings
  from ledger.accounts as f
  cross join (
    select
      a.id,
      p_amount / count(*) over () + (row_number() over (order by a.slot) <= p_amount % count(*) over ())::integer
      as share
    from ledger.accounts as a
    where a.purpose = 'reward_pool'
      and a.currency = p_currency
  ) as s
  where f.purpose = 'funding'
    and f.currency = p_currency
    and s.share > 0;

  if v_postings is null then
    perform app.fail('invalid_transfer', format('currency: %s has no reward pool', p_currency));
  end if;

  perform audit.record(
    'reward_pool_funded', 'currency', p_currency, null, jsonb_build_object('amount', p_amount)
  );
  v_transfers := ledger.post(v_postings);
  perform app.store_idempotent_response(v_caller_id, v_key, to_jsonb(v_transfers));
  return v_transfers;
end;
$$;

--
-- Name: FUNCTION fund_reward_pool(p_currency text, p_amount bigint, p_idempotency_key text); Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON FUNCTION ledger.fund_reward_pool(p_currency text, p_amount bigint, p_idempotency_key text) IS 'Move minor units from the funding account into the reward pool, evenly over its slots.';

--
-- Name: lock_pool_slot(text, bigint); Type: FUNCTION; Schema: ledger; Owner: -
--

CREATE FUNCTION ledger.lock_pool_slot(p_currency text, p_amount bigint) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_start integer := floor(random() * 16);
  v_awaited_id bigint;
  v_slot_id bigint;
begin
  loop
    begin
      select a.id
      into strict v_slot_id
      from ledger.accounts as a
      where a.purpose = 'reward_pool'
        and a.currency = p_currency
        and a.posted - a.held - p_amount >= a.floor
      order by (a.slot < v_start), a.slot
      limit 1
      for no key update skip locked;

      return v_slot_id;
    exception when no_data_found then
      null;
    end;

    select a.id
    into v_awaited_id
    from ledger.accounts as a
    where a.purpose = 'reward_pool'
      and a.currency = p_currency
      and a.posted - a.held - p_amount >= a.floor
    order by (a.slot < v_start), a.slot
    limit 1;

    if not found then
      return null;
    end if;

    begin
      select a.id
      into strict v_slot_id
      from ledger.accounts as a
      where a.id = v_awaited_id
        and a.posted - a.held - p_amount >= a.floor
      for no key update;

      return v_slot_id;
    exception when no_data_found then
      null;
    end;
  end loop;
end;
$$;

--
-- Name: FUNCTION lock_pool_slot(p_currency text, p_amount bigint); Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON FUNCTION ledger.lock_pool_slot(p_currency text, p_amount bigint) IS 'Lock and return a reward-pool slot with at least this much available, or null.';

--
-- Name: open_wallets(uuid[], text); Type: FUNCTION; Schema: ledger; Owner: -
--

CREATE FUNCTION ledger.open_wallets(p_owner_ids uuid[], p_currency text) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  insert into ledger.accounts (purpose, owner_id, currency, floor)
  select 'wallet', o.id, p_currency, 0
  from (select distinct u.id from unnest(p_owner_ids) as u (id)) as o
  where not exists (
    select
    from ledger.accounts as a
    where a.owner_id = o.id
      and a.currency = p_currency
      and a.purpose = 'wallet'
  )
  order by o.id
  on conflict do nothing;
$$;

--
-- Name: FUNCTION open_wallets(p_owner_ids uuid[], p_currency text); Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON FUNCTION ledger.open_wallets(p_owner_ids uuid[], p_currency text) IS 'Create the missing wallets of people in one currency.';

--
-- Name: own_wallet_id(text); Type: FUNCTION; Schema: ledger; Owner: -
--

CREATE FUNCTION ledger.own_wallet_id(p_currency text) RETURNS bigint
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
declare
  v_user_id uuid := app.user_id();
begin
  return (
    select a.id
    from ledger.accounts as a
    where a.owner_id = v_user_id
      and a.currency = p_currency
      and a.purpose = 'wallet'
  );
end;
$$;

--
-- Name: FUNCTION own_wallet_id(p_currency text); Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON FUNCTION ledger.own_wallet_id(p_currency text) IS 'The id of the caller''s wallet in a currency.';

--
-- Name: pending_amount(bigint); Type: FUNCTION; Schema: ledger; Owner: -
--

CREATE FUNCTION ledger.pending_amount(p_account_id bigint) RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select coalesce(sum(h.amount), 0)::bigint
  from ledger.holds as h
  inner join ledger.accounts as a on a.id = h.credit_account_id
  where h.credit_account_id = p_account_id
    and h.state = 'pending'
    and a.owner_id = auth.uid();
$$;

--
-- Name: FUNCTION pending_amount(p_account_id bigint); Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON FUNCTION ledger.pending_amount(p_account_id bigint) IS 'Sum of pending holds in favour of one''s own wallet, in minor units.';

--
-- Name: place_holds(ledger.hold_request[]); Type: FUNCTION; Schema: ledger; Owner: -
--

CREATE FUNCTION ledger.place_holds(p_holds ledger.hold_request[]) RETURNS bigint[]
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_ids bigint[];
  v_short boolean;
begin
  perform
  from ledger.accounts as a
  where a.id in (select h.debit_account_id from unnest(p_holds) as h)
  order by a.id
  for no key update;

  if exists (
    select
    from unnest(p_holds) as h
    left join ledger.accounts as d on d.id = h.debit_account_id
    left join ledger.accounts as c on c.id = h.credit_account_id
    where (h.amount > 0 and d.id <> c.id and d.currency = c.currency) is not true
  ) then
    perform app.fail('invalid_transfer');
  end if;

  select bool_or(a.posted - a.held - m.amount < a.floor)
  into v_short
  from ledger.accounts as a
  inner join (
    select h.debit_account_id, sum(h.amount) as amount
    from unnest(p_holds) as h
    group by h.debit_account_id
  ) as m on m.debit_account_id = a.id;

  if v_short then
    perform app.fail('insufficient_funds');
  end if;

  with
  placed as (
    insert into ledger.holds (
      debit_account_id, credit_account_id, currency, amount, cause, cause_id, expires_at, created_at
    )
    select
      h.debit_account_id, h.credit_account_id, a.currency, h.amount, h.cause, h.cause_id, h.expires_at, app.now()
    from unnest(p_holds) with ordinality as h
    inner join ledger.accounts as a on a.id = h.debit_account_id
    order by h.ordinality
    returning id
  ),
  kept as (
    update ledger.accounts as a
    set held = a.held + m.amount
    from (
      select h.debit_account_id, sum(h.amount) as amount
      from unnest(p_holds) as h
      group by h.debit_account_id
    ) as m
    where a.id = m.debit_account_id
  )
  select array_agg(p.id order by p.id) into v_ids from placed as p;

  return coalesce(v_ids, '{}');
end;
$$;

--
-- Name: FUNCTION place_holds(p_holds ledger.hold_request[]); Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON FUNCTION ledger.place_holds(p_holds ledger.hold_request[]) IS 'Place holds atomically; returns their ids in the order given.';

--
-- Name: post(ledger.posting[]); Type: FUNCTION; Schema: ledger; Owner: -
--

CREATE FUNCTION ledger.post(p_postings ledger.posting[]) RETURNS bigint[]
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_now timestamptz := app.now();
  v_ids bigint[];
  v_broken text;
begin
  if cardinality(p_postings) = 0 then
    return '{}'::bigint[];
  end if;

  perform
  from ledger.accounts as a
  where a.id in (
    select p.debit_account_id from unnest(p_postings) as p
    union
    select p.credit_account_id from unnest(p_postings) as p
  )
  order by a.id
  for no key update;

  if exists (
    select
    from unnest(p_postings) as p
    left join ledger.accounts as d on d.id = p.debit_account_id
    left join ledger.accounts as c on c.id = p.credit_account_id
    where (p.amount > 0 and d.id <> c.id and d.currency = c.currency) is not true
  ) then
    perform app.fail('invalid_transfer');
  end if;

  -- Booked never before what is already booked on these accounts, however long the locks took.
  v_now := greatest(v_now, (
    select max(e.created_at)
    from ledger.accounts as a
    inner join ledger.entries as e on e.account_id = a.id and e.version = a.version
    where a.id in (
      select p.debit_account_id from unnest(p_postings) as p
      union
      select p.credit_account_id from unnest(p_postings) as p
    )
  ));

  if exists (
    select
    from ledger.transfers as t
    where t.reverses_transfer_id in (select p.reverses_transfer_id from unnest(p_postings) as p)
  ) then
    perform app.fail('already_reversed');
  end if;

  with
  numbered as (
    select
      nextval(pg_get_serial_sequence('ledger.transfers', 'id')) as id,
      p.*,
      u.held_amount
    from unnest(p_postings) with ordinality as p
    cross join lateral (
      select coalesce((select h.amount from ledger.holds as h where h.id = p.hold_id), 0) as held_amount
    ) as u
    order by p.ordinality
  ),
  transfer as (
    insert into ledger.transfers (
      id, debit_account_id, credit_account_id, currency, amount, cause, cause_id,
      hold_id, reverses_transfer_id, event_at, created_at
    )
    overriding system value
    select
      n.id, n.debit_account_id, n.credit_account_id, a.currency, n.amount, n.cause, n.cause_id,
      n.hold_id, n.reverses_transfer_id, coalesce(n.event_at, v_now), v_now
    from numbered as n
    inner join ledger.accounts as a on a.id = n.debit_account_id
  ),
  leg as (
    select
      n.id, l.account_id, l.amount, l.released, n.cause, n.cause_id, n.event_at,
      row_number() over in_account as nth,
      sum(l.amount) over in_account as running
    from numbered as n
    cross join lateral (
      values
        (n.debit_account_id, -n.amount, n.held_amount),
        (n.credit_account_id, n.amount, 0)
    ) as l (account_id, amount, released)
    window in_account as (partition by l.account_id order by n.id)
  ),
  entry as (
    insert into ledger.entries (
      account_id, version, owner_id, transfer_id, amount, balance_after, cause, cause_id, event_at, created_at
    )
    select
      l.account_id, a.version + l.nth, a.owner_id, l.id, l.amount, a.posted + l.running,
      l.cause, l.cause_id, coalesce(l.event_at, v_now), v_now
    from leg as l
    inner join ledger.accounts as a on a.id = l.account_id
  ),
  moved as (
    update ledger.accounts as a
    set
      posted = a.posted + m.amount,
      held = a.held - m.released,
      version = a.version + m.entries,
      reversal_debt = greatest(0, least(
        a.floor - (a.posted + m.amount - a.held + m.released),
        a.floor - (a.posted + m.reversed - a.held)
      ))
    from (
      select
        l.account_id,
        sum(l.amount) as amount,
        sum(l.released) as released,
        count(*) as entries,
        coalesce(sum(l.amount) filter (where p.reverses_transfer_id is not null), 0) as reversed
      from leg as l
      inner join numbered as p on p.id = l.id
      group by l.account_id
    ) as m
    where a.id = m.account_id
  )
  select array_agg(n.id order by n.id) into v_ids from numbered as n;

  return v_ids;
exception when check_violation then
  get stacked diagnostics v_broken = constraint_name;
  if v_broken = 'accounts_above_floor' then
    perform app.fail('insufficient_funds');
  end if;
  raise;
end;
$$;

--
-- Name: FUNCTION post(p_postings ledger.posting[]); Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON FUNCTION ledger.post(p_postings ledger.posting[]) IS 'Post transfers atomically; returns their ids in the order given.';

--
-- Name: promised_amount(bigint); Type: FUNCTION; Schema: ledger; Owner: -
--

CREATE FUNCTION ledger.promised_amount(p_account_id bigint) RETURNS bigint
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select coalesce(sum(h.amount), 0)::bigint
  from ledger.holds as h
  where h.credit_account_id = p_account_id
    and h.state = 'pending';
$$;

--
-- Name: FUNCTION promised_amount(p_account_id bigint); Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON FUNCTION ledger.promised_amount(p_account_id bigint) IS 'Sum of pending holds in favour of an account.';

--
-- Name: release_holds(bigint[], ledger.hold_state); Type: FUNCTION; Schema: ledger; Owner: -
--

CREATE FUNCTION ledger.release_holds(p_hold_ids bigint[], p_state ledger.hold_state DEFAULT 'voided'::ledger.hold_state) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform
  from ledger.holds as h
  where h.id = any (p_hold_ids)
  order by h.id
  for no key update;

  if (
    select count(*)
    from ledger.holds as h
    where h.id = any (p_hold_ids)
      and h.state = 'pending'
  ) <> cardinality(p_hold_ids) then
    perform app.fail('hold_resolved');
  end if;

  perform
  from ledger.accounts as a
  where a.id in (select h.debit_account_id from ledger.holds as h where h.id = any (p_hold_ids))
  order by a.id
  for no key update;

  with released as (
    update ledger.holds as h
    set
      state = p_state,
      resolved_at = app.now()
    where h.id = any (p_hold_ids)
    returning h.debit_account_id, h.amount
  )
  update ledger.accounts as a
  set
    held = a.held - m.amount,
    reversal_debt = greatest(0, a.floor - (a.posted - a.held + m.amount))
  from (
    select r.debit_account_id, sum(r.amount) as amount
    from released as r
    group by r.debit_account_id
  ) as m
  where a.id = m.debit_account_id;
end;
$$;

--
-- Name: FUNCTION release_holds(p_hold_ids bigint[], p_state ledger.hold_state); Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON FUNCTION ledger.release_holds(p_hold_ids bigint[], p_state ledger.hold_state) IS 'Void or expire pending holds; what they kept is available again.';

--
-- Name: reverse_transfers(bigint[]); Type: FUNCTION; Schema: ledger; Owner: -
--

CREATE FUNCTION ledger.reverse_transfers(p_transfer_ids bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_postings ledger.posting[];
begin
  select array_agg(
    row(
      t.credit_account_id, t.debit_account_id, t.amount, t.cause || '_reversed', t.cause_id, null, null, t.id
    )::ledger.posting
    order by t.id
  )
  into v_postings
  from ledger.transfers as t
  where t.id = any (p_transfer_ids)
    and t.reverses_transfer_id is null;

  if coalesce(cardinality(v_postings), 0) <> cardinality(p_transfer_ids) then
    perform app.fail('invalid_transfer', 'only existing transfers that are not reversals are reversed');
  end if;

  return ledger.post(coalesce(v_postings, '{}'));
end;
$$;

--
-- Name: FUNCTION reverse_transfers(p_transfer_ids bigint[]); Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON FUNCTION ledger.reverse_transfers(p_transfer_ids bigint[]) IS 'Post the opposite of each transfer, once; returns the new transfers'' ids.';

--
-- Name: settle_holds(bigint[], bigint[]); Type: FUNCTION; Schema: ledger; Owner: -
--

CREATE FUNCTION ledger.settle_holds(p_hold_ids bigint[], p_amounts bigint[] DEFAULT NULL::bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_postings ledger.posting[];
begin
  perform
  from ledger.holds as h
  where h.id = any (p_hold_ids)
  order by h.id
  for no key update;

  if (
    select count(*)
    from ledger.holds as h
    where h.id = any (p_hold_ids)
      and h.state = 'pending'
  ) <> cardinality(p_hold_ids) then
    perform app.fail('hold_resolved');
  end if;

  if exists (
    select
    from unnest(p_hold_ids, p_amounts) as w (hold_id, amount)
    left join ledger.holds as h on h.id = w.hold_id
    where (coalesce(w.amount, h.amount) between 1 and h.amount) is not true
  ) then
    perform app.fail('invalid_transfer', 'a part of a hold is between 1 and its amount');
  end if;

  with settled as (
    update ledger.holds as h
    set
      state = 'settled',
      settled_amount = coalesce(w.amount, h.amount),
      resolved_at = app.now()
    from unnest(p_hold_ids, p_amounts) as w (hold_id, amount)
    where h.id = w.hold_id
    returning h.*
  )
  select array_agg(
    row(
      s.debit_account_id, s.credit_account_id, s.settled_amount, s.cause, s.cause_id, s.created_at, s.id, null
    )::ledger.posting
    order by s.id
  )
  into v_postings
  from settled as s;

  return ledger.post(coalesce(v_postings, '{}'));
end;
$$;

--
-- Name: FUNCTION settle_holds(p_hold_ids bigint[], p_amounts bigint[]); Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON FUNCTION ledger.settle_holds(p_hold_ids bigint[], p_amounts bigint[]) IS 'Turn pending holds into transfers, wholly or in part; returns the transfers'' ids.';

--
-- Name: tg_entries__check_balance(); Type: FUNCTION; Schema: ledger; Owner: -
--

CREATE FUNCTION ledger.tg_entries__check_balance() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if exists (
    select
    from added as e
    inner join ledger.transfers as t on t.id = e.transfer_id
    inner join ledger.accounts as a on a.id = e.account_id
    group by t.id, t.amount, t.debit_account_id, t.credit_account_id
    having (
      count(*) = 2
      and bool_and(
        e.owner_id is not distinct from a.owner_id
        and (
          (e.account_id = t.debit_account_id and e.amount = -t.amount)
          or (e.account_id = t.credit_account_id and e.amount = t.amount)
        )
      )
    ) is not true
  ) then
    perform app.fail('invalid_transfer');
  end if;

  return null;
end;
$$;

--
-- Name: FUNCTION tg_entries__check_balance(); Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON FUNCTION ledger.tg_entries__check_balance() IS 'Refuses entries other than the two halves of their transfer.';

--
-- Name: tg_entries__refuse_change(); Type: FUNCTION; Schema: ledger; Owner: -
--

CREATE FUNCTION ledger.tg_entries__refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform app.fail('append_only', format('%s on %I.%I', lower(tg_op), tg_table_schema, tg_table_name));
  return null;
end;
$$;

--
-- Name: FUNCTION tg_entries__refuse_change(); Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON FUNCTION ledger.tg_entries__refuse_change() IS 'Refuses update, delete and truncate, whoever asks.';

--
-- Name: tg_entries__tell_owner(); Type: FUNCTION; Schema: ledger; Owner: -
--

CREATE FUNCTION ledger.tg_entries__tell_owner() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  insert into jobs.outbox (topic, event, payload, request_id, traceparent, tracestate)
  select
    'user:' || a.owner_id,
    'balance_updated',
    jsonb_build_object(
      'currency', a.currency,
      'posted', a.posted,
      'available', a.posted - a.held,
      'change', m.change,
      'version', a.version
    ),
    app.request_id(),
    (select app.traceparent()),
    (select app.tracestate())
  from (
    select e.account_id, sum(e.amount) as change
    from added as e
    group by e.account_id
  ) as m
  inner join ledger.accounts as a on a.id = m.account_id
  where a.purpose = 'wallet';

  return null;
end;
$$;

--
-- Name: FUNCTION tg_entries__tell_owner(); Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON FUNCTION ledger.tg_entries__tell_owner() IS 'Queues balance_updated for the owner of every wallet the new entries change.';

--
-- Name: tg_holds__resolve_once(); Type: FUNCTION; Schema: ledger; Owner: -
--

CREATE FUNCTION ledger.tg_holds__resolve_once() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if tg_op <> 'UPDATE' then
    perform app.fail('append_only', format('%s on ledger.holds', lower(tg_op)));
  end if;
  if old.state <> 'pending' or new.state = 'pending' then
    perform app.fail('hold_resolved');
  end if;
  if row(
      old.id, old.debit_account_id, old.credit_account_id, old.currency, old.amount,
      old.cause, old.cause_id, old.expires_at, old.created_at
    )
    is distinct from
    row(
      new.id, new.debit_account_id, new.credit_account_id, new.currency, new.amount,
      new.cause, new.cause_id, new.expires_at, new.created_at
    ) then
    perform app.fail('append_only', 'update on ledger.holds');
  end if;

  return new;
end;
$$;

--
-- Name: FUNCTION tg_holds__resolve_once(); Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON FUNCTION ledger.tg_holds__resolve_once() IS 'Lets a hold resolve once; refuses every other change.';

--
-- Name: tg_transfers__refuse_change(); Type: FUNCTION; Schema: ledger; Owner: -
--

CREATE FUNCTION ledger.tg_transfers__refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform app.fail('append_only', format('%s on %I.%I', lower(tg_op), tg_table_schema, tg_table_name));
  return null;
end;
$$;

--
-- Name: FUNCTION tg_transfers__refuse_change(); Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON FUNCTION ledger.tg_transfers__refuse_change() IS 'Refuses update, delete and truncate, whoever asks.';

--
-- Name: verify(); Type: FUNCTION; Schema: ledger; Owner: -
--

CREATE FUNCTION ledger.verify() RETURNS TABLE(check_name text, holds boolean, violations bigint)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with
  by_account as (
    select
      e.account_id,
      sum(e.amount) as posted,
      count(*) as entries,
      max(e.version) as last_version
    from ledger.entries as e
    group by e.account_id
  ),
  pending_holds as (
    select h.debit_account_id, sum(h.amount) as held
    from ledger.holds as h
    where h.state = 'pending'
    group by h.debit_account_id
  ),
  found (check_name, violations) as (
    select 'every transfer has one debit and one credit entry of its amount', count(*)
    from ledger.transfers as t
    left join ledger.entries as d
      on d.transfer_id = t.id and d.amount < 0
    left join ledger.entries as c
      on c.transfer_id = t.id and c.amount > 0
    where (
      d.account_id = t.debit_account_id
      and c.account_id = t.credit_account_id
      and d.amount = -t.amount
      and c.amount = t.amount
    ) is not true
    union all
    select 'every entry belongs to a transfer', abs(e.entries - 2 * t.transfers)
    from (select count(*) as entries from ledger.entries) as e
    cross join (select count(*) as transfers from ledger.transfers) as t
    union all
    select 'every entry names its account''s owner', count(*)
    from ledger.entries as e
    inner join ledger.accounts as a on a.id = e.account_id
    where e.owner_id is distinct from a.owner_id
    union all
    select 'entries of each currency sum to zero', count(*)
    from (
      select a.currency
      from ledger.entries as e
      inner join ledger.accounts as a on a.id = e.account_id
      group by a.currency
      having sum(e.amount) <> 0
    ) as unbalanced
    union all
    select 'every account''s balance is the sum of its entries', count(*)
    from ledger.accounts as a
    left join by_account as b on b.account_id = a.id
    where a.posted <> coalesce(b.posted, 0)
    union all
    select 'entry numbers have no gap and end at the account''s version', count(*)
    from ledger.accounts as a
    left join by_account as b on b.account_id = a.id
    where a.version <> coalesce(b.entries, 0)
      or a.version <> coalesce(b.last_version, 0)
    union all
    select 'every balance after an entry is the running sum', count(*)
    from (
      select
        e.balance_after,
        sum(e.amount) over (partition by e.account_id order by e.version) as running
      from ledger.entries as e
    ) as r
    where r.balance_after <> r.running
    union all
    select 'held amounts are the pending holds', count(*)
    from ledger.accounts as a
    left join pending_holds as h on h.debit_account_id = a.id
    where a.held <> coalesce(h.held, 0)
    union all
    select 'every settled hold has its transfer, and no other hold has one', count(*)
    from ledger.holds as h
    left join ledger.transfers as t on t.hold_id = h.id
    where (
      case h.state
        when 'settled' then
          t.amount = h.settled_amount
          and t.debit_account_id = h.debit_account_id
          and t.credit_account_id = h.credit_account_id
        else t.id is null
      end
    ) is not true
    union all
    select 'every reversal is the opposite of its transfer', count(*)
    from ledger.transfers as r
    inner join ledger.transfers as t on t.id = r.reverses_transfer_id
    where (
      r.debit_account_id = t.credit_account_id
      and r.credit_account_id = t.debit_account_id
      and r.amount = t.amount
    ) is not true
    union all
    select 'no account is below its floor but by reversals', count(*)
    from ledger.accounts as a
    where a.posted - a.held < a.floor - a.reversal_debt
    union all
    select 'reversal debts are what accounts lack', count(*)
    from ledger.accounts as a
    where a.reversal_debt <> greatest(0, a.floor - (a.posted - a.held))
  )
  select f.check_name, f.violations = 0, f.violations
  from found as f;
$$;

--
-- Name: FUNCTION verify(); Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON FUNCTION ledger.verify() IS 'Every check of the books, whether it holds, and how many rows break it.';

--
-- Name: wallet_statement(text, bigint, integer); Type: FUNCTION; Schema: ledger; Owner: -
--

CREATE FUNCTION ledger.wallet_statement(p_currency text, p_before bigint, p_max_rows integer) RETURNS SETOF public.statement_line
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $_$
declare
  v_wallet_id bigint := ledger.own_wallet_id(p_currency);
  v_before bigint := coalesce(p_before, 9223372036854775807);
begin
  if (p_max_rows between 1 and 200) is not true then
    perform app.fail('invalid_input', 'max_rows: 1 to 200');
  end if;
  if (p_currency ~ '^[A-Z]{3}$') is not true then
    perform app.fail('invalid_input', 'currency: an ISO 4217 code such as USD');
  end if;

  return query
  select
    e.version, e.amount, e.balance_after, p_currency, e.cause, e.cause_id, e.event_at, e.created_at
  from ledger.entries as e
  where e.account_id = v_wallet_id
    and e.version < v_before
  order by e.version desc
  limit p_max_rows;
end;
$_$;

--
-- Name: FUNCTION wallet_statement(p_currency text, p_before bigint, p_max_rows integer); Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON FUNCTION ledger.wallet_statement(p_currency text, p_before bigint, p_max_rows integer) IS 'The rule behind the door public.wallet_statement.';

--
-- Name: client_address(); Type: FUNCTION; Schema: limits; Owner: -
--

CREATE FUNCTION limits.client_address() RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_header text;
  v_proxies integer;
  v_hops text[];
  v_hop text;
begin
  select h.value, p.value::integer
  into v_header, v_proxies
  from settings.entries as h
  cross join settings.entries as p
  where h.name = 'limits.client_address_header'
    and p.name = 'limits.trusted_proxies';

  v_hops := string_to_array(nullif(current_setting('request.headers', true), '')::json ->> v_header, ',');
  v_hop := btrim(v_hops[cardinality(v_hops) - v_proxies], E' \t');

  if translate(v_hop, '0123456789', '') = '...' and length(v_hop) <= 15 then
    return v_hop;
  end if;
  return limits.network_of(v_hop);
end;
$$;

--
-- Name: FUNCTION client_address(); Type: COMMENT; Schema: limits; Owner: -
--

COMMENT ON FUNCTION limits.client_address() IS 'The client''s address or /64 network, as text; unknown where it cannot be told.';

--
-- Name: network_of(text); Type: FUNCTION; Schema: limits; Owner: -
--

CREATE FUNCTION limits.network_of(p_address text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_address inet;
begin
  if p_address is null or length(p_address) > 60 then
    return 'unknown';
  end if;

  v_address := coalesce(
    substring(p_address from '^([0-9.]+):[0-9]{1,5}$'),
    substring(p_address from '^\[([^]]*)\](?::[0-9]{1,5})?$'),
    p_address
  )::inet;
  if v_address <<= '::ffff:0:0/96' then
    v_address := replace(host(v_address), '::ffff:', '')::inet;
  end if;
  if family(v_address) = 6 then
    return network(set_masklen(v_address, 64))::text;
  end if;
  return host(v_address);
exception when invalid_text_representation then
  return 'unknown';
end;
$_$;

--
-- Name: FUNCTION network_of(p_address text); Type: COMMENT; Schema: limits; Owner: -
--

COMMENT ON FUNCTION limits.network_of(p_address text) IS 'An address in the form limits count it in; unknown where it is none.';

--
-- Name: purge_idle_buckets(integer); Type: FUNCTION; Schema: limits; Owner: -
--

CREATE FUNCTION limits.purge_idle_buckets(p_limit integer) RETURNS integer
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with idle as (
    select b.subject, b.door, b.slot
    from limits.buckets as b
    where b.full_at < app.now() - interval '1 hour'
    limit p_limit
    for update skip locked
  ),
  gone as (
    delete from limits.buckets as b
    using idle
    where b.subject = idle.subject
      and b.door = idle.door
      and b.slot = idle.slot
    returning 1
  )
  select count(*)::integer from gone;
$$;

--
-- Name: FUNCTION purge_idle_buckets(p_limit integer); Type: COMMENT; Schema: limits; Owner: -
--

COMMENT ON FUNCTION limits.purge_idle_buckets(p_limit integer) IS 'Delete up to p_limit slots that have long been full; returns how many.';

--
-- Name: spend(text); Type: FUNCTION; Schema: limits; Owner: -
--

CREATE FUNCTION limits.spend(p_door text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
declare
  v_call constant bigint := (random() * 9007199254740992)::bigint;
  v_now timestamptz;
  v_person text;
  v_address text;
  v_slot integer := 0;
  v_is_free boolean;
  v_taken integer;
  v_rule limits.rules;
begin
  if coalesce(current_setting('request.headers', true), '') = '' or current_setting('role') = 'service_role' then
    return;
  end if;

  v_now := app.now();
  v_person := 'user:' || auth.uid();
  v_address := 'ip:' || limits.client_address();

  v_is_free := pg_try_advisory_xact_lock(hashtextextended(v_address || p_door, 0));
  if not v_is_free then
    v_slot := 1 + pg_backend_pid() % 15;
    v_is_free := pg_try_advisory_xact_lock(hashtextextended(v_address || p_door, v_slot));
  end if;

  if v_is_free and pg_try_advisory_xact_lock(hashtextextended(v_person || p_door, 0)) then
    update limits.buckets as b
    set
      full_at = greatest(b.full_at, v_now) + case when b.slot < r.burst % r.slots then r.larger_step else r.step end,
      last_call = v_call
    from limits.rules as r
    where r.door = p_door
      and b.subject = case r.scope when 'user' then v_person else v_address end
      and b.door = p_door
      and b.slot = case r.scope when 'user' then 0 else v_slot end
      and b.slot < r.slots
      and greatest(b.full_at, v_now) + case when b.slot < r.burst % r.slots then r.larger_step else r.step end
        <= v_now + r.period;
    get diagnostics v_taken = row_count;

    if v_taken = 2 then
      return;
    end if;
  end if;

  for v_rule in
    select r.*
    from limits.rules as r
    where r.door = p_door
      and not exists (
        select
        from limits.buckets as b
        where b.subject = case r.scope when 'user' then v_person else v_address end
          and b.door = p_door
          and b.slot = case r.scope when 'user' then 0 else v_slot end
          and b.last_call = v_call
      )
    order by r.scope
  loop
    perform limits.take(
      v_rule,
      case v_rule.scope when 'user' then v_person else v_address end,
      case v_rule.scope when 'user' then 0 else v_slot end
    );
  end loop;
end;
$$;

--
-- Name: FUNCTION spend(p_door text); Type: COMMENT; Schema: limits; Owner: -
--

COMMENT ON FUNCTION limits.spend(p_door text) IS 'Take one call of a door from the limits of the caller and of their address.';

--
-- Name: rules; Type: TABLE; Schema: limits; Owner: -
--

CREATE TABLE limits.rules (
    door text NOT NULL,
    scope limits.scope NOT NULL,
    burst integer NOT NULL,
    period interval NOT NULL,
    slots integer GENERATED ALWAYS AS (LEAST(burst,
CASE scope
    WHEN 'user'::limits.scope THEN 4
    ELSE 32
END)) STORED NOT NULL,
    step interval GENERATED ALWAYS AS (((floor(((EXTRACT(epoch FROM period) * (1000000)::numeric) / ((burst / LEAST(burst,
CASE scope
    WHEN 'user'::limits.scope THEN 4
    ELSE 32
END)))::numeric)))::double precision * '00:00:00.000001'::interval)) STORED NOT NULL,
    larger_step interval GENERATED ALWAYS AS (((floor(((EXTRACT(epoch FROM period) * (1000000)::numeric) / (((burst / LEAST(burst,
CASE scope
    WHEN 'user'::limits.scope THEN 4
    ELSE 32
END)) + 1))::numeric)))::double precision * '00:00:00.000001'::interval)) STORED NOT NULL,
    CONSTRAINT rules_burst_positive CHECK ((burst > 0)),
    CONSTRAINT rules_period_up_to_a_day CHECK (((period >= '00:00:01'::interval) AND (period <= '1 day'::interval)))
);

--
-- Name: TABLE rules; Type: COMMENT; Schema: limits; Owner: -
--

COMMENT ON TABLE limits.rules IS 'burst calls of a door at once, refilled evenly over period, for each person (user) or address (ip).';

--
-- Name: COLUMN rules.slots; Type: COMMENT; Schema: limits; Owner: -
--

COMMENT ON COLUMN limits.rules.slots IS 'Parts a bucket is split into: as many calls under it run side by side.';

--
-- Name: COLUMN rules.step; Type: COMMENT; Schema: limits; Owner: -
--

COMMENT ON COLUMN limits.rules.step IS 'How long one call takes to refill in a slot of burst / slots calls; rounded down, or the last call of a burst would not fit.';

--
-- Name: COLUMN rules.larger_step; Type: COMMENT; Schema: limits; Owner: -
--

COMMENT ON COLUMN limits.rules.larger_step IS 'The same in the first burst % slots slots, which hold one call more.';

--
-- Name: take(limits.rules, text, integer); Type: FUNCTION; Schema: limits; Owner: -
--

CREATE FUNCTION limits.take(p_rule limits.rules, p_subject text, p_slot integer) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET lock_timeout TO '5s'
    AS $$
declare
  v_now constant timestamptz := app.now();
  v_slots integer[];
  v_slot integer;
  v_step interval;
  v_wait interval;
begin
  if p_subject is null then
    return;
  end if;

  loop
    select
      array_agg(s.slot order by s.slot <> p_slot, s.slot) filter (where s.wait <= '0'),
      min(s.wait)
    into v_slots, v_wait
    from (
      select
        g.slot,
        greatest(b.full_at, v_now)
        + case when g.slot < p_rule.burst % p_rule.slots then p_rule.larger_step else p_rule.step end
        - (v_now + p_rule.period) as wait
      from generate_series(0, p_rule.slots - 1) as g (slot)
      left join limits.buckets as b
        on b.subject = p_subject and b.door = p_rule.door and b.slot = g.slot
    ) as s;

    if v_slots is null then
      perform app.fail(
        'rate_limited',
        format(
          '%s: %s calls per %s seconds and %s',
          p_rule.door,
          p_rule.burst,
          extract(epoch from p_rule.period)::integer,
          case p_rule.scope when 'user' then 'person' else 'address' end
        ),
        p_headers => jsonb_build_object('Retry-After', ceil(extract(epoch from v_wait))::bigint::text)
      );
    end if;

    v_slot := null;
    for v_place in 1..cardinality(v_slots) loop
      if pg_try_advisory_xact_lock(hashtextextended(p_subject || p_rule.door, v_slots[v_place])) then
        v_slot := v_slots[v_place];
        exit;
      end if;
    end loop;

    if v_slot is null then
      v_slot := v_slots[1 + floor(random() * cardinality(v_slots))::integer];
      perform pg_advisory_xact_lock(hashtextextended(p_subject || p_rule.door, v_slot));
    end if;

    v_step := case when v_slot < p_rule.burst % p_rule.slots then p_rule.larger_step else p_rule.step end;
    insert into limits.buckets as b (subject, door, slot, full_at, last_call)
    values (p_subject, p_rule.door, v_slot, v_now + v_step, 0)
    on conflict on constraint buckets_pkey do update
    set full_at = greatest(b.full_at, v_now) + v_step
    where greatest(b.full_at, v_now) + v_step <= v_now + p_rule.period;

    if found then
      return;
    end if;
  end loop;
exception when lock_not_available or deadlock_detected then
  perform app.fail(
    'rate_limited', p_rule.door || ': too many calls at once', p_headers => '{"Retry-After": "1"}'
  );
end;
$$;

--
-- Name: FUNCTION take(p_rule limits.rules, p_subject text, p_slot integer); Type: COMMENT; Schema: limits; Owner: -
--

COMMENT ON FUNCTION limits.take(p_rule limits.rules, p_subject text, p_slot integer) IS 'Take a call from any slot of a bucket, or refuse.';

--
-- Name: approve_setting_change(uuid, text); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.approve_setting_change(change_id uuid, idempotency_key text DEFAULT NULL::text) RETURNS public.setting_change
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select settings.approve_setting_change(
    approve_setting_change.change_id, approve_setting_change.idempotency_key
  );
$$;

--
-- Name: FUNCTION approve_setting_change(change_id uuid, idempotency_key text); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.approve_setting_change(change_id uuid, idempotency_key text) IS 'Admins: approve another admin''s change of a dangerous setting; it takes effect at once.';

--
-- Name: cast_vote(uuid, text); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.cast_vote(clip_id uuid, label text) RETURNS public.vote_outcome
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select consensus.cast_vote(cast_vote.clip_id, cast_vote.label);
$$;

--
-- Name: FUNCTION cast_vote(clip_id uuid, label text); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.cast_vote(clip_id uuid, label text) IS 'Cast or change your vote on a clip. Returns the clip''s state after the vote.';

--
-- Name: change_setting(text, text, text, text); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.change_setting(name text, value text, reason text, idempotency_key text DEFAULT NULL::text) RETURNS public.setting_change
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select settings.change_setting(
    change_setting.name, change_setting.value, change_setting.reason, change_setting.idempotency_key
  );
$$;

--
-- Name: FUNCTION change_setting(name text, value text, reason text, idempotency_key text); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.change_setting(name text, value text, reason text, idempotency_key text) IS 'Admins: change a setting, with a reason. A dangerous one waits for another admin: approve_setting_change.';

--
-- Name: disputed_clips(text, uuid, integer); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.disputed_clips(language text, after uuid DEFAULT NULL::uuid, max_rows integer DEFAULT 50) RETURNS SETOF public.disputed_clip
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select *
  from consensus.disputed_clips(
    disputed_clips.language, disputed_clips.after, disputed_clips.max_rows
  );
$$;

--
-- Name: FUNCTION disputed_clips(language text, after uuid, max_rows integer); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.disputed_clips(language text, after uuid, max_rows integer) IS 'Staff: clips that reached their vote cap undecided, oldest first, with labels and tally.';

--
-- Name: erase_account(uuid, text, boolean, text); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.erase_account(user_id uuid, reason text, forfeit boolean DEFAULT false, idempotency_key text DEFAULT NULL::text) RETURNS public.account_erasure
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select identity.erase_account(
    erase_account.user_id, erase_account.reason, erase_account.forfeit, erase_account.idempotency_key
  );
$$;

--
-- Name: FUNCTION erase_account(user_id uuid, reason text, forfeit boolean, idempotency_key text); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.erase_account(user_id uuid, reason text, forfeit boolean, idempotency_key text) IS 'Admins: erase somebody''s account, with a reason. forfeit: money left in it goes to the platform. Audited.';

--
-- Name: erase_my_account(text, text); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.erase_my_account(confirm text, idempotency_key text DEFAULT NULL::text) RETURNS public.account_erasure
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select identity.erase_my_account(erase_my_account.confirm, erase_my_account.idempotency_key);
$$;

--
-- Name: FUNCTION erase_my_account(confirm text, idempotency_key text); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.erase_my_account(confirm text, idempotency_key text) IS 'Erase your account for good. confirm is "erase my account", or, with money left, "erase my account and forfeit my balance".';

--
-- Name: export_my_data(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.export_my_data() RETURNS jsonb
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select identity.export_my_data();
$$;

--
-- Name: FUNCTION export_my_data(); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.export_my_data() IS 'Everything stored about you, as one JSON document: account, profile, clips, votes, wallets, statement, record.';

--
-- Name: grant_role(uuid, public.app_role, text, text); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.grant_role(user_id uuid, role public.app_role, reason text, idempotency_key text DEFAULT NULL::text) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select identity.grant_role(
    grant_role.user_id, grant_role.role, grant_role.reason, grant_role.idempotency_key
  );
$$;

--
-- Name: FUNCTION grant_role(user_id uuid, role public.app_role, reason text, idempotency_key text); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.grant_role(user_id uuid, role public.app_role, reason text, idempotency_key text) IS 'Admins: give somebody a role, with a reason. Audited.';

--
-- Name: list_flags(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.list_flags() RETURNS SETOF public.feature_flag
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select *
  from flags.list_flags();
$$;

--
-- Name: FUNCTION list_flags(); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.list_flags() IS 'Admins: every feature flag, its switch, percentage and listed people.';

--
-- Name: list_setting_changes(uuid, integer); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.list_setting_changes(before_change uuid DEFAULT NULL::uuid, max_rows integer DEFAULT 50) RETURNS SETOF public.setting_change
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select *
  from settings.list_setting_changes(
    list_setting_changes.before_change, list_setting_changes.max_rows
  );
$$;

--
-- Name: FUNCTION list_setting_changes(before_change uuid, max_rows integer); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.list_setting_changes(before_change uuid, max_rows integer) IS 'Admins: changes of settings, newest first, with those that wait for approval; page with before_change.';

--
-- Name: list_settings(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.list_settings() RETURNS SETOF public.setting
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select *
  from settings.list_settings();
$$;

--
-- Name: FUNCTION list_settings(); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.list_settings() IS 'Admins: every setting, its value and bounds, and whether a change needs a second admin.';

--
-- Name: me(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.me() RETURNS public.me
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select identity.me();
$$;

--
-- Name: FUNCTION me(); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.me() IS 'Yourself: profile, whether you are a member, roles, wallets (minor units), features that are on.';

--
-- Name: my_flags(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.my_flags() RETURNS TABLE(flag text, is_on boolean)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select *
  from flags.my_flags();
$$;

--
-- Name: FUNCTION my_flags(); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.my_flags() IS 'Every feature flag and whether it is on for you.';

--
-- Name: next_clips_to_review(text, integer); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.next_clips_to_review(language text, max_clips integer DEFAULT 10) RETURNS SETOF public.review_item
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select *
  from consensus.next_clips_to_review(
    next_clips_to_review.language, next_clips_to_review.max_clips
  );
$$;

--
-- Name: FUNCTION next_clips_to_review(language text, max_clips integer); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.next_clips_to_review(language text, max_clips integer) IS 'Clips leased to you for review in one language; vote, skip, or let the lease run out.';

--
-- Name: reject_setting_change(uuid, text, text); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.reject_setting_change(change_id uuid, reason text, idempotency_key text DEFAULT NULL::text) RETURNS public.setting_change
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select settings.reject_setting_change(
    reject_setting_change.change_id, reject_setting_change.reason, reject_setting_change.idempotency_key
  );
$$;

--
-- Name: FUNCTION reject_setting_change(change_id uuid, reason text, idempotency_key text); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.reject_setting_change(change_id uuid, reason text, idempotency_key text) IS 'Admins: give up a proposed change of a setting, with a reason.';

--
-- Name: revoke_role(uuid, public.app_role, text, text); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.revoke_role(user_id uuid, role public.app_role, reason text, idempotency_key text DEFAULT NULL::text) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select identity.revoke_role(
    revoke_role.user_id, revoke_role.role, revoke_role.reason, revoke_role.idempotency_key
  );
$$;

--
-- Name: FUNCTION revoke_role(user_id uuid, role public.app_role, reason text, idempotency_key text); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.revoke_role(user_id uuid, role public.app_role, reason text, idempotency_key text) IS 'Admins: take a role from somebody, with a reason. Audited; the last admin stays.';

--
-- Name: seal_status(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.seal_status() RETURNS SETOF public.seal_state
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select *
  from seals.seal_status();
$$;

--
-- Name: FUNCTION seal_status(); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.seal_status() IS 'Staff: how far the append-only tables are sealed, the newest digest, and what waits.';

--
-- Name: set_flag(text, text, boolean, numeric, text, text); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.set_flag(flag text, reason text, is_on boolean DEFAULT NULL::boolean, percentage numeric DEFAULT NULL::numeric, description text DEFAULT NULL::text, idempotency_key text DEFAULT NULL::text) RETURNS public.feature_flag
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select flags.set_flag(
    set_flag.flag,
    set_flag.is_on,
    set_flag.percentage,
    set_flag.description,
    set_flag.reason,
    set_flag.idempotency_key
  );
$$;

--
-- Name: FUNCTION set_flag(flag text, reason text, is_on boolean, percentage numeric, description text, idempotency_key text); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.set_flag(flag text, reason text, is_on boolean, percentage numeric, description text, idempotency_key text) IS 'Admins: make or change a feature flag, with a reason. What you leave out stays as it is.';

--
-- Name: set_flag_for_user(text, uuid, boolean, text, text); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.set_flag_for_user(flag text, user_id uuid, is_listed boolean, reason text, idempotency_key text DEFAULT NULL::text) RETURNS public.feature_flag
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select flags.set_flag_for_user(
    set_flag_for_user.flag,
    set_flag_for_user.user_id,
    set_flag_for_user.is_listed,
    set_flag_for_user.reason,
    set_flag_for_user.idempotency_key
  );
$$;

--
-- Name: FUNCTION set_flag_for_user(flag text, user_id uuid, is_listed boolean, reason text, idempotency_key text); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.set_flag_for_user(flag text, user_id uuid, is_listed boolean, reason text, idempotency_key text) IS 'Admins: put a person on a flag''s list or take them off it, with a reason.';

--
-- Name: set_validation_status(uuid, public.validation_status, text, text); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.set_validation_status(clip_id uuid, status public.validation_status, reason text, idempotency_key text DEFAULT NULL::text) RETURNS public.validation_outcome
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select consensus.set_validation_status(
    set_validation_status.clip_id,
    set_validation_status.status,
    set_validation_status.reason,
    set_validation_status.idempotency_key
  );
$$;

--
-- Name: FUNCTION set_validation_status(clip_id uuid, status public.validation_status, reason text, idempotency_key text); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.set_validation_status(clip_id uuid, status public.validation_status, reason text, idempotency_key text) IS 'Staff: confirm, overrule or reopen a clip''s validation, with a reason. Final and paid at once unless pending.';

--
-- Name: skip_clip(uuid); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.skip_clip(clip_id uuid) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select consensus.skip_clip(skip_clip.clip_id);
$$;

--
-- Name: FUNCTION skip_clip(clip_id uuid); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.skip_clip(clip_id uuid) IS 'Pass over a clip; it is not offered to you again.';

--
-- Name: submit_clip(public.clip_kind, text, text, integer, text, text, text); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.submit_clip(kind public.clip_kind, language text, media_path text, duration_ms integer, prompt text DEFAULT NULL::text, transcript text DEFAULT NULL::text, idempotency_key text DEFAULT NULL::text) RETURNS public.clips
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select clips.submit_clip(
    submit_clip.kind,
    submit_clip.language,
    submit_clip.media_path,
    submit_clip.duration_ms,
    submit_clip.prompt,
    submit_clip.transcript,
    submit_clip.idempotency_key
  );
$$;

--
-- Name: FUNCTION submit_clip(kind public.clip_kind, language text, media_path text, duration_ms integer, prompt text, transcript text, idempotency_key text); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.submit_clip(kind public.clip_kind, language text, media_path text, duration_ms integer, prompt text, transcript text, idempotency_key text) IS 'Submit a clip you uploaded to <your id>/… in the clips bucket; returns it, pending. Repeat with the same idempotency_key when unsure.';

--
-- Name: update_profile(text, text, text, text, text, text); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.update_profile(handle text DEFAULT NULL::text, display_name text DEFAULT NULL::text, avatar_path text DEFAULT NULL::text, bio text DEFAULT NULL::text, locale text DEFAULT NULL::text, timezone text DEFAULT NULL::text) RETURNS public.me
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select identity.update_profile(
    update_profile.handle,
    update_profile.display_name,
    update_profile.avatar_path,
    update_profile.bio,
    update_profile.locale,
    update_profile.timezone
  );
$$;

--
-- Name: FUNCTION update_profile(handle text, display_name text, avatar_path text, bio text, locale text, timezone text); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.update_profile(handle text, display_name text, avatar_path text, bio text, locale text, timezone text) IS 'Change your profile; fields you leave out stay as they are. Returns me().';

--
-- Name: votes_on_clip(uuid); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.votes_on_clip(clip_id uuid) RETURNS SETOF public.votes
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select *
  from consensus.votes_on_clip(votes_on_clip.clip_id);
$$;

--
-- Name: FUNCTION votes_on_clip(clip_id uuid); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.votes_on_clip(clip_id uuid) IS 'Staff: all votes on a clip, oldest first.';

--
-- Name: wallet_statement(text, bigint, integer); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.wallet_statement(currency text, before bigint DEFAULT NULL::bigint, max_rows integer DEFAULT 50) RETURNS SETOF public.statement_line
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select *
  from ledger.wallet_statement(
    wallet_statement.currency, wallet_statement.before, wallet_statement.max_rows
  );
$$;

--
-- Name: FUNCTION wallet_statement(currency text, before bigint, max_rows integer); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.wallet_statement(currency text, before bigint, max_rows integer) IS 'Your wallet''s entries, newest first; page with before = the last entry_no you have.';

--
-- Name: batches; Type: TABLE; Schema: seals; Owner: -
--

CREATE TABLE seals.batches (
    chain text NOT NULL,
    seal_no bigint NOT NULL,
    epoch integer NOT NULL,
    after_id bigint,
    from_xid xid8,
    from_id bigint,
    to_xid xid8 NOT NULL,
    to_id bigint NOT NULL,
    max_id bigint NOT NULL,
    row_count bigint NOT NULL,
    columns text[] NOT NULL,
    rows_digest bytea NOT NULL,
    previous_digest bytea NOT NULL,
    digest bytea NOT NULL,
    sealed_at timestamp with time zone NOT NULL,
    CONSTRAINT batches_digests_are_sha256 CHECK (((length(rows_digest) = 32) AND (length(previous_digest) = 32) AND (length(digest) = 32))),
    CONSTRAINT batches_from_is_whole CHECK (((from_xid IS NULL) = (from_id IS NULL))),
    CONSTRAINT batches_hold_rows CHECK ((row_count >= 1)),
    CONSTRAINT batches_numbered_from_one CHECK ((seal_no >= 1))
);

--
-- Name: TABLE batches; Type: COMMENT; Schema: seals; Owner: -
--

COMMENT ON TABLE seals.batches IS 'Append-only: one seal over the rows after (from_xid, from_id) up to and including (to_xid, to_id).';

--
-- Name: COLUMN batches.after_id; Type: COMMENT; Schema: seals; Owner: -
--

COMMENT ON COLUMN seals.batches.after_id IS 'As in the epoch, so that the digest covers it.';

--
-- Name: COLUMN batches.max_id; Type: COMMENT; Schema: seals; Owner: -
--

COMMENT ON COLUMN seals.batches.max_id IS 'The highest id among the sealed rows.';

--
-- Name: COLUMN batches.columns; Type: COMMENT; Schema: seals; Owner: -
--

COMMENT ON COLUMN seals.batches.columns IS 'What of each row the seal covers: all columns there were.';

--
-- Name: COLUMN batches.rows_digest; Type: COMMENT; Schema: seals; Owner: -
--

COMMENT ON COLUMN seals.batches.rows_digest IS 'SHA-256 over the rows'' own digests, in the order of position; see seals.digest_rows.';

--
-- Name: COLUMN batches.digest; Type: COMMENT; Schema: seals; Owner: -
--

COMMENT ON COLUMN seals.batches.digest IS 'SHA-256 over all other columns, previous_digest among them; see seals.digest_batch.';

--
-- Name: digest_batch(seals.batches); Type: FUNCTION; Schema: seals; Owner: -
--

CREATE FUNCTION seals.digest_batch(p_batch seals.batches) RETURNS bytea
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select sha256(convert_to(
    array_to_json(array[
      'hub seal 1',
      p_batch.chain,
      p_batch.seal_no::text,
      p_batch.epoch::text,
      p_batch.after_id::text,
      p_batch.from_xid::text,
      p_batch.from_id::text,
      p_batch.to_xid::text,
      p_batch.to_id::text,
      p_batch.max_id::text,
      p_batch.row_count::text,
      array_to_json(p_batch.columns)::text,
      encode(p_batch.rows_digest, 'hex'),
      encode(p_batch.previous_digest, 'hex'),
      to_char(p_batch.sealed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
    ])::text,
    'UTF8'
  ));
$$;

--
-- Name: FUNCTION digest_batch(p_batch seals.batches); Type: COMMENT; Schema: seals; Owner: -
--

COMMENT ON FUNCTION seals.digest_batch(p_batch seals.batches) IS 'What the digest of a seal must be.';

--
-- Name: chains; Type: TABLE; Schema: seals; Owner: -
--

CREATE TABLE seals.chains (
    chain text NOT NULL,
    id_column text DEFAULT 'id'::text NOT NULL,
    time_column text NOT NULL,
    cluster bigint,
    CONSTRAINT chains_chain_is_a_table CHECK ((chain ~ '^[a-z_]+[.][a-z_]+$'::text))
);

--
-- Name: TABLE chains; Type: COMMENT; Schema: seals; Owner: -
--

COMMENT ON TABLE seals.chains IS 'The append-only tables that are sealed, one row each. Its row is the sealer''s lock.';

--
-- Name: COLUMN chains.chain; Type: COMMENT; Schema: seals; Owner: -
--

COMMENT ON COLUMN seals.chains.chain IS 'The table, schema.name.';

--
-- Name: COLUMN chains.id_column; Type: COMMENT; Schema: seals; Owner: -
--

COMMENT ON COLUMN seals.chains.id_column IS 'A number that grows with every row; with xid, the row''s position.';

--
-- Name: COLUMN chains.time_column; Type: COMMENT; Schema: seals; Owner: -
--

COMMENT ON COLUMN seals.chains.time_column IS 'When the row was written: tells the age of what is not sealed yet.';

--
-- Name: COLUMN chains.cluster; Type: COMMENT; Schema: seals; Owner: -
--

COMMENT ON COLUMN seals.chains.cluster IS 'System identifier of the server the transaction ids now belong to; null before the first seal.';

--
-- Name: digest_rows(seals.chains, text[], bigint, bigint, xid8, bigint, xid8, bigint); Type: FUNCTION; Schema: seals; Owner: -
--

CREATE FUNCTION seals.digest_rows(p_chain seals.chains, p_columns text[], p_after_id bigint, p_upto_id bigint, p_from_xid xid8, p_from_id bigint, p_to_xid xid8, p_to_id bigint) RETURNS TABLE(row_count bigint, max_id bigint, rows_digest bytea)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    SET "DateStyle" TO 'ISO, YMD'
    SET "IntervalStyle" TO 'iso_8601'
    SET extra_float_digits TO '1'
    SET bytea_output TO 'hex'
    AS $_$
begin
  return query execute format(
    $sql$
    select
      count(*),
      max(r.id),
      sha256(string_agg(r.digest, ''::bytea order by r.xid, r.id, r.digest))
    from (
      select
        t.xid,
        t.%1$I::bigint as id,
        sha256(convert_to(array_to_json(array[%2$s])::text, 'UTF8')) as digest
      from %3$I.%4$I as t
      where ($1 is null or (t.xid, t.%1$I) > ($1, $2))
        and (t.xid, t.%1$I) <= ($3, $4)
        and ($5 is null or t.%1$I > $5)
        and ($6 is null or t.%1$I <= $6)
    ) as r
    $sql$,
    p_chain.id_column,
    (select string_agg(format('t.%I::text', c.name), ', ' order by c.nth)
      from unnest(p_columns) with ordinality as c (name, nth)),
    split_part(p_chain.chain, '.', 1),
    split_part(p_chain.chain, '.', 2)
  )
  using p_from_xid, p_from_id, p_to_xid, p_to_id, p_after_id, p_upto_id;
end;
$_$;

--
-- Name: FUNCTION digest_rows(p_chain seals.chains, p_columns text[], p_after_id bigint, p_upto_id bigint, p_from_xid xid8, p_from_id bigint, p_to_xid xid8, p_to_id bigint); Type: COMMENT; Schema: seals; Owner: -
--

COMMENT ON FUNCTION seals.digest_rows(p_chain seals.chains, p_columns text[], p_after_id bigint, p_upto_id bigint, p_from_xid xid8, p_from_id bigint, p_to_xid xid8, p_to_id bigint) IS 'Number, highest id and digest of the rows between two positions.';

--
-- Name: follow_server(seals.chains, seals.batches); Type: FUNCTION; Schema: seals; Owner: -
--

CREATE FUNCTION seals.follow_server(p_chain seals.chains, p_last seals.batches) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_cluster bigint := (select c.system_identifier from pg_control_system() as c);
  v_epoch seals.epochs;
  v_upto_id bigint;
  v_crossed_id bigint;
begin
  select * into strict v_epoch
  from seals.epochs as e
  where e.chain = p_chain.chain
    and e.upto_id is null;

  -- Servers copied from one data directory share their identifier.
  if p_chain.cluster is not distinct from v_cluster
    and (p_last.to_xid >= pg_snapshot_xmax(pg_current_snapshot()) and p_last.epoch = v_epoch.epoch) is not true then
    return;
  end if;

  execute format(
    $sql$
    select max(t.%1$I)
    from %2$I.%3$I as t
    where t.xid >= pg_snapshot_xmax(pg_current_snapshot())
      and ($1 is null or t.%1$I > $1)
    $sql$,
    p_chain.id_column,
    split_part(p_chain.chain, '.', 1),
    split_part(p_chain.chain, '.', 2)
  )
  into v_upto_id
  using v_epoch.after_id;

  if p_last.epoch = v_epoch.epoch then
    execute format(
      $sql$
      select greatest($4, max(t.%1$I))
      from %2$I.%3$I as t
      where t.%1$I < (
        select min(n.%1$I)
        from %2$I.%3$I as n
        where (n.xid, n.%1$I) <= ($1, $2)
          and n.%1$I > $3
      )
      having max(t.%1$I) is not null
      $sql$,
      p_chain.id_column,
      split_part(p_chain.chain, '.', 1),
      split_part(p_chain.chain, '.', 2)
    )
    into v_crossed_id
    using
      p_last.to_xid,
      p_last.to_id,
      (select max(b.max_id) from seals.batches as b where b.chain = p_chain.chain),
      v_upto_id;
    v_upto_id := coalesce(v_crossed_id, v_upto_id);
  end if;

  if v_upto_id is not null then
    select greatest(v_upto_id, max(b.max_id)) into v_upto_id
    from seals.batches as b
    where b.chain = p_chain.chain;

    update seals.epochs as e
    set upto_id = v_upto_id
    where e.chain = v_epoch.chain
      and e.epoch = v_epoch.epoch;

    insert into seals.epochs (chain, epoch, after_id)
    values (v_epoch.chain, v_epoch.epoch + 1, v_upto_id);
  end if;

  update seals.chains as c
  set cluster = v_cluster
  where c.chain = p_chain.chain;
end;
$_$;

--
-- Name: FUNCTION follow_server(p_chain seals.chains, p_last seals.batches); Type: COMMENT; Schema: seals; Owner: -
--

COMMENT ON FUNCTION seals.follow_server(p_chain seals.chains, p_last seals.batches) IS 'After a logical restore onto another server: begin an epoch of its transaction ids.';

--
-- Name: gone_column(text, text[]); Type: FUNCTION; Schema: seals; Owner: -
--

CREATE FUNCTION seals.gone_column(p_chain text, p_columns text[]) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select c.name
  from unnest(p_columns) with ordinality as c (name, nth)
  where not exists (
    select
    from pg_attribute as a
    where a.attrelid = to_regclass(p_chain)
      and a.attname = c.name
      and a.attnum > 0
      and not a.attisdropped
  )
  order by c.nth
  limit 1;
$$;

--
-- Name: FUNCTION gone_column(p_chain text, p_columns text[]); Type: COMMENT; Schema: seals; Owner: -
--

COMMENT ON FUNCTION seals.gone_column(p_chain text, p_columns text[]) IS 'A column that a chain names and its table does not have.';

--
-- Name: has_head(text, bigint, text); Type: FUNCTION; Schema: seals; Owner: -
--

CREATE FUNCTION seals.has_head(p_chain text, p_seal_no bigint, p_digest text) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select exists (
    select
    from seals.batches as b
    where b.chain = p_chain
      and b.seal_no = p_seal_no
      and encode(b.digest, 'hex') = p_digest
  );
$$;

--
-- Name: FUNCTION has_head(p_chain text, p_seal_no bigint, p_digest text); Type: COMMENT; Schema: seals; Owner: -
--

COMMENT ON FUNCTION seals.has_head(p_chain text, p_seal_no bigint, p_digest text) IS 'Whether the chain has a seal of this number and digest.';

--
-- Name: heads(); Type: FUNCTION; Schema: seals; Owner: -
--

CREATE FUNCTION seals.heads() RETURNS TABLE(chain text, seal_no bigint, digest text, sealed_at timestamp with time zone)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select b.chain, b.seal_no, encode(b.digest, 'hex'), b.sealed_at
  from (select c.chain from seals.chains as c order by c.chain) as s
  cross join lateral seals.last_batch(s.chain) as b
  where b.seal_no is not null;
$$;

--
-- Name: FUNCTION heads(); Type: COMMENT; Schema: seals; Owner: -
--

COMMENT ON FUNCTION seals.heads() IS 'Chain, number, digest and time of the newest seal of each chain.';

--
-- Name: last_batch(text); Type: FUNCTION; Schema: seals; Owner: -
--

CREATE FUNCTION seals.last_batch(p_chain text) RETURNS seals.batches
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select b.*
  from (values (1)) as one
  left join lateral (
    select s.*
    from seals.batches as s
    where s.chain = p_chain
    order by s.seal_no desc
    limit 1
  ) as b on true;
$$;

--
-- Name: FUNCTION last_batch(p_chain text); Type: COMMENT; Schema: seals; Owner: -
--

COMMENT ON FUNCTION seals.last_batch(p_chain text) IS 'The newest seal of a chain.';

--
-- Name: metrics(); Type: FUNCTION; Schema: seals; Owner: -
--

CREATE FUNCTION seals.metrics() RETURNS TABLE(metric text, label text, value double precision)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select m.metric, t.chain, m.value
  from (
    select
      c.chain,
      l.row_count,
      coalesce(extract(epoch from clock_timestamp() - l.oldest_at), 0)::double precision as seconds
    from seals.chains as c
    cross join lateral seals.tail(c.chain, 10000) as l
  ) as t
  cross join lateral (
    values ('unsealed_rows', t.row_count::double precision), ('unsealed_seconds', t.seconds)
  ) as m (metric, value);
$$;

--
-- Name: FUNCTION metrics(); Type: COMMENT; Schema: seals; Owner: -
--

COMMENT ON FUNCTION seals.metrics() IS 'Rows not sealed yet and the age of the oldest, by chain, as gauges.';

--
-- Name: seal(integer); Type: FUNCTION; Schema: seals; Owner: -
--

CREATE FUNCTION seals.seal(p_limit integer) RETURNS integer
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select coalesce(sum(seals.seal_chain(c.chain, p_limit)), 0)::integer
  from (select s.chain from seals.chains as s order by s.chain) as c;
$$;

--
-- Name: FUNCTION seal(p_limit integer); Type: COMMENT; Schema: seals; Owner: -
--

COMMENT ON FUNCTION seals.seal(p_limit integer) IS 'Seal up to about p_limit rows of each chain; returns how many were sealed.';

--
-- Name: seal_chain(text, integer); Type: FUNCTION; Schema: seals; Owner: -
--

CREATE FUNCTION seals.seal_chain(p_chain text, p_limit integer) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_chain seals.chains;
  v_last seals.batches;
  v_epoch seals.epochs;
  v_next seals.batches;
  v_is_there boolean;
begin
  select * into v_chain
  from seals.chains as c
  where c.chain = p_chain
  for no key update skip locked;

  if not found then
    return 0;
  end if;

  v_last := seals.last_batch(p_chain);
  perform seals.follow_server(v_chain, v_last);

  if v_last.seal_no is not null then
    execute format(
      'select exists (select from %I.%I as t where t.xid = $1 and t.%I = $2)',
      split_part(p_chain, '.', 1), split_part(p_chain, '.', 2), v_chain.id_column
    )
    into v_is_there
    using v_last.to_xid, v_last.to_id;

    if not v_is_there then
      raise internal_error using
        message = format('%s: the row that was sealed last is gone', p_chain),
        hint = 'Run hub seal verify with a head kept outside the database.';
    end if;
    if seals.gone_column(p_chain, v_last.columns) is not null then
      raise internal_error using
        message = format('%s: the sealed column %s is gone', p_chain, seals.gone_column(p_chain, v_last.columns)),
        hint = 'Sealed columns are neither renamed nor dropped.';
    end if;
  end if;

  for v_epoch in
    select *
    from seals.epochs as e
    where e.chain = p_chain
      and e.epoch >= coalesce(v_last.epoch, 1)
    order by e.epoch
  loop
    v_next := null;
    v_next.epoch := v_epoch.epoch;
    v_next.after_id := v_epoch.after_id;
    if v_epoch.epoch = v_last.epoch then
      v_next.from_xid := v_last.to_xid;
      v_next.from_id := v_last.to_id;
    end if;

    execute format(
      $sql$
      select n.xid, n.id
      from (
        select t.xid, t.%1$I::bigint as id
        from %2$I.%3$I as t
        where ($1 is null or (t.xid, t.%1$I) > ($1, $2))
          and ($3 is null or t.%1$I > $3)
          and ($4 is null or t.%1$I <= $4)
          and ($4 is not null or t.xid < pg_snapshot_xmin(pg_current_snapshot()))
        order by t.xid, t.%1$I
        limit $5
      ) as n
      order by n.xid desc, n.id desc
      limit 1
      $sql$,
      v_chain.id_column, split_part(p_chain, '.', 1), split_part(p_chain, '.', 2)
    )
    into v_next.to_xid, v_next.to_id
    using v_next.from_xid, v_next.from_id, v_epoch.after_id, v_epoch.upto_id, p_limit;

    exit when v_next.to_xid is not null;
  end loop;

  if v_next.to_xid is null then
    return 0;
  end if;

  v_next.columns := array(
    select a.attname::text
    from pg_attribute as a
    where a.attrelid = to_regclass(p_chain)
      and a.attnum > 0
      and not a.attisdropped
    order by a.attnum
  );

  select d.row_count, d.max_id, d.rows_digest
  into strict v_next.row_count, v_next.max_id, v_next.rows_digest
  from seals.digest_rows(
    v_chain, v_next.columns, v_epoch.after_id, v_epoch.upto_id,
    v_next.from_xid, v_next.from_id, v_next.to_xid, v_next.to_id
  ) as d;

  v_next.chain := p_chain;
  v_next.seal_no := coalesce(v_last.seal_no, 0) + 1;
  v_next.previous_digest := coalesce(v_last.digest, sha256(convert_to(p_chain, 'UTF8')));
  v_next.sealed_at := clock_timestamp();
  v_next.digest := seals.digest_batch(v_next);

  insert into seals.batches
  select v_next.*;

  return v_next.row_count;
end;
$_$;

--
-- Name: FUNCTION seal_chain(p_chain text, p_limit integer); Type: COMMENT; Schema: seals; Owner: -
--

COMMENT ON FUNCTION seals.seal_chain(p_chain text, p_limit integer) IS 'Seal the next rows of one chain in one batch; returns how many.';

--
-- Name: seal_status(); Type: FUNCTION; Schema: seals; Owner: -
--

CREATE FUNCTION seals.seal_status() RETURNS SETOF public.seal_state
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform app.require_role('moderator', 'admin');
  perform limits.spend('seal_status');

  return query
  select
    c.chain,
    coalesce(b.seal_no, 0),
    encode(b.digest, 'hex'),
    b.sealed_at,
    t.row_count,
    coalesce(extract(epoch from clock_timestamp() - t.oldest_at), 0)::double precision
  from seals.chains as c
  cross join lateral seals.last_batch(c.chain) as b
  cross join lateral seals.tail(c.chain, 10000) as t
  order by c.chain;
end;
$$;

--
-- Name: FUNCTION seal_status(); Type: COMMENT; Schema: seals; Owner: -
--

COMMENT ON FUNCTION seals.seal_status() IS 'The rule behind the door public.seal_status.';

--
-- Name: tail(text, bigint); Type: FUNCTION; Schema: seals; Owner: -
--

CREATE FUNCTION seals.tail(p_chain text, p_limit bigint) RETURNS TABLE(row_count bigint, oldest_at timestamp with time zone)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_chain seals.chains;
  v_last seals.batches := seals.last_batch(p_chain);
  v_epoch seals.epochs;
  v_count bigint;
  v_oldest_at timestamptz;
begin
  select * into strict v_chain
  from seals.chains as c
  where c.chain = p_chain;

  row_count := 0;
  for v_epoch in
    select *
    from seals.epochs as e
    where e.chain = p_chain
      and e.epoch >= coalesce(v_last.epoch, 1)
    order by e.epoch
  loop
    execute format(
      $sql$
      select count(*), min(r.at)
      from (
        select t.%1$I as at
        from %2$I.%3$I as t
        where ($1 is null or (t.xid, t.%4$I) > ($1, $2))
          and ($3 is null or t.%4$I > $3)
          and ($4 is null or t.%4$I <= $4)
        order by t.xid, t.%4$I
        limit $5
      ) as r
      $sql$,
      v_chain.time_column,
      split_part(p_chain, '.', 1),
      split_part(p_chain, '.', 2),
      v_chain.id_column
    )
    into v_count, v_oldest_at
    using
      case when v_epoch.epoch = v_last.epoch then v_last.to_xid end,
      case when v_epoch.epoch = v_last.epoch then v_last.to_id end,
      v_epoch.after_id,
      v_epoch.upto_id,
      p_limit - row_count;

    row_count := row_count + v_count;
    oldest_at := least(oldest_at, v_oldest_at);
    exit when row_count >= p_limit;
  end loop;

  return next;
end;
$_$;

--
-- Name: FUNCTION tail(p_chain text, p_limit bigint); Type: COMMENT; Schema: seals; Owner: -
--

COMMENT ON FUNCTION seals.tail(p_chain text, p_limit bigint) IS 'Rows of a chain that are not sealed yet, and when the oldest was written.';

--
-- Name: tg_batches__refuse_change(); Type: FUNCTION; Schema: seals; Owner: -
--

CREATE FUNCTION seals.tg_batches__refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform app.fail('append_only', format('%s on %I.%I', lower(tg_op), tg_table_schema, tg_table_name));
  return null;
end;
$$;

--
-- Name: FUNCTION tg_batches__refuse_change(); Type: COMMENT; Schema: seals; Owner: -
--

COMMENT ON FUNCTION seals.tg_batches__refuse_change() IS 'Refuses update, delete and truncate, whoever asks.';

--
-- Name: uncovered(text, bigint); Type: FUNCTION; Schema: seals; Owner: -
--

CREATE FUNCTION seals.uncovered(p_chain text, p_after bigint) RETURNS TABLE(seal_no bigint, details text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select b.seal_no, format('seal %s %s', b.seal_no, w.what)
  from (
    select s.seal_no, s.columns, lag(s.columns) over (order by s.seal_no) as columns_before
    from seals.batches as s
    where s.chain = p_chain
      and s.seal_no >= p_after
  ) as b
  cross join lateral (
    select format('leaves out the column %s', e.name) as what
    from unnest(coalesce(b.columns_before, array(
      select a.attname::text
      from pg_attribute as a
      where a.attrelid = to_regclass(p_chain)
        and a.attnum > 0
        and not a.attisdropped
        and a.attnum <= (select x.attnum from pg_attribute as x where x.attrelid = a.attrelid and x.attname = 'xid')
      order by a.attnum
    ))) with ordinality as e (name, nth)
    where (e.name = any (b.columns)) is not true
    union all
    select format('names the column %s twice', d.name)
    from unnest(b.columns) as d (name)
    group by d.name
    having count(*) > 1
    limit 1
  ) as w
  where b.seal_no > p_after
    and b.columns is distinct from b.columns_before
  order by b.seal_no;
$$;

--
-- Name: FUNCTION uncovered(p_chain text, p_after bigint); Type: COMMENT; Schema: seals; Owner: -
--

COMMENT ON FUNCTION seals.uncovered(p_chain text, p_after bigint) IS 'Seals after a number that do not cover all columns, and what each leaves out.';

--
-- Name: verify(text, text); Type: FUNCTION; Schema: seals; Owner: -
--

CREATE FUNCTION seals.verify(p_chain text, p_head text DEFAULT NULL::text) RETURNS TABLE(check_name text, holds boolean, found bigint, details text)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_chain seals.chains;
  v_batch seals.batches;
  v_before seals.batches;
  v_epoch seals.epochs;
  v_rows record;
  v_head_no bigint := case when p_head ~ '^[0-9]{1,18}:[0-9a-f]{64}$' then split_part(p_head, ':', 1)::bigint end;
  v_unlinked bigint := 0;
  v_forged bigint := 0;
  v_changed bigint := 0;
  v_stray bigint := 0;
  v_where_unlinked text;
  v_where_forged text;
  v_where_changed text;
  v_where_stray text;
  v_gone text;
  v_uncovered bigint;
  v_where_uncovered text;
  v_head_digest bytea;
  v_count bigint;
  v_oldest_at timestamptz;
begin
  select * into v_chain
  from seals.chains as c
  where c.chain = p_chain;

  if not found then
    return query values ('the chain is known', false, 1::bigint, format('no chain is called %s', p_chain));
    return;
  end if;

  v_gone := seals.gone_column(p_chain, array['xid', v_chain.id_column, v_chain.time_column]);
  if v_gone is not null then
    return query values ('sealed rows are what was sealed', false, 1::bigint, format('column %s is gone', v_gone));
    return;
  end if;

  for v_batch in
    select *
    from seals.batches as b
    where b.chain = p_chain
    order by b.seal_no
  loop
    select * into v_epoch
    from seals.epochs as e
    where e.chain = p_chain
      and e.epoch = v_batch.epoch;

    if (
      v_batch.seal_no = coalesce(v_before.seal_no, 0) + 1
      and v_batch.previous_digest = coalesce(v_before.digest, sha256(convert_to(p_chain, 'UTF8')))
      and case
        when v_batch.epoch = coalesce(v_before.epoch, 1) then
          row(v_batch.from_xid, v_batch.from_id) is not distinct from row(v_before.to_xid, v_before.to_id)
        else v_batch.epoch > v_before.epoch and v_batch.from_xid is null
      end
      and v_batch.after_id is not distinct from v_epoch.after_id
      and (v_batch.epoch = coalesce(v_before.epoch, 1) or v_batch.after_id >= v_before.max_id)
    ) is not true then
      v_unlinked := v_unlinked + 1;
      v_where_unlinked := coalesce(v_where_unlinked, format('seal %s', v_batch.seal_no));
    end if;

    if v_batch.digest is distinct from seals.digest_batch(v_batch) then
      v_forged := v_forged + 1;
      v_where_forged := coalesce(v_where_forged, format('seal %s', v_batch.seal_no));
    end if;

    v_gone := seals.gone_column(p_chain, v_batch.columns);
    if v_gone is null then
      select * into v_rows
      from seals.digest_rows(
        v_chain, v_batch.columns, v_epoch.after_id, v_epoch.upto_id,
        v_batch.from_xid, v_batch.from_id, v_batch.to_xid, v_batch.to_id
      );
    end if;

    if v_gone is not null then
      v_changed := v_changed + 1;
      v_where_changed := coalesce(v_where_changed, format('seal %s: column %s is gone', v_batch.seal_no, v_gone));
    elsif row(v_rows.row_count, v_rows.max_id, v_rows.rows_digest)
      is distinct from row(v_batch.row_count, v_batch.max_id, v_batch.rows_digest) then
      v_changed := v_changed + 1;
      v_where_changed := coalesce(v_where_changed, format(
        'seal %s, up to position (%s, %s): sealed %s rows, there are %s',
        v_batch.seal_no, v_batch.to_xid, v_batch.to_id, v_batch.row_count, v_rows.row_count
      ));
    end if;

    if v_batch.seal_no = v_head_no then
      v_head_digest := v_batch.digest;
    end if;
    v_before := v_batch;
  end loop;

  -- Epochs share all ids out among them: none is left out, none is in two.
  select count(*), min(n.epoch)
  into v_count, v_where_stray
  from (
    select
      e.epoch,
      e.after_id,
      lag(e.epoch, 1, 0) over in_order as epoch_before,
      lag(e.upto_id) over in_order as upto_before,
      e.upto_id is null and lead(e.epoch) over in_order is not null as has_no_end,
      e.upto_id is not null and lead(e.epoch) over in_order is null as ends_early
    from seals.epochs as e
    where e.chain = p_chain
    window in_order as (order by e.epoch)
  ) as n
  where n.epoch <> n.epoch_before + 1
    or n.after_id is distinct from n.upto_before
    or n.has_no_end
    or n.ends_early;

  if v_count > 0 then
    v_unlinked := v_unlinked + v_count;
    v_where_unlinked := coalesce(v_where_unlinked, format('epoch %s', v_where_stray));
    v_where_stray := null;
  end if;

  -- An epoch that was left is complete: what lies in it behind its last seal came later.
  for v_epoch in
    select *
    from seals.epochs as e
    where e.chain = p_chain
      and e.epoch < v_before.epoch
    order by e.epoch
  loop
    select b.* into v_batch
    from seals.batches as b
    where b.chain = p_chain
      and b.epoch = v_epoch.epoch
    order by b.seal_no desc
    limit 1;

    execute format(
      'select count(*) from %I.%I as t where ($1 is null or (t.xid, t.%3$I) > ($1, $2))'
      ' and ($3 is null or t.%3$I > $3) and t.%3$I <= $4',
      split_part(p_chain, '.', 1), split_part(p_chain, '.', 2), v_chain.id_column
    )
    into v_count
    using v_batch.to_xid, v_batch.to_id, v_epoch.after_id, v_epoch.upto_id;

    if v_count > 0 then
      v_stray := v_stray + v_count;
      v_where_stray := coalesce(v_where_stray, format('epoch %s', v_epoch.epoch));
    end if;
  end loop;

  select count(*), (array_agg(u.details order by u.seal_no))[1]
  into v_uncovered, v_where_uncovered
  from seals.uncovered(p_chain, 0) as u;

  return query values
    ('seals follow each other without a gap', v_unlinked = 0, v_unlinked, v_where_unlinked),
    ('every seal is what its digest says', v_forged = 0, v_forged, v_where_forged),
    ('every seal covers all columns', v_uncovered = 0, v_uncovered, v_where_uncovered),
    ('sealed rows are what was sealed', v_changed = 0, v_changed, v_where_changed),
    ('no row was added behind the seals', v_stray = 0, v_stray, v_where_stray);

  return query
  select
    'the outside head is in the chain',
    case
      when p_head is not null then
        coalesce(encode(v_head_digest, 'hex') = split_part(p_head, ':', 2), false)
    end,
    case
      when p_head is null then coalesce(v_before.seal_no, 0)
      else coalesce(v_before.seal_no - v_head_no, 0)
    end,
    case
      when p_head is null then
        'no head was given: rows and seals rewritten together, or seals cut off at the end, would not show'
      when v_head_no is null then 'a head is <seal number>:<64 hex digits>'
      when v_head_digest is null then
        format('the head is seal %s, the chain ends with %s', v_head_no, coalesce(v_before.seal_no, 0))
      when encode(v_head_digest, 'hex') <> split_part(p_head, ':', 2) then
        format('seal %s has another digest than the head', v_head_no)
      else format('proved up to seal %s, %s came after it', v_head_no, v_before.seal_no - v_head_no)
    end;

  select t.row_count, t.oldest_at into v_count, v_oldest_at
  from seals.tail(p_chain, 9223372036854775807) as t;

  return query
  select
    'rows not sealed yet',
    null::boolean,
    v_count,
    case
      when v_count > 0 then
        format('the oldest is %s s old', extract(epoch from clock_timestamp() - v_oldest_at)::integer)
    end;
end;
$_$;

--
-- Name: FUNCTION verify(p_chain text, p_head text); Type: COMMENT; Schema: seals; Owner: -
--

COMMENT ON FUNCTION seals.verify(p_chain text, p_head text) IS 'Every check of a chain against an outside head, whether it holds (null: cannot be told), and where not.';

--
-- Name: active(text); Type: FUNCTION; Schema: secrets; Owner: -
--

CREATE FUNCTION secrets.active(p_name text) RETURNS SETOF text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_provider text := secrets.require_provider();
begin
  if v_provider = 'vault' then
    return query execute
      $sql$
      select coalesce(d.decrypted_secret, s.value)
      from secrets.versions as v
      left join vault.decrypted_secrets as d on d.id = v.vault_id
      left join secrets.stored_values as s on s.version_id = v.id
      where v.name = $1
        and v.retired_at is null
        and coalesce(d.decrypted_secret, s.value) is not null
      order by v.id desc
      $sql$
    using p_name;
  else
    return query
    select s.value
    from secrets.versions as v
    inner join secrets.stored_values as s on s.version_id = v.id
    where v.name = p_name
      and v.retired_at is null
    order by v.id desc;
  end if;
end;
$_$;

--
-- Name: FUNCTION active(p_name text); Type: COMMENT; Schema: secrets; Owner: -
--

COMMENT ON FUNCTION secrets.active(p_name text) IS 'The active values of a secret, newest first.';

--
-- Name: list_versions(); Type: FUNCTION; Schema: secrets; Owner: -
--

CREATE FUNCTION secrets.list_versions() RETURNS TABLE(id bigint, name text, kept_in text, is_active boolean, created_at timestamp with time zone, retired_at timestamp with time zone)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_known uuid[] := '{}'::uuid[];
begin
  if to_regclass('vault.secrets') is not null then
    execute 'select coalesce(array_agg(s.id), ''{}'') from vault.secrets as s' into v_known;
  end if;

  return query
  select
    v.id,
    v.name,
    case when v.vault_id is null then 'table' else 'vault' end,
    v.retired_at is null and (
      v.vault_id = any (v_known)
      or exists (select from secrets.stored_values as s where s.version_id = v.id)
    ),
    v.created_at,
    v.retired_at
  from secrets.versions as v
  order by v.name, v.id desc;
end;
$$;

--
-- Name: FUNCTION list_versions(); Type: COMMENT; Schema: secrets; Owner: -
--

COMMENT ON FUNCTION secrets.list_versions() IS 'Versions of secrets and where they are kept, without values.';

--
-- Name: provider(); Type: FUNCTION; Schema: secrets; Owner: -
--

CREATE FUNCTION secrets.provider() RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case when to_regclass('vault.decrypted_secrets') is not null then 'vault' else s.provider end
  from secrets.settings as s;
$$;

--
-- Name: FUNCTION provider(); Type: COMMENT; Schema: secrets; Owner: -
--

COMMENT ON FUNCTION secrets.provider() IS 'vault, table or none: where new secrets are kept.';

--
-- Name: put(text, text, text); Type: FUNCTION; Schema: secrets; Owner: -
--

CREATE FUNCTION secrets.put(p_name text, p_value text, p_reason text DEFAULT NULL::text) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_provider text := secrets.require_provider();
  v_id bigint;
  v_vault_id uuid;
begin
  if p_name is null or p_name !~ '^[a-z][a-z0-9_]{0,62}$' then
    raise internal_error using message = 'a secret''s name is lower case letters, digits and _, at most 63';
  end if;
  if p_value is null or length(p_value) not between 1 and 65536 then
    raise internal_error using message = 'a secret has 1 to 65536 characters';
  end if;

  insert into secrets.versions (name, created_at)
  values (p_name, app.now())
  returning id into v_id;

  if v_provider = 'vault' then
    execute 'select vault.create_secret($1, $2, $3)'
    into v_vault_id
    using p_value, format('hub.%s.%s', p_name, v_id), 'Kept by hub secrets.';

    update secrets.versions as v
    set vault_id = v_vault_id
    where v.id = v_id;
  else
    insert into secrets.stored_values (version_id, value)
    values (v_id, p_value);
  end if;

  perform audit.record(
    'secret_set', 'secret', p_name, p_reason, jsonb_build_object('version', v_id, 'provider', v_provider)
  );
  return v_id;
end;
$_$;

--
-- Name: FUNCTION put(p_name text, p_value text, p_reason text); Type: COMMENT; Schema: secrets; Owner: -
--

COMMENT ON FUNCTION secrets.put(p_name text, p_value text, p_reason text) IS 'Add an active version of a secret; returns its id.';

--
-- Name: require_provider(); Type: FUNCTION; Schema: secrets; Owner: -
--

CREATE FUNCTION secrets.require_provider() RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_provider text := secrets.provider();
begin
  if v_provider = 'none' then
    raise internal_error using
      message = 'this database has no place for secrets: Supabase Vault is not installed and no provider is switched on',
      hint = 'Run hub secrets provider table to keep them in a table that only the owner reads.';
  end if;

  return v_provider;
end;
$$;

--
-- Name: FUNCTION require_provider(); Type: COMMENT; Schema: secrets; Owner: -
--

COMMENT ON FUNCTION secrets.require_provider() IS 'The provider of secrets; fails where there is none.';

--
-- Name: retire(bigint, text, boolean); Type: FUNCTION; Schema: secrets; Owner: -
--

CREATE FUNCTION secrets.retire(p_id bigint, p_reason text DEFAULT NULL::text, p_last boolean DEFAULT false) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_version secrets.versions;
begin
  perform
  from secrets.versions as v
  where v.name = (select w.name from secrets.versions as w where w.id = p_id)
  order by v.id
  for no key update;

  select * into v_version
  from secrets.versions as v
  where v.id = p_id;

  if not found then
    raise internal_error using message = format('no secret has the id %s', p_id);
  end if;
  if v_version.retired_at is not null then
    return v_version.name;
  end if;
  if not p_last and not exists (
    select
    from secrets.versions as v
    where v.name = v_version.name
      and v.id <> p_id
      and v.retired_at is null
  ) then
    raise internal_error using
      message = format('%s is the last active secret of %s', p_id, v_version.name),
      hint = 'Set a new one first, or say --last.';
  end if;

  if v_version.vault_id is not null and to_regclass('vault.secrets') is not null then
    execute 'delete from vault.secrets as s where s.id = $1' using v_version.vault_id;
  end if;

  delete from secrets.stored_values as s
  where s.version_id = p_id;

  update secrets.versions as v
  set retired_at = app.now()
  where v.id = p_id;

  perform audit.record(
    'secret_retired', 'secret', v_version.name, p_reason, jsonb_build_object('version', p_id)
  );
  return v_version.name;
end;
$_$;

--
-- Name: FUNCTION retire(p_id bigint, p_reason text, p_last boolean); Type: COMMENT; Schema: secrets; Owner: -
--

COMMENT ON FUNCTION secrets.retire(p_id bigint, p_reason text, p_last boolean) IS 'End a version of a secret and destroy its value; returns the secret''s name.';

--
-- Name: use_provider(text, text); Type: FUNCTION; Schema: secrets; Owner: -
--

CREATE FUNCTION secrets.use_provider(p_provider text, p_reason text DEFAULT NULL::text) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if p_provider not in ('none', 'table') or p_provider is null then
    raise internal_error using message = 'a provider of secrets is none or table';
  end if;
  if secrets.provider() = 'vault' then
    raise internal_error using message = 'this database has Supabase Vault: secrets go there';
  end if;
  if p_provider = 'none' and exists (
    select from secrets.versions as v where v.retired_at is null and v.vault_id is null
  ) then
    raise internal_error using message = 'there are active secrets in the table: retire them first';
  end if;

  update secrets.settings as s
  set provider = p_provider
  where s.singleton;

  perform audit.record('secret_provider_chosen', 'secrets', p_provider, p_reason);
  return p_provider;
end;
$$;

--
-- Name: FUNCTION use_provider(p_provider text, p_reason text); Type: COMMENT; Schema: secrets; Owner: -
--

COMMENT ON FUNCTION secrets.use_provider(p_provider text, p_reason text) IS 'Choose where secrets are kept without Supabase Vault.';

--
-- Name: apply(text, text, text, text, jsonb); Type: FUNCTION; Schema: settings; Owner: -
--

CREATE FUNCTION settings.apply(p_name text, p_value text, p_old_value text, p_reason text, p_details jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_path text[] := string_to_array(p_name, '.');
  v_rate text[];
begin
  update settings.entries as e
  set value = p_value
  where e.name = p_name;

  if not found and v_path[1] = 'consensus' then
    update consensus.kinds as k
    set
      min_votes = case v_path[3] when 'min_votes' then p_value::integer else k.min_votes end,
      max_votes = case v_path[3] when 'max_votes' then p_value::integer else k.max_votes end,
      author_reward = case v_path[3] when 'author_reward' then p_value::bigint else k.author_reward end,
      reviewer_reward = case v_path[3] when 'reviewer_reward' then p_value::bigint else k.reviewer_reward end,
      daily_reward_cap = case v_path[3] when 'daily_reward_cap' then p_value::bigint else k.daily_reward_cap end,
      settle_after = case v_path[3] when 'settle_after' then p_value::bigint * interval '1 second' else k.settle_after end,
      lease_duration = case v_path[3] when 'lease_duration' then p_value::bigint * interval '1 second' else k.lease_duration end,
      max_leased_per_author = case v_path[3] when 'max_leased_per_author' then p_value::integer else k.max_leased_per_author end
    where k.kind::text = v_path[2];
  elsif not found and v_path[1] = 'limits' then
    v_rate := regexp_match(p_value, '^([0-9]+) per ([0-9]+) s$');
    update limits.rules as r
    set
      burst = v_rate[1]::integer,
      period = v_rate[2]::integer * interval '1 second'
    where r.door = v_path[2]
      and r.scope::text = v_path[3];

    with ahead as (
      select b.subject, b.door, b.slot
      from limits.buckets as b
      where b.door = v_path[2]
        and b.subject like v_path[3] || ':%'
        and b.full_at > app.now() + v_rate[2]::integer * interval '1 second'
      for no key update skip locked
    )
    update limits.buckets as b
    set full_at = app.now() + v_rate[2]::integer * interval '1 second'
    from ahead as a
    where b.subject = a.subject
      and b.door = a.door
      and b.slot = a.slot;
  end if;

  perform audit.record(
    'setting_changed', 'setting', p_name, p_reason,
    jsonb_build_object('from', p_old_value, 'to', p_value) || p_details
  );
end;
$_$;

--
-- Name: FUNCTION apply(p_name text, p_value text, p_old_value text, p_reason text, p_details jsonb); Type: COMMENT; Schema: settings; Owner: -
--

COMMENT ON FUNCTION settings.apply(p_name text, p_value text, p_old_value text, p_reason text, p_details jsonb) IS 'Write a setting''s new value to its home, audited.';

--
-- Name: approve_setting_change(uuid, text); Type: FUNCTION; Schema: settings; Owner: -
--

CREATE FUNCTION settings.approve_setting_change(p_change_id uuid, p_idempotency_key text) RETURNS public.setting_change
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_admin_id uuid := app.require_role('admin');
  v_key text := app.idempotency_key(p_idempotency_key);
  v_answer jsonb;
  v_change settings.changes;
begin
  perform limits.spend('approve_setting_change');

  v_answer := app.claim_idempotency_key(v_admin_id, v_key, 'approve_setting_change', jsonb_build_object(
    'change_id', p_change_id
  ));
  if v_answer is not null then
    return jsonb_populate_record(null::public.setting_change, v_answer);
  end if;

  v_change := settings.lock_change(p_change_id);
  -- The lock may have been waited for.
  perform app.require_role('admin');

  if v_change.proposed_by = v_admin_id then
    perform app.fail('own_setting_change');
  end if;
  if not exists (
    select
    from identity.user_roles as r
    where r.user_id = v_admin_id
      and r.role = 'admin'
      and r.granted_at <= v_change.proposed_at
      and r.granted_by is distinct from v_change.proposed_by
  ) then
    perform app.fail('approver_not_independent');
  end if;
  if not exists (
    select
    from identity.user_roles as r
    where r.user_id = v_change.proposed_by
      and r.role = 'admin'
      and app.is_member(r.user_id)
  ) then
    perform app.fail('setting_change_closed', 'who proposed it is no admin any more');
  end if;
  if not exists (
    select
    from settings.current() as c
    where c.name = v_change.name
      and c.value = v_change.old_value
  ) then
    perform app.fail('setting_change_closed', 'the setting has another value by now');
  end if;
  perform settings.require_value(v_change.name, v_change.new_value);

  update settings.changes as c
  set
    state = 'applied',
    decided_by = v_admin_id,
    decided_at = app.now()
  where c.id = p_change_id
  returning c.* into v_change;

  perform settings.apply(
    v_change.name, v_change.new_value, v_change.old_value, v_change.reason,
    jsonb_build_object('change_id', v_change.id, 'proposed_by', v_change.proposed_by)
  );
  perform app.store_idempotent_response(v_admin_id, v_key, to_jsonb(settings.describe(v_change)));
  return settings.describe(v_change);
end;
$$;

--
-- Name: FUNCTION approve_setting_change(p_change_id uuid, p_idempotency_key text); Type: COMMENT; Schema: settings; Owner: -
--

COMMENT ON FUNCTION settings.approve_setting_change(p_change_id uuid, p_idempotency_key text) IS 'The rule behind the door public.approve_setting_change.';

--
-- Name: change_setting(text, text, text, text); Type: FUNCTION; Schema: settings; Owner: -
--

CREATE FUNCTION settings.change_setting(p_name text, p_value text, p_reason text, p_idempotency_key text) RETURNS public.setting_change
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_admin_id uuid := app.require_role('admin');
  v_key text := app.idempotency_key(p_idempotency_key);
  v_name text := app.require_text('name', p_name, 1, 200);
  v_reason text := app.require_text('reason', p_reason, 1, 2000);
  v_now timestamptz := app.now();
  v_value text;
  v_answer jsonb;
  v_setting record;
  v_change settings.changes;
begin
  perform limits.spend('change_setting');

  v_answer := app.claim_idempotency_key(v_admin_id, v_key, 'change_setting', jsonb_build_object(
    'name', v_name, 'value', p_value, 'reason', v_reason
  ));
  if v_answer is not null then
    return jsonb_populate_record(null::public.setting_change, v_answer);
  end if;

  perform settings.lock_setting(v_name);
  -- The lock may have been waited for.
  perform app.require_role('admin');
  v_value := settings.require_value(v_name, p_value);

  select c.*
  into strict v_setting
  from settings.current() as c
  where c.name = v_name;

  if v_setting.value = v_value then
    perform app.fail('setting_unchanged');
  end if;

  update settings.changes as c
  set
    state = 'superseded',
    decided_by = v_admin_id,
    decided_at = v_now
  where c.name = v_name
    and c.state = 'proposed';

  if v_setting.needs_approval then
    insert into settings.changes as c (
      name, old_value, new_value, reason, state, proposed_by, proposed_at, expires_at
    )
    values (
      v_name, v_setting.value, v_value, v_reason, 'proposed', v_admin_id, v_now,
      v_now + settings.value('settings.approval_expires_after')::bigint * interval '1 second'
    )
    returning c.* into v_change;

    perform audit.record(
      'setting_change_proposed', 'setting', v_name, v_reason,
      jsonb_build_object('from', v_setting.value, 'to', v_value, 'change_id', v_change.id)
    );
  else
    insert into settings.changes as c (
      name, old_value, new_value, reason, state, proposed_by, proposed_at, decided_by, decided_at
    )
    values (v_name, v_setting.value, v_value, v_reason, 'applied', v_admin_id, v_now, v_admin_id, v_now)
    returning c.* into v_change;

    perform settings.apply(
      v_name, v_value, v_setting.value, v_reason, jsonb_build_object('change_id', v_change.id)
    );
  end if;

  perform app.store_idempotent_response(v_admin_id, v_key, to_jsonb(settings.describe(v_change)));
  return settings.describe(v_change);
end;
$$;

--
-- Name: FUNCTION change_setting(p_name text, p_value text, p_reason text, p_idempotency_key text); Type: COMMENT; Schema: settings; Owner: -
--

COMMENT ON FUNCTION settings.change_setting(p_name text, p_value text, p_reason text, p_idempotency_key text) IS 'The rule behind the door public.change_setting.';

--
-- Name: claim_environment(text); Type: FUNCTION; Schema: settings; Owner: -
--

CREATE FUNCTION settings.claim_environment(p_environment text) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  insert into settings.deployment (environment)
  values (p_environment)
  on conflict (singleton) do nothing;

  return (select d.environment from settings.deployment as d);
end;
$$;

--
-- Name: FUNCTION claim_environment(p_environment text); Type: COMMENT; Schema: settings; Owner: -
--

COMMENT ON FUNCTION settings.claim_environment(p_environment text) IS 'Stamp a new database with its environment; returns the one it has.';

--
-- Name: current(); Type: FUNCTION; Schema: settings; Owner: -
--

CREATE FUNCTION settings.current() RETURNS TABLE(name text, type public.setting_type, value text, lowest bigint, highest bigint, pattern text, needs_approval boolean, description text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select e.name, e.type, e.value, e.lowest, e.highest, e.pattern, e.needs_approval, e.description
  from settings.entries as e
  union all
  select
    format('consensus.%s.%s', k.kind, c.name),
    c.type::public.setting_type,
    c.value::text,
    c.lowest,
    c.highest,
    null,
    c.needs_approval,
    c.description
  from consensus.kinds as k
  cross join lateral (
    values
    ('min_votes', 'integer', k.min_votes::bigint, 1::bigint, k.max_votes::bigint, true, 'Votes the winning label needs at least.'),
    ('max_votes', 'integer', k.max_votes, k.min_votes, 1000, true, 'Votes after which voting ends undecided.'),
    ('author_reward', 'integer', k.author_reward, 0, 1000000, true, 'Minor units for the author of a valid clip.'),
    ('reviewer_reward', 'integer', k.reviewer_reward, 0, 1000000, true, 'Minor units for each reviewer who agreed.'),
    (
      'daily_reward_cap', 'integer', k.daily_reward_cap, 0, 1000000000, true,
      'Minor units one person may be promised per UTC day.'
    ),
    (
      'settle_after', 'seconds', extract(epoch from k.settle_after)::bigint, 0, 31536000, true,
      'How long a reward stays held before it is posted.'
    ),
    (
      'lease_duration', 'seconds', extract(epoch from k.lease_duration)::bigint, 60, 86400, false,
      'How long a clip stays with a reviewer.'
    ),
    (
      'max_leased_per_author', 'integer', k.max_leased_per_author, 1, 100, false,
      'Clips of one speaker a reviewer may hold at a time.'
    )
  ) as c (name, type, value, lowest, highest, needs_approval, description)
  union all
  select
    format('limits.%s.%s', r.door, r.scope),
    'rate',
    format('%s per %s s', r.burst, extract(epoch from r.period)::integer),
    case when r.door in ('change_setting', 'approve_setting_change', 'reject_setting_change') then 5 else 1 end,
    1000000,
    null,
    false,
    format('Calls of %s at once and refilled over the time, for each %s.', r.door,
      case r.scope when 'user' then 'person' else 'address' end)
  from limits.rules as r;
$$;

--
-- Name: FUNCTION current(); Type: COMMENT; Schema: settings; Owner: -
--

COMMENT ON FUNCTION settings.current() IS 'Every setting: value, bounds, and whether two admins are needed.';

--
-- Name: changes; Type: TABLE; Schema: settings; Owner: -
--

CREATE TABLE settings.changes (
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    name text NOT NULL,
    old_value text NOT NULL,
    new_value text NOT NULL,
    reason text NOT NULL,
    state public.setting_change_state NOT NULL,
    proposed_by uuid NOT NULL,
    proposed_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    decided_by uuid,
    decided_at timestamp with time zone,
    CONSTRAINT changes_decided_unless_open CHECK (((state = ANY (ARRAY['proposed'::public.setting_change_state, 'expired'::public.setting_change_state])) = (decided_at IS NULL))),
    CONSTRAINT changes_not_by_oneself CHECK (((expires_at IS NULL) OR (state <> 'applied'::public.setting_change_state) OR (decided_by <> proposed_by))),
    CONSTRAINT changes_reason_length CHECK (((length(reason) >= 1) AND (length(reason) <= 2000)))
);

--
-- Name: TABLE changes; Type: COMMENT; Schema: settings; Owner: -
--

COMMENT ON TABLE settings.changes IS 'Every change of a setting, applied, waiting or given up. expires_at is set where two admins are needed.';

--
-- Name: describe(settings.changes); Type: FUNCTION; Schema: settings; Owner: -
--

CREATE FUNCTION settings.describe(p_change settings.changes) RETURNS public.setting_change
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select
    p_change.id,
    p_change.name,
    p_change.old_value,
    p_change.new_value,
    case
      when p_change.state = 'proposed' and p_change.expires_at <= app.now() then 'expired'
      else p_change.state
    end,
    p_change.reason,
    p_change.proposed_by,
    p_change.proposed_at,
    p_change.expires_at,
    p_change.decided_by,
    p_change.decided_at;
$$;

--
-- Name: FUNCTION describe(p_change settings.changes); Type: COMMENT; Schema: settings; Owner: -
--

COMMENT ON FUNCTION settings.describe(p_change settings.changes) IS 'A change of a setting with its state now.';

--
-- Name: list_setting_changes(uuid, integer); Type: FUNCTION; Schema: settings; Owner: -
--

CREATE FUNCTION settings.list_setting_changes(p_before_change uuid, p_max_rows integer) RETURNS SETOF public.setting_change
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform app.require_role('admin');
  perform limits.spend('list_setting_changes');

  if (p_max_rows between 1 and 200) is not true then
    perform app.fail('invalid_input', 'max_rows: 1 to 200');
  end if;

  return query
  select (settings.describe(c)).*
  from settings.changes as c
  where p_before_change is null
    or c.id < p_before_change
  order by c.id desc
  limit p_max_rows;
end;
$$;

--
-- Name: FUNCTION list_setting_changes(p_before_change uuid, p_max_rows integer); Type: COMMENT; Schema: settings; Owner: -
--

COMMENT ON FUNCTION settings.list_setting_changes(p_before_change uuid, p_max_rows integer) IS 'The rule behind the door public.list_setting_changes.';

--
-- Name: list_settings(); Type: FUNCTION; Schema: settings; Owner: -
--

CREATE FUNCTION settings.list_settings() RETURNS SETOF public.setting
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform app.require_role('admin');
  perform limits.spend('list_settings');

  return query
  select c.name, c.type, c.value, c.lowest, c.highest, c.needs_approval, c.description
  from settings.current() as c
  order by c.name;
end;
$$;

--
-- Name: FUNCTION list_settings(); Type: COMMENT; Schema: settings; Owner: -
--

COMMENT ON FUNCTION settings.list_settings() IS 'The rule behind the door public.list_settings.';

--
-- Name: lock_change(uuid); Type: FUNCTION; Schema: settings; Owner: -
--

CREATE FUNCTION settings.lock_change(p_change_id uuid) RETURNS settings.changes
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_change settings.changes;
begin
  perform settings.lock_setting(c.name)
  from settings.changes as c
  where c.id = p_change_id;

  select c.*
  into v_change
  from settings.changes as c
  where c.id = p_change_id
  for no key update;

  if not found then
    perform app.fail('setting_change_not_found');
  end if;
  if v_change.state <> 'proposed' then
    perform app.fail('setting_change_closed', format('it is %s', v_change.state));
  end if;
  if v_change.expires_at <= app.now() then
    perform app.fail('setting_change_closed', 'it has expired');
  end if;

  return v_change;
end;
$$;

--
-- Name: FUNCTION lock_change(p_change_id uuid); Type: COMMENT; Schema: settings; Owner: -
--

COMMENT ON FUNCTION settings.lock_change(p_change_id uuid) IS 'Lock an open proposal, or refuse.';

--
-- Name: lock_setting(text); Type: FUNCTION; Schema: settings; Owner: -
--

CREATE FUNCTION settings.lock_setting(p_name text) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select pg_advisory_xact_lock(hashtextextended('setting ' || regexp_replace(p_name, '^(consensus[.][^.]+)[.].*$', '\1'), 0));
$_$;

--
-- Name: FUNCTION lock_setting(p_name text); Type: COMMENT; Schema: settings; Owner: -
--

COMMENT ON FUNCTION settings.lock_setting(p_name text) IS 'Wait for other changes of a setting, or of its kind of clip.';

--
-- Name: reject_setting_change(uuid, text, text); Type: FUNCTION; Schema: settings; Owner: -
--

CREATE FUNCTION settings.reject_setting_change(p_change_id uuid, p_reason text, p_idempotency_key text) RETURNS public.setting_change
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_admin_id uuid := app.require_role('admin');
  v_key text := app.idempotency_key(p_idempotency_key);
  v_reason text := app.require_text('reason', p_reason, 1, 2000);
  v_answer jsonb;
  v_change settings.changes;
begin
  perform limits.spend('reject_setting_change');

  v_answer := app.claim_idempotency_key(v_admin_id, v_key, 'reject_setting_change', jsonb_build_object(
    'change_id', p_change_id, 'reason', v_reason
  ));
  if v_answer is not null then
    return jsonb_populate_record(null::public.setting_change, v_answer);
  end if;

  perform settings.lock_change(p_change_id);
  -- The lock may have been waited for.
  perform app.require_role('admin');

  update settings.changes as c
  set
    state = 'rejected',
    decided_by = v_admin_id,
    decided_at = app.now()
  where c.id = p_change_id
  returning c.* into v_change;

  perform audit.record(
    'setting_change_rejected', 'setting', v_change.name, v_reason,
    jsonb_build_object('from', v_change.old_value, 'to', v_change.new_value, 'change_id', v_change.id)
  );
  perform app.store_idempotent_response(v_admin_id, v_key, to_jsonb(settings.describe(v_change)));
  return settings.describe(v_change);
end;
$$;

--
-- Name: FUNCTION reject_setting_change(p_change_id uuid, p_reason text, p_idempotency_key text); Type: COMMENT; Schema: settings; Owner: -
--

COMMENT ON FUNCTION settings.reject_setting_change(p_change_id uuid, p_reason text, p_idempotency_key text) IS 'The rule behind the door public.reject_setting_change.';

--
-- Name: require_value(text, text); Type: FUNCTION; Schema: settings; Owner: -
--

CREATE FUNCTION settings.require_value(p_name text, p_value text) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_value text := app.require_text('value', p_value, 1, 200);
  v_setting record;
  v_rate text[];
  v_longest constant integer := case
    when p_name ~ '^limits[.](change_setting|approve_setting_change|reject_setting_change)[.]' then 600
    else 86400
  end;
begin
  select c.*
  into v_setting
  from settings.current() as c
  where c.name = p_name;

  if not found then
    perform app.fail('setting_not_found');
  end if;

  case v_setting.type
    when 'text' then
      if v_value !~ v_setting.pattern then
        perform app.fail('invalid_input', format('value: text like %s', v_setting.pattern));
      end if;
    when 'rate' then
      v_rate := regexp_match(v_value, '^0*([0-9]{1,9}) per 0*([0-9]{1,9}) s$');
      if (v_rate[1]::bigint between v_setting.lowest and v_setting.highest and v_rate[2]::bigint between 1 and v_longest) is not true then
        perform app.fail('invalid_input', format(
          'value: %s to %s per 1 to %s s, such as 60 per 120 s', v_setting.lowest, v_setting.highest, v_longest
        ));
      end if;
      v_value := format('%s per %s s', v_rate[1]::bigint, v_rate[2]::bigint);
    else
      if v_value !~ '^[0-9]{1,18}$' or v_value::bigint not between v_setting.lowest and v_setting.highest then
        perform app.fail('invalid_input', format('value: %s to %s', v_setting.lowest, v_setting.highest));
      end if;
      v_value := v_value::bigint::text;
  end case;

  return v_value;
end;
$_$;

--
-- Name: FUNCTION require_value(p_name text, p_value text); Type: COMMENT; Schema: settings; Owner: -
--

COMMENT ON FUNCTION settings.require_value(p_name text, p_value text) IS 'A setting''s new value in its canonical form, or a refusal.';

--
-- Name: set_environment(text, text); Type: FUNCTION; Schema: settings; Owner: -
--

CREATE FUNCTION settings.set_environment(p_environment text, p_reason text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_reason text := app.require_text('reason', p_reason, 1, 2000);
  v_before text := (select d.environment from settings.deployment as d);
begin
  if (p_environment in ('local', 'test', 'production')) is not true then
    perform app.fail('invalid_input', 'environment: local, test or production');
  end if;

  insert into settings.deployment as d (environment)
  values (p_environment)
  on conflict (singleton) do update set environment = excluded.environment, stamped_at = app.now();

  perform audit.record(
    'environment_set', 'deployment', p_environment, v_reason,
    jsonb_build_object('from', v_before, 'to', p_environment)
  );
end;
$$;

--
-- Name: FUNCTION set_environment(p_environment text, p_reason text); Type: COMMENT; Schema: settings; Owner: -
--

COMMENT ON FUNCTION settings.set_environment(p_environment text, p_reason text) IS 'Owner: declare which environment this database belongs to, with a reason.';

--
-- Name: value(text); Type: FUNCTION; Schema: settings; Owner: -
--

CREATE FUNCTION settings.value(p_name text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select e.value
  from settings.entries as e
  where e.name = p_name;
$$;

--
-- Name: FUNCTION value(p_name text); Type: COMMENT; Schema: settings; Owner: -
--

COMMENT ON FUNCTION settings.value(p_name text) IS 'The value of a setting of settings.entries.';

--
-- Name: clock; Type: TABLE; Schema: app; Owner: -
--

CREATE TABLE app.clock (
    singleton boolean DEFAULT true NOT NULL,
    frozen_at timestamp with time zone NOT NULL,
    CONSTRAINT clock_has_one_row CHECK (singleton)
);

--
-- Name: TABLE clock; Type: COMMENT; Schema: app; Owner: -
--

COMMENT ON TABLE app.clock IS 'Where tests stop the time that app.now() gives. Empty in production.';

--
-- Name: idempotency_keys; Type: TABLE; Schema: app; Owner: -
--

CREATE TABLE app.idempotency_keys (
    user_id uuid NOT NULL,
    key text NOT NULL,
    door text NOT NULL,
    request_digest bytea NOT NULL,
    response jsonb,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    request jsonb,
    CONSTRAINT idempotency_keys_key_length CHECK (((length(key) >= 1) AND (length(key) <= 255)))
);

--
-- Name: TABLE idempotency_keys; Type: COMMENT; Schema: app; Owner: -
--

COMMENT ON TABLE app.idempotency_keys IS 'Answers already given, by caller and key. Only committed answers exist.';

--
-- Name: COLUMN idempotency_keys.request; Type: COMMENT; Schema: app; Owner: -
--

COMMENT ON COLUMN app.idempotency_keys.request IS 'Each argument of the first call by name, as a digest salted with caller and key.';

--
-- Name: events; Type: TABLE; Schema: audit; Owner: -
--

CREATE TABLE audit.events (
    id bigint NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    actor_id uuid,
    actor_role text NOT NULL,
    action text NOT NULL,
    subject_type text NOT NULL,
    subject_id text NOT NULL,
    reason text,
    details jsonb DEFAULT '{}'::jsonb NOT NULL,
    request_id text NOT NULL,
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    CONSTRAINT events_action_is_a_name CHECK ((action ~ '^[a-z_]+$'::text)),
    CONSTRAINT events_reason_length CHECK ((length(reason) <= 2000))
);

--
-- Name: TABLE events; Type: COMMENT; Schema: audit; Owner: -
--

COMMENT ON TABLE audit.events IS 'Append-only: who, what, when, why, and the request that did it.';

--
-- Name: COLUMN events.id; Type: COMMENT; Schema: audit; Owner: -
--

COMMENT ON COLUMN audit.events.id IS 'Grows with each row.';

--
-- Name: COLUMN events.at; Type: COMMENT; Schema: audit; Owner: -
--

COMMENT ON COLUMN audit.events.at IS 'When, by the business clock.';

--
-- Name: COLUMN events.actor_id; Type: COMMENT; Schema: audit; Owner: -
--

COMMENT ON COLUMN audit.events.actor_id IS 'The signed-in user, or null when the system acted.';

--
-- Name: COLUMN events.actor_role; Type: COMMENT; Schema: audit; Owner: -
--

COMMENT ON COLUMN audit.events.actor_role IS 'The database role it was done with.';

--
-- Name: COLUMN events.action; Type: COMMENT; Schema: audit; Owner: -
--

COMMENT ON COLUMN audit.events.action IS 'What was done.';

--
-- Name: COLUMN events.subject_type; Type: COMMENT; Schema: audit; Owner: -
--

COMMENT ON COLUMN audit.events.subject_type IS 'What kind of thing it was done to.';

--
-- Name: COLUMN events.subject_id; Type: COMMENT; Schema: audit; Owner: -
--

COMMENT ON COLUMN audit.events.subject_id IS 'Which one.';

--
-- Name: COLUMN events.reason; Type: COMMENT; Schema: audit; Owner: -
--

COMMENT ON COLUMN audit.events.reason IS 'Why, in the words of who did it, or null.';

--
-- Name: COLUMN events.details; Type: COMMENT; Schema: audit; Owner: -
--

COMMENT ON COLUMN audit.events.details IS 'What was changed, by name.';

--
-- Name: COLUMN events.request_id; Type: COMMENT; Schema: audit; Owner: -
--

COMMENT ON COLUMN audit.events.request_id IS 'The request that did it; the same in jobs and logs.';

--
-- Name: COLUMN events.xid; Type: COMMENT; Schema: audit; Owner: -
--

COMMENT ON COLUMN audit.events.xid IS 'The writing transaction, 0 for rows older than this column; with id, the position of the row.';

--
-- Name: events_id_seq; Type: SEQUENCE; Schema: audit; Owner: -
--

ALTER TABLE audit.events ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME audit.events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: decisions; Type: TABLE; Schema: consensus; Owner: -
--

CREATE TABLE consensus.decisions (
    id bigint NOT NULL,
    clip_id uuid NOT NULL,
    version integer NOT NULL,
    status public.validation_status NOT NULL,
    label text,
    rule text NOT NULL,
    decided_by uuid,
    tally integer[] NOT NULL,
    reason text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT decisions_label_iff_decided CHECK (((status = 'pending'::public.validation_status) = (label IS NULL))),
    CONSTRAINT decisions_rule_is_known CHECK ((rule = ANY (ARRAY['classic'::text, 'staff'::text]))),
    CONSTRAINT decisions_staff_named CHECK (((rule = 'staff'::text) = (decided_by IS NOT NULL)))
);

--
-- Name: TABLE decisions; Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON TABLE consensus.decisions IS 'Append-only history of what was decided of a clip, by which rule, and why.';

--
-- Name: COLUMN decisions.version; Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON COLUMN consensus.decisions.version IS 'The clip''s version the decision made.';

--
-- Name: COLUMN decisions.tally; Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON COLUMN consensus.decisions.tally IS 'The votes it rested on, in the order of kinds.labels.';

--
-- Name: decisions_id_seq; Type: SEQUENCE; Schema: consensus; Owner: -
--

ALTER TABLE consensus.decisions ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME consensus.decisions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: leases; Type: TABLE; Schema: consensus; Owner: -
--

CREATE TABLE consensus.leases (
    clip_id uuid NOT NULL,
    reviewer_id uuid NOT NULL,
    expires_at timestamp with time zone NOT NULL
);

--
-- Name: TABLE leases; Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON TABLE consensus.leases IS 'Clips handed to a reviewer for a while, so that no more work at one than it needs.';

--
-- Name: reward_days; Type: TABLE; Schema: consensus; Owner: -
--

CREATE TABLE consensus.reward_days (
    user_id uuid NOT NULL,
    day date NOT NULL,
    currency text NOT NULL,
    promised bigint NOT NULL
)
WITH (fillfactor='70');

--
-- Name: TABLE reward_days; Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON TABLE consensus.reward_days IS 'Minor units promised to a person on a UTC day; holds the daily cap exactly.';

--
-- Name: skips; Type: TABLE; Schema: consensus; Owner: -
--

CREATE TABLE consensus.skips (
    reviewer_id uuid NOT NULL,
    clip_id uuid NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

--
-- Name: TABLE skips; Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON TABLE consensus.skips IS 'Clips a reviewer passed over; they are not offered again.';

--
-- Name: withheld_rewards; Type: TABLE; Schema: consensus; Owner: -
--

CREATE TABLE consensus.withheld_rewards (
    clip_id uuid NOT NULL,
    version integer NOT NULL,
    user_id uuid NOT NULL,
    cause text NOT NULL,
    currency text NOT NULL,
    amount bigint NOT NULL,
    why text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT withheld_rewards_why_is_known CHECK ((why = ANY (ARRAY['daily_cap'::text, 'pool_empty'::text])))
);

--
-- Name: TABLE withheld_rewards; Type: COMMENT; Schema: consensus; Owner: -
--

COMMENT ON TABLE consensus.withheld_rewards IS 'Rewards a decision earned but could not promise, and why.';

--
-- Name: files; Type: TABLE; Schema: deploy; Owner: -
--

CREATE TABLE deploy.files (
    path text NOT NULL,
    digest text NOT NULL,
    oids oid[] DEFAULT '{}'::oid[] NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL,
    tool text NOT NULL
);

--
-- Name: TABLE files; Type: COMMENT; Schema: deploy; Owner: -
--

COMMENT ON TABLE deploy.files IS 'Digest of each applied file, the objects it made, and the version of the tool that applied it.';

--
-- Name: queue; Type: TABLE; Schema: deploy; Owner: -
--

CREATE TABLE deploy.queue (
    singleton boolean DEFAULT true NOT NULL,
    version text NOT NULL,
    migration text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT queue_singleton_check CHECK (singleton)
);

--
-- Name: TABLE queue; Type: COMMENT; Schema: deploy; Owner: -
--

COMMENT ON TABLE deploy.queue IS 'The procrastinate release whose schema is installed, and its newest applied migration file.';

--
-- Name: listed_users; Type: TABLE; Schema: flags; Owner: -
--

CREATE TABLE flags.listed_users (
    flag text NOT NULL,
    user_id uuid NOT NULL,
    listed_at timestamp with time zone DEFAULT now() NOT NULL
);

--
-- Name: TABLE listed_users; Type: COMMENT; Schema: flags; Owner: -
--

COMMENT ON TABLE flags.listed_users IS 'People who have a feature that is on, whatever its percentage.';

--
-- Name: private_profiles; Type: TABLE; Schema: identity; Owner: -
--

CREATE TABLE identity.private_profiles (
    user_id uuid NOT NULL,
    locale text DEFAULT 'en'::text NOT NULL,
    timezone text DEFAULT 'UTC'::text NOT NULL,
    CONSTRAINT private_profiles_locale_is_bcp47 CHECK ((locale ~ '^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$'::text))
);

--
-- Name: TABLE private_profiles; Type: COMMENT; Schema: identity; Owner: -
--

COMMENT ON TABLE identity.private_profiles IS 'What only the person sees of themselves: me() shows it.';

--
-- Name: user_roles; Type: TABLE; Schema: identity; Owner: -
--

CREATE TABLE identity.user_roles (
    user_id uuid NOT NULL,
    role public.app_role NOT NULL,
    granted_by uuid,
    granted_at timestamp with time zone DEFAULT now() NOT NULL
);

--
-- Name: TABLE user_roles; Type: COMMENT; Schema: identity; Owner: -
--

COMMENT ON TABLE identity.user_roles IS 'Roles in force. Read on every check, so that a revoked role ends at once.';

--
-- Name: attempts; Type: TABLE; Schema: jobs; Owner: -
--

CREATE TABLE jobs.attempts (
    id bigint NOT NULL,
    job_id bigint,
    task text,
    lease_id uuid,
    outbox_id bigint,
    stream text,
    outcome text NOT NULL,
    error_class text,
    error_message text,
    error_trace text,
    request_id text,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT attempts_of_job_or_stream CHECK (((job_id IS NULL) <> (stream IS NULL)))
);

--
-- Name: TABLE attempts; Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON TABLE jobs.attempts IS 'Tries that did not succeed, of unit jobs and of stream batches or events.';

--
-- Name: attempts_id_seq; Type: SEQUENCE; Schema: jobs; Owner: -
--

ALTER TABLE jobs.attempts ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME jobs.attempts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: check_results; Type: TABLE; Schema: jobs; Owner: -
--

CREATE TABLE jobs.check_results (
    check_name text NOT NULL,
    checked_at timestamp with time zone NOT NULL,
    took interval NOT NULL,
    problems bigint NOT NULL,
    findings jsonb DEFAULT '[]'::jsonb NOT NULL,
    CONSTRAINT check_results_problems_not_negative CHECK ((problems >= 0))
);

--
-- Name: TABLE check_results; Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON TABLE jobs.check_results IS 'One row per check: when it last ran, how long it took, what it found.';

--
-- Name: COLUMN check_results.findings; Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON COLUMN jobs.check_results.findings IS 'The checks that do not hold, each with the number of rows that break it.';

--
-- Name: contexts; Type: TABLE; Schema: jobs; Owner: -
--

CREATE TABLE jobs.contexts (
    job_id bigint NOT NULL,
    request_id text NOT NULL,
    traceparent text,
    tracestate text,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

--
-- Name: TABLE contexts; Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON TABLE jobs.contexts IS 'The request that put a unit job on the queue.';

--
-- Name: dead_letters; Type: TABLE; Schema: jobs; Owner: -
--

CREATE TABLE jobs.dead_letters (
    id bigint NOT NULL,
    job_id bigint,
    task text,
    args jsonb,
    outbox_id bigint,
    stream text,
    topic text,
    event text,
    reason text NOT NULL,
    attempts integer NOT NULL,
    error_class text,
    error_message text,
    request_id text,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    redriven_at timestamp with time zone,
    CONSTRAINT dead_letters_of_job_or_event CHECK (((num_nonnulls(job_id, task, args) = ANY (ARRAY[0, 3])) AND (num_nonnulls(outbox_id, stream, topic, event) = ANY (ARRAY[0, 4])) AND ((job_id IS NULL) <> (outbox_id IS NULL)))),
    CONSTRAINT dead_letters_reason_known CHECK ((reason = ANY (ARRAY['rejected'::text, 'exhausted'::text, 'killed_workers'::text])))
);

--
-- Name: TABLE dead_letters; Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON TABLE jobs.dead_letters IS 'What was given up: unit jobs and events, with the last error, until somebody redrives them.';

--
-- Name: dead_letters_id_seq; Type: SEQUENCE; Schema: jobs; Owner: -
--

ALTER TABLE jobs.dead_letters ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME jobs.dead_letters_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: outbox; Type: TABLE; Schema: jobs; Owner: -
--

CREATE TABLE jobs.outbox (
    id bigint NOT NULL,
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    stream text DEFAULT 'realtime'::text NOT NULL,
    topic text NOT NULL,
    event text NOT NULL,
    payload jsonb NOT NULL,
    request_id text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    traceparent text,
    tracestate text,
    CONSTRAINT outbox_payload_is_object CHECK ((jsonb_typeof(payload) = 'object'::text)),
    CONSTRAINT outbox_stream_known CHECK ((stream = 'realtime'::text))
);

--
-- Name: TABLE outbox; Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON TABLE jobs.outbox IS 'Events to be carried out of the database, appended by rules in their own transaction.';

--
-- Name: COLUMN outbox.xid; Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON COLUMN jobs.outbox.xid IS 'The inserting transaction; with id, the position of the event in its stream.';

--
-- Name: COLUMN outbox.payload; Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON COLUMN jobs.outbox.payload IS 'What the client will see, with the version of the state; the id is added when it is sent.';

--
-- Name: COLUMN outbox.traceparent; Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON COLUMN jobs.outbox.traceparent IS 'The traceparent header of the request that caused the event.';

--
-- Name: COLUMN outbox.tracestate; Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON COLUMN jobs.outbox.tracestate IS 'The tracestate header beside it.';

--
-- Name: outbox_id_seq; Type: SEQUENCE; Schema: jobs; Owner: -
--

ALTER TABLE jobs.outbox ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME jobs.outbox_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: outbox_retries; Type: TABLE; Schema: jobs; Owner: -
--

CREATE TABLE jobs.outbox_retries (
    outbox_id bigint NOT NULL,
    stream text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    stalls integer DEFAULT 0 NOT NULL,
    alone boolean DEFAULT false NOT NULL,
    next_try_at timestamp with time zone NOT NULL,
    last_tried_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    lease_id uuid,
    CONSTRAINT outbox_retries_attempts_not_negative CHECK (((attempts >= 0) AND (stalls >= 0)))
)
WITH (fillfactor='70');

--
-- Name: TABLE outbox_retries; Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON TABLE jobs.outbox_retries IS 'Events that were tried and not delivered yet; they block nobody.';

--
-- Name: COLUMN outbox_retries.attempts; Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON COLUMN jobs.outbox_retries.attempts IS 'Tries that failed because of this event, as far as can be told.';

--
-- Name: COLUMN outbox_retries.stalls; Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON COLUMN jobs.outbox_retries.stalls IS 'Batches that failed around this event.';

--
-- Name: COLUMN outbox_retries.alone; Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON COLUMN jobs.outbox_retries.alone IS 'Sent singly, so that it cannot take others down with it.';

--
-- Name: pauses; Type: TABLE; Schema: jobs; Owner: -
--

CREATE TABLE jobs.pauses (
    kind text NOT NULL,
    name text NOT NULL,
    reason text NOT NULL,
    paused_by text NOT NULL,
    paused_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pauses_kind_known CHECK ((kind = ANY (ARRAY['queue'::text, 'stream'::text])))
);

--
-- Name: TABLE pauses; Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON TABLE jobs.pauses IS 'Queues and streams that hand nothing out until an operator resumes them: who, why, since when.';

--
-- Name: COLUMN pauses.paused_by; Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON COLUMN jobs.pauses.paused_by IS 'The operator''s name as given, or the account hub ran under.';

--
-- Name: settings; Type: TABLE; Schema: jobs; Owner: -
--

CREATE TABLE jobs.settings (
    singleton boolean DEFAULT true NOT NULL,
    backoff_base interval DEFAULT '00:00:02'::interval NOT NULL,
    backoff_cap interval DEFAULT '00:10:00'::interval NOT NULL,
    keep_finished_jobs interval DEFAULT '7 days'::interval NOT NULL,
    keep_attempts interval DEFAULT '14 days'::interval NOT NULL,
    keep_dead_letters interval DEFAULT '90 days'::interval NOT NULL,
    CONSTRAINT settings_backoff_ordered CHECK (((backoff_base > '00:00:00'::interval) AND (backoff_cap >= backoff_base))),
    CONSTRAINT settings_has_one_row CHECK (singleton)
);

--
-- Name: TABLE settings; Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON TABLE jobs.settings IS 'The queue''s numbers: retry timing of unit jobs and how long history is kept.';

--
-- Name: stream_leases; Type: TABLE; Schema: jobs; Owner: -
--

CREATE TABLE jobs.stream_leases (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    stream text NOT NULL,
    epoch integer NOT NULL,
    lo_xid xid8,
    lo_id bigint,
    hi_xid xid8,
    hi_id bigint,
    item_ids bigint[],
    size integer NOT NULL,
    taken_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    closed_at timestamp with time zone,
    outcome text,
    delivered integer,
    CONSTRAINT stream_leases_closed_has_outcome CHECK (((closed_at IS NULL) = (outcome IS NULL))),
    CONSTRAINT stream_leases_range_or_items CHECK ((((item_ids IS NULL) AND (num_nulls(lo_xid, lo_id, hi_xid, hi_id) = 0)) OR ((item_ids IS NOT NULL) AND (num_nonnulls(lo_xid, lo_id, hi_xid, hi_id) = 0)))),
    CONSTRAINT stream_leases_size_positive CHECK ((size > 0))
);

--
-- Name: TABLE stream_leases; Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON TABLE jobs.stream_leases IS 'One try at one batch. Kept after closing as the record of what was delivered.';

--
-- Name: COLUMN stream_leases.lo_id; Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON COLUMN jobs.stream_leases.lo_id IS 'A range lease holds the positions after (lo_xid, lo_id) up to and including (hi_xid, hi_id).';

--
-- Name: COLUMN stream_leases.item_ids; Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON COLUMN jobs.stream_leases.item_ids IS 'A lease over retries lists its events instead.';

--
-- Name: COLUMN stream_leases.delivered; Type: COMMENT; Schema: jobs; Owner: -
--

COMMENT ON COLUMN jobs.stream_leases.delivered IS 'How many of the size events this try delivered.';

--
-- Name: accounts; Type: TABLE; Schema: ledger; Owner: -
--

CREATE TABLE ledger.accounts (
    id bigint NOT NULL,
    purpose ledger.account_purpose NOT NULL,
    owner_id uuid,
    currency text NOT NULL,
    slot smallint DEFAULT 0 NOT NULL,
    posted bigint DEFAULT 0 NOT NULL,
    held bigint DEFAULT 0 NOT NULL,
    floor bigint,
    reversal_debt bigint DEFAULT 0 NOT NULL,
    version bigint DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT accounts_above_floor CHECK (((posted - held) >= (floor - reversal_debt))),
    CONSTRAINT accounts_held_not_negative CHECK ((held >= 0)),
    CONSTRAINT accounts_reversal_debt_not_negative CHECK ((reversal_debt >= 0)),
    CONSTRAINT accounts_wallet_has_owner CHECK (((purpose = 'wallet'::ledger.account_purpose) = (owner_id IS NOT NULL)))
)
WITH (fillfactor='70');

--
-- Name: TABLE accounts; Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON TABLE ledger.accounts IS 'A wallet per person and currency, and the platform''s own accounts, the hot ones split into slots.';

--
-- Name: COLUMN accounts.currency; Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON COLUMN ledger.accounts.currency IS 'ISO 4217 code.';

--
-- Name: COLUMN accounts.posted; Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON COLUMN ledger.accounts.posted IS 'Sum of the account''s entries, in minor units.';

--
-- Name: COLUMN accounts.held; Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON COLUMN ledger.accounts.held IS 'Sum of its pending outgoing holds. Available = posted - held.';

--
-- Name: COLUMN accounts.floor; Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON COLUMN ledger.accounts.floor IS 'Least available amount; null when the account has none.';

--
-- Name: COLUMN accounts.reversal_debt; Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON COLUMN ledger.accounts.reversal_debt IS 'How far reversals, and only they, have pushed the account below its floor.';

--
-- Name: COLUMN accounts.version; Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON COLUMN ledger.accounts.version IS 'Number of entries; the newest entry carries it.';

--
-- Name: COLUMN accounts.created_at; Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON COLUMN ledger.accounts.created_at IS 'When the account was opened.';

--
-- Name: accounts_id_seq; Type: SEQUENCE; Schema: ledger; Owner: -
--

ALTER TABLE ledger.accounts ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ledger.accounts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: currencies; Type: TABLE; Schema: ledger; Owner: -
--

CREATE TABLE ledger.currencies (
    code text NOT NULL,
    minor_digits smallint NOT NULL,
    CONSTRAINT currencies_code_is_iso4217 CHECK ((code ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT currencies_minor_digits_in_range CHECK (((minor_digits >= 0) AND (minor_digits <= 4)))
);

--
-- Name: TABLE currencies; Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON TABLE ledger.currencies IS 'Currencies the books know. minor_digits: 2 for cents.';

--
-- Name: entries; Type: TABLE; Schema: ledger; Owner: -
--

CREATE TABLE ledger.entries (
    account_id bigint NOT NULL,
    version bigint NOT NULL,
    owner_id uuid,
    transfer_id bigint NOT NULL,
    amount bigint NOT NULL,
    balance_after bigint NOT NULL,
    cause text NOT NULL,
    cause_id uuid,
    event_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT entries_amount_nonzero CHECK ((amount <> 0))
);

--
-- Name: TABLE entries; Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON TABLE ledger.entries IS 'Append-only: what each transfer did to each of its two accounts. version numbers an account''s entries without gaps.';

--
-- Name: COLUMN entries.owner_id; Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON COLUMN ledger.entries.owner_id IS 'The account''s owner, null for the platform''s: who may read the entry.';

--
-- Name: COLUMN entries.cause; Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON COLUMN ledger.entries.cause IS 'As in the transfer, so that a statement reads one table.';

--
-- Name: holds; Type: TABLE; Schema: ledger; Owner: -
--

CREATE TABLE ledger.holds (
    id bigint NOT NULL,
    debit_account_id bigint NOT NULL,
    credit_account_id bigint NOT NULL,
    currency text NOT NULL,
    amount bigint NOT NULL,
    settled_amount bigint,
    state ledger.hold_state DEFAULT 'pending'::ledger.hold_state NOT NULL,
    cause text NOT NULL,
    cause_id uuid NOT NULL,
    expires_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    resolved_at timestamp with time zone,
    CONSTRAINT holds_amount_positive CHECK ((amount > 0)),
    CONSTRAINT holds_between_two_accounts CHECK ((debit_account_id <> credit_account_id)),
    CONSTRAINT holds_cause_is_a_name CHECK ((cause ~ '^[a-z_]+$'::text)),
    CONSTRAINT holds_resolved_at_iff_resolved CHECK (((state = 'pending'::ledger.hold_state) = (resolved_at IS NULL))),
    CONSTRAINT holds_settled_amount_iff_settled CHECK (((state = 'settled'::ledger.hold_state) = (settled_amount IS NOT NULL))),
    CONSTRAINT holds_settled_within_amount CHECK (((settled_amount >= 1) AND (settled_amount <= amount)))
)
WITH (fillfactor='80');

--
-- Name: TABLE holds; Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON TABLE ledger.holds IS 'Money promised from one account to another: pending, then settled, voided or expired, exactly once.';

--
-- Name: holds_id_seq; Type: SEQUENCE; Schema: ledger; Owner: -
--

ALTER TABLE ledger.holds ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ledger.holds_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: transfers; Type: TABLE; Schema: ledger; Owner: -
--

CREATE TABLE ledger.transfers (
    id bigint NOT NULL,
    debit_account_id bigint NOT NULL,
    credit_account_id bigint NOT NULL,
    currency text NOT NULL,
    amount bigint NOT NULL,
    cause text NOT NULL,
    cause_id uuid,
    hold_id bigint,
    reverses_transfer_id bigint,
    event_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT transfers_amount_positive CHECK ((amount > 0)),
    CONSTRAINT transfers_between_two_accounts CHECK ((debit_account_id <> credit_account_id)),
    CONSTRAINT transfers_cause_is_a_name CHECK ((cause ~ '^[a-z_]+$'::text))
);

--
-- Name: TABLE transfers; Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON TABLE ledger.transfers IS 'Append-only: one movement of money between two accounts, and why.';

--
-- Name: COLUMN transfers.cause; Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON COLUMN ledger.transfers.cause IS 'What kind of thing moved the money, e.g. clip_author_reward.';

--
-- Name: COLUMN transfers.cause_id; Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON COLUMN ledger.transfers.cause_id IS 'Which one: the clip, the payout, the payment.';

--
-- Name: COLUMN transfers.event_at; Type: COMMENT; Schema: ledger; Owner: -
--

COMMENT ON COLUMN ledger.transfers.event_at IS 'When it happened; created_at is when it was booked.';

--
-- Name: transfers_id_seq; Type: SEQUENCE; Schema: ledger; Owner: -
--

ALTER TABLE ledger.transfers ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ledger.transfers_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: buckets; Type: TABLE; Schema: limits; Owner: -
--

CREATE UNLOGGED TABLE limits.buckets (
    subject text NOT NULL COLLATE pg_catalog."C",
    door text NOT NULL COLLATE pg_catalog."C",
    slot integer NOT NULL,
    full_at timestamp with time zone NOT NULL,
    last_call bigint NOT NULL
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0.05', autovacuum_vacuum_cost_delay='0');

--
-- Name: TABLE buckets; Type: COMMENT; Schema: limits; Owner: -
--

COMMENT ON TABLE limits.buckets IS 'What is used up of a limit, one row per slot. A slot without a row, or with full_at in the past, is full.';

--
-- Name: COLUMN buckets.subject; Type: COMMENT; Schema: limits; Owner: -
--

COMMENT ON COLUMN limits.buckets.subject IS 'user:<id>, ip:<address or /64 network>, or ip:unknown.';

--
-- Name: COLUMN buckets.full_at; Type: COMMENT; Schema: limits; Owner: -
--

COMMENT ON COLUMN limits.buckets.full_at IS 'When the slot will have refilled, if nothing more is taken.';

--
-- Name: COLUMN buckets.last_call; Type: COMMENT; Schema: limits; Owner: -
--

COMMENT ON COLUMN limits.buckets.last_call IS 'A number drawn by the call that last took from it.';

--
-- Name: audit_events; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.audit_events WITH (security_invoker='true') AS
 SELECT id,
    at,
    actor_id,
    actor_role,
    action,
    subject_type,
    subject_id,
    reason,
    details,
    request_id
   FROM audit.events e;

--
-- Name: VIEW audit_events; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.audit_events IS 'Staff: who did what to which thing, when and why. Empty for everybody else.';

--
-- Name: profiles; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.profiles (
    id uuid NOT NULL,
    handle text NOT NULL,
    display_name text DEFAULT ''::text NOT NULL,
    avatar_path text,
    bio text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT profiles_avatar_path_length CHECK ((length(avatar_path) <= 400)),
    CONSTRAINT profiles_bio_length CHECK ((length(bio) <= 1000)),
    CONSTRAINT profiles_display_name_length CHECK ((length(display_name) <= 80)),
    CONSTRAINT profiles_handle_is_a_name CHECK ((handle ~ '^[a-z0-9_]{3,30}$'::text))
);

--
-- Name: TABLE profiles; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.profiles IS 'What everyone may see of a person.';

--
-- Name: COLUMN profiles.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.profiles.id IS 'The user id of Supabase Auth.';

--
-- Name: COLUMN profiles.handle; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.profiles.handle IS 'The name in addresses, lower case, unique.';

--
-- Name: COLUMN profiles.display_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.profiles.display_name IS 'The name on screen, empty until set.';

--
-- Name: COLUMN profiles.avatar_path; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.profiles.avatar_path IS 'Object path in the avatars bucket.';

--
-- Name: COLUMN profiles.bio; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.profiles.bio IS 'What people say about themselves.';

--
-- Name: COLUMN profiles.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.profiles.created_at IS 'When they joined.';

--
-- Name: COLUMN profiles.updated_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.profiles.updated_at IS 'When the profile was changed last.';

--
-- Name: clip_feed; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.clip_feed WITH (security_invoker='true') AS
 SELECT c.id,
    c.kind,
    c.language,
    c.media_path,
    c.duration_ms,
    c.prompt,
    c.transcript,
    c.author_id,
    p.handle AS author_handle,
    p.display_name AS author_display_name,
    p.avatar_path AS author_avatar_path,
    c.published_at
   FROM (public.clips c
     JOIN public.profiles p ON ((c.author_id = p.id)))
  WHERE (c.published_at IS NOT NULL);

--
-- Name: VIEW clip_feed; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.clip_feed IS 'Validated clips that everyone may see, with their authors. Newest: order by published_at desc.';

--
-- Name: languages; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.languages (
    code text NOT NULL,
    name text NOT NULL,
    is_open boolean DEFAULT true NOT NULL,
    CONSTRAINT languages_code_is_bcp47 CHECK ((code ~ '^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$'::text))
);

--
-- Name: TABLE languages; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.languages IS 'Languages clips may be in, by BCP 47 tag.';

--
-- Name: COLUMN languages.code; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.languages.code IS 'BCP 47 code.';

--
-- Name: COLUMN languages.name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.languages.name IS 'The language''s name in English.';

--
-- Name: COLUMN languages.is_open; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.languages.is_open IS 'Whether new clips are accepted.';

--
-- Name: wallets; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.wallets WITH (security_invoker='true') AS
 SELECT currency,
    posted,
    held,
    (posted - held) AS available,
    ledger.pending_amount(id) AS pending,
    version,
    created_at
   FROM ledger.accounts a
  WHERE (purpose = 'wallet'::ledger.account_purpose);

--
-- Name: VIEW wallets; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.wallets IS 'Your wallets, in minor units: posted, held, available (posted - held), pending to come in.';

--
-- Name: COLUMN wallets.available; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.wallets.available IS 'What can be spent: posted - held.';

--
-- Name: COLUMN wallets.pending; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.wallets.pending IS 'Promised to come in.';

--
-- Name: epochs; Type: TABLE; Schema: seals; Owner: -
--

CREATE TABLE seals.epochs (
    chain text NOT NULL,
    epoch integer NOT NULL,
    after_id bigint,
    upto_id bigint,
    CONSTRAINT epochs_ids_in_order CHECK ((upto_id > after_id))
);

--
-- Name: TABLE epochs; Type: COMMENT; Schema: seals; Owner: -
--

COMMENT ON TABLE seals.epochs IS 'Stretches of ids whose transaction ids come from one server; a logical restore may begin a new one.';

--
-- Name: COLUMN epochs.after_id; Type: COMMENT; Schema: seals; Owner: -
--

COMMENT ON COLUMN seals.epochs.after_id IS 'Ids above this one belong to the epoch; null for all from the first.';

--
-- Name: COLUMN epochs.upto_id; Type: COMMENT; Schema: seals; Owner: -
--

COMMENT ON COLUMN seals.epochs.upto_id IS 'The last id of the epoch; null while it goes on.';

--
-- Name: settings; Type: TABLE; Schema: secrets; Owner: -
--

CREATE TABLE secrets.settings (
    singleton boolean DEFAULT true NOT NULL,
    provider text DEFAULT 'none'::text NOT NULL,
    CONSTRAINT settings_has_one_row CHECK (singleton),
    CONSTRAINT settings_provider_known CHECK ((provider = ANY (ARRAY['none'::text, 'table'::text])))
);

--
-- Name: TABLE settings; Type: COMMENT; Schema: secrets; Owner: -
--

COMMENT ON TABLE secrets.settings IS 'Where values are kept when there is no Supabase Vault.';

--
-- Name: COLUMN settings.provider; Type: COMMENT; Schema: secrets; Owner: -
--

COMMENT ON COLUMN secrets.settings.provider IS 'none: nowhere; table: as they are in secrets.stored_values, so backups hold them too.';

--
-- Name: stored_values; Type: TABLE; Schema: secrets; Owner: -
--

CREATE TABLE secrets.stored_values (
    version_id bigint NOT NULL,
    value text
);

--
-- Name: TABLE stored_values; Type: COMMENT; Schema: secrets; Owner: -
--

COMMENT ON TABLE secrets.stored_values IS 'Values, readable by the owner alone. Empty unless an operator chose the provider table.';

--
-- Name: versions; Type: TABLE; Schema: secrets; Owner: -
--

CREATE TABLE secrets.versions (
    id bigint NOT NULL,
    name text NOT NULL,
    vault_id uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    retired_at timestamp with time zone,
    CONSTRAINT versions_name_is_a_name CHECK ((name ~ '^[a-z][a-z0-9_]{0,62}$'::text))
);

--
-- Name: TABLE versions; Type: COMMENT; Schema: secrets; Owner: -
--

COMMENT ON TABLE secrets.versions IS 'Every secret there was, by name. Several may be active: a new one is added before an old one is retired.';

--
-- Name: COLUMN versions.vault_id; Type: COMMENT; Schema: secrets; Owner: -
--

COMMENT ON COLUMN secrets.versions.vault_id IS 'Its row in the Vault; null when the value is in secrets.stored_values.';

--
-- Name: versions_id_seq; Type: SEQUENCE; Schema: secrets; Owner: -
--

ALTER TABLE secrets.versions ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME secrets.versions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: deployment; Type: TABLE; Schema: settings; Owner: -
--

CREATE TABLE settings.deployment (
    singleton boolean DEFAULT true NOT NULL,
    environment text NOT NULL,
    stamped_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT deployment_environment_is_known CHECK ((environment = ANY (ARRAY['local'::text, 'test'::text, 'production'::text]))),
    CONSTRAINT deployment_has_one_row CHECK (singleton)
);

--
-- Name: TABLE deployment; Type: COMMENT; Schema: settings; Owner: -
--

COMMENT ON TABLE settings.deployment IS 'Which environment this database belongs to, written by the first deploy or worker that names one.';

--
-- Name: entries; Type: TABLE; Schema: settings; Owner: -
--

CREATE TABLE settings.entries (
    name text NOT NULL,
    type public.setting_type NOT NULL,
    value text NOT NULL,
    lowest bigint,
    highest bigint,
    pattern text,
    needs_approval boolean NOT NULL,
    description text NOT NULL,
    CONSTRAINT entries_are_bounded CHECK ((((type = 'text'::public.setting_type) = (pattern IS NOT NULL)) AND ((type = 'text'::public.setting_type) = (lowest IS NULL)))),
    CONSTRAINT entries_bounds_in_order CHECK (((num_nulls(lowest, highest) = ANY (ARRAY[0, 2])) AND (lowest <= highest))),
    CONSTRAINT entries_name_is_a_path CHECK ((name ~ '^[a-z_]+(\.[a-z_]+)+$'::text))
);

--
-- Name: TABLE entries; Type: COMMENT; Schema: settings; Owner: -
--

COMMENT ON TABLE settings.entries IS 'Settings without another home: value, bounds, and whether two admins are needed.';

--
-- Name: clock clock_pkey; Type: CONSTRAINT; Schema: app; Owner: -
--

ALTER TABLE ONLY app.clock
    ADD CONSTRAINT clock_pkey PRIMARY KEY (singleton);

--
-- Name: idempotency_keys idempotency_keys_pkey; Type: CONSTRAINT; Schema: app; Owner: -
--

ALTER TABLE ONLY app.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (user_id, key);

--
-- Name: events events_pkey; Type: CONSTRAINT; Schema: audit; Owner: -
--

ALTER TABLE ONLY audit.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (id);

--
-- Name: decisions decisions_numbered_per_clip; Type: CONSTRAINT; Schema: consensus; Owner: -
--

ALTER TABLE ONLY consensus.decisions
    ADD CONSTRAINT decisions_numbered_per_clip UNIQUE (clip_id, version);

--
-- Name: decisions decisions_pkey; Type: CONSTRAINT; Schema: consensus; Owner: -
--

ALTER TABLE ONLY consensus.decisions
    ADD CONSTRAINT decisions_pkey PRIMARY KEY (id);

--
-- Name: items items_pkey; Type: CONSTRAINT; Schema: consensus; Owner: -
--

ALTER TABLE ONLY consensus.items
    ADD CONSTRAINT items_pkey PRIMARY KEY (clip_id);

--
-- Name: kinds kinds_pkey; Type: CONSTRAINT; Schema: consensus; Owner: -
--

ALTER TABLE ONLY consensus.kinds
    ADD CONSTRAINT kinds_pkey PRIMARY KEY (kind);

--
-- Name: leases leases_pkey; Type: CONSTRAINT; Schema: consensus; Owner: -
--

ALTER TABLE ONLY consensus.leases
    ADD CONSTRAINT leases_pkey PRIMARY KEY (clip_id, reviewer_id);

--
-- Name: reward_days reward_days_pkey; Type: CONSTRAINT; Schema: consensus; Owner: -
--

ALTER TABLE ONLY consensus.reward_days
    ADD CONSTRAINT reward_days_pkey PRIMARY KEY (user_id, day, currency);

--
-- Name: skips skips_pkey; Type: CONSTRAINT; Schema: consensus; Owner: -
--

ALTER TABLE ONLY consensus.skips
    ADD CONSTRAINT skips_pkey PRIMARY KEY (reviewer_id, clip_id);

--
-- Name: withheld_rewards withheld_rewards_pkey; Type: CONSTRAINT; Schema: consensus; Owner: -
--

ALTER TABLE ONLY consensus.withheld_rewards
    ADD CONSTRAINT withheld_rewards_pkey PRIMARY KEY (clip_id, version, user_id, cause);

--
-- Name: files files_pkey; Type: CONSTRAINT; Schema: deploy; Owner: -
--

ALTER TABLE ONLY deploy.files
    ADD CONSTRAINT files_pkey PRIMARY KEY (path);

--
-- Name: queue queue_pkey; Type: CONSTRAINT; Schema: deploy; Owner: -
--

ALTER TABLE ONLY deploy.queue
    ADD CONSTRAINT queue_pkey PRIMARY KEY (singleton);

--
-- Name: flags flags_pkey; Type: CONSTRAINT; Schema: flags; Owner: -
--

ALTER TABLE ONLY flags.flags
    ADD CONSTRAINT flags_pkey PRIMARY KEY (flag);

--
-- Name: listed_users listed_users_pkey; Type: CONSTRAINT; Schema: flags; Owner: -
--

ALTER TABLE ONLY flags.listed_users
    ADD CONSTRAINT listed_users_pkey PRIMARY KEY (flag, user_id);

--
-- Name: erasures erasures_pkey; Type: CONSTRAINT; Schema: identity; Owner: -
--

ALTER TABLE ONLY identity.erasures
    ADD CONSTRAINT erasures_pkey PRIMARY KEY (user_id);

--
-- Name: private_profiles private_profiles_pkey; Type: CONSTRAINT; Schema: identity; Owner: -
--

ALTER TABLE ONLY identity.private_profiles
    ADD CONSTRAINT private_profiles_pkey PRIMARY KEY (user_id);

--
-- Name: user_roles user_roles_pkey; Type: CONSTRAINT; Schema: identity; Owner: -
--

ALTER TABLE ONLY identity.user_roles
    ADD CONSTRAINT user_roles_pkey PRIMARY KEY (user_id, role);

--
-- Name: attempts attempts_pkey; Type: CONSTRAINT; Schema: jobs; Owner: -
--

ALTER TABLE ONLY jobs.attempts
    ADD CONSTRAINT attempts_pkey PRIMARY KEY (id);

--
-- Name: check_results check_results_pkey; Type: CONSTRAINT; Schema: jobs; Owner: -
--

ALTER TABLE ONLY jobs.check_results
    ADD CONSTRAINT check_results_pkey PRIMARY KEY (check_name);

--
-- Name: contexts contexts_pkey; Type: CONSTRAINT; Schema: jobs; Owner: -
--

ALTER TABLE ONLY jobs.contexts
    ADD CONSTRAINT contexts_pkey PRIMARY KEY (job_id);

--
-- Name: dead_letters dead_letters_pkey; Type: CONSTRAINT; Schema: jobs; Owner: -
--

ALTER TABLE ONLY jobs.dead_letters
    ADD CONSTRAINT dead_letters_pkey PRIMARY KEY (id);

--
-- Name: outbox outbox_pkey; Type: CONSTRAINT; Schema: jobs; Owner: -
--

ALTER TABLE ONLY jobs.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (id);

--
-- Name: outbox_retries outbox_retries_pkey; Type: CONSTRAINT; Schema: jobs; Owner: -
--

ALTER TABLE ONLY jobs.outbox_retries
    ADD CONSTRAINT outbox_retries_pkey PRIMARY KEY (outbox_id);

--
-- Name: pauses pauses_pkey; Type: CONSTRAINT; Schema: jobs; Owner: -
--

ALTER TABLE ONLY jobs.pauses
    ADD CONSTRAINT pauses_pkey PRIMARY KEY (kind, name);

--
-- Name: settings settings_pkey; Type: CONSTRAINT; Schema: jobs; Owner: -
--

ALTER TABLE ONLY jobs.settings
    ADD CONSTRAINT settings_pkey PRIMARY KEY (singleton);

--
-- Name: stream_leases stream_leases_pkey; Type: CONSTRAINT; Schema: jobs; Owner: -
--

ALTER TABLE ONLY jobs.stream_leases
    ADD CONSTRAINT stream_leases_pkey PRIMARY KEY (id);

--
-- Name: streams streams_pkey; Type: CONSTRAINT; Schema: jobs; Owner: -
--

ALTER TABLE ONLY jobs.streams
    ADD CONSTRAINT streams_pkey PRIMARY KEY (stream);

--
-- Name: accounts accounts_currency_key; Type: CONSTRAINT; Schema: ledger; Owner: -
--

ALTER TABLE ONLY ledger.accounts
    ADD CONSTRAINT accounts_currency_key UNIQUE (id, currency);

--
-- Name: accounts accounts_pkey; Type: CONSTRAINT; Schema: ledger; Owner: -
--

ALTER TABLE ONLY ledger.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (id);

--
-- Name: currencies currencies_pkey; Type: CONSTRAINT; Schema: ledger; Owner: -
--

ALTER TABLE ONLY ledger.currencies
    ADD CONSTRAINT currencies_pkey PRIMARY KEY (code);

--
-- Name: entries entries_pkey; Type: CONSTRAINT; Schema: ledger; Owner: -
--

ALTER TABLE ONLY ledger.entries
    ADD CONSTRAINT entries_pkey PRIMARY KEY (account_id, version);

--
-- Name: holds holds_pkey; Type: CONSTRAINT; Schema: ledger; Owner: -
--

ALTER TABLE ONLY ledger.holds
    ADD CONSTRAINT holds_pkey PRIMARY KEY (id);

--
-- Name: transfers transfers_pkey; Type: CONSTRAINT; Schema: ledger; Owner: -
--

ALTER TABLE ONLY ledger.transfers
    ADD CONSTRAINT transfers_pkey PRIMARY KEY (id);

--
-- Name: transfers transfers_reversed_once; Type: CONSTRAINT; Schema: ledger; Owner: -
--

ALTER TABLE ONLY ledger.transfers
    ADD CONSTRAINT transfers_reversed_once UNIQUE (reverses_transfer_id);

--
-- Name: transfers transfers_settle_hold_once; Type: CONSTRAINT; Schema: ledger; Owner: -
--

ALTER TABLE ONLY ledger.transfers
    ADD CONSTRAINT transfers_settle_hold_once UNIQUE (hold_id);

--
-- Name: buckets buckets_pkey; Type: CONSTRAINT; Schema: limits; Owner: -
--

ALTER TABLE ONLY limits.buckets
    ADD CONSTRAINT buckets_pkey PRIMARY KEY (subject, door, slot);

--
-- Name: rules rules_pkey; Type: CONSTRAINT; Schema: limits; Owner: -
--

ALTER TABLE ONLY limits.rules
    ADD CONSTRAINT rules_pkey PRIMARY KEY (door, scope);

--
-- Name: clips clips_media_path_unique; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.clips
    ADD CONSTRAINT clips_media_path_unique UNIQUE (media_path);

--
-- Name: clips clips_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.clips
    ADD CONSTRAINT clips_pkey PRIMARY KEY (id);

--
-- Name: languages languages_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.languages
    ADD CONSTRAINT languages_pkey PRIMARY KEY (code);

--
-- Name: profiles profiles_handle_unique; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.profiles
    ADD CONSTRAINT profiles_handle_unique UNIQUE (handle);

--
-- Name: profiles profiles_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.profiles
    ADD CONSTRAINT profiles_pkey PRIMARY KEY (id);

--
-- Name: votes votes_one_per_person_and_clip; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.votes
    ADD CONSTRAINT votes_one_per_person_and_clip PRIMARY KEY (clip_id, voter_id);

--
-- Name: batches batches_pkey; Type: CONSTRAINT; Schema: seals; Owner: -
--

ALTER TABLE ONLY seals.batches
    ADD CONSTRAINT batches_pkey PRIMARY KEY (chain, seal_no);

--
-- Name: chains chains_pkey; Type: CONSTRAINT; Schema: seals; Owner: -
--

ALTER TABLE ONLY seals.chains
    ADD CONSTRAINT chains_pkey PRIMARY KEY (chain);

--
-- Name: epochs epochs_pkey; Type: CONSTRAINT; Schema: seals; Owner: -
--

ALTER TABLE ONLY seals.epochs
    ADD CONSTRAINT epochs_pkey PRIMARY KEY (chain, epoch);

--
-- Name: settings settings_pkey; Type: CONSTRAINT; Schema: secrets; Owner: -
--

ALTER TABLE ONLY secrets.settings
    ADD CONSTRAINT settings_pkey PRIMARY KEY (singleton);

--
-- Name: stored_values stored_values_pkey; Type: CONSTRAINT; Schema: secrets; Owner: -
--

ALTER TABLE ONLY secrets.stored_values
    ADD CONSTRAINT stored_values_pkey PRIMARY KEY (version_id);

--
-- Name: versions versions_pkey; Type: CONSTRAINT; Schema: secrets; Owner: -
--

ALTER TABLE ONLY secrets.versions
    ADD CONSTRAINT versions_pkey PRIMARY KEY (id);

--
-- Name: changes changes_pkey; Type: CONSTRAINT; Schema: settings; Owner: -
--

ALTER TABLE ONLY settings.changes
    ADD CONSTRAINT changes_pkey PRIMARY KEY (id);

--
-- Name: deployment deployment_pkey; Type: CONSTRAINT; Schema: settings; Owner: -
--

ALTER TABLE ONLY settings.deployment
    ADD CONSTRAINT deployment_pkey PRIMARY KEY (singleton);

--
-- Name: entries entries_pkey; Type: CONSTRAINT; Schema: settings; Owner: -
--

ALTER TABLE ONLY settings.entries
    ADD CONSTRAINT entries_pkey PRIMARY KEY (name);

--
-- Name: idempotency_keys_created_at_idx; Type: INDEX; Schema: app; Owner: -
--

CREATE INDEX idempotency_keys_created_at_idx ON app.idempotency_keys USING btree (created_at);

--
-- Name: events_actor_id_idx; Type: INDEX; Schema: audit; Owner: -
--

CREATE INDEX events_actor_id_idx ON audit.events USING btree (actor_id, id) WHERE (actor_id IS NOT NULL);

--
-- Name: events_position_idx; Type: INDEX; Schema: audit; Owner: -
--

CREATE INDEX events_position_idx ON audit.events USING btree (xid, id);

--
-- Name: events_subject_idx; Type: INDEX; Schema: audit; Owner: -
--

CREATE INDEX events_subject_idx ON audit.events USING btree (subject_type, subject_id, id);

--
-- Name: decisions_decided_by_idx; Type: INDEX; Schema: consensus; Owner: -
--

CREATE INDEX decisions_decided_by_idx ON consensus.decisions USING btree (decided_by, id) WHERE (decided_by IS NOT NULL);

--
-- Name: items_author_id_idx; Type: INDEX; Schema: consensus; Owner: -
--

CREATE INDEX items_author_id_idx ON consensus.items USING btree (author_id);

--
-- Name: items_disputed_idx; Type: INDEX; Schema: consensus; Owner: -
--

CREATE INDEX items_disputed_idx ON consensus.items USING btree (language, clip_id) WHERE (state = 'disputed'::consensus.item_state);

--
-- Name: items_queue_idx; Type: INDEX; Schema: consensus; Owner: -
--

CREATE INDEX items_queue_idx ON consensus.items USING btree (language, votes_needed, clip_id) WHERE (state = 'open'::consensus.item_state);

--
-- Name: items_settle_at_idx; Type: INDEX; Schema: consensus; Owner: -
--

CREATE INDEX items_settle_at_idx ON consensus.items USING btree (settle_at) WHERE (state = 'decided'::consensus.item_state);

--
-- Name: leases_reviewer_id_idx; Type: INDEX; Schema: consensus; Owner: -
--

CREATE INDEX leases_reviewer_id_idx ON consensus.leases USING btree (reviewer_id, expires_at);

--
-- Name: skips_clip_id_idx; Type: INDEX; Schema: consensus; Owner: -
--

CREATE INDEX skips_clip_id_idx ON consensus.skips USING btree (clip_id);

--
-- Name: withheld_rewards_user_id_idx; Type: INDEX; Schema: consensus; Owner: -
--

CREATE INDEX withheld_rewards_user_id_idx ON consensus.withheld_rewards USING btree (user_id);

--
-- Name: listed_users_user_id_idx; Type: INDEX; Schema: flags; Owner: -
--

CREATE INDEX listed_users_user_id_idx ON flags.listed_users USING btree (user_id);

--
-- Name: erasures_open_idx; Type: INDEX; Schema: identity; Owner: -
--

CREATE INDEX erasures_open_idx ON identity.erasures USING btree (erased_at) WHERE (finished_at IS NULL);

--
-- Name: user_roles_role_idx; Type: INDEX; Schema: identity; Owner: -
--

CREATE INDEX user_roles_role_idx ON identity.user_roles USING btree (role, user_id);

--
-- Name: attempts_created_idx; Type: INDEX; Schema: jobs; Owner: -
--

CREATE INDEX attempts_created_idx ON jobs.attempts USING btree (created_at);

--
-- Name: attempts_job_idx; Type: INDEX; Schema: jobs; Owner: -
--

CREATE INDEX attempts_job_idx ON jobs.attempts USING btree (job_id) WHERE (job_id IS NOT NULL);

--
-- Name: attempts_outbox_idx; Type: INDEX; Schema: jobs; Owner: -
--

CREATE INDEX attempts_outbox_idx ON jobs.attempts USING btree (outbox_id) WHERE (outbox_id IS NOT NULL);

--
-- Name: dead_letters_created_idx; Type: INDEX; Schema: jobs; Owner: -
--

CREATE INDEX dead_letters_created_idx ON jobs.dead_letters USING btree (created_at);

--
-- Name: dead_letters_job_idx; Type: INDEX; Schema: jobs; Owner: -
--

CREATE INDEX dead_letters_job_idx ON jobs.dead_letters USING btree (job_id) WHERE (job_id IS NOT NULL);

--
-- Name: dead_letters_outbox_idx; Type: INDEX; Schema: jobs; Owner: -
--

CREATE INDEX dead_letters_outbox_idx ON jobs.dead_letters USING btree (outbox_id) WHERE (outbox_id IS NOT NULL);

--
-- Name: dead_letters_waiting_idx; Type: INDEX; Schema: jobs; Owner: -
--

CREATE INDEX dead_letters_waiting_idx ON jobs.dead_letters USING btree (created_at) WHERE (redriven_at IS NULL);

--
-- Name: outbox_retries_due_idx; Type: INDEX; Schema: jobs; Owner: -
--

CREATE INDEX outbox_retries_due_idx ON jobs.outbox_retries USING btree (stream, next_try_at) WHERE (lease_id IS NULL);

--
-- Name: outbox_retries_lease_idx; Type: INDEX; Schema: jobs; Owner: -
--

CREATE INDEX outbox_retries_lease_idx ON jobs.outbox_retries USING btree (lease_id) WHERE (lease_id IS NOT NULL);

--
-- Name: outbox_stream_position_idx; Type: INDEX; Schema: jobs; Owner: -
--

CREATE INDEX outbox_stream_position_idx ON jobs.outbox USING btree (stream, xid, id);

--
-- Name: stream_leases_closed_idx; Type: INDEX; Schema: jobs; Owner: -
--

CREATE INDEX stream_leases_closed_idx ON jobs.stream_leases USING btree (stream, closed_at) WHERE (closed_at IS NOT NULL);

--
-- Name: stream_leases_open_idx; Type: INDEX; Schema: jobs; Owner: -
--

CREATE INDEX stream_leases_open_idx ON jobs.stream_leases USING btree (stream, expires_at) WHERE (closed_at IS NULL);

--
-- Name: accounts_one_platform_account_per_slot; Type: INDEX; Schema: ledger; Owner: -
--

CREATE UNIQUE INDEX accounts_one_platform_account_per_slot ON ledger.accounts USING btree (currency, purpose, slot) WHERE (purpose <> 'wallet'::ledger.account_purpose);

--
-- Name: accounts_one_wallet_per_currency; Type: INDEX; Schema: ledger; Owner: -
--

CREATE UNIQUE INDEX accounts_one_wallet_per_currency ON ledger.accounts USING btree (owner_id, currency) WHERE (purpose = 'wallet'::ledger.account_purpose);

--
-- Name: entries_one_debit_one_credit; Type: INDEX; Schema: ledger; Owner: -
--

CREATE UNIQUE INDEX entries_one_debit_one_credit ON ledger.entries USING btree (transfer_id, ((amount > 0)));

--
-- Name: holds_cause_id_idx; Type: INDEX; Schema: ledger; Owner: -
--

CREATE INDEX holds_cause_id_idx ON ledger.holds USING btree (cause_id);

--
-- Name: holds_expiry_idx; Type: INDEX; Schema: ledger; Owner: -
--

CREATE INDEX holds_expiry_idx ON ledger.holds USING btree (expires_at) WHERE ((state = 'pending'::ledger.hold_state) AND (expires_at IS NOT NULL));

--
-- Name: holds_incoming_idx; Type: INDEX; Schema: ledger; Owner: -
--

CREATE INDEX holds_incoming_idx ON ledger.holds USING btree (credit_account_id) WHERE (state = 'pending'::ledger.hold_state);

--
-- Name: holds_outgoing_idx; Type: INDEX; Schema: ledger; Owner: -
--

CREATE INDEX holds_outgoing_idx ON ledger.holds USING btree (debit_account_id) WHERE (state = 'pending'::ledger.hold_state);

--
-- Name: transfers_cause_id_idx; Type: INDEX; Schema: ledger; Owner: -
--

CREATE INDEX transfers_cause_id_idx ON ledger.transfers USING btree (cause_id) WHERE (cause_id IS NOT NULL);

--
-- Name: clips_author_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX clips_author_id_idx ON public.clips USING btree (author_id, id);

--
-- Name: clips_feed_all_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX clips_feed_all_idx ON public.clips USING btree (published_at DESC, id DESC) WHERE (published_at IS NOT NULL);

--
-- Name: clips_feed_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX clips_feed_idx ON public.clips USING btree (language, published_at DESC, id DESC) WHERE (published_at IS NOT NULL);

--
-- Name: votes_voter_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX votes_voter_id_idx ON public.votes USING btree (voter_id, created_at DESC);

--
-- Name: batches_epoch_idx; Type: INDEX; Schema: seals; Owner: -
--

CREATE INDEX batches_epoch_idx ON seals.batches USING btree (chain, epoch, seal_no);

--
-- Name: versions_active_idx; Type: INDEX; Schema: secrets; Owner: -
--

CREATE INDEX versions_active_idx ON secrets.versions USING btree (name, id) WHERE (retired_at IS NULL);

--
-- Name: changes_decided_by_idx; Type: INDEX; Schema: settings; Owner: -
--

CREATE INDEX changes_decided_by_idx ON settings.changes USING btree (decided_by);

--
-- Name: changes_one_proposal_per_setting; Type: INDEX; Schema: settings; Owner: -
--

CREATE UNIQUE INDEX changes_one_proposal_per_setting ON settings.changes USING btree (name) WHERE (state = 'proposed'::public.setting_change_state);

--
-- Name: changes_proposed_by_idx; Type: INDEX; Schema: settings; Owner: -
--

CREATE INDEX changes_proposed_by_idx ON settings.changes USING btree (proposed_by);

--
-- Name: entries_account_tells_owner; Type: STATISTICS; Schema: ledger; Owner: -
--

CREATE STATISTICS ledger.entries_account_tells_owner (dependencies) ON account_id, owner_id FROM ledger.entries;

--
-- Name: events _100_refuse_change; Type: TRIGGER; Schema: audit; Owner: -
--

CREATE TRIGGER _100_refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON audit.events FOR EACH STATEMENT EXECUTE FUNCTION audit.tg_events__refuse_change();

ALTER TABLE audit.events ENABLE ALWAYS TRIGGER _100_refuse_change;

--
-- Name: kinds _100_keep_labels; Type: TRIGGER; Schema: consensus; Owner: -
--

CREATE TRIGGER _100_keep_labels BEFORE INSERT OR UPDATE OF labels ON consensus.kinds FOR EACH ROW EXECUTE FUNCTION consensus.tg_kinds__keep_labels();

--
-- Name: decisions _100_refuse_change; Type: TRIGGER; Schema: consensus; Owner: -
--

CREATE TRIGGER _100_refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON consensus.decisions FOR EACH STATEMENT EXECUTE FUNCTION consensus.tg_decisions__refuse_change();

ALTER TABLE consensus.decisions ENABLE ALWAYS TRIGGER _100_refuse_change;

--
-- Name: entries _100_refuse_change; Type: TRIGGER; Schema: ledger; Owner: -
--

CREATE TRIGGER _100_refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.entries FOR EACH STATEMENT EXECUTE FUNCTION ledger.tg_entries__refuse_change();

ALTER TABLE ledger.entries ENABLE ALWAYS TRIGGER _100_refuse_change;

--
-- Name: transfers _100_refuse_change; Type: TRIGGER; Schema: ledger; Owner: -
--

CREATE TRIGGER _100_refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.transfers FOR EACH STATEMENT EXECUTE FUNCTION ledger.tg_transfers__refuse_change();

ALTER TABLE ledger.transfers ENABLE ALWAYS TRIGGER _100_refuse_change;

--
-- Name: holds _100_resolve_once; Type: TRIGGER; Schema: ledger; Owner: -
--

CREATE TRIGGER _100_resolve_once BEFORE DELETE OR UPDATE ON ledger.holds FOR EACH ROW EXECUTE FUNCTION ledger.tg_holds__resolve_once();

ALTER TABLE ledger.holds ENABLE ALWAYS TRIGGER _100_resolve_once;

--
-- Name: holds _110_refuse_truncate; Type: TRIGGER; Schema: ledger; Owner: -
--

CREATE TRIGGER _110_refuse_truncate BEFORE TRUNCATE ON ledger.holds FOR EACH STATEMENT EXECUTE FUNCTION ledger.tg_holds__resolve_once();

ALTER TABLE ledger.holds ENABLE ALWAYS TRIGGER _110_refuse_truncate;

--
-- Name: entries _200_check_balance; Type: TRIGGER; Schema: ledger; Owner: -
--

CREATE TRIGGER _200_check_balance AFTER INSERT ON ledger.entries REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger.tg_entries__check_balance();

--
-- Name: entries _500_tell_owner; Type: TRIGGER; Schema: ledger; Owner: -
--

CREATE TRIGGER _500_tell_owner AFTER INSERT ON ledger.entries REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger.tg_entries__tell_owner();

--
-- Name: batches _100_refuse_change; Type: TRIGGER; Schema: seals; Owner: -
--

CREATE TRIGGER _100_refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON seals.batches FOR EACH STATEMENT EXECUTE FUNCTION seals.tg_batches__refuse_change();

ALTER TABLE seals.batches ENABLE ALWAYS TRIGGER _100_refuse_change;

--
-- Name: decisions decisions_clip_id_fkey; Type: FK CONSTRAINT; Schema: consensus; Owner: -
--

ALTER TABLE ONLY consensus.decisions
    ADD CONSTRAINT decisions_clip_id_fkey FOREIGN KEY (clip_id) REFERENCES public.clips(id) ON DELETE RESTRICT;

--
-- Name: items items_author_id_fkey; Type: FK CONSTRAINT; Schema: consensus; Owner: -
--

ALTER TABLE ONLY consensus.items
    ADD CONSTRAINT items_author_id_fkey FOREIGN KEY (author_id) REFERENCES public.profiles(id) ON DELETE RESTRICT;

--
-- Name: items items_clip_id_fkey; Type: FK CONSTRAINT; Schema: consensus; Owner: -
--

ALTER TABLE ONLY consensus.items
    ADD CONSTRAINT items_clip_id_fkey FOREIGN KEY (clip_id) REFERENCES public.clips(id) ON DELETE RESTRICT;

--
-- Name: items items_kind_fkey; Type: FK CONSTRAINT; Schema: consensus; Owner: -
--

ALTER TABLE ONLY consensus.items
    ADD CONSTRAINT items_kind_fkey FOREIGN KEY (kind) REFERENCES consensus.kinds(kind) ON DELETE RESTRICT;

--
-- Name: items items_language_fkey; Type: FK CONSTRAINT; Schema: consensus; Owner: -
--

ALTER TABLE ONLY consensus.items
    ADD CONSTRAINT items_language_fkey FOREIGN KEY (language) REFERENCES public.languages(code) ON DELETE RESTRICT;

--
-- Name: kinds kinds_currency_fkey; Type: FK CONSTRAINT; Schema: consensus; Owner: -
--

ALTER TABLE ONLY consensus.kinds
    ADD CONSTRAINT kinds_currency_fkey FOREIGN KEY (currency) REFERENCES ledger.currencies(code) ON DELETE RESTRICT;

--
-- Name: leases leases_clip_id_fkey; Type: FK CONSTRAINT; Schema: consensus; Owner: -
--

ALTER TABLE ONLY consensus.leases
    ADD CONSTRAINT leases_clip_id_fkey FOREIGN KEY (clip_id) REFERENCES public.clips(id) ON DELETE RESTRICT;

--
-- Name: leases leases_reviewer_id_fkey; Type: FK CONSTRAINT; Schema: consensus; Owner: -
--

ALTER TABLE ONLY consensus.leases
    ADD CONSTRAINT leases_reviewer_id_fkey FOREIGN KEY (reviewer_id) REFERENCES public.profiles(id) ON DELETE RESTRICT;

--
-- Name: reward_days reward_days_currency_fkey; Type: FK CONSTRAINT; Schema: consensus; Owner: -
--

ALTER TABLE ONLY consensus.reward_days
    ADD CONSTRAINT reward_days_currency_fkey FOREIGN KEY (currency) REFERENCES ledger.currencies(code) ON DELETE RESTRICT;

--
-- Name: reward_days reward_days_user_id_fkey; Type: FK CONSTRAINT; Schema: consensus; Owner: -
--

ALTER TABLE ONLY consensus.reward_days
    ADD CONSTRAINT reward_days_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.profiles(id) ON DELETE RESTRICT;

--
-- Name: skips skips_clip_id_fkey; Type: FK CONSTRAINT; Schema: consensus; Owner: -
--

ALTER TABLE ONLY consensus.skips
    ADD CONSTRAINT skips_clip_id_fkey FOREIGN KEY (clip_id) REFERENCES public.clips(id) ON DELETE RESTRICT;

--
-- Name: skips skips_reviewer_id_fkey; Type: FK CONSTRAINT; Schema: consensus; Owner: -
--

ALTER TABLE ONLY consensus.skips
    ADD CONSTRAINT skips_reviewer_id_fkey FOREIGN KEY (reviewer_id) REFERENCES public.profiles(id) ON DELETE RESTRICT;

--
-- Name: withheld_rewards withheld_rewards_clip_id_fkey; Type: FK CONSTRAINT; Schema: consensus; Owner: -
--

ALTER TABLE ONLY consensus.withheld_rewards
    ADD CONSTRAINT withheld_rewards_clip_id_fkey FOREIGN KEY (clip_id) REFERENCES public.clips(id) ON DELETE RESTRICT;

--
-- Name: withheld_rewards withheld_rewards_currency_fkey; Type: FK CONSTRAINT; Schema: consensus; Owner: -
--

ALTER TABLE ONLY consensus.withheld_rewards
    ADD CONSTRAINT withheld_rewards_currency_fkey FOREIGN KEY (currency) REFERENCES ledger.currencies(code) ON DELETE RESTRICT;

--
-- Name: withheld_rewards withheld_rewards_user_id_fkey; Type: FK CONSTRAINT; Schema: consensus; Owner: -
--

ALTER TABLE ONLY consensus.withheld_rewards
    ADD CONSTRAINT withheld_rewards_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.profiles(id) ON DELETE RESTRICT;

--
-- Name: listed_users listed_users_flag_fkey; Type: FK CONSTRAINT; Schema: flags; Owner: -
--

ALTER TABLE ONLY flags.listed_users
    ADD CONSTRAINT listed_users_flag_fkey FOREIGN KEY (flag) REFERENCES flags.flags(flag) ON DELETE CASCADE;

--
-- Name: listed_users listed_users_user_id_fkey; Type: FK CONSTRAINT; Schema: flags; Owner: -
--

ALTER TABLE ONLY flags.listed_users
    ADD CONSTRAINT listed_users_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.profiles(id) ON DELETE RESTRICT;

--
-- Name: private_profiles private_profiles_user_id_fkey; Type: FK CONSTRAINT; Schema: identity; Owner: -
--

ALTER TABLE ONLY identity.private_profiles
    ADD CONSTRAINT private_profiles_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.profiles(id) ON DELETE RESTRICT;

--
-- Name: user_roles user_roles_user_id_fkey; Type: FK CONSTRAINT; Schema: identity; Owner: -
--

ALTER TABLE ONLY identity.user_roles
    ADD CONSTRAINT user_roles_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.profiles(id) ON DELETE RESTRICT;

--
-- Name: dead_letters dead_letters_outbox_id_fkey; Type: FK CONSTRAINT; Schema: jobs; Owner: -
--

ALTER TABLE ONLY jobs.dead_letters
    ADD CONSTRAINT dead_letters_outbox_id_fkey FOREIGN KEY (outbox_id) REFERENCES jobs.outbox(id);

--
-- Name: dead_letters dead_letters_stream_fkey; Type: FK CONSTRAINT; Schema: jobs; Owner: -
--

ALTER TABLE ONLY jobs.dead_letters
    ADD CONSTRAINT dead_letters_stream_fkey FOREIGN KEY (stream) REFERENCES jobs.streams(stream);

--
-- Name: outbox_retries outbox_retries_lease_id_fkey; Type: FK CONSTRAINT; Schema: jobs; Owner: -
--

ALTER TABLE ONLY jobs.outbox_retries
    ADD CONSTRAINT outbox_retries_lease_id_fkey FOREIGN KEY (lease_id) REFERENCES jobs.stream_leases(id);

--
-- Name: outbox_retries outbox_retries_outbox_id_fkey; Type: FK CONSTRAINT; Schema: jobs; Owner: -
--

ALTER TABLE ONLY jobs.outbox_retries
    ADD CONSTRAINT outbox_retries_outbox_id_fkey FOREIGN KEY (outbox_id) REFERENCES jobs.outbox(id);

--
-- Name: outbox_retries outbox_retries_stream_fkey; Type: FK CONSTRAINT; Schema: jobs; Owner: -
--

ALTER TABLE ONLY jobs.outbox_retries
    ADD CONSTRAINT outbox_retries_stream_fkey FOREIGN KEY (stream) REFERENCES jobs.streams(stream);

--
-- Name: stream_leases stream_leases_stream_fkey; Type: FK CONSTRAINT; Schema: jobs; Owner: -
--

ALTER TABLE ONLY jobs.stream_leases
    ADD CONSTRAINT stream_leases_stream_fkey FOREIGN KEY (stream) REFERENCES jobs.streams(stream);

--
-- Name: accounts accounts_currency_fkey; Type: FK CONSTRAINT; Schema: ledger; Owner: -
--

ALTER TABLE ONLY ledger.accounts
    ADD CONSTRAINT accounts_currency_fkey FOREIGN KEY (currency) REFERENCES ledger.currencies(code) ON DELETE RESTRICT;

--
-- Name: accounts accounts_owner_id_fkey; Type: FK CONSTRAINT; Schema: ledger; Owner: -
--

ALTER TABLE ONLY ledger.accounts
    ADD CONSTRAINT accounts_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES public.profiles(id) ON DELETE RESTRICT;

--
-- Name: entries entries_account_id_fkey; Type: FK CONSTRAINT; Schema: ledger; Owner: -
--

ALTER TABLE ONLY ledger.entries
    ADD CONSTRAINT entries_account_id_fkey FOREIGN KEY (account_id) REFERENCES ledger.accounts(id) ON DELETE RESTRICT;

--
-- Name: entries entries_transfer_id_fkey; Type: FK CONSTRAINT; Schema: ledger; Owner: -
--

ALTER TABLE ONLY ledger.entries
    ADD CONSTRAINT entries_transfer_id_fkey FOREIGN KEY (transfer_id) REFERENCES ledger.transfers(id) ON DELETE RESTRICT;

--
-- Name: holds holds_credit_in_currency; Type: FK CONSTRAINT; Schema: ledger; Owner: -
--

ALTER TABLE ONLY ledger.holds
    ADD CONSTRAINT holds_credit_in_currency FOREIGN KEY (credit_account_id, currency) REFERENCES ledger.accounts(id, currency) ON DELETE RESTRICT;

--
-- Name: holds holds_debit_in_currency; Type: FK CONSTRAINT; Schema: ledger; Owner: -
--

ALTER TABLE ONLY ledger.holds
    ADD CONSTRAINT holds_debit_in_currency FOREIGN KEY (debit_account_id, currency) REFERENCES ledger.accounts(id, currency) ON DELETE RESTRICT;

--
-- Name: transfers transfers_credit_in_currency; Type: FK CONSTRAINT; Schema: ledger; Owner: -
--

ALTER TABLE ONLY ledger.transfers
    ADD CONSTRAINT transfers_credit_in_currency FOREIGN KEY (credit_account_id, currency) REFERENCES ledger.accounts(id, currency) ON DELETE RESTRICT;

--
-- Name: transfers transfers_debit_in_currency; Type: FK CONSTRAINT; Schema: ledger; Owner: -
--

ALTER TABLE ONLY ledger.transfers
    ADD CONSTRAINT transfers_debit_in_currency FOREIGN KEY (debit_account_id, currency) REFERENCES ledger.accounts(id, currency) ON DELETE RESTRICT;

--
-- Name: transfers transfers_hold_exists; Type: FK CONSTRAINT; Schema: ledger; Owner: -
--

ALTER TABLE ONLY ledger.transfers
    ADD CONSTRAINT transfers_hold_exists FOREIGN KEY (hold_id) REFERENCES ledger.holds(id) ON DELETE RESTRICT;

--
-- Name: transfers transfers_reverses_transfer_id_fkey; Type: FK CONSTRAINT; Schema: ledger; Owner: -
--

ALTER TABLE ONLY ledger.transfers
    ADD CONSTRAINT transfers_reverses_transfer_id_fkey FOREIGN KEY (reverses_transfer_id) REFERENCES ledger.transfers(id) ON DELETE RESTRICT;

--
-- Name: clips clips_author_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.clips
    ADD CONSTRAINT clips_author_id_fkey FOREIGN KEY (author_id) REFERENCES public.profiles(id) ON DELETE RESTRICT;

--
-- Name: clips clips_language_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.clips
    ADD CONSTRAINT clips_language_fkey FOREIGN KEY (language) REFERENCES public.languages(code) ON DELETE RESTRICT;

--
-- Name: votes votes_clip_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.votes
    ADD CONSTRAINT votes_clip_id_fkey FOREIGN KEY (clip_id) REFERENCES public.clips(id) ON DELETE RESTRICT;

--
-- Name: votes votes_voter_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.votes
    ADD CONSTRAINT votes_voter_id_fkey FOREIGN KEY (voter_id) REFERENCES public.profiles(id) ON DELETE RESTRICT;

--
-- Name: batches batches_epoch_known; Type: FK CONSTRAINT; Schema: seals; Owner: -
--

ALTER TABLE ONLY seals.batches
    ADD CONSTRAINT batches_epoch_known FOREIGN KEY (chain, epoch) REFERENCES seals.epochs(chain, epoch) ON DELETE RESTRICT;

--
-- Name: epochs epochs_chain_fkey; Type: FK CONSTRAINT; Schema: seals; Owner: -
--

ALTER TABLE ONLY seals.epochs
    ADD CONSTRAINT epochs_chain_fkey FOREIGN KEY (chain) REFERENCES seals.chains(chain) ON DELETE RESTRICT;

--
-- Name: stored_values stored_values_version_id_fkey; Type: FK CONSTRAINT; Schema: secrets; Owner: -
--

ALTER TABLE ONLY secrets.stored_values
    ADD CONSTRAINT stored_values_version_id_fkey FOREIGN KEY (version_id) REFERENCES secrets.versions(id) ON DELETE RESTRICT;

--
-- Name: changes changes_decided_by_fkey; Type: FK CONSTRAINT; Schema: settings; Owner: -
--

ALTER TABLE ONLY settings.changes
    ADD CONSTRAINT changes_decided_by_fkey FOREIGN KEY (decided_by) REFERENCES public.profiles(id) ON DELETE RESTRICT;

--
-- Name: changes changes_proposed_by_fkey; Type: FK CONSTRAINT; Schema: settings; Owner: -
--

ALTER TABLE ONLY settings.changes
    ADD CONSTRAINT changes_proposed_by_fkey FOREIGN KEY (proposed_by) REFERENCES public.profiles(id) ON DELETE RESTRICT;

--
-- Name: clock; Type: ROW SECURITY; Schema: app; Owner: -
--

ALTER TABLE app.clock ENABLE ROW LEVEL SECURITY;

--
-- Name: idempotency_keys; Type: ROW SECURITY; Schema: app; Owner: -
--

ALTER TABLE app.idempotency_keys ENABLE ROW LEVEL SECURITY;

--
-- Name: events; Type: ROW SECURITY; Schema: audit; Owner: -
--

ALTER TABLE audit.events ENABLE ROW LEVEL SECURITY;

--
-- Name: events select_staff; Type: POLICY; Schema: audit; Owner: -
--

CREATE POLICY select_staff ON audit.events FOR SELECT TO authenticated USING (( SELECT app.is_staff() AS is_staff));

--
-- Name: decisions; Type: ROW SECURITY; Schema: consensus; Owner: -
--

ALTER TABLE consensus.decisions ENABLE ROW LEVEL SECURITY;

--
-- Name: items; Type: ROW SECURITY; Schema: consensus; Owner: -
--

ALTER TABLE consensus.items ENABLE ROW LEVEL SECURITY;

--
-- Name: kinds; Type: ROW SECURITY; Schema: consensus; Owner: -
--

ALTER TABLE consensus.kinds ENABLE ROW LEVEL SECURITY;

--
-- Name: leases; Type: ROW SECURITY; Schema: consensus; Owner: -
--

ALTER TABLE consensus.leases ENABLE ROW LEVEL SECURITY;

--
-- Name: reward_days; Type: ROW SECURITY; Schema: consensus; Owner: -
--

ALTER TABLE consensus.reward_days ENABLE ROW LEVEL SECURITY;

--
-- Name: skips; Type: ROW SECURITY; Schema: consensus; Owner: -
--

ALTER TABLE consensus.skips ENABLE ROW LEVEL SECURITY;

--
-- Name: withheld_rewards; Type: ROW SECURITY; Schema: consensus; Owner: -
--

ALTER TABLE consensus.withheld_rewards ENABLE ROW LEVEL SECURITY;

--
-- Name: files; Type: ROW SECURITY; Schema: deploy; Owner: -
--

ALTER TABLE deploy.files ENABLE ROW LEVEL SECURITY;

--
-- Name: queue; Type: ROW SECURITY; Schema: deploy; Owner: -
--

ALTER TABLE deploy.queue ENABLE ROW LEVEL SECURITY;

--
-- Name: flags; Type: ROW SECURITY; Schema: flags; Owner: -
--

ALTER TABLE flags.flags ENABLE ROW LEVEL SECURITY;

--
-- Name: listed_users; Type: ROW SECURITY; Schema: flags; Owner: -
--

ALTER TABLE flags.listed_users ENABLE ROW LEVEL SECURITY;

--
-- Name: erasures; Type: ROW SECURITY; Schema: identity; Owner: -
--

ALTER TABLE identity.erasures ENABLE ROW LEVEL SECURITY;

--
-- Name: private_profiles; Type: ROW SECURITY; Schema: identity; Owner: -
--

ALTER TABLE identity.private_profiles ENABLE ROW LEVEL SECURITY;

--
-- Name: user_roles; Type: ROW SECURITY; Schema: identity; Owner: -
--

ALTER TABLE identity.user_roles ENABLE ROW LEVEL SECURITY;

--
-- Name: attempts; Type: ROW SECURITY; Schema: jobs; Owner: -
--

ALTER TABLE jobs.attempts ENABLE ROW LEVEL SECURITY;

--
-- Name: check_results; Type: ROW SECURITY; Schema: jobs; Owner: -
--

ALTER TABLE jobs.check_results ENABLE ROW LEVEL SECURITY;

--
-- Name: contexts; Type: ROW SECURITY; Schema: jobs; Owner: -
--

ALTER TABLE jobs.contexts ENABLE ROW LEVEL SECURITY;

--
-- Name: dead_letters; Type: ROW SECURITY; Schema: jobs; Owner: -
--

ALTER TABLE jobs.dead_letters ENABLE ROW LEVEL SECURITY;

--
-- Name: outbox; Type: ROW SECURITY; Schema: jobs; Owner: -
--

ALTER TABLE jobs.outbox ENABLE ROW LEVEL SECURITY;

--
-- Name: outbox_retries; Type: ROW SECURITY; Schema: jobs; Owner: -
--

ALTER TABLE jobs.outbox_retries ENABLE ROW LEVEL SECURITY;

--
-- Name: pauses; Type: ROW SECURITY; Schema: jobs; Owner: -
--

ALTER TABLE jobs.pauses ENABLE ROW LEVEL SECURITY;

--
-- Name: settings; Type: ROW SECURITY; Schema: jobs; Owner: -
--

ALTER TABLE jobs.settings ENABLE ROW LEVEL SECURITY;

--
-- Name: stream_leases; Type: ROW SECURITY; Schema: jobs; Owner: -
--

ALTER TABLE jobs.stream_leases ENABLE ROW LEVEL SECURITY;

--
-- Name: streams; Type: ROW SECURITY; Schema: jobs; Owner: -
--

ALTER TABLE jobs.streams ENABLE ROW LEVEL SECURITY;

--
-- Name: accounts; Type: ROW SECURITY; Schema: ledger; Owner: -
--

ALTER TABLE ledger.accounts ENABLE ROW LEVEL SECURITY;

--
-- Name: currencies; Type: ROW SECURITY; Schema: ledger; Owner: -
--

ALTER TABLE ledger.currencies ENABLE ROW LEVEL SECURITY;

--
-- Name: entries; Type: ROW SECURITY; Schema: ledger; Owner: -
--

ALTER TABLE ledger.entries ENABLE ROW LEVEL SECURITY;

--
-- Name: holds; Type: ROW SECURITY; Schema: ledger; Owner: -
--

ALTER TABLE ledger.holds ENABLE ROW LEVEL SECURITY;

--
-- Name: accounts select_own; Type: POLICY; Schema: ledger; Owner: -
--

CREATE POLICY select_own ON ledger.accounts FOR SELECT TO authenticated USING ((owner_id = ( SELECT auth.uid() AS uid)));

--
-- Name: entries select_own; Type: POLICY; Schema: ledger; Owner: -
--

CREATE POLICY select_own ON ledger.entries FOR SELECT TO authenticated USING ((owner_id = ( SELECT auth.uid() AS uid)));

--
-- Name: transfers; Type: ROW SECURITY; Schema: ledger; Owner: -
--

ALTER TABLE ledger.transfers ENABLE ROW LEVEL SECURITY;

--
-- Name: buckets; Type: ROW SECURITY; Schema: limits; Owner: -
--

ALTER TABLE limits.buckets ENABLE ROW LEVEL SECURITY;

--
-- Name: rules; Type: ROW SECURITY; Schema: limits; Owner: -
--

ALTER TABLE limits.rules ENABLE ROW LEVEL SECURITY;

--
-- Name: clips; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.clips ENABLE ROW LEVEL SECURITY;

--
-- Name: languages; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.languages ENABLE ROW LEVEL SECURITY;

--
-- Name: profiles; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.profiles ENABLE ROW LEVEL SECURITY;

--
-- Name: languages select_everyone; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY select_everyone ON public.languages FOR SELECT TO anon, authenticated USING (true);

--
-- Name: profiles select_everyone; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY select_everyone ON public.profiles FOR SELECT TO anon, authenticated USING (true);

--
-- Name: votes select_own; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY select_own ON public.votes FOR SELECT TO authenticated USING ((voter_id = ( SELECT auth.uid() AS uid)));

--
-- Name: clips select_visible; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY select_visible ON public.clips FOR SELECT TO anon, authenticated USING (((published_at IS NOT NULL) OR (author_id = ( SELECT auth.uid() AS uid)) OR ( SELECT app.is_staff() AS is_staff)));

--
-- Name: votes; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.votes ENABLE ROW LEVEL SECURITY;

--
-- Name: batches; Type: ROW SECURITY; Schema: seals; Owner: -
--

ALTER TABLE seals.batches ENABLE ROW LEVEL SECURITY;

--
-- Name: chains; Type: ROW SECURITY; Schema: seals; Owner: -
--

ALTER TABLE seals.chains ENABLE ROW LEVEL SECURITY;

--
-- Name: epochs; Type: ROW SECURITY; Schema: seals; Owner: -
--

ALTER TABLE seals.epochs ENABLE ROW LEVEL SECURITY;

--
-- Name: settings; Type: ROW SECURITY; Schema: secrets; Owner: -
--

ALTER TABLE secrets.settings ENABLE ROW LEVEL SECURITY;

--
-- Name: stored_values; Type: ROW SECURITY; Schema: secrets; Owner: -
--

ALTER TABLE secrets.stored_values ENABLE ROW LEVEL SECURITY;

--
-- Name: versions; Type: ROW SECURITY; Schema: secrets; Owner: -
--

ALTER TABLE secrets.versions ENABLE ROW LEVEL SECURITY;

--
-- Name: changes; Type: ROW SECURITY; Schema: settings; Owner: -
--

ALTER TABLE settings.changes ENABLE ROW LEVEL SECURITY;

--
-- Name: deployment; Type: ROW SECURITY; Schema: settings; Owner: -
--

ALTER TABLE settings.deployment ENABLE ROW LEVEL SECURITY;

--
-- Name: entries; Type: ROW SECURITY; Schema: settings; Owner: -
--

ALTER TABLE settings.entries ENABLE ROW LEVEL SECURITY;

--
-- Name: SCHEMA app; Type: ACL; Schema: -; Owner: -
--

GRANT USAGE ON SCHEMA app TO anon;
GRANT USAGE ON SCHEMA app TO authenticated;
GRANT USAGE ON SCHEMA app TO service_role;

--
-- Name: SCHEMA audit; Type: ACL; Schema: -; Owner: -
--

GRANT USAGE ON SCHEMA audit TO authenticated;
GRANT USAGE ON SCHEMA audit TO service_role;

--
-- Name: SCHEMA clips; Type: ACL; Schema: -; Owner: -
--

GRANT USAGE ON SCHEMA clips TO authenticated;
GRANT USAGE ON SCHEMA clips TO service_role;

--
-- Name: SCHEMA consensus; Type: ACL; Schema: -; Owner: -
--

GRANT USAGE ON SCHEMA consensus TO authenticated;
GRANT USAGE ON SCHEMA consensus TO service_role;

--
-- Name: SCHEMA flags; Type: ACL; Schema: -; Owner: -
--

GRANT USAGE ON SCHEMA flags TO authenticated;
GRANT USAGE ON SCHEMA flags TO service_role;

--
-- Name: SCHEMA identity; Type: ACL; Schema: -; Owner: -
--

GRANT USAGE ON SCHEMA identity TO authenticated;
GRANT USAGE ON SCHEMA identity TO service_role;
GRANT USAGE ON SCHEMA identity TO supabase_auth_admin;

--
-- Name: SCHEMA ledger; Type: ACL; Schema: -; Owner: -
--

GRANT USAGE ON SCHEMA ledger TO authenticated;
GRANT USAGE ON SCHEMA ledger TO service_role;

--
-- Name: SCHEMA public; Type: ACL; Schema: -; Owner: -
--

GRANT USAGE ON SCHEMA public TO anon;
GRANT USAGE ON SCHEMA public TO authenticated;
GRANT USAGE ON SCHEMA public TO service_role;

--
-- Name: SCHEMA seals; Type: ACL; Schema: -; Owner: -
--

GRANT USAGE ON SCHEMA seals TO authenticated;

--
-- Name: SCHEMA settings; Type: ACL; Schema: -; Owner: -
--

GRANT USAGE ON SCHEMA settings TO authenticated;
GRANT USAGE ON SCHEMA settings TO service_role;

--
-- Name: FUNCTION claim_idempotency_key(p_user_id uuid, p_key text, p_door text, p_request jsonb); Type: ACL; Schema: app; Owner: -
--

REVOKE ALL ON FUNCTION app.claim_idempotency_key(p_user_id uuid, p_key text, p_door text, p_request jsonb) FROM PUBLIC;

--
-- Name: FUNCTION clock_is_frozen(); Type: ACL; Schema: app; Owner: -
--

REVOKE ALL ON FUNCTION app.clock_is_frozen() FROM PUBLIC;

--
-- Name: FUNCTION error_catalog(); Type: ACL; Schema: app; Owner: -
--

REVOKE ALL ON FUNCTION app.error_catalog() FROM PUBLIC;
GRANT ALL ON FUNCTION app.error_catalog() TO anon;
GRANT ALL ON FUNCTION app.error_catalog() TO authenticated;
GRANT ALL ON FUNCTION app.error_catalog() TO service_role;

--
-- Name: FUNCTION fail(p_code text, p_details text, p_hint text, p_headers jsonb); Type: ACL; Schema: app; Owner: -
--

REVOKE ALL ON FUNCTION app.fail(p_code text, p_details text, p_hint text, p_headers jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION app.fail(p_code text, p_details text, p_hint text, p_headers jsonb) TO anon;
GRANT ALL ON FUNCTION app.fail(p_code text, p_details text, p_hint text, p_headers jsonb) TO authenticated;
GRANT ALL ON FUNCTION app.fail(p_code text, p_details text, p_hint text, p_headers jsonb) TO service_role;

--
-- Name: FUNCTION freeze_clock(p_at timestamp with time zone); Type: ACL; Schema: app; Owner: -
--

REVOKE ALL ON FUNCTION app.freeze_clock(p_at timestamp with time zone) FROM PUBLIC;

--
-- Name: FUNCTION idempotency_key(p_given text); Type: ACL; Schema: app; Owner: -
--

REVOKE ALL ON FUNCTION app.idempotency_key(p_given text) FROM PUBLIC;

--
-- Name: FUNCTION is_member(p_user_id uuid); Type: ACL; Schema: app; Owner: -
--

REVOKE ALL ON FUNCTION app.is_member(p_user_id uuid) FROM PUBLIC;

--
-- Name: FUNCTION is_staff(); Type: ACL; Schema: app; Owner: -
--

REVOKE ALL ON FUNCTION app.is_staff() FROM PUBLIC;
GRANT ALL ON FUNCTION app.is_staff() TO anon;
GRANT ALL ON FUNCTION app.is_staff() TO authenticated;
GRANT ALL ON FUNCTION app.is_staff() TO service_role;

--
-- Name: FUNCTION now(); Type: ACL; Schema: app; Owner: -
--

REVOKE ALL ON FUNCTION app.now() FROM PUBLIC;
GRANT ALL ON FUNCTION app.now() TO anon;
GRANT ALL ON FUNCTION app.now() TO authenticated;
GRANT ALL ON FUNCTION app.now() TO service_role;

--
-- Name: FUNCTION purge_idempotency_keys(p_limit integer); Type: ACL; Schema: app; Owner: -
--

REVOKE ALL ON FUNCTION app.purge_idempotency_keys(p_limit integer) FROM PUBLIC;

--
-- Name: FUNCTION request_id(); Type: ACL; Schema: app; Owner: -
--

REVOKE ALL ON FUNCTION app.request_id() FROM PUBLIC;
GRANT ALL ON FUNCTION app.request_id() TO anon;
GRANT ALL ON FUNCTION app.request_id() TO authenticated;
GRANT ALL ON FUNCTION app.request_id() TO service_role;

--
-- Name: FUNCTION require_member(); Type: ACL; Schema: app; Owner: -
--

REVOKE ALL ON FUNCTION app.require_member() FROM PUBLIC;

--
-- Name: FUNCTION require_role(VARIADIC p_roles public.app_role[]); Type: ACL; Schema: app; Owner: -
--

REVOKE ALL ON FUNCTION app.require_role(VARIADIC p_roles public.app_role[]) FROM PUBLIC;

--
-- Name: FUNCTION require_text(p_name text, p_value text, p_min integer, p_max integer); Type: ACL; Schema: app; Owner: -
--

REVOKE ALL ON FUNCTION app.require_text(p_name text, p_value text, p_min integer, p_max integer) FROM PUBLIC;

--
-- Name: FUNCTION store_idempotent_response(p_user_id uuid, p_key text, p_response jsonb); Type: ACL; Schema: app; Owner: -
--

REVOKE ALL ON FUNCTION app.store_idempotent_response(p_user_id uuid, p_key text, p_response jsonb) FROM PUBLIC;

--
-- Name: FUNCTION traceparent(); Type: ACL; Schema: app; Owner: -
--

REVOKE ALL ON FUNCTION app.traceparent() FROM PUBLIC;

--
-- Name: FUNCTION tracestate(); Type: ACL; Schema: app; Owner: -
--

REVOKE ALL ON FUNCTION app.tracestate() FROM PUBLIC;

--
-- Name: FUNCTION user_id(); Type: ACL; Schema: app; Owner: -
--

REVOKE ALL ON FUNCTION app.user_id() FROM PUBLIC;
GRANT ALL ON FUNCTION app.user_id() TO anon;
GRANT ALL ON FUNCTION app.user_id() TO authenticated;
GRANT ALL ON FUNCTION app.user_id() TO service_role;

--
-- Name: FUNCTION uuid_v7(); Type: ACL; Schema: app; Owner: -
--

REVOKE ALL ON FUNCTION app.uuid_v7() FROM PUBLIC;

--
-- Name: FUNCTION record(p_action text, p_subject_type text, p_subject_id text, p_reason text, p_details jsonb); Type: ACL; Schema: audit; Owner: -
--

REVOKE ALL ON FUNCTION audit.record(p_action text, p_subject_type text, p_subject_id text, p_reason text, p_details jsonb) FROM PUBLIC;

--
-- Name: FUNCTION tg_events__refuse_change(); Type: ACL; Schema: audit; Owner: -
--

REVOKE ALL ON FUNCTION audit.tg_events__refuse_change() FROM PUBLIC;

--
-- Name: TABLE clips; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.clips TO anon;
GRANT SELECT ON TABLE public.clips TO authenticated;
GRANT SELECT ON TABLE public.clips TO service_role;

--
-- Name: FUNCTION submit_clip(p_kind public.clip_kind, p_language text, p_media_path text, p_duration_ms integer, p_prompt text, p_transcript text, p_idempotency_key text); Type: ACL; Schema: clips; Owner: -
--

REVOKE ALL ON FUNCTION clips.submit_clip(p_kind public.clip_kind, p_language text, p_media_path text, p_duration_ms integer, p_prompt text, p_transcript text, p_idempotency_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION clips.submit_clip(p_kind public.clip_kind, p_language text, p_media_path text, p_duration_ms integer, p_prompt text, p_transcript text, p_idempotency_key text) TO authenticated;

--
-- Name: FUNCTION cast_vote(p_clip_id uuid, p_label text); Type: ACL; Schema: consensus; Owner: -
--

REVOKE ALL ON FUNCTION consensus.cast_vote(p_clip_id uuid, p_label text) FROM PUBLIC;
GRANT ALL ON FUNCTION consensus.cast_vote(p_clip_id uuid, p_label text) TO authenticated;

--
-- Name: FUNCTION clips_to_lease(p_reviewer_id uuid, p_language text, p_limit integer); Type: ACL; Schema: consensus; Owner: -
--

REVOKE ALL ON FUNCTION consensus.clips_to_lease(p_reviewer_id uuid, p_language text, p_limit integer) FROM PUBLIC;

--
-- Name: FUNCTION decide(p_item consensus.items, p_kind consensus.kinds, p_label text, p_rule text, p_reason text); Type: ACL; Schema: consensus; Owner: -
--

REVOKE ALL ON FUNCTION consensus.decide(p_item consensus.items, p_kind consensus.kinds, p_label text, p_rule text, p_reason text) FROM PUBLIC;

--
-- Name: FUNCTION describe_tally(p_tally integer[], p_labels text[]); Type: ACL; Schema: consensus; Owner: -
--

REVOKE ALL ON FUNCTION consensus.describe_tally(p_tally integer[], p_labels text[]) FROM PUBLIC;

--
-- Name: FUNCTION dispute(p_item consensus.items, p_kind consensus.kinds); Type: ACL; Schema: consensus; Owner: -
--

REVOKE ALL ON FUNCTION consensus.dispute(p_item consensus.items, p_kind consensus.kinds) FROM PUBLIC;

--
-- Name: FUNCTION disputed_clips(p_language text, p_after uuid, p_max_rows integer); Type: ACL; Schema: consensus; Owner: -
--

REVOKE ALL ON FUNCTION consensus.disputed_clips(p_language text, p_after uuid, p_max_rows integer) FROM PUBLIC;
GRANT ALL ON FUNCTION consensus.disputed_clips(p_language text, p_after uuid, p_max_rows integer) TO authenticated;

--
-- Name: FUNCTION has_met(p_clip_id uuid, p_user_id uuid); Type: ACL; Schema: consensus; Owner: -
--

REVOKE ALL ON FUNCTION consensus.has_met(p_clip_id uuid, p_user_id uuid) FROM PUBLIC;

--
-- Name: FUNCTION lock_consequences(p_item consensus.items, p_kind consensus.kinds); Type: ACL; Schema: consensus; Owner: -
--

REVOKE ALL ON FUNCTION consensus.lock_consequences(p_item consensus.items, p_kind consensus.kinds) FROM PUBLIC;

--
-- Name: FUNCTION may_lease(p_item consensus.items, p_reviewer_id uuid); Type: ACL; Schema: consensus; Owner: -
--

REVOKE ALL ON FUNCTION consensus.may_lease(p_item consensus.items, p_reviewer_id uuid) FROM PUBLIC;

--
-- Name: FUNCTION next_clips_to_review(p_language text, p_max_clips integer); Type: ACL; Schema: consensus; Owner: -
--

REVOKE ALL ON FUNCTION consensus.next_clips_to_review(p_language text, p_max_clips integer) FROM PUBLIC;
GRANT ALL ON FUNCTION consensus.next_clips_to_review(p_language text, p_max_clips integer) TO authenticated;

--
-- Name: FUNCTION open_item(p_clip public.clips); Type: ACL; Schema: consensus; Owner: -
--

REVOKE ALL ON FUNCTION consensus.open_item(p_clip public.clips) FROM PUBLIC;

--
-- Name: FUNCTION promise_rewards(p_clip public.clips, p_kind consensus.kinds, p_label text, p_decided_by uuid); Type: ACL; Schema: consensus; Owner: -
--

REVOKE ALL ON FUNCTION consensus.promise_rewards(p_clip public.clips, p_kind consensus.kinds, p_label text, p_decided_by uuid) FROM PUBLIC;

--
-- Name: FUNCTION reopen(p_item consensus.items, p_kind consensus.kinds, p_reason text); Type: ACL; Schema: consensus; Owner: -
--

REVOKE ALL ON FUNCTION consensus.reopen(p_item consensus.items, p_kind consensus.kinds, p_reason text) FROM PUBLIC;

--
-- Name: FUNCTION set_validation_status(p_clip_id uuid, p_status public.validation_status, p_reason text, p_idempotency_key text); Type: ACL; Schema: consensus; Owner: -
--

REVOKE ALL ON FUNCTION consensus.set_validation_status(p_clip_id uuid, p_status public.validation_status, p_reason text, p_idempotency_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION consensus.set_validation_status(p_clip_id uuid, p_status public.validation_status, p_reason text, p_idempotency_key text) TO authenticated;

--
-- Name: FUNCTION settle_clips(p_clip_ids uuid[]); Type: ACL; Schema: consensus; Owner: -
--

REVOKE ALL ON FUNCTION consensus.settle_clips(p_clip_ids uuid[]) FROM PUBLIC;

--
-- Name: FUNCTION settle_due_clips(p_limit integer); Type: ACL; Schema: consensus; Owner: -
--

REVOKE ALL ON FUNCTION consensus.settle_due_clips(p_limit integer) FROM PUBLIC;

--
-- Name: FUNCTION skip_clip(p_clip_id uuid); Type: ACL; Schema: consensus; Owner: -
--

REVOKE ALL ON FUNCTION consensus.skip_clip(p_clip_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION consensus.skip_clip(p_clip_id uuid) TO authenticated;

--
-- Name: FUNCTION tell_decision(p_clip public.clips); Type: ACL; Schema: consensus; Owner: -
--

REVOKE ALL ON FUNCTION consensus.tell_decision(p_clip public.clips) FROM PUBLIC;

--
-- Name: FUNCTION tg_decisions__refuse_change(); Type: ACL; Schema: consensus; Owner: -
--

REVOKE ALL ON FUNCTION consensus.tg_decisions__refuse_change() FROM PUBLIC;

--
-- Name: FUNCTION tg_kinds__keep_labels(); Type: ACL; Schema: consensus; Owner: -
--

REVOKE ALL ON FUNCTION consensus.tg_kinds__keep_labels() FROM PUBLIC;

--
-- Name: FUNCTION undo_rewards(p_clip_id uuid); Type: ACL; Schema: consensus; Owner: -
--

REVOKE ALL ON FUNCTION consensus.undo_rewards(p_clip_id uuid) FROM PUBLIC;

--
-- Name: FUNCTION votes_needed(p_tally integer[], p_min_votes integer); Type: ACL; Schema: consensus; Owner: -
--

REVOKE ALL ON FUNCTION consensus.votes_needed(p_tally integer[], p_min_votes integer) FROM PUBLIC;

--
-- Name: TABLE votes; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.votes TO authenticated;
GRANT SELECT ON TABLE public.votes TO service_role;

--
-- Name: FUNCTION votes_on_clip(p_clip_id uuid); Type: ACL; Schema: consensus; Owner: -
--

REVOKE ALL ON FUNCTION consensus.votes_on_clip(p_clip_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION consensus.votes_on_clip(p_clip_id uuid) TO authenticated;

--
-- Name: FUNCTION describe(p_flag flags.flags); Type: ACL; Schema: flags; Owner: -
--

REVOKE ALL ON FUNCTION flags.describe(p_flag flags.flags) FROM PUBLIC;

--
-- Name: FUNCTION includes(p_flag flags.flags, p_user_id uuid); Type: ACL; Schema: flags; Owner: -
--

REVOKE ALL ON FUNCTION flags.includes(p_flag flags.flags, p_user_id uuid) FROM PUBLIC;

--
-- Name: FUNCTION is_on(p_flag text, p_user_id uuid); Type: ACL; Schema: flags; Owner: -
--

REVOKE ALL ON FUNCTION flags.is_on(p_flag text, p_user_id uuid) FROM PUBLIC;

--
-- Name: FUNCTION list_flags(); Type: ACL; Schema: flags; Owner: -
--

REVOKE ALL ON FUNCTION flags.list_flags() FROM PUBLIC;
GRANT ALL ON FUNCTION flags.list_flags() TO authenticated;

--
-- Name: FUNCTION my_flags(); Type: ACL; Schema: flags; Owner: -
--

REVOKE ALL ON FUNCTION flags.my_flags() FROM PUBLIC;
GRANT ALL ON FUNCTION flags.my_flags() TO authenticated;

--
-- Name: FUNCTION on_for(p_user_id uuid); Type: ACL; Schema: flags; Owner: -
--

REVOKE ALL ON FUNCTION flags.on_for(p_user_id uuid) FROM PUBLIC;

--
-- Name: FUNCTION set_flag(p_flag text, p_is_on boolean, p_percentage numeric, p_description text, p_reason text, p_idempotency_key text); Type: ACL; Schema: flags; Owner: -
--

REVOKE ALL ON FUNCTION flags.set_flag(p_flag text, p_is_on boolean, p_percentage numeric, p_description text, p_reason text, p_idempotency_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION flags.set_flag(p_flag text, p_is_on boolean, p_percentage numeric, p_description text, p_reason text, p_idempotency_key text) TO authenticated;

--
-- Name: FUNCTION set_flag_for_user(p_flag text, p_user_id uuid, p_is_listed boolean, p_reason text, p_idempotency_key text); Type: ACL; Schema: flags; Owner: -
--

REVOKE ALL ON FUNCTION flags.set_flag_for_user(p_flag text, p_user_id uuid, p_is_listed boolean, p_reason text, p_idempotency_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION flags.set_flag_for_user(p_flag text, p_user_id uuid, p_is_listed boolean, p_reason text, p_idempotency_key text) TO authenticated;

--
-- Name: FUNCTION add_role(p_user_id uuid, p_role public.app_role, p_reason text); Type: ACL; Schema: identity; Owner: -
--

REVOKE ALL ON FUNCTION identity.add_role(p_user_id uuid, p_role public.app_role, p_reason text) FROM PUBLIC;

--
-- Name: FUNCTION chase_sign_in(p_erasure identity.erasures); Type: ACL; Schema: identity; Owner: -
--

REVOKE ALL ON FUNCTION identity.chase_sign_in(p_erasure identity.erasures) FROM PUBLIC;

--
-- Name: FUNCTION clear_person(p_user_id uuid); Type: ACL; Schema: identity; Owner: -
--

REVOKE ALL ON FUNCTION identity.clear_person(p_user_id uuid) FROM PUBLIC;

--
-- Name: FUNCTION create_profile(p_user_id uuid); Type: ACL; Schema: identity; Owner: -
--

REVOKE ALL ON FUNCTION identity.create_profile(p_user_id uuid) FROM PUBLIC;

--
-- Name: FUNCTION custom_access_token(event jsonb); Type: ACL; Schema: identity; Owner: -
--

REVOKE ALL ON FUNCTION identity.custom_access_token(event jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION identity.custom_access_token(event jsonb) TO supabase_auth_admin;

--
-- Name: FUNCTION erase(p_user_id uuid, p_requested_by uuid, p_reason text, p_forfeits boolean); Type: ACL; Schema: identity; Owner: -
--

REVOKE ALL ON FUNCTION identity.erase(p_user_id uuid, p_requested_by uuid, p_reason text, p_forfeits boolean) FROM PUBLIC;

--
-- Name: FUNCTION erase_account(p_user_id uuid, p_reason text, p_forfeit boolean, p_idempotency_key text); Type: ACL; Schema: identity; Owner: -
--

REVOKE ALL ON FUNCTION identity.erase_account(p_user_id uuid, p_reason text, p_forfeit boolean, p_idempotency_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION identity.erase_account(p_user_id uuid, p_reason text, p_forfeit boolean, p_idempotency_key text) TO authenticated;

--
-- Name: FUNCTION erase_my_account(p_confirm text, p_idempotency_key text); Type: ACL; Schema: identity; Owner: -
--

REVOKE ALL ON FUNCTION identity.erase_my_account(p_confirm text, p_idempotency_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION identity.erase_my_account(p_confirm text, p_idempotency_key text) TO authenticated;

--
-- Name: FUNCTION export_data(p_user_id uuid); Type: ACL; Schema: identity; Owner: -
--

REVOKE ALL ON FUNCTION identity.export_data(p_user_id uuid) FROM PUBLIC;

--
-- Name: FUNCTION export_my_data(); Type: ACL; Schema: identity; Owner: -
--

REVOKE ALL ON FUNCTION identity.export_my_data() FROM PUBLIC;
GRANT ALL ON FUNCTION identity.export_my_data() TO authenticated;

--
-- Name: FUNCTION finish_erasures(p_limit integer); Type: ACL; Schema: identity; Owner: -
--

REVOKE ALL ON FUNCTION identity.finish_erasures(p_limit integer) FROM PUBLIC;

--
-- Name: FUNCTION forfeit_money(p_user_id uuid, p_limit integer); Type: ACL; Schema: identity; Owner: -
--

REVOKE ALL ON FUNCTION identity.forfeit_money(p_user_id uuid, p_limit integer) FROM PUBLIC;

--
-- Name: FUNCTION grant_role(p_user_id uuid, p_role public.app_role, p_reason text, p_idempotency_key text); Type: ACL; Schema: identity; Owner: -
--

REVOKE ALL ON FUNCTION identity.grant_role(p_user_id uuid, p_role public.app_role, p_reason text, p_idempotency_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION identity.grant_role(p_user_id uuid, p_role public.app_role, p_reason text, p_idempotency_key text) TO authenticated;

--
-- Name: FUNCTION is_timezone(p_name text); Type: ACL; Schema: identity; Owner: -
--

REVOKE ALL ON FUNCTION identity.is_timezone(p_name text) FROM PUBLIC;

--
-- Name: FUNCTION me(); Type: ACL; Schema: identity; Owner: -
--

REVOKE ALL ON FUNCTION identity.me() FROM PUBLIC;
GRANT ALL ON FUNCTION identity.me() TO authenticated;

--
-- Name: FUNCTION personal_data(); Type: ACL; Schema: identity; Owner: -
--

REVOKE ALL ON FUNCTION identity.personal_data() FROM PUBLIC;

--
-- Name: FUNCTION revoke_role(p_user_id uuid, p_role public.app_role, p_reason text, p_idempotency_key text); Type: ACL; Schema: identity; Owner: -
--

REVOKE ALL ON FUNCTION identity.revoke_role(p_user_id uuid, p_role public.app_role, p_reason text, p_idempotency_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION identity.revoke_role(p_user_id uuid, p_role public.app_role, p_reason text, p_idempotency_key text) TO authenticated;

--
-- Name: FUNCTION settle_sign_in(p_lease_id uuid, p_outcome text, p_retry_at timestamp with time zone, p_error jsonb); Type: ACL; Schema: identity; Owner: -
--

REVOKE ALL ON FUNCTION identity.settle_sign_in(p_lease_id uuid, p_outcome text, p_retry_at timestamp with time zone, p_error jsonb) FROM PUBLIC;

--
-- Name: FUNCTION take_sign_in(p_user_id uuid, p_lease interval); Type: ACL; Schema: identity; Owner: -
--

REVOKE ALL ON FUNCTION identity.take_sign_in(p_user_id uuid, p_lease interval) FROM PUBLIC;

--
-- Name: FUNCTION tg_users__create_profile(); Type: ACL; Schema: identity; Owner: -
--

REVOKE ALL ON FUNCTION identity.tg_users__create_profile() FROM PUBLIC;

--
-- Name: FUNCTION update_profile(p_handle text, p_display_name text, p_avatar_path text, p_bio text, p_locale text, p_timezone text); Type: ACL; Schema: identity; Owner: -
--

REVOKE ALL ON FUNCTION identity.update_profile(p_handle text, p_display_name text, p_avatar_path text, p_bio text, p_locale text, p_timezone text) FROM PUBLIC;
GRANT ALL ON FUNCTION identity.update_profile(p_handle text, p_display_name text, p_avatar_path text, p_bio text, p_locale text, p_timezone text) TO authenticated;

--
-- Name: FUNCTION backoff(p_failures integer, p_base interval, p_cap interval); Type: ACL; Schema: jobs; Owner: -
--

REVOKE ALL ON FUNCTION jobs.backoff(p_failures integer, p_base interval, p_cap interval) FROM PUBLIC;

--
-- Name: FUNCTION bury_job(p_job_id bigint, p_reason text); Type: ACL; Schema: jobs; Owner: -
--

REVOKE ALL ON FUNCTION jobs.bury_job(p_job_id bigint, p_reason text) FROM PUBLIC;

--
-- Name: FUNCTION cancel_job(p_job_id bigint, p_reason text); Type: ACL; Schema: jobs; Owner: -
--

REVOKE ALL ON FUNCTION jobs.cancel_job(p_job_id bigint, p_reason text) FROM PUBLIC;

--
-- Name: FUNCTION defer(p_task text, p_args jsonb, p_scheduled_at timestamp with time zone, p_queueing_lock text, p_lock text, p_priority integer); Type: ACL; Schema: jobs; Owner: -
--

REVOKE ALL ON FUNCTION jobs.defer(p_task text, p_args jsonb, p_scheduled_at timestamp with time zone, p_queueing_lock text, p_lock text, p_priority integer) FROM PUBLIC;

--
-- Name: FUNCTION fail_event(p_stream jobs.streams, p_outbox_id bigint, p_outcome text, p_retry_at timestamp with time zone, p_error jsonb); Type: ACL; Schema: jobs; Owner: -
--

REVOKE ALL ON FUNCTION jobs.fail_event(p_stream jobs.streams, p_outbox_id bigint, p_outcome text, p_retry_at timestamp with time zone, p_error jsonb) FROM PUBLIC;

--
-- Name: FUNCTION fetch_job(p_queues text[], p_worker_id bigint); Type: ACL; Schema: jobs; Owner: -
--

REVOKE ALL ON FUNCTION jobs.fetch_job(p_queues text[], p_worker_id bigint) FROM PUBLIC;

--
-- Name: FUNCTION find_dead_letters(p_id bigint, p_task text, p_stream text, p_error_class text, p_created_since timestamp with time zone, p_created_before timestamp with time zone, p_text text, p_after_id bigint, p_limit integer); Type: ACL; Schema: jobs; Owner: -
--

REVOKE ALL ON FUNCTION jobs.find_dead_letters(p_id bigint, p_task text, p_stream text, p_error_class text, p_created_since timestamp with time zone, p_created_before timestamp with time zone, p_text text, p_after_id bigint, p_limit integer) FROM PUBLIC;

--
-- Name: FUNCTION find_history(p_kind text, p_before timestamp with time zone, p_what text, p_state text, p_error_class text, p_text text, p_limit integer); Type: ACL; Schema: jobs; Owner: -
--

REVOKE ALL ON FUNCTION jobs.find_history(p_kind text, p_before timestamp with time zone, p_what text, p_state text, p_error_class text, p_text text, p_limit integer) FROM PUBLIC;

--
-- Name: FUNCTION find_targets(p_name text); Type: ACL; Schema: jobs; Owner: -
--

REVOKE ALL ON FUNCTION jobs.find_targets(p_name text) FROM PUBLIC;

--
-- Name: FUNCTION gauges(); Type: ACL; Schema: jobs; Owner: -
--

REVOKE ALL ON FUNCTION jobs.gauges() FROM PUBLIC;

--
-- Name: FUNCTION give_back(p_job_id bigint); Type: ACL; Schema: jobs; Owner: -
--

REVOKE ALL ON FUNCTION jobs.give_back(p_job_id bigint) FROM PUBLIC;

--
-- Name: FUNCTION has_moved(p_stream jobs.streams); Type: ACL; Schema: jobs; Owner: -
--

REVOKE ALL ON FUNCTION jobs.has_moved(p_stream jobs.streams) FROM PUBLIC;

--
-- Name: FUNCTION lease_fresh(p_stream jobs.streams, p_max integer, p_lease interval); Type: ACL; Schema: jobs; Owner: -
--

REVOKE ALL ON FUNCTION jobs.lease_fresh(p_stream jobs.streams, p_max integer, p_lease interval) FROM PUBLIC;

--
-- Name: FUNCTION lease_items(p_lease_id uuid); Type: ACL; Schema: jobs; Owner: -
--

REVOKE ALL ON FUNCTION jobs.lease_items(p_lease_id uuid) FROM PUBLIC;

--
-- Name: FUNCTION lease_retries(p_stream jobs.streams, p_max integer, p_lease interval); Type: ACL; Schema: jobs; Owner: -
--

REVOKE ALL ON FUNCTION jobs.lease_retries(p_stream jobs.streams, p_max integer, p_lease interval) FROM PUBLIC;

--
-- Name: FUNCTION lease_traces(p_lease_id uuid); Type: ACL; Schema: jobs; Owner: -
--

REVOKE ALL ON FUNCTION jobs.lease_traces(p_lease_id uuid) FROM PUBLIC;

--
-- Name: FUNCTION list_attempts(p_id text); Type: ACL; Schema: jobs; Owner: -
--

REVOKE ALL ON FUNCTION jobs.list_attempts(p_id text) FROM PUBLIC;

--
-- Name: FUNCTION list_jobs(p_id text, p_state text, p_what text, p_limit integer); Type: ACL; Schema: jobs; Owner: -
--

REVOKE ALL ON FUNCTION jobs.list_jobs(p_id text, p_state text, p_what text, p_limit integer) FROM PUBLIC;

--
-- Name: FUNCTION list_queues(); Type: ACL; Schema: jobs; Owner: -
--

REVOKE ALL ON FUNCTION jobs.list_queues() FROM PUBLIC;

--
-- Name: FUNCTION metrics(); Type: ACL; Schema: jobs; Owner: -
--

REVOKE ALL ON FUNCTION jobs.metrics() FROM PUBLIC;

--
-- Name: FUNCTION open_queues(p_queues text[]); Type: ACL; Schema: jobs; Owner: -
--

REVOKE ALL ON FUNCTION jobs.open_queues(p_queues text[]) FROM PUBLIC;

--
-- Name: FUNCTION pause(p_name text, p_reason text, p_operator text); Type: ACL; Schema: jobs; Owner: -
--

REVOKE ALL ON FUNCTION jobs.pause(p_name text, p_reason text, p_operator text) FROM PUBLIC;

--
-- Name: FUNCTION purge(p_limit integer); Type: ACL; Schema: jobs; Owner: -
--

REVOKE ALL ON FUNCTION jobs.purge(p_limit integer) FROM PUBLIC;

--
-- Name: FUNCTION purge_history(p_kind text, p_before timestamp with time zone, p_what text, p_state text, p_error_class text, p_text text, p_limit integer, p_reason text, p_operator text); Type: ACL; Schema: jobs; Owner: -
--

REVOKE ALL ON FUNCTION jobs.purge_history(p_kind text, p_before timestamp with time zone, p_what text, p_state text, p_error_class text, p_text text, p_limit integer, p_reason text, p_operator text) FROM PUBLIC;

--
-- Name: FUNCTION rebase_stream(p_stream text); Type: ACL; Schema: jobs; Owner: -
--

REVOKE ALL ON FUNCTION jobs.rebase_stream(p_stream text) FROM PUBLIC;

--
-- Name: FUNCTION record_attempt(p_job_id bigint, p_outcome text, p_error jsonb, p_retry_at timestamp with time zone); Type: ACL; Schema: jobs; Owner: -
--

REVOKE ALL ON FUNCTION jobs.record_attempt(p_job_id bigint, p_outcome text, p_error jsonb, p_retry_at timestamp with time zone) FROM PUBLIC;

--
-- Name: FUNCTION record_check(p_check_name text, p_took interval, p_problems bigint, p_findings jsonb); Type: ACL; Schema: jobs; Owner: -
--

REVOKE ALL ON FUNCTION jobs.record_check(p_check_name text, p_took interval, p_problems bigint, p_findings jsonb) FROM PUBLIC;

--
-- Name: FUNCTION record_context(p_job_id bigint); Type: ACL; Schema: jobs; Owner: -
--

REVOKE ALL ON FUNCTION jobs.record_context(p_job_id bigint) FROM PUBLIC;

--
-- Name: FUNCTION record_operation(p_action text, p_subject_type text, p_subject_id text, p_reason text, p_operator text, p_details jsonb); Type: ACL; Schema: jobs; Owner: -
--

REVOKE ALL ON FUNCTION jobs.record_operation(p_action text, p_subject_type text, p_subject_id text, p_reason text, p_operator text, p_details jsonb) FROM PUBLIC;

--
-- Name: FUNCTION redrive_dead_letters(p_id bigint, p_task text, p_stream text, p_error_class text, p_created_since timestamp with time zone, p_created_before timestamp with time zone, p_text text, p_after_id bigint, p_limit integer, p_reason text, p_operator text, p_dry_run boolean); Type: ACL; Schema: jobs; Owner: -
--

REVOKE ALL ON FUNCTION jobs.redrive_dead_letters(p_id bigint, p_task text, p_stream text, p_error_class text, p_created_since timestamp with time zone, p_created_before timestamp with time zone, p_text text, p_after_id bigint, p_limit integer, p_reason text, p_operator text, p_dry_run boolean) FROM PUBLIC;

--
-- Name: FUNCTION rescue_stalled(p_stalled_after interval, p_max_rescues integer); Type: ACL; Schema: jobs; Owner: -
--

REVOKE ALL ON FUNCTION jobs.rescue_stalled(p_stalled_after interval, p_max_rescues integer) FROM PUBLIC;

--
-- Name: FUNCTION resume(p_name text, p_reason text, p_operator text); Type: ACL; Schema: jobs; Owner: -
--

REVOKE ALL ON FUNCTION jobs.resume(p_name text, p_reason text, p_operator text) FROM PUBLIC;

--
-- Name: FUNCTION retry_now(p_id text, p_reason text, p_operator text); Type: ACL; Schema: jobs; Owner: -
--

REVOKE ALL ON FUNCTION jobs.retry_now(p_id text, p_reason text, p_operator text) FROM PUBLIC;

--
-- Name: FUNCTION ring(); Type: ACL; Schema: jobs; Owner: -
--

REVOKE ALL ON FUNCTION jobs.ring() FROM PUBLIC;

--
-- Name: FUNCTION settle_events(p_lease_id uuid, p_outcome text, p_retry_at timestamp with time zone, p_error jsonb, p_items jsonb); Type: ACL; Schema: jobs; Owner: -
--

REVOKE ALL ON FUNCTION jobs.settle_events(p_lease_id uuid, p_outcome text, p_retry_at timestamp with time zone, p_error jsonb, p_items jsonb) FROM PUBLIC;

--
-- Name: FUNCTION take_events(p_stream text, p_max integer, p_lease interval); Type: ACL; Schema: jobs; Owner: -
--

REVOKE ALL ON FUNCTION jobs.take_events(p_stream text, p_max integer, p_lease interval) FROM PUBLIC;

--
-- Name: FUNCTION task_catalog(); Type: ACL; Schema: jobs; Owner: -
--

REVOKE ALL ON FUNCTION jobs.task_catalog() FROM PUBLIC;

--
-- Name: FUNCTION balance_at(p_account_id bigint, p_at timestamp with time zone); Type: ACL; Schema: ledger; Owner: -
--

REVOKE ALL ON FUNCTION ledger.balance_at(p_account_id bigint, p_at timestamp with time zone) FROM PUBLIC;

--
-- Name: FUNCTION check_books(); Type: ACL; Schema: ledger; Owner: -
--

REVOKE ALL ON FUNCTION ledger.check_books() FROM PUBLIC;

--
-- Name: FUNCTION expire_holds(p_limit integer); Type: ACL; Schema: ledger; Owner: -
--

REVOKE ALL ON FUNCTION ledger.expire_holds(p_limit integer) FROM PUBLIC;

--
-- Name: FUNCTION fund_reward_pool(p_currency text, p_amount bigint, p_idempotency_key text); Type: ACL; Schema: ledger; Owner: -
--

REVOKE ALL ON FUNCTION ledger.fund_reward_pool(p_currency text, p_amount bigint, p_idempotency_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.fund_reward_pool(p_currency text, p_amount bigint, p_idempotency_key text) TO service_role;

--
-- Name: FUNCTION lock_pool_slot(p_currency text, p_amount bigint); Type: ACL; Schema: ledger; Owner: -
--

REVOKE ALL ON FUNCTION ledger.lock_pool_slot(p_currency text, p_amount bigint) FROM PUBLIC;

--
-- Name: FUNCTION open_wallets(p_owner_ids uuid[], p_currency text); Type: ACL; Schema: ledger; Owner: -
--

REVOKE ALL ON FUNCTION ledger.open_wallets(p_owner_ids uuid[], p_currency text) FROM PUBLIC;

--
-- Name: FUNCTION own_wallet_id(p_currency text); Type: ACL; Schema: ledger; Owner: -
--

REVOKE ALL ON FUNCTION ledger.own_wallet_id(p_currency text) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.own_wallet_id(p_currency text) TO authenticated;

--
-- Name: FUNCTION pending_amount(p_account_id bigint); Type: ACL; Schema: ledger; Owner: -
--

REVOKE ALL ON FUNCTION ledger.pending_amount(p_account_id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.pending_amount(p_account_id bigint) TO authenticated;

--
-- Name: FUNCTION place_holds(p_holds ledger.hold_request[]); Type: ACL; Schema: ledger; Owner: -
--

REVOKE ALL ON FUNCTION ledger.place_holds(p_holds ledger.hold_request[]) FROM PUBLIC;

--
-- Name: FUNCTION post(p_postings ledger.posting[]); Type: ACL; Schema: ledger; Owner: -
--

REVOKE ALL ON FUNCTION ledger.post(p_postings ledger.posting[]) FROM PUBLIC;

--
-- Name: FUNCTION promised_amount(p_account_id bigint); Type: ACL; Schema: ledger; Owner: -
--

REVOKE ALL ON FUNCTION ledger.promised_amount(p_account_id bigint) FROM PUBLIC;

--
-- Name: FUNCTION release_holds(p_hold_ids bigint[], p_state ledger.hold_state); Type: ACL; Schema: ledger; Owner: -
--

REVOKE ALL ON FUNCTION ledger.release_holds(p_hold_ids bigint[], p_state ledger.hold_state) FROM PUBLIC;

--
-- Name: FUNCTION reverse_transfers(p_transfer_ids bigint[]); Type: ACL; Schema: ledger; Owner: -
--

REVOKE ALL ON FUNCTION ledger.reverse_transfers(p_transfer_ids bigint[]) FROM PUBLIC;

--
-- Name: FUNCTION settle_holds(p_hold_ids bigint[], p_amounts bigint[]); Type: ACL; Schema: ledger; Owner: -
--

REVOKE ALL ON FUNCTION ledger.settle_holds(p_hold_ids bigint[], p_amounts bigint[]) FROM PUBLIC;

--
-- Name: FUNCTION tg_entries__check_balance(); Type: ACL; Schema: ledger; Owner: -
--

REVOKE ALL ON FUNCTION ledger.tg_entries__check_balance() FROM PUBLIC;

--
-- Name: FUNCTION tg_entries__refuse_change(); Type: ACL; Schema: ledger; Owner: -
--

REVOKE ALL ON FUNCTION ledger.tg_entries__refuse_change() FROM PUBLIC;

--
-- Name: FUNCTION tg_entries__tell_owner(); Type: ACL; Schema: ledger; Owner: -
--

REVOKE ALL ON FUNCTION ledger.tg_entries__tell_owner() FROM PUBLIC;

--
-- Name: FUNCTION tg_holds__resolve_once(); Type: ACL; Schema: ledger; Owner: -
--

REVOKE ALL ON FUNCTION ledger.tg_holds__resolve_once() FROM PUBLIC;

--
-- Name: FUNCTION tg_transfers__refuse_change(); Type: ACL; Schema: ledger; Owner: -
--

REVOKE ALL ON FUNCTION ledger.tg_transfers__refuse_change() FROM PUBLIC;

--
-- Name: FUNCTION verify(); Type: ACL; Schema: ledger; Owner: -
--

REVOKE ALL ON FUNCTION ledger.verify() FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.verify() TO service_role;

--
-- Name: FUNCTION wallet_statement(p_currency text, p_before bigint, p_max_rows integer); Type: ACL; Schema: ledger; Owner: -
--

REVOKE ALL ON FUNCTION ledger.wallet_statement(p_currency text, p_before bigint, p_max_rows integer) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.wallet_statement(p_currency text, p_before bigint, p_max_rows integer) TO authenticated;

--
-- Name: FUNCTION client_address(); Type: ACL; Schema: limits; Owner: -
--

REVOKE ALL ON FUNCTION limits.client_address() FROM PUBLIC;

--
-- Name: FUNCTION network_of(p_address text); Type: ACL; Schema: limits; Owner: -
--

REVOKE ALL ON FUNCTION limits.network_of(p_address text) FROM PUBLIC;

--
-- Name: FUNCTION purge_idle_buckets(p_limit integer); Type: ACL; Schema: limits; Owner: -
--

REVOKE ALL ON FUNCTION limits.purge_idle_buckets(p_limit integer) FROM PUBLIC;

--
-- Name: FUNCTION spend(p_door text); Type: ACL; Schema: limits; Owner: -
--

REVOKE ALL ON FUNCTION limits.spend(p_door text) FROM PUBLIC;

--
-- Name: FUNCTION take(p_rule limits.rules, p_subject text, p_slot integer); Type: ACL; Schema: limits; Owner: -
--

REVOKE ALL ON FUNCTION limits.take(p_rule limits.rules, p_subject text, p_slot integer) FROM PUBLIC;

--
-- Name: FUNCTION approve_setting_change(change_id uuid, idempotency_key text); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.approve_setting_change(change_id uuid, idempotency_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.approve_setting_change(change_id uuid, idempotency_key text) TO authenticated;

--
-- Name: FUNCTION cast_vote(clip_id uuid, label text); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.cast_vote(clip_id uuid, label text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.cast_vote(clip_id uuid, label text) TO authenticated;

--
-- Name: FUNCTION change_setting(name text, value text, reason text, idempotency_key text); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.change_setting(name text, value text, reason text, idempotency_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.change_setting(name text, value text, reason text, idempotency_key text) TO authenticated;

--
-- Name: FUNCTION disputed_clips(language text, after uuid, max_rows integer); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.disputed_clips(language text, after uuid, max_rows integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.disputed_clips(language text, after uuid, max_rows integer) TO authenticated;

--
-- Name: FUNCTION erase_account(user_id uuid, reason text, forfeit boolean, idempotency_key text); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.erase_account(user_id uuid, reason text, forfeit boolean, idempotency_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.erase_account(user_id uuid, reason text, forfeit boolean, idempotency_key text) TO authenticated;

--
-- Name: FUNCTION erase_my_account(confirm text, idempotency_key text); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.erase_my_account(confirm text, idempotency_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.erase_my_account(confirm text, idempotency_key text) TO authenticated;

--
-- Name: FUNCTION export_my_data(); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.export_my_data() FROM PUBLIC;
GRANT ALL ON FUNCTION public.export_my_data() TO authenticated;

--
-- Name: FUNCTION grant_role(user_id uuid, role public.app_role, reason text, idempotency_key text); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.grant_role(user_id uuid, role public.app_role, reason text, idempotency_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.grant_role(user_id uuid, role public.app_role, reason text, idempotency_key text) TO authenticated;

--
-- Name: FUNCTION list_flags(); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.list_flags() FROM PUBLIC;
GRANT ALL ON FUNCTION public.list_flags() TO authenticated;

--
-- Name: FUNCTION list_setting_changes(before_change uuid, max_rows integer); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.list_setting_changes(before_change uuid, max_rows integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.list_setting_changes(before_change uuid, max_rows integer) TO authenticated;

--
-- Name: FUNCTION list_settings(); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.list_settings() FROM PUBLIC;
GRANT ALL ON FUNCTION public.list_settings() TO authenticated;

--
-- Name: FUNCTION me(); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.me() FROM PUBLIC;
GRANT ALL ON FUNCTION public.me() TO authenticated;

--
-- Name: FUNCTION my_flags(); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.my_flags() FROM PUBLIC;
GRANT ALL ON FUNCTION public.my_flags() TO authenticated;

--
-- Name: FUNCTION next_clips_to_review(language text, max_clips integer); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.next_clips_to_review(language text, max_clips integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.next_clips_to_review(language text, max_clips integer) TO authenticated;

--
-- Name: FUNCTION reject_setting_change(change_id uuid, reason text, idempotency_key text); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.reject_setting_change(change_id uuid, reason text, idempotency_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.reject_setting_change(change_id uuid, reason text, idempotency_key text) TO authenticated;

--
-- Name: FUNCTION revoke_role(user_id uuid, role public.app_role, reason text, idempotency_key text); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.revoke_role(user_id uuid, role public.app_role, reason text, idempotency_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.revoke_role(user_id uuid, role public.app_role, reason text, idempotency_key text) TO authenticated;

--
-- Name: FUNCTION seal_status(); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.seal_status() FROM PUBLIC;
GRANT ALL ON FUNCTION public.seal_status() TO authenticated;

--
-- Name: FUNCTION set_flag(flag text, reason text, is_on boolean, percentage numeric, description text, idempotency_key text); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.set_flag(flag text, reason text, is_on boolean, percentage numeric, description text, idempotency_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.set_flag(flag text, reason text, is_on boolean, percentage numeric, description text, idempotency_key text) TO authenticated;

--
-- Name: FUNCTION set_flag_for_user(flag text, user_id uuid, is_listed boolean, reason text, idempotency_key text); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.set_flag_for_user(flag text, user_id uuid, is_listed boolean, reason text, idempotency_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.set_flag_for_user(flag text, user_id uuid, is_listed boolean, reason text, idempotency_key text) TO authenticated;

--
-- Name: FUNCTION set_validation_status(clip_id uuid, status public.validation_status, reason text, idempotency_key text); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.set_validation_status(clip_id uuid, status public.validation_status, reason text, idempotency_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.set_validation_status(clip_id uuid, status public.validation_status, reason text, idempotency_key text) TO authenticated;

--
-- Name: FUNCTION skip_clip(clip_id uuid); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.skip_clip(clip_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.skip_clip(clip_id uuid) TO authenticated;

--
-- Name: FUNCTION submit_clip(kind public.clip_kind, language text, media_path text, duration_ms integer, prompt text, transcript text, idempotency_key text); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.submit_clip(kind public.clip_kind, language text, media_path text, duration_ms integer, prompt text, transcript text, idempotency_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.submit_clip(kind public.clip_kind, language text, media_path text, duration_ms integer, prompt text, transcript text, idempotency_key text) TO authenticated;

--
-- Name: FUNCTION update_profile(handle text, display_name text, avatar_path text, bio text, locale text, timezone text); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.update_profile(handle text, display_name text, avatar_path text, bio text, locale text, timezone text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.update_profile(handle text, display_name text, avatar_path text, bio text, locale text, timezone text) TO authenticated;

--
-- Name: FUNCTION votes_on_clip(clip_id uuid); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.votes_on_clip(clip_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.votes_on_clip(clip_id uuid) TO authenticated;

--
-- Name: FUNCTION wallet_statement(currency text, before bigint, max_rows integer); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.wallet_statement(currency text, before bigint, max_rows integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.wallet_statement(currency text, before bigint, max_rows integer) TO authenticated;

--
-- Name: FUNCTION digest_batch(p_batch seals.batches); Type: ACL; Schema: seals; Owner: -
--

REVOKE ALL ON FUNCTION seals.digest_batch(p_batch seals.batches) FROM PUBLIC;

--
-- Name: FUNCTION digest_rows(p_chain seals.chains, p_columns text[], p_after_id bigint, p_upto_id bigint, p_from_xid xid8, p_from_id bigint, p_to_xid xid8, p_to_id bigint); Type: ACL; Schema: seals; Owner: -
--

REVOKE ALL ON FUNCTION seals.digest_rows(p_chain seals.chains, p_columns text[], p_after_id bigint, p_upto_id bigint, p_from_xid xid8, p_from_id bigint, p_to_xid xid8, p_to_id bigint) FROM PUBLIC;

--
-- Name: FUNCTION follow_server(p_chain seals.chains, p_last seals.batches); Type: ACL; Schema: seals; Owner: -
--

REVOKE ALL ON FUNCTION seals.follow_server(p_chain seals.chains, p_last seals.batches) FROM PUBLIC;

--
-- Name: FUNCTION gone_column(p_chain text, p_columns text[]); Type: ACL; Schema: seals; Owner: -
--

REVOKE ALL ON FUNCTION seals.gone_column(p_chain text, p_columns text[]) FROM PUBLIC;

--
-- Name: FUNCTION has_head(p_chain text, p_seal_no bigint, p_digest text); Type: ACL; Schema: seals; Owner: -
--

REVOKE ALL ON FUNCTION seals.has_head(p_chain text, p_seal_no bigint, p_digest text) FROM PUBLIC;

--
-- Name: FUNCTION heads(); Type: ACL; Schema: seals; Owner: -
--

REVOKE ALL ON FUNCTION seals.heads() FROM PUBLIC;

--
-- Name: FUNCTION last_batch(p_chain text); Type: ACL; Schema: seals; Owner: -
--

REVOKE ALL ON FUNCTION seals.last_batch(p_chain text) FROM PUBLIC;

--
-- Name: FUNCTION metrics(); Type: ACL; Schema: seals; Owner: -
--

REVOKE ALL ON FUNCTION seals.metrics() FROM PUBLIC;

--
-- Name: FUNCTION seal(p_limit integer); Type: ACL; Schema: seals; Owner: -
--

REVOKE ALL ON FUNCTION seals.seal(p_limit integer) FROM PUBLIC;

--
-- Name: FUNCTION seal_chain(p_chain text, p_limit integer); Type: ACL; Schema: seals; Owner: -
--

REVOKE ALL ON FUNCTION seals.seal_chain(p_chain text, p_limit integer) FROM PUBLIC;

--
-- Name: FUNCTION seal_status(); Type: ACL; Schema: seals; Owner: -
--

REVOKE ALL ON FUNCTION seals.seal_status() FROM PUBLIC;
GRANT ALL ON FUNCTION seals.seal_status() TO authenticated;

--
-- Name: FUNCTION tail(p_chain text, p_limit bigint); Type: ACL; Schema: seals; Owner: -
--

REVOKE ALL ON FUNCTION seals.tail(p_chain text, p_limit bigint) FROM PUBLIC;

--
-- Name: FUNCTION tg_batches__refuse_change(); Type: ACL; Schema: seals; Owner: -
--

REVOKE ALL ON FUNCTION seals.tg_batches__refuse_change() FROM PUBLIC;

--
-- Name: FUNCTION uncovered(p_chain text, p_after bigint); Type: ACL; Schema: seals; Owner: -
--

REVOKE ALL ON FUNCTION seals.uncovered(p_chain text, p_after bigint) FROM PUBLIC;

--
-- Name: FUNCTION verify(p_chain text, p_head text); Type: ACL; Schema: seals; Owner: -
--

REVOKE ALL ON FUNCTION seals.verify(p_chain text, p_head text) FROM PUBLIC;

--
-- Name: FUNCTION active(p_name text); Type: ACL; Schema: secrets; Owner: -
--

REVOKE ALL ON FUNCTION secrets.active(p_name text) FROM PUBLIC;

--
-- Name: FUNCTION list_versions(); Type: ACL; Schema: secrets; Owner: -
--

REVOKE ALL ON FUNCTION secrets.list_versions() FROM PUBLIC;

--
-- Name: FUNCTION provider(); Type: ACL; Schema: secrets; Owner: -
--

REVOKE ALL ON FUNCTION secrets.provider() FROM PUBLIC;

--
-- Name: FUNCTION put(p_name text, p_value text, p_reason text); Type: ACL; Schema: secrets; Owner: -
--

REVOKE ALL ON FUNCTION secrets.put(p_name text, p_value text, p_reason text) FROM PUBLIC;

--
-- Name: FUNCTION require_provider(); Type: ACL; Schema: secrets; Owner: -
--

REVOKE ALL ON FUNCTION secrets.require_provider() FROM PUBLIC;

--
-- Name: FUNCTION retire(p_id bigint, p_reason text, p_last boolean); Type: ACL; Schema: secrets; Owner: -
--

REVOKE ALL ON FUNCTION secrets.retire(p_id bigint, p_reason text, p_last boolean) FROM PUBLIC;

--
-- Name: FUNCTION use_provider(p_provider text, p_reason text); Type: ACL; Schema: secrets; Owner: -
--

REVOKE ALL ON FUNCTION secrets.use_provider(p_provider text, p_reason text) FROM PUBLIC;

--
-- Name: FUNCTION apply(p_name text, p_value text, p_old_value text, p_reason text, p_details jsonb); Type: ACL; Schema: settings; Owner: -
--

REVOKE ALL ON FUNCTION settings.apply(p_name text, p_value text, p_old_value text, p_reason text, p_details jsonb) FROM PUBLIC;

--
-- Name: FUNCTION approve_setting_change(p_change_id uuid, p_idempotency_key text); Type: ACL; Schema: settings; Owner: -
--

REVOKE ALL ON FUNCTION settings.approve_setting_change(p_change_id uuid, p_idempotency_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION settings.approve_setting_change(p_change_id uuid, p_idempotency_key text) TO authenticated;

--
-- Name: FUNCTION change_setting(p_name text, p_value text, p_reason text, p_idempotency_key text); Type: ACL; Schema: settings; Owner: -
--

REVOKE ALL ON FUNCTION settings.change_setting(p_name text, p_value text, p_reason text, p_idempotency_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION settings.change_setting(p_name text, p_value text, p_reason text, p_idempotency_key text) TO authenticated;

--
-- Name: FUNCTION claim_environment(p_environment text); Type: ACL; Schema: settings; Owner: -
--

REVOKE ALL ON FUNCTION settings.claim_environment(p_environment text) FROM PUBLIC;

--
-- Name: FUNCTION current(); Type: ACL; Schema: settings; Owner: -
--

REVOKE ALL ON FUNCTION settings.current() FROM PUBLIC;

--
-- Name: FUNCTION describe(p_change settings.changes); Type: ACL; Schema: settings; Owner: -
--

REVOKE ALL ON FUNCTION settings.describe(p_change settings.changes) FROM PUBLIC;

--
-- Name: FUNCTION list_setting_changes(p_before_change uuid, p_max_rows integer); Type: ACL; Schema: settings; Owner: -
--

REVOKE ALL ON FUNCTION settings.list_setting_changes(p_before_change uuid, p_max_rows integer) FROM PUBLIC;
GRANT ALL ON FUNCTION settings.list_setting_changes(p_before_change uuid, p_max_rows integer) TO authenticated;

--
-- Name: FUNCTION list_settings(); Type: ACL; Schema: settings; Owner: -
--

REVOKE ALL ON FUNCTION settings.list_settings() FROM PUBLIC;
GRANT ALL ON FUNCTION settings.list_settings() TO authenticated;

--
-- Name: FUNCTION lock_change(p_change_id uuid); Type: ACL; Schema: settings; Owner: -
--

REVOKE ALL ON FUNCTION settings.lock_change(p_change_id uuid) FROM PUBLIC;

--
-- Name: FUNCTION lock_setting(p_name text); Type: ACL; Schema: settings; Owner: -
--

REVOKE ALL ON FUNCTION settings.lock_setting(p_name text) FROM PUBLIC;

--
-- Name: FUNCTION reject_setting_change(p_change_id uuid, p_reason text, p_idempotency_key text); Type: ACL; Schema: settings; Owner: -
--

REVOKE ALL ON FUNCTION settings.reject_setting_change(p_change_id uuid, p_reason text, p_idempotency_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION settings.reject_setting_change(p_change_id uuid, p_reason text, p_idempotency_key text) TO authenticated;

--
-- Name: FUNCTION require_value(p_name text, p_value text); Type: ACL; Schema: settings; Owner: -
--

REVOKE ALL ON FUNCTION settings.require_value(p_name text, p_value text) FROM PUBLIC;

--
-- Name: FUNCTION set_environment(p_environment text, p_reason text); Type: ACL; Schema: settings; Owner: -
--

REVOKE ALL ON FUNCTION settings.set_environment(p_environment text, p_reason text) FROM PUBLIC;

--
-- Name: FUNCTION value(p_name text); Type: ACL; Schema: settings; Owner: -
--

REVOKE ALL ON FUNCTION settings.value(p_name text) FROM PUBLIC;

--
-- Name: TABLE events; Type: ACL; Schema: audit; Owner: -
--

GRANT SELECT ON TABLE audit.events TO authenticated;
GRANT SELECT ON TABLE audit.events TO service_role;

--
-- Name: TABLE accounts; Type: ACL; Schema: ledger; Owner: -
--

GRANT SELECT ON TABLE ledger.accounts TO authenticated;

--
-- Name: TABLE entries; Type: ACL; Schema: ledger; Owner: -
--

GRANT SELECT ON TABLE ledger.entries TO authenticated;

--
-- Name: TABLE audit_events; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.audit_events TO authenticated;
GRANT SELECT ON TABLE public.audit_events TO service_role;

--
-- Name: TABLE profiles; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.profiles TO anon;
GRANT SELECT ON TABLE public.profiles TO authenticated;
GRANT SELECT ON TABLE public.profiles TO service_role;

--
-- Name: TABLE clip_feed; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.clip_feed TO anon;
GRANT SELECT ON TABLE public.clip_feed TO authenticated;
GRANT SELECT ON TABLE public.clip_feed TO service_role;

--
-- Name: TABLE languages; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.languages TO anon;
GRANT SELECT ON TABLE public.languages TO authenticated;
GRANT SELECT ON TABLE public.languages TO service_role;

--
-- Name: TABLE wallets; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.wallets TO authenticated;

--
-- PostgreSQL database dump complete
--

--
-- Ours on tables of others
--

CREATE POLICY select_own_topic ON realtime.messages AS PERMISSIVE FOR SELECT TO authenticated USING (((extension = 'broadcast'::text) AND (( SELECT realtime.topic() AS topic) = ('user:'::text || ( SELECT auth.uid() AS uid))))) WITH CHECK ();
CREATE TRIGGER _500_create_profile AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION identity.tg_users__create_profile();
