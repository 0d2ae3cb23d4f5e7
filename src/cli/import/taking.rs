//! An import under way: what fits goes into the target, what does not into the report.

use std::collections::HashSet;
use std::time::Duration;

use super::people::People;
use super::read::{Incoming, Reader};
use super::report::Report;
use super::rows::{self, Taken};
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
    /// Users that a dry run has met: it makes none, so it meets them as new in every batch.
    seen: HashSet<String>,
}

impl<'a> Taking<'a> {
    pub(super) fn new(
        reader: Reader<'a>,
        sink: Sink,
        people: People,
        report: Report,
        access: Access,
    ) -> Self {
        Self { reader, sink, people, report, access, begun: Clock::system().now(), seen: HashSet::new() }
    }

    pub(super) fn into_report(self) -> Report {
        self.report
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
        let taken = rows::take(&mut self.sink, self.reader.kind, fit, &self.people, self.access).await?;
        let Taken { taken, there, refused, users, notes } = taken;
        for user in users {
            let new = match self.access {
                Access::Look => self.seen.insert(user),
                Access::Change => true,
            };
            self.report.users += u64::from(new);
        }
        self.report.taken += taken;
        self.report.there += there;
        refused.iter().for_each(|refusal| self.report.refuse(refusal));
        notes.iter().for_each(|note| self.report.note(note));
        self.report.progress();
        Ok(())
    }
}
