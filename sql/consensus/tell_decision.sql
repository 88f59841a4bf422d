-- Tell the author and everybody who voted that a clip's status changed; the author also
-- why.
--
-- Outbox rows in the deciding transaction; version lets clients drop what is older.
-- Callers: consensus.decide, consensus.reopen.

create or replace function consensus.tell_decision(p_clip public.clips)
returns void
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
  insert into jobs.outbox (topic, event, payload, request_id, traceparent, tracestate)
  select
    'user:' || t.user_id,
    'clip_decided',
    jsonb_build_object(
      'clip_id', p_clip.id,
      'status', p_clip.status,
      'reason', case when t.user_id = p_clip.author_id then p_clip.status_reason end,
      'version', p_clip.version
    ),
    app.request_id(),
    (select app.traceparent()),
    (select app.tracestate())
  from (
    select p_clip.author_id as user_id
    union
    select v.voter_id
    from public.votes as v
    where v.clip_id = p_clip.id
  ) as t;
$$;

comment on function consensus.tell_decision(public.clips) is
'Queue clip_decided for the author and the voters.';

revoke all on function consensus.tell_decision(public.clips) from public, anon, authenticated, service_role;
