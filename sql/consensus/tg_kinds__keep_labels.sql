-- Labels of a kind are only added, at the end: tallies count by place.
--
-- Also refuses a label given twice. Fails with invalid_input.

create or replace function consensus.tg_kinds__keep_labels()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if tg_op = 'UPDATE' and new.labels[1:cardinality(old.labels)] <> old.labels then
    perform app.fail('invalid_input', 'labels: add new ones at the end, keep the others');
  end if;
  if (select count(distinct l.label) from unnest(new.labels) as l (label)) <> cardinality(new.labels) then
    perform app.fail('invalid_input', 'labels: each once');
  end if;

  return new;
end;
$$;

comment on function consensus.tg_kinds__keep_labels() is
'Lets the labels of a kind grow at the end only.';

revoke all on function consensus.tg_kinds__keep_labels() from public, anon, authenticated, service_role;

create or replace trigger _100_keep_labels
before insert or update of labels on consensus.kinds
for each row execute function consensus.tg_kinds__keep_labels();
