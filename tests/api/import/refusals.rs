//! What is not taken, and what is said of it.

use serde_json::json;

use crate::harness::{Engine, Old, World, command, import, on_both, run};

on_both!(
    rows_that_break_a_rule_are_named_and_left_out,
    text_that_is_none_is_refused,
    ids_and_numbers_that_are_taken_are_refused,
    a_row_is_named_with_its_user_where_ids_count_per_user,
    what_was_done_is_told_before_an_error,
    what_stands_in_the_way_is_one_line_with_the_cure,
);

async fn rows_that_break_a_rule_are_named_and_left_out(world: &World) {
    for old in Old::both().await {
        let world = world.another(&[]).await;
        let (long, longer, many) =
            ("é".repeat(501), "x".repeat(5001), (0..21).map(|n| n.to_string()).collect::<Vec<_>>().join(","));
        let both = format!(
            "create table tasks (id text, user_id text, title text, description text, completed text, priority text, \
             tags text, due_date text, created_at text);
             insert into tasks values \
             ('1', 'ann', 'fits', null, 'true', null, '', null, '2026-01-01'), \
             ('2', 'ann', ' canary ', null, 'perhaps', 'canary', 'a', 'soon', '2026-01-01'), \
             ('3', 'ann', '{long}', '{longer}', 'true', null, '{many}', null, '2026-01-01'), \
             ('4', 'ann', '  ', null, 'true', null, '[1]', '2026-02-30', 'infinity'), \
             ('5', 'tasks', 'canary', null, 'true', null, null, null, '2026-01-01'), \
             ('6', '', 'canary', null, 'true', null, null, null, '2026-01-01'), \
             ('7', null, 'canary', null, 'true', null, null, null, '2026-01-01'), \
             ('-8', 'ann', 'canary', null, 'true', null, null, null, '2026-01-01'), \
             (null, 'ann', 'canary', null, 'true', null, null, null, '2026-01-01'), \
             ('10', 'ann', null, null, 'true', null, '{{a}}', null, '20260101')"
        );
        old.run(&both, &both).await;
        let dry = import(&world, &old, &["--dry-run"]);
        let ran = import(&world, &old, &[]);
        assert_eq!(
            (dry.code, dry.sums(), dry.refused()),
            (Some(1), [10, 1, 0, 9, 1], ran.refused()),
            "{dry:?}"
        );
        assert_eq!((ran.code, ran.sums()), (Some(1), [10, 1, 0, 9, 1]), "{ran:?}");
        assert!(!format!("{dry:?}{ran:?}").contains("canary"), "{ran:?}");
        for expected in [
            "row 2: priority: Invalid priority. Must be one of: high, medium, low; say what it means with --value \
             priority:WORD=high; due_date: Due date must be",
            "completed: Completed is neither true nor false nor a known status: say what it means with --value \
             completed:WORD=true",
            "due_date: Due date must be an RFC 3339 date-time or a date (YYYY-MM-DD)",
            "row 3: title: Title exceeds maximum length of 500 characters; description: Description exceeds maximum \
             length of 5000 characters; tags: At most 20 tags are allowed",
            "row 4: title: Title is required; tags: Each tag must be a string; due_date: Due date must be",
            "row 5: user_id: User id must not be a word of the API's paths",
            "row 6: user_id: User id must be 1 to 255 characters",
            "row 7: user_id: User id is required",
            "row -8: id: Id must be from 1 to",
            "row without an id: id: Id is required",
            "row 10: title: Title is required; tags: Tags must be an array of strings; created_at: Created at is a number",
        ] {
            assert!(ran.refused().iter().any(|line| line.contains(expected)), "{expected}: {ran:?}");
        }
        assert_eq!(world.user("ann").tasks().titles("").await, ["fits"]);
        // A row that was mended is taken by the next run.
        let mended =
            "update tasks set title = 'mended', tags = 'a', created_at = '2026-01-01' where id = '10'";
        old.run(mended, mended).await;
        assert_eq!(import(&world, &old, &[]).sums(), [10, 1, 1, 8, 0]);
    }
}

/// What only SQLite keeps as text.
async fn text_that_is_none_is_refused(world: &World) {
    let old = &Old::both().await[0];
    let sqlite = "create table tasks (id integer primary key, user_id text, title text, created_at text);
                  insert into tasks values (1, 'ann', cast(x'ff41' as text), '2026-01-01'), \
                  (2, 'ann', 'a' || char(0) || 'b', '2026-01-01'), (3, 'ann', 'fits', '2026-01-01'), \
                  (4, x'000102030405060708090a0b0c0d0e0f', 'hers', '2026-01-01')";
    old.run(sqlite, "").await;
    let ran = import(world, old, &[]);
    assert_eq!((ran.code, ran.sums()), (Some(1), [4, 2, 0, 2, 2]), "{ran:?}");
    let rules = [
        "row 1: title: the text is not UTF-8, Title is required",
        "row 2: title: Title must not contain the character U+0000",
    ];
    assert_eq!(ran.refused(), rules);
    assert_eq!(world.user("00010203-0405-0607-0809-0a0b0c0d0e0f").tasks().titles("").await, ["hers"]);
}

async fn ids_and_numbers_that_are_taken_are_refused(world: &World) {
    for old in Old::both().await {
        let world = world.another(&[]).await;
        let ann = world.user("ann");
        let here = ann.tasks().create(json!({"title": "here"})).await.is(201);
        let id = here["id"].as_str().expect("an id");
        let both = format!(
            "create table tasks (id integer primary key, user_id text, title text, created_at text);
             insert into tasks values (1, 'ann', 'same number', '2026-01-01'), (2, 'ann', 'free', '2026-01-01');
             create table more (id text primary key, user_id text, title text, created_at text);
             insert into more values ('{id}', 'ann', 'same id', '2026-01-01');
             create table again (id integer, user_id text, title text);
             insert into again values (1, 'ann', 'a'), (1, 'ann', 'b'), (1, 'bob', 'c')"
        );
        old.run(&both, &both).await;
        let ran = import(&world, &old, &[]);
        assert_eq!((ran.code, ran.sums()), (Some(1), [2, 1, 0, 1, 0]), "{ran:?}");
        assert_eq!(ran.refused(), ["row 1: id: another task of this user has this number"]);
        let ran = import(&world, &old, &["--table", "more"]);
        let rule = format!("row {id}: id: another row of this user has this id, made at another time");
        assert_eq!((ran.code, ran.refused()), (Some(1), vec![rule.as_str()]), "{ran:?}");
        assert_eq!(ann.tasks().titles("sort=title&order=asc").await, ["free", "here"]);
        let ran = import(&world, &old, &["--table", "again"]);
        assert!(
            ran.code == Some(1) && ran.err.contains("1 values of the column id stand in several rows"),
            "{ran:?}"
        );
    }
}

async fn a_row_is_named_with_its_user_where_ids_count_per_user(world: &World) {
    for old in Old::both().await {
        let world = world.another(&[]).await;
        let both = "create table tasks (id integer, user_id text, title text, created_at text);
                    insert into tasks values (1, 'ann', 'one', '2026-01-01'), (1, 'bob', ' ', '2026-01-01'), \
                    (2, 'cid', 'two', '2026-01-01')";
        old.run(both, both).await;
        world.user("cid").tasks().create(json!({"title": "here"})).await.is(201);
        world.user("cid").tasks().create(json!({"title": "too"})).await.is(201);
        let ran = import(&world, &old, &[]);
        let refused = [
            "row 1 of user bob: title: Title is required",
            "row 2 of user cid: id: another task of this user has this number",
        ];
        assert_eq!((ran.sums(), ran.refused()), ([3, 1, 0, 2, 2], refused.to_vec()), "{ran:?}");
    }
}

async fn what_was_done_is_told_before_an_error(world: &World) {
    let numbers = "with recursive n(n) as (select 1 union all select n + 1 from n where n < 1200)";
    let both = format!(
        "create table tasks (id integer primary key, user_id text, title text);
         insert into tasks {numbers} select n, 'ann', case n when 3 then '' else 'Task' end from n"
    );
    for old in Old::both().await {
        let world = world.another(&[]).await;
        old.run(&both, &both).await;
        let behind = world.behind().await;
        let stop = match behind.engine() {
            Engine::Sqlite => {
                "create trigger stop before insert on tasks when new.number = 900 \
                 begin select raise(abort, 'no more'); end"
            }
            Engine::Postgres | Engine::Pooled => {
                "alter table @tasks add constraint stop check (number <> 900)"
            }
        };
        behind.run(stop).await;
        let ran = import(&world, &old, &[]);
        assert_eq!((ran.code, ran.sums()), (Some(1), [1000, 499, 0, 1, 1]), "{ran:?}");
        assert!(ran.err.contains("the batch was not taken; run the same command again"), "{ran:?}");
    }
}

async fn what_stands_in_the_way_is_one_line_with_the_cure(world: &World) {
    for old in Old::both().await {
        let both = "create table note (id integer, body text); create table todo (id integer, title text, owner text)";
        old.run(both, both).await;
        let says = |args: &[&str], cure: &str| {
            let ran = import(world, &old, args);
            assert_eq!(ran.code, Some(1), "{args:?}: {ran:?}");
            assert!(ran.err.contains(cure) && ran.err.lines().count() == 1, "{args:?}: {ran:?}");
            assert!(ran.out.is_empty(), "{args:?}: {ran:?}");
        };
        says(&["--table", &old.table("tasks")], "is not there; there are: note, todo");
        says(&["--table", "note"], "--map title=COLUMN (there are: id, body)");
        says(&["--table", "todo", "--user", "ann"], "--map user_id=");
        says(&["--table", "todo", "--map", "titel=title"], "they have: id, user_id, title");
        says(
            &["--table", "todo", "--map", "title=heading"],
            "which is not there; there are: id, title, owner",
        );
        says(&["--table", "todo", "--value", "priority:urgent=top"], "means nothing here");
        says(&["--table", "todo", "--user-map", "/nowhere.csv"], "--user-map /nowhere.csv");
        says(
            &["--table", "todo", "--users-table", &old.table("people")],
            "is not there; there are: note, todo",
        );
    }
    let table = world.behind().await.schema().map_or("tasks".to_owned(), |schema| format!("{schema}.tasks"));
    let ours = run(world, &["import", "--table", &table]);
    assert!(ours.code == Some(1) && ours.err.contains("is a table of CreatorVault itself"), "{ours:?}");
    let down = run(world, &["import", "--from", "postgresql://ann:canary@127.0.0.1:1/old"]);
    assert!(down.code == Some(1) && down.err.contains("--from: PostgreSQL at 127.0.0.1:1"), "{down:?}");
    let nothing = run(world, &["import", "--from", "/nowhere/old.db"]);
    assert!(
        nothing.code == Some(1) && nothing.err.contains("there is no file /nowhere/old.db"),
        "{nothing:?}"
    );
    assert!(!format!("{down:?}").contains("canary"));
    for misuse in [&["--from", "mysql://x/y"][..], &["--as", "notes"], &["--map", "title"], &["--user", "me"]]
    {
        let ran = run(world, &[&["import"], misuse].concat());
        assert!(ran.code == Some(2) && ran.out.is_empty(), "{ran:?}");
    }
    from_the_environment(world);
    let folder = tempfile::tempdir().expect("a folder");
    let new = folder.path().join("new.db");
    let mut bare = command(world, &["import", "--from", "/nowhere/old.db"]);
    let bare =
        bare.env("DATABASE_URL", format!("sqlite:///{}", new.display())).env_remove("DATABASE_DIRECT_URL");
    let bare = bare.env_remove("DATABASE_RLS").output().expect("the binary runs");
    let said = String::from_utf8(bare.stderr).expect("text");
    assert!(bare.status.code() == Some(1) && said.contains("run `creatorvault migrate up` first"), "{said}");
    assert!(!new.exists(), "a look makes no file");
}

/// A URL with a password is named, not written: others see the arguments of a process.
fn from_the_environment(world: &World) {
    let with = |url: Option<&str>, more: &[&str]| {
        let mut run = command(world, &[&["import", "--from-env", "OLD_URL"], more].concat());
        let output = run.envs(url.map(|url| ("OLD_URL", url))).output().expect("the binary runs");
        let said =
            [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("text")).concat();
        assert!(!said.contains("canary"), "{said}");
        (output.status.code(), said)
    };
    for (url, more, code, said) in [
        (Some("postgresql://ann:canary@127.0.0.1:1/old"), &[][..], 1, "PostgreSQL at 127.0.0.1:1"),
        (Some("/nowhere/old.db"), &[], 1, "there is no file /nowhere/old.db"),
        (Some("mysql://ann:canary@h/old"), &[], 2, "--from-env"),
        (Some(""), &[], 2, "the variable is not set"),
        (None, &[], 2, "the variable is not set"),
        (Some("old.db"), &["--from", "old.db"], 2, "cannot be used with"),
    ] {
        let (ended, answer) = with(url, more);
        assert!(ended == Some(code) && answer.contains(said), "{url:?} {more:?}: {answer}");
    }
}
