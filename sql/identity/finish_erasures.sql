-- Do what an erasure leaves to the job, at most p_limit rows of each kind for one person; returns
-- how much was done.
--
-- What identity.clear_person clears, again; leases, clips and skips of the person; money and promises
-- (who kept theirs had none at the erasure: what is there came in that very moment). A clip is
-- withdrawn from everybody's sight and loses what the person said, wrote and uploaded; its votes,
-- decisions and bookings stay. Everything is locked in the order of the house, the item first.
-- An erasure is finished when a minute later nothing is found any more, the sign-in included: calls
-- that were under way have committed by then (they end after eight seconds). One that fails is
-- reported and does not stop the others. The worker calls it every minute until it
-- returns 0, a transaction each. Callers: the worker.

create or replace function identity.finish_erasures(p_limit integer)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_erasure identity.erasures;
  v_clip_ids uuid[];
  v_count integer;
  v_done integer;
begin
  for v_erasure in
    select *
    from identity.erasures as e
    where e.finished_at is null
    order by e.erased_at
    for no key update skip locked
  loop
    begin
      v_done := identity.clear_person(v_erasure.user_id);

      delete from consensus.leases as l
      where l.clip_id in (
        select o.clip_id
        from consensus.leases as o
        where o.reviewer_id = v_erasure.user_id
        limit p_limit
        for update skip locked
      )
        and l.reviewer_id = v_erasure.user_id;
      get diagnostics v_count = row_count;
      v_done := v_done + v_count;

      delete from consensus.skips as s
      where s.reviewer_id = v_erasure.user_id
        and s.clip_id in (
          select o.clip_id
          from consensus.skips as o
          where o.reviewer_id = v_erasure.user_id
          limit p_limit
        );
      get diagnostics v_count = row_count;
      v_done := v_done + v_count;

      v_clip_ids := array(
        select i.clip_id
        from consensus.items as i
        where i.clip_id in (
          select c.id
          from public.clips as c
          where c.author_id = v_erasure.user_id
            and not starts_with(c.media_path, 'erased/')
          order by c.id
          limit p_limit
        )
        order by i.clip_id
        for no key update
      );

      update public.clips as c
      set
        media_path = 'erased/' || c.id,
        prompt = '',
        transcript = null,
        is_hidden = true,
        published_at = null,
        version = c.version + 1
      where c.id = any (v_clip_ids);
      get diagnostics v_count = row_count;
      v_done := v_done + v_count;

      v_done := v_done + identity.forfeit_money(v_erasure.user_id, p_limit);

      if v_done > 0 then
        return v_done;
      end if;

      if v_erasure.sign_in_deleted_at is null then
        perform identity.chase_sign_in(v_erasure);
        continue;
      end if;

      update identity.erasures as e
      set finished_at = app.now()
      where e.user_id = v_erasure.user_id
        and e.erased_at < app.now() - interval '1 minute'
        and not exists (
          select
          from ledger.accounts as a
          where a.owner_id = e.user_id
            and (a.posted > 0 or a.held > 0 or ledger.promised_amount(a.id) > 0)
        );
    exception when others then
      raise warning 'erasure of %: %', v_erasure.user_id, sqlerrm;
    end;
  end loop;

  return 0;
end;
$$;

comment on function identity.finish_erasures(integer) is
'Withdraw clips and give up money of erased accounts, a bounded step; returns how much was done.';

revoke all on function identity.finish_erasures(integer) from public, anon, authenticated, service_role;
