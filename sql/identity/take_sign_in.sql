-- Take the deletion of an erased account's sign-in, if it is still due: take, call, settle.
--
-- Callers: the worker (identity:delete_sign_in). A second worker gets no row while the lease lasts.

create or replace function identity.take_sign_in(p_user_id uuid, p_lease interval)
returns table (lease_id uuid, user_id uuid)
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  update identity.erasures as e
  set
    lease_id = gen_random_uuid(),
    lease_expires_at = app.now() + p_lease
  where e.user_id = p_user_id
    and e.sign_in_deleted_at is null
    and (e.lease_expires_at is null or e.lease_expires_at <= app.now())
  returning e.lease_id, e.user_id;
$$;

comment on function identity.take_sign_in(uuid, interval) is
'Lease the deletion of a sign-in that is still due.';

revoke all on function identity.take_sign_in(uuid, interval) from public, anon, authenticated, service_role;
