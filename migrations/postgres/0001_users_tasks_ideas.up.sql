-- Users, tasks, ideas, and the tags by which both are found.
-- Every key starts with the user; ids compare byte by byte, whatever the database's locale.

create table @users (
    id text collate "C" not null primary key check (char_length(id) between 1 and 255),
    email text,
    name text,
    -- The number that the user's next task takes.
    next_task bigint not null default 1 check (next_task > 0),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create index users_by_email on @users (email);

create table @tasks (
    user_id text collate "C" not null references @users (id) on delete cascade,
    id uuid not null,
    number bigint not null check (number > 0),
    title text not null check (char_length(title) between 1 and 500),
    -- Normalised and case-folded copies: what searches look at, and what orders titles.
    title_fold text collate "C" not null,
    description text check (char_length(description) <= 5000),
    description_fold text collate "C",
    completed boolean not null default false,
    completed_at timestamptz,
    priority text not null default 'medium' check (priority in ('high', 'medium', 'low')),
    tags jsonb not null default '[]' check (jsonb_typeof(tags) = 'array'),
    due_date timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    version bigint not null default 1 check (version > 0),
    primary key (user_id, id),
    unique (user_id, number),
    check ((completed_at is not null) = completed),
    check ((description is null) = (description_fold is null))
);

create index tasks_by_creation on @tasks (user_id, created_at desc, id desc);
create index tasks_by_completion on @tasks (user_id, completed, created_at desc, id desc);
create index tasks_by_priority on @tasks (user_id, priority, created_at desc, id desc);
create index tasks_by_due_date on @tasks (user_id, due_date, id);

create table @task_tags (
    user_id text collate "C" not null,
    tag text collate "C" not null check (char_length(tag) between 1 and 50),
    task_id uuid not null,
    primary key (user_id, tag, task_id),
    foreign key (user_id, task_id) references @tasks (user_id, id) on delete cascade
);

create index task_tags_by_task on @task_tags (user_id, task_id);

create table @ideas (
    user_id text collate "C" not null references @users (id) on delete cascade,
    id uuid not null,
    title text not null check (char_length(title) between 1 and 200),
    title_fold text collate "C" not null,
    notes text check (char_length(notes) <= 5000),
    notes_fold text collate "C",
    stage text not null default 'idea' check (stage in ('idea', 'outline', 'draft', 'published')),
    priority text not null default 'medium' check (priority in ('high', 'medium', 'low')),
    tags jsonb not null default '[]' check (jsonb_typeof(tags) = 'array'),
    due_date timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    version bigint not null default 1 check (version > 0),
    primary key (user_id, id),
    check ((notes is null) = (notes_fold is null))
);

create index ideas_by_creation on @ideas (user_id, created_at desc, id desc);
create index ideas_by_stage on @ideas (user_id, stage, created_at desc, id desc);
create index ideas_by_priority on @ideas (user_id, priority, created_at desc, id desc);
create index ideas_by_due_date on @ideas (user_id, due_date, id);

create table @idea_tags (
    user_id text collate "C" not null,
    tag text collate "C" not null check (char_length(tag) between 1 and 50),
    idea_id uuid not null,
    primary key (user_id, tag, idea_id),
    foreign key (user_id, idea_id) references @ideas (user_id, id) on delete cascade
);

create index idea_tags_by_idea on @idea_tags (user_id, idea_id);
