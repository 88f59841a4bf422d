-- Pass over a clip: its lease is given back and it is not offered again.
--
-- Skipping twice, or a clip whose voting has ended, changes nothing. The item is locked,
-- so that a call for clips at the same moment does not lease it again.
-- Callers: members. Fails with rate_limited, clip_not_found.

create or replace function consensus.skip_clip(p_clip_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
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

create or replace function public.skip_clip(clip_id uuid)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  select consensus.skip_clip(skip_clip.clip_id);
$$;

comment on function consensus.skip_clip(uuid) is
'The rule behind the door public.skip_clip.';
comment on function public.skip_clip(uuid) is
'Pass over a clip; it is not offered to you again.';

revoke all on function consensus.skip_clip(uuid) from public, anon, authenticated, service_role;
revoke all on function public.skip_clip(uuid) from public, anon, authenticated, service_role;
grant execute on function consensus.skip_clip(uuid) to authenticated;
grant execute on function public.skip_clip(uuid) to authenticated;
