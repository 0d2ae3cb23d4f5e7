use super::*;

/// Counts for some minutes unless it is ended.
const LONG: &str =
    "with recursive c(n) as (select 1 union all select n + 1 from c) select count(*) from c where $1 = $1";

#[tokio::test]
async fn a_deadline_ends_a_long_statement() {
    Bed::sqlite(|_| {})
        .await
        .hold(async |bed| {
            let ann = user("ann");
            for _ in 0..6 {
                let begun = Instant::now();
                let scope = bed.db.scope(&ann, begun + Duration::from_millis(200));
                let (read, write) =
                    tokio::join!(scope.read(steady(LONG, [])), scope.write(vec![always(steady(LONG, []))]));
                assert!(matches!(read, Err(DbError::Unavailable(_))), "{read:?}");
                assert!(matches!(write, Err(DbError::Unavailable(_))), "{write:?}");
                assert!(begun.elapsed() < Duration::from_secs(2));
            }
            // No thread is left busy: each of the readers answers.
            let scope = bed.db.scope(&ann, soon());
            futures_util::future::try_join_all((0..16).map(|_| scope.read(steady("select $1", []))))
                .await
                .unwrap();
        })
        .await;
}

#[tokio::test]
async fn the_statement_timeout_ends_reads_and_writes() {
    Bed::sqlite(|config| config.statement_timeout = Duration::from_millis(150))
        .await
        .hold(async |bed| {
            let ann = user("ann");
            let scope = bed.db.scope(&ann, soon());
            let begun = Instant::now();
            assert!(matches!(scope.read(steady(LONG, [])).await, Err(DbError::Unavailable(_))));
            assert!(matches!(
                scope.write(vec![always(steady(LONG, []))]).await,
                Err(DbError::Unavailable(_))
            ));
            assert!(begun.elapsed() < Duration::from_secs(2));
        })
        .await;
}

#[tokio::test]
async fn an_ended_write_takes_nobody_with_it() {
    Bed::sqlite(|config| config.statement_timeout = Duration::from_millis(400))
        .await
        .hold(async |bed| {
            // An endless insert makes SQLite roll the whole transaction back, with everybody else in its group.
            let endless = "with recursive c(n) as (select 1 union all select n + 1 from c) \
                           insert into @things (owner, name, n) select $1, 'e' || n, 1 from c";
            let ann = user("ann");
            let scope = bed.db.scope(&ann, soon());
            // The first keeps the writer busy while the others queue up behind it.
            let first = scope.write(vec![always(steady(endless, []))]);
            let group = async {
                tokio::time::sleep(Duration::from_millis(100)).await;
                let before = futures_util::future::join_all(
                    (0..10).map(|i| scope.write(vec![always(insert(&format!("a{i}"), 1))])),
                );
                let bad = scope.write(vec![always(steady(endless, []))]);
                let after = futures_util::future::join_all(
                    (0..10).map(|i| scope.write(vec![always(insert(&format!("b{i}"), 1))])),
                );
                tokio::join!(before, bad, after)
            };
            let (first, (before, bad, after)) = tokio::join!(first, group);
            assert!(matches!(first, Err(DbError::Unavailable(_))), "{first:?}");
            assert!(matches!(bad, Err(DbError::Unavailable(_))), "{bad:?}");
            assert!(before.iter().chain(&after).all(Result::is_ok));
            assert_eq!(bed.names("ann").await.len(), 20);
        })
        .await;
}

#[tokio::test]
async fn a_second_process_is_waited_for_and_then_given_up() {
    Bed::sqlite(|config| config.acquire_timeout = Duration::from_millis(600))
        .await
        .hold(async |bed| {
            let DatabaseUrl::Sqlite(path) = &bed.config.url else { unreachable!() };
            let other = rusqlite::Connection::open(path).unwrap();
            let ann = user("ann");
            let scope = bed.db.scope(&ann, soon());
            other.execute_batch("begin immediate; insert into things values ('ann', 'theirs', 1)").unwrap();
            let wait = async {
                tokio::time::sleep(Duration::from_millis(200)).await;
                other.execute_batch("commit").unwrap();
            };
            let (ours, ()) = tokio::join!(scope.write(vec![always(insert("ours", 1))]), wait);
            ours.unwrap();
            assert_eq!(bed.names("ann").await, ["ours", "theirs"]);
            other.execute_batch("begin immediate").unwrap();
            let begun = Instant::now();
            let refused = scope.write(vec![always(insert("late", 1))]).await;
            assert!(matches!(refused, Err(DbError::Unavailable(_))), "{refused:?}");
            assert!(begun.elapsed() < Duration::from_secs(3));
            assert!(
                matches!(bed.db.ping(soon()).await, Err(DbError::Unavailable(_))),
                "the last write failed"
            );
            // Reads go on.
            assert_eq!(bed.names("ann").await.len(), 2);
            other.execute_batch("rollback").unwrap();
            bed.db.ping(soon()).await.unwrap();
            scope.write(vec![always(insert("next", 1))]).await.unwrap();
        })
        .await;
}

#[tokio::test]
async fn every_write_waits_for_another_process_as_long_as_the_first() {
    Bed::sqlite(|config| config.acquire_timeout = Duration::from_secs(2))
        .await
        .hold(async |bed| {
            let DatabaseUrl::Sqlite(path) = &bed.config.url else { unreachable!() };
            let other = rusqlite::Connection::open(path).unwrap();
            other.execute_batch("begin immediate").unwrap();
            let begun = Instant::now();
            // The second queues up while the first waits in SQLite.
            let write = async |after: u64| {
                tokio::time::sleep(Duration::from_millis(after)).await;
                let asked = Instant::now();
                let ann = user("ann");
                let refused = bed.db.scope(&ann, soon()).write(vec![always(insert("x", 1))]).await;
                assert!(matches!(refused, Err(DbError::Unavailable(_))), "{refused:?}");
                asked.elapsed()
            };
            let waits = futures_util::future::join_all([0, 500, 1_000, 1_500].map(write)).await;
            for wait in waits {
                assert!((1_900..3_500).contains(&wait.as_millis()), "{wait:?} after {:?}", begun.elapsed());
            }
            // One that still waits when the file comes free is written.
            let free = async {
                tokio::time::sleep(Duration::from_millis(2_500)).await;
                other.execute_batch("rollback").unwrap();
            };
            let late = async {
                tokio::time::sleep(Duration::from_millis(1_000)).await;
                let ann = user("ann");
                bed.db.scope(&ann, soon()).write(vec![always(insert("late", 1))]).await
            };
            let (_, late, ()) = tokio::join!(write(0), late, free);
            late.unwrap();
            assert_eq!(bed.names("ann").await, ["late"]);
        })
        .await;
}

#[tokio::test]
async fn one_users_writes_do_not_fill_the_queue() {
    Bed::sqlite(|config| config.acquire_timeout = Duration::from_secs(10))
        .await
        .hold(async |bed| {
            let DatabaseUrl::Sqlite(path) = &bed.config.url else { unreachable!() };
            let other = rusqlite::Connection::open(path).unwrap();
            other.execute_batch("begin immediate").unwrap();
            let (ann, bob) = (user("ann"), user("bob"));
            let names: Vec<_> = (0..6_000).map(|i| format!("{i}")).collect();
            let scope = bed.db.scope(&ann, soon());
            let flood = names.iter().map(|name| scope.write(vec![always(insert(name, 1))]));
            let flood = futures_util::future::join_all(flood);
            let others = async {
                tokio::time::sleep(Duration::from_millis(500)).await;
                let free = async {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    other.execute_batch("rollback").unwrap();
                };
                let scope = bed.db.scope(&bob, soon());
                let theirs = scope.write(vec![always(insert("y", 1))]);
                tokio::join!(theirs, free).0.unwrap();
            };
            let (flood, ()) = tokio::join!(flood, others);
            let good = flood.iter().filter(|result| result.is_ok()).count();
            let refused =
                flood.iter().filter(|result| matches!(result, Err(DbError::Unavailable(_)))).count();
            assert_eq!((good, refused), (512, 5_488));
        })
        .await;
}

#[tokio::test]
async fn closing_writes_the_log_back_and_the_file_opens_again() {
    Bed::sqlite(|_| {})
        .await
        .hold(async |bed| {
            let DatabaseUrl::Sqlite(path) = &bed.config.url else { unreachable!() };
            let ann = user("ann");
            let scope = bed.db.scope(&ann, soon());
            futures_util::future::try_join_all(
                (0..200).map(|i| scope.write(vec![always(insert(&format!("{i}"), i))])),
            )
            .await
            .unwrap();
            let log = path.with_extension("db-wal");
            assert!(log.metadata().unwrap().len() > 0);
            bed.db.close().await;
            assert!(log.metadata().map_or(0, |found| found.len()) == 0);
            let again = Db::open(&bed.config).await.unwrap();
            let rows = again
                .scope(&ann, soon())
                .read(steady("select count(*) from @things where owner = $1", []))
                .await;
            assert_eq!(rows.unwrap()[0].int(0).unwrap(), 200);
            again.close().await;
        })
        .await;
}

#[tokio::test]
async fn every_durability_setting_is_on() {
    Bed::sqlite(|_| {})
        .await
        .hold(async |bed| {
            let ann = user("ann");
            let sql = "select (select synchronous from pragma_synchronous), (select foreign_keys from pragma_foreign_keys), \
                       (select journal_mode from pragma_journal_mode) where $1 = $1";
            let rows = bed.db.scope(&ann, soon()).write(vec![always(steady(sql, []))]).await.unwrap();
            // 2 is FULL.
            assert_eq!((rows[0][0].int(0).unwrap(), rows[0][0].int(1).unwrap()), (2, 1));
            assert_eq!(rows[0][0].text(2).unwrap(), "wal");
            let read = bed.db.scope(&ann, soon()).read(insert("x", 1)).await;
            assert!(read.is_err(), "a reader writes");
        })
        .await;
}

#[tokio::test]
async fn a_file_that_cannot_be_is_refused_with_the_cure() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("file"),
        "no database, but some text that is long enough to be read as one",
    )
    .unwrap();
    for path in ["file", "file/below.db"] {
        let config = settings(&[("DATABASE_URL", &format!("sqlite://{}/{path}", folder.path().display()))]);
        let text = Db::open(&config).await.map(drop).unwrap_err();
        assert!(text.contains("DATABASE_URL") && text.contains("name a file"), "{text}");
    }
}

#[tokio::test]
async fn slow_searches_hold_up_no_other_read() {
    Bed::sqlite(|_| {})
        .await
        .hold(async |bed| {
            let ann = user("ann");
            let until = Instant::now() + Duration::from_secs(3);
            let scope = bed.db.scope(&ann, until);
            let searches = futures_util::future::join_all((0..8).map(|_| scope.read(fresh(LONG, []))));
            let others = async {
                tokio::time::sleep(Duration::from_millis(200)).await;
                for _ in 0..20 {
                    assert_eq!(bed.names("ann").await, [""; 0]);
                }
                bed.db.ping(soon()).await.unwrap();
                assert!(Instant::now() < until - Duration::from_secs(1), "they waited for the searches");
            };
            let (searches, ()) = tokio::join!(searches, others);
            assert!(searches.iter().all(|search| matches!(search, Err(DbError::Unavailable(_)))));
            // Searches too go on when the slow ones have ended.
            bed.db.scope(&ann, soon()).read(fresh("select $1", [])).await.unwrap();
        })
        .await;
}
