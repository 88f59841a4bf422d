-- Erase somebody's account for them, with a reason: they asked, or must go.
--
-- Callers: admins. Fails with not_permitted, rate_limited, invalid_input, user_not_found,
-- wallet_not_empty, last_admin, idempotency_key_reused, idempotency_key_in_use.

create or replace function identity.erase_account(
  p_user_id uuid,
  p_reason text,
  p_forfeit boolean,
  p_idempotency_key text
)
returns public.account_erasure
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_admin_id uuid := app.require_role('admin');
  v_key text := app.idempotency_key(p_idempotency_key);
  v_reason text := app.require_text('reason', p_reason, 1, 2000);
  v_answer jsonb;
  v_erasure public.account_erasure;
begin
  perform limits.spend('erase_account');

  v_answer := app.claim_idempotency_key(v_admin_id, v_key, 'erase_account', jsonb_build_object(
    'user_id', p_user_id, 'reason', v_reason, 'forfeit', p_forfeit
  ));
  if v_answer is not null then
    return jsonb_populate_record(null::public.account_erasure, v_answer);
  end if;

  if not exists (select from public.profiles as p where p.id = p_user_id) then
    perform app.fail('user_not_found');
  end if;

  v_erasure := identity.erase(p_user_id, v_admin_id, v_reason, coalesce(p_forfeit, false));

  -- asked again: another admin may have been waited for, who erased this one or took the role
  if p_user_id <> v_admin_id then
    perform app.require_role('admin');
  end if;
  perform app.store_idempotent_response(v_admin_id, v_key, to_jsonb(v_erasure));
  return v_erasure;
end;
$$;

create or replace function public.erase_account(
  user_id uuid,
  reason text,
  forfeit boolean default false,
  idempotency_key text default null
)
returns public.account_erasure
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  select identity.erase_account(
    erase_account.user_id, erase_account.reason, erase_account.forfeit, erase_account.idempotency_key
  );
$$;

comment on function identity.erase_account(uuid, text, boolean, text) is
'The rule behind the door public.erase_account.';
comment on function public.erase_account(uuid, text, boolean, text) is
'Admins: erase somebody''s account, with a reason. forfeit: money left in it goes to the platform. Audited.';

revoke all on function identity.erase_account(uuid, text, boolean, text) from public, anon, authenticated, service_role;
revoke all on function public.erase_account(uuid, text, boolean, text) from public, anon, authenticated, service_role;
grant execute on function identity.erase_account(uuid, text, boolean, text) to authenticated;
grant execute on function public.erase_account(uuid, text, boolean, text) to authenticated;
