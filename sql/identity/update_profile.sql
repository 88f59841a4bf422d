-- Change one's own profile. A null argument leaves its field as it is; an empty text
-- empties display_name, avatar_path and bio.
--
-- Idempotent by nature, hence without a key. Dropped first: what it returns had another shape in
-- the release before, and both change in one transaction.
-- Callers: members. Fails with rate_limited, invalid_input, handle_taken.

drop function if exists public.update_profile(text, text, text, text, text, text);
drop function if exists identity.update_profile(text, text, text, text, text, text);

create or replace function identity.update_profile(
  p_handle text,
  p_display_name text,
  p_avatar_path text,
  p_bio text,
  p_locale text,
  p_timezone text
)
returns public.me
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_user_id uuid := app.require_member();
  v_handle text := lower(app.require_text('handle', p_handle, 0, 30));
  v_display_name text := app.require_text('display_name', p_display_name, 0, 80);
  v_avatar_path text := app.require_text('avatar_path', p_avatar_path, 0, 400);
  v_bio text := app.require_text('bio', p_bio, 0, 1000);
  v_locale text := app.require_text('locale', p_locale, 0, 35);
  v_timezone text := app.require_text('timezone', p_timezone, 0, 60);
begin
  perform limits.spend('update_profile');

  if v_handle !~ '^[a-z0-9_]{3,30}$' then
    perform app.fail('invalid_input', 'handle: 3 to 30 of a-z, 0-9 and _');
  end if;
  if v_avatar_path is not null
    and (not starts_with(v_avatar_path, v_user_id || '/') or v_avatar_path ~ '(^|/)\.{0,2}(/|$)') then
    perform app.fail('invalid_input', 'avatar_path: inside your own folder, <your id>/…');
  end if;
  if v_locale !~ '^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$' then
    perform app.fail('invalid_input', 'locale: a BCP 47 tag such as en or pt-BR');
  end if;
  if not identity.is_timezone(v_timezone) then
    perform app.fail('invalid_input', 'timezone: an IANA name such as Africa/Accra');
  end if;

  -- asked again under the lock: an erasure may have been waited for
  perform
  from public.profiles as p
  where p.id = v_user_id
  for no key update;
  perform app.require_member();

  update public.profiles as p
  set
    handle = coalesce(v_handle, p.handle),
    display_name = case when p_display_name is null then p.display_name else coalesce(v_display_name, '') end,
    avatar_path = case when p_avatar_path is null then p.avatar_path else v_avatar_path end,
    bio = case when p_bio is null then p.bio else coalesce(v_bio, '') end,
    updated_at = app.now()
  where p.id = v_user_id;

  update identity.private_profiles as s
  set
    locale = coalesce(v_locale, s.locale),
    timezone = coalesce(v_timezone, s.timezone)
  where s.user_id = v_user_id;

  return identity.me();
exception when unique_violation then
  perform app.fail('handle_taken');
  return null;
end;
$$;

create or replace function public.update_profile(
  handle text default null,
  display_name text default null,
  avatar_path text default null,
  bio text default null,
  locale text default null,
  timezone text default null
)
returns public.me
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  select identity.update_profile(
    update_profile.handle,
    update_profile.display_name,
    update_profile.avatar_path,
    update_profile.bio,
    update_profile.locale,
    update_profile.timezone
  );
$$;

comment on function identity.update_profile(text, text, text, text, text, text) is
'The rule behind the door public.update_profile.';
comment on function public.update_profile(text, text, text, text, text, text) is
'Change your profile; fields you leave out stay as they are. Returns me().';

revoke all on function identity.update_profile(text, text, text, text, text, text) from public, anon, authenticated, service_role;
revoke all on function public.update_profile(text, text, text, text, text, text) from public, anon, authenticated, service_role;
grant execute on function identity.update_profile(text, text, text, text, text, text) to authenticated;
grant execute on function public.update_profile(text, text, text, text, text, text) to authenticated;
