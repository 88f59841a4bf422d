-- People and reviewing rules for the votes bench. Sizes come from the settings bench.lanes,
-- bench.voters and bench.authors (the last two per lane).
--
-- Person n of lane l is md5('person ' || l * (voters + authors) + n); the first ones of a
-- lane vote, the others are authors. Ten agreeing votes decide, so one vote in ten does. Their
-- allowance is larger than any run: each call is counted, none refused.

insert into auth.users (id, email, email_confirmed_at)
select
  md5('person ' || n)::uuid,
  'person' || n || '@bench.invalid',
  now()
from generate_series(
    0,
    current_setting('bench.lanes')::integer
    * (current_setting('bench.voters')::integer + current_setting('bench.authors')::integer) - 1
  ) as n;

update consensus.kinds as k
set
  min_votes = 10,
  max_votes = 15,
  daily_reward_cap = 1000000000,
  settle_after = '0'
where k.kind = 'voice';

update limits.rules as r
set
  burst = 8000000,
  period = '1 day'
where true;

select ledger.fund_reward_pool('USD', 1000000000000);

select ledger.open_wallets(array(select p.id from public.profiles as p), 'USD');
