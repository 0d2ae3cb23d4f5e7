//! A table of another back end where ours should be: refused with the way out, and the way out walked.

use std::process::Command;

use creatorvault::clock::Clock;

use crate::harness::test_server;

/// Runs the command with these variables.
fn run(vars: &[(&str, &str)], args: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_creatorvault"));
    command.args(args).env_clear().envs(vars.iter().copied()).current_dir(std::env::temp_dir());
    let output = command.output().expect("the binary runs");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("text")).concat();
    (output.status.code(), said)
}

const OLD: &str = "create table tasks (id integer primary key, user_id text, title text, completed boolean); \
                   create index ix_tasks_user_id on tasks (user_id); \
                   insert into tasks values (1, 'ann', 'one', true), (2, 'bob', 'two', false)";

/// What stands between backticks in a text.
fn commands(said: &str) -> Vec<String> {
    said.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn a_sqlite_table_in_the_way_is_renamed_and_taken_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("app.db");
    let file = rusqlite::Connection::open(&path).expect("a file");
    file.execute_batch(OLD).expect("an old table");
    let url = format!("sqlite:///{}", path.display());
    let vars = [("DATABASE_URL", url.as_str())];
    let (code, said) = run(&vars, &["migrate", "up"]);
    assert_eq!(code, Some(1), "{said}");
    let [rename, up, import, _] = &commands(&said)[..] else { panic!("{said}") };
    file.execute_batch(rename).expect("it can be renamed");
    for command in [up, import] {
        let args: Vec<_> = command.split(' ').skip(1).collect();
        let (code, said) = run(&vars, &args);
        assert_eq!(code, Some(0), "{command}: {said}");
    }
    let taken = "select count(*) from tasks where number = 1 and user_id = 'ann' and completed = 1";
    assert_eq!(file.query_row(taken, [], |row| row.get::<_, i64>(0)), Ok(1));
}

#[tokio::test]
async fn a_postgres_table_in_the_way_is_renamed_or_left_in_its_schema() {
    let url = test_server("TEST_POSTGRES_URL");
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.expect("a server");
    tokio::spawn(connection);
    let id = Clock::system().random_id().simple().to_string();
    let (schema, other) = (format!("app_{id}"), format!("own_{id}"));
    let make = format!("create schema {schema}; set search_path to {schema}; {OLD}");
    client.batch_execute(&make).await.expect("an old table");

    // Left where it is: the rows go into another schema.
    let vars = [("DATABASE_URL", url.as_str()), ("DATABASE_SCHEMA", other.as_str())];
    let table = format!("{schema}.tasks");
    for args in [&["migrate", "up"][..], &["import", "--table", &table]] {
        let (code, said) = run(&vars, args);
        assert_eq!(code, Some(0), "{said}");
    }
    // Renamed: as the refusal says.
    let vars = [("DATABASE_URL", url.as_str()), ("DATABASE_SCHEMA", schema.as_str())];
    let (code, said) = run(&vars, &["migrate", "up"]);
    assert_eq!(code, Some(1), "{said}");
    let [rename, up, import, _] = &commands(&said)[..] else { panic!("{said}") };
    client.batch_execute(rename).await.expect("it can be renamed");
    for command in [up, import] {
        let args: Vec<_> = command.split(' ').skip(1).collect();
        let (code, said) = run(&vars, &args);
        assert_eq!(code, Some(0), "{command}: {said}");
    }
    for schema in [&schema, &other] {
        let taken =
            format!("select count(*) from {schema}.tasks where number = 1 and user_id = 'ann' and completed");
        assert_eq!(client.query_one(&taken, &[]).await.expect("a count").get::<_, i64>(0), 1);
    }
    client.batch_execute(&format!("drop schema {schema}, {other} cascade")).await.expect("tidied up");
}
