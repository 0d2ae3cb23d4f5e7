//! The admin commands' door, on both engines.

use std::time::Duration;

use super::*;
use crate::db::bulk::{Access, ColumnKind, Datum, Errand, Sink, Source, Target};

fn errand(user: &str, statement: Statement) -> Errand {
    Errand { user: user.to_owned(), statement }
}

async fn source(bed: &Bed) -> Source {
    Source::open(&bed.config.url, &bed.config).await.unwrap()
}

#[tokio::test]
async fn a_batch_stays_whole_or_not_at_all() {
    everywhere(async |bed| {
        let mut sink = Sink::open(&bed.config).await.unwrap();
        assert_eq!(sink.engine(), bed.db.engine());
        let mut batch = sink.begin(Access::Change).await.unwrap();
        let two = [errand("ann", insert("a", 1)), errand("bob", insert("b", 2))];
        let answers = batch.run(&two).await.unwrap();
        assert_eq!(answers[1][0].text(0).unwrap(), "b");
        batch.commit().await.unwrap();
        // One that is let go of, and one of which a part fails.
        let mut batch = sink.begin(Access::Change).await.unwrap();
        batch.run(&[errand("ann", insert("dropped", 1))]).await.unwrap();
        let mut batch = sink.begin(Access::Change).await.unwrap();
        batch.run(&[errand("ann", insert("first", 1))]).await.unwrap();
        assert!(batch.run(&[errand("ann", insert("too great", 1_000))]).await.is_err());
        assert!(batch.commit().await.is_err());
        let mut batch = sink.begin(Access::Change).await.unwrap();
        batch.run(&[errand("ann", insert("last", 1))]).await.unwrap();
        batch.commit().await.unwrap();
        assert_eq!(
            (bed.names("ann").await, bed.names("bob").await),
            (vec!["a".into(), "last".into()], vec!["b".into()])
        );
    })
    .await;
}

#[tokio::test]
async fn a_look_and_a_source_change_nothing() {
    everywhere(async |bed| {
        let mut sink = Sink::open(&bed.config).await.unwrap();
        let mut batch = sink.begin(Access::Look).await.unwrap();
        assert!(batch.run(&[errand("ann", insert("a", 1))]).await.is_err());
        assert!(source(bed).await.rows("delete from @things returning name").await.is_err());
        // The sink writes again after a look.
        let mut batch = sink.begin(Access::Change).await.unwrap();
        batch.run(&[errand("ann", insert("b", 1))]).await.unwrap();
        batch.commit().await.unwrap();
        assert_eq!(bed.names("ann").await, ["b"]);
    })
    .await;
}

#[tokio::test]
async fn a_walk_gives_every_row_once_while_others_write() {
    everywhere(async |bed| {
        let mut sink = Sink::open(&bed.config).await.unwrap();
        let mut batch = sink.begin(Access::Change).await.unwrap();
        let rows: Vec<_> = (0..25).map(|n| errand("ann", insert(&format!("{n:02}"), 0))).collect();
        batch.run(&rows).await.unwrap();
        batch.commit().await.unwrap();
        let source = source(bed).await;
        for at_once in [1, 10, 25, 100] {
            let mut walk =
                source.walk("select name from @things where n = 0 order by name", at_once).await.unwrap();
            let mut names = Vec::new();
            loop {
                let rows = walk.next().await.unwrap();
                if rows.is_empty() {
                    break;
                }
                assert!(rows.len() <= at_once);
                names.extend(rows.iter().map(|row| row.text(0).unwrap()));
                // What is written meanwhile, through the same file or server.
                let mut batch = sink.begin(Access::Change).await.unwrap();
                batch.run(&[errand("bob", insert(&format!("{at_once} {}", names.len()), 1))]).await.unwrap();
                batch.commit().await.unwrap();
            }
            assert_eq!(names, (0..25).map(|n| format!("{n:02}")).collect::<Vec<_>>());
            assert!(walk.next().await.unwrap().is_empty());
        }
        // A walk that is broken off holds up nobody.
        for _ in 0..2 {
            let mut walk = source.walk("select name from @things", 1).await.unwrap();
            assert_eq!(walk.next().await.unwrap().len(), 1);
        }
    })
    .await;
}

/// All names of a walk.
async fn walked(source: &Source) -> Vec<String> {
    let mut walk = source.walk("select name from @things order by name", 2).await.unwrap();
    let mut names = Vec::new();
    loop {
        let rows = walk.next().await.unwrap();
        if rows.is_empty() {
            return names;
        }
        names.extend(rows.iter().map(|row| row.text(0).unwrap()));
    }
}

#[tokio::test]
async fn a_moment_stays_what_it_was_and_tells_of_writers() {
    everywhere(async |bed| {
        let open = async || Source::open_moment(&bed.config.url, &bed.config).await.unwrap();
        let write = async |names: &[&str]| {
            let mut sink = Sink::open(&bed.config).await.unwrap();
            let mut batch = sink.begin(Access::Change).await.unwrap();
            let rows: Vec<_> = names.iter().map(|name| errand("ann", insert(name, 1))).collect();
            batch.run(&rows).await.unwrap();
            batch.commit().await.unwrap();
        };
        write(&["a", "b", "c"]).await;
        let moment = open().await;
        write(&["d"]).await;
        assert_eq!(walked(&moment).await, ["a", "b", "c"]);
        // A walk that is broken off is in nobody's way.
        let mut walk = moment.walk("select name from @things", 1).await.unwrap();
        assert_eq!(walk.next().await.unwrap().len(), 1);
        drop(walk);
        write(&["e"]).await;
        assert_eq!(walked(&moment).await, ["a", "b", "c"]);
        assert!(moment.rows("delete from @things returning name").await.is_err());
        let is_sqlite = bed.db.engine() == Engine::Sqlite;
        assert_eq!(moment.changed().unwrap(), is_sqlite);
        let moment = open().await;
        assert_eq!(walked(&moment).await.len(), 5);
        assert!(!moment.changed().unwrap(), "nobody wrote");
        write(&["f"]).await;
        assert_eq!(moment.changed().unwrap(), is_sqlite, "it may be asked again");
    })
    .await;
}

#[tokio::test]
async fn a_target_takes_a_table_whole_or_not_at_all() {
    let bed = Bed::postgres(|_| {}).await;
    bed.hold(async |bed: &Bed| {
        let DatabaseUrl::Postgres(url) = &bed.config.url else { panic!("PostgreSQL") };
        let row = |name: String, n| [Datum::Text("ann".to_owned()), Datum::Text(name), Datum::Int(n)];
        let fill = async |target: &Target, last: i64| {
            let mut load = target.load("things", "owner, name, n").await.unwrap();
            for n in 0..5_000 {
                let name = format!("{n:04} {}", "x".repeat(100));
                load.put(&row(name, if n == 4_999 { last } else { n % 1_000 })).await?;
            }
            load.finish().await
        };
        let begin = async || Target::begin(url, &bed.config, Duration::from_secs(10)).await.unwrap();
        // One that is let go of, one in which the last row does not fit, one that is not finished.
        let target = begin().await;
        assert_eq!(fill(&target, 1).await.unwrap(), 5_000);
        drop(target);
        let target = begin().await;
        let error = fill(&target, 1_000).await.unwrap_err();
        assert!(matches!(&error, DbError::Fault(text) if text.contains("23514")), "{error}");
        assert!(target.run("select 1").await.is_err());
        drop(target);
        let target = begin().await;
        drop(target.load("things", "owner, name, n").await.unwrap());
        assert!(target.run("select 1").await.is_err());
        drop(target);
        assert!(bed.names("ann").await.is_empty());

        let target = begin().await;
        fill(&target, 7).await.unwrap();
        let rows = target.inside().rows("select n from @things order by name desc limit 1").await.unwrap();
        assert_eq!(Datum::read(&rows[0], 0, ColumnKind::Int).unwrap(), Datum::Int(7));
        target.commit().await.unwrap();
        assert_eq!(bed.names("ann").await.len(), 5_000);
    })
    .await;
}

#[test]
fn postgresql_holds_times_from_4714_bc_on_and_no_nul() {
    let first = -210_866_803_200_000_000;
    for (micros, fits) in [(first, true), (first - 1, false), (0, true), (i64::MAX, true), (i64::MIN, false)]
    {
        assert_eq!(Datum::Time(micros).unfit_for_postgres().is_none(), fits, "{micros}");
    }
    let text = |text: &str| Datum::Text(text.to_owned()).unfit_for_postgres().is_none();
    assert!(text("\u{1}\u{10ffff}") && !text("a\0b") && Datum::Null.unfit_for_postgres().is_none());
    assert!(Datum::Tags(vec!["a".to_owned(), "\0".to_owned()]).unfit_for_postgres().is_some());
}

#[tokio::test]
async fn what_cannot_be_opened_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let config = settings(&[]);
    let nowhere = DatabaseUrl::Sqlite(folder.path().join("nowhere.db"));
    let text = Source::open(&nowhere, &config).await.unwrap_err().to_string();
    assert!(text.contains("there is no file") && !folder.path().join("nowhere.db").exists(), "{text}");
    let odd = folder.path().join("odd.db");
    std::fs::write(&odd, "canary ".repeat(500)).unwrap();
    let error = Source::open(&DatabaseUrl::Sqlite(odd), &config).await.unwrap_err();
    assert!(matches!(&error, DbError::Fault(text) if text.contains("not a database")), "{error}");
    let down = settings(&[("DATABASE_URL", "postgresql://ann:canary@127.0.0.1:1/d")]);
    let error = Source::open(&down.url, &down).await.unwrap_err();
    assert!(matches!(error, DbError::Unavailable(_)) && !error.to_string().contains("canary"), "{error}");
    assert!(Sink::open(&down).await.is_err());
}
