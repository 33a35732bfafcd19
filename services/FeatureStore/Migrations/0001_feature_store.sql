-- Definitions as applied; `definition` is the protobuf message in its JSON form.
create table entities (
    name       text primary key,
    definition jsonb not null,
    updated_at timestamptz not null
);

create table feature_views (
    name       text primary key,
    entity     text not null references entities (name),
    definition jsonb not null,
    updated_at timestamptz not null
);

create table feature_services (
    name       text primary key,
    definition jsonb not null,
    updated_at timestamptz not null
);

-- One row, raised by every change of definitions: how replicas see cheaply that their copy is old.
create table definitions_revision (
    single   boolean primary key default true check (single),
    revision bigint not null
);
insert into definitions_revision (revision) values (0);

create table quarantine (
    id              bigint generated always as identity primary key,
    feature_view    text not null,
    source          text not null,
    line            bigint not null,
    reason          text not null,
    content         text not null,
    content_digest  bytea not null,
    quarantined_at  timestamptz not null,
    unique (feature_view, source, line, content_digest)
);
create index quarantine_newest on quarantine (feature_view, id desc);

create table materializations (
    id            bigint generated always as identity primary key,
    feature_view  text not null references feature_views (name),
    as_of         timestamptz not null,
    keys_written  bigint not null,
    completed_at  timestamptz not null
);
create index materializations_newest on materializations (feature_view, as_of desc);

create table snapshots (
    digest            text primary key check (digest ~ '^sha256:[0-9a-f]{64}$'),
    name              text not null,
    row_count         bigint not null,
    column_names      text[] not null,
    column_types      integer[] not null,
    feature_service   text not null,
    event_time_column text not null,
    min_time          timestamptz not null,
    max_time          timestamptz not null,
    created_at        timestamptz not null,
    size_bytes        bigint not null
);
