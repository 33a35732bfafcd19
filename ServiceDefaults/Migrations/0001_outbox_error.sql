-- Events that no version of the code could read are set aside here, so that those behind them go on.
create table outbox_error (
    id uuid primary key,
    type text not null,
    body jsonb not null,
    reason text not null,
    created_at timestamptz not null,
    failed_at timestamptz not null
);
