//! What is refused, with the cure, and leaves everything as it was.

use std::os::unix::fs::symlink;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_while_a_server_has_the_file_open_is_refused() {
    let place = Place::new();
    let backup = place.database("b.db", 3);
    let url = place.url("live.db");
    let mut server = Program::start(Engine::Sqlite, &[("DATABASE_URL", &url)]).await;
    for force in [&["restore"][..], &["restore", "--force"]] {
        // Without rows, too: the server would go on with a file that is no longer there.
        let why = refused(&url, &[force, &[text(&backup)]].concat());
        assert!(why.contains("has") && why.contains("open") && why.contains("stop the server"), "{why}");
        server.user("ann").tasks().create(json!({"title": "On"})).await.is(201);
    }
    assert_eq!(server.user("ann").tasks().titles("").await.len(), 2);
    server.ask_to_end();
    assert!(server.ended().await.success());
    done(&url, &["restore", "--force", text(&backup)]);
    server.again().await;
    assert_eq!(server.user("ann").tasks().rows("limit=100").await.len(), 3);
}

#[test]
fn what_is_no_backup_of_ours_is_refused_and_nothing_is_changed() {
    let place = Place::new();
    let good = place.database("good.db", 200);
    let url = place.url("live.db");
    let bytes = fs::read(&good).expect("bytes");
    let write = |name: &str, bytes: &[u8]| fs::write(place.path(name), bytes).expect("a file");
    write("text", "canary ".repeat(2_000).as_bytes());
    write("empty", b"");
    write("truncated", &bytes[..bytes.len() / 2]);
    let mut damaged = bytes.clone();
    damaged[bytes.len() / 2..][..8_192].fill(0xa5);
    write("damaged", &damaged);
    let change = |name: &str, sql: &str| {
        fs::copy(&good, place.path(name)).expect("a copy");
        let connection = rusqlite::Connection::open(place.path(name)).expect("it opens");
        connection
            .execute_batch(&format!("pragma journal_mode = delete; pragma foreign_keys = off; {sql}"))
            .expect("changed");
    };
    let book = "insert into creatorvault_migrations (version, name, checksum) values (9000, 'later', 'x')";
    change("newer", book);
    change("changed", "update creatorvault_migrations set checksum = 'x' where version = 1");
    change("orphans", "delete from users");
    let other = rusqlite::Connection::open(place.path("other")).expect("it opens");
    other.execute_batch("create table rows (id integer)").expect("a table");
    drop(other);
    fs::create_dir(place.path("folder")).expect("a folder");
    let log = place.path("logged");
    fs::copy(&good, &log).expect("a copy");
    write("logged-wal", b"something");
    fs::copy(&good, place.path("journalled")).expect("a copy");
    write("journalled-journal", b"something");
    let before = place.names();
    for (name, why) in [
        ("absent", "cannot be read"),
        ("folder", "is not a plain file"),
        ("text", "not a database"),
        ("empty", "none of its tables"),
        ("truncated", "malformed"),
        ("damaged", "is damaged"),
        ("newer", "9000_later, which this version does not know: run the newest version"),
        ("changed", "was applied to this database with another text"),
        ("orphans", "rows in tasks that refer to rows that are not there"),
        ("other", "none of its tables"),
        ("logged", "the log is another file's, so move it away"),
        ("journalled", "has a log beside it"),
        ("live.db-wal", "is a part of the database"),
    ] {
        let said = refused(&url, &["restore", text(&place.path(name))]);
        assert!(said.contains(why) && said.contains(name) && !said.contains("canary"), "{name}: {said}");
        assert_eq!(place.names(), before, "{name}");
    }
    // The next restore begins with emptying it.
    let left = place.path("live.db.restore.part");
    fs::copy(&good, &left).expect("a copy");
    let said = refused(&url, &["restore", text(&left)]);
    assert!(said.contains("a restore that was killed"), "{said}");
    assert_eq!(tasks(&left), 200);
    let said = refused(&place.url("good.db"), &["restore", "--force", text(&good)]);
    assert!(said.contains("is the database itself"), "{said}");
    done(&url, &["restore", text(&good)]);
    assert_eq!(tasks(&place.path("live.db")), 200);
}

/// The reason for most restores: what is there can no longer be read.
#[test]
fn a_damaged_database_is_kept_aside() {
    let place = Place::new();
    let good = place.database("good.db", 5);
    fs::write(place.path("live.db"), "no database ".repeat(999)).expect("a file");
    let url = place.url("live.db");
    let why = refused(&url, &["restore", text(&good)]);
    assert!(why.contains("is damaged, or no database") && why.contains("--force"), "{why}");
    let said = done(&url, &["restore", "--force", text(&good)]);
    assert_eq!(tasks(&place.path("live.db")), 5);
    let aside = place.beside("live.db");
    assert_eq!(aside.len(), 1, "{aside:?} {said}");
    assert!(fs::read_to_string(place.path(&aside[0])).expect("text").starts_with("no database"));
}

/// A log without its file, of a database that was moved away, would be played onto the new one.
#[test]
fn a_log_without_its_database_is_put_aside() {
    let place = Place::new();
    let good = place.database("good.db", 5);
    place.database("live.db", 7);
    let open = rusqlite::Connection::open(place.path("live.db")).expect("it opens");
    open.execute_batch("pragma journal_mode = wal; delete from tasks").expect("a log");
    let log = fs::read(place.path("live.db-wal")).expect("a log");
    drop(open);
    fs::remove_file(place.path("live.db")).expect("gone");
    fs::write(place.path("live.db-wal"), log).expect("left behind");
    done(&place.url("live.db"), &["restore", text(&good)]);
    assert_eq!(tasks(&place.path("live.db")), 5);
    let aside = place.beside("live.db");
    assert!(
        aside.len() == 1 && aside[0].contains(".before-restore-") && aside[0].ends_with("-wal"),
        "{aside:?}"
    );
}

#[test]
fn a_backup_never_overwrites_unasked_and_never_its_own_database() {
    let place = Place::new();
    let live = place.database("live.db", 5);
    let (url, to) = (place.url("live.db"), place.path("b.db"));
    fs::write(&to, "precious").expect("a file");
    let why = refused(&url, &["backup", text(&to)]);
    assert!(why.contains("is there already") && why.contains("--force"), "{why}");
    assert_eq!(fs::read(&to).expect("bytes"), b"precious");
    symlink(&live, place.path("link.db")).expect("a link");
    for own in [&live, &place.path("link.db")] {
        assert!(refused(&url, &["backup", "--force", text(own)]).contains("is the database itself"));
    }
    assert!(refused(&url, &["backup", text(place.0.path())]).contains("is a folder"));
    assert!(refused(&url, &["backup", text(&place.path("no/such/b.db"))]).contains("cannot be written"));
    done(&url, &["backup", "--force", text(&to)]);
    assert_eq!((tasks(&to), tasks(&live), mode(&to)), (5, 5, 0o600));
}

/// SQLite would play the log onto the backup as soon as somebody opens it, and all would be lost.
#[test]
fn a_backup_is_not_put_beside_the_log_of_another_database() {
    let place = Place::new();
    place.database("live.db", 5);
    place.database("other.db", 7);
    let (url, to) = (place.url("live.db"), place.path("other.db"));
    for end in ["-wal", "-shm", "-journal"] {
        let log = place.path(&format!("other.db{end}"));
        fs::write(&log, "a log").expect("a file");
        let before = place.names();
        let why = refused(&url, &["backup", "--force", text(&to)]);
        assert!(why.contains("is in use, or was not closed") && why.contains(end), "{why}");
        let away = place.path("away");
        fs::rename(&to, &away).expect("moved");
        let why = refused(&url, &["backup", text(&to)]);
        assert!(why.contains("name another file"), "{why}");
        fs::rename(&away, &to).expect("moved back");
        assert_eq!(place.names(), before);
        fs::remove_file(log).expect("it is there");
    }
    assert_eq!(tasks(&to), 7);
    done(&url, &["backup", "--force", text(&to)]);
    assert_eq!(tasks(&to), 5);
}

/// The newest rows of a running server are in its log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_never_replaces_the_log_of_its_own_database() {
    let place = Place::new();
    let url = place.url("live.db");
    let mut server = Program::start(Engine::Sqlite, &[("DATABASE_URL", &url)]).await;
    server.user("ann").tasks().create(json!({"title": "Kept"})).await.is(201);
    symlink(place.path("live.db"), place.path("link.db")).expect("a link");
    for url in [&url, &place.url("link.db")] {
        for end in ["-wal", "-shm", "-journal"] {
            let own = place.path(&format!("live.db{end}"));
            let why = refused(url, &["backup", "--force", text(&own)]);
            assert!(why.contains("is a part of the database") && why.contains("name another file"), "{why}");
            let why = refused(url, &["restore", "--force", text(&own)]);
            assert!(why.contains("is a part of the database") && why.contains("name a backup"), "{why}");
        }
    }
    server.user("ann").tasks().create(json!({"title": "Too"})).await.is(201);
    server.kill();
    server.again().await;
    assert_eq!(server.user("ann").tasks().rows("limit=100").await.len(), 2);
}

/// It is written under that name first.
#[test]
fn a_backup_is_not_written_over_a_database_with_the_name_of_a_part() {
    let place = Place::new();
    let live = place.database("b.db.part", 5);
    let why = refused(&place.url("b.db.part"), &["backup", text(&place.path("b.db"))]);
    assert!(why.contains("is the database itself"), "{why}");
    assert_eq!(tasks(&live), 5);
}

#[test]
fn a_backup_through_a_link_leaves_the_link() {
    let place = Place::new();
    place.database("live.db", 5);
    let (url, link, to) = (place.url("live.db"), place.path("link.db"), place.path("folder/b.db"));
    fs::create_dir(place.path("folder")).expect("a folder");
    fs::write(&to, "old").expect("a file");
    symlink(&to, &link).expect("a link");
    assert!(refused(&url, &["backup", text(&link)]).contains("is there already"));
    done(&url, &["backup", "--force", text(&link)]);
    assert_eq!((fs::read_link(&link).expect("a link"), tasks(&to)), (to.clone(), 5));
    fs::remove_file(&to).expect("gone");
    assert!(refused(&url, &["backup", "--force", text(&link)]).contains("is no plain file"));
    assert!(fs::symlink_metadata(&link).expect("it is there").is_symlink());
}

#[test]
fn a_backup_of_nothing_is_none() {
    let place = Place::new();
    let to = place.path("b.db");
    assert!(refused(&place.url("absent.db"), &["backup", text(&to)]).contains("there is no SQLite file"));
    fs::write(place.path("text.db"), "no database ".repeat(999)).expect("a file");
    assert!(refused(&place.url("text.db"), &["backup", text(&to)]).contains("not a database"));
    let live = place.database("live.db", 500);
    let mut bytes = fs::read(&live).expect("bytes");
    let half = bytes.len() / 2;
    bytes[half..][..8_192].fill(0xa5);
    fs::write(&live, bytes).expect("damaged");
    let why = refused(&place.url("live.db"), &["backup", text(&to)]);
    assert!(why.contains("no backup was made") && why.contains("damaged"), "{why}");
    assert_eq!(place.beside("b.db"), [""; 0]);
    assert!(!to.exists());
    let (code, _, err) = run(&place.url("live.db"), &["backup"]);
    assert_eq!(code, Some(2), "{err}");
}

/// Where PostgreSQL has the rows, both say what does it there, and keep the URL to themselves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql_both_say_what_to_use_instead() {
    let world = World::open(Engine::Postgres, &[]).await;
    let (url, schema) = (variable(&world, "DATABASE_URL"), variable(&world, "DATABASE_SCHEMA"));
    let with = |args: &[&str]| {
        let output =
            creatorvault(&url, args).env("DATABASE_SCHEMA", &schema).output().expect("the binary runs");
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).expect("text")
    };
    let said = with(&["backup", "b.dump"]);
    assert!(said.contains(&format!("pg_dump --format=custom --no-owner --schema={schema} --extension=pg_trgm --extension=btree_gin --file=FILE \"$DATABASE_URL\"")), "{said}");
    assert!(!said.contains(&url), "{said}");
    let said = with(&["restore", "b.dump"]);
    assert!(said.contains("pg_restore --no-owner --exit-on-error") && !said.contains(&url), "{said}");
}
