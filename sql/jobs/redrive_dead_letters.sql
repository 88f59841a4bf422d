-- Try dead letters again: one by its id, or all that match a filter.
--
-- Every filter given must hold; null holds for all. A dry run, the default, only lists. A job is
-- deferred anew, an event goes back to its stream's retries, alone, with its attempts at zero. Each
-- one redriven leaves an audit row with p_reason. Locks the dead letters it redrives.
-- Callers: operators, through hub jobs.

create or replace function jobs.redrive_dead_letters(
  p_id bigint default null,
  p_task text default null,
  p_stream text default null,
  p_error_class text default null,
  p_created_before timestamptz default null,
  p_reason text default null,
  p_dry_run boolean default true,
  p_limit integer default 1000
)
returns table (
  id bigint,
  what text,
  error_class text,
  created_at timestamptz,
  job_id bigint
)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_letter jobs.dead_letters;
begin
  for v_letter in
    select *
    from jobs.dead_letters as d
    where d.redriven_at is null
      and (p_id is null or d.id = p_id)
      and (p_task is null or d.task = p_task)
      and (p_stream is null or d.stream = p_stream)
      and (p_error_class is null or d.error_class = p_error_class)
      and (p_created_before is null or d.created_at < p_created_before)
    order by d.created_at, d.id
    limit p_limit
    for update
  loop
    id := v_letter.id;
    what := coalesce(v_letter.task, v_letter.stream || ' ' || v_letter.event);
    error_class := v_letter.error_class;
    created_at := v_letter.created_at;
    job_id := null;

    if not p_dry_run then
      if v_letter.task is not null then
        job_id := jobs.defer(v_letter.task, v_letter.args);
      else
        insert into jobs.outbox_retries (outbox_id, stream, alone, next_try_at)
        values (v_letter.outbox_id, v_letter.stream, true, clock_timestamp())
        on conflict (outbox_id) do nothing;
      end if;

      update jobs.dead_letters as d
      set redriven_at = clock_timestamp()
      where d.id = v_letter.id;

      perform audit.record(
        'dead_letter_redriven',
        'dead_letter',
        v_letter.id::text,
        p_reason,
        jsonb_strip_nulls(jsonb_build_object('what', what, 'job_id', job_id))
      );
    end if;

    return next;
  end loop;
end;
$$;

comment on function jobs.redrive_dead_letters(
  bigint, text, text, text, timestamptz, text, boolean, integer
) is
'Redrive dead letters by id or filter, or list what would be; audited.';

revoke all on function jobs.redrive_dead_letters(
  bigint, text, text, text, timestamptz, text, boolean, integer
) from public, anon, authenticated, service_role;
