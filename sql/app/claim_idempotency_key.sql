-- Claim a caller's key for one request: null when the work is to be done now, else
-- the answer it had before.
--
-- The key's row is inserted in the caller's own transaction, so a second call at the
-- same time waits on it: it then finds the committed answer, or, if the first call
-- failed, does the work itself. Without a key there is nothing to remember.
-- Finish with app.store_idempotent_response. Keys are per caller.
-- Fails with idempotency_key_reused (other door or other request),
-- idempotency_key_in_use (waited five seconds), invalid_input.

create or replace function app.claim_idempotency_key(
  p_user_id uuid,
  p_key text,
  p_door text,
  p_request jsonb
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '5s'
as $$
declare
  v_digest bytea := sha256(convert_to(p_request::text, 'UTF8'));
  v_known app.idempotency_keys;
begin
  if p_key is null then
    return null;
  end if;

  if length(p_key) not between 1 and 255 then
    perform app.fail('invalid_input', 'idempotency_key: 1 to 255 characters');
  end if;

  begin
    insert into app.idempotency_keys (user_id, key, door, request_digest, created_at)
    values (p_user_id, p_key, p_door, v_digest, app.now())
    on conflict on constraint idempotency_keys_pkey do nothing;
  exception when lock_not_available then
    perform app.fail('idempotency_key_in_use', p_headers => '{"Retry-After": "1"}');
  end;

  if found then
    return null;
  end if;

  select k.*
  into strict v_known
  from app.idempotency_keys as k
  where k.user_id = p_user_id
    and k.key = p_key;

  if v_known.door <> p_door or v_known.request_digest <> v_digest then
    perform app.fail('idempotency_key_reused');
  end if;

  perform set_config('response.headers', '[{"Idempotent-Replayed": "true"}]', true);
  return v_known.response;
end;
$$;

comment on function app.claim_idempotency_key(uuid, text, text, jsonb) is
'Null when the request is new, else its stored answer.';

revoke all on function app.claim_idempotency_key(uuid, text, text, jsonb) from public, anon, authenticated, service_role;
