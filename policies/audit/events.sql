-- Staff read the record, through public.audit_events; rules alone write it.

drop policy if exists select_staff on audit.events;
create policy select_staff on audit.events
for select to authenticated
using ((select app.is_staff()));

revoke all on audit.events from public, anon, authenticated, service_role;
grant select on audit.events to authenticated, service_role;
