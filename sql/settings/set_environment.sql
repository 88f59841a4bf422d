-- Make a copy of one environment another, as when production is restored for staging; audited.
--
-- Callers: the owner, by hand, before any worker runs on the copy. Fails with invalid_input.

create or replace function settings.set_environment(p_environment text, p_reason text)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_reason text := app.require_text('reason', p_reason, 1, 2000);
  v_before text := (select d.environment from settings.deployment as d);
begin
  if (p_environment in ('local', 'test', 'production')) is not true then
    perform app.fail('invalid_input', 'environment: local, test or production');
  end if;

  insert into settings.deployment as d (environment)
  values (p_environment)
  on conflict (singleton) do update set environment = excluded.environment, stamped_at = app.now();

  perform audit.record(
    'environment_set', 'deployment', p_environment, v_reason,
    jsonb_build_object('from', v_before, 'to', p_environment)
  );
end;
$$;

comment on function settings.set_environment(text, text) is
'Owner: declare which environment this database belongs to, with a reason.';

revoke all on function settings.set_environment(text, text) from public, anon, authenticated, service_role;
