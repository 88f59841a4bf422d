-- Secrets that rules in SQL need: names and versions here, values in Supabase Vault.
--
-- Where there is no Vault an operator must switch on another place by name; until then there is
-- none, and asking for a secret fails and says so. A value stands in a table of its own without
-- constraints, so that no error can quote it.

create schema secrets;

comment on schema secrets is 'Secrets by name and version. Not exposed.';

revoke all on schema secrets from public;

create table secrets.settings (
  singleton boolean primary key default true,
  provider text not null default 'none',

  constraint settings_has_one_row check (singleton),
  constraint settings_provider_known check (provider in ('none', 'table'))
);
alter table secrets.settings enable row level security;

comment on table secrets.settings is 'Where values are kept when there is no Supabase Vault.';
comment on column secrets.settings.provider is
'none: nowhere; table: as they are in secrets.stored_values, so backups hold them too.';

insert into secrets.settings (provider)
values ('none');

create table secrets.versions (
  id bigint generated always as identity primary key,
  name text not null,
  vault_id uuid,
  created_at timestamptz not null default now(),
  retired_at timestamptz,

  constraint versions_name_is_a_name check (name ~ '^[a-z][a-z0-9_]{0,62}$')
);
alter table secrets.versions enable row level security;

create index versions_active_idx on secrets.versions (name, id) where retired_at is null;

comment on table secrets.versions is
'Every secret there was, by name. Several may be active: a new one is added before an old one is retired.';
comment on column secrets.versions.vault_id is 'Its row in the Vault; null when the value is in secrets.stored_values.';

create table secrets.stored_values (
  version_id bigint primary key references secrets.versions (id) on delete restrict,
  value text
);
alter table secrets.stored_values enable row level security;

comment on table secrets.stored_values is
'Values, readable by the owner alone. Empty unless an operator chose the provider table.';
