-- Delete one batch of what jobs.find_history() finds; returns how many went, 0 when none is left.
--
-- The batch and its audit row are one transaction, so what the record says went did go. The filters
-- are its details; ids are not kept, their range is. A dead letter that is purged is given up for
-- good, its event with it. Rows that somebody else holds are passed over: a redrive wins.
-- Callers: operators, through hub jobs.

create or replace function jobs.purge_history(
  p_kind text,
  p_before timestamptz,
  p_what text,
  p_state text,
  p_error_class text,
  p_text text,
  p_limit integer,
  p_reason text,
  p_operator text default null
)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
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

comment on function jobs.purge_history(
  text, timestamptz, text, text, text, text, integer, text, text
) is
'Delete a batch of old finished jobs, dead letters or attempts; audited. Returns how many went.';

revoke all on function jobs.purge_history(
  text, timestamptz, text, text, text, text, integer, text, text
) from public, anon, authenticated, service_role;
