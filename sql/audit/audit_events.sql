-- What staff see of the record. Runs with the reader's own rights, so the policy on
-- audit.events decides: everybody else sees no rows.

create or replace view public.audit_events
with (security_invoker = true)
as
select
  e.id,
  e.at,
  e.actor_id,
  e.actor_role,
  e.action,
  e.subject_type,
  e.subject_id,
  e.reason,
  e.details,
  e.request_id
from audit.events as e;

comment on view public.audit_events is
'Staff: who did what to which thing, when and why. Empty for everybody else.';

revoke all on public.audit_events from public, anon, authenticated, service_role;
grant select on public.audit_events to authenticated, service_role;
