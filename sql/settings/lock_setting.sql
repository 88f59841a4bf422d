-- Let one change of a setting after the other happen: proposals, approvals and plain changes.
--
-- A lock by name and not on a row, because settings live in several tables. Those of one kind of
-- clip bound each other (min_votes, max_votes) and share a lock. Taken after the
-- caller's limits and before any row; held to the end of the transaction. Callers: this domain.

create or replace function settings.lock_setting(p_name text)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  select pg_advisory_xact_lock(hashtextextended('setting ' || regexp_replace(p_name, '^(consensus[.][^.]+)[.].*$', '\1'), 0));
$$;

comment on function settings.lock_setting(text) is
'Wait for other changes of a setting, or of its kind of clip.';

revoke all on function settings.lock_setting(text) from public, anon, authenticated, service_role;
