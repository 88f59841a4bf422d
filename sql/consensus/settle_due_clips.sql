-- Settle decided clips whose waiting time is over, a bounded number at a time; return
-- how many.
--
-- Clips another transaction holds (staff deciding, a second worker) are skipped; they
-- come with the next call. Run by the worker every minute until it returns 0.

create or replace function consensus.settle_due_clips(p_limit integer)
returns integer
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_clip_ids uuid[] := array(
    select i.clip_id
    from consensus.items as i
    where i.state = 'decided'
      and i.settle_at <= app.now()
    order by i.settle_at
    limit p_limit
    for no key update skip locked
  );
begin
  if cardinality(v_clip_ids) > 0 then
    perform consensus.settle_clips(v_clip_ids);
  end if;

  return cardinality(v_clip_ids);
end;
$$;

comment on function consensus.settle_due_clips(integer) is
'Settle up to p_limit clips whose rewards have been held long enough; returns how many.';

revoke all on function consensus.settle_due_clips(integer) from public, anon, authenticated, service_role;
