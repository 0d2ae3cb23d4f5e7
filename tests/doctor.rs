//! `creatorvault doctor`, run as a user runs it: the real binary in an empty folder, before real and odd servers.

mod doctor {
    mod auth_server;
    mod database;
    mod keys;
    mod settings;

    use std::net::TcpListener;
    use std::path::Path;
    use std::process::Command;
    use std::time::{Duration, Instant};

    use serde_json::Value;

    /// Of the form that real secrets have.
    const SECRET: (&str, &str) = ("BETTER_AUTH_SECRET", "q7dK2mZx9vRw4tYb8nLc3hJf6gPs1aQe");

    /// An empty folder to run in.
    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().expect("a folder"))
        }

        fn path(&self) -> &Path {
            self.0.path()
        }

        fn run(&self, args: &[&str], vars: &[(&str, &str)]) -> Ran {
            let started = Instant::now();
            let mut command = Command::new(env!("CARGO_BIN_EXE_creatorvault"));
            // Tests run side by side: any free port will do, unless one is asked for.
            command
                .args(args)
                .env_clear()
                .envs(std::env::var_os("LLVM_PROFILE_FILE").map(|file| ("LLVM_PROFILE_FILE", file))) // a measured build writes there
                .env("PORT", "0")
                .envs(vars.iter().copied())
                .current_dir(self.path());
            let output = command.output().expect("the binary runs");
            Ran {
                code: output.status.code(),
                out: String::from_utf8(output.stdout).expect("UTF-8"),
                err: String::from_utf8(output.stderr).expect("UTF-8"),
                took: started.elapsed(),
            }
        }

        /// The findings; the exit code must fit them.
        fn doctor(&self, vars: &[(&str, &str)]) -> Findings {
            let ran = self.run(&["doctor", "--json"], vars);
            assert!(ran.err.is_empty() && ran.took < Duration::from_secs(8), "{ran:?}");
            let findings = Findings(serde_json::from_str(&ran.out).expect("JSON"));
            let problem = findings.0.iter().any(|finding| finding["status"] == "problem");
            assert_eq!(ran.code, Some(i32::from(problem)), "{ran:?}");
            findings
        }

        /// Every file below, with its size.
        fn files(&self) -> Vec<(String, u64)> {
            let mut found = Vec::new();
            let mut folders = vec![self.path().to_owned()];
            while let Some(folder) = folders.pop() {
                for entry in std::fs::read_dir(folder).expect("a folder") {
                    let entry = entry.expect("an entry");
                    let metadata = entry.metadata().expect("a file");
                    if metadata.is_dir() {
                        folders.push(entry.path());
                    }
                    found.push((entry.path().display().to_string(), metadata.len()));
                }
            }
            found.sort();
            found
        }
    }

    /// What a run left behind.
    #[derive(Debug)]
    struct Ran {
        code: Option<i32>,
        out: String,
        err: String,
        took: Duration,
    }

    /// What `--json` printed.
    #[derive(Debug)]
    struct Findings(Vec<Value>);

    impl Findings {
        /// The worst status of a check, and all its details and cures.
        fn of(&self, check: &str) -> (&str, String) {
            let found: Vec<_> = self.0.iter().filter(|finding| finding["check"] == check).collect();
            assert!(!found.is_empty(), "{check} is missing: {self:#?}");
            let statuses: Vec<_> =
                found.iter().map(|finding| finding["status"].as_str().expect("a status")).collect();
            let worst = ["problem", "warning", "ok"]
                .into_iter()
                .find(|status| statuses.contains(status))
                .expect("a status");
            let text = |finding: &&Value| format!("{} {}\n", finding["detail"], finding["cure"]);
            (worst, found.iter().map(text).collect())
        }

        #[track_caller]
        fn expect(&self, check: &str, status: &str, parts: &[&str]) {
            let (worst, text) = self.of(check);
            assert_eq!(worst, status, "{check}: {text}");
            for part in parts {
                assert!(text.contains(part), "{check} lacks {part:?}: {text}");
            }
        }
    }

    /// A port of this machine at which nobody listens.
    fn closed_port() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("an address").port()
    }
}
