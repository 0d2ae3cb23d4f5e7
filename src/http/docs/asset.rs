//! Files that are part of the binary: asked for again they answer 304, so that a new version is seen at once.

use std::borrow::Cow;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::http::error::{ApiError, Missing};

/// One file.
pub(super) struct Asset {
    bytes: &'static [u8],
    content_type: &'static str,
    gzipped: bool,
}

impl Asset {
    /// A file as it is.
    pub(super) const fn plain(bytes: &'static [u8], content_type: &'static str) -> Self {
        Self { bytes, content_type, gzipped: false }
    }

    /// A file that is kept, and sent, gzipped (RFC 1952).
    pub(super) const fn gzipped(bytes: &'static [u8], content_type: &'static str) -> Self {
        Self { bytes, content_type, gzipped: true }
    }

    /// The answer to a request with these headers.
    pub(super) fn answer(&self, headers: &HeaderMap) -> Response {
        answer(Bytes::from_static(self.bytes), self.content_type, self.gzipped, headers)
    }
}

/// A file of Swagger UI's distribution.
pub(super) fn swagger(name: &str, headers: &HeaderMap) -> Response {
    // The configuration matters only to a file that is not asked for here.
    let config: Arc<utoipa_swagger_ui::Config<'static>> = Arc::new("/openapi.json".into());
    let Ok(Some(file)) = utoipa_swagger_ui::serve(name, config) else {
        return ApiError::NotFound(Missing::Path).into_response();
    };
    let bytes = match file.bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    };
    answer(bytes, &file.content_type, file.gzpipped, headers)
}

/// 200 with the bytes, or 304 (RFC 9110 section 13.1.2) when the client has them.
pub(super) fn answer(bytes: Bytes, content_type: &str, gzipped: bool, headers: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(&digest(&SHA256, &bytes).as_ref()[..15]));
    let same = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).any(|value| {
        value.split(',').map(|one| one.trim().trim_start_matches("W/")).any(|one| one == tag || one == "*")
    });
    let mut response =
        if same { StatusCode::NOT_MODIFIED.into_response() } else { (StatusCode::OK, bytes).into_response() };
    let answered = response.headers_mut();
    answered.remove(CONTENT_TYPE);
    answered.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::try_from(tag) {
        answered.insert(ETAG, tag);
    }
    if let (false, Ok(content_type)) = (same, HeaderValue::try_from(content_type)) {
        answered.insert(CONTENT_TYPE, content_type);
        if gzipped {
            answered.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
    }
    response
}
