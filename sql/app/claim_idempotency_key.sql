-- Claim a caller's key for one request: null when the work is to be done now, else
-- the answer it had before.
--
-- The key's row is inserted in the caller's own transaction, so a second call at the
-- same time waits on it: it then finds the committed answer, or, if the first call
-- failed, does the work itself. Without a key there is nothing to remember.
-- The request is an object of the door's arguments by name. Only a salted digest of each is
-- kept: enough to tell which one differs, and no value of a person's stays here.
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
  v_request jsonb;
  v_known app.idempotency_keys;
begin
  if p_key is null then
    return null;
  end if;

  if length(p_key) not between 1 and 255 then
    perform app.fail('invalid_input', 'idempotency_key: 1 to 255 characters');
  end if;

  select coalesce(jsonb_object_agg(
    f.field,
    left(encode(sha256(convert_to(p_user_id || ' ' || p_key || ' ' || f.value, 'UTF8')), 'hex'), 32)
  ), '{}')
  into v_request
  from jsonb_each(p_request) as f (field, value);

  loop
    begin
      insert into app.idempotency_keys (user_id, key, door, request_digest, request, created_at)
      values (p_user_id, p_key, p_door, sha256(convert_to(v_request::text, 'UTF8')), v_request, app.now())
      on conflict on constraint idempotency_keys_pkey do nothing;
    exception when lock_not_available then
      perform app.fail('idempotency_key_in_use', p_headers => '{"Retry-After": "1"}');
    end;

    if found then
      return null;
    end if;

    select k.*
    into v_known
    from app.idempotency_keys as k
    where k.user_id = p_user_id
      and k.key = p_key;

    -- Not found: purged in between, so the key is free again.
    exit when found;
  end loop;

  if v_known.door <> p_door then
    perform app.fail('idempotency_key_reused', 'used at ' || v_known.door);
  end if;
  -- A row of the release before does not know its fields; its door has to do.
  if v_known.request <> v_request then
    perform app.fail('idempotency_key_reused', (
      select 'differs in ' || string_agg(coalesce(n.key, o.key), ', ' order by coalesce(n.key, o.key))
      from jsonb_each(v_request) as n
      full join jsonb_each(v_known.request) as o on o.key = n.key
      where o.value is distinct from n.value
    ));
  end if;

  perform set_config('response.headers', '[{"Idempotent-Replayed": "true"}]', true);
  return v_known.response;
end;
$$;

comment on function app.claim_idempotency_key(uuid, text, text, jsonb) is
'Null when the request is new, else its stored answer.';

revoke all on function app.claim_idempotency_key(uuid, text, text, jsonb) from public, anon, authenticated, service_role;
