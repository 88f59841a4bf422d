-- Seals: append-only tables chained together in batches, so that a change can be proved.
--
-- Writers pay nothing for it but the column that names their transaction: a job seals what is
-- final. A row of seals.chains is all a further table needs, besides a last column
-- xid xid8 not null default pg_current_xact_id() and an index on (xid, id_column).

create schema seals;
grant usage on schema seals to authenticated;

comment on schema seals is
'Hash chains over append-only tables, and their proof.';

create table seals.chains (
  chain text primary key,
  id_column text not null default 'id',
  time_column text not null,
  cluster bigint,

  constraint chains_chain_is_a_table check (chain ~ '^[a-z_]+[.][a-z_]+$')
);
alter table seals.chains enable row level security;

comment on table seals.chains is
'The append-only tables that are sealed, one row each. Its row is the sealer''s lock.';
comment on column seals.chains.chain is 'The table, schema.name.';
comment on column seals.chains.id_column is
'A number that grows with every row; with xid, the row''s position.';
comment on column seals.chains.time_column is 'When the row was written: tells the age of what is not sealed yet.';
comment on column seals.chains.cluster is
'System identifier of the server the transaction ids now belong to; null before the first seal.';

create table seals.epochs (
  chain text not null references seals.chains (chain) on delete restrict,
  epoch integer not null,
  after_id bigint,
  upto_id bigint,

  constraint epochs_pkey primary key (chain, epoch),
  constraint epochs_ids_in_order check (upto_id > after_id)
);
alter table seals.epochs enable row level security;

comment on table seals.epochs is
'Stretches of ids whose transaction ids come from one server; a logical restore may begin a new one.';
comment on column seals.epochs.after_id is 'Ids above this one belong to the epoch; null for all from the first.';
comment on column seals.epochs.upto_id is 'The last id of the epoch; null while it goes on.';

create table seals.batches (
  chain text not null,
  seal_no bigint not null,
  epoch integer not null,
  after_id bigint,
  from_xid xid8,
  from_id bigint,
  to_xid xid8 not null,
  to_id bigint not null,
  max_id bigint not null,
  row_count bigint not null,
  columns text[] not null,
  rows_digest bytea not null,
  previous_digest bytea not null,
  digest bytea not null,
  sealed_at timestamptz not null,

  constraint batches_pkey primary key (chain, seal_no),
  constraint batches_epoch_known foreign key (chain, epoch)
  references seals.epochs (chain, epoch) on delete restrict,
  constraint batches_numbered_from_one check (seal_no >= 1),
  constraint batches_hold_rows check (row_count >= 1),
  constraint batches_from_is_whole check ((from_xid is null) = (from_id is null)),
  constraint batches_digests_are_sha256 check (
    length(rows_digest) = 32 and length(previous_digest) = 32 and length(digest) = 32
  )
);
alter table seals.batches enable row level security;

create index batches_epoch_idx on seals.batches (chain, epoch, seal_no);

comment on table seals.batches is
'Append-only: one seal over the rows after (from_xid, from_id) up to and including (to_xid, to_id).';
comment on column seals.batches.columns is 'What of each row the seal covers: all columns there were.';
comment on column seals.batches.after_id is 'As in the epoch, so that the digest covers it.';
comment on column seals.batches.max_id is 'The highest id among the sealed rows.';
comment on column seals.batches.rows_digest is
'SHA-256 over the rows'' own digests, in the order of position; see seals.digest_rows.';
comment on column seals.batches.digest is
'SHA-256 over all other columns, previous_digest among them; see seals.digest_batch.';

insert into seals.chains (chain, id_column, time_column)
values ('audit.events', 'id', 'at');

insert into seals.epochs (chain, epoch)
values ('audit.events', 1);

create type public.seal_state as (
  chain text,
  seal_no bigint,
  digest text,
  sealed_at timestamptz,
  unsealed_rows bigint,
  unsealed_seconds double precision
);
comment on type public.seal_state is
'How far an append-only table is sealed: its newest seal, and what waits (counted up to 10000).';
