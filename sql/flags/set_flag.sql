-- Make a feature flag or change one: its switch, its percentage, what it is for.
--
-- A null argument leaves its value as it is; a new flag is off, for all, without words.
-- Callers: admins. Audited with what was before. Fails with not_permitted, rate_limited,
-- invalid_input, idempotency_key_reused, idempotency_key_in_use.

create or replace function flags.set_flag(
  p_flag text,
  p_is_on boolean,
  p_percentage numeric,
  p_description text,
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
  v_description text := app.require_text('description', p_description, 0, 500);
  v_reason text := app.require_text('reason', p_reason, 1, 2000);
  v_percentage numeric := trim_scale(p_percentage);
  v_answer jsonb;
  v_before flags.flags;
  v_flag flags.flags;
begin
  perform limits.spend('set_flag');

  if v_flag_name !~ '^[a-z][a-z0-9_]{0,62}$' then
    perform app.fail('invalid_input', 'flag: a to z, 0 to 9 and _, beginning with a letter');
  end if;
  if (p_percentage between 0 and 100) is false or p_percentage = 'NaN' then
    perform app.fail('invalid_input', 'percentage: 0 to 100');
  end if;
  if scale(v_percentage) > 2 then
    perform app.fail('invalid_input', 'percentage: two decimals at most');
  end if;

  v_answer := app.claim_idempotency_key(v_admin_id, v_key, 'set_flag', jsonb_build_object(
    'flag', v_flag_name, 'is_on', p_is_on, 'percentage', v_percentage,
    'description', v_description, 'reason', v_reason
  ));
  if v_answer is not null then
    return jsonb_populate_record(null::public.feature_flag, v_answer);
  end if;

  select f.*
  into v_before
  from flags.flags as f
  where f.flag = v_flag_name
  for no key update;

  insert into flags.flags as f (flag, is_on, percentage, description, created_at, updated_at)
  values (
    v_flag_name, coalesce(p_is_on, false), coalesce(v_percentage, 100), coalesce(v_description, ''),
    app.now(), app.now()
  )
  on conflict on constraint flags_pkey do update
  set
    is_on = coalesce(p_is_on, f.is_on),
    percentage = coalesce(v_percentage, f.percentage),
    description = case when p_description is null then f.description else coalesce(v_description, '') end,
    updated_at = app.now()
  returning f.* into v_flag;

  perform audit.record(
    'flag_set', 'flag', v_flag_name, v_reason,
    jsonb_build_object(
      'is_on', v_flag.is_on, 'percentage', v_flag.percentage,
      'was_on', v_before.is_on, 'was_percentage', v_before.percentage
    )
  );
  perform app.store_idempotent_response(v_admin_id, v_key, to_jsonb(flags.describe(v_flag)));
  return flags.describe(v_flag);
end;
$$;

create or replace function public.set_flag(
  flag text,
  reason text,
  is_on boolean default null,
  percentage numeric default null,
  description text default null,
  idempotency_key text default null
)
returns public.feature_flag
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  select flags.set_flag(
    set_flag.flag,
    set_flag.is_on,
    set_flag.percentage,
    set_flag.description,
    set_flag.reason,
    set_flag.idempotency_key
  );
$$;

comment on function flags.set_flag(text, boolean, numeric, text, text, text) is
'The rule behind the door public.set_flag.';
comment on function public.set_flag(text, text, boolean, numeric, text, text) is
'Admins: make or change a feature flag, with a reason. What you leave out stays as it is.';

revoke all on function flags.set_flag(text, boolean, numeric, text, text, text) from public, anon, authenticated, service_role;
revoke all on function public.set_flag(text, text, boolean, numeric, text, text) from public, anon, authenticated, service_role;
grant execute on function flags.set_flag(text, boolean, numeric, text, text, text) to authenticated;
grant execute on function public.set_flag(text, text, boolean, numeric, text, text) to authenticated;
