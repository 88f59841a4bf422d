-- Erase an account: from the commit on the person is no member, holds no role and has no name.
--
-- Here goes what is the person's alone; clips, promised money and the sign-in follow in jobs, which
-- find the row of identity.erasures. Profile and roles first, so that what the person has under way
-- is waited for; after that nothing is waited for (leases in use are left to the job), so that this
-- deadlocks with nobody. The profile's row stays, nameless, for what is kept names its id.
-- Money in a wallet, or promised to it, must be forfeited expressly; a debt is no obstacle. It is
-- looked for last, when what was waited for has committed; what is promised in that very moment is
-- given up by the job.
-- Locks the admin roles when the person holds one: the last admin stays.
-- Callers: identity.erase_my_account, identity.erase_account. Fails with wallet_not_empty, last_admin.

drop function if exists identity.erase(uuid, uuid, text, boolean, text);

create or replace function identity.erase(
  p_user_id uuid,
  p_requested_by uuid,
  p_reason text,
  p_forfeits boolean
)
returns public.account_erasure
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_money text;
  v_roles public.app_role[];
  v_erasure identity.erasures;
  v_is_first boolean;
begin
  insert into identity.erasures (user_id, requested_by, forfeits, erased_at)
  values (p_user_id, p_requested_by, p_forfeits, app.now())
  on conflict on constraint erasures_pkey do nothing;
  v_is_first := found;

  select * into strict v_erasure
  from identity.erasures as e
  where e.user_id = p_user_id;

  if not v_is_first then
    return row(v_erasure.user_id, v_erasure.erased_at, v_erasure.sign_in_deleted_at, v_erasure.forfeits);
  end if;

  if exists (select from identity.user_roles as r where r.user_id = p_user_id and r.role = 'admin') then
    perform
    from identity.user_roles as r
    where r.role = 'admin'
    order by r.user_id
    for update;

    if not exists (
      select
      from identity.user_roles as r
      where r.role = 'admin'
        and r.user_id <> p_user_id
        and app.is_member(r.user_id)
    ) then
      perform app.fail('last_admin');
    end if;
  end if;

  v_roles := array(
    select r.role
    from identity.user_roles as r
    where r.user_id = p_user_id
    order by r.role
  );
  perform identity.clear_person(p_user_id);

  select string_agg(
    format('%s: %s in the wallet, %s promised', a.currency, a.posted, ledger.promised_amount(a.id)),
    '; ' order by a.currency
  )
  into v_money
  from ledger.accounts as a
  where a.owner_id = p_user_id
    and (a.posted > 0 or ledger.promised_amount(a.id) > 0);

  if v_money is not null and not p_forfeits then
    perform app.fail('wallet_not_empty', v_money);
  end if;

  delete from consensus.leases as l
  where l.clip_id in (
    select o.clip_id
    from consensus.leases as o
    where o.reviewer_id = p_user_id
    for update skip locked
  )
    and l.reviewer_id = p_user_id;

  perform audit.record(
    'account_erased', 'user', p_user_id::text, p_reason,
    jsonb_build_object('roles', v_roles, 'forfeited', v_money is not null)
  );
  perform jobs.defer('identity:delete_sign_in', jsonb_build_object('user_id', p_user_id));

  return row(v_erasure.user_id, v_erasure.erased_at, v_erasure.sign_in_deleted_at, v_erasure.forfeits);
end;
$$;

comment on function identity.erase(uuid, uuid, text, boolean) is
'Erase an account; returns its erasure, also when it was erased before.';

revoke all on function identity.erase(uuid, uuid, text, boolean)
from public, anon, authenticated, service_role;
