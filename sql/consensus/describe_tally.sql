-- A tally in words, for the author: "2 valid, 1 invalid".

create or replace function consensus.describe_tally(p_tally integer[], p_labels text[])
returns text
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select 'Votes: ' || string_agg(t.votes || ' ' || t.label, ', ' order by t.votes desc, t.place)
  from unnest(p_tally, p_labels) with ordinality as t (votes, label, place);
$$;

comment on function consensus.describe_tally(integer[], text[]) is
'A tally in words.';

revoke all on function consensus.describe_tally(integer[], text[]) from public, anon, authenticated, service_role;
