-- Who may change a policy leaves its mark on every change: the API, or a policy file, whose changes each replica would
-- otherwise note again.
alter table traffic_policy_change add column source text not null default 'api' check (source in ('api', 'file'));
create index traffic_policy_change_by_file on traffic_policy_change (model, revision) where source = 'file';
