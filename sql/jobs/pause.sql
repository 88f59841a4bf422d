-- Hand nothing more out of a queue, a stream, or both of that name; audited.
--
-- What is in hand is finished and settled. What is due waits, nothing is lost. Paused before, it
-- stays as it was paused then. Once a stream's pause has committed no worker takes from it: taking
-- locks the same row. Locks the stream's row. Callers: operators, through hub jobs.

create or replace function jobs.pause(
  p_name text,
  p_reason text,
  p_operator text default null
)
returns table (
  kind text,
  name text,
  is_changed boolean,
  reason text,
  paused_by text,
  paused_at timestamptz
)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
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

comment on function jobs.pause(text, text, text) is
'Pause a queue or stream; returns each with who paused it, why and since when. No row: unknown name.';

revoke all on function jobs.pause(text, text, text)
from public, anon, authenticated, service_role;
