-- What a record can say besides; each is null where it says nothing, and costs nothing then.
alter table prediction
    -- What the input guard noticed, in order; the same on all rows of a record.
    add column flags text[],
    -- The live prediction this one was made beside; null: it was answered to a caller.
    add column shadow_of uuid,
    -- Share of such requests that is logged; null: all of them.
    add column sampling_rate double precision check (sampling_rate > 0 and sampling_rate < 1);
create index prediction_by_shadow on prediction (shadow_of) where shadow_of is not null;

-- Requests without a prediction, one row each whatever rows they held; their inputs as they came, a serialised
-- mlops.tables.v1.Table, since they may fit no layout. The record's id is in prediction_record as well.
create table prediction_failure (
    prediction_id uuid primary key,
    time timestamptz not null,
    model text not null,
    -- Empty where the request was refused before its version was known.
    version text not null,
    variant text not null,
    failure text not null check (failure <> ''),
    flags text[],
    inputs bytea not null,
    subject_hash text not null,
    latency_micros bigint not null,
    mode text not null,
    shadow_of uuid,
    sampling_rate double precision check (sampling_rate > 0 and sampling_rate < 1)
);
create index prediction_failure_by_model on prediction_failure (model, time);
