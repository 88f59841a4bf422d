-- Whether the caller is a moderator or admin, and still a member: a banned one sees
-- nothing from that moment, whatever their token says. In policies write
-- (select app.is_staff()), so that it is asked once per query. Never null.

create or replace function app.is_staff()
returns boolean
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
  select exists (
    select
    from identity.user_roles as r
    where r.user_id = auth.uid()
      and r.role in ('moderator', 'admin')
      and app.is_member(r.user_id)
  );
$$;

comment on function app.is_staff() is
'Whether the caller is a moderator or admin now.';

revoke all on function app.is_staff() from public, anon, authenticated, service_role;
grant execute on function app.is_staff() to anon, authenticated, service_role;
