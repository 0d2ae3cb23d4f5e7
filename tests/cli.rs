//! The command line, run as a user runs it: the real binary in an empty folder.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Of the form that real secrets have.
const SECRET: &str = "q7dK2mZx9vRw4tYb8nLc3hJf6gPs1aQe";

/// The binary in an empty folder, with nothing in its environment.
struct Shell {
    folder: tempfile::TempDir,
}

impl Shell {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, args: &[&str], vars: &[(&str, &str)]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_creatorvault"));
        command
            .args(args)
            .env_clear()
            .envs(std::env::var_os("LLVM_PROFILE_FILE").map(|file| ("LLVM_PROFILE_FILE", file))) // a measured build writes there
            .envs(vars.iter().copied())
            .current_dir(self.path())
            .stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str], vars: &[(&str, &str)]) -> Ran {
        Ran::from(self.command(args, vars).output().unwrap())
    }
}

/// What a run left behind.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

#[test]
fn help_teaches_and_misuse_is_two() {
    let shell = Shell::new();
    for command in
        ["serve", "migrate up", "migrate down", "migrate status", "migrate new", "token new", "token check"]
            .into_iter()
            .chain(["doctor", "openapi", "healthcheck", "import", "copy", ""])
    {
        let args: Vec<_> = command.split_whitespace().chain(["--help"]).collect();
        let ran = shell.run(&args, &[]);
        assert_eq!(ran.code, Some(0), "{command}: {ran:?}");
        assert!(ran.out.contains("Examples:") && ran.err.is_empty(), "{command}: {ran:?}");
    }
    let version = shell.run(&["--version"], &[]);
    assert_eq!(
        (version.code, version.out.trim()),
        (Some(0), concat!("creatorvault ", env!("CARGO_PKG_VERSION")))
    );
    for misuse in
        [&["sevre"][..], &["migrate"], &["migrate", "down", "0"], &["migrate", "new", "../x"], &["token"]]
            .into_iter()
            .chain([&["token", "new"][..], &["token", "new", "--user", ""], &["serve", "--port", "1"]])
    {
        let ran = shell.run(misuse, &[]);
        assert_eq!(ran.code, Some(2), "{misuse:?}: {ran:?}");
        assert!(ran.out.is_empty() && !ran.err.is_empty(), "{misuse:?}: {ran:?}");
    }
    assert_eq!(std::fs::read_dir(shell.path()).unwrap().count(), 0, "asking for help leaves nothing behind");
}

#[test]
fn every_problem_of_the_settings_is_a_line_and_the_start_fails() {
    let shell = Shell::new();
    std::fs::write(shell.path().join(".env"), "PORT=ninety\nthis is canary no setting\n").unwrap();
    let ran = shell.run(&["serve"], &[("WORKERS", "0"), ("BETTER_AUTH_SECRET", "canary")]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    for start in [".env line 2 ", "PORT must be", "WORKERS must be", "BETTER_AUTH_SECRET "] {
        assert_eq!(ran.err.lines().filter(|line| line.starts_with(start)).count(), 1, "{start}: {ran:?}");
    }
    assert_eq!(ran.err.lines().count(), 4, "{ran:?}");
    assert!(!ran.err.contains("canary"), "{ran:?}");
}

#[test]
fn the_environment_wins_over_the_file() {
    let shell = Shell::new();
    std::fs::write(shell.path().join(".env"), format!("BETTER_AUTH_SECRET='{SECRET}'\nPORT=ninety\n"))
        .unwrap();
    assert_eq!(shell.run(&["token", "new", "--user", "ann"], &[]).code, Some(1));
    let ran = shell.run(&["token", "new", "--user", "ann"], &[("PORT", "90"), ("PROT", "91")]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.err.contains("warning: PROT ") && ran.err.contains("did you mean PORT?"), "{ran:?}");
    assert!(!ran.err.contains("dev mode"), "the file's secret counts: {ran:?}");
}

#[test]
fn a_minted_token_is_accepted_and_others_are_explained() {
    let shell = Shell::new();
    let vars = [("BETTER_AUTH_SECRET", SECRET)];
    let minted =
        shell.run(&["token", "new", "--user", "ann", "--email", "ann@example.com", "--ttl", "15m"], &vars);
    assert_eq!(minted.code, Some(0), "{minted:?}");
    let token = minted.out.trim();
    assert_eq!((minted.out.lines().count(), token.split('.').count()), (1, 3), "{minted:?}");
    let accepted = shell.run(&["token", "check", token], &vars);
    assert_eq!(accepted.code, Some(0), "{accepted:?}");
    assert!(accepted.out.contains("ann"), "{accepted:?}");
    let refused = shell.run(&["token", "check", token], &[("BETTER_AUTH_SECRET", &SECRET.to_lowercase())]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(!refused.out.is_empty() && !refused.out.contains(token), "{refused:?}");

    let mut piped = shell.command(&["token", "check", "-"], &vars);
    let mut piped =
        piped.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    writeln!(piped.stdin.take().unwrap(), "Bearer {token}").unwrap();
    let piped = Ran::from(piped.wait_with_output().unwrap());
    assert_eq!(piped.code, Some(0), "{piped:?}");
}

#[test]
fn only_a_public_key_cannot_mint() {
    let shell = Shell::new();
    // The public key of RFC 8410 section 10.1.
    let pem = "-----BEGIN PUBLIC KEY-----\n\
               MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
               -----END PUBLIC KEY-----\n";
    let vars = [("JWT_PUBLIC_KEY", pem), ("JWT_ISSUER", "x"), ("JWT_AUDIENCE", "y")];
    let ran = shell.run(&["token", "new", "--user", "ann"], &vars);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("BETTER_AUTH_SECRET") && ran.out.is_empty(), "{ran:?}");
}

#[test]
fn the_document_is_printed_and_a_closed_pipe_is_no_failure() {
    let shell = Shell::new();
    let ran = shell.run(&["openapi"], &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let document: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut child =
        shell.command(&["openapi"], &[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert!(!ran.err.contains("panicked"), "{ran:?}");
}

#[test]
fn the_document_is_printed_as_the_settings_have_it() {
    let shell = Shell::new();
    // What else is wrong is no business of the document.
    let ran =
        shell.run(&["openapi"], &[("TODO_IDS", "number"), ("PORT", "80000"), ("DATABASE_URL", "nonsense")]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let document: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(document["components"]["schemas"]["TodoTask"]["properties"]["id"]["type"], "integer");
    std::fs::write(shell.path().join(".env"), "DELETE_STATUS=200\n").unwrap();
    let ran = shell.run(&["openapi"], &[]);
    let document: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let removal = &document["paths"]["/api/v1/{user_id}/ideas/{id}"]["delete"]["responses"];
    assert!(removal["200"].is_object() && removal["204"].is_null(), "{removal}");
    let ran = shell.run(&["openapi"], &[("TODO_IDS", "int"), ("PORT", "80000")]);
    assert_eq!(
        (ran.code, ran.out.as_str(), ran.err.as_str()),
        (Some(1), "", "TODO_IDS must be uuid or number\n")
    );
}

#[test]
fn a_new_migration_is_four_files() {
    let shell = Shell::new();
    let ran = shell.run(&["migrate", "new", "add_task_colour"], &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.out.lines().count(), 4, "{ran:?}");
    for file in ran.out.lines() {
        assert!(file.contains("add_task_colour") && shell.path().join(file).is_file(), "{file}");
    }
    for folder in ["migrations/postgres", "migrations/sqlite"] {
        assert_eq!(std::fs::read_dir(shell.path().join(folder)).unwrap().count(), 2, "{folder}");
    }
}

#[test]
fn migrations_go_up_and_down_and_are_listed() {
    let shell = Shell::new();
    let migrate = |args: &[&str]| {
        let args: Vec<_> = ["migrate"].iter().chain(args).copied().collect();
        let ran = shell.run(&args, &[]);
        assert_eq!(ran.code, Some(0), "{args:?}: {ran:?}");
        ran.out
    };
    assert!(migrate(&["up", "--sql"]).contains("create table"));
    let before = migrate(&["status"]);
    assert!(before.contains("pending") && !before.contains("applied"), "{before}");
    assert!(migrate(&["up"]).contains("applied"));
    assert_eq!(migrate(&["up"]).trim(), "nothing pending");
    let after = migrate(&["status"]);
    assert!(after.contains("applied") && !after.contains("pending"), "{after}");
    assert_eq!(migrate(&["down"]).lines().count(), 1);
    assert!(migrate(&["status"]).contains("pending"));
}

/// A server in the background, ended with its test.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    /// Starts one at a free port and waits until it is ready.
    fn start(shell: &Shell, vars: &[(&str, &str)]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let text = port.to_string();
        let mut vars = vars.to_vec();
        vars.push(("PORT", &text));
        let mut command = shell.command(&[], &vars);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let server = Self { child, port };
        let deadline = Instant::now() + Duration::from_secs(20);
        while shell.run(&["healthcheck", "--ready"], &vars).code != Some(0) {
            assert!(Instant::now() < deadline, "not ready in time");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], self.port))).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Sends SIGTERM and waits for the end.
    fn stop(mut self) -> Ran {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let (mut out, mut err) = (String::new(), String::new());
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        let code = self.child.wait().unwrap().code();
        Ran { code, out, err }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn a_first_run_greets_with_a_request_that_works() {
    let shell = Shell::new();
    let mut server = Server::start(&shell, &[]);
    let mut said = BufReader::new(server.child.stderr.take().unwrap()).lines();
    let curl = said.by_ref().map(Result::unwrap).find(|line| line.starts_with("curl ")).unwrap();
    let token = curl.split("Bearer ").nth(1).unwrap().split('\'').next().unwrap();
    let body = curl.split("-d '").nth(1).unwrap().trim_end_matches('\'');
    let port = server.port;
    assert!(curl.contains(&format!("http://127.0.0.1:{port}/api/tasks ")), "{curl}");
    let answer = server.ask(&format!(
        "POST /api/tasks HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    ));
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert!(shell.path().join("data/creatorvault.db").is_file());
    server.child.stderr = Some(empty());
    let ran = server.stop();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{ran:?}");
    assert!(!ran.out.contains(token), "the token is in the log");
}

/// A standard error that says nothing, in place of one that was read already.
fn empty() -> std::process::ChildStderr {
    let mut child = Command::new("true").stderr(Stdio::piped()).spawn().unwrap();
    let nothing = child.stderr.take().unwrap();
    child.wait().unwrap();
    nothing
}

#[test]
fn with_a_key_source_nothing_is_greeted_and_a_taken_port_is_named() {
    let shell = Shell::new();
    let vars = [("BETTER_AUTH_SECRET", SECRET), ("DATABASE_URL", "sqlite://rows.db")];
    let server = Server::start(&shell, &vars);
    let port = server.port.to_string();
    let second = shell.run(&[], &[vars[0], ("DATABASE_URL", "sqlite://other.db"), ("PORT", &port)]);
    assert_eq!(second.code, Some(1), "{second:?}");
    let named = format!("PORT {port} is taken by another program");
    assert!(second.err.lines().any(|line| line.starts_with(&named)), "{second:?}");
    let ran = server.stop();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.err.is_empty() && !ran.out.contains("curl"), "{ran:?}");
}

#[test]
fn a_healthcheck_without_a_server_fails_fast() {
    let shell = Shell::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let started = Instant::now();
    let ran = shell.run(&["healthcheck"], &[("PORT", &port)]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("does not answer") && started.elapsed() < Duration::from_secs(3), "{ran:?}");
}
