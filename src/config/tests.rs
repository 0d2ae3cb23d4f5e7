use std::time::Duration;

use super::*;

/// Of the form that real secrets have.
const SECRET: &str = "q7dK2mZx9vRw4tYb8nLc3hJf6gPs1aQe";

fn read(vars: &[(&str, &str)]) -> Loaded {
    Config::from_vars(vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

fn config(vars: &[(&str, &str)]) -> Config {
    read(vars).unwrap().0
}

fn problems(vars: &[(&str, &str)]) -> Vec<String> {
    read(vars).unwrap_err()
}

#[test]
fn nothing_set_is_dev_mode_on_this_machine() {
    let (config, warnings) = read(&[]).unwrap();
    assert_eq!(warnings, [""; 0]);
    assert_eq!(config.environment, Environment::Development);
    assert!(config.auth.dev_mode() && config.http.is_loopback());
    assert_eq!(config.http.port, 8000);
    assert!(
        matches!(&config.database.url, DatabaseUrl::Sqlite(file) if file.ends_with("data/creatorvault.db"))
    );
    assert_eq!(config.data_dir(), Path::new("data"));
    assert_eq!((config.database.pool_size, config.database.pool_overflow), (20, 10));
    assert!(config.database.auto_migrate);
    assert_eq!(config.limits.request_timeout, Duration::from_secs(30));
    assert_eq!(config.limits.body, 1 << 20);
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let config =
        config(&[("PORT", ""), ("BETTER_AUTH_SECRET", ""), ("ENVIRONMENT", " "), ("DATABASE_URL", "")]);
    assert_eq!(config.http.port, 8000);
    assert!(config.auth.dev_mode());
}

#[test]
fn without_environment_only_debug_off_means_production() {
    let of = |vars: &[(&str, &str)]| {
        let mut all = vec![("BETTER_AUTH_SECRET", SECRET), ("DATABASE_URL", "sqlite:///srv/x.db")];
        all.extend(vars);
        config(&all).environment
    };
    assert_eq!(of(&[]), Environment::Development);
    assert_eq!(of(&[("DEBUG", "true")]), Environment::Development);
    assert_eq!(of(&[("DEBUG", "False")]), Environment::Production);
    assert_eq!(of(&[("DEBUG", "false"), ("ENVIRONMENT", "development")]), Environment::Development);
    assert_eq!(of(&[("ENVIRONMENT", "Production")]), Environment::Production);
}

#[test]
fn production_has_no_dev_mode_no_default_database_and_no_debug() {
    let found = problems(&[("ENVIRONMENT", "production"), ("DEBUG", "true")]);
    assert_eq!(found.len(), 3, "{found:?}");
    for start in ["DATABASE_URL is not set", "BETTER_AUTH_URL names no key source", "DEBUG must not be true"]
    {
        assert!(found.iter().any(|line| line.starts_with(start)), "{start}: {found:?}");
    }
}

#[test]
fn dev_mode_stays_on_this_machine() {
    let found = problems(&[("HOST", "0.0.0.0")]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("HOST ") && found[0].contains("set BETTER_AUTH_URL"), "{found:?}");
    assert!(read(&[("HOST", "127.0.0.1,::1,localhost")]).is_ok());
    assert!(read(&[("HOST", "0.0.0.0"), ("BETTER_AUTH_SECRET", SECRET)]).is_ok());
    // One line about the secret is enough: the host is fine once it is right.
    let found = problems(&[("HOST", "0.0.0.0"), ("BETTER_AUTH_SECRET", "short")]);
    assert!(found.iter().all(|line| line.starts_with("BETTER_AUTH_SECRET ")), "{found:?}");
}

#[test]
fn every_problem_is_told_at_once_and_names_its_variable() {
    let wrong = [
        ("ALLOWED_ORIGINS", "*"),
        ("AUTO_MIGRATE", "perhaps"),
        ("BETTER_AUTH_SECRET", "changethis"),
        ("BETTER_AUTH_URL", "front-end"),
        ("BODY_LIMIT", "1 cow"),
        ("DATABASE_ACQUIRE_TIMEOUT", "5 apples"),
        ("DATABASE_POOL_OVERFLOW", "-1"),
        ("DATABASE_POOL_SIZE", "0"),
        ("DATABASE_PREPARED", "never"),
        ("DATABASE_SCHEMA", "a;b"),
        ("DATABASE_STATEMENT_TIMEOUT", "soon"),
        ("DATABASE_URL", "mysql://localhost/x"),
        ("DEBUG", "maybe"),
        ("ENVIRONMENT", "staging"),
        ("HOST", "http://localhost"),
        ("JWT_ALGORITHM", "none"),
        ("JWT_PUBLIC_KEY", "-----BEGIN NOTHING-----"),
        ("LOG_FORMAT", "xml"),
        ("LOG_LEVEL", "loud"),
        ("PORT", "65536"),
        ("REQUEST_TIMEOUT", "0"),
        ("SHUTDOWN_DELAY", "1w"),
        ("SHUTDOWN_GRACE", "-1"),
        ("USER_ID_CLAIMS", "email"),
        ("WORKERS", "0"),
    ];
    let found = problems(&wrong);
    for (name, _) in wrong {
        assert!(found.iter().any(|line| line.starts_with(&format!("{name} "))), "{name}: {found:#?}");
    }
    let mut once = found.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), found.len(), "said twice: {found:#?}");
    assert!(found.iter().all(|line| !line.contains('\n')), "{found:#?}");
}

#[test]
fn slips_and_odd_url_keys_warn_and_do_not_stop() {
    let (_, warnings) = read(&[
        ("ALLOWED_ORIGIN", "https://app.example.com"),
        ("DATABASE_URL", "postgresql://u:p@localhost/x?flavour=sweet"),
        ("PATH", "/bin"),
    ])
    .unwrap();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].ends_with("did you mean ALLOWED_ORIGINS?"), "{warnings:?}");
    assert!(warnings[1].starts_with("DATABASE_URL ") && warnings[1].contains("flavour"), "{warnings:?}");
}

#[test]
fn no_secret_is_shown_by_debug() {
    let config = config(&[
        ("BETTER_AUTH_SECRET", "canary1-q7dK2mZx9vRw4tYb8nLc3hJf6gPs1aQe"),
        ("DATABASE_URL", "postgresql://user:canary2@localhost/db"),
        ("DATABASE_DIRECT_URL", "postgresql://user:canary3@localhost:5433/db"),
        ("REDIS_URL", "redis://:canary4@localhost"),
    ]);
    let shown = format!("{config:?} {config:#?}");
    assert!(!shown.contains("canary"), "{shown}");
    assert!(shown.contains("localhost"), "what is no secret may be seen");
}

#[test]
fn no_secret_is_shown_by_a_problem_or_a_warning() {
    let secrets = [
        ("BETTER_AUTH_SECRET", "canary1"),
        ("JWT_PUBLIC_KEY", "-----BEGIN PRIVATE KEY-----\ncanary2\n-----END PRIVATE KEY-----"),
        ("DATABASE_URL", "postgresql://user:canary3@local host/db?x"),
        ("NEON_DATABASE_URL", "postgresql://user:canary4@localhost/db?flavour=canary4"),
        ("DATABASE_DIRECT_URL", "mysql://user:canary5@localhost/db"),
        ("REDIS_URL", "redis://:canary6@localhost"),
        ("BETTER_AUTH_URL", "https://user:canary7@auth.example.com"),
        ("BETTER_AUTH_SECRTE", "canary8"),
    ];
    for (name, value) in secrets {
        let said = match read(&[(name, value)]) {
            Ok((_, warnings)) => warnings,
            Err(problems) => problems,
        };
        assert!(!said.concat().contains("canary"), "{name}: {said:?}");
    }
    assert!(!problems(&secrets).concat().contains("canary"), "{:?}", problems(&secrets));
    let reader = Reader::new(secrets.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert!(!format!("{reader:?}").contains("canary"));
}

#[test]
fn dev_mode_keeps_its_secret_beside_the_embedded_database() {
    let of = |url| config(&[("DATABASE_URL", url)]).data_dir().to_owned();
    assert_eq!(of("sqlite:///srv/vault/rows.db"), Path::new("/srv/vault"));
    assert_eq!(of("sqlite://rows.db"), Path::new("data"));
    assert_eq!(of("postgresql://u:p@localhost/db"), Path::new("data"));
}
