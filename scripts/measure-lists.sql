-- The rows of scripts/measure-lists, the same ones each time: one user each of 1,000,000, 200,000, 10,000 and 500 tasks,
-- and 200 users of 500 beside them, written in turns as they would be.
\set ON_ERROR_STOP 1
set synchronous_commit = off;

-- A number in [0, 1) that depends on the row and on what it is for.
create function pg_temp.chance(n bigint, what bigint) returns float8 language sql immutable as
    $$ select (hashint8extended(n, what) & 2147483647)::float8 / 2147483648.0 $$;

-- Word number i of 2880.
create function pg_temp.word(i int) returns text language sql immutable as $$
    select ('{ka,lo,mi,ter,un,pel,sa,vor,ni,qua,del,fi,gro,hem,ix,jul,bre,cho,dys,eth,ru,sto,wa,zi}'::text[])[1 + i % 24]
        || ('{mar,len,tos,gin,rud,bek,fol,nas,cil,dro,vim,hap,jor,lux,pri,sen,tib,wol,yer,zan,ach,ost,emp,ung}'::text[])[1 + i / 24 % 24]
        || ('{"",a,eri,on,ify}'::text[])[1 + i / 576] $$;

-- Some words are common and most are not.
create function pg_temp.text(n bigint, what int, words int) returns text language sql immutable as $$
    select string_agg(pg_temp.word((2879 * power(pg_temp.chance(n, what + j), 2.5))::int), ' ')
    from generate_series(1, words) j $$;

create temp table owners (name text, rows bigint, base bigint);
insert into owners values ('u1000000', 1000000, 0), ('u200000', 200000, 2000000), ('u10000', 10000, 3000000), ('u500', 500, 4000000);
insert into owners select 'small' || i, 500, 5000000 + i * 1000 from generate_series(1, 200) i;
insert into users (id, next_task) select name, rows + 1 from owners;

-- The user of 200,000 has common words and tags of its own, and none of those that are common elsewhere.
create temp table made as
select o.name as user_id, k as number,
    (lpad(to_hex(1700000000000 + k * 1000), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 5, 15))::uuid as id,
    pg_temp.text(n, 100, 5)
        || case when pg_temp.chance(n, 50) < 0.2 then case o.rows when 200000 then ' gathering' else ' meeting' end else '' end
        || case when pg_temp.chance(n, 51) < 0.02 then ' ox' else '' end
        || case when k % 50000 = 499 then ' zephyranth' else '' end as title,
    case when pg_temp.chance(n, 60) < 0.5 then pg_temp.text(n, 200, 20) end as description,
    pg_temp.chance(n, 11) < 0.4 as completed,
    ('{low,medium,medium,high}'::text[])[1 + floor(pg_temp.chance(n, 12) * 4)::int] as priority,
    case when pg_temp.chance(n, 13) < 0.5
        then '2026-01-01Z'::timestamptz + floor(pg_temp.chance(n, 14) * 730 * 86400) * interval '1 second' end as due_date,
    '2023-11-14Z'::timestamptz + k * interval '1 minute' as created_at,
    array_remove(array[
        case when pg_temp.chance(n, 15) < 0.5 then case o.rows when 200000 then 'film' else 'video' end end,
        'topic-' || floor(40 * power(pg_temp.chance(n, 16), 2))::int,
        case when k % 100000 = 499 then 'scarce' end], null) as tags
from owners o, generate_series(1, o.rows) k, lateral (select o.base + k as n) x;

insert into tasks (user_id, id, number, title, title_fold, description, description_fold, completed, completed_at, priority,
    tags, due_date, created_at, updated_at)
select user_id, id, number, title, title, description, description, completed, case when completed then created_at end, priority,
    to_jsonb(tags), due_date, created_at, created_at + pg_temp.chance(number, 17) * interval '90 days'
from made order by number, user_id;
insert into task_tags (user_id, tag, task_id) select user_id, unnest(tags), id from made order by number, user_id;
