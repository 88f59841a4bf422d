-- People for the idempotency bench, bench.people of them: person n is md5('person ' || n).

insert into auth.users (id, email, email_confirmed_at)
select
  md5('person ' || n)::uuid,
  'person' || n || '@bench.invalid',
  now()
from generate_series(0, current_setting('bench.people')::integer - 1) as n;

update limits.rules as r
set
  burst = 8000000,
  period = '1 day'
where true;
