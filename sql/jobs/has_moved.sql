-- Whether a stream's cursor speaks of another server's transaction ids.
--
-- So it is after a logical restore: rows and cursor carry the old server's ids, new rows the new
-- one's. Callers: the queue's own rules. Reads the control file, some 30 µs.

create or replace function jobs.has_moved(p_stream jobs.streams)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select p_stream.cluster <> c.system_identifier
    or p_stream.cursor_xid >= pg_snapshot_xmax(pg_current_snapshot())
  from pg_control_system() as c;
$$;

comment on function jobs.has_moved(jobs.streams) is
'True after a logical restore onto another server, until the stream is rebased.';

revoke all on function jobs.has_moved(jobs.streams) from public, anon, authenticated, service_role;
