//! `/`: what this is, who you are, a request to try, and where to go from here.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HOST, VARY};
use http::{HeaderMap, HeaderValue};

use super::demo::{Demo, connect, curl};
use crate::app::App;
use crate::config::{Config, Environment};

const FRAME: &str = include_str!("../../../assets/welcome/welcome.html");
const DEV: &str = include_str!("../../../assets/welcome/dev.html");
const LIVE: &str = include_str!("../../../assets/welcome/live.html");

/// The page, or its few facts for a client that asks for JSON and not for HTML.
pub(super) async fn page(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let version = env!("CARGO_PKG_VERSION");
    let (content_type, body) = if wants_json(&headers) {
        let facts = serde_json::json!({
            "service": "creatorvault",
            "version": version,
            "docs": "/docs",
            "redoc": "/redoc",
            "openapi": "/openapi.json",
            "health": "/health",
        });
        ("application/json", facts.to_string())
    } else {
        let who = who(Demo::of(&app.config, &app.clock), &base(&app.config, &headers));
        let html = FRAME.replace("{version}", version).replacen("{who}", &who, 1);
        ("text/html; charset=utf-8", html)
    };
    // In dev mode it shows a token, which no cache may keep.
    let keep = if app.config.auth.dev_mode() { "no-store" } else { "no-cache" };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (CACHE_CONTROL, HeaderValue::from_static(keep)),
        (VARY, HeaderValue::from_static("Accept")),
    ];
    (headers, body).into_response()
}

/// The part of the page that says who its reader is and what to send.
fn who(demo: Option<Demo>, base: &str) -> String {
    match demo {
        Some(demo) => DEV
            .replace("{hours}", &Demo::HOURS.to_string())
            .replace("{user}", &escape(demo.user))
            .replace("{curl}", &escape(&curl(base, &demo.token)))
            .replace("{token}", &escape(&demo.token))
            // The last: what it puts in has braces of its own.
            .replace("{connect}", &escape(&connect(base).join("\n"))),
        None => {
            let request = format!("curl {base}/api/v1/users/me -H \"Authorization: Bearer $TOKEN\"");
            LIVE.replace("{curl}", &escape(&request))
        }
    }
}

/// Whether the client takes JSON and did not ask for a page.
fn wants_json(headers: &HeaderMap) -> bool {
    let mut accepts = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let (mut json, mut html) = (false, false);
    for range in accepts.by_ref().flat_map(|value| value.split(',')) {
        let range = range.split(';').next().unwrap_or_default().trim();
        json |= range.eq_ignore_ascii_case("application/json");
        html |= range.eq_ignore_ascii_case("text/html");
    }
    json && !html
}

/// The address that the reader used. It ends up in a line to paste into a shell, so nothing but a plain host gets in.
fn base(config: &Config, headers: &HeaderMap) -> String {
    let plain = |host: &&str| {
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
    };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).filter(plain);
    let host = host.map_or_else(|| Cow::Owned(format!("localhost:{}", config.http.port)), Cow::Borrowed);
    let scheme = match config.environment {
        Environment::Development => "http",
        Environment::Production => "https",
    };
    format!("{scheme}://{host}")
}

/// A text as it may stand in HTML, in an element or in a quoted attribute.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &http::HeaderName, values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn json_only_for_those_who_want_no_page() {
        for yes in ["application/json", "Application/JSON;q=0.9, */*;q=0.1"] {
            assert!(wants_json(&headers(&ACCEPT, &[yes])), "{yes}");
        }
        for no in ["*/*", "text/html,application/json;q=0.9", "", "application/jsonx"] {
            assert!(!wants_json(&headers(&ACCEPT, &[no])), "{no}");
        }
        assert!(!wants_json(&HeaderMap::new()));
    }

    #[test]
    fn markup_becomes_text() {
        assert_eq!(escape("<a href='x'>\"&"), "&lt;a href=&#39;x&#39;&gt;&quot;&amp;");
    }

    #[test]
    fn a_host_that_a_shell_would_act_on_is_not_repeated() {
        let config = Config::from_vars([]).unwrap().0;
        let of = |host| base(&config, &headers(&HOST, &[host]));
        assert_eq!(of("localhost:8123"), "http://localhost:8123");
        assert_eq!(of("[::1]:8000"), "http://[::1]:8000");
        for bad in ["$(id)", "a b", "x';id;'", ""] {
            assert_eq!(of(bad), "http://localhost:8000", "{bad}");
        }
    }

    #[test]
    fn without_dev_mode_there_is_no_token_to_show() {
        let text = who(None, "https://api.example.com");
        assert!(text.contains("curl https://api.example.com/api/v1/users/me"));
        assert!(!text.contains("Demo user") && !text.contains('{'));
    }
}
