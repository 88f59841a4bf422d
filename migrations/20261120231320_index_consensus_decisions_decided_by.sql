-- no-transaction
-- What somebody decided by hand, for the export of their own data.

create index concurrently if not exists decisions_decided_by_idx on consensus.decisions (decided_by, id)
where decided_by is not null;
