-- Versions that answer copies of a model's requests, each with the share that is copied; null: none.
alter table traffic_policy add column shadows jsonb;

-- What became of the copies, counted by each replica since it started, for one revision of a policy (of a policy file: 0).
create table shadow_outcome (
    model text not null,
    revision bigint not null,
    replica uuid not null,
    version text not null,
    -- By outcome, in the order of ShadowOutcome.
    counts bigint[] not null,
    flushed_at timestamptz not null,
    primary key (model, revision, replica, version)
);

-- What the shadow step found, a serialised mlops.gateway.v1.ShadowReport.
alter table rollout add column shadow bytea;
