//! Row level security: what is no user's own is not there, whatever a statement forgets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_postgres::{NoTls, SimpleQueryMessage};

use super::pgbouncer::PgBouncer;
use super::*;
use crate::config::Secret;
use crate::config::database::Host;
use crate::db::bulk::{Access, Errand, Sink, Source, Target};

/// A role of a test's own, and its way to the server.
struct Guarded {
    role: String,
}

impl Guarded {
    async fn make(attributes: &str) -> Self {
        let role = own_schema().replace("test_", "role_");
        admin(&format!("create role {role} login {attributes}")).await;
        Self { role }
    }

    /// The role as the server's, and a superuser as the tables' owner.
    fn serve(&self, config: &mut DatabaseConfig) {
        config.direct_url = Some(config.url.clone());
        self.own(config);
    }

    /// The role as the server's and the tables'.
    fn own(&self, config: &mut DatabaseConfig) {
        let DatabaseUrl::Postgres(url) = &mut config.url else { unreachable!() };
        url.user = Some(self.role.clone());
        url.password = Some(Secret::new("unasked"));
        config.rls = true;
    }

    /// Migrates, and makes two users with a task each, past all policies.
    async fn fill(&self, bed: &Bed) {
        let (schema, role) = (&bed.config.schema, &self.role);
        match bed.config.direct_url {
            Some(_) => {
                migrate::up(&bed.config).await.unwrap();
                bed.raw(&format!(
                    "grant usage on schema {schema} to {role}; \
                     grant select, insert, update, delete on all tables in schema {schema} to {role}"
                ))
                .await;
            }
            None => {
                bed.raw(&format!("alter schema {schema} owner to {role}; drop table @things")).await;
                migrate::up(&bed.config).await.unwrap();
            }
        }
        for user in ["ann", "bob"] {
            bed.raw(&format!(
                "insert into @users (id) values ('{user}'); \
                 insert into @tasks (user_id, id, number, title, title_fold) \
                 values ('{user}', gen_random_uuid(), 1, '{user}''s', '{user}''s'); \
                 insert into @task_tags select user_id, 't', id from @tasks where user_id = '{user}'; \
                 insert into @ideas (user_id, id, title, title_fold) values ('{user}', gen_random_uuid(), 'i', 'i'); \
                 insert into @idea_tags select user_id, 't', id from @ideas where user_id = '{user}'; \
                 insert into @idempotency_keys values ('{user}', 'k', 'f', now(), 200, ''); \
                 insert into @idempotency_texts (user_id, key, place, body) values ('{user}', 'k', 1, '')"
            ))
            .await;
        }
    }

    async fn end(self) {
        let role = self.role;
        admin(&format!("drop owned by {role}; drop role {role}")).await;
    }
}

async fn admin(sql: &str) {
    let (client, connection) = tokio_postgres::connect(&test_url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
}

/// The first column of an answer.
async fn column(client: &tokio_postgres::Client, sql: &str) -> Vec<String> {
    let messages = client.simple_query(sql).await.unwrap().into_iter();
    let texts = messages.filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap().to_owned()),
        _ => None,
    });
    texts.collect()
}

const TABLES: [&str; 7] =
    ["users", "tasks", "task_tags", "ideas", "idea_tags", "idempotency_keys", "idempotency_texts"];

/// Without an owner among its conditions.
const ALL: &str = "select user_id, $1 from @tasks";

async fn only_own_rows(bed: &Bed) {
    let ann = user("ann");
    let scope = bed.db.scope(&ann, soon());
    for _ in 0..3 {
        for statement in [steady(ALL, []), fresh(ALL, [])] {
            let rows = scope.read(statement).await.unwrap();
            let owners: Vec<_> = rows.iter().map(|row| row.text(0).unwrap()).collect();
            assert_eq!(owners, ["ann"]);
        }
        let several =
            vec![steady("select id, $1 from @users", []), fresh("select count(*), $1 from @ideas", [])];
        let answers = scope.read_all(several).await.unwrap();
        assert_eq!((answers[0][0].text(0).unwrap().as_str(), answers[1][0].int(0).unwrap()), ("ann", 1));
        let touch = "update @tasks set version = version + 1 where $1 = $1 returning user_id";
        for steps in
            [vec![always(steady(touch, []))], vec![always(steady(touch, [])), always(fresh(ALL, []))]]
        {
            for rows in scope.write(steps).await.unwrap() {
                assert_eq!(rows.iter().map(|row| row.text(0).unwrap()).collect::<Vec<_>>(), ["ann"]);
            }
        }
        let foreign = "insert into @ideas (user_id, id, title, title_fold) \
                       values ('bob', gen_random_uuid(), $1, 'x') returning title";
        for steps in
            [vec![always(steady(foreign, []))], vec![always(steady(touch, [])), always(fresh(foreign, []))]]
        {
            let error = scope.write(steps).await.unwrap_err();
            assert!(matches!(&error, DbError::Fault(text) if text.contains("42501")), "{error}");
        }
    }
    let everything = "delete from @tasks where $1 = $1";
    scope.write(vec![always(steady(everything, []))]).await.unwrap();
    assert_eq!(scope.read(steady(ALL, [])).await.unwrap().len(), 0);
    let bob = user("bob");
    let rows = bed.db.scope(&bob, soon()).read(steady("select version, $1 from @tasks", [])).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.int(0).unwrap()).collect::<Vec<_>>(), [1], "Bob's is as it was");
    bed.db.ping(soon()).await.unwrap();
}

#[tokio::test]
async fn a_statement_that_forgets_its_owner_finds_own_rows_only() {
    let ways: [fn(&Guarded, &mut DatabaseConfig); 2] = [Guarded::serve, Guarded::own];
    for way in ways {
        for prepared in [Prepared::On, Prepared::Off] {
            let guarded = Guarded::make("nosuperuser nobypassrls").await;
            let bed = Bed::postgres(|config| {
                way(&guarded, config);
                config.prepared = prepared;
            });
            bed.await
                .hold(async |bed| {
                    guarded.fill(bed).await;
                    only_own_rows(bed).await;
                })
                .await;
            guarded.end().await;
        }
    }
}

#[tokio::test]
async fn nor_does_it_behind_a_pooler_that_mixes_the_sessions_of_many() {
    let guarded = Guarded::make("nosuperuser nobypassrls").await;
    let pooler = PgBouncer::start_as(Some(&guarded.role)).await;
    let bed = Bed::postgres(|config| {
        guarded.serve(config);
        pooler.lead(config);
    });
    bed.await
        .hold(async |bed| {
            guarded.fill(bed).await;
            only_own_rows(bed).await;
            let users = (0..20).map(|n| {
                let db = bed.db.clone();
                tokio::spawn(async move {
                    let owner = user(&format!("user{n}"));
                    let scope = db.scope(&owner, soon());
                    let make = "insert into @users (id) values ($1) returning id";
                    scope.write(vec![always(steady(make, []))]).await.unwrap();
                    for _ in 0..10 {
                        let rows = scope.read(steady("select id, $1 from @users", [])).await.unwrap();
                        let ids: Vec<_> = rows.iter().map(|row| row.text(0).unwrap()).collect();
                        assert_eq!(ids, [owner.as_str()]);
                    }
                })
            });
            futures_util::future::join_all(users).await.into_iter().for_each(|user| user.unwrap());
        })
        .await;
    guarded.end().await;
}

#[tokio::test]
async fn by_hand_nobody_sees_nothing_and_somebody_what_is_theirs() {
    let guarded = Guarded::make("nosuperuser nobypassrls").await;
    Bed::postgres(|config| guarded.own(config))
        .await
        .hold(async |bed| {
            guarded.fill(bed).await;
            let mut config: tokio_postgres::Config = test_url().parse().unwrap();
            let (client, connection) = config.user(&guarded.role).connect(NoTls).await.unwrap();
            tokio::spawn(connection);
            for table in TABLES {
                let (schema, column_of) =
                    (&bed.config.schema, if table == "users" { "id" } else { "user_id" });
                let all = format!("select {column_of} from {schema}.{table}");
                assert_eq!(column(&client, &all).await, [""; 0], "{table}");
                client.batch_execute("begin; set local app.user_id = 'ann'").await.unwrap();
                assert_eq!(column(&client, &all).await, ["ann"], "{table}");
                client.batch_execute("rollback").await.unwrap();
                // After a transaction the setting is empty and no longer unset.
                assert_eq!(column(&client, &all).await, [""; 0], "{table}");
                let gone = client.batch_execute(&format!("delete from {schema}.{table}")).await;
                assert!(gone.is_ok());
                bed.raw(&format!("do $$ begin assert (select count(*) from @{table}) = 2; end $$")).await;
            }
            // Removing a user takes everything of that user along, and of nobody else.
            let erase = format!(
                "begin; set local app.user_id = 'ann'; delete from {}.users; commit",
                bed.config.schema
            );
            client.batch_execute(&erase).await.unwrap();
            for table in TABLES {
                bed.raw(&format!("do $$ begin assert (select count(*) from @{table}) = 1; end $$")).await;
            }
        })
        .await;
    guarded.end().await;
}

#[tokio::test]
async fn it_is_put_up_and_taken_off_under_a_running_server() {
    for prepared in [Prepared::On, Prepared::Off] {
        let guarded = Guarded::make("nosuperuser nobypassrls").await;
        let bed = Bed::postgres(|config| {
            guarded.own(config);
            config.rls = false;
            config.prepared = prepared;
        });
        bed.await
            .hold(async |bed| {
                guarded.fill(bed).await;
                assert_eq!(migrate::fence(&bed.config).await.unwrap().unwrap().open().len(), TABLES.len());
                let ann = user("ann");
                let scope = bed.db.scope(&ann, soon());
                let own = "select version from @tasks where user_id = $1";
                let touch = "update @tasks set version = version + 1 where user_id = $1 returning version";
                let mut version = 1;
                let mut works = async || {
                    for statement in [steady(own, []), fresh(own, []), steady(own, [])] {
                        assert_eq!(scope.read(statement).await.unwrap()[0].int(0).unwrap(), version);
                    }
                    for steps in [
                        vec![always(steady(touch, []))],
                        vec![always(fresh(own, [])), always(steady(touch, []))],
                    ] {
                        version += 1;
                        let rows = scope.write(steps).await.unwrap();
                        assert_eq!(rows.last().unwrap()[0].int(0).unwrap(), version);
                    }
                };
                works().await;
                let asking = DatabaseConfig { rls: true, ..bed.config.clone() };
                assert_eq!(migrate::up(&asking).await.unwrap(), ["row level security"]);
                assert_eq!(migrate::up(&asking).await.unwrap(), [""; 0]);
                assert_eq!(migrate::up_sql(&asking).await.unwrap(), "-- nothing pending\n");
                // Beside it, one that was started with it.
                let beside = Db::open(&asking).await.unwrap();
                works().await;
                let read = async || beside.scope(&ann, soon()).read(steady(ALL, [])).await.unwrap().len();
                assert_eq!(read().await, 1);
                for table in TABLES {
                    let off = format!(
                        "alter table @{table} no force row level security, disable row level security"
                    );
                    bed.raw(&off).await;
                }
                works().await;
                assert_eq!(read().await, 2, "there is no fence any more");
                // By hand: the same as by the command.
                let script = migrate::up_sql(&asking).await.unwrap();
                bed.raw(&script).await;
                assert!(migrate::fence(&asking).await.unwrap().unwrap().open().is_empty());
                assert_eq!(read().await, 1);
                works().await;
            })
            .await;
        guarded.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_misses_a_row_while_it_is_put_up() {
    for prepared in [Prepared::On, Prepared::Off] {
        let guarded = Guarded::make("nosuperuser nobypassrls").await;
        let bed = Bed::postgres(|config| {
            guarded.own(config);
            config.rls = false;
            config.prepared = prepared;
        });
        bed.await
            .hold(async |bed| {
                guarded.fill(bed).await;
                let up = Arc::new(AtomicUsize::new(0));
                let workers = (0..12).map(|_| {
                    let (db, up) = (bed.db.clone(), up.clone());
                    tokio::spawn(async move {
                        let ann = user("ann");
                        let touch =
                            "update @tasks set version = version + 1 where user_id = $1 returning version";
                        let mut further = 0;
                        while further < 10 {
                            further += up.load(Ordering::Relaxed);
                            let rows =
                                db.scope(&ann, soon()).write(vec![always(steady(touch, []))]).await.unwrap();
                            assert_eq!(rows[0].len(), 1, "her task is there");
                        }
                    })
                });
                let workers: Vec<_> = workers.collect();
                let asking = DatabaseConfig { rls: true, ..bed.config.clone() };
                migrate::up(&asking).await.unwrap();
                up.store(1, Ordering::Relaxed);
                futures_util::future::join_all(workers).await.into_iter().for_each(|worker| worker.unwrap());
            })
            .await;
        guarded.end().await;
    }
}

#[tokio::test]
async fn a_read_is_planned_again_after_a_migration() {
    let guarded = Guarded::make("nosuperuser nobypassrls").await;
    let bed = Bed::postgres(|config| {
        guarded.own(config);
        // one connection, so that it is the one with the outdated plan
        (config.pool_size, config.pool_overflow) = (1, 0);
    });
    bed.await
        .hold(async |bed| {
            guarded.fill(bed).await;
            let ann = user("ann");
            let read = async || {
                let rows = bed.db.scope(&ann, soon()).read(steady("select title, $1 from @tasks", [])).await;
                rows.unwrap()[0].text(0).unwrap()
            };
            assert_eq!((read().await, read().await), ("ann's".to_owned(), "ann's".to_owned()));
            bed.raw("alter table @tasks alter title type varchar(9999)").await;
            assert_eq!(read().await, "ann's");
        })
        .await;
    guarded.end().await;
}

#[tokio::test]
async fn roles_that_walk_through_it_are_refused_with_the_cure() {
    for (attributes, named) in
        [("superuser", Some("superuser")), ("bypassrls", Some("bypassrls")), ("nobypassrls", None)]
    {
        let guarded = Guarded::make(attributes).await;
        Bed::postgres(|config| guarded.own(config))
            .await
            .hold(async |bed| {
                let fence = migrate::fence(&bed.config).await.unwrap().unwrap();
                assert_eq!(fence.bypassed_by, named);
                let refused = fence.check_role().err().map(DbError::into_text).unwrap_or_default();
                assert_eq!(refused.contains("nosuperuser nobypassrls"), named.is_some(), "{refused}");
            })
            .await;
        guarded.end().await;
    }
}

#[tokio::test]
async fn only_the_tables_owner_puts_it_up() {
    let guarded = Guarded::make("nosuperuser nobypassrls").await;
    Bed::postgres(|config| guarded.serve(config))
        .await
        .hold(async |bed| {
            let unasked = DatabaseConfig { rls: false, ..bed.config.clone() };
            migrate::up(&unasked).await.unwrap();
            bed.raw(&format!(
                "grant usage on schema {0} to {1}; grant select on all tables in schema {0} to {1}",
                bed.config.schema, guarded.role
            ))
            .await;
            let alone = DatabaseConfig { direct_url: None, ..bed.config.clone() };
            let error = migrate::up(&alone).await.unwrap_err();
            assert!(error.text().contains("DATABASE_DIRECT_URL"), "{error}");
            assert_eq!(migrate::up(&bed.config).await.unwrap(), ["row level security"]);
            assert_eq!(migrate::up(&alone).await.unwrap(), [""; 0], "nothing is left for the owner to do");
        })
        .await;
    guarded.end().await;
}

#[tokio::test]
async fn admin_commands_come_through_or_are_told_why_not() {
    let guarded = Guarded::make("nosuperuser nobypassrls").await;
    Bed::postgres(|config| guarded.own(config))
        .await
        .hold(async |bed| {
            guarded.fill(bed).await;
            let touch = "update @tasks set title = $2 where $1 = $1 returning user_id";
            let errand = |user: &str, title: &str| Errand {
                user: user.to_owned(),
                statement: fresh(touch, [text(title)]),
            };
            let mut sink = Sink::open(&bed.config).await.unwrap();
            let mut batch = sink.begin(Access::Change).await.unwrap();
            let told = [errand("ann", "a"), errand("ann", "b"), errand("bob", "c"), errand("ann", "d")];
            let owners: Vec<_> = batch
                .run(&told)
                .await
                .unwrap()
                .iter()
                .map(|rows| (rows.len(), rows[0].text(0).unwrap()))
                .collect();
            batch.commit().await.unwrap();
            assert_eq!(owners, ["ann", "ann", "bob", "ann"].map(|user| (1, user.to_owned())));
            // Whole tables are not for whom it binds.
            let source = Source::open(&bed.config.url, &bed.config).await.unwrap();
            let error = source.rows("select title from @tasks").await.unwrap_err();
            assert!(error.text().contains("bypassrls"), "{error}");
            let DatabaseUrl::Postgres(url) = &bed.config.url else { unreachable!() };
            let target = Target::begin(url, &bed.config, Duration::from_secs(5)).await.unwrap();
            let lifted = target.lift(&TABLES).await.unwrap();
            assert_eq!(target.inside().rows("select title from @tasks").await.unwrap().len(), 2);
            target.load("users", "id").await.unwrap().finish().await.unwrap();
            target.restore(lifted).await.unwrap();
            target.commit().await.unwrap();
            assert!(migrate::fence(&bed.config).await.unwrap().unwrap().open().is_empty(), "it is back");
        })
        .await;
    guarded.end().await;
}

/// Passes everything on, but answers only when the client has said nothing for a while: how often that was is the number
/// of round trips.
async fn turns(address: SocketAddr) -> (u16, Arc<AtomicUsize>) {
    const QUIET: Duration = Duration::from_millis(250);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let turns = Arc::new(AtomicUsize::new(0));
    let count = turns.clone();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (mut server, count) = (TcpStream::connect(address).await.unwrap(), count.clone());
            tokio::spawn(async move {
                let mut answer = Vec::new();
                let (mut said, mut heard) = (vec![0; 1 << 16], vec![0; 1 << 16]);
                loop {
                    tokio::select! {
                        read = client.read(&mut said) => match read {
                            Ok(length @ 1..) => server.write_all(&said[..length]).await.unwrap(),
                            _ => return,
                        },
                        read = server.read(&mut heard) => match read {
                            Ok(length @ 1..) => answer.extend_from_slice(&heard[..length]),
                            _ => return,
                        },
                        () = tokio::time::sleep(QUIET), if !answer.is_empty() => {
                            client.write_all(&std::mem::take(&mut answer)).await.unwrap();
                            count.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    (port, turns)
}

#[tokio::test]
async fn it_costs_no_round_trip() {
    let server: tokio_postgres::Config = test_url().parse().unwrap();
    let (port, turns) = turns(([127, 0, 0, 1], server.get_ports()[0]).into()).await;
    let guarded = Guarded::make("nosuperuser nobypassrls").await;
    let bed = Bed::postgres(|config| {
        guarded.serve(config);
        let DatabaseUrl::Postgres(url) = &mut config.url else { unreachable!() };
        url.hosts = vec![(Host::Name("127.0.0.1".to_owned()), port)];
    });
    bed.await
        .hold(async |bed| {
            guarded.fill(bed).await;
            let ann = user("ann");
            let scope = bed.db.scope(&ann, soon());
            let touch = || always(steady("update @tasks set version = version + 1 where user_id = $1", []));
            let one = async |read: bool| {
                if read {
                    scope.read_all(vec![steady(ALL, []), fresh(ALL, [])]).await.unwrap();
                } else {
                    scope.write(vec![touch()]).await.unwrap();
                }
            };
            for read in [true, false] {
                // The first of its kind connects and prepares.
                one(read).await;
                let before = turns.load(Ordering::Relaxed);
                one(read).await;
                assert_eq!(turns.load(Ordering::Relaxed) - before, 1, "read: {read}");
            }
        })
        .await;
    guarded.end().await;
}
