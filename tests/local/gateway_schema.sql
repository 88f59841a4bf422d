-- A schema of the gateway tests' own: one function for each way PostgREST calls and answers.

create table public.authors (
  id uuid primary key,
  name text not null
);

create table public.songs (
  id bigint generated always as identity primary key,
  author_id uuid references public.authors (id),
  title text not null,
  price numeric not null default 1.50,
  tags jsonb not null default '{"a": [1, 2]}',
  made_at timestamptz not null default '2026-01-02 03:04:05+00'
);

create table public.secrets (word text);

alter table public.authors enable row level security;
alter table public.songs enable row level security;
alter table public.secrets enable row level security;

create policy select_all on public.authors for select to authenticated using (true);
create policy select_all on public.songs for select to authenticated using (true);

revoke all on public.authors, public.songs, public.secrets from anon, authenticated, service_role;
grant select on public.authors, public.songs to authenticated;

insert into public.authors (id, name) values ('00000000-0000-7000-8000-000000000001', 'Ada');
insert into public.songs (author_id, title)
values
('00000000-0000-7000-8000-000000000001', 'alpha'),
('00000000-0000-7000-8000-000000000001', 'beta'),
(null, 'gamma');
insert into public.secrets (word) values ('plugh');

create type public.mood as enum ('glad', 'sad');
create type public.pair as (left_side int, right_side text);

create function public.add(a int, b int default 10) returns int
language sql immutable as 'select a + b';

create function public.kinds(
  doc jsonb, plain json, words text[], mood public.mood, at timestamptz, amount numeric
) returns jsonb
language sql immutable as $$
  select jsonb_build_object(
    'doc', jsonb_typeof(doc), 'plain', json_typeof(plain), 'words', cardinality(words),
    'mood', mood, 'at', at, 'amount', amount
  )
$$;

create function public.one_pair() returns public.pair
language sql immutable as $$ select row(1, 'x')::public.pair $$;

create function public.table_of_one() returns table (pgrst_c int)
language sql immutable as 'values (1), (2)';

create function public.some_songs() returns setof public.songs
language sql stable as 'select * from public.songs';

create function public.numbers() returns setof int
language sql immutable as 'values (1), (2), (3)';

create function public.nothing() returns void
language sql as '';

create function public.huge() returns bigint
language sql immutable as 'select 9007199254740993';

create function public.add_secret(word text) returns void
language sql security definer as 'insert into public.secrets values (word)';

create function public.stable_writer() returns void
language plpgsql stable security definer as $$
begin
  insert into public.secrets values ('never');
end
$$;

create function public.raw_json(json) returns text language sql immutable as 'select $1::text';
create function public.raw_text(text) returns int language sql immutable as 'select length($1)';
create function public.raw_bytes(bytea) returns text
language sql immutable as $$ select encode($1, 'hex') $$;

create function public.teapot() returns text
language sql as $$
  select set_config('response.status', '418', true);
  select set_config('response.headers', '[{"X-Kind": "teapot"}, {"X-Size": "small"}]', true);
  select 'short and stout'::text
$$;

create function public.caller() returns jsonb
language sql stable as $$
  select jsonb_build_object(
    'role', current_user,
    'login', session_user,
    'uid', auth.uid(),
    'claims', auth.jwt(),
    'method', current_setting('request.method', true),
    'path', current_setting('request.path', true),
    'headers', nullif(current_setting('request.headers', true), '')::jsonb,
    'cookies', nullif(current_setting('request.cookies', true), '')::jsonb,
    'search_path', current_setting('search_path'),
    'statement_timeout', current_setting('statement_timeout')
  )
$$;

create view public.caller_view with (security_invoker = true) as
select public.caller() as said;
grant select on public.caller_view to anon, authenticated;

create function public.fail(kind text) returns void
language plpgsql as $$
begin
  case kind
    when 'plain' then raise exception 'oops' using detail = 'the detail', hint = 'the hint';
    when 'json' then
      raise sqlstate 'PGRST' using
        message = '{"code": "own_clip", "message": "m", "details": "d", "hint": "h"}',
        detail = '{"status": 429, "headers": {"Retry-After": "30"}}';
    when 'bad json' then raise sqlstate 'PGRST' using message = 'nonsense';
    when 'PT409' then raise sqlstate 'PT409' using message = 'taken', hint = 'another';
    when 'denied' then perform count(*) from public.secrets;
    else execute format('do $do$ begin raise sqlstate %L; end $do$', kind);
  end case;
end
$$;
