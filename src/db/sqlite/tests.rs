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

/// What a `restore` does while a server starts: it holds the old file's lock until another one has its name.
#[test]
fn a_file_that_is_replaced_while_it_is_opened_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let (path, new) = (folder.path().join("x.db"), folder.path().join("new.db"));
    for (path, table) in [(&path, "old"), (&new, "new")] {
        let connection = rusqlite::Connection::open(path).unwrap();
        connection.execute_batch(&format!("create table {table} (id integer)")).unwrap();
    }
    let open_here = || {
        let files = std::fs::read_dir("/proc/self/fd").unwrap();
        files
            .filter(|file| std::fs::read_link(file.as_ref().unwrap().path()).is_ok_and(|to| to == path))
            .count()
    };
    let holder = rusqlite::Connection::open(&path).unwrap();
    holder.execute_batch("begin exclusive").unwrap();
    assert_eq!(open_here(), 1);
    let starts = {
        let path = path.clone();
        std::thread::spawn(move || connection::open_for_writing(&path, Duration::from_secs(60)))
    };
    while open_here() < 2 {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::fs::rename(&new, &path).unwrap();
    drop(holder);
    let connection = starts.join().unwrap().unwrap();
    connection.execute_batch("insert into new values (1)").unwrap();
}
