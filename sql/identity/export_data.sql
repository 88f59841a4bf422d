-- Everything there is about a person, as one document; its shape is in docs/how-to/personal-data.md.
--
-- Other people are not in it: of a record about oneself the acting person's id is left out, and of
-- votes on one's clips only the clip's own result shows. Reads by index alone.
-- Callers: identity.export_my_data; operators, for somebody who cannot sign in.

create or replace function identity.export_data(p_user_id uuid)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object(
    'format', 'hub export 1',
    'exported_at', app.now(),
    'user_id', p_user_id,
    'account', (
      select jsonb_build_object(
        'email', u.email,
        'phone', u.phone,
        'email_confirmed_at', u.email_confirmed_at,
        'phone_confirmed_at', u.phone_confirmed_at,
        'last_sign_in_at', u.last_sign_in_at,
        'created_at', u.created_at,
        'user_metadata', u.raw_user_meta_data
      )
      from auth.users as u
      where u.id = p_user_id
    ),
    'profile', (select to_jsonb(p) from public.profiles as p where p.id = p_user_id),
    'preferences', (select to_jsonb(s) - 'user_id' from identity.private_profiles as s where s.user_id = p_user_id),
    'roles', (
      select coalesce(jsonb_agg(to_jsonb(r) - '{user_id,granted_by}'::text[] order by r.role), '[]')
      from identity.user_roles as r
      where r.user_id = p_user_id
    ),
    'features', (
      select coalesce(jsonb_agg(to_jsonb(f) - 'user_id' order by f.flag), '[]')
      from flags.listed_users as f
      where f.user_id = p_user_id
    ),
    'clips', (
      select coalesce(jsonb_agg(to_jsonb(c) order by c.id), '[]')
      from public.clips as c
      where c.author_id = p_user_id
    ),
    'votes', (
      select coalesce(jsonb_agg(to_jsonb(v) - 'voter_id' order by v.created_at), '[]')
      from public.votes as v
      where v.voter_id = p_user_id
    ),
    'skips', (
      select coalesce(jsonb_agg(to_jsonb(s) - 'reviewer_id' order by s.created_at), '[]')
      from consensus.skips as s
      where s.reviewer_id = p_user_id
    ),
    'leases', (
      select coalesce(jsonb_agg(to_jsonb(l) - 'reviewer_id' order by l.expires_at), '[]')
      from consensus.leases as l
      where l.reviewer_id = p_user_id
    ),
    'decisions', (
      select coalesce(jsonb_agg(to_jsonb(d) - '{id,decided_by,tally}'::text[] order by d.id), '[]')
      from consensus.decisions as d
      where d.decided_by = p_user_id
    ),
    'reward_days', (
      select coalesce(jsonb_agg(to_jsonb(d) - 'user_id' order by d.day), '[]')
      from consensus.reward_days as d
      where d.user_id = p_user_id
    ),
    'withheld_rewards', (
      select coalesce(jsonb_agg(to_jsonb(w) - 'user_id' order by w.created_at), '[]')
      from consensus.withheld_rewards as w
      where w.user_id = p_user_id
    ),
    'wallets', (
      select coalesce(jsonb_agg(jsonb_build_object(
        'currency', a.currency,
        'posted', a.posted,
        'held', a.held,
        'pending', ledger.promised_amount(a.id),
        'created_at', a.created_at
      ) order by a.currency), '[]')
      from ledger.accounts as a
      where a.owner_id = p_user_id
    ),
    'statement', (
      select coalesce(jsonb_agg(
        to_jsonb(e) - '{account_id,owner_id,transfer_id}'::text[] || jsonb_build_object('currency', a.currency)
        order by a.currency, e.version
      ), '[]')
      from ledger.accounts as a
      inner join ledger.entries as e on e.account_id = a.id
      where a.owner_id = p_user_id
    ),
    'requests', (
      select coalesce(jsonb_agg(
        jsonb_build_object('door', k.door, 'idempotency_key', k.key, 'created_at', k.created_at) order by k.created_at
      ), '[]')
      from app.idempotency_keys as k
      where k.user_id = p_user_id
    ),
    'setting_changes', (
      select coalesce(jsonb_agg(
        to_jsonb(c) - '{proposed_by,decided_by}'::text[]
        || jsonb_build_object('proposed', c.proposed_by = p_user_id, 'decided', c.decided_by is not distinct from p_user_id)
        order by c.id
      ), '[]')
      from settings.changes as c
      where c.proposed_by = p_user_id
        or c.decided_by = p_user_id
    ),
    'record', (
      select coalesce(jsonb_agg(to_jsonb(r) order by r.at, r.action), '[]')
      from (
        select e.at, e.action, e.subject_type, e.subject_id, e.reason, true as acted
        from audit.events as e
        where e.actor_id = p_user_id
        union all
        select e.at, e.action, e.subject_type, e.subject_id, e.reason, false
        from audit.events as e
        where e.subject_type = 'user'
          and e.subject_id = p_user_id::text
          and e.actor_id is distinct from p_user_id
        union all
        select e.at, e.action, e.subject_type, e.subject_id, e.reason, false
        from audit.events as e
        where e.subject_type = 'flag'
          and e.details ->> 'user_id' = p_user_id::text
          and e.actor_id is distinct from p_user_id
      ) as r
    )
  );
$$;

comment on function identity.export_data(uuid) is 'Everything there is about a person, as one document.';

revoke all on function identity.export_data(uuid) from public, anon, authenticated, service_role;
