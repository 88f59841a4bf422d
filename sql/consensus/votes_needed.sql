-- The least number of further votes that can decide a clip: 0 when its tally decides it.
--
-- The classic rule: the leading label has at least p_min_votes and more than half of
-- all votes. x more votes for the leader do it when lead + x >= min and
-- lead + x > others.

create or replace function consensus.votes_needed(p_tally integer[], p_min_votes integer)
returns integer
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select greatest(0, p_min_votes - max(t.votes), sum(t.votes) - 2 * max(t.votes) + 1)::integer
  from unnest(p_tally) as t (votes);
$$;

comment on function consensus.votes_needed(integer[], integer) is
'Votes still needed at least before a tally decides; 0 when it does. The classic rule lives here.';

revoke all on function consensus.votes_needed(integer[], integer) from public, anon, authenticated, service_role;
