create table artifact (
    digest text primary key check (digest ~ '^sha256:[0-9a-f]{64}$'),
    size_bytes bigint not null check (size_bytes >= 0),
    name text not null,
    created_at timestamptz not null
);

create table run (
    run_id text primary key check (run_id ~ '^[0-9a-f]{32}$'),
    experiment text not null,
    name text not null,
    -- Run.Status of the contract: 1 running, 2 finished, 3 failed, 4 killed.
    status smallint not null check (status between 1 and 4),
    -- First start; orders lists. started_at is the start of the present attempt.
    created_at timestamptz not null,
    started_at timestamptz not null,
    ended_at timestamptz check ((ended_at is null) = (status = 1)),
    parent_run_id text not null,
    dataset_digest text not null,
    failure text not null default '',
    attempt int not null default 1 check (attempt >= 1)
);
create index run_by_experiment on run (experiment, created_at desc, run_id desc);
create index run_by_parent on run (parent_run_id, created_at desc, run_id desc) where parent_run_id <> '';
create index run_by_time on run (created_at desc, run_id desc);

create table run_parameter (
    run_id text not null references run on delete cascade,
    key text not null,
    value text not null,
    primary key (run_id, key)
);

create table run_tag (
    run_id text not null references run on delete cascade,
    key text not null,
    value text not null,
    primary key (run_id, key)
);

-- The same point sent twice is one point, so a repeated call changes nothing.
create table run_metric (
    run_id text not null references run on delete cascade,
    key text not null,
    step bigint not null,
    time_micros bigint not null,
    value double precision not null,
    primary key (run_id, key, step, time_micros, value)
);

create table model (
    name text primary key,
    -- Only ever grows, so a version number is never used again. Its row lock orders registrations and alias moves.
    latest_version int not null default 0 check (latest_version >= 0),
    created_at timestamptz not null
);

create table model_version (
    model text not null references model,
    version int not null check (version >= 1),
    run_id text not null,
    artifact_digest text not null references artifact,
    profile_digest text references artifact,
    signature jsonb not null,
    dataset_digest text not null,
    feature_service text not null,
    environment jsonb not null,
    -- Arrays, for JSON knows no NaN.
    metric_keys text[] not null,
    metric_values double precision[] not null,
    description text not null,
    created_at timestamptz not null,
    primary key (model, version)
);
create unique index model_version_by_run on model_version (model, run_id) where run_id <> '';

create table model_alias (
    model text not null,
    alias text not null,
    version int not null,
    primary key (model, alias),
    foreign key (model, version) references model_version
);

-- Who moved which alias from where to where and why; null: not set.
create table model_alias_move (
    sequence bigint generated always as identity primary key,
    model text not null references model,
    alias text not null,
    from_version int,
    to_version int,
    actor text not null,
    reason text not null,
    moved_at timestamptz not null
);
create index model_alias_move_by_model on model_alias_move (model, alias, sequence);
