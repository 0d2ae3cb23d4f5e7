//! The database through its public face, without a user: opening, a sign of life, migrations, the end.

mod db {
    mod life;
    mod migrations;

    use std::time::{Duration, Instant};

    use creatorvault::config::database::DatabaseConfig;
    use creatorvault::config::{Environment, Reader};

    fn settings(vars: &[(&str, &str)]) -> DatabaseConfig {
        let mut reader =
            Reader::new(vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        DatabaseConfig::read(&mut reader, Environment::Development)
    }

    fn postgres() -> String {
        std::env::var("TEST_POSTGRES_URL").expect(
            "set TEST_POSTGRES_URL to a PostgreSQL server on which tests may make schemas, postgresql://…",
        )
    }

    fn sqlite(folder: &tempfile::TempDir) -> DatabaseConfig {
        settings(&[("DATABASE_URL", &format!("sqlite://{}/data/test.db", folder.path().display()))])
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }
}
