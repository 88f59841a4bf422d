-- Let a queue, a stream, or both of that name hand out again; audited.
--
-- Idle workers are woken; a stream is rung at the next doorbell. A name that is not paused comes
-- back as not changed. Callers: operators, through hub jobs.

create or replace function jobs.resume(
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

comment on function jobs.resume(text, text, text) is
'Resume a queue or stream; returns each with how it was paused. No row: unknown name.';

revoke all on function jobs.resume(text, text, text)
from public, anon, authenticated, service_role;
