use std::net::TcpListener;
use std::time::{Duration, Instant};

use creatorvault::db::{Db, DbError, Engine};

use super::{postgres, settings, soon, sqlite};

#[tokio::test]
async fn both_engines_open_answer_and_close() {
    let folder = tempfile::tempdir().unwrap();
    let both =
        [(sqlite(&folder), Engine::Sqlite), (settings(&[("DATABASE_URL", &postgres())]), Engine::Postgres)];
    for (config, engine) in both {
        let db = Db::open(&config).await.unwrap();
        assert_eq!(db.engine(), engine);
        db.ping(soon()).await.unwrap();
        db.close().await;
        assert!(matches!(db.ping(soon()).await, Err(DbError::Unavailable(_))));
        // A second close is no harm.
        db.close().await;
    }
}

#[tokio::test]
async fn a_server_that_is_down_opens_at_once_and_answers_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let config = settings(&[("DATABASE_URL", &format!("postgresql://ann:canary-secret@127.0.0.1:{port}/d"))]);
    let begun = Instant::now();
    let db = Db::open(&config).await.unwrap();
    assert!(begun.elapsed() < Duration::from_millis(500));
    for _ in 0..20 {
        let error = db.ping(soon()).await.unwrap_err();
        assert!(matches!(error, DbError::Unavailable(_)), "{error}");
        assert!(!format!("{error} {error:?} {db:?} {config:?}").contains("canary"));
    }
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_server_that_accepts_and_says_nothing_is_given_up_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let url = format!("postgresql://ann@127.0.0.1:{port}/d");
    let config = settings(&[("DATABASE_URL", &url), ("DATABASE_ACQUIRE_TIMEOUT", "400ms")]);
    let db = Db::open(&config).await.unwrap();
    let begun = Instant::now();
    assert!(matches!(db.ping(soon()).await, Err(DbError::Unavailable(_))));
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_wrong_password_is_unavailable_and_never_shown() {
    let url = postgres();
    let (scheme, rest) = url.split_once("://").unwrap();
    let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
    // A role that no server has.
    let config = settings(&[("DATABASE_URL", &format!("{scheme}://nobody_at_all:canary-secret@{place}"))]);
    let db = Db::open(&config).await.unwrap();
    let error = db.ping(soon()).await.unwrap_err();
    assert!(matches!(error, DbError::Unavailable(_)), "{error}");
    assert!(error.to_string().contains("28"), "{error}");
    assert!(!format!("{error} {db:?} {config:?}").contains("canary"));
}

#[tokio::test]
async fn a_root_certificate_that_does_not_read_is_refused_with_the_cure() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "no certificate").unwrap();
    for file in [empty.display().to_string(), "/nowhere/root.pem".to_owned()] {
        let config = settings(&[(
            "DATABASE_URL",
            &format!("postgresql://h/d?sslmode=verify-full&sslrootcert={file}"),
        )]);
        let text = Db::open(&config).await.map(drop).unwrap_err();
        assert!(text.contains("sslrootcert") && text.contains("name a PEM file"), "{text}");
    }
}
