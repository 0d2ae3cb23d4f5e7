use super::proxy::{Link, Proxy};
use super::*;

const SLEEP: &str = "select $1 from (select pg_sleep(30)) x";

fn within(begun: Instant, most: f64) {
    let took = begun.elapsed().as_secs_f64();
    assert!(took < most, "took {took} s, not {most}");
}

fn in_ms(ms: u64) -> Instant {
    Instant::now() + Duration::from_millis(ms)
}

/// What the server runs for this test's database handle.
async fn running(bed: &Bed, what: &str) -> i64 {
    let watcher = Db::open(&settings(&[("DATABASE_URL", &test_url())])).await.unwrap();
    let name = application(bed);
    let sql = "select count(*) from pg_stat_activity where application_name = $2 and $1 = $1 and \
               (query like $3 and state <> 'idle' or $3 = 'open' and xact_start is not null)";
    let nobody = user("watcher");
    let rows = watcher.scope(&nobody, soon()).read(fresh(sql, [text(&name), text(what)])).await.unwrap();
    watcher.close().await;
    rows[0].int(0).unwrap()
}

fn application(bed: &Bed) -> String {
    match &bed.config.url {
        DatabaseUrl::Postgres(url) => url.application_name.clone().unwrap(),
        DatabaseUrl::Sqlite(_) => unreachable!(),
    }
}

fn name_it(config: &mut DatabaseConfig) {
    let name = config.schema.clone();
    let DatabaseUrl::Postgres(url) = &mut config.url else { unreachable!() };
    url.application_name = Some(name);
}

async fn bed(change: impl FnOnce(&mut DatabaseConfig)) -> Bed {
    Bed::postgres(|config| {
        name_it(config);
        change(config);
    })
    .await
}

/// Both ways to a server: direct, and as behind a pooler.
async fn both_ways(test: impl AsyncFn(&Bed)) {
    bed(|_| {}).await.hold(&test).await;
    bed(|config| config.prepared = Prepared::Off).await.hold(&test).await;
}

#[tokio::test]
async fn a_deadline_ends_what_it_was_waiting_for() {
    both_ways(async |bed| {
        let ann = user("ann");
        for statement in [fresh(SLEEP, []), steady(SLEEP, [])] {
            let begun = Instant::now();
            let error = bed.db.scope(&ann, in_ms(300)).read(statement).await.unwrap_err();
            assert!(matches!(error, DbError::Unavailable(_)), "{error}");
            within(begun, 2.0);
        }
        let sleepy = "insert into @things (owner, name, n) select $1, $2, 1 from (select pg_sleep(30)) x";
        for first in [vec![], vec![always(insert("first", 1))]] {
            let mut steps = first;
            steps.push(always(steady(sleepy, [text("sleepy")])));
            let begun = Instant::now();
            let error = bed.db.scope(&ann, in_ms(300)).write(steps).await.unwrap_err();
            assert!(matches!(error, DbError::Unavailable(_)), "{error}");
            within(begun, 2.0);
        }
        assert_eq!(bed.names("ann").await, [""; 0]);
        assert_eq!(running(bed, "%insert into%").await, 0, "a write still runs");
        assert_eq!(running(bed, "open").await, i64::from(!bed.config.is_pooled()), "a transaction is open");
    })
    .await;
}

#[tokio::test]
async fn the_statement_timeout_holds() {
    let short = |config: &mut DatabaseConfig| config.statement_timeout = Duration::from_millis(200);
    for pooled in [false, true] {
        let bed = bed(|config| {
            short(config);
            config.prepared = if pooled { Prepared::Off } else { Prepared::On };
        });
        bed.await
            .hold(async |bed| {
                let ann = user("ann");
                for statement in [fresh(SLEEP, []), steady(SLEEP, [])] {
                    let error = bed.db.scope(&ann, soon()).read(statement.clone()).await.unwrap_err();
                    assert!(error.to_string().contains("57014"), "{error}");
                    let error = bed.db.scope(&ann, soon()).write(vec![always(statement)]).await.unwrap_err();
                    assert!(matches!(error, DbError::Unavailable(_)), "{error}");
                }
                bed.db.scope(&ann, soon()).write(vec![always(insert("next", 1))]).await.unwrap();
                assert_eq!(bed.names("ann").await, ["next"]);
            })
            .await;
    }
}

#[tokio::test]
async fn ended_connections_are_not_noticed() {
    both_ways(async |bed| {
        let ann = user("ann");
        for round in 0..5 {
            // Warm connections of every sort, all of them ended.
            let scope = bed.db.scope(&ann, soon());
            scope.write(vec![always(insert(&format!("w{round}"), 1))]).await.unwrap();
            scope.read(fresh("select $1", [])).await.unwrap();
            let kill = format!(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name = '{}' and pid <> \
                 pg_backend_pid()",
                application(bed)
            );
            bed.raw(&kill).await;
            let (a, b, c, d) = tokio::join!(
                scope.read(steady("select $1", [])),
                scope.read(steady("select $1", [])),
                scope.read(fresh("select $1", [])),
                scope.write(vec![always(insert(&format!("x{round}"), 1))])
            );
            assert_eq!(a.unwrap()[0].text(0).unwrap(), "ann");
            assert_eq!(b.unwrap().len() + c.unwrap().len(), 2);
            d.unwrap();
        }
        assert_eq!(bed.names("ann").await.len(), 10);
    })
    .await;
}

#[tokio::test]
async fn reads_under_way_survive_the_end_of_their_connection() {
    both_ways(async |bed| {
        let ann = user("ann");
        let scope = bed.db.scope(&ann, soon());
        let slow = "select $1 from (select pg_sleep(0.5)) x";
        let reads = async {
            tokio::join!(scope.read(steady(slow, [])), scope.read(steady("select $1", [])), scope.read(fresh(slow, [])))
        };
        let kill = async {
            tokio::time::sleep(Duration::from_millis(250)).await;
            let name = application(bed);
            bed.raw(&format!(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name = '{name}' and pid <> \
                 pg_backend_pid()"
            ))
            .await;
        };
        let ((a, b, c), ()) = tokio::join!(reads, kill);
        assert_eq!(a.unwrap().len() + b.unwrap().len() + c.unwrap().len(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_write_whose_link_breaks_is_applied_once_or_said_to_be_unknown() {
    for pooled in [false, true] {
        let proxy = Proxy::start(Link::Up).await;
        let bed = bed(|config| {
            proxy.lead(config);
            config.prepared = if pooled { Prepared::Off } else { Prepared::Auto };
        });
        bed.await
            .hold(async |bed| {
                let ann = user("ann");
                let scope = bed.db.scope(&ann, soon());
                let sleepy = |name: &str| {
                    let sql = "insert into @things (owner, name, n) select $1, $2, 1 from (select pg_sleep(0.5)) x \
                               returning name";
                    always(steady(sql, [text(name)]))
                };
                let cut = async {
                    tokio::time::sleep(Duration::from_millis(250)).await;
                    proxy.cut_once();
                };
                // The commit was on its way: nobody knows, and nothing runs again.
                let (result, ()) = tokio::join!(scope.write(vec![sleepy("lone")]), cut);
                assert!(matches!(result, Err(DbError::OutcomeUnknown(_))), "{result:?}");
                let cut = async {
                    tokio::time::sleep(Duration::from_millis(250)).await;
                    proxy.cut_once();
                };
                // The commit was not sent: it is known to be undone, and runs again.
                let steps = vec![sleepy("first"), Step { statement: insert("second", 1), when: When::Rows(0) }];
                let (result, ()) = tokio::join!(scope.write(steps), cut);
                result.unwrap();
                tokio::time::sleep(Duration::from_millis(600)).await;
                let names = bed.names("ann").await;
                assert_eq!(names.iter().filter(|name| *name != "lone").collect::<Vec<_>>(), ["first", "second"]);
            })
            .await;
    }
}

#[tokio::test]
async fn down_at_the_start_then_up_then_silent_then_up() {
    for pooled in [false, true] {
        let proxy = Proxy::start(Link::Up).await;
        let lead = |config: &mut DatabaseConfig| {
            proxy.lead(config);
            config.prepared = if pooled { Prepared::Off } else { Prepared::Auto };
            config.acquire_timeout = Duration::from_millis(700);
            config.statement_timeout = Duration::from_millis(700);
        };
        bed(lead)
            .await
            .hold(async |bed| {
                let ann = user("ann");
                proxy.set(Link::Cut);
                let db = Db::open(&bed.config).await.unwrap();
                let tried = async || {
                    let scope = db.scope(&ann, soon());
                    let (a, b, c, d) = tokio::join!(
                        scope.read(steady("select $1", [])),
                        scope.read(fresh("select $1", [])),
                        scope.write(vec![always(steady(
                            "insert into @things values ($1, 'x', 1) on conflict do nothing",
                            []
                        ))]),
                        db.ping(soon())
                    );
                    [a.map(drop), b.map(drop), c.map(drop), d]
                };
                for _ in 0..3 {
                    let begun = Instant::now();
                    for result in tried().await {
                        assert!(matches!(result, Err(DbError::Unavailable(_))), "{result:?}");
                    }
                    within(begun, 1.5);
                }
                proxy.set(Link::Up);
                recovers(&tried).await;
                proxy.set(Link::Silent);
                for _ in 0..2 {
                    let begun = Instant::now();
                    for result in tried().await {
                        assert!(
                            matches!(result, Err(DbError::Unavailable(_) | DbError::OutcomeUnknown(_))),
                            "{result:?}"
                        );
                    }
                    within(begun, 5.0);
                }
                proxy.set(Link::Up);
                recovers(&tried).await;
                db.close().await;
            })
            .await;
    }
}

/// Every kind of statement succeeds again within five seconds.
async fn recovers(tried: &impl AsyncFn() -> [Result<(), DbError>; 4]) {
    let begun = Instant::now();
    loop {
        let results = tried().await;
        if results.iter().all(Result::is_ok) {
            return;
        }
        assert!(begun.elapsed().as_secs() < 5, "{results:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_pool_exhausted_by_a_locked_row_says_so_and_recovers() {
    let few = |config: &mut DatabaseConfig| {
        (config.pool_size, config.pool_overflow) = (4, 0);
        config.acquire_timeout = Duration::from_millis(300);
        config.statement_timeout = Duration::from_secs(2);
    };
    bed(few)
        .await
        .hold(async |bed| {
            // One connection of two is the most that one user has.
            let (ann, bob) = (user("ann"), user("bob"));
            for owner in [&ann, &bob] {
                bed.db.scope(owner, soon()).write(vec![always(insert("x", 1))]).await.unwrap();
            }
            let lock =
                bed.raw("begin; update @things set n = 2 where owner = 'ann'; select pg_sleep(1.2); commit");
            let writes = async {
                tokio::time::sleep(Duration::from_millis(200)).await;
                let begun = Instant::now();
                let update = "update @things set n = n + 1 where owner = $1";
                let scope = bed.db.scope(&ann, soon());
                let all = futures_util::future::join_all(
                    (0..20).map(|_| scope.write(vec![always(steady(update, []))])),
                );
                // Reads go on meanwhile, and others' writes.
                let theirs = async {
                    let scope = bed.db.scope(&bob, soon());
                    for _ in 0..10 {
                        scope.write(vec![always(steady(update, []))]).await.unwrap();
                    }
                };
                let (all, names, ()) = tokio::join!(all, bed.names("ann"), theirs);
                assert_eq!(names, ["x"]);
                within(begun, 3.0);
                let good = all.iter().filter(|result| result.is_ok()).count();
                let refused =
                    all.iter().filter(|result| matches!(result, Err(DbError::Unavailable(_)))).count();
                assert_eq!((good, refused), (1, 19));
            };
            tokio::join!(lock, writes);
            bed.db.scope(&ann, soon()).write(vec![always(insert("y", 1))]).await.unwrap();
        })
        .await;
}

#[tokio::test]
async fn deadlocks_run_again() {
    both_ways(async |bed| {
        let ann = user("ann");
        let scope = bed.db.scope(&ann, soon());
        scope.write(vec![always(insert("a", 0)), always(insert("b", 0))]).await.unwrap();
        let add = |name: &str| {
            let sql =
                "update @things set n = n + 1 where owner = $1 and name = $2 returning pg_sleep(0.3)::text";
            always(steady(sql, [text(name)]))
        };
        let (one, two) =
            tokio::join!(scope.write(vec![add("a"), add("b")]), scope.write(vec![add("b"), add("a")]));
        one.unwrap();
        two.unwrap();
        let rows = scope.read(steady("select n from @things where owner = $1", [])).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.int(0).unwrap()).collect::<Vec<_>>(), [2, 2]);
    })
    .await;
}

#[tokio::test]
async fn a_caller_who_goes_away_leaves_nothing_open() {
    both_ways(async |bed| {
        let ann = user("ann");
        let scope = bed.db.scope(&ann, soon());
        let slow =
            "insert into @things (owner, name, n) select $1, $2, 1 from (select pg_sleep(0.5)) x returning n";
        let steps = vec![
            always(steady(slow, [text("slow")])),
            Step { statement: insert("after", 1), when: When::Rows(0) },
        ];
        let gone = tokio::time::timeout(Duration::from_millis(200), scope.write(steps)).await;
        assert!(gone.is_err());
        let gone = tokio::time::timeout(Duration::from_millis(200), scope.read(fresh(SLEEP, []))).await;
        assert!(gone.is_err());
        tokio::time::sleep(Duration::from_millis(800)).await;
        assert_eq!(running(bed, "open").await, 0, "a transaction is open");
        assert_eq!(running(bed, "%pg_sleep(30)%").await, 0, "a read still runs");
        // The write had begun, so it went on to its end.
        assert_eq!(bed.names("ann").await, ["after", "slow"]);
    })
    .await;
}

#[tokio::test]
async fn a_read_only_server_is_unavailable_and_its_connection_goes() {
    both_ways(async |bed| {
        let ann = user("ann");
        let scope = bed.db.scope(&ann, soon());
        let read_only = "select set_config('transaction_read_only', 'on', true), $1";
        let steps = vec![always(steady(read_only, [])), always(insert("x", 1))];
        let error = scope.write(steps).await.unwrap_err();
        assert!(matches!(error, DbError::Unavailable(_)) && error.to_string().contains("25006"), "{error}");
        scope.write(vec![always(insert("y", 1))]).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn many_texts_do_not_pile_up_on_a_connection() {
    bed(|config| (config.pool_size, config.pool_overflow) = (2, 0))
        .await
        .hold(async |bed| {
            let ann = user("ann");
            let scope = bed.db.scope(&ann, soon());
            for i in 0..700 {
                let sql = format!("select $1, {i} /* prepared {} */", bed.config.schema);
                let statement = Statement { sql: sql.into(), params: Vec::new(), plan: Plan::Steady };
                scope.read(statement.clone()).await.unwrap();
            }
            let rows = scope
                .read(steady("select count(*) from pg_prepared_statements where $1 = $1", []))
                .await
                .unwrap();
            assert!(rows[0].int(0).unwrap() <= 258, "{:?}", rows[0].int(0));
        })
        .await;
}

#[tokio::test]
async fn encryption_as_the_url_asks_for_it() {
    let DatabaseUrl::Postgres(url) = settings(&[("DATABASE_URL", &test_url())]).url else { unreachable!() };
    bed(|_| {})
        .await
        .hold(async |bed| {
            let nobody = user("nobody");
            let able = bed
                .db
                .scope(&nobody, soon())
                .read(steady("select current_setting('ssl'), $1", []))
                .await
                .unwrap();
            let able = able[0].text(0).unwrap() == "on";
            let socket = !matches!(url.hosts[0].0, crate::config::database::Host::Name(_));
            for (mode, works, encrypted) in [
                ("disable", true, false),
                ("prefer", true, able && !socket),
                ("require", able && !socket, true),
                // No public authority has signed a test server's certificate.
                ("verify-ca", false, true),
                ("verify-full", false, true),
            ] {
                let joint = if test_url().contains('?') { '&' } else { '?' };
                let config = settings(&[("DATABASE_URL", &format!("{}{joint}sslmode={mode}", test_url()))]);
                let db = Db::open(&config).await.unwrap();
                let sql = "select ssl from pg_stat_ssl where pid = pg_backend_pid() and $1 = $1";
                let rows = db.scope(&nobody, soon()).read(fresh(sql, [])).await;
                assert_eq!(rows.is_ok(), works, "{mode}: {rows:?}");
                if let Ok(rows) = rows {
                    assert_eq!(rows[0].bool(0).unwrap(), encrypted, "{mode}");
                }
                db.close().await;
            }
        })
        .await;
}

#[tokio::test]
async fn a_changed_table_is_not_noticed() {
    // One connection on the lane, one in the pool.
    bed(|config| (config.pool_size, config.pool_overflow) = (2, 0))
        .await
        .hold(async |bed| {
            let ann = user("ann");
            let scope = bed.db.scope(&ann, soon());
            scope.write(vec![always(insert("x", 1))]).await.unwrap();
            let list = || steady("select n, name from @things where owner = $1 order by name", []);
            let who = || steady("select pg_backend_pid(), $1", []);
            let set = || steady("update @things set n = n + 1 where owner = $1 returning n", []);
            let tried = async || {
                let read = scope.read_all(vec![list(), who()]).await.unwrap();
                let alone = scope.write(vec![always(set())]).await.unwrap();
                let both = scope.write(vec![always(set()), always(list()), always(who())]).await.unwrap();
                let pids = [read[1][0].int(0).unwrap(), both[2][0].int(0).unwrap()];
                (
                    pids,
                    [read[0][0].int(0), alone[0][0].int(0), both[0][0].int(0), both[1][0].int(0)]
                        .map(Result::unwrap),
                )
            };
            let (before, values) = tried().await;
            assert_eq!(values, [1, 2, 3, 3]);
            bed.raw("alter table @things alter column n type integer").await;
            let (after, values) = tried().await;
            assert_eq!(values, [3, 4, 5, 5], "nothing ran twice");
            assert_eq!(after, before, "a statement was outdated, no connection");
        })
        .await;
}

#[tokio::test]
async fn the_statements_of_a_write_are_prepared_in_one_round_trip() {
    let proxy = Proxy::start(Link::Up).await;
    bed(|config| proxy.lead(config))
        .await
        .hold(async |bed| {
            let ann = user("ann");
            let scope = bed.db.scope(&ann, soon());
            scope.write(vec![always(insert("x", 1))]).await.unwrap();
            // A round trip takes 0.3 s from now on.
            proxy.set(Link::Slow);
            let begun = Instant::now();
            let text = |i: i32| format!("update @things set n = {i} where owner = $1 returning n");
            let step = |i| always(Statement { sql: text(i).into(), ..steady("", []) });
            let rows = scope.write((0..7).map(step).collect()).await.unwrap();
            assert_eq!(
                rows.iter().map(|rows| rows[0].int(0).unwrap()).collect::<Vec<_>>(),
                [0, 1, 2, 3, 4, 5, 6]
            );
            within(begun, 1.5);
            proxy.set(Link::Up);
        })
        .await;
}

#[tokio::test]
async fn an_old_lane_connection_is_watched_while_its_successor_connects() {
    use crate::db::postgres::connector::Connector;
    use crate::db::postgres::lane::Lane;
    let proxy = Proxy::start(Link::Up).await;
    let mut config = settings(&[("DATABASE_URL", &test_url())]);
    proxy.lead(&mut config);
    let DatabaseUrl::Postgres(url) = &config.url else { unreachable!() };
    let connector = Connector::new(&config, url, None).unwrap();
    let lane = Lane::open(&connector, 1, Duration::from_millis(400));
    let slot = lane.slot().unwrap();
    let old = slot.connection(None, soon()).await.unwrap();
    proxy.set(Link::Silent);
    tokio::time::sleep(Duration::from_millis(600)).await;
    // The new one is being made and gets no answer: the old one still serves, until somebody gives it up.
    let same = slot.connection(None, in_ms(100)).await.unwrap();
    assert!(std::sync::Arc::ptr_eq(&old, &same));
    old.evict();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let begun = Instant::now();
    assert!(matches!(slot.connection(None, in_ms(200)).await, Err(DbError::Unavailable(_))));
    within(begun, 1.0);
    proxy.set(Link::Up);
    let new = slot.connection(None, soon()).await.unwrap();
    assert!(!std::sync::Arc::ptr_eq(&old, &new));
}
