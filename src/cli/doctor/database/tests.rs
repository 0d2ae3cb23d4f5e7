use super::*;
use crate::cli::doctor::finding::Status;
use crate::config::Config;
use crate::db::inspect::Rights;

fn config(url: &str) -> DatabaseConfig {
    Config::from_vars([("DATABASE_URL".to_owned(), url.to_owned())]).unwrap().0.database
}

fn url(config: &DatabaseConfig) -> &PostgresUrl {
    let DatabaseUrl::Postgres(url) = &config.url else { panic!("no PostgreSQL") };
    url
}

/// A server with which nothing is wrong.
fn look() -> PostgresLook {
    PostgresLook {
        version: "18.1".to_owned(),
        connecting: Duration::from_millis(12),
        round_trip: Duration::from_micros(340),
        encoding: "UTF8".to_owned(),
        ctype: "C.UTF-8".to_owned(),
        own_classes: false,
        statement_timeout: Duration::from_secs(5),
        timeout_source: "client".to_owned(),
        read_only: false,
        schema: Rights { there: true, create: true },
        finds_words: true,
        trigrams: Some("public".to_owned()),
        refuses_options: false,
        shadows: false,
        citus: None,
    }
}

#[test]
fn a_good_server_is_told_with_its_version_and_latency_without_its_login() {
    let config = config("postgresql://canary:canary@db.test:5433/vault");
    let found = postgres(&config, url(&config), &look());
    assert!(found.iter().all(|finding| finding.status == Status::Ok), "{found:?}");
    let detail = &found[0].detail;
    assert!(detail.starts_with("PostgreSQL at db.test:5433, database vault, server 18.1"), "{detail}");
    assert!(detail.contains("12 ms") && detail.contains("0.3 ms") && !detail.contains("canary"), "{detail}");
}

#[test]
fn what_is_not_fit_is_told() {
    let config = config("postgresql://ann@h/db");
    let of = |look: &PostgresLook, check: &str| {
        let found = postgres(&config, url(&config), look);
        found.into_iter().find(|finding| finding.check == check).unwrap().status
    };
    assert_eq!(of(&PostgresLook { read_only: true, ..look() }, "database"), Status::Problem);
    let far = PostgresLook { round_trip: Duration::from_millis(80), ..look() };
    assert_eq!(of(&far, "database"), Status::Warning);
    assert_eq!(of(&PostgresLook { encoding: "SQL_ASCII".to_owned(), ..look() }, "encoding"), Status::Problem);
    for ctype in ["C", "POSIX"] {
        let look = PostgresLook { ctype: ctype.to_owned(), ..look() };
        assert_eq!(of(&look, "lc_ctype"), Status::Warning);
        assert_eq!(of(&PostgresLook { own_classes: true, ..look }, "lc_ctype"), Status::Ok);
    }
}

#[test]
fn a_pooler_is_known_by_the_settings_or_by_what_does_not_arrive() {
    let direct = config("postgresql://ann@h/db");
    let lost =
        PostgresLook { statement_timeout: Duration::ZERO, timeout_source: "default".to_owned(), ..look() };
    assert_eq!(pooler(&direct, &lost).status, Status::Problem);
    assert_eq!(pooler(&direct, &PostgresLook { refuses_options: true, ..look() }).status, Status::Problem);
    let pooled = config("postgresql://ann@x-pooler.example.com/db");
    let role = PostgresLook {
        statement_timeout: Duration::from_millis(7_000),
        timeout_source: "user".to_owned(),
        ..look()
    };
    let found = pooler(&pooled, &role);
    assert_eq!(found.status, Status::Ok);
    assert!(found.detail.contains("7000 ms (set by: user)"), "{found:?}");
}

#[test]
fn a_role_that_is_called_like_the_schema_is_told() {
    let config = config("postgresql://ann@h/db");
    let found = postgres(&config, url(&config), &PostgresLook { shadows: true, ..look() });
    let schema = found.iter().find(|finding| finding.check == "schema").unwrap();
    assert_eq!(schema.status, Status::Warning);
    assert!(postgres(&config, url(&config), &look()).iter().all(|finding| finding.check != "schema"));
}

#[test]
fn a_refused_login_is_told_without_the_role() {
    let config = config("postgresql://canary@h/db");
    for text in [
        "connecting failed: SQLSTATE 28P01: password authentication failed for user \"canary\"",
        "connecting failed: SQLSTATE 28000: no pg_hba.conf entry for host \"::1\", user \"canary\"",
        "connecting failed: SQLSTATE 42501: \"canary\" may not",
    ] {
        let reason = reason(url(&config), &DbError::Unavailable(text.to_owned()));
        assert!(reason.starts_with("connecting failed: SQLSTATE ") && !reason.contains("canary"), "{reason}");
    }
}

#[test]
fn every_reason_has_its_cure() {
    for (reason, part) in [
        ("SQLSTATE 28P01", "user and password"),
        ("SQLSTATE 3D000: database \"x\" does not exist", "createdb"),
        ("SQLSTATE 53300: too many clients", "DATABASE_POOL_SIZE"),
        ("SQLSTATE 08P01: unsupported startup parameter", "DATABASE_PREPARED=off"),
        ("error connecting to server: Connection refused (os error 111)", "start PostgreSQL"),
        ("error performing TLS handshake: server does not support TLS", "sslmode"),
        ("failed to lookup address information: Name or service not known", "host's name"),
        ("something else", "host, port and keys"),
    ] {
        assert!(cure(reason).contains(part), "{reason}: {}", cure(reason));
    }
}

#[test]
fn times_and_sizes_are_for_people() {
    let times = [0, 340, 9_999, 10_000, 5_000_000].map(|micros| millis(Duration::from_micros(micros)));
    assert_eq!(times, ["0.0 ms", "0.3 ms", "9.9 ms", "10 ms", "5000 ms"]);
    assert_eq!([1, 2_000_000, 3_000_000_000].map(size), ["1 KiB", "1 MiB", "2 GiB"]);
}
