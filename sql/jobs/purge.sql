-- Forget what is past its time, at most p_limit rows of each kind; returns how many went.
--
-- Delivered events go when no lease, retry or dead letter still speaks of them. The worker calls it
-- daily until it returns 0, a transaction each, so that no long one holds the streams back.
-- Every search walks an index from its old end. Callers: the worker.

create or replace function jobs.purge(p_limit integer)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_settings jobs.settings;
  v_stream jobs.streams;
  v_count integer;
  v_gone integer := 0;
begin
  select * into strict v_settings
  from jobs.settings;

  delete from jobs.dead_letters as d
  where d.id in (
    select l.id
    from jobs.dead_letters as l
    where l.created_at < clock_timestamp() - v_settings.keep_dead_letters
    order by l.created_at
    limit p_limit
  );
  get diagnostics v_count = row_count;
  v_gone := v_gone + v_count;

  delete from jobs.attempts as a
  where a.id in (
    select t.id
    from jobs.attempts as t
    where t.created_at < clock_timestamp() - v_settings.keep_attempts
    order by t.created_at
    limit p_limit
  );
  get diagnostics v_count = row_count;
  v_gone := v_gone + v_count;

  delete from procrastinate.procrastinate_jobs as j
  where j.id in (
    select f.id
    from procrastinate.procrastinate_jobs as f
    where f.status in ('succeeded', 'failed', 'cancelled', 'aborted')
      and not exists (
        select
        from procrastinate.procrastinate_events as e
        where e.job_id = f.id
          and e.at >= clock_timestamp() - v_settings.keep_finished_jobs
      )
    order by f.id
    limit p_limit
  );
  get diagnostics v_count = row_count;
  v_gone := v_gone + v_count;

  -- a job's row goes when it succeeds; its context may still be wanted by what it left behind
  delete from jobs.contexts as c
  where c.job_id in (
    select n.job_id
    from jobs.contexts as n
    where n.created_at < clock_timestamp() - v_settings.keep_finished_jobs
      and not exists (
        select
        from procrastinate.procrastinate_jobs as j
        where j.id = n.job_id
      )
      and not exists (
        select
        from jobs.dead_letters as d
        where d.job_id = n.job_id
          and d.redriven_at is null
      )
    order by n.job_id
    limit p_limit
  );
  get diagnostics v_count = row_count;
  v_gone := v_gone + v_count;

  for v_stream in
    select *
    from jobs.streams as s
    order by s.stream
  loop
    delete from jobs.stream_leases as l
    where l.id in (
      select c.id
      from jobs.stream_leases as c
      where c.stream = v_stream.stream
        and c.closed_at < clock_timestamp() - v_stream.keep_for
      order by c.closed_at
      limit p_limit
    );
    get diagnostics v_count = row_count;
    v_gone := v_gone + v_count;

    delete from jobs.outbox as o
    where o.id in (
      select e.id
      from jobs.outbox as e
      where e.stream = v_stream.stream
        and (e.xid, e.id) <= (v_stream.cursor_xid, v_stream.cursor_id)
        and e.created_at < clock_timestamp() - v_stream.keep_for
        and not exists (
          select
          from jobs.stream_leases as l
          where l.stream = e.stream
            and l.closed_at is null
            and (e.xid, e.id) > (l.lo_xid, l.lo_id)
            and (e.xid, e.id) <= (l.hi_xid, l.hi_id)
        )
        and not exists (select from jobs.outbox_retries as r where r.outbox_id = e.id)
        and not exists (select from jobs.dead_letters as d where d.outbox_id = e.id)
      order by e.xid, e.id
      limit p_limit
    );
    get diagnostics v_count = row_count;
    v_gone := v_gone + v_count;
  end loop;

  return v_gone;
end;
$$;

comment on function jobs.purge(integer) is
'Delete old history of the queue, up to p_limit rows of each kind; returns how many.';

revoke all on function jobs.purge(integer) from public, anon, authenticated, service_role;
