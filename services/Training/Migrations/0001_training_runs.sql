-- A submitted pipeline and how far it has come. The row lock of a run is held while the run is finished or cancelled.
create table training_runs (
    id uuid primary key,
    request_id text unique,
    model text not null,
    -- The pipeline as submitted, protobuf's JSON form.
    pipeline jsonb not null,
    state text not null default 'queued'
        check (state in ('queued', 'running', 'completed', 'failed', 'cancelled')),
    best_trial integer,
    model_version integer,
    score jsonb,
    baselines jsonb not null default '[]',
    export_max_difference double precision,
    training_rows bigint,
    validation_rows bigint,
    test_rows bigint,
    failure text,
    created_at timestamptz not null,
    finished_at timestamptz,
    check ((state in ('completed', 'failed', 'cancelled')) = (finished_at is not null)),
    check (state <> 'completed' or model_version is not null)
);
create index training_runs_by_model on training_runs (model, created_at desc);
create index training_runs_by_age on training_runs (created_at desc);

-- One configuration of the search; taken by one worker at a time.
create table trials (
    training_run_id uuid not null references training_runs (id),
    number integer not null check (number > 0),
    -- Its run in the registry; derived from the two columns above, so that a trial taken again is the same run.
    registry_run_id text not null,
    state text not null default 'queued' check (state in ('queued', 'running', 'completed', 'failed')),
    parameters jsonb not null,
    attempts integer not null default 0,
    validation_rmse double precision,
    best_round integer,
    -- Digest of the trainer's own model file in the registry.
    model_digest text,
    duration_seconds double precision,
    failure text,
    primary key (training_run_id, number),
    check (state <> 'completed' or (validation_rmse is not null and model_digest is not null))
);
