-- The dead letters nobody has redriven yet that match every filter given, oldest first.
--
-- Null matches all; p_text is a part of the error's message. Callers: jobs.redrive_dead_letters();
-- operators, through hub jobs, for a dry run.

create or replace function jobs.find_dead_letters(
  p_id bigint default null,
  p_task text default null,
  p_stream text default null,
  p_error_class text default null,
  p_created_since timestamptz default null,
  p_created_before timestamptz default null,
  p_text text default null,
  p_after_id bigint default 0,
  p_limit integer default null
)
returns table (
  id bigint,
  what text,
  error_class text,
  created_at timestamptz
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select
    d.id,
    coalesce(d.task, d.stream || ' ' || d.event),
    d.error_class,
    d.created_at
  from jobs.dead_letters as d
  where d.redriven_at is null
    and d.id > p_after_id
    and (p_id is null or d.id = p_id)
    and (p_task is null or d.task = p_task)
    and (p_stream is null or d.stream = p_stream)
    and (p_error_class is null or d.error_class = p_error_class)
    and (p_created_since is null or d.created_at >= p_created_since)
    and (p_created_before is null or d.created_at < p_created_before)
    and (p_text is null or strpos(lower(d.error_message), lower(p_text)) > 0)
  order by d.id
  limit p_limit;
$$;

comment on function jobs.find_dead_letters(
  bigint, text, text, text, timestamptz, timestamptz, text, bigint, integer
) is
'Dead letters that wait for somebody, by filter, oldest first.';

revoke all on function jobs.find_dead_letters(
  bigint, text, text, text, timestamptz, timestamptz, text, bigint, integer
) from public, anon, authenticated, service_role;
