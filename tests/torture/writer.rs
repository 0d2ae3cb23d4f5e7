//! A user who creates, changes, deletes and reads, and remembers what was acknowledged, what was refused, and what
//! nobody told her the end of. Afterwards she compares that with what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::client::{Answer, Call, Client, Silence};
use crate::dice::Dice;
use crate::load::Pulse;

const TASKS: &str = "/api/v1/tasks";

/// How long the last look waits for a server that is unavailable.
const PATIENCE: Duration = Duration::from_secs(20);

/// What was counted.
#[derive(Debug, Default, Clone)]
pub(crate) struct Tally {
    /// Writes that were answered with success.
    pub(crate) acknowledged: usize,
    /// Acknowledged writes that are not there.
    pub(crate) lost: usize,
    /// Writes that were applied twice.
    pub(crate) doubled: usize,
    /// Anything else that may not be: a 500, a false 404, a refused write that was done all the same.
    pub(crate) wrong: usize,
    /// 503: not done, or (`OUTCOME_UNKNOWN`) nobody knows.
    pub(crate) refused: usize,
    /// Writes whose end the client was not told.
    pub(crate) unknown: usize,
    /// Those of them that turned out to be done.
    pub(crate) unknown_done: usize,
    /// Repeats under one `Idempotency-Key` that were answered from what is kept.
    pub(crate) replayed: usize,
    /// The slowest answer of all.
    pub(crate) slowest: Duration,
    /// The slowest 503.
    pub(crate) slowest_refusal: Duration,
    /// How long it took until all of one's rows could be read, after the last request.
    pub(crate) slowest_look: Duration,
    pub(crate) complaints: Vec<String>,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        self.acknowledged += other.acknowledged;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.wrong += other.wrong;
        self.refused += other.refused;
        self.unknown += other.unknown;
        self.unknown_done += other.unknown_done;
        self.replayed += other.replayed;
        self.slowest = self.slowest.max(other.slowest);
        self.slowest_refusal = self.slowest_refusal.max(other.slowest_refusal);
        self.slowest_look = self.slowest_look.max(other.slowest_look);
        self.complaints.extend(other.complaints.iter().cloned());
        self.complaints.truncate(20);
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.lost + self.doubled + self.wrong == 0
    }

    pub(crate) fn wrong(&mut self, text: String) {
        self.wrong += 1;
        self.complain(text);
    }

    fn complain(&mut self, text: String) {
        if self.complaints.len() < 20 {
            self.complaints.push(text);
        }
    }
}

/// A row as it has to be.
#[derive(Debug)]
struct Row {
    title: String,
    version: i64,
    /// A write to it whose end nobody knows.
    doubt: Option<Doubt>,
}

#[derive(Debug)]
enum Doubt {
    /// It may have this title now, and the next version.
    Changed(String),
    Deleted,
}

/// One writer with what she knows.
#[derive(Debug)]
pub(crate) struct Writer {
    name: String,
    client: Client,
    dice: Dice,
    pulse: Arc<Pulse>,
    /// Text that every new row carries beside its title.
    ballast: String,
    next: usize,
    rows: BTreeMap<String, Row>,
    gone: BTreeSet<String>,
    /// Titles of creates that may be there, and of those that may not.
    unsure: BTreeSet<String>,
    denied: BTreeSet<String>,
    /// A create under a key, the title being the key, that is sent until it is acknowledged.
    keyed: Option<String>,
    pub(crate) tally: Tally,
}

impl Writer {
    pub(crate) fn new(name: &str, client: Client, dice: Dice, pulse: Arc<Pulse>) -> Self {
        Self {
            name: name.to_owned(),
            client,
            dice,
            pulse,
            ballast: String::new(),
            next: 0,
            rows: BTreeMap::new(),
            gone: BTreeSet::new(),
            unsure: BTreeSet::new(),
            denied: BTreeSet::new(),
            keyed: None,
            tally: Tally::default(),
        }
    }

    /// Has every new row be so many bytes large.
    pub(crate) fn with_ballast(mut self, bytes: usize) -> Self {
        self.ballast = "x".repeat(bytes);
        self
    }

    /// Writes and reads until told to stop.
    pub(crate) async fn work(mut self, stop: watch::Receiver<bool>) -> Self {
        while !*stop.borrow() {
            self.one().await;
        }
        self
    }

    /// One request.
    async fn one(&mut self) {
        let sound: Vec<String> =
            self.rows.iter().filter(|(_, row)| row.doubt.is_none()).map(|(id, _)| id.clone()).collect();
        let chosen = (!sound.is_empty()).then(|| sound[self.dice.below(sound.len())].clone());
        let crowded = sound.len() > 40;
        match (self.dice.below(10), chosen) {
            _ if self.keyed.is_some() => self.create_under_a_key().await,
            (0..2, Some(id)) => self.read(&id).await,
            (2..5, Some(id)) => self.change(&id).await,
            (5, Some(id)) => self.delete(&id).await,
            (6..10, Some(id)) if crowded => self.delete(&id).await,
            (0..8, _) => self.create().await,
            _ => {
                self.keyed = Some(self.title());
                self.create_under_a_key().await;
            }
        }
    }

    fn title(&mut self) -> String {
        self.next += 1;
        format!("{} {}", self.name, self.next)
    }

    /// Sends it. None: it is certain that nothing was done.
    async fn send(&mut self, call: &Call) -> Option<Result<Answer, String>> {
        match self.client.send(call).await {
            Ok(answer) => {
                self.tally.slowest = self.tally.slowest.max(answer.took);
                if answer.status == 503 {
                    self.tally.refused += 1;
                    self.tally.slowest_refusal = self.tally.slowest_refusal.max(answer.took);
                    // Nobody should ask again at once; and this is to be bounded by the server, not by the client.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                } else if answer.status < 300 {
                    self.pulse.beat(call.is_read());
                }
                Some(Ok(answer))
            }
            Err(Silence::NotSent) => {
                tokio::time::sleep(Duration::from_millis(10)).await;
                None
            }
            Err(Silence::Unknown(why)) => Some(Err(why)),
            Err(Silence::Hang) => {
                self.tally.wrong(format!("{}: no answer at all to {call}", self.name));
                Some(Err("it hangs".to_owned()))
            }
        }
    }

    async fn read(&mut self, id: &str) {
        let Some(Ok(answer)) = self.send(&Call::get(format!("{TASKS}/{id}"))).await else { return };
        let row = &self.rows[id];
        let body = answer.json();
        match answer.status {
            200 if body["title"] == row.title.as_str() && body["version"] == row.version => {}
            503 => {}
            _ => {
                let text = format!("{}: read {id} as {}, not as {row:?}", self.name, answer.summary());
                self.tally.wrong(text);
            }
        }
    }

    async fn create(&mut self) {
        let title = self.title();
        let call = Call::new("POST", TASKS).json(&json!({"title": title, "description": self.ballast}));
        match self.send(&call).await {
            None => {
                self.denied.insert(title);
            }
            Some(Err(_)) => self.is_unsure(title),
            Some(Ok(answer)) => match (answer.status, answer.code().as_str()) {
                (201, _) => self.created(&answer, title),
                (503, "OUTCOME_UNKNOWN") => self.is_unsure(title),
                (503, _) => {
                    self.denied.insert(title);
                }
                _ => self.unexpected("create", &answer),
            },
        }
    }

    async fn create_under_a_key(&mut self) {
        let Some(title) = self.keyed.clone() else { return };
        let call = Call::new("POST", TASKS).header("Idempotency-Key", &title);
        let call = call.json(&json!({"title": title, "description": self.ballast}));
        match self.send(&call).await {
            None => {}
            Some(Err(_)) => self.tally.unknown += 1,
            Some(Ok(answer)) => match answer.status {
                201 => {
                    self.keyed = None;
                    self.tally.replayed += usize::from(answer.header("idempotency-replayed").is_some());
                    self.created(&answer, title);
                }
                // Unavailable, or the first of them still runs.
                503 | 409 => {}
                _ => self.unexpected("create under a key", &answer),
            },
        }
    }

    fn is_unsure(&mut self, title: String) {
        self.tally.unknown += 1;
        self.unsure.insert(title);
    }

    fn created(&mut self, answer: &Answer, title: String) {
        self.tally.acknowledged += 1;
        let body = answer.json();
        let Some(id) = body["id"].as_str() else { return self.unexpected("create", answer) };
        if body["title"] != title.as_str() || body["version"] != 1 {
            self.unexpected("create", answer);
        }
        self.rows.insert(id.to_owned(), Row { title, version: 1, doubt: None });
    }

    async fn change(&mut self, id: &str) {
        let title = self.title();
        let call = Call::new("PATCH", format!("{TASKS}/{id}")).json(&json!({"title": title}));
        let outcome = self.send(&call).await;
        let Some(row) = self.rows.get_mut(id) else { return };
        match outcome {
            None => {}
            Some(Err(_)) => {
                self.tally.unknown += 1;
                row.doubt = Some(Doubt::Changed(title));
            }
            Some(Ok(answer)) => match (answer.status, answer.code().as_str()) {
                (200, _) => {
                    self.tally.acknowledged += 1;
                    row.title = title;
                    row.version += 1;
                    if answer.json()["version"] != row.version {
                        self.tally.doubled += 1;
                        let text = format!("{}: {} is not {row:?}", self.name, answer.summary());
                        self.tally.complain(text);
                    }
                }
                (503, "OUTCOME_UNKNOWN") => {
                    self.tally.unknown += 1;
                    row.doubt = Some(Doubt::Changed(title));
                }
                (503, _) => {}
                _ => self.unexpected(&format!("change of {id}"), &answer),
            },
        }
    }

    async fn delete(&mut self, id: &str) {
        let outcome = self.send(&Call::new("DELETE", format!("{TASKS}/{id}"))).await;
        let in_doubt = match outcome {
            None => false,
            Some(Err(_)) => true,
            Some(Ok(answer)) => match (answer.status, answer.code().as_str()) {
                (200 | 204, _) => {
                    self.tally.acknowledged += 1;
                    self.rows.remove(id);
                    self.gone.insert(id.to_owned());
                    false
                }
                (503, "OUTCOME_UNKNOWN") => true,
                (503, _) => false,
                _ => {
                    self.unexpected(&format!("deletion of {id}"), &answer);
                    false
                }
            },
        };
        if in_doubt && let Some(row) = self.rows.get_mut(id) {
            self.tally.unknown += 1;
            row.doubt = Some(Doubt::Deleted);
        }
    }

    fn unexpected(&mut self, what: &str, answer: &Answer) {
        let text = format!("{}: {what} was answered with {}", self.name, answer.summary());
        self.tally.wrong(text);
    }

    /// Compares what is there with what was acknowledged. Whatever was in doubt is certain from now on.
    pub(crate) async fn check(&mut self) {
        let began = Instant::now();
        let looked = loop {
            match self.client.send(&Call::get("/api/tasks")).await {
                Ok(answer) if answer.status == 503 && began.elapsed() < PATIENCE => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                other => break other,
            }
        };
        self.tally.slowest_look = self.tally.slowest_look.max(began.elapsed());
        let answer = match looked {
            Ok(answer) if answer.status == 200 => answer,
            Ok(answer) => return self.unexpected("the last look", &answer),
            Err(silence) => return self.tally.wrong(format!("{}: no last look: {silence:?}", self.name)),
        };
        let rows = answer.json();
        let mut there: BTreeMap<String, (String, i64)> = BTreeMap::new();
        let mut titles = BTreeSet::new();
        for row in rows.as_array().expect("a list is an array") {
            let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
            if !titles.insert(text("title")) {
                self.tally.doubled += 1;
                self.tally.complain(format!("{}: two rows {row}", self.name));
            }
            there.insert(text("id"), (text("title"), row["version"].as_i64().unwrap_or_default()));
        }
        for id in self.rows.keys().cloned().collect::<Vec<_>>() {
            self.compare(&id, there.remove(&id));
        }
        for (id, (title, version)) in there {
            self.adopt(id, title, version);
        }
    }

    /// One row that she knows of.
    fn compare(&mut self, id: &str, found: Option<(String, i64)>) {
        let Some(row) = self.rows.get_mut(id) else { return };
        let doubt = row.doubt.take();
        match (found, doubt) {
            (None, Some(Doubt::Deleted)) => {
                self.tally.unknown_done += 1;
                self.rows.remove(id);
                self.gone.insert(id.to_owned());
            }
            (None, _) => {
                self.tally.lost += 1;
                self.tally.complain(format!("{}: {id} is not there: {row:?}", self.name));
                self.rows.remove(id);
            }
            (Some((title, version)), _) if version == row.version && title == row.title => {}
            (Some((title, version)), Some(Doubt::Changed(new)))
                if version == row.version + 1 && title == new =>
            {
                self.tally.unknown_done += 1;
                *row = Row { title, version, doubt: None };
            }
            (Some((title, version)), _) => {
                let count =
                    if version > row.version { &mut self.tally.doubled } else { &mut self.tally.lost };
                *count += 1;
                let text = format!("{}: {id} is {title:?} version {version}, not {row:?}", self.name);
                self.tally.complain(text);
                *row = Row { title, version, doubt: None };
            }
        }
    }

    /// A row that was not acknowledged.
    fn adopt(&mut self, id: String, title: String, version: i64) {
        if self.unsure.remove(&title) {
            self.tally.unknown_done += 1;
        } else if self.keyed.as_ref() == Some(&title) {
            return; // its repeat will say so
        } else if self.gone.contains(&id) {
            self.tally.lost += 1;
            self.tally.complain(format!("{}: {id} {title:?} was deleted and is there", self.name));
        } else {
            let denied = if self.denied.contains(&title) { ", which was refused" } else { "" };
            self.tally.wrong(format!("{}: nobody made {id} {title:?}{denied}", self.name));
        }
        self.rows.insert(id, Row { title, version, doubt: None });
    }

    /// What was counted since the last time.
    pub(crate) fn take_tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }
}

/// The text of a JSON value that has to be one.
pub(crate) fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}")).to_owned()
}
