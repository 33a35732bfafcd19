-- The tables of feature views are made when these are applied: those made before now get the column that new ones have.
do $$
declare
    view_table regclass;
begin
    for view_table in
        select c.oid
        from pg_class c
        where c.relkind = 'r' and c.relnamespace = current_schema()::regnamespace and c.relname ~ '^f[av]_'
            and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = '_digest' and not a.attisdropped)
    loop
        execute format('alter table %s add column if not exists _ingested_at timestamptz not null default now()', view_table);
    end loop;
end
$$;
