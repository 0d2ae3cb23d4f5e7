//! TLS to PostgreSQL as the URL asks for it, against a real server with certificates made for the test.

use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{Authority, Engine, Server, Signs, World};

/// The first eight bytes of a client that wants TLS (PostgreSQL's protocol 3.0, "Message Formats").
const TLS_WANTED: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// A command of the program with this URL and nothing else; whether it went well, and all it has said.
fn command(url: &str, args: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_creatorvault"))
        .args(args)
        .env_clear()
        .envs(std::env::var_os("LLVM_PROFILE_FILE").map(|file| ("LLVM_PROFILE_FILE", file)))
        .env("DATABASE_URL", url)
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

fn accepted(url: &str) {
    let (well, said) = command(url, &["migrate", "up"]);
    assert!(well, "{url}: {said}");
}

/// Refused, with these words in what is said.
fn refused(url: &str, words: &str) {
    let (well, said) = command(url, &["migrate", "up"]);
    assert!(!well && said.contains(words), "{url} is not refused with {words:?}: {said}");
}

fn url(login: &str, host: &str, server: &Server, keys: &str) -> String {
    format!("postgresql://{login}@{host}:{}/postgres?{keys}", server.port)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_modes_of_tls_postgres() {
    let (server, ours, theirs) =
        (Server::start(), Authority::new(Signs::EcdsaSha256), Authority::new(Signs::EcdsaSha256));
    let at = |host: &str, mode: &str, root: Option<&Authority>| {
        let root = root.map(|authority| format!("&sslrootcert={}", authority.root().display()));
        url("creatorvault", host, &server, &format!("sslmode={mode}{}", root.unwrap_or_default()))
    };
    // A server that has no TLS.
    for mode in ["disable", "allow", "prefer"] {
        accepted(&at("localhost", mode, None));
    }
    for mode in ["require", "verify-full"] {
        refused(&at("localhost", mode, Some(&ours)), "server does not support TLS");
    }

    ours.secure(&server, "localhost", 30).await;
    for mode in ["disable", "allow", "prefer", "require"] {
        accepted(&at("localhost", mode, None));
    }
    for mode in ["require", "verify-ca", "verify-full"] {
        accepted(&at("localhost", mode, Some(&ours)));
        refused(&at("localhost", mode, Some(&theirs)), "invalid peer certificate");
    }
    // The name is looked at by verify-full alone.
    for mode in ["require", "verify-ca"] {
        accepted(&at("127.0.0.1", mode, Some(&ours)));
    }
    refused(&at("127.0.0.1", "verify-full", Some(&ours)), "not valid for name");
    let (_, said) = command(&at("127.0.0.1", "verify-full", Some(&ours)), &["doctor"]);
    assert!(said.contains("not valid for name") && said.contains("sslrootcert"), "{said}");
    // Nobody in the system's store has signed it.
    for mode in ["verify-ca", "verify-full"] {
        let (well, said) = command(&at("localhost", mode, None), &["migrate", "up"]);
        let clear = said.contains("invalid peer certificate") || said.contains("no root certificates");
        assert!(!well && clear, "{said}");
    }

    ours.secure(&server, "127.0.0.1", 30).await;
    accepted(&at("127.0.0.1", "verify-full", Some(&ours)));
    ours.secure(&server, "localhost", -1).await;
    for mode in ["verify-ca", "verify-full"] {
        refused(&at("localhost", mode, Some(&ours)), "invalid peer certificate: Expired");
    }
    accepted(&at("localhost", "require", None));
    // Where nothing is verified, the form does not matter either.
    ours.secure_as_of_old(&server).await;
    for mode in ["prefer", "require"] {
        accepted(&at("localhost", mode, None));
    }
    for mode in ["verify-ca", "verify-full"] {
        refused(&at("localhost", mode, Some(&ours)), "UnsupportedCertVersion");
    }
    ours.secure(&server, "localhost", 30).await;

    server.admit("hostssl all all 127.0.0.1/32 trust").await;
    for mode in ["allow", "prefer", "require"] {
        accepted(&at("127.0.0.1", mode, None));
    }
    refused(&at("127.0.0.1", "disable", None), "no encryption");
    server.admit("hostnossl all all 127.0.0.1/32 trust").await;
    accepted(&at("127.0.0.1", "disable", None));
    refused(&at("127.0.0.1", "require", None), "SSL encryption");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channel_binding_is_kept_to_postgres() {
    let server = Server::start();
    server
        .run(
            "set password_encryption = 'scram-sha-256'; create role ann login superuser password 'of ann'; \
             set password_encryption = 'md5'; create role old login superuser password 'of old'",
        )
        .await;
    let at = |login: &str, keys: &str| url(login, "localhost", &server, keys);
    let (ann, old) = ("ann:of%20ann", "old:of%20old");
    let not_bound = "did not use channel binding";

    // Without TLS there is nothing to bind to.
    server.admit("host all all all scram-sha-256").await;
    accepted(&at(ann, "channel_binding=prefer"));
    refused(&at(ann, "channel_binding=require"), not_bound);
    refused(&at(ann, "sslmode=disable&channel_binding=require"), "needs TLS");

    for (signs, bound) in [
        (Signs::EcdsaSha256, true),
        (Signs::EcdsaSha384, true),
        (Signs::RsaSha512, true),
        // RFC 5929 names no hash for Ed25519, and the other two are not known to be used with PostgreSQL.
        (Signs::EcdsaSha512, false),
        (Signs::RsaPss, false),
        (Signs::Ed25519, false),
    ] {
        let authority = Authority::new(signs);
        authority.secure(&server, "localhost", 30).await;
        let keys = format!("sslmode=verify-full&sslrootcert={}", authority.root().display());
        let require = at(ann, &format!("{keys}&channel_binding=require"));
        if bound {
            accepted(&require);
        } else {
            refused(&require, not_bound);
        }
        for binding in ["prefer", "disable"] {
            accepted(&at(ann, &format!("{keys}&channel_binding={binding}")));
        }
        refused(&at("ann:wrong", &keys), "28P01");
    }

    // A server that asks for no password, or for one in another way, proves nothing of itself.
    Authority::new(Signs::EcdsaSha256).secure(&server, "localhost", 30).await;
    let both = |login: &str| {
        [
            at(login, "sslmode=require&channel_binding=require"),
            at(login, "sslmode=require&channel_binding=prefer"),
        ]
    };
    for method in ["trust", "password"] {
        server.admit(&format!("hostssl all all all {method}")).await;
        let [require, prefer] = both(ann);
        refused(&require, not_bound);
        accepted(&prefer);
    }
    server.admit("hostssl all all all md5").await;
    let [require, prefer] = both(old);
    refused(&require, not_bound);
    accepted(&prefer);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_are_cancelled_over_tls_postgres() {
    let (server, authority) = (Server::start(), Authority::new(Signs::EcdsaSha384));
    server.run("create role ann login superuser password 'of ann'").await;
    authority.secure(&server, "localhost", 30).await;
    server.admit("hostssl all all all scram-sha-256").await;
    // Everybody's first bytes are listened to.
    let (heard, listener) =
        (Arc::new(Mutex::new(Vec::new())), TcpListener::bind("127.0.0.1:0").await.expect("a free port"));
    let (ears, port, to) = (heard.clone(), listener.local_addr().expect("it is bound").port(), server.port);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let ears = ears.clone();
            tokio::spawn(async move {
                let mut first = [0; 8];
                client.read_exact(&mut first).await?;
                ears.lock().expect("nobody panics with it").push(first);
                let mut server = TcpStream::connect(("127.0.0.1", to)).await?;
                server.write_all(&first).await?;
                copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    let root = authority.root();
    let url = format!(
        "postgresql://ann:of%20ann@localhost:{port}/postgres?sslmode=verify-full&channel_binding=require&sslrootcert={}",
        root.display()
    );
    let vars = [
        ("DATABASE_URL", url.as_str()),
        ("DATABASE_DIRECT_URL", url.as_str()),
        ("DATABASE_PREPARED", "on"),
        ("DATABASE_SCHEMA", "public"),
        ("DATABASE_STATEMENT_TIMEOUT", "60s"),
        ("DATABASE_ACQUIRE_TIMEOUT", "60s"),
        ("REQUEST_TIMEOUT", "3s"),
    ];
    let world = World::open(Engine::Postgres, &vars).await;
    let ann = world.user("ann");
    let task = ann.tasks().create(json!({"title": "Behind TLS"})).await.is(201);
    assert_eq!(ann.tasks().read(&task["id"]).await.is(200), task);
    let waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'";
    let before = heard.lock().expect("nobody panics with it").len();
    let client = server.client().await;
    client.batch_execute("begin; update public.tasks set version = version").await.expect("a lock");
    let tasks = ann.tasks();
    let stuck = tasks.patch(&task["id"], json!({"title": "Stuck"})).await;
    assert_eq!(stuck.status, 503, "{}", stuck.text());
    // Only the cancel request can have ended it.
    let begun = Instant::now();
    while server.number(waiting).await > 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "the statement still waits");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let heard = heard.lock().expect("nobody panics with it").clone();
    assert!(heard.len() > before, "a cancel request is a connection of its own");
    assert!(heard.iter().all(|first| *first == TLS_WANTED), "{heard:?}");
}
