-- The queues that hold jobs and are not paused, of those asked for; null asks for all.
--
-- Steps from name to name over the index on queue names. Caller: jobs.fetch_job().

create or replace function jobs.open_queues(p_queues text[])
returns text[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  with recursive queue (name) as (
    (
      select j.queue_name
      from procrastinate.procrastinate_jobs as j
      order by j.queue_name
      limit 1
    )
    union all
    select (
      select j.queue_name
      from procrastinate.procrastinate_jobs as j
      where j.queue_name > q.name
      order by j.queue_name
      limit 1
    )
    from queue as q
    where q.name is not null
  )
  select coalesce(array_agg(q.name::text), '{}')
  from queue as q
  where q.name is not null
    and (p_queues is null or q.name = any (p_queues))
    and not exists (
      select
      from jobs.pauses as p
      where p.kind = 'queue'
        and p.name = q.name
    );
$$;

comment on function jobs.open_queues(text[]) is
'Names of the queues with jobs in them that no operator has paused.';

revoke all on function jobs.open_queues(text[]) from public, anon, authenticated, service_role;
