//! The bytes of a body: not more than allowed, not later than the request's deadline.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use http_body::Body as _;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use super::BodyLimit;
use crate::auth::caller::Deadline;
use crate::http::error::ApiError;
use crate::http::load::Ticket;

/// How long a body may take where no middleware set a deadline.
const PATIENCE: Duration = Duration::from_secs(30);

/// A body's first bytes are not counted: a title is written even while long lists take all the room. Requests under way are
/// few enough for that.
const FREE: usize = 16 * 1024;

/// What is set aside at most before anything has arrived: the announced length is a promise, not a fact.
const FIRST_ROOM: usize = 16 * 1024;

/// The whole body. What is announced as too long is refused before a byte of it is read, so a client that asked with
/// `Expect: 100-continue` never sends it; what turns out too long is read no further.
pub(super) async fn read(request: Request) -> Result<Vec<u8>, ApiError> {
    let limit = request.extensions().get::<BodyLimit>().copied().unwrap_or_default().0;
    let deadline = request.extensions().get::<Deadline>().map(|deadline| Instant::from_std(deadline.0));
    let deadline = deadline.unwrap_or_else(|| Instant::now() + PATIENCE);
    let ticket = request.extensions().get::<Ticket>().cloned();
    timeout_at(deadline, collect(request.into_body(), limit, ticket.as_ref()))
        .await
        .map_err(|_| ApiError::RequestTimeout)?
}

async fn collect(mut body: Body, limit: usize, ticket: Option<&Ticket>) -> Result<Vec<u8>, ApiError> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > limit {
        return Err(ApiError::PayloadTooLarge(limit));
    }
    let mut whole = Vec::with_capacity(announced.min(FIRST_ROOM));
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|_| ApiError::BadRequest("The request body could not be read".to_owned()))?;
        let Ok(data) = frame.into_data() else { continue };
        if data.len() > limit - whole.len() {
            return Err(ApiError::PayloadTooLarge(limit));
        }
        let counted = (whole.len() + data.len()).saturating_sub(FREE.max(whole.len()));
        if let (Some(ticket), 1..) = (ticket, counted) {
            ticket.grow(counted)?;
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole)
}
