-- The contract between SQL and Python: every task by name, where it queues, what it takes.
--
-- A test holds it and the worker's registered tasks together. Each queue has its own band of
-- priorities, so that one queue's backlog does not stand before another's. max_attempts is null
-- for tasks that come again by themselves (the ring, the clock): they are neither retried nor
-- given up. Callers: jobs.defer(), the worker.

create or replace function jobs.task_catalog()
returns table (
  task text,
  queue text,
  priority integer,
  arguments text[],
  max_attempts integer,
  description text
)
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  values
    (
      'realtime:deliver_events', 'realtime', 30, array['stream'], null::integer,
      'Carry one outbox stream to Supabase Realtime until nothing is due.'
    ),
    (
      'consensus:settle_due_clips', 'clock', 20, array['timestamp'], null,
      'Settle decided clips whose holding time is over.'
    ),
    (
      'ledger:expire_holds', 'clock', 20, array['timestamp'], null,
      'Give back holds that were neither settled nor released in time.'
    ),
    (
      'ledger:check_books', 'upkeep', 10, array['timestamp'], null,
      'Prove the books and keep the verdict for the metrics.'
    ),
    (
      'app:purge_idempotency_keys', 'upkeep', 10, array['timestamp'], null,
      'Forget stored answers older than their retention.'
    ),
    (
      'identity:delete_sign_in', 'identity', 25, array['user_id'], 10,
      'Delete the sign-in of an erased account at Supabase Auth.'
    ),
    (
      'identity:finish_erasures', 'clock', 20, array['timestamp'], null,
      'Withdraw the clips and give up the money of erased accounts.'
    ),
    (
      'seals:seal', 'upkeep', 10, array['timestamp'], null,
      'Seal new rows of the append-only tables and keep the heads outside.'
    ),
    (
      'limits:purge_idle_buckets', 'upkeep', 10, array['timestamp'], null,
      'Forget what was used of limits that have long refilled.'
    ),
    (
      'jobs:purge', 'upkeep', 10, array['timestamp'], null,
      'Forget delivered events, old attempts and old dead letters.'
    );
$$;

comment on function jobs.task_catalog() is
'Every task: its name, queue, priority, argument names and how often it is tried.';

revoke all on function jobs.task_catalog() from public, anon, authenticated, service_role;
