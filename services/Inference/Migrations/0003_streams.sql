-- Streams declared over the API; those of the configuration are in no table.
create table stream (
    model text primary key,
    -- mlops.inference.v1.ModelStream, protobuf's JSON form.
    spec jsonb not null,
    updated_at timestamptz not null
);

-- Messages of streams: those in hand, and for the time of the window those that are done, so that one that comes again is
-- known.
create table stream_message (
    model text not null,
    message_id text not null,
    -- Times it was taken and neither ended nor given back.
    attempts int not null,
    -- What goes out, until it has gone.
    answer bytea,
    taken_at timestamptz not null,
    ended_at timestamptz,
    primary key (model, message_id)
);
create index stream_message_ended on stream_message (ended_at) where ended_at is not null;
create index stream_message_taken on stream_message (taken_at) where ended_at is null;
