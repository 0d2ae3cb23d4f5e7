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
