-- The policies in force, one per model. arms: [{"name", "version", "weight"}] in order.
create table traffic_policy (
    model text primary key,
    revision bigint not null unique,
    arms jsonb not null check (jsonb_array_length(arms) between 1 and 20),
    salt text not null,
    coverage double precision not null check (coverage between 0 and 1),
    subject_header text not null,
    updated_at timestamptz not null
);

-- Every change ever made, deletions included; the highest revision tells replicas whether they are up to date.
create table traffic_policy_change (
    revision bigint primary key,
    model text not null,
    actor text not null,
    reason text not null,
    before jsonb,
    after jsonb,
    changed_at timestamptz not null
);
create index traffic_policy_change_model on traffic_policy_change (model, revision);
