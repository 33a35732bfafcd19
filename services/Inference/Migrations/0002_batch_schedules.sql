-- Schedules of batch jobs. Whoever makes a due job holds the row; two indexes of batch_job see to one job a time of a
-- schedule, and to one job of it at once.
create table batch_schedule (
    name text primary key,
    cron text not null,
    time_zone text not null,
    misfire_policy text not null check (misfire_policy in ('run_once', 'skip', 'catch_up')),
    paused boolean not null,
    -- mlops.inference.v1.BatchJobSpec, protobuf's JSON form.
    spec jsonb not null,
    -- The next time without a job; null: the expression has none.
    next_at timestamptz,
    last_at timestamptz,
    last_job_id uuid,
    missed bigint not null default 0,
    skipped bigint not null default 0,
    failure text
);
create index batch_schedule_due on batch_schedule (next_at) where not paused;
