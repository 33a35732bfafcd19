-- Events wait here until the broker has confirmed them; written in the transaction of the change they tell of.
create table outbox (
    sequence bigint generated always as identity primary key,
    id uuid not null unique,
    type text not null,
    body jsonb not null,
    trace_parent text,
    created_at timestamptz not null default now()
);

-- Messages whose effect is in this database; a second delivery finds its id and does nothing.
create table inbox (
    consumer text not null,
    message_id uuid not null,
    received_at timestamptz not null default now(),
    primary key (consumer, message_id)
);
create index inbox_received_at on inbox (received_at);
