//! Behind PgBouncer in transaction mode with two server connections; the tests start their own.

use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::*;
use crate::config::database::Host;

pub(super) struct PgBouncer {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl PgBouncer {
    async fn start() -> Self {
        Self::start_as(None).await
    }

    /// One whose clients are all this role.
    pub(super) async fn start_as(role: Option<&str>) -> Self {
        let DatabaseUrl::Postgres(url) = settings(&[("DATABASE_URL", &test_url())]).url else {
            unreachable!()
        };
        let (Host::Name(host), server) = &url.hosts[0] else {
            panic!("TEST_POSTGRES_URL must have a TCP host")
        };
        let login = |key: &str, value: Option<&str>| {
            value.map(|value| format!(" {key}='{value}'")).unwrap_or_default()
        };
        let login = login("dbname", url.dbname.as_deref().or(url.user.as_deref()))
            + &login("user", role.or(url.user.as_deref()))
            + &login("password", url.password.as_ref().map(crate::config::Secret::expose));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pgbouncer.ini");
        let settings = format!(
            "[databases]\n* = host={host} port={server}{login}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 2\nmax_client_conn = 200\n\
             query_wait_timeout = 2\n"
        );
        std::fs::write(&file, settings).unwrap();
        let program = std::env::var_os("PATH")
            .and_then(|path| {
                std::env::split_paths(&path).map(|folder| folder.join("pgbouncer")).find(|file| file.exists())
            })
            .unwrap_or_else(|| "/usr/sbin/pgbouncer".into());
        assert!(program.exists(), "install pgbouncer: it is neither in PATH nor in /usr/sbin");
        let mut command = Command::new(program);
        if Path::new("/proc/self").metadata().unwrap().uid() == 0 {
            command.args(["-u", "nobody"]);
        }
        let child = command
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(begun.elapsed().as_secs() < 10, "pgbouncer does not listen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self { child, port, _folder: folder }
    }

    pub(super) fn lead(&self, config: &mut DatabaseConfig) {
        let DatabaseUrl::Postgres(url) = &mut config.url else { unreachable!() };
        url.hosts = vec![(Host::Name("127.0.0.1".to_owned()), self.port)];
        url.pgbouncer = Some(true);
        url.application_name = Some(config.schema.clone());
    }

    async fn bed(&self, change: impl FnOnce(&mut DatabaseConfig)) -> Bed {
        Bed::postgres(|config| {
            self.lead(config);
            change(config);
            assert!(config.is_pooled());
        })
        .await
    }
}

#[tokio::test]
async fn many_users_never_mix() {
    let pooler = PgBouncer::start().await;
    let bed = pooler.bed(|_| {}).await;
    bed.hold(async |bed| {
        let users = (0..30).map(|u| {
            let db = bed.db.clone();
            tokio::spawn(async move {
                let owner = user(&format!("user{u}"));
                let scope = db.scope(&owner, soon());
                for i in 0..8 {
                    let steps = vec![
                        always(insert(&format!("n{u}-{i}"), u)),
                        Step { statement: insert(&format!("m{u}-{i}"), u), when: When::Rows(0) },
                    ];
                    scope.write(if i % 2 == 0 { steps } else { steps[..1].to_vec() }).await.unwrap();
                    let list = "select owner, n from @things where owner = $1";
                    let count = "select count(*), $1 from @things where owner = $1";
                    let results = scope.read_all(vec![steady(list, []), fresh(count, [])]).await.unwrap();
                    for row in &results[0] {
                        assert_eq!((row.text(0).unwrap(), row.int(1).unwrap()), (format!("user{u}"), u));
                    }
                    let expected = i + 1 + i / 2 + 1;
                    assert_eq!(results[1][0].int(0).unwrap(), expected);
                    assert_eq!(
                        scope.read(steady(list, [])).await.unwrap().len(),
                        usize::try_from(expected).unwrap()
                    );
                }
            })
        });
        futures_util::future::join_all(users).await.into_iter().for_each(|user| user.unwrap());
        // Nothing of a session is left behind for other clients of the pooler.
        let ann = user("ann");
        let sql =
            "select current_setting('statement_timeout'), $1, (select count(*) from pg_prepared_statements)";
        let rows = bed.db.scope(&ann, soon()).read(fresh(sql, [])).await.unwrap();
        assert_eq!(rows[0].text(0).unwrap(), "5s");
        assert_eq!(rows[0].int(2).unwrap(), 0);
        assert_eq!(left_behind(&pooler).await, "0");
    })
    .await;
}

/// The statement timeout that another client of the pooler finds.
async fn left_behind(pooler: &PgBouncer) -> String {
    let mut config = settings(&[("DATABASE_URL", &test_url())]);
    pooler.lead(&mut config);
    let DatabaseUrl::Postgres(url) = &config.url else { unreachable!() };
    let connector = super::super::postgres::connector::Connector::new(&config, url, None).unwrap();
    let (client, connection) = connector.connect().await.unwrap();
    tokio::spawn(connection);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..10 {
        let rows = client.simple_query("show statement_timeout").await.unwrap();
        for message in rows {
            if let tokio_postgres::SimpleQueryMessage::Row(row) = message {
                seen.insert(row.get(0).unwrap().to_owned());
            }
        }
    }
    seen.into_iter().collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn timeouts_and_deadlines_hold() {
    let pooler = PgBouncer::start().await;
    let bed = pooler.bed(|config| config.statement_timeout = Duration::from_millis(300)).await;
    bed.hold(async |bed| {
        let ann = user("ann");
        let sleep = "select $1 from (select pg_sleep(30)) x";
        for deadline in [soon(), Instant::now() + Duration::from_secs(1)] {
            let begun = Instant::now();
            let scope = bed.db.scope(&ann, deadline);
            let (read, write) =
                tokio::join!(scope.read(steady(sleep, [])), scope.write(vec![always(steady(sleep, []))]));
            assert!(matches!(read, Err(DbError::Unavailable(_))), "{read:?}");
            assert!(matches!(write, Err(DbError::Unavailable(_))), "{write:?}");
            assert!(begun.elapsed() < Duration::from_secs(3));
        }
        assert_eq!(left_behind(&pooler).await, "0");
    })
    .await;
    let bed = pooler.bed(|_| {}).await;
    bed.hold(async |bed| {
        let ann = user("ann");
        let begun = Instant::now();
        let scope = bed.db.scope(&ann, begun + Duration::from_millis(300));
        let sleep = "select $1 from (select pg_sleep(30)) x";
        let (read, write) =
            tokio::join!(scope.read(fresh(sleep, [])), scope.write(vec![always(steady(sleep, []))]));
        assert!(matches!(read, Err(DbError::Unavailable(_))), "{read:?}");
        assert!(matches!(write, Err(DbError::Unavailable(_))), "{write:?}");
        assert!(begun.elapsed() < Duration::from_secs(3));
        // Both server connections are free again: the statements were cancelled, not abandoned.
        let begun = Instant::now();
        bed.db.scope(&ann, soon()).write(vec![always(insert("next", 1))]).await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(2));
    })
    .await;
}

#[tokio::test]
async fn connections_ended_behind_the_pooler_are_not_noticed_by_reads() {
    let pooler = PgBouncer::start().await;
    let bed = pooler.bed(|_| {}).await;
    bed.hold(async |bed| {
        let ann = user("ann");
        let scope = bed.db.scope(&ann, soon());
        for _ in 0..5 {
            scope.read(steady("select $1", [])).await.unwrap();
            bed.raw(&format!(
                "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and \
                 application_name = '{}'",
                bed.config.schema
            ))
            .await;
            let (a, b) =
                tokio::join!(scope.read(steady("select $1", [])), scope.read(fresh("select $1", [])));
            assert_eq!(a.unwrap().len() + b.unwrap().len(), 2);
        }
    })
    .await;
}

#[tokio::test]
async fn a_locked_row_makes_others_fail_fast_and_they_recover() {
    let pooler = PgBouncer::start().await;
    let bed = pooler.bed(|config| config.statement_timeout = Duration::from_secs(1)).await;
    bed.hold(async |bed| {
        let ann = user("ann");
        let scope = bed.db.scope(&ann, soon());
        scope.write(vec![always(insert("x", 1))]).await.unwrap();
        let lock = bed.raw("begin; update @things set n = 2; select pg_sleep(3); commit");
        let others = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let update = "update @things set n = n + 1 where owner = $1";
            let begun = Instant::now();
            let all = (0..40).map(|_| scope.write(vec![always(steady(update, []))]));
            let all = futures_util::future::join_all(all).await;
            assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
            for result in &all {
                assert!(matches!(result, Ok(_) | Err(DbError::Unavailable(_))), "{result:?}");
            }
            assert!(all.iter().any(Result::is_err));
        };
        tokio::join!(lock, others);
        let begun = Instant::now();
        scope.write(vec![always(insert("y", 1))]).await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(2));
    })
    .await;
}

#[tokio::test]
async fn five_migrate_at_once() {
    let pooler = PgBouncer::start().await;
    let bed = pooler.bed(|_| {}).await;
    bed.hold(async |bed| {
        let runs = (0..5).map(|_| {
            let config = bed.config.clone();
            tokio::spawn(async move { migrate::up(&config).await })
        });
        let done = futures_util::future::join_all(runs).await;
        let applied: Vec<String> = done.into_iter().flat_map(|run| run.unwrap().unwrap()).collect();
        assert_eq!(applied.len(), migrate::names(&bed.config).len());
        assert_eq!(migrate::down(&bed.config, 1).await.unwrap().len(), 1);
        assert_eq!(migrate::up(&bed.config).await.unwrap().len(), 1);
        assert_eq!(left_behind(&pooler).await, "0");
    })
    .await;
}
