-- A/B/n experiments: what is asked, of whom, and what came of it.
create table experiment (
    name text primary key,
    model text not null,
    state text not null check (state in ('draft', 'running', 'stopped', 'decided')),
    -- Grows with every change of the experiment.
    revision bigint not null check (revision > 0),
    -- Hypothesis, arms, metrics, stop rule and how the traffic is split; see ExperimentPlan.
    plan jsonb not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    started_at timestamptz,
    ended_at timestamptz,
    -- The traffic policy that is the experiment's split, and what it replaced; null: there was none.
    policy_revision bigint not null default 0,
    policy_before jsonb,
    -- How it ended; see ExperimentDecision.
    decision jsonb,
    -- When a replica last looked at it by itself.
    looked_at timestamptz,
    check ((started_at is null) = (state = 'draft')),
    check ((ended_at is null) = (state in ('draft', 'running')))
);
-- A model's traffic is split by one experiment at a time.
create unique index experiment_running on experiment (model) where state = 'running';
create index experiment_by_model on experiment (model, created_at);

-- The times in which the split was the same; more than one where Thompson sampling moves the weights.
create table experiment_period (
    name text not null references experiment on delete cascade,
    number int not null check (number > 0),
    -- Requests from here on are surely split by it on every replica.
    starts_at timestamptz not null,
    -- Null: it goes on.
    ends_at timestamptz,
    salt text not null,
    -- Chance of each arm, in their order: the recorded propensities.
    weights double precision[] not null,
    primary key (name, number)
);
