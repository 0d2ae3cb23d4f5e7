use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::*;
use crate::config::database::Prepared;
use crate::db::tests::{Bed, fresh, own_schema, soon, text, user};

/// A database without any table of ours, on both engines and as behind a pooler.
async fn empty_beds(test: impl AsyncFn(&Bed)) {
    Bed::sqlite(|_| {}).await.hold(&test).await;
    Bed::postgres(|_| {}).await.hold(&test).await;
    Bed::postgres(|config| config.prepared = Prepared::Off).await.hold(&test).await;
}

fn broken(engine: Engine) -> Vec<Migration> {
    let mut known = files::known(engine);
    known.push(Migration {
        version: 9000,
        name: "broken".to_owned(),
        up: "create table @half (n integer); insert into @half values (1); select nothing from @nowhere;"
            .to_owned(),
        down: String::new(),
    });
    known
}

#[tokio::test]
async fn up_down_and_up_again() {
    empty_beds(async |bed| {
        let all = names(&bed.config);
        let backwards: Vec<_> = all.iter().rev().cloned().collect();
        let standing =
            |applied| -> Vec<_> { all.iter().map(|name| Applied { applied, name: name.clone() }).collect() };
        assert_eq!(all[0], "0001_users_tasks_ideas");
        assert_eq!(status(&bed.config).await.unwrap(), standing(false));
        assert_eq!(up(&bed.config).await.unwrap(), all);
        assert_eq!(up(&bed.config).await.unwrap(), [""; 0]);
        assert_eq!(status(&bed.config).await.unwrap(), standing(true));
        bed.raw("insert into @users (id) values ('ann')").await;
        assert_eq!(down(&bed.config, 1).await.unwrap(), backwards[..1]);
        assert_eq!(up(&bed.config).await.unwrap(), backwards[..1]);
        assert_eq!(down(&bed.config, 50).await.unwrap(), backwards);
        assert_eq!(down(&bed.config, 1).await.unwrap(), [""; 0]);
        assert_eq!(up(&bed.config).await.unwrap(), all);
        // The row went with its table, so its key is free.
        bed.raw("insert into @users (id) values ('ann')").await;
    })
    .await;
}

#[tokio::test]
async fn five_at_once_apply_each_migration_once() {
    empty_beds(async |bed| {
        let runs = (0..5).map(|_| {
            let config = bed.config.clone();
            tokio::spawn(async move { up(&config).await })
        });
        let done = futures_util::future::join_all(runs).await;
        let applied: Vec<String> = done.into_iter().flat_map(|run| run.unwrap().unwrap()).collect();
        assert_eq!(BTreeSet::from_iter(&applied), BTreeSet::from_iter(&names(&bed.config)));
        assert_eq!(applied.len(), names(&bed.config).len());
    })
    .await;
}

#[tokio::test]
async fn with_nothing_pending_nobody_waits_for_the_lock() {
    Bed::postgres(|_| {})
        .await
        .hold(async |bed| {
            up(&bed.config).await.unwrap();
            let key = postgres::lock_key(&bed.config.schema);
            let lock = format!("begin; select pg_advisory_xact_lock({key}); select pg_sleep(2); commit");
            let look = async {
                tokio::time::sleep(Duration::from_millis(300)).await;
                let begun = Instant::now();
                assert_eq!(up(&bed.config).await.unwrap(), [""; 0]);
                begun.elapsed()
            };
            let ((), took) = tokio::join!(bed.raw(&lock), look);
            assert!(took < Duration::from_secs(1), "{took:?}");
        })
        .await;
}

#[tokio::test]
async fn a_table_of_another_back_end_is_refused_and_left_alone() {
    empty_beds(async |bed| {
        bed.raw("create table @tasks (id integer primary key, title text); insert into @tasks values (1, 'theirs')").await;
        for error in [
            up(&bed.config).await.map(drop).unwrap_err(),
            status(&bed.config).await.map(drop).unwrap_err(),
            up_sql(&bed.config).await.map(drop).unwrap_err(),
        ] {
            let text = error.to_string();
            assert!(matches!(error, DbError::Fault(_)), "{text}");
            assert!(text.contains("tasks is there already") && text.contains("rename"), "{text}");
            assert!(text.contains("DATABASE_"), "{text}");
        }
        // Neither table nor book was made, and theirs is as it was.
        bed.raw("create table @users (id integer); insert into @tasks values (2, 'theirs')").await;
        bed.raw("create table @creatorvault_migrations (id integer)").await;
    })
    .await;
}

#[tokio::test]
async fn a_failure_in_the_middle_leaves_nothing_of_that_migration() {
    empty_beds(async |bed| {
        let known = broken(bed.db.engine());
        let error = go(&bed.config, Way::Up, u32::MAX, &known).await.unwrap_err();
        assert!(error.to_string().contains("9000_broken"), "{error}");
        // The one before it stays, the broken one left no table.
        assert_eq!(up(&bed.config).await.unwrap(), [""; 0]);
        assert!(status(&bed.config).await.unwrap().iter().all(|row| row.applied));
        bed.raw("create table @half (n integer)").await;
    })
    .await;
}

#[tokio::test]
async fn changed_and_unknown_migrations() {
    empty_beds(async |bed| {
        up(&bed.config).await.unwrap();
        bed.raw("insert into @creatorvault_migrations (version, name, checksum) values (8000, 'ahead', 'x')")
            .await;
        assert_eq!(up(&bed.config).await.unwrap(), [""; 0]);
        assert_eq!(
            *status(&bed.config).await.unwrap().last().unwrap(),
            Applied { applied: true, name: "8000_ahead".to_owned() }
        );
        assert!(down(&bed.config, 1).await.unwrap_err().to_string().contains("8000_ahead"));
        bed.raw("delete from @creatorvault_migrations where version = 8000").await;
        bed.raw("update @creatorvault_migrations set checksum = 'other'").await;
        let error = up(&bed.config).await.unwrap_err();
        assert!(error.to_string().contains("another text"), "{error}");
        assert!(down(&bed.config, 1).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn the_script_does_by_hand_what_up_does() {
    empty_beds(async |bed| {
        let script = up_sql(&bed.config).await.unwrap();
        assert!(!script.contains('@'), "{script}");
        bed.raw(&script).await;
        assert_eq!(up(&bed.config).await.unwrap(), [""; 0]);
        assert!(status(&bed.config).await.unwrap().iter().all(|row| row.applied));
        assert_eq!(up_sql(&bed.config).await.unwrap(), "-- nothing pending\n");
    })
    .await;
}

/// What the indexes of the last migration are, by name.
async fn indexes(bed: &Bed) -> Vec<(i64, String)> {
    let sql = "select i.indexrelid::bigint, pg_get_indexdef(i.indexrelid) from pg_index i \
               join pg_class c on c.oid = i.indexrelid where $1 = $1 and c.relnamespace = $2::text::regnamespace \
               and c.relname ~ '_in_order_of_|_by_words' order by c.relname";
    let list = fresh(sql, [text(&bed.config.schema)]);
    let rows = bed.db.scope(&user("ann"), soon()).read(list).await.unwrap();
    rows.iter().map(|row| (row.int(0).unwrap(), row.text(1).unwrap())).collect()
}

/// The statements of docs/database.md make what the migration makes, and it leaves alone what they made.
#[tokio::test]
async fn indexes_can_be_made_beforehand() {
    let docs = include_str!("../../../docs/database.md");
    let statements: Vec<_> =
        docs.lines().filter(|line| line.starts_with("create index concurrently")).collect();
    assert_eq!(statements.len(), 6);
    Bed::postgres(|_| {})
        .await
        .hold(async |bed| {
            go(&bed.config, Way::Up, 2, &files::known(Engine::Postgres)).await.unwrap();
            for statement in statements {
                // Concurrently it would wait for the transactions of other tests.
                bed.raw(&statement.replace(" concurrently ", " ").replace(" on public.", " on @")).await;
            }
            let before = indexes(bed).await;
            assert_eq!(up(&bed.config).await.unwrap(), ["0003_list_indexes"]);
            assert_eq!((indexes(bed).await, before.len()), (before.clone(), 6));
            down(&bed.config, 1).await.unwrap();
            assert_eq!(indexes(bed).await, []);
            up(&bed.config).await.unwrap();
            let definitions = |indexes: Vec<(i64, String)>| -> Vec<_> {
                indexes.into_iter().map(|(_, definition)| definition).collect()
            };
            assert_eq!(definitions(indexes(bed).await), definitions(before));
        })
        .await;
}

#[tokio::test]
async fn a_missing_schema_is_made() {
    Bed::postgres(|_| {})
        .await
        .hold(async |bed| {
            let mut config = bed.config.clone();
            config.schema = own_schema();
            up(&config).await.unwrap();
            bed.raw(&format!("insert into {}.users (id) values ('ann')", config.schema)).await;
            bed.raw(&format!("drop schema {} cascade", config.schema)).await;
        })
        .await;
}

#[tokio::test]
async fn rules_of_the_tables_hold() {
    empty_beds(async |bed| {
        up(&bed.config).await.unwrap();
        let postgres = bed.db.engine() == Engine::Postgres;
        let id = if postgres { "'018f0000-0000-7000-8000-000000000001'" } else { "x'018f0000000070008000000000000001'" };
        let now = if postgres { "now()" } else { "1" };
        let (yes, no) = if postgres { ("true", "false") } else { ("1", "0") };
        bed.raw("insert into @users (id) values ('ann'), ('bob')").await;
        let columns = "insert into @tasks (user_id, id, number, title, title_fold, completed, completed_at, priority)";
        let good = format!("{columns} values ('ann', {id}, 1, 'T', 't', {no}, null, 'low')");
        bed.raw(&good).await;
        bed.raw(&format!("insert into @task_tags (user_id, tag, task_id) values ('ann', 'a', {id})")).await;
        bed.raw(&format!("insert into @ideas (user_id, id, title, title_fold) values ('ann', {id}, 'I', 'i')")).await;
        let bad = [
            good.clone(),
            format!("{columns} values ('bob', {id}, 1, '', '', {no}, null, 'low')"),
            format!("{columns} values ('bob', {id}, 1, '{}', 't', {no}, null, 'low')", "é".repeat(501)),
            format!("{columns} values ('bob', {id}, 1, 'T', 't', {yes}, null, 'low')"),
            format!("{columns} values ('bob', {id}, 1, 'T', 't', {no}, {now}, 'low')"),
            format!("{columns} values ('bob', {id}, 1, 'T', 't', {no}, null, 'urgent')"),
            format!("{columns} values ('eve', {id}, 1, 'T', 't', {no}, null, 'low')"),
            format!("insert into @task_tags (user_id, tag, task_id) values ('bob', 'a', {id})"),
            format!("insert into @ideas (user_id, id, title, title_fold, stage) values ('bob', {id}, 'I', 'i', 'x')"),
            format!("insert into @ideas (user_id, id, title, title_fold, tags) values ('bob', {id}, 'I', 'i', '{{}}')"),
        ];
        for statement in bad {
            assert!(bed.try_raw(&statement).await.is_err(), "{statement}");
        }
        bed.raw(&format!("{columns} values ('bob', {id}, 1, '{}', 't', {yes}, {now}, 'low')", "é".repeat(500))).await;
        // Everything of a user goes with the user.
        bed.raw("delete from @users where id = 'ann'").await;
        bed.raw("insert into @users (id) values ('ann')").await;
        bed.raw(&good).await;
        bed.raw(&format!("insert into @task_tags (user_id, tag, task_id) values ('ann', 'a', {id})")).await;
    })
    .await;
}

#[test]
fn both_engines_have_the_same_migrations_each_with_its_way_back() {
    let names = |engine| files::known(engine).iter().map(Migration::full_name).collect::<Vec<_>>();
    assert_eq!(names(Engine::Postgres), names(Engine::Sqlite));
    for engine in [Engine::Postgres, Engine::Sqlite] {
        for (i, migration) in files::known(engine).iter().enumerate() {
            assert_eq!(migration.version, i64::try_from(i).unwrap() + 1);
            assert!(
                !migration.up.trim().is_empty() && !migration.down.trim().is_empty(),
                "{}",
                migration.full_name()
            );
            for taken in ["user", "session", "account", "verification", "jwks"] {
                assert!(!migration.tables().contains(&taken));
            }
        }
        assert_eq!(files::known(engine)[0].tables(), ["users", "tasks", "task_tags", "ideas", "idea_tags"]);
    }
}

#[test]
fn new_files_take_the_next_number() {
    let folder = tempfile::tempdir().unwrap();
    let made = new(folder.path(), "first").unwrap();
    let name = |path: &PathBuf| path.strip_prefix(folder.path()).unwrap().display().to_string();
    assert_eq!(
        made.iter().map(name).collect::<Vec<_>>(),
        [
            "postgres/0001_first.up.sql",
            "postgres/0001_first.down.sql",
            "sqlite/0001_first.up.sql",
            "sqlite/0001_first.down.sql"
        ]
    );
    std::fs::write(folder.path().join("sqlite/0041_other.up.sql"), "").unwrap();
    assert_eq!(name(&new(folder.path(), "next_one").unwrap()[0]), "postgres/0042_next_one.up.sql");
    for bad in ["", "../x", "A", "a b"] {
        assert_eq!(new(folder.path(), bad).unwrap_err().kind(), std::io::ErrorKind::InvalidInput, "{bad}");
    }
}

/// A migration that looks at rows, with the line that says so or without.
fn touching(line: &str) -> Vec<Migration> {
    let mut known = files::known(Engine::Postgres);
    known.push(Migration {
        version: 9000,
        name: "touching".to_owned(),
        up: format!("{line}update @tasks set version = version + 1;"),
        down: format!("{line}update @tasks set version = version - 1;"),
    });
    known
}

#[tokio::test]
async fn a_migration_that_touches_rows_has_to_say_so_under_row_level_security() {
    let role = own_schema().replace("test_", "role_");
    Bed::postgres(|config| {
        let DatabaseUrl::Postgres(url) = &mut config.url else { unreachable!() };
        url.user = Some(role.clone());
        config.rls = true;
    })
    .await
    .hold(async |bed| {
        let schema = &bed.config.schema;
        bed.raw(&format!("create role {role} login; alter schema {schema} owner to {role}")).await;
        up(&bed.config).await.unwrap();
        bed.raw(
            "insert into @users (id) values ('ann'), ('bob'); \
             insert into @tasks (user_id, id, number, title, title_fold) \
             select id, gen_random_uuid(), 1, 't', 't' from @users",
        )
        .await;
        let error = go(&bed.config, Way::Up, 1, &touching("")).await.unwrap_err();
        assert!(error.text().contains("-- touches rows"), "{error}");
        let known = touching("-- touches rows: tasks\n");
        for (way, version) in [(Way::Up, 2), (Way::Down, 1)] {
            assert_eq!(go(&bed.config, way, 1, &known).await.unwrap(), ["9000_touching"]);
            bed.raw(&format!("do $$ begin assert (select sum(version) from @tasks) = 2 * {version}; end $$"))
                .await;
            assert!(fence(&bed.config).await.unwrap().unwrap().open().is_empty(), "the fence is back");
        }
        let all = names(&bed.config);
        assert_eq!(down(&bed.config, 50).await.unwrap().len(), all.len());
        let again = up(&bed.config).await.unwrap();
        assert_eq!(again.last().map(String::as_str), Some("row level security"));
        bed.raw(&format!("drop schema {schema} cascade; create schema {schema}; drop role {role}")).await;
    })
    .await;
}
