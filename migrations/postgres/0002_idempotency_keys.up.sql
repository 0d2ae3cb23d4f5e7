-- The answers to writes that came with an Idempotency-Key, kept for a day so that a repeated request gets the same one.
-- A key is written in the transaction of its write; its status and answer are null only inside that transaction.

create table @idempotency_keys (
    user_id text collate "C" not null references @users (id) on delete cascade,
    key text collate "C" not null check (char_length(key) between 1 and 255),
    -- Which request it was: a hash of its method, path and body.
    fingerprint text not null,
    created_at timestamptz not null,
    status bigint,
    -- The answer without what it says about rows.
    answer text,
    primary key (user_id, key)
);

create index idempotency_keys_by_age on @idempotency_keys (user_id, created_at);

-- What an answer says about a row. It goes with the row.
create table @idempotency_texts (
    user_id text collate "C" not null,
    key text collate "C" not null,
    place bigint not null,
    task_id uuid,
    idea_id uuid,
    body text not null,
    primary key (user_id, key, place),
    foreign key (user_id, key) references @idempotency_keys (user_id, key) on delete cascade,
    foreign key (user_id, task_id) references @tasks (user_id, id) on delete cascade,
    foreign key (user_id, idea_id) references @ideas (user_id, id) on delete cascade
);

create index idempotency_texts_by_task on @idempotency_texts (user_id, task_id) where task_id is not null;
create index idempotency_texts_by_idea on @idempotency_texts (user_id, idea_id) where idea_id is not null;
