-- Write one audit row about what is happening in this transaction.
--
-- Callers: rules. The actor is the signed-in user, or nobody when the system acts;
-- an operator at psql is seen by the database role.

create or replace function audit.record(
  p_action text,
  p_subject_type text,
  p_subject_id text,
  p_reason text default null,
  p_details jsonb default '{}'
)
returns void
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
  insert into audit.events (
    at, actor_id, actor_role, action, subject_type, subject_id, reason, details, request_id
  )
  values (
    app.now(),
    auth.uid(),
    coalesce(auth.role(), session_user),
    p_action,
    p_subject_type,
    p_subject_id,
    p_reason,
    p_details,
    app.request_id()
  );
$$;

comment on function audit.record(text, text, text, text, jsonb) is
'Append an audit row: who, what, when, why, in which request.';

revoke all on function audit.record(text, text, text, text, jsonb) from public, anon, authenticated, service_role;
