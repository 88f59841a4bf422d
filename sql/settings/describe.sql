-- A change as admins see it: a proposal whose time is over shows as expired.
--
-- Callers: the doors of this domain.

create or replace function settings.describe(p_change settings.changes)
returns public.setting_change
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select
    p_change.id,
    p_change.name,
    p_change.old_value,
    p_change.new_value,
    case
      when p_change.state = 'proposed' and p_change.expires_at <= app.now() then 'expired'
      else p_change.state
    end,
    p_change.reason,
    p_change.proposed_by,
    p_change.proposed_at,
    p_change.expires_at,
    p_change.decided_by,
    p_change.decided_at;
$$;

comment on function settings.describe(settings.changes) is
'A change of a setting with its state now.';

revoke all on function settings.describe(settings.changes) from public, anon, authenticated, service_role;
