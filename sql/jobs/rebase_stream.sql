-- Bring a stream onto this server's transaction ids after a logical restore. Nothing is lost.
--
-- What was handed out is known in the old server's ids: positions up to the cursor whose id is not
-- above served_id (ids go on across a restore, so a higher one was inserted here). All else is
-- stamped as inserted by this transaction and so lies ahead of the new cursor; the cursor is the
-- oldest transaction running now, so rows being inserted meanwhile lie ahead of it too. Open leases
-- go to the retries first, some of them a second time to the provider: events carry ids.
-- Rewrites the stream's outbox once. Caller: jobs.take_events(), which holds the stream's row.

create or replace function jobs.rebase_stream(p_stream text)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_stream jobs.streams;
  v_floor xid8 := pg_snapshot_xmin(pg_current_snapshot());
begin
  perform jobs.settle_events(l.id, 'abandoned')
  from jobs.stream_leases as l
  where l.stream = p_stream
    and l.closed_at is null;

  select * into strict v_stream
  from jobs.streams as s
  where s.stream = p_stream
  for no key update;

  update jobs.outbox as o
  set xid = case
    when (o.xid, o.id) <= (v_stream.cursor_xid, v_stream.cursor_id)
      and o.id <= v_stream.served_id then '0'::xid8
    else pg_current_xact_id()
  end
  where o.stream = p_stream;

  update jobs.streams as s
  set cursor_xid = v_floor,
    cursor_id = 0,
    cluster = (select c.system_identifier from pg_control_system() as c),
    epoch = s.epoch + 1,
    paused_until = null,
    outages = 0
  where s.stream = p_stream;

  raise log 'stream % was rebased onto this server: epoch %', p_stream, v_stream.epoch + 1;
end;
$$;

comment on function jobs.rebase_stream(text) is
'After a logical restore: restate a stream''s cursor and events in this server''s transaction ids.';

revoke all on function jobs.rebase_stream(text) from public, anon, authenticated, service_role;
