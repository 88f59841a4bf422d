-- Where people are named: every column that holds a person's id, what the export shows of it and
-- what erasing an account does to it.
--
-- The one list for both: identity.export_data and the erasure follow it, docs/how-to/personal-data.md
-- explains it, and a test holds it against the catalogue, so that a new table cannot be forgotten.
-- exported_as is a key of the document, null for none; on_erasure: removed, cleared (the row stays,
-- what the person wrote or chose goes), or kept as a bare id. reason says why where data stays or
-- is not shown.

create or replace function identity.personal_data()
returns table (table_name text, column_name text, exported_as text, on_erasure text, reason text)
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
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

comment on function identity.personal_data() is
'Every column that names a person: what is exported of it and what erasing does to it.';

revoke all on function identity.personal_data() from public, anon, authenticated, service_role;
