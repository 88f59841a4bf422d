-- Whether a user is a member: e-mail or phone confirmed by Supabase Auth, not
-- anonymous, not banned, not deleted, not erased. Read from auth.users, so it holds at once,
-- whatever an older token says. Rules only; clients read me().is_member.

create or replace function app.is_member(p_user_id uuid)
returns boolean
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
  select exists (
    select
    from auth.users as u
    where u.id = p_user_id
      and (u.email_confirmed_at is not null or u.phone_confirmed_at is not null)
      and u.is_anonymous is not true
      and u.deleted_at is null
      and (u.banned_until is null or u.banned_until <= app.now())
      and not exists (select from identity.erasures as e where e.user_id = u.id)
  );
$$;

comment on function app.is_member(uuid) is
'Whether a user may do what members do.';

revoke all on function app.is_member(uuid) from public, anon, authenticated, service_role;
