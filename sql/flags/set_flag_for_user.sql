-- Put a person on a flag's list, or take them off it. Doing it again changes nothing.
--
-- Callers: admins. Audited. Fails with not_permitted, rate_limited, flag_not_found,
-- user_not_found, invalid_input, idempotency_key_reused, idempotency_key_in_use.

create or replace function flags.set_flag_for_user(
  p_flag text,
  p_user_id uuid,
  p_is_listed boolean,
  p_reason text,
  p_idempotency_key text
)
returns public.feature_flag
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_admin_id uuid := app.require_role('admin');
  v_key text := app.idempotency_key(p_idempotency_key);
  v_flag_name text := app.require_text('flag', p_flag, 1, 63);
  v_reason text := app.require_text('reason', p_reason, 1, 2000);
  v_answer jsonb;
  v_flag flags.flags;
begin
  perform limits.spend('set_flag_for_user');

  if p_is_listed is null then
    perform app.fail('invalid_input', 'is_listed: true or false');
  end if;

  v_answer := app.claim_idempotency_key(v_admin_id, v_key, 'set_flag_for_user', jsonb_build_object(
    'flag', v_flag_name, 'user_id', p_user_id, 'is_listed', p_is_listed, 'reason', v_reason
  ));
  if v_answer is not null then
    return jsonb_populate_record(null::public.feature_flag, v_answer);
  end if;

  select f.*
  into v_flag
  from flags.flags as f
  where f.flag = v_flag_name
  for no key update;

  if not found then
    perform app.fail('flag_not_found');
  end if;
  if not exists (select from public.profiles as p where p.id = p_user_id)
    or exists (select from identity.erasures as e where e.user_id = p_user_id) then
    perform app.fail('user_not_found');
  end if;

  if p_is_listed then
    insert into flags.listed_users (flag, user_id, listed_at)
    values (v_flag_name, p_user_id, app.now())
    on conflict do nothing;
  else
    delete from flags.listed_users as l
    where l.flag = v_flag_name
      and l.user_id = p_user_id;
  end if;

  if found then
    perform audit.record(
      'flag_list_changed', 'flag', v_flag_name, v_reason,
      jsonb_build_object('user_id', p_user_id, 'is_listed', p_is_listed)
    );
  end if;
  perform app.store_idempotent_response(v_admin_id, v_key, to_jsonb(flags.describe(v_flag)));
  return flags.describe(v_flag);
end;
$$;

create or replace function public.set_flag_for_user(
  flag text,
  user_id uuid,
  is_listed boolean,
  reason text,
  idempotency_key text default null
)
returns public.feature_flag
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  select flags.set_flag_for_user(
    set_flag_for_user.flag,
    set_flag_for_user.user_id,
    set_flag_for_user.is_listed,
    set_flag_for_user.reason,
    set_flag_for_user.idempotency_key
  );
$$;

comment on function flags.set_flag_for_user(text, uuid, boolean, text, text) is
'The rule behind the door public.set_flag_for_user.';
comment on function public.set_flag_for_user(text, uuid, boolean, text, text) is
'Admins: put a person on a flag''s list or take them off it, with a reason.';

revoke all on function flags.set_flag_for_user(text, uuid, boolean, text, text) from public, anon, authenticated, service_role;
revoke all on function public.set_flag_for_user(text, uuid, boolean, text, text) from public, anon, authenticated, service_role;
grant execute on function flags.set_flag_for_user(text, uuid, boolean, text, text) to authenticated;
grant execute on function public.set_flag_for_user(text, uuid, boolean, text, text) to authenticated;
