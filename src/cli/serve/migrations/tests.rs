use std::time::Instant;

use super::*;
use crate::clock::Clock;
use crate::config::Config;

#[tokio::test]
async fn a_migration_of_another_postgres_client_is_not_waited_for_before_listening() {
    let url = std::env::var("TEST_POSTGRES_URL").expect("set TEST_POSTGRES_URL to a PostgreSQL server");
    let schema = format!("test_{}", Clock::system().random_id().simple());
    let vars = [
        ("DATABASE_URL", url.as_str()),
        ("DATABASE_SCHEMA", &schema),
        ("BETTER_AUTH_SECRET", "a secret of more than thirty-two letters"),
    ];
    let (config, _) =
        Config::from_vars(vars.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap();
    let app = App::open(config, Clock::system()).await.unwrap();
    let (other, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    other.batch_execute(&format!("begin; create schema {schema}")).await.unwrap();
    let begun = Instant::now();
    bring_up_within(Duration::from_millis(500), &app).await.unwrap();
    assert!(begun.elapsed() < Duration::from_millis(2500), "{:?}", begun.elapsed());
    assert!(app.migrations_pending.is_up());
    other.batch_execute("rollback").await.unwrap();
    while app.migrations_pending.is_up() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the tables are not made");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(migrate::status(&app.config.database).await.unwrap().iter().all(|row| row.applied));
    app.db.close().await;
    other.batch_execute(&format!("drop schema {schema} cascade")).await.unwrap();
}

#[tokio::test]
async fn it_is_not_ready_without_the_fence_that_it_asks_for_nor_starts_as_a_role_that_has_none() {
    let url = std::env::var("TEST_POSTGRES_URL").expect("set TEST_POSTGRES_URL to a PostgreSQL server");
    let id = Clock::system().random_id().simple().to_string();
    let (schema, role) = (format!("test_{id}"), format!("role_{id}"));
    let (admin, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    admin.batch_execute(&format!("create role {role} login; create schema {schema}")).await.unwrap();
    let settings = |own: &str, auto: &str| {
        let vars = [
            ("DATABASE_URL", own),
            ("DATABASE_DIRECT_URL", &url),
            ("DATABASE_SCHEMA", &schema),
            ("DATABASE_RLS", "on"),
            ("AUTO_MIGRATE", auto),
        ];
        Config::from_vars(vars.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap().0.database
    };
    let (scheme, rest) = url.split_once("://").unwrap();
    let own = format!("{scheme}://{role}@{}", rest.split_once('@').unwrap().1);
    let refused = found(&settings(&url, "true")).await.unwrap_err();
    assert!(refused.text().contains("nosuperuser nobypassrls"), "{refused}");
    let there = format!("select 1 from pg_tables where schemaname = '{schema}'");
    assert!(admin.query(&there, &[]).await.unwrap().is_empty(), "nothing is made for such a role");
    migrate::up(&DatabaseConfig { rls: false, ..settings(&own, "true") }).await.unwrap();
    match found(&settings(&own, "false")).await.unwrap() {
        Tables::Pending(reason) => assert!(reason.contains("no row level security on"), "{reason}"),
        Tables::Ready => panic!("ready without the fence"),
    }
    assert_eq!(found(&settings(&own, "true")).await.unwrap(), Tables::Ready);
    assert_eq!(found(&settings(&own, "false")).await.unwrap(), Tables::Ready);
    admin.batch_execute(&format!("drop schema {schema} cascade; drop role {role}")).await.unwrap();
}
