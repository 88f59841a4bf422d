-- no-transaction
-- What somebody did, for the export of their own data.

create index concurrently if not exists events_actor_id_idx on audit.events (actor_id, id)
where actor_id is not null;
