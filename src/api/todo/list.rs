//! The todo contract's list: whole and streamed however long, or a window.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;
use utoipa::ToSchema;

use super::shape::{Shape, Whole, WindowShown};
use crate::api::answer::counted;
use crate::api::links::links;
use crate::api::look::Style;
use crate::api::query::{self, ListQuery};
use crate::app::App;
use crate::auth::caller::Caller;
use crate::field::params::Params;
use crate::http::error::ApiError;
use crate::list::{Fetched, Order, Window};
use crate::tasks::{Task, TaskFilter};

/// How many rows the first statement of a whole list reads; most lists end there.
const FIRST: u32 = 100;
/// How many rows a later one reads at most.
const MOST: usize = 1_000;
/// How much text a later one aims at: what a reader who stalls keeps in memory must not grow with the rows' texts.
const AIM: usize = 1 << 20;
/// How long a later chunk of a whole list may take.
const STALL: Duration = Duration::from_secs(30);

/// The answer of the list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum TodoList {
    /// Every task, when none of `limit`, `offset` and `cursor` is given.
    Array(Vec<Task>),
    /// A window of the list.
    Window(TodoWindow),
}

/// A window of the list.
#[derive(Debug, Serialize, ToSchema)]
pub struct TodoWindow {
    /// The tasks of the window.
    pub tasks: Vec<Task>,
    /// How many tasks the filters let through in all; not with `count=false`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, nullable = false)]
    pub total: Option<u64>,
    /// The window's limit.
    #[schema(minimum = 1, maximum = 1000)]
    pub limit: u32,
    /// How many tasks were skipped; not with `cursor`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, nullable = false)]
    pub offset: Option<u64>,
    /// Whether there are more tasks after these.
    pub has_more: bool,
}

/// The list in the shape that the query asks for.
///
/// # Errors
/// Every complaint about the query at once; what the database says.
pub async fn answer(app: Arc<App>, caller: Caller, params: &Params) -> Result<Response, ApiError> {
    let asked = query::tasks(params, app.clock.now(), 1_000, 50)?;
    let contract = &app.config.contract;
    let shape = Shape { list: contract.todo.list, look: Style::todo(contract).look };
    if !params.names().any(|name| matches!(name, "limit" | "offset" | "cursor")) {
        let ListQuery { filter, order, window: _, binding: _ } = asked;
        let text = Whole::new(shape);
        return Walk { app, caller, filter, order, last: None, rows: FIRST, text }.answer().await;
    }
    let turn = app.long_windows.turn(asked.window.limit, caller.deadline).await?;
    let fetched = app.tasks(&caller).page(&asked.filter, &asked.order, &asked.window).await?;
    let links = links(params, &asked, &fetched);
    let Fetched { items, total, has_previous: _, has_more } = fetched;
    let Window { limit, start, count: _ } = asked.window;
    let window = TodoWindow { tasks: items, total, limit, offset: start.offset(), has_more };
    let text = move || counted(total, links, WindowShown(window, shape));
    if turn.is_none() {
        return Ok(text());
    }
    // Tens of MB take long to write, and a thread of the runtime would take no other request meanwhile.
    tokio::task::spawn_blocking(text).await.map_err(|_| ApiError::Internal)
}

/// A walk through the whole list, chunk by chunk, each its own statement.
struct Walk {
    app: Arc<App>,
    caller: Caller,
    filter: TaskFilter,
    order: Order,
    last: Option<Task>,
    /// How many rows the next statement reads.
    rows: u32,
    text: Whole,
}

impl Walk {
    /// The head goes out after the first chunk has come, so a database that is away is an error answer.
    async fn answer(mut self) -> Result<Response, ApiError> {
        let (first, whole) = self.chunk().await?;
        let body = if whole { Body::from(first) } else { self.stream(first) };
        Ok(([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response())
    }

    /// The next piece of the list's text, and whether it was the last.
    async fn chunk(&mut self) -> Result<(Bytes, bool), ApiError> {
        let tasks = self
            .app
            .tasks(&self.caller)
            .after(&self.filter, &self.order, self.last.as_ref(), self.rows)
            .await?;
        let whole = tasks.len() < self.rows as usize;
        let text = self.text.piece(&tasks, whole)?;
        let fitting = AIM * tasks.len() / text.len().max(1);
        self.rows = u32::try_from(fitting.clamp(1, MOST)).unwrap_or(FIRST);
        self.last = tasks.into_iter().next_back().or(self.last.take());
        Ok((Bytes::from(text), whole))
    }

    /// A fault after the head aborts the connection: a client sees an error and never a short list.
    fn stream(self, first: Bytes) -> Body {
        let begun = stream::iter([Ok::<Bytes, ApiError>(first)]);
        let rest = stream::try_unfold(Some(self), |walk| async move {
            let Some(mut walk) = walk else { return Ok(None) };
            walk.caller.deadline = Instant::now() + STALL;
            let (bytes, whole) = walk.chunk().await.inspect_err(|error| {
                tracing::error!(status = error.status().as_u16(), "List broken off");
            })?;
            Ok(Some((bytes, (!whole).then_some(walk))))
        });
        Body::from_stream(futures_util::TryStreamExt::map_err(
            futures_util::StreamExt::chain(begun, rest),
            Broken,
        ))
    }
}

/// A list that broke off after its head was sent.
#[derive(Debug, thiserror::Error)]
#[error("the list broke off: {}", .0.status())]
struct Broken(ApiError);
