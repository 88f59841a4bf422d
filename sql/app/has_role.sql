-- Whether the caller holds a role, read from the table on every call: a revoked role
-- ends at once. In policies write (select app.has_role('admin')), so that it is
-- asked once per query. False, never null, for callers without an id.

create or replace function app.has_role(p_role public.app_role)
returns boolean
language sql
stable
security definer
set search_path = ''
as $$
  select exists (
    select
    from identity.user_roles as r
    where r.user_id = auth.uid()
      and r.role = p_role
  );
$$;

comment on function app.has_role(public.app_role) is
'Whether the caller holds a role now.';

revoke all on function app.has_role(public.app_role) from public, anon, authenticated, service_role;
grant execute on function app.has_role(public.app_role) to anon, authenticated, service_role;
