//! Where traces go: `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_SERVICE_NAME`, the names that
//! OpenTelemetry gives them.

use std::collections::HashMap;

use super::{Reader, Secret};

/// The settings of traces.
#[derive(Debug, Clone)]
pub struct TracesConfig {
    /// The collector's base address. It may hold a password.
    pub endpoint: Option<Secret>,
    /// What is sent along to it: keys of a service, mostly.
    pub headers: HashMap<String, Secret>,
    /// What the traces say that they are of.
    pub service: String,
}

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";

impl TracesConfig {
    /// Reads where traces go; what is wrong with it is noted in `reader`.
    pub fn read(reader: &mut Reader) -> Self {
        let endpoint = reader.parse(ENDPOINT, None, parse_endpoint);
        if endpoint.is_some() && !cfg!(feature = "otel") {
            reader.warning(
                ENDPOINT,
                "is set, but this program was built without traces: build it with `cargo build --release --features otel`, \
                 or take it out",
            );
        }
        Self {
            endpoint,
            headers: reader.parse(HEADERS, HashMap::new(), parse_headers),
            service: reader.text("OTEL_SERVICE_NAME").unwrap_or(env!("CARGO_PKG_NAME")).to_owned(),
        }
    }
}

/// The text itself is not repeated: it may hold a password.
fn parse_endpoint(text: &str) -> Result<Option<Secret>, String> {
    let wrong =
        || "must be the address of a collector such as http://127.0.0.1:4318, without /v1/traces".to_owned();
    let url = reqwest::Url::parse(text).map_err(|_| wrong())?;
    let whole = matches!(url.scheme(), "http" | "https") && url.has_host();
    let plain = url.query().is_none() && url.fragment().is_none() && !url.path().ends_with("/v1/traces");
    if whole && plain { Ok(Some(Secret::new(text))) } else { Err(wrong()) }
}

/// `name=value,name=value`, the values percent-encoded where they need it.
fn parse_headers(text: &str) -> Result<HashMap<String, Secret>, String> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let headers = parts.map(|part| {
        let (name, value) = part.split_once('=')?;
        let name = http::HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
        http::HeaderValue::from_str(value.trim()).ok()?;
        Some((name.as_str().to_owned(), Secret::new(value.trim())))
    });
    let wrong = || "must be headers such as x-api-key=abc,x-team=web".to_owned();
    headers.collect::<Option<_>>().ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> (TracesConfig, Vec<String>, Vec<String>) {
        let mut reader =
            Reader::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let config = TracesConfig::read(&mut reader);
        let (problems, warnings) = reader.into_notes();
        (config, problems, warnings)
    }

    #[test]
    fn nothing_is_sent_unless_it_is_said_where() {
        let (config, problems, warnings) = read(&[]);
        assert!(config.endpoint.is_none() && config.headers.is_empty());
        assert_eq!(config.service, "creatorvault");
        assert_eq!((problems, warnings), (vec![], vec![]));
    }

    #[test]
    fn a_collector_is_named_with_its_headers_and_never_shown() {
        let (config, problems, warnings) = read(&[
            (ENDPOINT, "https://canary:canary@otel.example.com/otlp"),
            (HEADERS, "X-Api-Key=canary%20, x-team=web,"),
            ("OTEL_SERVICE_NAME", "vault"),
        ]);
        assert_eq!(problems, [""; 0]);
        assert_eq!(warnings.len(), usize::from(!cfg!(feature = "otel")), "{warnings:?}");
        assert!(warnings.iter().all(|warning| warning.contains("--features otel")));
        assert_eq!(config.headers["x-api-key"].expose(), "canary%20");
        assert_eq!((config.headers.len(), config.service.as_str()), (2, "vault"));
        assert!(!format!("{config:?}{warnings:?}").contains("canary"));
    }

    #[test]
    fn what_is_wrong_names_the_cure_and_is_not_repeated() {
        for value in
            ["canary", "localhost:4318", "ftp://canary", "http://canary/v1/traces", "http://canary?x=1"]
        {
            let (_, problems, _) = read(&[(ENDPOINT, value)]);
            assert!(
                problems[0].starts_with("OTEL_EXPORTER_OTLP_ENDPOINT must be the address"),
                "{problems:?}"
            );
            assert!(!problems[0].contains("canary"));
        }
        for value in ["canary", "bad name=canary", "x=canary\n"] {
            let (_, problems, _) = read(&[(HEADERS, value), (ENDPOINT, "http://x:4318")]);
            let said =
                problems.first().is_none_or(|text| text.starts_with("OTEL_EXPORTER_OTLP_HEADERS must be"));
            assert!(said && !format!("{problems:?}").contains("canary"), "{problems:?}");
            assert_eq!(problems.is_empty(), value.ends_with('\n'), "{value:?}");
        }
    }
}
