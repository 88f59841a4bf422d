-- Leaving: who asked for their account to be erased, and how far it is done.
--
-- A row is the erasure: from its commit on the person is no member any more. What takes locks of
-- other domains, and the sign-in at Supabase Auth, follows in jobs (docs/how-to/personal-data.md).

create table identity.erasures (
  user_id uuid primary key,
  requested_by uuid not null,
  forfeits boolean not null,
  erased_at timestamptz not null,
  sign_in_deleted_at timestamptz,
  finished_at timestamptz,
  lease_id uuid,
  lease_expires_at timestamptz,

  constraint erasures_lease_is_whole check ((lease_id is null) = (lease_expires_at is null))
);
alter table identity.erasures enable row level security;

create index erasures_open_idx on identity.erasures (erased_at) where finished_at is null;

comment on table identity.erasures is 'Erased accounts, by id alone. Kept, so that a restored backup can be cleaned again.';
comment on column identity.erasures.forfeits is 'Whether money left in the wallets goes to the platform.';
comment on column identity.erasures.sign_in_deleted_at is 'When Supabase Auth said that the user is gone.';
comment on column identity.erasures.finished_at is
'When nothing was found any more, a while after erased_at: what was under way then has committed.';
comment on column identity.erasures.lease_id is 'The try under way at Supabase Auth.';

create type public.account_erasure as (
  user_id uuid,
  erased_at timestamptz,
  sign_in_deleted_at timestamptz,
  forfeited boolean
);
comment on type public.account_erasure is
'An erased account. sign_in_deleted_at: when the sign-in was deleted too, some seconds later.';

insert into limits.rules (door, scope, burst, period)
values
('export_my_data', 'user', 10, '1 day'),
('export_my_data', 'ip', 200, '1 day'),
('erase_my_account', 'user', 10, '1 hour'),
('erase_my_account', 'ip', 200, '1 hour'),
('erase_account', 'user', 120, '10 minutes'),
('erase_account', 'ip', 600, '10 minutes'),
('seal_status', 'user', 120, '10 minutes'),
('seal_status', 'ip', 600, '10 minutes');
