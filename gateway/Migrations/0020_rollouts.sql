-- The rollout a policy belongs to; null: somebody's own. Its revisions are the strata a canary is judged by.
alter table traffic_policy add column rollout uuid;

-- What came of the requests an arm answered, counted by each replica since it started, for one revision of a policy.
create table arm_outcome (
    revision bigint not null,
    -- One run of one replica: a restart counts from zero under another id, and what was counted before stays.
    replica uuid not null,
    arm text not null,
    model text not null,
    version text not null,
    -- Requests by slice of subjects and bucket of latency, failures by slice; see PackedCounts.
    counts bytea not null,
    flushed_at timestamptz not null,
    primary key (revision, replica, arm)
);
create index arm_outcome_by_model on arm_outcome (model);

-- Who met which arm, by a hash of the subject: the units whose numbers must be as the weights.
create table arm_subject (
    revision bigint not null,
    subject bigint not null,
    -- Place of the arm in the policy, from 0.
    arm smallint not null,
    model text not null,
    primary key (revision, subject)
);
create index arm_subject_by_model on arm_subject (model);

create table rollout (
    rollout_id uuid primary key,
    model text not null,
    -- The version on trial, and the one it is compared with and would replace; 0: not known before its turn.
    version int not null check (version > 0),
    stable_version int not null check (stable_version >= 0),
    phase text not null,
    is_paused boolean not null,
    -- Steps, rules, hooks and limits, as declared.
    plan jsonb not null,
    -- Where it stands; see RolloutState.
    state jsonb not null,
    -- The last look at the evidence.
    findings jsonb,
    -- "api" or "alias".
    source text not null,
    actor text not null,
    reason text not null,
    -- Grows with every change; a change made from an older state is none.
    stamp bigint not null,
    -- Who drives it, and until when nobody else does.
    driver uuid,
    driven_until timestamptz,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    ended_at timestamptz
);
-- One at a time: the others of the model wait in the phase Initialized.
create unique index rollout_under_way on rollout (model)
    where phase not in ('Initialized', 'Succeeded', 'Failed', 'Terminated');
create index rollout_by_model on rollout (model, created_at);

-- What happened to a rollout, in order.
create table rollout_entry (
    rollout_id uuid not null references rollout,
    sequence int not null,
    at timestamptz not null,
    phase text not null,
    step int not null,
    weight double precision not null,
    actor text not null,
    message text not null,
    primary key (rollout_id, sequence)
);
