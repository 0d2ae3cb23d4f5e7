//! One answer, and what has to be true of every one of them.

use serde_json::Value;

use super::document;

/// The headers that no answer may lack, and their values.
const SECURITY: [(&str, &str); 6] = [
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("x-xss-protection", "1; mode=block"),
    ("content-security-policy", "default-src 'self'"),
    ("referrer-policy", "strict-origin-when-cross-origin"),
    ("permissions-policy", "geolocation=(), microphone=(), camera=()"),
];

/// One whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(super) method: String,
    pub(super) target: String,
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Reads an answer, which must be whole: with all of its `Content-Length` or with its last chunk.
    pub(crate) fn parse(method: &str, target: &str, bytes: &[u8]) -> Result<Self, String> {
        let end = find(bytes, b"\r\n\r\n").ok_or("no whole head")?;
        let head = std::str::from_utf8(&bytes[..end]).map_err(|_| "a head that is not UTF-8")?;
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut answer = Self {
            method: method.to_owned(),
            target: target.to_owned(),
            status: status.ok_or("no status line")?,
            headers,
            body: Vec::new(),
        };
        answer.body = answer.whole_body(&bytes[end + 4..])?;
        Ok(answer)
    }

    fn whole_body(&self, rest: &[u8]) -> Result<Vec<u8>, String> {
        if self.method == "HEAD" || matches!(self.status, 204 | 304) {
            return if rest.is_empty() { Ok(Vec::new()) } else { Err("a body where none may be".to_owned()) };
        }
        if self.header("transfer-encoding") == Some("chunked") {
            return unchunk(rest);
        }
        let length: Option<usize> = self.header("content-length").and_then(|text| text.parse().ok());
        match length {
            Some(length) if rest.len() == length => Ok(rest.to_vec()),
            Some(length) => Err(format!("{} bytes of body, not the {length} announced", rest.len())),
            None => Err("neither Content-Length nor chunks".to_owned()),
        }
    }

    /// The value of a header; a test that wants it to be there once has a failure when it is there twice.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values =
            self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let first = values.next();
        assert_eq!(values.next(), None, "{}: {name} is there twice", self.asked());
        first
    }

    /// The members of a comma-separated header, lower case.
    pub(crate) fn listed(&self, name: &str) -> Vec<String> {
        let values = self.headers.iter().filter(|(known, _)| known == name);
        values.flat_map(|(_, value)| value.split(',')).map(|part| part.trim().to_ascii_lowercase()).collect()
    }

    /// The body as JSON, whatever the status.
    pub(crate) fn value(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|fault| panic!("{}: {fault}\n{}", self.asked(), self.text()))
    }

    /// Has this status and everything that every answer has; gives the JSON (null for an empty body).
    pub(crate) fn is(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}\n{}", self.asked(), self.text());
        self.is_well_formed();
        if self.body.is_empty() {
            let may_be_empty = self.method == "HEAD" || matches!(status, 200 | 201 | 204 | 304);
            assert!(may_be_empty, "{}: {status} without a body", self.asked());
            return Value::Null;
        }
        self.value()
    }

    /// Is an error with this status and this text, in its contract's form.
    pub(crate) fn refuses(&self, status: u16, text: &str) -> Value {
        let body = self.is(status);
        assert_eq!(self.error_text(&body), text, "{}", self.asked());
        body
    }

    /// Is a 422 whose complaints are exactly these, field by field.
    pub(crate) fn complains(&self, fields: &[(&str, &str)]) {
        let body = self.is(422);
        if self.is_flat() {
            let texts: Vec<_> = fields.iter().map(|(name, text)| format!("{name}: {text}")).collect();
            assert_eq!(self.error_text(&body), texts.join("; "), "{}", self.asked());
            return;
        }
        let expected: serde_json::Map<String, Value> =
            fields.iter().map(|(name, text)| ((*name).to_owned(), serde_json::json!([text]))).collect();
        assert_eq!(body["error"]["details"]["fields"], Value::Object(expected), "{}", self.asked());
    }

    /// Is a 422 that complains about this field (and maybe about others).
    pub(crate) fn complains_about(&self, field: &str) {
        let body = self.is(422);
        let told = if self.is_flat() {
            self.error_text(&body).split("; ").any(|part| part.starts_with(&format!("{field}: ")))
        } else {
            body["error"]["details"]["fields"][field].as_array().is_some_and(|texts| !texts.is_empty())
        };
        assert!(told, "{}: nothing about {field} in {body}", self.asked());
    }

    /// Is an error with this status as problem details (RFC 9457), said of nothing else.
    pub(crate) fn is_a_problem(&self, status: u16) -> Value {
        let asked = self.asked();
        assert_eq!(self.status, status, "{asked}\n{}", self.text());
        let correlation = self.has_every_header();
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{asked}");
        assert!(self.listed("vary").contains(&"accept".to_owned()), "{asked}: Vary");
        let body = self.value();
        let names: Vec<_> = body.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(
            names,
            ["code", "correlation_id", "detail", "details", "status", "title", "type"],
            "{asked}"
        );
        assert_eq!((&body["type"], &body["status"]), (&"about:blank".into(), &status.into()), "{asked}");
        assert_eq!(body["correlation_id"], correlation, "{asked}");
        assert!(body["details"].is_object(), "{asked}: {body}");
        body
    }

    /// What every answer of this server owes, error or not.
    pub(crate) fn is_well_formed(&self) {
        let asked = self.asked();
        let correlation = self.has_every_header();
        if !self.body.is_empty() {
            let content_type = self.header("content-type");
            assert_eq!(content_type, Some("application/json"), "{asked}: Content-Type\n{}", self.text());
        }
        if self.status >= 400 && self.method != "HEAD" {
            self.is_an_error_of_its_contract(correlation);
            let varies = self.listed("vary").contains(&"accept".to_owned());
            assert_eq!(varies, !self.is_flat(), "{asked}: the errors of v1 have two forms");
        }
    }

    /// Has the headers of every answer and a status that the document knows; gives the correlation id.
    fn has_every_header(&self) -> &str {
        let asked = self.asked();
        for (name, value) in SECURITY {
            assert_eq!(self.header(name), Some(value), "{asked}: {name}");
        }
        let correlation =
            self.header("x-correlation-id").unwrap_or_else(|| panic!("{asked}: no X-Correlation-ID"));
        assert!((1..=128).contains(&correlation.len()), "{asked}: {correlation}");
        if let Some(documented) = document::statuses(&self.method, &self.target) {
            assert!(
                documented.contains(&self.status),
                "{asked}: the document does not know of {}",
                self.status
            );
        }
        correlation
    }

    fn is_an_error_of_its_contract(&self, correlation: &str) {
        let (asked, body) = (self.asked(), self.value());
        if self.is_flat() {
            let category = category(self.status);
            assert_eq!(body["error"], category, "{asked}: {body}");
            assert!(body["detail"].as_str().is_some_and(|text| !text.is_empty()), "{asked}: {body}");
            assert_eq!(body["message"], body["detail"], "{asked}");
            assert_eq!(body["correlation_id"], correlation, "{asked}");
            return;
        }
        assert_eq!(body["success"], false, "{asked}: {body}");
        assert_eq!(body["error"]["code"], code(self.status), "{asked}: {body}");
        assert!(body["error"]["message"].as_str().is_some_and(|text| !text.is_empty()), "{asked}: {body}");
        assert!(body["error"]["details"].is_object(), "{asked}: {body}");
        assert_eq!(body["error"]["correlation_id"], correlation, "{asked}");
    }

    fn error_text<'a>(&self, body: &'a Value) -> &'a str {
        let text = if self.is_flat() { &body["detail"] } else { &body["error"]["message"] };
        text.as_str().unwrap_or_else(|| panic!("{}: no text in {body}", self.asked()))
    }

    /// Whether the path belongs to the todo contract, whose errors are flat.
    fn is_flat(&self) -> bool {
        let path = self.target.split('?').next().unwrap_or_default();
        path.starts_with("/api/") && !path.starts_with("/api/v1/") && path != "/api/v1"
    }

    fn asked(&self) -> String {
        format!("{} {}", self.method, self.target.chars().take(200).collect::<String>())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).chars().take(2_000).collect()
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn unchunk(mut rest: &[u8]) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    loop {
        let end = find(rest, b"\r\n").ok_or("a chunk broke off")?;
        let size =
            std::str::from_utf8(&rest[..end]).ok().and_then(|text| usize::from_str_radix(text, 16).ok());
        let size = size.ok_or("a chunk without a size")?;
        rest = &rest[end + 2..];
        if rest.len() < size + 2 {
            return Err("a chunk broke off".to_owned());
        }
        body.extend_from_slice(&rest[..size]);
        rest = &rest[size + 2..];
        if size == 0 {
            return if rest.is_empty() { Ok(body) } else { Err("more than one answer".to_owned()) };
        }
    }
}

/// An error without what differs between any two answers.
pub(crate) fn without_correlation(mut body: Value) -> Value {
    for place in ["/correlation_id", "/error/correlation_id"] {
        if let Some(id) = body.pointer_mut(place) {
            *id = Value::Null;
        }
    }
    body
}

/// `error` of a flat error.
fn category(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        412 => "Precondition Failed",
        413 => "Payload Too Large",
        415 => "Unsupported Media Type",
        422 => "Validation Error",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        other => panic!("no test expects {other}"),
    }
}

/// `error.code` of a nested error.
fn code(status: u16) -> &'static str {
    match status {
        400 => "BAD_REQUEST",
        401 => "UNAUTHORIZED",
        403 => "FORBIDDEN",
        404 => "NOT_FOUND",
        405 => "METHOD_NOT_ALLOWED",
        408 => "REQUEST_TIMEOUT",
        409 => "CONFLICT",
        412 => "PRECONDITION_FAILED",
        413 => "PAYLOAD_TOO_LARGE",
        415 => "UNSUPPORTED_MEDIA_TYPE",
        422 => "VALIDATION_ERROR",
        428 => "PRECONDITION_REQUIRED",
        429 => "RATE_LIMITED",
        503 => "SERVICE_UNAVAILABLE",
        other => panic!("no test expects {other}"),
    }
}
