use super::*;
use crate::db::tests::{settings, soon};

#[tokio::test]
async fn a_sign_of_life_needs_every_thread() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    let sqlite = Sqlite::open(&settings(&[]), &path, Arc::default()).await.unwrap();
    sqlite.ping(soon()).await.unwrap();
    // The readers still answer.
    sqlite.writer.stop();
    while !sqlite.threads().iter().any(JoinHandle::is_finished) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(matches!(sqlite.ping(soon()).await, Err(DbError::Unavailable(_))));
    sqlite.close().await;
}

#[tokio::test]
async fn a_new_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    let sqlite = Sqlite::open(&settings(&[]), &path, Arc::default()).await.unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.path());
    }
    sqlite.close().await;
}
