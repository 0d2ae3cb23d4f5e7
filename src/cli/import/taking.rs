//! An import under way: what fits goes into the target, what does not into the report.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Kind;
use super::columns::Columns;
use super::met::{Coming, Crowd};
use super::people::People;
use super::read::{Incoming, Reader};
use super::report::Report;
use super::rows::{self, Taken};
use super::times::point;
use crate::clock::Clock;
use crate::db::bulk::{Access, Sink};
use crate::db::{DbError, Row};
use crate::field::timestamp::Timestamp;

/// An import under way.
pub(super) struct Taking<'a> {
    reader: Reader<'a>,
    sink: Sink,
    people: People,
    report: Report,
    access: Access,
    begun: Timestamp,
    crowd: Crowd,
}

impl<'a> Taking<'a> {
    pub(super) fn new(
        reader: Reader<'a>,
        sink: Sink,
        people: People,
        report: Report,
        access: Access,
    ) -> Self {
        Self { reader, sink, people, report, access, begun: Clock::system().now(), crowd: Crowd::default() }
    }

    pub(super) fn columns(&self) -> &'a Columns {
        self.reader.columns
    }

    pub(super) fn into_report(self) -> Report {
        self.report
    }

    /// Makes the users' rows, and keeps the numbers of all their tasks, before the first task is written: so what they
    /// make meanwhile takes none of them.
    pub(super) async fn make_room(&mut self, owners: &[Row]) -> Result<(), DbError> {
        let mut users: BTreeMap<String, Coming> = BTreeMap::new();
        for row in owners {
            let (greatest, rows) = (row.int(1)?, row.int(3)?);
            // Whose rows these are is refused row by row.
            let Some((_, user)) =
                row.opt_text(0).ok().and_then(|cell| self.reader.owner(cell.as_deref()).ok())
            else {
                continue;
            };
            // Without a group there is a line even of no rows.
            let Ok(rows @ 1..) = u64::try_from(rows) else { continue };
            let made = row.opt_text(2).ok().flatten().and_then(|text| point("", &text).ok());
            let oldest = made.unwrap_or(self.begun);
            let next = match self.reader.kind {
                Kind::Tasks => greatest + 1,
                Kind::Ideas => 1,
            };
            let person = self.people.get(&user);
            let coming = users.entry(user).or_insert(Coming { next, oldest, rows: 0, person });
            coming.rows += rows;
            coming.next = coming.next.max(next);
            coming.oldest = coming.oldest.min(oldest);
        }
        let new = rows::make_room(&mut self.sink, &users, self.access).await?;
        for ((user, coming), new) in users.into_iter().zip(new) {
            let is_first = self.crowd.await_rows(user, &coming);
            self.report.users += u64::from(new && is_first);
        }
        Ok(())
    }

    /// The rows that fit; the others are told.
    pub(super) fn fit(&mut self, rows: &[Row]) -> Vec<Incoming> {
        let mut fit = Vec::with_capacity(rows.len());
        for row in rows {
            // Rows that do not say when they were made stay in their order.
            let now = self.begun.plus(Duration::from_micros(self.report.read));
            self.report.read += 1;
            match self.reader.read(row, now) {
                Ok(incoming) => fit.push(incoming),
                Err(refusal) => self.report.refuse(&refusal),
            }
        }
        fit
    }

    /// Takes the rows of a batch, and counts what became of them.
    pub(super) async fn take(&mut self, fit: Vec<Incoming>) -> Result<(), DbError> {
        let Self { sink, people, crowd, access, .. } = self;
        let Taken { taken, there, refused, notes } =
            rows::take(sink, self.reader.kind, fit, people, crowd, *access).await?;
        self.report.taken += taken;
        self.report.there += there;
        refused.iter().for_each(|refusal| self.report.refuse(refusal));
        notes.iter().for_each(|note| self.report.note(note));
        self.report.progress();
        Ok(())
    }
}
