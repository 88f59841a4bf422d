-- Clips whose voting ended without a majority: what staff must decide, oldest first.
--
-- Page by passing the last clip_id as after. Decide with set_validation_status.
-- Callers: moderators and admins. Fails with not_permitted, rate_limited, invalid_input.

create or replace function consensus.disputed_clips(
  p_language text,
  p_after uuid,
  p_max_rows integer
)
returns setof public.disputed_clip
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
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

create or replace function public.disputed_clips(
  language text,
  after uuid default null,
  max_rows integer default 50
)
returns setof public.disputed_clip
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  select *
  from consensus.disputed_clips(
    disputed_clips.language, disputed_clips.after, disputed_clips.max_rows
  );
$$;

comment on function consensus.disputed_clips(text, uuid, integer) is
'The rule behind the door public.disputed_clips.';
comment on function public.disputed_clips(text, uuid, integer) is
'Staff: clips that reached their vote cap undecided, oldest first, with labels and tally.';

revoke all on function consensus.disputed_clips(text, uuid, integer)
from public, anon, authenticated, service_role;
revoke all on function public.disputed_clips(text, uuid, integer)
from public, anon, authenticated, service_role;
grant execute on function consensus.disputed_clips(text, uuid, integer) to authenticated;
grant execute on function public.disputed_clips(text, uuid, integer) to authenticated;
