-- Which columns the inputs of a prediction have; few, since all requests to a model version share one.
create table input_layout (
    layout_id int generated always as identity primary key,
    -- SHA-256 of names and kinds: a list of many columns is too long for an index entry.
    digest bytea not null unique,
    names text[] not null,
    -- 'd' double, 'i' integer, 'b' boolean, 't' text, 'm' time; parallel to names.
    kinds text[] not null,
    check (cardinality(names) = cardinality(kinds))
);

-- One row per answered request. Its key keeps every prediction in the log once, also across the months below, where
-- a unique index would have to hold the time.
create table prediction_record (
    prediction_id uuid primary key,
    time timestamptz not null,
    rows int not null check (rows >= 0)
);

-- The prediction log. Inputs are two arrays in the order of the layout: the texts, and all else as numbers with NaN where
-- missing. An array is a tenth of the same row as jsonb, and a scan over all columns reads each row once.
create table prediction (
    prediction_id uuid not null,
    row int not null,
    time timestamptz not null,
    model text not null,
    version text not null,
    variant text not null,
    prediction double precision not null,
    layout_id int not null,
    numbers double precision[] not null,
    texts text[] not null,
    subject_hash text not null,
    latency_micros bigint not null,
    mode text not null,
    primary key (prediction_id, row, time)
) partition by range (time);
create index prediction_by_model on prediction (model, time);

-- Labels stand alone: they may come before their prediction, and join it by its id whenever either arrives.
create table label (
    prediction_id uuid not null,
    row int not null check (row >= 0),
    value double precision not null check (value > '-Infinity' and value < 'Infinity'),
    observed_at timestamptz not null,
    received_at timestamptz not null,
    primary key (prediction_id, row)
);
create index label_by_observed_at on label (observed_at);
