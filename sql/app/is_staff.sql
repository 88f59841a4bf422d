-- Whether the caller is a moderator or admin. In policies: (select app.is_staff()).

create or replace function app.is_staff()
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
      and r.role in ('moderator', 'admin')
  );
$$;

comment on function app.is_staff() is
'Whether the caller is a moderator or admin now.';

revoke all on function app.is_staff() from public, anon, authenticated, service_role;
grant execute on function app.is_staff() to anon, authenticated, service_role;
