-- A seal never changes: refuse update, delete and truncate, whoever asks.
--
-- Who may switch triggers off can still do it; that shows against a head kept outside
-- (seals.verify). Fails with append_only.

create or replace function seals.tg_batches__refuse_change()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  perform app.fail('append_only', format('%s on %I.%I', lower(tg_op), tg_table_schema, tg_table_name));
  return null;
end;
$$;

comment on function seals.tg_batches__refuse_change() is
'Refuses update, delete and truncate, whoever asks.';

revoke all on function seals.tg_batches__refuse_change() from public, anon, authenticated, service_role;

create or replace trigger _100_refuse_change
before update or delete or truncate on seals.batches
for each statement execute function seals.tg_batches__refuse_change();

alter table seals.batches enable always trigger _100_refuse_change;
