-- API keys, revoked ones included; of their secrets only salted hashes. grants: [{"role", "models"}].
-- The highest revision tells replicas whether they are up to date.
create table api_key (
    id text primary key,
    name text not null,
    grants jsonb not null check (jsonb_array_length(grants) between 1 and 32),
    requests_per_second double precision check (requests_per_second > 0),
    burst integer check (burst > 0),
    created_at timestamptz not null,
    created_by text not null,
    expires_at timestamptz not null,
    rotated_at timestamptz,
    previous_until timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    revision bigint not null unique,
    salt bytea not null check (octet_length(salt) = 16),
    hash bytea not null check (octet_length(hash) = 32),
    previous_salt bytea check (octet_length(previous_salt) = 16),
    previous_hash bytea check (octet_length(previous_hash) = 32),
    check ((previous_salt is null) = (previous_hash is null))
);
