-- The doorbell: defer a carrier job for each stream that has something due.
--
-- Called by every worker a few times a second, so that users' transactions need not NOTIFY.
-- Costs four index probes per stream when nothing is due. Locks nothing; two workers ringing at
-- once meet at the queueing lock and one job remains. A stream that cannot be rung is reported
-- and does not keep the others waiting. Callers: the worker.

create or replace function jobs.ring()
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_stream jobs.streams;
  v_lock text;
  v_rung integer := 0;
begin
  for v_stream in
    select *
    from jobs.streams as s
    where (s.paused_until is null or s.paused_until <= clock_timestamp())
      and not exists (
        select
        from jobs.pauses as p
        where p.kind = 'stream'
          and p.name = s.stream
      )
    order by s.stream
  loop
    v_lock := 'stream:' || v_stream.stream;

    continue when exists (
      select
      from procrastinate.procrastinate_jobs as j
      where j.queueing_lock = v_lock
        and j.status = 'todo'
    );

    continue when v_stream.lanes <= (
      select count(*)
      from jobs.stream_leases as l
      where l.stream = v_stream.stream
        and l.closed_at is null
        and l.expires_at > clock_timestamp()
    );

    continue when not exists (
      select
      from jobs.outbox as o
      where o.stream = v_stream.stream
        and (o.xid, o.id) > (v_stream.cursor_xid, v_stream.cursor_id)
        and o.xid < pg_snapshot_xmin(pg_current_snapshot())
    ) and not exists (
      select
      from jobs.outbox_retries as r
      where r.stream = v_stream.stream
        and r.lease_id is null
        and r.next_try_at <= clock_timestamp()
    ) and not exists (
      select
      from jobs.stream_leases as l
      where l.stream = v_stream.stream
        and l.closed_at is null
        and l.expires_at <= clock_timestamp()
    ) and not jobs.has_moved(v_stream);

    begin
      perform jobs.defer(
        v_stream.carrier_task,
        jsonb_build_object('stream', v_stream.stream),
        p_queueing_lock => v_lock
      );
      v_rung := v_rung + 1;
    exception when others then
      raise warning 'stream % was not rung: %', v_stream.stream, sqlerrm;
    end;
  end loop;

  return v_rung;
end;
$$;

comment on function jobs.ring() is
'Defer a carrier job for each stream with due work; returns how many.';

revoke all on function jobs.ring() from public, anon, authenticated, service_role;
