-- Where the body holds the subject when no header does, and the part of a layer the experiment has: {"name", "start", "end"}.
alter table traffic_policy add column subject_input text not null default '';
alter table traffic_policy add column subject_json text not null default '';
alter table traffic_policy add column layer jsonb;
create index traffic_policy_layer on traffic_policy ((layer ->> 'name')) where layer is not null;
