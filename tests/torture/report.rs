//! What a trial has found, and the table of all.

use std::fmt;
use std::time::Duration;

use crate::server::Server;
use crate::writer::Tally;

/// The outcome of one trial.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) rounds: usize,
    pub(crate) tally: Tally,
    /// Figures worth a look, in words.
    notes: Vec<String>,
    /// Gates that were not met, with their figures.
    failures: Vec<String>,
    /// Why it was not tried at all.
    skipped: Option<String>,
}

impl Report {
    pub(crate) fn broken(why: &str) -> Self {
        Self { failures: vec![format!("the trial broke off: {why}")], ..Self::default() }
    }

    pub(crate) fn skipped(why: &str) -> Self {
        Self { skipped: Some(why.to_owned()), ..Self::default() }
    }

    pub(crate) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    pub(crate) fn fail(&mut self, text: impl Into<String>) {
        self.failures.push(text.into());
    }

    /// A gate: the figure is worth a note when it is met, and a failure when it is not.
    pub(crate) fn gate(&mut self, met: bool, text: impl Into<String>) {
        if met { self.note(text) } else { self.fail(text) }
    }

    /// None of these servers may have panicked.
    pub(crate) fn no_panic(&mut self, servers: &[&Server]) {
        if servers.iter().any(|server| server.panicked()) {
            self.fail("a server panicked: see its log");
        }
    }

    /// What writers counted, with their complaints.
    pub(crate) fn add(&mut self, tally: &Tally) {
        self.tally.add(tally);
    }

    /// Whether what was counted and gated is as it has to be.
    fn is_good(&self) -> bool {
        self.failures.is_empty() && self.tally.is_clean()
    }

    /// Prints all of it.
    pub(crate) fn tell(&self) {
        for note in &self.notes {
            println!("   {note}");
        }
        for complaint in self.failures.iter().chain(&self.tally.complaints) {
            println!("   FAILED {complaint}");
        }
        if let Some(why) = &self.skipped {
            println!("   skipped: {why}");
        }
    }
}

/// One line a trial.
#[derive(Debug, Default)]
pub(crate) struct Table {
    lines: Vec<(String, Duration, Report)>,
}

impl Table {
    pub(crate) fn add(&mut self, name: &str, took: Duration, report: Report) {
        self.lines.push((name.to_owned(), took, report));
    }

    pub(crate) fn is_good(&self) -> bool {
        self.lines.iter().all(|(_, _, report)| report.is_good())
    }
}

impl fmt::Display for Table {
    /// As Markdown, so that it can be pasted.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| trial | rounds | acknowledged | lost | doubled | wrong | seconds | outcome | figures |"
        )?;
        writeln!(f, "| --- | --: | --: | --: | --: | --: | --: | --- | --- |")?;
        for (name, took, report) in &self.lines {
            let Report { rounds, tally, notes, failures, skipped } = report;
            let outcome = match skipped {
                Some(_) => "skipped",
                None if report.is_good() => "held",
                None => "FAILED",
            };
            let texts: Vec<_> = failures
                .iter()
                .chain(notes)
                .chain(skipped)
                .chain(tally.complaints.iter().take(2))
                .cloned()
                .collect();
            let seconds = took.as_secs();
            let Tally { acknowledged, lost, doubled, wrong, .. } = tally;
            writeln!(
                f,
                "| {name} | {rounds} | {acknowledged} | {lost} | {doubled} | {wrong} | {seconds} | {outcome} | {} |",
                texts.join("; ").replace('|', "/")
            )?;
        }
        Ok(())
    }
}
