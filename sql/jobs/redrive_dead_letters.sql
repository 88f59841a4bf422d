-- Try dead letters again: one by its id, or all that match a filter of jobs.find_dead_letters().
--
-- A dry run, the default, only lists. A job is deferred anew with its request's context, an event
-- goes back to its stream's retries, alone, with its attempts at zero. Each one redriven leaves an
-- audit row with p_reason. One that cannot be redriven (its task is gone, or takes other arguments
-- now) is listed with what was wrong, stays dead and keeps nobody else.
-- Locks the dead letters it redrives, oldest first: of two redrives the second waits, then finds
-- them done. Callers: operators, through hub jobs.

create or replace function jobs.redrive_dead_letters(
  p_id bigint default null,
  p_task text default null,
  p_stream text default null,
  p_error_class text default null,
  p_created_since timestamptz default null,
  p_created_before timestamptz default null,
  p_text text default null,
  p_after_id bigint default 0,
  p_limit integer default 1000,
  p_reason text default null,
  p_operator text default null,
  p_dry_run boolean default true
)
returns table (
  id bigint,
  what text,
  error_class text,
  created_at timestamptz,
  job_id bigint,
  refused text
)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
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

comment on function jobs.redrive_dead_letters(
  bigint, text, text, text, timestamptz, timestamptz, text, bigint, integer, text, text, boolean
) is
'Redrive dead letters by id or filter, or list what would be; audited.';

revoke all on function jobs.redrive_dead_letters(
  bigint, text, text, text, timestamptz, timestamptz, text, bigint, integer, text, text, boolean
) from public, anon, authenticated, service_role;
