-- Write the audit row of what an operator does to the queue; refuses one without a reason.
--
-- Operators share the owner's login, so the row names the person as hub was told (--as, else the
-- account it ran under) beside the database role. Callers: the operators' functions of this schema.

create or replace function jobs.record_operation(
  p_action text,
  p_subject_type text,
  p_subject_id text,
  p_reason text,
  p_operator text,
  p_details jsonb default '{}'
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  if coalesce(btrim(p_reason), '') = '' then
    raise internal_error using message = 'say why: this needs a reason';
  end if;

  perform audit.record(
    p_action => p_action,
    p_subject_type => p_subject_type,
    p_subject_id => p_subject_id,
    p_reason => p_reason,
    p_details => p_details || jsonb_build_object(
      'operator', coalesce(nullif(btrim(p_operator), ''), session_user), 'login', session_user
    )
  );
end;
$$;

comment on function jobs.record_operation(text, text, text, text, text, jsonb) is
'Audit what an operator did to the queue: who, what, why.';

revoke all on function jobs.record_operation(text, text, text, text, text, jsonb)
from public, anon, authenticated, service_role;
