-- Which client's request an event or a job comes from, for traces: W3C trace context, validated.
-- Null in rows of an earlier release and of requests that are not traced.

alter table jobs.outbox add column traceparent text;
alter table jobs.outbox add column tracestate text;

comment on column jobs.outbox.traceparent is
'The traceparent header of the request that caused the event.';
comment on column jobs.outbox.tracestate is
'The tracestate header beside it.';

-- Beside the queue and not among a job's arguments: tasks of any release take exactly the arguments
-- they name. No foreign key: deleting a job, once for each that succeeds, would pay for it.

create table jobs.contexts (
  job_id bigint primary key,
  request_id text not null,
  traceparent text,
  tracestate text,
  created_at timestamptz not null default clock_timestamp()
);
alter table jobs.contexts enable row level security;

comment on table jobs.contexts is
'The request that put a unit job on the queue.';
