-- no-transaction
-- The order in which rows are sealed.

create index concurrently if not exists events_position_idx on audit.events (xid, id);
