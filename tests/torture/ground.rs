//! Where trials take place: a folder, the databases that are started once for all, a seed and a time.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::dice::Dice;
use crate::options::Options;
use crate::postgres::{Pooler, Postgres};

/// The databases, each started when the first trial asks for it.
#[derive(Debug, Default)]
struct Databases {
    postgres: Option<Arc<Postgres>>,
    pooler: Option<Arc<Pooler>>,
}

/// The ground of one trial.
#[derive(Debug, Clone)]
pub(crate) struct Ground {
    name: &'static str,
    folder: Arc<PathBuf>,
    databases: Arc<Mutex<Databases>>,
    seed: u64,
    /// How long the trial should take, about.
    pub(crate) seconds: u32,
    until: Instant,
}

impl Ground {
    pub(crate) fn open(options: &Options) -> Self {
        let folder = std::env::var_os("TORTURE_FOLDER").map(PathBuf::from);
        let folder = folder.expect("TORTURE_FOLDER is set by scripts/torture");
        Self {
            name: "",
            folder: Arc::new(folder),
            databases: Arc::default(),
            seed: options.seed,
            seconds: options.seconds,
            until: Instant::now(),
        }
    }

    /// The ground of one trial, whose time begins now. Its dice do not depend on which trials went before.
    pub(crate) fn part(&self, name: &'static str, seconds: u32) -> Self {
        let seconds = seconds.max(1);
        let until = Instant::now() + Duration::from_secs(u64::from(seconds));
        Self { name, seconds, until, ..self.clone() }
    }

    /// A stretch of this trial: so many hundredths of its time, from now.
    pub(crate) fn stretch(&self, hundredths: u32) -> Self {
        let time = Duration::from_secs(u64::from(self.seconds)) * hundredths / 100;
        Self { until: Instant::now() + time, ..self.clone() }
    }

    pub(crate) fn has_time(&self) -> bool {
        Instant::now() < self.until
    }

    pub(crate) fn dice(&self, purpose: &str) -> Dice {
        let text = format!("{}/{purpose}", self.name);
        let mixed =
            text.bytes().fold(self.seed, |sum, byte| sum.wrapping_mul(0x100_0000_01b3) ^ u64::from(byte));
        Dice::of(mixed)
    }

    /// A new, empty folder.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let folder = self.folder.join(format!("{}-{name}", self.name));
        std::fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        folder
    }

    /// PostgreSQL, with fsync on.
    pub(crate) async fn postgres(&self) -> Arc<Postgres> {
        let known = self.databases.lock().expect("no holder panics").postgres.clone();
        match known {
            Some(postgres) => postgres,
            None => {
                let postgres = Arc::new(Postgres::start(&self.folder.join("postgres")).await);
                self.databases.lock().expect("no holder panics").postgres = Some(Arc::clone(&postgres));
                postgres
            }
        }
    }

    /// PgBouncer before it, in transaction mode with two server connections.
    pub(crate) async fn pooler(&self) -> Arc<Pooler> {
        let postgres = self.postgres().await;
        let known = self.databases.lock().expect("no holder panics").pooler.clone();
        match known {
            Some(pooler) => pooler,
            None => {
                let pooler = Arc::new(Pooler::start(&self.folder.join("pooler"), &postgres));
                self.databases.lock().expect("no holder panics").pooler = Some(Arc::clone(&pooler));
                pooler
            }
        }
    }
}
