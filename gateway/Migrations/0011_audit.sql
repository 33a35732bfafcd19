-- Who changed what, or tried to: only ever added to. Each entry's hash covers the entry and the hash before it.
create table audit_entry (
    sequence bigint primary key check (sequence > 0),
    at timestamptz not null,
    actor text not null,
    action text not null,
    model text not null,
    target text not null,
    outcome text not null check (outcome in ('begun', 'done', 'refused', 'denied', 'failed')),
    code text not null,
    -- The entry that an outcome belongs to; 0: none.
    begun bigint not null,
    reason text not null,
    -- JSON as text: what is hashed is what is kept.
    before text,
    after text,
    trace_id text not null,
    previous_hash bytea not null check (octet_length(previous_hash) = 32),
    hash bytea not null check (octet_length(hash) = 32)
);
create index audit_entry_model on audit_entry (model, sequence);
create index audit_entry_actor on audit_entry (actor, sequence);
create index audit_entry_at on audit_entry (at);

-- The end of the chain; whoever adds to it holds this row.
create table audit_head (
    is_one boolean primary key default true check (is_one),
    sequence bigint not null,
    hash bytea not null
);
insert into audit_head (sequence, hash) values (0, decode(repeat('00', 32), 'hex'));

create function audit_entry_stays() returns trigger language plpgsql as $$
begin
    raise exception 'entries of the audit are never changed';
end
$$;
create trigger audit_entry_stays before update or delete on audit_entry for each row execute function audit_entry_stays();
create trigger audit_entry_is_kept before truncate on audit_entry for each statement execute function audit_entry_stays();
