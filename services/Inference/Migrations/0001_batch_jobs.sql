-- Text of rows to score in a file store, cut into partitions of whole rows. Kept once per content and store.
create table batch_input (
    -- 'sha256:…' of the text.
    digest text not null,
    format text not null check (format in ('csv', 'jsonl')),
    columns text[] not null,
    size_bytes bigint not null,
    rows bigint not null,
    -- The store it lies in and its name there.
    files text not null,
    file text not null,
    -- Parallel, one entry per partition: bytes, 1-based number of the first row, 1-based line it stands on, rows.
    offsets bigint[] not null,
    lengths int[] not null,
    first_rows bigint[] not null,
    first_lines bigint[] not null,
    row_counts int[] not null,
    used_at timestamptz not null,
    primary key (digest, files, format)
);

-- A job's row lock is held while it is planned, published, failed or cancelled.
create table batch_job (
    job_id uuid primary key,
    idempotency_key text unique,
    model text not null,
    model_version int not null,
    -- mlops.inference.v1.BatchJobSpec, protobuf's JSON form.
    spec jsonb not null,
    state text not null default 'queued'
        check (state in ('queued', 'running', 'publishing', 'completed', 'failed', 'cancelled')),
    failure text,
    -- The file store of the replica that made it: those who share it do its work.
    files text not null,
    input_digest text,
    input_file text,
    format text,
    columns text[],
    -- Columns by which features are looked up.
    key_columns text[] not null default '{}',
    rows bigint not null default 0,
    partitions int not null default 0,
    partitions_scored int not null default 0,
    rows_scored bigint not null default 0,
    rows_quarantined bigint not null default 0,
    result_bytes bigint not null default 0,
    schedule text,
    scheduled_for timestamptz,
    created_at timestamptz not null,
    started_at timestamptz,
    finished_at timestamptz,
    check ((state in ('completed', 'failed', 'cancelled')) = (finished_at is not null)),
    unique (schedule, scheduled_for)
);
create index batch_job_by_age on batch_job (created_at desc, job_id);
-- One job of a schedule at a time.
create unique index batch_job_of_schedule on batch_job (schedule)
    where schedule is not null and state in ('queued', 'running', 'publishing');

create table batch_partition (
    job_id uuid not null references batch_job (job_id) on delete cascade,
    number int not null check (number > 0),
    state text not null default 'queued' check (state in ('queued', 'running', 'scored')),
    byte_offset bigint not null,
    byte_length int not null,
    first_row bigint not null,
    first_line bigint not null,
    rows int not null,
    rows_done int not null default 0,
    -- Workers that took it and neither ended it nor gave it back.
    attempts int not null default 0,
    primary key (job_id, number)
);

-- Rows that could not be scored, of each partition the first thousand.
create table batch_quarantine (
    job_id uuid not null references batch_job (job_id) on delete cascade,
    row bigint not null,
    partition int not null,
    line bigint not null,
    reason text not null,
    content text not null,
    primary key (job_id, row)
);

-- The file store of replicas that share no folder.
create table batch_file (
    name text not null,
    chunk int not null,
    content bytea not null,
    primary key (name, chunk)
);
-- Not compressed: a chunk is read and written whole, and time counts for more than room.
alter table batch_file alter column content set storage external;
