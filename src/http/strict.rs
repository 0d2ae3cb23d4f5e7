//! `Prefer: handling=strict` (RFC 7240, section 4.4): what would be ignored is refused, and the answer says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::Request;
use axum::response::Response;
use http::{Extensions, StatusCode};

use super::around::Around;
use super::prefer::Prefer;

/// In the extensions of a request whose client prefers strict handling; it remembers whether anybody kept to it.
#[derive(Debug, Clone, Default)]
struct Strict(Arc<AtomicBool>);

/// Whether the client wants to be told of what its reader does not know. Who asks, keeps to it.
pub(super) fn is_wanted(extensions: &Extensions) -> bool {
    let wanted = extensions.get::<Strict>();
    if let Some(Strict(kept)) = wanted {
        kept.store(true, Ordering::Relaxed);
    }
    wanted.is_some()
}

/// Reads the preference, and says in the answer that it was kept: where a body or a query was looked through, and
/// nothing was ignored (a success) or may have been refused for it (422).
#[derive(Debug, Clone, Copy)]
pub(crate) struct StrictHandling;

/// The preference of one request.
#[derive(Debug)]
pub(crate) struct Kept(Option<Strict>);

impl Around for StrictHandling {
    type Kept = Kept;

    fn inward(&self, request: &mut Request) -> Kept {
        let strict = Prefer::of(request.headers()).strict.then(Strict::default);
        if let Some(strict) = &strict {
            request.extensions_mut().insert(strict.clone());
        }
        Kept(strict)
    }

    fn outward(&self, Kept(strict): Kept, mut response: Response) -> Response {
        let told = response.status().is_success() || response.status() == StatusCode::UNPROCESSABLE_ENTITY;
        if told && strict.is_some_and(|Strict(kept)| kept.load(Ordering::Relaxed)) {
            Prefer::say_strict(response.headers_mut());
        }
        response
    }
}
