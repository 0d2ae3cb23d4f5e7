//! Users who ask at a steady rate, whatever happens meanwhile.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::client::{Call, Client};
use crate::dice::Dice;
use crate::server::token;
use crate::writer::text;

/// What they have seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Of all answers with success.
    pub(crate) times: Vec<Duration>,
    /// Whatever else came.
    pub(crate) failed: Vec<String>,
    /// Rows that were acknowledged and are not there in the end.
    pub(crate) missing: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Steady {
    stop: watch::Sender<bool>,
    users: Vec<JoinHandle<Seen>>,
}

impl Steady {
    /// So many users, each of whom asks this often; every other one has a connection for each request.
    pub(crate) fn begin(
        kind: &str,
        address: SocketAddr,
        count: u32,
        every: Duration,
        dice: &mut Dice,
    ) -> Self {
        let (stop, stopped) = watch::channel(false);
        let user = |i: u32| {
            let client = Client::new(address, token(&format!("{kind}-{i}")));
            let client = if i.is_multiple_of(2) { client } else { client.single() };
            tokio::spawn(asks(client, every, every * i / count, dice.split(), stopped.clone()))
        };
        Self { stop, users: (0..count).map(user).collect() }
    }

    pub(crate) async fn end(self) -> Seen {
        self.stop.send_replace(true);
        let mut all = Seen::default();
        for user in self.users {
            let Seen { times, failed, missing } = user.await.expect("a user");
            all.times.extend(times);
            all.failed.extend(failed);
            all.missing.extend(missing);
        }
        all
    }
}

async fn asks(
    mut client: Client,
    every: Duration,
    first: Duration,
    mut dice: Dice,
    stop: watch::Receiver<bool>,
) -> Seen {
    let mut seen = Seen::default();
    tokio::time::sleep(first).await;
    let mut ticks = tokio::time::interval(every);
    while !*stop.borrow() {
        ticks.tick().await;
        let call = match dice.below(3) {
            0 => Call::new("POST", "/api/v1/tasks").json(&json!({"title": "Steady"})),
            1 => Call::get("/api/v1/tasks?limit=5"),
            _ => Call::get("/api/v1/tasks/stats"),
        };
        match client.send(&call).await {
            Ok(answer) if answer.status < 300 => {
                seen.times.push(answer.took);
                if answer.status == 201 {
                    seen.missing.push(text(&answer.json(), "id"));
                }
            }
            Ok(answer) => seen.failed.push(format!("{call}: {}", answer.summary())),
            Err(silence) => seen.failed.push(format!("{call}: {silence:?}")),
        }
    }
    match client.send(&Call::get("/api/tasks")).await {
        Ok(list) if list.status == 200 => {
            let rows = list.json();
            let there: Vec<_> = rows.as_array().expect("a list").iter().map(|row| text(row, "id")).collect();
            seen.missing.retain(|id| !there.contains(id));
        }
        other => seen.failed.push(format!("the last look: {other:?}")),
    }
    seen
}
