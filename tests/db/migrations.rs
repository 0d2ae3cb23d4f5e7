use creatorvault::db::{Db, DbError, migrate};

use super::{postgres, settings, soon, sqlite};

#[tokio::test]
async fn a_sqlite_file_is_migrated_before_and_while_it_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let config = sqlite(&folder);
    // Looking makes nothing.
    assert!(migrate::status(&config).await.unwrap().iter().all(|row| !row.applied));
    assert!(migrate::up_sql(&config).await.unwrap().contains("create table tasks"));
    assert!(!folder.path().join("data").exists());
    let all = migrate::names(&config).len();
    assert_eq!(migrate::up(&config).await.unwrap().len(), all);
    // Nobody has the file open now: a look at it still works.
    assert!(migrate::status(&config).await.unwrap().iter().all(|row| row.applied));
    let db = Db::open(&config).await.unwrap();
    db.ping(soon()).await.unwrap();
    assert_eq!(migrate::down(&config, 1).await.unwrap().len(), 1);
    assert_eq!(migrate::up(&config).await.unwrap().len(), 1);
    db.ping(soon()).await.unwrap();
    db.close().await;
}

#[tokio::test]
async fn a_server_that_is_down_is_unavailable() {
    let config = settings(&[("DATABASE_URL", "postgresql://ann@127.0.0.1:1/d")]);
    assert!(matches!(migrate::up(&config).await, Err(DbError::Unavailable(_))));
    assert!(matches!(migrate::status(&config).await, Err(DbError::Unavailable(_))));
}

#[tokio::test]
async fn migrations_take_the_direct_url() {
    let schema = format!("direct_{}", creatorvault::clock::Clock::system().random_id().simple());
    let vars = [
        ("DATABASE_URL", "postgresql://ann@127.0.0.1:1/d"),
        ("DATABASE_DIRECT_URL", &postgres()),
        ("DATABASE_SCHEMA", &schema),
    ];
    let config = settings(&vars);
    let all = migrate::names(&config).len();
    assert_eq!(migrate::up(&config).await.unwrap().len(), all);
    assert_eq!(migrate::down(&config, 50).await.unwrap().len(), all);
    // What is left of it is the schema and the book.
    let (client, connection) = tokio_postgres::connect(&postgres(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
        .batch_execute(&format!("drop table {schema}.creatorvault_migrations; drop schema {schema}"))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_role_without_rights_is_told_which() {
    let id = creatorvault::clock::Clock::system().random_id().simple().to_string();
    let (client, connection) = tokio_postgres::connect(&postgres(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let role = format!("creator_{id}");
    let make = format!(
        "create role {role}; create schema locked_{id}; grant {role} to current_user; grant usage on schema locked_{id} to {role}"
    );
    client.batch_execute(&make).await.unwrap();
    let joint = if postgres().contains('?') { '&' } else { '?' };
    let url = format!("{}{joint}options=-c%20role={role}", postgres());
    let config = settings(&[("DATABASE_URL", &url), ("DATABASE_SCHEMA", &format!("locked_{id}"))]);
    let result = migrate::up(&config).await;
    client.batch_execute(&format!("drop schema locked_{id} cascade; drop role {role}")).await.unwrap();
    let text = result.unwrap_err().to_string();
    assert!(text.contains("42501") && text.contains("DATABASE_SCHEMA"), "{text}");
}
