-- A new value of a setting, written as its type is, or a refusal that says what it may be.
--
-- Callers: settings.change_setting, settings.approve_setting_change (bounds may have moved since).
-- The limits of the doors that change settings stay passable, or one mistake could not be mended.
-- Fails with setting_not_found, invalid_input.

create or replace function settings.require_value(p_name text, p_value text)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_value text := app.require_text('value', p_value, 1, 200);
  v_setting record;
  v_rate text[];
  v_longest constant integer := case
    when p_name ~ '^limits[.](change_setting|approve_setting_change|reject_setting_change)[.]' then 600
    else 86400
  end;
begin
  select c.*
  into v_setting
  from settings.current() as c
  where c.name = p_name;

  if not found then
    perform app.fail('setting_not_found');
  end if;

  case v_setting.type
    when 'text' then
      if v_value !~ v_setting.pattern then
        perform app.fail('invalid_input', format('value: text like %s', v_setting.pattern));
      end if;
    when 'rate' then
      v_rate := regexp_match(v_value, '^0*([0-9]{1,9}) per 0*([0-9]{1,9}) s$');
      if (v_rate[1]::bigint between v_setting.lowest and v_setting.highest and v_rate[2]::bigint between 1 and v_longest) is not true then
        perform app.fail('invalid_input', format(
          'value: %s to %s per 1 to %s s, such as 60 per 120 s', v_setting.lowest, v_setting.highest, v_longest
        ));
      end if;
      v_value := format('%s per %s s', v_rate[1]::bigint, v_rate[2]::bigint);
    else
      if v_value !~ '^[0-9]{1,18}$' or v_value::bigint not between v_setting.lowest and v_setting.highest then
        perform app.fail('invalid_input', format('value: %s to %s', v_setting.lowest, v_setting.highest));
      end if;
      v_value := v_value::bigint::text;
  end case;

  return v_value;
end;
$$;

comment on function settings.require_value(text, text) is
'A setting''s new value in its canonical form, or a refusal.';

revoke all on function settings.require_value(text, text) from public, anon, authenticated, service_role;
