-- Keep the answer under the key claimed in this transaction. It becomes visible to
-- repeats exactly when the work does.

create or replace function app.store_idempotent_response(
  p_user_id uuid,
  p_key text,
  p_response jsonb
)
returns void
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
  update app.idempotency_keys as k
  set response = p_response
  where k.user_id = p_user_id
    and k.key = p_key;
$$;

comment on function app.store_idempotent_response(uuid, text, jsonb) is
'Store the answer for the key claimed in this transaction.';

revoke all on function app.store_idempotent_response(uuid, text, jsonb) from public, anon, authenticated, service_role;
