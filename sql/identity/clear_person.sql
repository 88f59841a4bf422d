-- Clear what is an erased person's alone: name, settings, roles, flags, answers kept under keys.
--
-- Run when the account is erased, and again until nothing is found: a call that had begun before may
-- have written something after. The answer to the erasure itself is kept, for who asks twice.
-- Returns how many rows changed. Locks the profile first, so that what the person has under way is
-- waited for. Callers: identity.erase, identity.finish_erasures.

create or replace function identity.clear_person(p_user_id uuid)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
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
$$;

comment on function identity.clear_person(uuid) is
'Clear an erased person''s profile, settings, roles, flags and kept answers; returns how many rows changed.';

revoke all on function identity.clear_person(uuid) from public, anon, authenticated, service_role;
