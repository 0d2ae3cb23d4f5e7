-- Indexes for the orders that had none, for facts about all rows of a user, and for searches.
-- Each may be there already: who cannot let writes wait makes them beforehand with `concurrently`.

-- A page of these orders is read from its index. The columns after `include` let one pass over the index count
-- what is open, done, urgent and overdue, without a look at the rows.
create index if not exists tasks_in_order_of_completion on @tasks (user_id, completed, id) include (priority, due_date);
create index if not exists tasks_in_order_of_priority on @tasks
    (user_id, (case priority when 'low' then 1 when 'medium' then 2 else 3 end), id);
create index if not exists ideas_in_order_of_stage on @ideas
    (user_id, (case stage when 'idea' then 1 when 'outline' then 2 when 'draft' then 3 else 4 end), id)
    include (stage, priority, due_date);
create index if not exists ideas_in_order_of_priority on @ideas
    (user_id, (case priority when 'low' then 1 when 'medium' then 2 else 3 end), id);

-- Searches: trigrams of title and long text together with the user, so that one user's rows do not slow another's
-- searches. It needs the extensions pg_trgm and btree_gin (both come with PostgreSQL), and the right to make them or
-- somebody who made them before. Where they are not to be had there is no such index: searches then read all rows of
-- the user, and `creatorvault doctor` says so.
do $$
declare
    place text;
begin
    begin
        create extension if not exists pg_trgm with schema public;
        create extension if not exists btree_gin with schema public;
    exception when others then
        -- Somebody else's lock (this migration is then tried again), a conflict, a full disk, a server that stops: only
        -- what says that the extensions are not to be had is no failure.
        if left(sqlstate, 2) in ('25', '40', '53', '54', '55', '57', 'XX') or sqlstate = '58030' then raise; end if;
        raise notice 'without the extensions for a search index: %', sqlerrm;
    end;
    -- They may be in a schema of their own, such as `extensions`.
    select quote_ident(n.nspname) into place
        from pg_catalog.pg_opclass c
        join pg_catalog.pg_am m on m.oid = c.opcmethod and m.amname = 'gin'
        join pg_catalog.pg_namespace n on n.oid = c.opcnamespace
        where c.opcname = 'gin_trgm_ops'
            and pg_catalog.has_schema_privilege(n.oid, 'usage')
            and exists (select from pg_catalog.pg_extension where extname = 'btree_gin')
        limit 1;
    if place is null then return; end if;
    -- The name of a table's row type is the table's, with its schema.
    execute format(
        'create index if not exists tasks_by_words on %s
            using gin (user_id, (title_fold || '' '' || coalesce(description_fold, '''')) %s.gin_trgm_ops)',
        pg_catalog.pg_typeof(null::@tasks), place);
    execute format(
        'create index if not exists ideas_by_words on %s
            using gin (user_id, (title_fold || '' '' || coalesce(notes_fold, '''')) %s.gin_trgm_ops)',
        pg_catalog.pg_typeof(null::@ideas), place);
exception
    -- The operators are there and not for this role, or not wherever the index is made.
    when insufficient_privilege or undefined_object or undefined_function or undefined_file or feature_not_supported then
        raise notice 'without a search index: %', sqlerrm;
end
$$;
