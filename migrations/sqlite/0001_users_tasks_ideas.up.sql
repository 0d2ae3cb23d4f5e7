-- Users, tasks, ideas, and the tags by which both are found.
-- Every key starts with the user. Ids are 16 bytes, times whole microseconds since 1970 in UTC, booleans 0 or 1.

create table @users (
    id text not null primary key check (length(id) between 1 and 255),
    email text,
    name text,
    -- The number that the user's next task takes.
    next_task integer not null default 1 check (next_task > 0),
    created_at integer not null default (cast((julianday('now') - 2440587.5) * 86400000000 as integer)),
    updated_at integer not null default (cast((julianday('now') - 2440587.5) * 86400000000 as integer))
) strict;

create index users_by_email on @users (email);

create table @tasks (
    user_id text not null references @users (id) on delete cascade,
    id blob not null check (length(id) = 16),
    number integer not null check (number > 0),
    title text not null check (length(title) between 1 and 500),
    -- Normalised and case-folded copies: what searches look at, and what orders titles.
    title_fold text not null,
    description text check (length(description) <= 5000),
    description_fold text,
    completed integer not null default 0 check (completed in (0, 1)),
    completed_at integer,
    priority text not null default 'medium' check (priority in ('high', 'medium', 'low')),
    tags text not null default '[]' check (json_valid(tags) and json_type(tags) = 'array'),
    due_date integer,
    created_at integer not null default (cast((julianday('now') - 2440587.5) * 86400000000 as integer)),
    updated_at integer not null default (cast((julianday('now') - 2440587.5) * 86400000000 as integer)),
    version integer not null default 1 check (version > 0),
    primary key (user_id, id),
    unique (user_id, number),
    check ((completed_at is not null) = completed),
    check ((description is null) = (description_fold is null))
) strict;

create index tasks_by_creation on @tasks (user_id, created_at desc, id desc);
create index tasks_by_completion on @tasks (user_id, completed, created_at desc, id desc);
create index tasks_by_priority on @tasks (user_id, priority, created_at desc, id desc);
create index tasks_by_due_date on @tasks (user_id, due_date, id);

create table @task_tags (
    user_id text not null,
    tag text not null check (length(tag) between 1 and 50),
    task_id blob not null check (length(task_id) = 16),
    primary key (user_id, tag, task_id),
    foreign key (user_id, task_id) references @tasks (user_id, id) on delete cascade
) strict, without rowid;

create index task_tags_by_task on @task_tags (user_id, task_id);

create table @ideas (
    user_id text not null references @users (id) on delete cascade,
    id blob not null check (length(id) = 16),
    title text not null check (length(title) between 1 and 200),
    title_fold text not null,
    notes text check (length(notes) <= 5000),
    notes_fold text,
    stage text not null default 'idea' check (stage in ('idea', 'outline', 'draft', 'published')),
    priority text not null default 'medium' check (priority in ('high', 'medium', 'low')),
    tags text not null default '[]' check (json_valid(tags) and json_type(tags) = 'array'),
    due_date integer,
    created_at integer not null default (cast((julianday('now') - 2440587.5) * 86400000000 as integer)),
    updated_at integer not null default (cast((julianday('now') - 2440587.5) * 86400000000 as integer)),
    version integer not null default 1 check (version > 0),
    primary key (user_id, id),
    check ((notes is null) = (notes_fold is null))
) strict;

create index ideas_by_creation on @ideas (user_id, created_at desc, id desc);
create index ideas_by_stage on @ideas (user_id, stage, created_at desc, id desc);
create index ideas_by_priority on @ideas (user_id, priority, created_at desc, id desc);
create index ideas_by_due_date on @ideas (user_id, due_date, id);

create table @idea_tags (
    user_id text not null,
    tag text not null check (length(tag) between 1 and 50),
    idea_id blob not null check (length(idea_id) = 16),
    primary key (user_id, tag, idea_id),
    foreign key (user_id, idea_id) references @ideas (user_id, id) on delete cascade
) strict, without rowid;

create index idea_tags_by_idea on @idea_tags (user_id, idea_id);
