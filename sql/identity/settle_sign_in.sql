-- Record what Supabase Auth answered: delivered, it is gone; anything else leaves it due.
--
-- Deleting twice does no harm, so an unknown outcome is simply tried again. False when the lease
-- is not the current one any more. Callers: the worker.

create or replace function identity.settle_sign_in(
  p_lease_id uuid,
  p_outcome text,
  p_retry_at timestamptz default null,
  p_error jsonb default null
)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  update identity.erasures as e
  set
    sign_in_deleted_at = case when p_outcome = 'delivered' then app.now() end,
    lease_id = null,
    lease_expires_at = null
  where e.lease_id = p_lease_id;

  return found;
end;
$$;

comment on function identity.settle_sign_in(uuid, text, timestamptz, jsonb) is
'Record the outcome of deleting a sign-in; false when the lease was lost.';

revoke all on function identity.settle_sign_in(uuid, text, timestamptz, jsonb)
from public, anon, authenticated, service_role;
