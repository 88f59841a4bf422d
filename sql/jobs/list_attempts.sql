-- The failed tries of one thing on the queue, newest first; ids as in jobs.list_jobs().
--
-- Callers: operators, through hub jobs.

create or replace function jobs.list_attempts(p_id text)
returns table (
  at timestamptz,
  outcome text,
  error_class text,
  error_message text,
  error_trace text
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select
    a.created_at,
    a.outcome,
    a.error_class,
    a.error_message,
    a.error_trace
  from jobs.attempts as a
  where case left(p_id, 1)
    when 'e' then a.outbox_id = substr(p_id, 2)::bigint
    when 'd' then exists (
      select
      from jobs.dead_letters as d
      where d.id = substr(p_id, 2)::bigint
        and (d.job_id = a.job_id or d.outbox_id = a.outbox_id)
    )
    else a.job_id = p_id::bigint
  end
  order by a.id desc
  limit 100;
$$;

comment on function jobs.list_attempts(text) is
'The recorded failures of a job, an event or a dead letter.';

revoke all on function jobs.list_attempts(text) from public, anon, authenticated, service_role;
