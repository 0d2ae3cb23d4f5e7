//! Tables as FastAPI tutorials make them, and as others do.

use serde_json::{Value, json};

use crate::harness::{Old, World, import, on_both, on_both_and_pooled};

on_both_and_pooled!(a_sqlmodel_table_with_integer_ids_moves_in);
on_both!(
    uuids_stay_and_numbers_follow_the_time,
    words_and_times_of_many_spellings,
    ideas_move_in,
    users_get_their_new_ids_and_their_names,
    users_whose_ids_are_bytes_get_their_names,
    rows_without_an_owner_are_given_one,
);

/// What `class Task(SQLModel, table=True)` makes, and the rows of two users in it.
async fn sqlmodel(old: &Old) {
    let rows = "insert into task values \
        (1, 'ann', 'Water the plants', null, $f, '2026-01-02 03:04:05.123456', '2026-01-02 03:04:05.123456'), \
        (2, 'bob', 'Call the plumber', 'about the sink', $t, '2026-01-03 00:00:00', '2026-01-04 05:00:00'), \
        (7, 'ann', ' Buy seeds ', '', $t, '2026-01-06 00:00:00', '2026-01-06 10:00:00')";
    let table = "create table task (id integer not null primary key, user_id varchar not null, title varchar not null, \
                 description varchar, completed boolean not null, created_at $time not null, updated_at $time not null);";
    let sqlite =
        format!("{table}{rows}").replace("$f", "0").replace("$t ", "1 ").replace("$time", "datetime");
    let sqlite = sqlite.replace("$t,", "1,");
    let postgres =
        format!("{table}{rows}").replace("$time", "timestamp").replace("$f", "false").replace("$t", "true");
    old.run(&sqlite, &postgres).await;
}

async fn a_sqlmodel_table_with_integer_ids_moves_in(world: &World) {
    for old in Old::both().await {
        let world = world.another(&[]).await;
        let (ann, bob) = (world.user("ann"), world.user("bob"));
        sqlmodel(&old).await;
        let dry = import(&world, &old, &["--table", "task", "--dry-run"]);
        assert_eq!((dry.code, dry.sums()), (Some(0), [3, 3, 0, 0, 2]), "{dry:?}");
        assert!(dry.out.contains("nothing was written") && dry.err.is_empty(), "{dry:?}");
        assert!(ann.tasks().rows("").await.is_empty());
        assert_eq!(world.behind().await.number("select count(*) from @users").await, 0);

        let ran = import(&world, &old, &["--table", "task"]);
        assert_eq!((ran.code, ran.sums()), (Some(0), [3, 3, 0, 0, 2]), "{ran:?}");
        let mut rows = ann.tasks().rows("").await;
        let expected = json!([
            {"number": 7, "user_id": "ann", "title": "Buy seeds", "description": "", "completed": true,
             "completed_at": "2026-01-06T10:00:00Z", "priority": "medium", "tags": [], "due_date": null,
             "created_at": "2026-01-06T00:00:00Z", "updated_at": "2026-01-06T10:00:00Z", "version": 1},
            {"number": 1, "user_id": "ann", "title": "Water the plants", "description": null, "completed": false,
             "completed_at": null, "priority": "medium", "tags": [], "due_date": null,
             "created_at": "2026-01-02T03:04:05.123456Z", "updated_at": "2026-01-02T03:04:05.123456Z", "version": 1},
        ]);
        rows.iter_mut()
            .for_each(|row| drop(row.as_object_mut().expect("an object").remove("id").expect("an id")));
        assert_eq!(Value::from(rows), expected);
        // The old ids go on naming the tasks, and new ones come after them.
        assert_eq!(bob.tasks().read(&json!(2)).await.is(200)["description"], "about the sink");
        assert_eq!(ann.tasks().create(json!({"title": "Next"})).await.is(201)["number"], 8);
        assert_eq!(ann.tasks().titles("search=SEEDS").await, ["Buy seeds"]);
        assert_eq!(ann.get("/api/v1/users/me").await.is(200)["created_at"], "2026-01-02T03:04:05.123456Z");

        // What was changed or removed meanwhile: a change stays, a removed row comes back.
        ann.tasks().patch(&json!(1), json!({"title": "Water the cactus"})).await.is(200);
        bob.tasks().delete(&json!(2)).await.is(204);
        let again = import(&world, &old, &["--table", "task"]);
        assert_eq!((again.code, again.sums()), (Some(0), [3, 1, 2, 0, 0]), "{again:?}");
        assert_eq!(ann.tasks().read(&json!(1)).await.is(200)["title"], "Water the cactus");
        assert_eq!(ann.tasks().create(json!({"title": "After"})).await.is(201)["number"], 9);
    }
}

async fn uuids_stay_and_numbers_follow_the_time(world: &World) {
    let id = |n: u32| format!("0198c2a4-7d1f-4abc-8def-00000000000{n}");
    for old in Old::both().await {
        let world = world.another(&[]).await;
        // As SQLAlchemy 2 keeps UUID, Enum, JSON and ARRAY in each database.
        old.run(
            &format!(
                "create table tasks (id char(32) primary key, owner_id varchar not null, name varchar(200), \
                 is_completed boolean, priority varchar(6), tags json, deadline datetime, created datetime, position int);
                 insert into tasks values \
                 ('{a}', 'ann', 'second', 0, 'HIGH', '[\"home\", \" garden \", \"home\"]', '2026-05-01 10:00:00.000000', \
                  '2026-01-02 00:00:00', 1), ('{b}', 'ann', 'first', 1, 'LOW', 'null', null, '2026-01-01 00:00:00', 2)",
                a = id(1).replace('-', ""),
                b = id(2).replace('-', "")
            ),
            &format!(
                "create type prio as enum ('LOW', 'MEDIUM', 'HIGH');
                 create table tasks (id uuid primary key, owner_id varchar not null, name varchar(200), \
                 is_completed boolean, priority prio, tags varchar[], deadline timestamptz, created timestamptz, position int);
                 insert into tasks values \
                 ('{a}', 'ann', 'second', false, 'HIGH', '{{home,\" garden \",home}}', '2026-05-01 12:00:00+02', \
                  '2026-01-02 05:00:00+05', 1), ('{b}', 'ann', 'first', true, 'LOW', null, null, '2026-01-01 00:00:00+00', 2)",
                a = id(1),
                b = id(2)
            ),
        )
        .await;
        let ann = world.user("ann");
        ann.tasks().create(json!({"title": "here before"})).await.is(201);
        let ran = import(&world, &old, &[]);
        assert_eq!((ran.code, ran.sums()), (Some(0), [2, 2, 0, 0, 0]), "{ran:?}");
        assert!(ran.out.lines().any(|line| line == "ignored: position"), "{ran:?}");
        let second = ann.tasks().read(&json!(id(1))).await.is(200);
        assert_eq!(
            (&second["number"], &second["priority"], &second["tags"]),
            (&json!(3), &json!("high"), &json!(["home", "garden"]))
        );
        assert_eq!(
            (&second["due_date"], &second["created_at"]),
            (&json!("2026-05-01T10:00:00Z"), &json!("2026-01-02T00:00:00Z"))
        );
        let first = ann.tasks().read(&json!(id(2))).await.is(200);
        assert_eq!((&first["number"], &first["completed_at"]), (&json!(2), &first["updated_at"]));
        assert_eq!(ann.tasks().titles("tags=garden").await, ["second"]);
        assert_eq!(import(&world, &old, &[]).sums(), [2, 0, 2, 0, 0]);
        assert_eq!(ann.tasks().create(json!({"title": "next"})).await.is(201)["number"], 4);
    }
}

async fn words_and_times_of_many_spellings(world: &World) {
    for old in Old::both().await {
        let world = world.another(&[]).await;
        let table = "create table todos (id varchar(15) primary key, userId integer, title text, status text, prio text, \
                     labels text, due text, createdAt text, completed_at text, \"notes\" text);";
        let rows = "insert into todos values \
            ('a1b2c3d4e5f6g7h', 7, 'pocket', 'in_progress', '1', 'home, n 1,', '2026-03-01 10:20:30.123Z', '1772360430', '', 'n'), \
            ('b1b2c3d4e5f6g7h', 7, 'rails', 'DONE', 'Medium', '[\"x\"]', '', '2026-03-01 10:20:30 +0530', '2026-03-02', null), \
            ('c1b2c3d4e5f6g7h', 7, 'js', 'archived', 'urgent', '', null, '1772360430250', null, null)";
        let both = format!("{table}{rows}");
        old.run(&both, &both).await;
        let value = ["--value", "priority:urgent=high", "--value", "completed:archived=true"];
        let ran = import(&world, &old, &[&["--table", "todos"], &value[..]].concat());
        assert_eq!((ran.code, ran.sums()), (Some(0), [3, 3, 0, 0, 1]), "{ran:?}");
        for note in ["1 rows: a status that says begun", "1 rows: priorities 1, 2, 3 were taken"] {
            assert!(ran.out.contains(note), "{note}: {ran:?}");
        }
        let rows = world.user("7").tasks().rows("").await;
        let told = |title: &str| {
            let row = rows.iter().find(|row| row["title"] == title).expect("a row of that title");
            json!([
                row["completed"],
                row["completed_at"],
                row["priority"],
                row["tags"],
                row["due_date"],
                row["created_at"]
            ])
        };
        let pocket =
            json!([false, null, "high", ["home", "n 1"], "2026-03-01T10:20:30.123Z", "2026-03-01T10:20:30Z"]);
        assert_eq!(told("pocket"), pocket);
        let rails = json!([true, "2026-03-02T00:00:00Z", "medium", ["x"], null, "2026-03-01T04:50:30Z"]);
        assert_eq!(told("rails"), rails);
        let js = json!([true, "2026-03-01T10:20:30.25Z", "high", [], null, "2026-03-01T10:20:30.25Z"]);
        assert_eq!(told("js"), js);
        assert_eq!(
            import(&world, &old, &[&["--table", "todos"], &value[..]].concat()).sums(),
            [3, 0, 3, 0, 0]
        );
    }
}

async fn ideas_move_in(world: &World) {
    for old in Old::both().await {
        let world = world.another(&[]).await;
        let both = "create table posts (id integer primary key, author text, headline text, content text, status text, tags text);
                    insert into posts values (5, 'ann', 'A film', 'about trains', 'DRAFT', 'video,rail'), \
                    (6, 'ann', 'A song', null, 'writing', null)";
        old.run(both, both).await;
        let args = [
            "--table",
            "posts",
            "--as",
            "ideas",
            "--map",
            "title=headline",
            "--value",
            "stage:writing=draft",
        ];
        let ran = import(&world, &old, &args);
        assert_eq!((ran.code, ran.sums()), (Some(0), [2, 2, 0, 0, 1]), "{ran:?}");
        assert!(ran.out.contains("2 rows: no created_at: taken as made now"), "{ran:?}");
        let ann = world.user("ann");
        assert_eq!(ann.ideas().titles("stage=draft&sort=title&order=asc").await, ["A film", "A song"]);
        let film = &ann.ideas().rows("tags=rail").await[0];
        assert_eq!((&film["notes"], &film["tags"]), (&json!("about trains"), &json!(["video", "rail"])));
        assert_eq!(import(&world, &old, &args).sums(), [2, 0, 2, 0, 0]);
        assert_eq!(ann.tasks().create(json!({"title": "first"})).await.is(201)["number"], 1);
    }
}

async fn users_get_their_new_ids_and_their_names(world: &World) {
    for old in Old::both().await {
        let world = world.another(&[]).await;
        let both = "create table tasks (id integer primary key, user_id integer, title text, completed integer);
                    insert into tasks values (1, 10, 'hers', 1), (2, 11, 'his', 0), (3, 12, 'nobody''s', 0);
                    create table \"user\" (id text, name text, email text, role text);
                    insert into \"user\" values ('10', 'Ann Lee', 'ann@example.com', 'x'), ('bOb', 'Bob', '', 'x')";
        old.run(both, both).await;
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("users.csv");
        std::fs::write(&file, "old,new\n10,aNN\n11,bOb\n").expect("a file");
        let args = ["--user-map", file.to_str().expect("a path"), "--users-table", "user"];
        let ran = import(&world, &old, &args);
        assert_eq!((ran.code, ran.sums()), (Some(1), [3, 2, 0, 1, 2]), "{ran:?}");
        let refused = "row 3: user_id: the user is not in the file of --user-map: add a line for it";
        assert_eq!(ran.refused(), [refused]);
        let (ann, bob) = (world.claiming("aNN", None, None), world.claiming("bOb", None, None));
        let me = ann.get("/api/v1/users/me").await.is(200);
        assert_eq!(
            (ann.tasks().titles("").await, bob.tasks().titles("").await),
            (vec!["hers".into()], vec!["his".into()])
        );
        let named = "select count(*) from @users where id = 'aNN' and email like 'ann_example.com' and name = 'Ann Lee'";
        assert_eq!(world.behind().await.number(named).await, 1, "{me}");
        let other = "select count(*) from @users where id = 'bOb' and email is null and name = 'Bob'";
        assert_eq!(world.behind().await.number(other).await, 1);
    }
}

async fn users_whose_ids_are_bytes_get_their_names(world: &World) {
    for old in Old::both().await {
        let world = world.another(&[]).await;
        let rows = "create table tasks (id integer primary key, owner_id $bytes, title text);
                    create table users (id $bytes primary key, email text);
                    insert into users values ($of00, 'ann@example.com'), ($of10, 'bob@example.com');
                    insert into tasks values (1, $of00, 'hers'), (2, $of10, 'his')";
        let id = |first: &str| format!("{first}0102030405060708090a0b0c0d0e0f");
        let sqlite = rows.replace("$bytes", "blob").replace("$of00", &format!("x'{}'", id("00")));
        let postgres = rows.replace("$bytes", "bytea").replace("$of00", &format!("'\\x{}'", id("00")));
        let sqlite = sqlite.replace("$of10", &format!("x'{}'", id("10")));
        let postgres = postgres.replace("$of10", &format!("'\\x{}'", id("10")));
        old.run(&sqlite, &postgres).await;
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("users.csv");
        let (ann, bob) = ("00010203-0405-0607-0809-0a0b0c0d0e0f", "10010203-0405-0607-0809-0a0b0c0d0e0f");
        std::fs::write(&file, format!("old,new\n{ann},{ann}\n{bob},bOb\n")).expect("a file");
        let args = ["--user-map", file.to_str().expect("a path"), "--users-table", "users"];
        assert_eq!(import(&world, &old, &args).sums(), [2, 2, 0, 0, 2]);
        let behind = world.behind().await;
        for (id, email) in [(ann, "ann"), ("bOb", "bob")] {
            let named =
                format!("select count(*) from @users where id = '{id}' and email like '{email}_example.com'");
            assert_eq!(behind.number(&named).await, 1, "{id}");
        }
    }
}

async fn rows_without_an_owner_are_given_one(world: &World) {
    for old in Old::both().await {
        let world = world.another(&[]).await;
        let both = "create table tasks (id integer primary key, title text, done integer);
                    insert into tasks values (1, 'one', 1), (2, 'two', 0)";
        old.run(both, both).await;
        let ran = import(&world, &old, &[]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.err.contains("--user ID") && ran.err.lines().count() == 1, "{ran:?}");
        let ran = import(&world, &old, &["--user", "ann"]);
        assert_eq!((ran.code, ran.sums()), (Some(0), [2, 2, 0, 0, 1]), "{ran:?}");
        assert_eq!(world.user("ann").tasks().titles("completed=true").await, ["one"]);
        assert_eq!(
            world.user("ann").tasks().titles("").await,
            ["two", "one"],
            "newest first, as they were counted"
        );
    }
}
