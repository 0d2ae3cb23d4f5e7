//! Takes every row of the source over into the target's transaction.

use super::Failure;
use super::ends::Ends;
use super::progress::Progress;
use super::report;
use super::tables::{TABLES, Table};
use crate::db::Row;
use crate::db::bulk::{Datum, Load, Source, Target};

/// Rows that are named when they cannot be taken; the others are counted.
const NAMED: usize = 20;

/// Copies all tables. A row that PostgreSQL cannot hold ends it, after every such row has been found.
pub(super) async fn all(source: &Source, target: &Target, ends: &Ends) -> Result<(), Failure> {
    let mut misfits = Misfits::default();
    for table in &TABLES {
        one(table, source, target, ends, &mut misfits).await?;
    }
    misfits.refuse()?;
    // Fresh statistics, so that the first requests are planned well.
    for table in &TABLES {
        target.run(&format!("analyze @{}", table.name)).await.map_err(|error| ends.unwritten(error))?;
    }
    Ok(())
}

async fn one(
    table: &'static Table,
    source: &Source,
    target: &Target,
    ends: &Ends,
    misfits: &mut Misfits,
) -> Result<(), Failure> {
    let mut progress = Progress::begin("copying", table.name);
    let mut walk = source.walk(&table.select(), table.at_once).await.map_err(|error| ends.unread(error))?;
    // After a misfit the transaction is of no use; the rest is only looked at.
    let mut load = match misfits.count {
        0 => Some(begin(table, target, ends).await?),
        _ => None,
    };
    loop {
        let rows = walk.next().await.map_err(|error| ends.unread(error))?;
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            let data = misfits.check(table, row);
            load = load.filter(|_| data.is_some());
            if let (Some(load), Some(data)) = (&mut load, data) {
                load.put(&data).await.map_err(|error| ends.unwritten(error))?;
            }
        }
        progress.add(u64::try_from(rows.len()).unwrap_or(u64::MAX));
    }
    if let Some(load) = load {
        load.finish().await.map_err(|error| ends.unwritten(error))?;
        progress.end();
    }
    Ok(())
}

async fn begin(table: &Table, target: &Target, ends: &Ends) -> Result<Load, Failure> {
    target.load(table.name, &table.columns()).await.map_err(|error| ends.unwritten(error))
}

/// Rows that PostgreSQL cannot hold.
#[derive(Debug, Default)]
struct Misfits {
    count: u64,
    named: Vec<String>,
}

impl Misfits {
    /// The values of a row that fits.
    fn check(&mut self, table: &Table, row: &Row) -> Option<Vec<Datum>> {
        let found = match table.read(row) {
            Ok(data) => {
                let misfit = data.iter().zip(table.columns).find_map(|(datum, (column, _))| {
                    datum.unfit_for_postgres().map(|why| format!("{column} {why}"))
                });
                match misfit {
                    Some(why) => why,
                    None => return Some(data),
                }
            }
            Err(unread) => format!("{} does not read as {}", unread.column, unread.kind.name()),
        };
        self.count += 1;
        if self.named.len() < NAMED {
            self.named.push(format!("{}: {found}", table.place(row)));
        }
        None
    }

    fn refuse(self) -> Result<(), Failure> {
        let Self { count, named: mut lines } = self;
        if count == 0 {
            return Ok(());
        }
        let named = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        if count > named {
            lines.push(format!("… and {} more", count - named));
        }
        lines.push(format!(
            "nothing was copied, because PostgreSQL cannot hold {}: change that in the SQLite file, through the API or \
             with sqlite3, and run this again",
            report::rows(count)
        ));
        Err(Failure(lines))
    }
}
