-- The record never changes: refuse update, delete and truncate, whoever asks.
--
-- Policies do not bind the owner or service_role; this does, also in a session that
-- calls itself a replica. Fails with append_only.

create or replace function audit.tg_events__refuse_change()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  perform app.fail('append_only', format('%s on %I.%I', lower(tg_op), tg_table_schema, tg_table_name));
  return null;
end;
$$;

comment on function audit.tg_events__refuse_change() is
'Refuses update, delete and truncate, whoever asks.';

revoke all on function audit.tg_events__refuse_change() from public, anon, authenticated, service_role;

create or replace trigger _100_refuse_change
before update or delete or truncate on audit.events
for each statement execute function audit.tg_events__refuse_change();

alter table audit.events enable always trigger _100_refuse_change;
