-- Queue the deletion of a sign-in again when it is due and nobody is at it: a worker of an older
-- release, which does not know the task, may have ended the job.
--
-- Not while a job waits or runs, a try is under way, or a dead letter asks for an operator.
-- Callers: identity.finish_erasures.

create or replace function identity.chase_sign_in(p_erasure identity.erasures)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_erasure.erased_at >= app.now() - interval '1 minute'
    or p_erasure.lease_expires_at > app.now()
    or exists (
      select
      from procrastinate.procrastinate_jobs as j
      where j.status in ('todo', 'doing')
        and j.task_name = 'identity:delete_sign_in'
        and j.args ->> 'user_id' = p_erasure.user_id::text
    )
    or exists (
      select
      from jobs.dead_letters as d
      where d.task = 'identity:delete_sign_in'
        and d.args ->> 'user_id' = p_erasure.user_id::text
        and d.redriven_at is null
    )
  then
    return;
  end if;

  perform jobs.defer('identity:delete_sign_in', jsonb_build_object('user_id', p_erasure.user_id));
end;
$$;

comment on function identity.chase_sign_in(identity.erasures) is
'Defer the deletion of an erased person''s sign-in again when its job was lost.';

revoke all on function identity.chase_sign_in(identity.erasures) from public, anon, authenticated, service_role;
