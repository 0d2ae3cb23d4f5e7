//! Reads both sides user by user, in one order, and compares what they come to: memory does not grow with them.

use std::cmp::Ordering;

use super::Failure;
use super::ends::Ends;
use super::progress::Progress;
use super::sum::Sum;
use super::tables::{TABLES, Table};
use super::users::{Line, Users};
use crate::db::bulk::{Datum, Source, Walk};
use crate::db::{DbError, Row};

/// Differences that are named; the others are counted.
const NAMED: usize = 20;

/// What both sides hold.
#[derive(Debug)]
pub(super) struct Comparison {
    /// The tables with their rows in the source and in the target.
    pub(super) tables: Vec<(&'static str, u64, u64)>,
    /// Users of the source.
    pub(super) users: u64,
    /// Over every table and user of the source.
    pub(super) checksum: String,
    /// The first differences.
    pub(super) named: Vec<Difference>,
    /// All of them.
    pub(super) differing: u64,
}

/// A user's rows of one table that are not the same.
#[derive(Debug)]
pub(super) struct Difference {
    pub(super) user: String,
    pub(super) table: &'static str,
    pub(super) in_source: u64,
    pub(super) in_target: u64,
}

impl Comparison {
    pub(super) fn is_same(&self) -> bool {
        self.differing == 0
    }
}

/// Compares all tables; what each user of the source comes to goes into the list too.
pub(super) async fn compare(
    source: &Source,
    target: &Source,
    ends: &Ends,
    mut users: Option<Users>,
) -> Result<Comparison, Failure> {
    let mut comparison =
        Comparison { tables: Vec::new(), users: 0, checksum: String::new(), named: Vec::new(), differing: 0 };
    let mut sum = Sum::new();
    for table in &TABLES {
        let mut progress = Progress::begin("comparing", table.name);
        let (mut in_source, mut in_target) = (0, 0);
        let mut pairs = Pairs::begin(table, source, target, ends).await?;
        while let Some((user, pair)) = pairs.next().await? {
            if let Some(from) = &pair.source {
                comparison.users += u64::from(table.name == "users");
                if let Some(users) = &mut users {
                    let Total { rows, hex } = from;
                    users.add(&Line { user: &user, table: table.name, rows: *rows, sha256: hex })?;
                }
                sum.line(&format!("{}\t{user}\t{}\t{}", table.name, from.rows, from.hex));
            }
            let rows = |side: &Option<Total>| side.as_ref().map_or(0, |total| total.rows);
            let (from, to) = (rows(&pair.source), rows(&pair.target));
            if pair.source != pair.target {
                comparison.differ(Difference { user, table: table.name, in_source: from, in_target: to });
            }
            in_source += from;
            in_target += to;
            progress.add(from.max(to));
        }
        comparison.tables.push((table.name, in_source, in_target));
        progress.end();
    }
    users.map_or(Ok(()), Users::end)?;
    comparison.checksum = sum.hex();
    Ok(comparison)
}

impl Comparison {
    fn differ(&mut self, difference: Difference) {
        self.differing += 1;
        if self.named.len() < NAMED {
            self.named.push(difference);
        }
    }
}

/// What a user's rows of one table come to.
#[derive(Debug, PartialEq, Eq)]
struct Total {
    rows: u64,
    hex: String,
}

/// A user and what the rows come to.
type UserTotal = (String, Total);

/// A user's rows on both sides; one of them may have none.
struct Pair {
    source: Option<Total>,
    target: Option<Total>,
}

/// The users of both sides in their order, each once.
struct Pairs<'a> {
    ends: &'a Ends,
    source: Side<'a>,
    target: Side<'a>,
    /// What was read of each side and not handed out.
    ahead: (Option<UserTotal>, Option<UserTotal>),
}

impl<'a> Pairs<'a> {
    async fn begin(
        table: &'static Table,
        source: &'a Source,
        target: &'a Source,
        ends: &'a Ends,
    ) -> Result<Self, Failure> {
        let source = Side::begin(table, source).await.map_err(|error| ends.unread(error))?;
        let target = Side::begin(table, target).await.map_err(|error| ends.unreadable(error))?;
        Ok(Self { ends, source, target, ahead: (None, None) })
    }

    async fn next(&mut self) -> Result<Option<(String, Pair)>, Failure> {
        let (source, target) = &mut self.ahead;
        // At once, because both are slow in their own ways.
        let (from, to) = tokio::join!(
            async { if source.is_none() { self.source.next().await } else { Ok(source.take()) } },
            async { if target.is_none() { self.target.next().await } else { Ok(target.take()) } },
        );
        let from = from.map_err(|error| self.ends.unread(error))?;
        let to = to.map_err(|error| self.ends.unreadable(error))?;
        let first = match (&from, &to) {
            (None, None) => return Ok(None),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((source, _)), Some((target, _))) => source.cmp(target),
        };
        let (from, to) = match first {
            Ordering::Equal => (from, to),
            Ordering::Less => {
                self.ahead.1 = to;
                (from, None)
            }
            Ordering::Greater => {
                self.ahead.0 = from;
                (None, to)
            }
        };
        let user = from.as_ref().or(to.as_ref()).map(|(user, _)| user.clone()).unwrap_or_default();
        let total = |side: Option<UserTotal>| side.map(|(_, total)| total);
        Ok(Some((user, Pair { source: total(from), target: total(to) })))
    }
}

/// One side's walk through a table.
struct Side<'a> {
    table: &'static Table,
    walk: Walk<'a>,
    rows: std::vec::IntoIter<Row>,
    /// The user whose rows are being added up.
    begun: Option<(String, Sum)>,
}

impl<'a> Side<'a> {
    async fn begin(table: &'static Table, source: &'a Source) -> Result<Self, DbError> {
        let walk = source.walk(&table.select(), table.at_once).await?;
        Ok(Self { table, walk, rows: Vec::new().into_iter(), begun: None })
    }

    /// The next user.
    async fn next(&mut self) -> Result<Option<UserTotal>, DbError> {
        loop {
            let Some(row) = self.row().await? else { return Ok(self.begun.take().map(total)) };
            let data = self.table.read(&row).map_err(|unread| {
                let place = self.table.place(&row);
                DbError::Fault(format!("{place}: {} does not read as {}", unread.column, unread.kind.name()))
            })?;
            let Some(Datum::Text(user)) = data.first() else {
                return Err(DbError::Fault(format!("{} has a row without a user", self.table.name)));
            };
            match &mut self.begun {
                Some((begun, sum)) if begun == user => sum.add(&data),
                begun => {
                    let mut sum = Sum::new();
                    sum.add(&data);
                    if let Some(finished) = begun.replace((user.clone(), sum)) {
                        return Ok(Some(total(finished)));
                    }
                }
            }
        }
    }

    async fn row(&mut self) -> Result<Option<Row>, DbError> {
        if let Some(row) = self.rows.next() {
            return Ok(Some(row));
        }
        self.rows = self.walk.next().await?.into_iter();
        Ok(self.rows.next())
    }
}

fn total((user, sum): (String, Sum)) -> UserTotal {
    let rows = sum.rows;
    (user, Total { rows, hex: sum.hex() })
}
