-- Leave for good. Asking again changes nothing and answers the same, as long as the token lives.
--
-- Callers: members, for themselves; confirm is a sentence, so that no stray call does it.
-- Fails with not_authenticated, not_a_member, rate_limited, invalid_input, wallet_not_empty,
-- last_admin, idempotency_key_reused, idempotency_key_in_use.

create or replace function identity.erase_my_account(p_confirm text, p_idempotency_key text)
returns public.account_erasure
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_user_id uuid := app.user_id();
  v_key text := app.idempotency_key(p_idempotency_key);
  v_answer jsonb;
  v_erasure public.account_erasure;
begin
  if not exists (select from identity.erasures as e where e.user_id = v_user_id) then
    perform app.require_member();
  end if;
  perform limits.spend('erase_my_account');

  if p_confirm not in ('erase my account', 'erase my account and forfeit my balance') or p_confirm is null then
    perform app.fail(
      'invalid_input', 'confirm: "erase my account", or "erase my account and forfeit my balance"'
    );
  end if;

  v_answer := app.claim_idempotency_key(
    v_user_id, v_key, 'erase_my_account', jsonb_build_object('confirm', p_confirm)
  );
  if v_answer is not null then
    return jsonb_populate_record(null::public.account_erasure, v_answer);
  end if;

  v_erasure := identity.erase(
    v_user_id, v_user_id, null, p_confirm = 'erase my account and forfeit my balance'
  );
  perform app.store_idempotent_response(v_user_id, v_key, to_jsonb(v_erasure));
  return v_erasure;
end;
$$;

create or replace function public.erase_my_account(confirm text, idempotency_key text default null)
returns public.account_erasure
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  select identity.erase_my_account(erase_my_account.confirm, erase_my_account.idempotency_key);
$$;

comment on function identity.erase_my_account(text, text) is
'The rule behind the door public.erase_my_account.';
comment on function public.erase_my_account(text, text) is
'Erase your account for good. confirm is "erase my account", or, with money left, "erase my account and forfeit my balance".';

revoke all on function identity.erase_my_account(text, text) from public, anon, authenticated, service_role;
revoke all on function public.erase_my_account(text, text) from public, anon, authenticated, service_role;
grant execute on function identity.erase_my_account(text, text) to authenticated;
grant execute on function public.erase_my_account(text, text) to authenticated;
