//! A PostgreSQL server of one test's own, which it may secure, freeze, kill and start again.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A server of the distribution's, gone when it is dropped. Its role `creatorvault` is a superuser.
#[derive(Debug)]
pub(crate) struct Server {
    /// In which the server's own folder is.
    folder: tempfile::TempDir,
    pub(crate) port: u16,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::made(&["start", "distribution"], &[])
    }

    /// A standby of this one.
    pub(crate) fn standby(&self) -> Self {
        Self::made(&["standby"], &[&format!("{}?application_name=standby", self.url())])
    }

    fn made(before: &[&str], after: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // The server runs as another user, who has to pass.
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711)).expect("our folder");
        let own = folder.path().join("server");
        let own = own.to_str().expect("a path of text");
        let args: Vec<&str> = before.iter().copied().chain([own]).chain(after.iter().copied()).collect();
        let url = script(&args);
        let port = url.trim().rsplit(':').next().and_then(|rest| rest.split('/').next()?.parse().ok());
        Self { port: port.unwrap_or_else(|| panic!("no port in {url}")), folder }
    }

    /// The URL, where nothing was secured.
    pub(crate) fn url(&self) -> String {
        format!("postgresql://creatorvault@127.0.0.1:{}/postgres", self.port)
    }

    fn own(&self) -> PathBuf {
        self.folder.path().join("server")
    }

    fn data(&self) -> PathBuf {
        self.own().join("data")
    }

    /// Runs SQL through the socket, where nobody is asked for a password.
    pub(crate) async fn run(&self, sql: &str) {
        let client = self.client().await;
        for statement in sql.split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
            client.batch_execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
        }
    }

    /// The only number that a query answers.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        self.client().await.query_one(sql, &[]).await.expect("a row").get(0)
    }

    /// A connection through the socket.
    pub(crate) async fn client(&self) -> tokio_postgres::Client {
        let mut config = tokio_postgres::Config::new();
        config.host_path(self.own()).port(self.port).user("creatorvault").dbname("postgres");
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.expect("the socket answers");
        tokio::spawn(connection);
        client
    }

    /// Puts a file into its data folder, as its user's own.
    pub(crate) fn put(&self, name: &str, text: &[u8]) {
        let (data, file) = (self.data(), self.data().join(name));
        let owner = data.metadata().expect("its data");
        drop(std::fs::remove_file(&file));
        std::fs::write(&file, text).expect("a file in its data");
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).expect("our file");
        chown(&file, Some(owner.uid()), Some(owner.gid())).expect("our file");
    }

    /// Admits over TCP whom these lines of `pg_hba.conf` admit; over the socket, everybody.
    pub(crate) async fn admit(&self, lines: &str) {
        self.put("pg_hba.conf", format!("local all all trust\n{lines}\n").as_bytes());
        self.reload().await;
    }

    /// Has it read its files again, and waits until it has.
    pub(crate) async fn reload(&self) {
        let client = self.client().await;
        let loaded = async || -> String {
            let row = client.query_one("select pg_conf_load_time()::text", &[]).await.expect("a row");
            row.get(0)
        };
        let before = loaded().await;
        client.batch_execute("select pg_reload_conf()").await.expect("a superuser may");
        let begun = Instant::now();
        while loaded().await == before {
            assert!(begun.elapsed() < Duration::from_secs(20), "it does not read its files again");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // The connection that sees it is not the one that takes the next in.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    /// All its processes, the first of them that of the server itself.
    fn processes(&self) -> Vec<String> {
        let file = std::fs::read_to_string(self.data().join("postmaster.pid"));
        let Some(main) = file.ok().and_then(|text| text.lines().next().map(str::to_owned)) else {
            return Vec::new();
        };
        let children = std::fs::read_to_string(format!("/proc/{main}/task/{main}/children"));
        let children = children.unwrap_or_default();
        std::iter::once(main).chain(children.split_whitespace().map(str::to_owned)).collect()
    }

    fn signal(&self, signal: &str) {
        let mut processes = self.processes();
        // A server that sees a child end before it is told itself ends the others, or makes a new one.
        processes.dedup();
        let told = Command::new("kill").arg(signal).args(&processes).stderr(Stdio::null()).status();
        assert!(told.is_ok(), "kill runs");
    }

    /// SIGSTOP to every process: nothing ends, and nothing answers.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
        // Children that were made meanwhile.
        self.signal("-STOP");
    }

    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    /// SIGKILL to every process.
    pub(crate) fn kill(&self) {
        let processes = self.processes();
        self.signal("-KILL");
        for process in processes {
            let begun = Instant::now();
            while Path::new(&format!("/proc/{process}/fd")).exists() && is_alive(&process) {
                assert!(begun.elapsed() < Duration::from_secs(20), "{process} does not end");
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }

    /// Starts it again where it was, after it was killed.
    pub(crate) fn again(&self) {
        let data = self.data();
        let options = std::fs::read_to_string(data.join("postmaster.opts")).expect("it has run");
        let mut words = options.split_whitespace().map(|word| word.trim_matches('"'));
        let program = words.next().expect("its program");
        // Behind -D and its folder.
        let options = words.skip(2).collect::<Vec<_>>().join(" ");
        // Where nobody buries the dead, the process seems to be there still.
        let lock = self.own().join(format!(".s.PGSQL.{}.lock", self.port));
        for file in [data.join("postmaster.pid"), lock] {
            drop(std::fs::remove_file(file));
        }
        let pg_ctl = Path::new(program).with_file_name("pg_ctl");
        let mut command = if data.metadata().expect("its data").uid() == 0 || !is_root() {
            Command::new(pg_ctl)
        } else {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(pg_ctl);
            command
        };
        let log = format!("--log={}", self.own().join("server.log").display());
        let started = command
            .args(["start", "--wait", "--silent", "--options", &options, &log, "--pgdata"])
            .arg(&data)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(started.expect("pg_ctl runs").success(), "it does not start again");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.thaw();
        script(&["stop", self.own().to_str().expect("a path of text")]);
    }
}

fn is_root() -> bool {
    Path::new("/proc/self").metadata().expect("this process").uid() == 0
}

fn is_alive(process: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    !matches!(stat.rsplit(") ").next().and_then(|rest| rest.chars().next()), None | Some('Z' | 'X'))
}

/// `scripts/postgres` with these arguments; what it has printed.
fn script(args: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/postgres");
    let output = Command::new(script).args(args).stdin(Stdio::null()).output().expect("bash runs");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("a URL")
}
