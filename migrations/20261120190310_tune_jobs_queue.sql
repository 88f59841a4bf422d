-- procrastinate's tables, tuned: jobs that share a lock are looked up by an index instead of by
-- scanning the waiting ones, and the hot tables are vacuumed early (no update of a job is HOT,
-- its status is in every partial index). The tables are new and empty here, so the indexes are
-- not built concurrently.

-- squawk-ignore require-concurrent-index-creation
create index jobs_lock_order_idx
on procrastinate.procrastinate_jobs (lock, priority desc, id)
where status in ('todo', 'doing');

-- squawk-ignore require-concurrent-index-creation
create index jobs_finished_idx
on procrastinate.procrastinate_jobs (id)
where status in ('succeeded', 'failed', 'cancelled', 'aborted');

alter table procrastinate.procrastinate_jobs set (
  fillfactor = 70,
  autovacuum_vacuum_scale_factor = 0.01,
  autovacuum_vacuum_cost_delay = 0
);

alter table procrastinate.procrastinate_events set (
  autovacuum_vacuum_scale_factor = 0.01,
  autovacuum_vacuum_cost_delay = 0
);
