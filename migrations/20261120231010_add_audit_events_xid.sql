-- The transaction that wrote each audit row; with the id, its position for sealing.
--
-- The constant default is kept in the catalogue, so that no row is rewritten: rows that are there
-- already carry 0 and come first. From then on each row takes its own transaction.

alter table audit.events add column xid xid8 not null default '0';
alter table audit.events alter column xid set default pg_current_xact_id();

comment on column audit.events.xid is
'The writing transaction, 0 for rows older than this column; with id, the position of the row.';
