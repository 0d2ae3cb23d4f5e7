//! The correlation id: one id per request on its answer, in its error body and in each of its log lines.

use axum::extract::Request;
use axum::response::Response;
use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::around::Around;
use crate::clock::Clock;

/// The header's name.
pub const CORRELATION_HEADER: HeaderName = HeaderName::from_static("x-correlation-id");

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The id of one request: 1–128 characters of `[A-Za-z0-9._-]`. In every request's extensions; cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorrelationId(HeaderValue);

impl CorrelationId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// The client's own id where it sent exactly one and a harmless one, else a new one.
    fn of(headers: &HeaderMap, clock: &Clock) -> Self {
        let mut sent = headers.get_all(CORRELATION_HEADER).iter();
        match (sent.next(), sent.next()) {
            (Some(value), None) if is_harmless(value.as_bytes()) => Self(value.clone()),
            _ => Self::new(clock),
        }
    }

    fn new(clock: &Clock) -> Self {
        let mut buffer = uuid::Uuid::encode_buffer();
        let text: &str = clock.random_id().hyphenated().encode_lower(&mut buffer);
        Self(HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("none")))
    }
}

fn is_harmless(bytes: &[u8]) -> bool {
    (1..=128).contains(&bytes.len()) && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(b))
}

/// The trace id of a valid `traceparent` (W3C Trace Context): 32 lower-case hexadecimal digits. In a request's
/// extensions when the client sent one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceId([u8; 32]);

impl TraceId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    fn of(headers: &HeaderMap) -> Option<Self> {
        let mut sent = headers.get_all(TRACEPARENT).iter();
        match (sent.next(), sent.next()) {
            (Some(value), None) => Self::parse(value.as_bytes()),
            _ => None,
        }
    }

    /// `version-trace-parent-flags`; a later version may carry more after its flags.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let hex = |part: &[u8]| part.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let zero = |part: &[u8]| part.iter().all(|b| *b == b'0');
        let (head, more) = bytes.split_at_checked(55)?;
        let (version, trace, parent, flags) = (&head[..2], &head[3..35], &head[36..52], &head[53..]);
        let shape = head[2] == b'-' && head[35] == b'-' && head[52] == b'-';
        let known = version != b"ff" && (more.is_empty() || (version != b"00" && more[0] == b'-'));
        let digits = [version, trace, parent, flags].into_iter().all(hex);
        (shape && known && digits && !zero(trace) && !zero(parent))
            .then(|| trace.try_into().ok().map(Self))?
    }
}

/// Gives each request its [`CorrelationId`] (and [`TraceId`]), and each answer the header.
#[derive(Debug, Clone)]
pub(crate) struct Correlation {
    clock: Clock,
}

impl Correlation {
    /// New ids come from `clock`.
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock }
    }
}

impl Around for Correlation {
    type Kept = CorrelationId;

    fn inward(&self, request: &mut Request) -> CorrelationId {
        let id = CorrelationId::of(request.headers(), &self.clock);
        if let Some(trace) = TraceId::of(request.headers()) {
            request.extensions_mut().insert(trace);
        }
        request.extensions_mut().insert(id.clone());
        id
    }

    fn outward(&self, id: CorrelationId, mut response: Response) -> Response {
        response.headers_mut().insert(CORRELATION_HEADER, id.0);
        response
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::extract::Extension;
    use axum::routing::get;
    use proptest::prelude::*;
    use tower::ServiceExt;

    use super::*;
    use crate::http::around::AroundLayer;

    async fn answered(values: &[&[u8]]) -> (String, String) {
        let seen = get(async |Extension(id): Extension<CorrelationId>| id.as_str().to_owned());
        let router = Router::new().route("/", seen).layer(AroundLayer(Correlation::new(Clock::system())));
        let mut request = Request::new(Body::empty());
        for value in values {
            request.headers_mut().append(CORRELATION_HEADER, HeaderValue::from_bytes(value).unwrap());
        }
        let response = router.oneshot(request).await.unwrap();
        let header = response.headers()[CORRELATION_HEADER].to_str().unwrap().to_owned();
        let body = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
        (header, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_harmless_id_is_kept() {
        let long = [b'a'; 128];
        for id in [&b"a"[..], b"Req-1.2_3", &long] {
            let (header, seen) = answered(&[id]).await;
            assert_eq!(header.as_bytes(), id);
            assert_eq!(seen, header, "the handler sees the id that the answer carries");
        }
    }

    #[tokio::test]
    async fn any_other_id_is_replaced_and_never_echoed() {
        let (long, huge) = ([b'a'; 129], [b'x'; 2048]);
        let bad: [&[&[u8]]; 9] = [
            &[],
            &[b""],
            &[b"a b"],
            &[b"a\tb"],
            &[b"caf\xc3\xa9"],
            &[b"a\"},{\"level\":\"error"],
            &[&long],
            &[&huge],
            &[b"one", b"two"],
        ];
        for values in bad {
            let (header, _) = answered(values).await;
            let id = uuid::Uuid::parse_str(&header).unwrap();
            assert_eq!(id.get_version_num(), 4, "{values:?}");
        }
    }

    #[test]
    fn traceparent_follows_w3c_trace_context() {
        let parse = |text: &str| TraceId::parse(text.as_bytes()).map(|id| id.as_str().to_owned());
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(parse(&format!("00-{trace}-00f067aa0ba902b7-01")).as_deref(), Some(trace));
        assert_eq!(parse(&format!("cc-{trace}-00f067aa0ba902b7-01-what-comes")).as_deref(), Some(trace));
        for bad in [
            String::new(),
            format!("00-{trace}-00f067aa0ba902b7"),
            format!("00-{trace}-00f067aa0ba902b7-01-more"),
            format!("cc-{trace}-00f067aa0ba902b7-01more"),
            format!("ff-{trace}-00f067aa0ba902b7-01"),
            format!("00-{}-00f067aa0ba902b7-01", trace.to_uppercase()),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{trace}-0000000000000000-01"),
            format!("00_{trace}-00f067aa0ba902b7-01"),
        ] {
            assert_eq!(parse(&bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_header_can_break_the_parsers(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = TraceId::parse(&bytes);
            if is_harmless(&bytes) {
                let text = String::from_utf8(bytes).unwrap();
                prop_assert!(!text.contains(['\r', '\n', '\0', '"', '<', ' ']));
            }
        }
    }
}
