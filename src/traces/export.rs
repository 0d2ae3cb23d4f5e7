//! Sends spans to a collector: OTLP over HTTP, in batches, from a thread of the SDK's. A collector that is away costs a
//! line in the log and the spans, and no request anything.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use reqwest::Client;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::Handle;
use tracing::Metadata;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Identity, Layer};
use tracing_subscriber::registry::Registry;

/// How long a collector may take for one batch.
const PATIENCE: Duration = Duration::from_secs(10);

/// Of what a collector answers so much is read.
const LONGEST_ANSWER: usize = 64 << 10;

/// Sends traces, where a collector is named.
#[derive(Debug)]
pub struct Traces(Option<SdkTracerProvider>);

impl Traces {
    /// Sends to `endpoint` (the collector's base address; `/v1/traces` is put behind it), with these headers, as the
    /// service of that name. Sends nothing where there is no endpoint.
    ///
    /// # Errors
    /// One line that names the variable.
    pub fn start(
        endpoint: Option<&str>,
        headers: HashMap<String, String>,
        service: &str,
        runtime: Handle,
    ) -> Result<Self, String> {
        let Some(endpoint) = endpoint else { return Ok(Self(None)) };
        let failed =
            |error: &dyn fmt::Display| format!("OTEL_EXPORTER_OTLP_ENDPOINT: no traces can be sent: {error}");
        let client =
            OnRuntime { client: client().map_err(|error| failed(&error))?, runtime, away: Arc::default() };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .with_headers(headers)
            .with_timeout(PATIENCE)
            .build()
            .map_err(|error| failed(&error))?;
        let resource = Resource::builder().with_service_name(service.to_owned()).build();
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
        Ok(Self(Some(provider)))
    }

    /// What makes traces of the process's spans. Events are no part of them: they are the log's.
    pub fn layer(&self) -> Box<dyn Layer<Registry> + Send + Sync> {
        let Some(provider) = &self.0 else { return Box::new(Identity::new()) };
        let layer = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer(env!("CARGO_PKG_NAME")))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_level(false)
            .with_tracked_inactivity(false);
        Box::new(layer.with_filter(filter_fn(is_span)))
    }

    /// Sends what is left, for at most so long.
    pub async fn finish(self, within: Duration) {
        let Some(provider) = self.0 else { return };
        // It blocks while a thread of its own sends, which needs this runtime.
        let ended = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(within));
        if !matches!(tokio::time::timeout(within, ended).await, Ok(Ok(Ok(())))) {
            tracing::warn!(target: "creatorvault::traces", "The last traces were not sent");
        }
    }
}

fn is_span(metadata: &Metadata<'_>) -> bool {
    metadata.is_span()
}

/// As the auth server's: the system's root certificates, and no proxy.
fn client() -> Result<Client, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(tls)
        .http1_only()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .build()
        .map_err(|error| error.to_string())
}

/// A client for a thread that is none of the runtime's.
#[derive(Debug)]
struct OnRuntime {
    client: Client,
    runtime: Handle,
    away: Arc<AtomicBool>,
}

type Sending<'s> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 's>>;

impl HttpClient for OnRuntime {
    fn send_bytes<'s, 'f>(&'s self, request: Request<Bytes>) -> Sending<'f>
    where
        's: 'f,
        Self: 'f,
    {
        let (client, away) = (self.client.clone(), Arc::clone(&self.away));
        let sending = self.runtime.spawn(async move {
            let sent = send(&client, request).await;
            let trouble = match &sent {
                Ok(response) if response.status().is_success() => None,
                Ok(response) => Some(format!("the collector answered {}", response.status().as_u16())),
                Err(error) => Some(told(error)),
            };
            tell(&away, trouble.as_deref());
            Ok(sent?)
        });
        Box::pin(async move { sending.await? })
    }
}

async fn send(client: &Client, request: Request<Bytes>) -> Result<Response<Bytes>, reqwest::Error> {
    let mut response = client.execute(request.try_into()?).await?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let room = LONGEST_ANSWER - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == LONGEST_ANSWER {
            break;
        }
    }
    let mut answer = Response::new(Bytes::from(body));
    *answer.status_mut() = response.status();
    *answer.headers_mut() = std::mem::take(response.headers_mut());
    Ok(answer)
}

/// What went wrong, without the address, which may hold a password.
fn told(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() { "no answer in time".to_owned() } else { "not reached".to_owned() };
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause {
        text = deeper.to_string();
        cause = deeper.source();
    }
    text
}

/// Once when it begins, and once when it is over.
fn tell(away: &AtomicBool, trouble: Option<&str>) {
    let before = away.swap(trouble.is_some(), Ordering::Relaxed);
    match trouble {
        Some(error) if !before => {
            tracing::warn!(target: "creatorvault::traces", error, "Traces cannot be sent");
        }
        None if before => tracing::info!(target: "creatorvault::traces", "Traces are sent again"),
        Some(_) | None => {}
    }
}
