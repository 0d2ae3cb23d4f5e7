//! People work while their rows move: what they make takes no number away from a row that is still to come.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Old, World, command, import, on_both};

on_both!(
    a_task_made_while_rows_move_takes_no_number_of_theirs,
    a_task_made_before_refused_rows_are_mended_takes_no_number_of_theirs,
    users_who_become_one_keep_the_numbers_of_both,
);

/// So many that they are still on their way when the first ones are there.
const ROWS: i64 = 40_000;

async fn a_task_made_while_rows_move_takes_no_number_of_theirs(world: &World) {
    let numbers = format!("with recursive n(n) as (select 1 union all select n + 1 from n where n < {ROWS})");
    let anns = ROWS - 10;
    let both = format!(
        "create table tasks (id integer primary key, user_id text, title text);
         insert into tasks {numbers} select n, case when n > {anns} then 'zoe' else 'ann' end, 'Task ' || n from n;
         update tasks set id = id - {anns} + 100000 where user_id = 'zoe';
         insert into tasks values (100011, 'zoe', ' ');"
    );
    for old in Old::both().await {
        let world = world.another(&[]).await;
        old.run(&both, &both).await;
        let behind = world.behind().await;
        let url = old.url();
        let mut run = command(&world, &["import", "--from", &url]);
        let mut child = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        let begun = Instant::now();
        while behind.number("select count(*) from @tasks").await == 0 {
            assert!(begun.elapsed() < Duration::from_secs(60), "nothing is taken");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        // Ann's rows are on their way, Zoe's come last.
        let (ann, zoe) = (world.user("ann"), world.user("zoe"));
        assert_eq!(zoe.tasks().create(json!({"title": "meanwhile"})).await.is(201)["number"], 100_012);
        assert_eq!(ann.tasks().create(json!({"title": "meanwhile"})).await.is(201)["number"], anns + 1);
        let all = behind.number("select count(*) from @tasks").await;
        assert!(all < ROWS + 2, "everything was taken before anybody could work");
        assert_eq!(child.wait().expect("it has ended").code(), Some(1), "the blank title");
        assert_eq!(behind.number("select count(*) from @tasks").await, ROWS + 2);
    }
}

async fn a_task_made_before_refused_rows_are_mended_takes_no_number_of_theirs(world: &World) {
    for old in Old::both().await {
        let world = world.another(&[]).await;
        let both = "create table tasks (id text primary key, user_id integer, title text, created_at text);
                    insert into tasks values ('1', 7, 'one', '2026-01-01'), (' 12 ', 7, ' ', '2026-01-02'), \
                    ('9999999999999999', 7, 'too great', '2026-01-02'), ('x', 7, 'no number', '2026-01-03'), \
                    ('3', 8, ' ', '2026-01-04')";
        old.run(both, both).await;
        let dry = import(&world, &old, &["--dry-run"]);
        assert_eq!((dry.code, dry.sums()), (Some(1), [5, 2, 0, 3, 2]), "{dry:?}");
        assert_eq!(world.behind().await.number("select count(*) from @users").await, 0);
        let ran = import(&world, &old, &[]);
        assert_eq!((ran.sums(), ran.refused()), (dry.sums(), dry.refused()), "{ran:?}");
        let (ann, bob) = (world.user("7"), world.user("8"));
        assert_eq!(ann.tasks().read(&json!(13)).await.is(200)["title"], "no number");
        assert_eq!(ann.tasks().create(json!({"title": "after"})).await.is(201)["number"], 14);
        assert_eq!(bob.tasks().create(json!({"title": "after"})).await.is(201)["number"], 4);
        assert_eq!(ann.get("/api/v1/users/me").await.is(200)["created_at"], "2026-01-01T00:00:00Z");

        let mend = "update tasks set title = 'mended' where title = ' '";
        old.run(mend, mend).await;
        let ran = import(&world, &old, &[]);
        assert_eq!((ran.code, ran.sums()), (Some(1), [5, 2, 2, 1, 0]), "{ran:?}");
        assert_eq!(ann.tasks().read(&json!(12)).await.is(200)["title"], "mended");
        assert_eq!(bob.tasks().read(&json!(3)).await.is(200)["title"], "mended");
    }
}

async fn users_who_become_one_keep_the_numbers_of_both(world: &World) {
    for old in Old::both().await {
        let world = world.another(&[]).await;
        let both = "create table tasks (id integer primary key, user_id text, title text);
                    insert into tasks values (40, 'a', 'one'), (41, 'a', ' '), (7, 'b', 'two'), (90, 'c', 'three')";
        old.run(both, both).await;
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("users.csv");
        std::fs::write(&file, "old,new\na,ann\nb,ann\n").expect("a file");
        let args = ["--user-map", file.to_str().expect("a path")];
        let ran = import(&world, &old, &args);
        assert_eq!((ran.code, ran.sums()), (Some(1), [4, 2, 0, 2, 1]), "{ran:?}");
        assert_eq!(world.user("ann").tasks().create(json!({"title": "after"})).await.is(201)["number"], 42);

        let world = world.another(&[]).await;
        let args = ["--map", "user_id=", "--user", "bob"];
        assert_eq!(import(&world, &old, &args).sums(), [4, 3, 0, 1, 1]);
        assert_eq!(world.user("bob").tasks().create(json!({"title": "after"})).await.is(201)["number"], 91);
        old.run("delete from tasks where title <> ' '", "delete from tasks where title <> ' '").await;
        let world = world.another(&[]).await;
        assert_eq!(import(&world, &old, &args).sums(), [1, 0, 0, 1, 1]);
        assert_eq!(world.user("bob").tasks().create(json!({"title": "after"})).await.is(201)["number"], 42);
    }
}
