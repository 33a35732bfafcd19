-- What predictions came to besides their labels, by name; the last value counts.
create table prediction_outcome (
    metric text not null,
    prediction_id uuid not null,
    row int not null check (row >= 0),
    value double precision not null check (value between -1e15 and 1e15),
    observed_at timestamptz not null,
    received_at timestamptz not null,
    primary key (metric, prediction_id, row)
);

-- What subjects did, event by event; which model they met is found by their hash and the time.
create table subject_outcome (
    metric text not null,
    subject_hash text not null check (subject_hash <> ''),
    -- The caller's: an event sent again is the same one.
    event_id text not null check (event_id <> ''),
    value double precision not null check (value between -1e15 and 1e15),
    observed_at timestamptz not null,
    received_at timestamptz not null,
    primary key (metric, subject_hash, event_id)
);
