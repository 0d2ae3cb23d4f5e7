use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::config::Secret;

fn read(vars: &[(&str, &str)], environment: Environment) -> (DatabaseConfig, String) {
    let mut reader = Reader::new(vars.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
    let config = DatabaseConfig::read(&mut reader, environment);
    // A reader shows what it was given, so its problems alone are looked at.
    let shown = format!("{reader:?}");
    let problems = shown[shown.rfind("problems:").unwrap()..].to_owned();
    (config, problems)
}

fn postgres(text: &str) -> PostgresUrl {
    match DatabaseUrl::parse(text, &mut Vec::new()).unwrap() {
        DatabaseUrl::Postgres(url) => *url,
        DatabaseUrl::Sqlite(path) => panic!("SQLite at {path:?}"),
    }
}

fn sqlite(text: &str) -> PathBuf {
    match DatabaseUrl::parse(text, &mut Vec::new()).unwrap() {
        DatabaseUrl::Sqlite(path) => path,
        DatabaseUrl::Postgres(url) => panic!("{url}"),
    }
}

#[test]
fn sqlite_paths_are_relative_and_absolute() {
    assert_eq!(sqlite("sqlite://data/x.db"), PathBuf::from("data/x.db"));
    assert_eq!(sqlite("sqlite:///srv/x.db"), PathBuf::from("/srv/x.db"));
    assert_eq!(sqlite("sqlite:////srv/x.db"), PathBuf::from("/srv/x.db"));
    assert_eq!(sqlite("sqlite+aiosqlite:///srv/a%20b.db"), PathBuf::from("/srv/a b.db"));
    for none in ["sqlite://", "sqlite:///", "sqlite://:memory:", "sqlite:///:memory:"] {
        assert!(
            DatabaseUrl::parse(none, &mut Vec::new()).unwrap_err().contains("must name a file"),
            "{none}"
        );
    }
}

#[test]
fn every_scheme_that_people_paste() {
    for scheme in
        ["postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2", "postgresql+asyncpg"]
    {
        let url = postgres(&format!("{scheme}://ann:p%40ss@db.example:5433/app"));
        assert_eq!(url.hosts, [(Host::Name("db.example".into()), 5433)]);
        assert_eq!(url.user.as_deref(), Some("ann"));
        assert_eq!(url.password, Some(Secret::new("p@ss")));
        assert_eq!(url.dbname.as_deref(), Some("app"));
        assert_eq!(url.ssl, SslMode::Prefer);
    }
    assert!(DatabaseUrl::parse("mysql://x", &mut Vec::new()).is_err());
    assert!(DatabaseUrl::parse("nothing", &mut Vec::new()).is_err());
}

#[test]
fn several_hosts_v6_and_sockets() {
    let url = postgres("postgresql://a,b:5433,[::1]:5434/x");
    assert_eq!(
        url.hosts,
        [(Host::Name("a".into()), 5432), (Host::Name("b".into()), 5433), (Host::Name("::1".into()), 5434)]
    );
    assert_eq!(
        postgres("postgresql:///x?host=/run/pg&port=6000").hosts,
        [(Host::Socket("/run/pg".into()), 6000)]
    );
    assert_eq!(postgres("postgresql://%2Frun%2Fpg/x").hosts, [(Host::Socket("/run/pg".into()), 5432)]);
    assert_eq!(postgres("postgresql://").hosts, [(Host::Name("localhost".into()), 5432)]);
    for bad in [
        "postgresql://h:0",
        "postgresql://h:x",
        "postgresql://[::1",
        "postgresql://h:99999",
        "postgresql://a b",
    ] {
        assert!(DatabaseUrl::parse(bad, &mut Vec::new()).is_err(), "{bad}");
    }
}

#[test]
fn passwords_with_raw_characters() {
    assert_eq!(postgres("postgresql://u:p@s/s#w@h/d").password, Some(Secret::new("p@s/s#w")));
    assert_eq!(postgres("postgresql://u:a:b@h/d").password, Some(Secret::new("a:b")));
    let text = DatabaseUrl::parse("postgresql://u:p?ss@h/d", &mut Vec::new()).unwrap_err();
    assert!(text.contains("%3F") && !text.contains("ss@"), "{text}");
}

#[test]
fn neons_own_string() {
    let mut warnings = Vec::new();
    let text = "postgresql://u:npg_x@ep-a-1-pooler.eu.aws.neon.tech/neondb?sslmode=require&channel_binding=require&x=1";
    let DatabaseUrl::Postgres(url) = DatabaseUrl::parse(text, &mut warnings).unwrap() else {
        panic!("not PostgreSQL")
    };
    assert_eq!((url.ssl, url.channel_binding), (SslMode::Require, ChannelBinding::Require));
    assert_eq!(warnings, ["has the key x, which is ignored"]);
    let (config, problems) = read(&[("NEON_DATABASE_URL", text)], Environment::Production);
    assert!(config.is_pooled());
    assert_eq!(config.warnings, ["NEON_DATABASE_URL has the key x, which is ignored"]);
    assert!(problems.contains("[]"), "{problems}");
}

#[test]
fn ssl_keys() {
    assert_eq!(postgres("postgresql://h?ssl=true").ssl, SslMode::Require);
    assert_eq!(postgres("postgresql://h?ssl=require").ssl, SslMode::Require);
    assert_eq!(postgres("postgresql://h?ssl=false").ssl, SslMode::Disable);
    assert_eq!(postgres("postgresql://h?ssl=true&sslmode=verify-full").ssl, SslMode::VerifyFull);
    assert_eq!(postgres("postgresql://h?sslrootcert=system").ssl, SslMode::VerifyFull);
    assert_eq!(
        postgres("postgresql://h?sslrootcert=/a/b.pem").root_cert,
        Some(RootCert::File("/a/b.pem".into()))
    );
    assert!(
        DatabaseUrl::parse("postgresql://h?sslmode=perhaps", &mut Vec::new())
            .unwrap_err()
            .contains("verify-ca")
    );
    assert!(
        DatabaseUrl::parse("postgresql://h?sslmode=disable&channel_binding=require", &mut Vec::new())
            .is_err()
    );
}

#[test]
fn poolers_are_recognised_and_overruled() {
    let pooled = |url: &str, prepared: &str| {
        let vars = [("DATABASE_URL", url), ("DATABASE_PREPARED", prepared)];
        read(&vars, Environment::Production).0.is_pooled()
    };
    assert!(!pooled("postgresql://h/d", "auto"));
    assert!(pooled("postgresql://h:6432/d", "auto"));
    assert!(pooled("postgresql://h:6543/d", ""));
    assert!(pooled("postgresql://ep-1-pooler.x.y/d", "auto"));
    assert!(pooled("postgresql://h/d?pgbouncer=true", "auto"));
    assert!(!pooled("postgresql://h:6432/d?pgbouncer=false", "auto"));
    assert!(!pooled("postgresql://h:6432/d", "on"));
    assert!(pooled("postgresql://h/d", "off"));
    assert!(!pooled("sqlite://x.db", "off"));
}

#[test]
fn the_url_wins_over_its_alias_and_production_has_no_default() {
    let vars = [("DATABASE_URL", "sqlite://a.db"), ("NEON_DATABASE_URL", "sqlite://b.db")];
    let (config, _) = read(&vars, Environment::Production);
    assert_eq!(config.url, DatabaseUrl::Sqlite("a.db".into()));
    let (config, problems) = read(&[], Environment::Development);
    assert_eq!(config.url, DatabaseUrl::Sqlite("data/creatorvault.db".into()));
    assert!(problems.contains("[]"), "{problems}");
    let (_, problems) = read(&[], Environment::Production);
    assert!(problems.contains("DATABASE_URL is not set") && problems.contains("postgresql://"), "{problems}");
}

#[test]
fn defaults_and_problems() {
    let (config, _) = read(&[], Environment::Development);
    assert_eq!((config.pool_size, config.pool_overflow), (20, 10));
    assert_eq!((config.acquire_timeout.as_secs(), config.statement_timeout.as_secs()), (5, 5));
    assert_eq!(config.schema, "public");
    assert!(config.auto_migrate);
    let vars = [
        ("DATABASE_URL", "postgresql://h:x/d"),
        ("DATABASE_DIRECT_URL", "sqlite://x.db"),
        ("DATABASE_SCHEMA", "Drop\"Table"),
        ("DATABASE_POOL_SIZE", "0"),
        ("DATABASE_POOL_OVERFLOW", "-1"),
        ("DATABASE_ACQUIRE_TIMEOUT", "0"),
        ("DATABASE_STATEMENT_TIMEOUT", "long"),
        ("DATABASE_PREPARED", "sometimes"),
        ("AUTO_MIGRATE", "perhaps"),
    ];
    let (_, problems) = read(&vars, Environment::Production);
    for (name, _) in vars {
        assert!(problems.contains(&format!("{name} must")), "{name}: {problems}");
    }
}

#[test]
fn schema_names() {
    for good in ["public", "creatorvault", "_a1", &"a".repeat(63)] {
        assert_eq!(schema(good).as_deref(), Ok(good));
    }
    for bad in ["", "1a", "A", "a-b", "a b", "é", "pg_x", "information_schema", &"a".repeat(64)] {
        assert!(schema(bad).is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn any_text_parses_or_is_refused(text in "(postgres(ql)?(\\+[a-z]{0,9})?|sqlite)?:?/{0,4}\\PC{0,60}") {
        let mut warnings = Vec::new();
        if let Ok(url) = DatabaseUrl::parse(&text, &mut warnings) {
            let _ = format!("{url} {url:?}");
        }
    }

    #[test]
    fn a_password_is_never_shown(
        secret in "[ -~é]{0,5}Zq9Xw7[ -~é]{0,5}",
        encoded in any::<bool>(),
        tail in "(h|h:54x|\\[::1|h:6432)?(/d)?(\\?[a-z=&]{0,20})?",
    ) {
        let written = if encoded {
            percent_encoding::utf8_percent_encode(&secret, percent_encoding::NON_ALPHANUMERIC).to_string()
        } else {
            secret
        };
        let text = format!("postgresql://user:{written}@{tail}");
        let mut warnings = Vec::new();
        let shown = match DatabaseUrl::parse(&text, &mut warnings) {
            Ok(url) => format!("{url} {url:?}"),
            Err(text) => text,
        };
        prop_assert!(!shown.contains("Zq9Xw7"), "{}", shown);
        prop_assert!(!warnings.concat().to_lowercase().contains("zq9xw7"), "{:?}", warnings);
        let (config, problems) = read(&[("DATABASE_URL", &text)], Environment::Production);
        let shown = format!("{config:?} {problems}");
        prop_assert!(!shown.contains("Zq9Xw7"), "{}", shown);
    }
}

#[test]
fn row_level_security_is_refused_where_there_is_none() {
    let read = |url: &str| {
        let vars = [("DATABASE_URL", url), ("DATABASE_RLS", "on")];
        crate::config::Config::from_vars(vars.map(|(name, value)| (name.to_owned(), value.to_owned())))
    };
    assert!(read("postgresql://ann@h/db").unwrap().0.database.rls);
    let problems = read("sqlite://data/x.db").unwrap_err();
    assert!(
        problems.len() == 1 && problems[0].starts_with("DATABASE_RLS must not be on with SQLite"),
        "{problems:?}"
    );
}

/// One part of a URL, every sign of it encoded.
fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

proptest! {
    #[test]
    fn what_is_written_is_read_and_read_as_the_driver_reads_it(
        user in "[^\0]{1,12}",
        password in "[^\0]{1,12}",
        dbname in "[^\0]{1,12}",
        application in "[^\0]{1,12}",
        hosts in prop::collection::vec(("[a-z][a-z0-9.-]{0,12}|10\\.0\\.0\\.[1-9]", prop::option::of(1_u16..)), 1..4),
        seconds in 1_u32..1000,
    ) {
        let places: Vec<_> = hosts.iter().map(|(host, port)| match port {
            Some(port) => format!("{host}:{port}"),
            None => host.clone(),
        }).collect();
        let (role, secret, name, told) = (encode(&user), encode(&password), encode(&dbname), encode(&application));
        let text = format!(
            "postgresql://{role}:{secret}@{}/{name}?application_name={told}&connect_timeout={seconds}&sslmode=require",
            places.join(","),
        );
        let url = postgres(&text);
        let meant: Vec<_> = hosts.into_iter().map(|(host, port)| (Host::Name(host), port.unwrap_or(5432))).collect();
        prop_assert_eq!(&url.hosts, &meant);
        prop_assert_eq!(url.password.as_ref().map(Secret::expose), Some(password.as_str()));
        let driver: tokio_postgres::Config = text.parse().unwrap();
        prop_assert_eq!((url.user.as_deref(), Some(user.as_str())), (driver.get_user(), driver.get_user()));
        prop_assert_eq!((url.dbname.as_deref(), Some(dbname.as_str())), (driver.get_dbname(), driver.get_dbname()));
        prop_assert_eq!(url.application_name.as_deref(), driver.get_application_name());
        prop_assert_eq!(url.connect_timeout.as_ref(), driver.get_connect_timeout());
        prop_assert_eq!(Some(password.as_bytes()), driver.get_password());
        let ports: Vec<_> = meant.iter().map(|(_, port)| *port).collect();
        prop_assert_eq!(ports, driver.get_ports());
    }

    #[test]
    fn a_sqlite_path_is_read_as_it_was(path in "[^\0/]{1,20}(/[^\0/]{1,9}){0,2}", absolute: bool) {
        prop_assume!(!path.ends_with(":memory:"));
        let path = if absolute { format!("/{path}") } else { path };
        let text = format!("sqlite://{}", encode(&path));
        prop_assert_eq!(DatabaseUrl::parse(&text, &mut Vec::new()), Ok(DatabaseUrl::Sqlite(PathBuf::from(path))));
    }
}
