//! A server with nothing but `BETTER_AUTH_URL`, from its start while the auth server is away to a rotation of its key.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use axum::Router;
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use creatorvault::app::{App, router};
use creatorvault::clock::Clock;
use creatorvault::config::Config;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tower::ServiceExt;

/// Answers every request with this text, or with 500 while there is none.
type Page = Arc<Mutex<Option<String>>>;

/// An auth server and where it is.
async fn auth_server() -> (String, Page) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let page = Page::default();
    let shown = Arc::clone(&page);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (mut head, mut buffer) = (Vec::new(), [0; 4_096]);
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read(&mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(read) => head.extend_from_slice(&buffer[..read]),
                }
            }
            let text = shown.lock().unwrap().clone();
            let (status, text) = text.map_or((500, String::new()), |text| (200, text));
            let length = text.len();
            let answer =
                format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}");
            let _gone = stream.write_all(answer.as_bytes()).await;
        }
    });
    (origin, page)
}

/// A key of the auth server.
struct Key(Ed25519KeyPair, &'static str);

impl Key {
    fn new(id: &'static str) -> Self {
        Self(Ed25519KeyPair::generate().unwrap(), id)
    }

    fn jwk(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.0.public_key());
        json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": self.1, "x": x})
    }

    /// A token as the jwt() plugin makes it.
    fn token(&self, origin: &str, clock: &Clock) -> String {
        let now = clock.now().seconds();
        let claims =
            json!({"sub": "ann", "name": "Ann", "iss": origin, "aud": origin, "iat": now, "exp": now + 900});
        let header = json!({"alg": "EdDSA", "kid": self.1});
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(self.0.sign(signed.as_bytes())))
    }
}

fn set_of(keys: &[&Key]) -> Option<String> {
    let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
    Some(json!({ "keys": keys }).to_string())
}

/// The status, `Retry-After` and body of `GET /api/v1/auth/verify`.
async fn ask(router: &Router, token: &str) -> (StatusCode, Option<String>, Value) {
    let request = Request::get("/api/v1/auth/verify").header("authorization", format!("Bearer {token}"));
    let request = request.header("host", "localhost").body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    assert_eq!(response.headers().contains_key("www-authenticate"), status == StatusCode::UNAUTHORIZED);
    let retry_after = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, retry_after, serde_json::from_slice(&body).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_an_absent_auth_server_to_a_rotation() {
    let folder = tempfile::tempdir().unwrap();
    let (origin, page) = auth_server().await;
    let database = format!("sqlite://{}", folder.path().join("creatorvault.db").display());
    let vars = [("BETTER_AUTH_URL", origin.as_str()), ("DATABASE_URL", &database)];
    let vars = vars.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let (config, _) = Config::from_vars(vars).unwrap();
    let clock = Clock::system();
    let app = App::open(config, clock.clone()).await.unwrap();
    let router = router(Arc::clone(&app));
    let (old, new) = (Key::new("old"), Key::new("new"));

    let (status, retry_after, body) = ask(&router, &old.token(&origin, &clock)).await;
    assert_eq!((status, retry_after.as_deref()), (StatusCode::SERVICE_UNAVAILABLE, Some("5")));
    assert_eq!(body["error"]["code"], "SERVICE_UNAVAILABLE");
    let state = app.verifier.key_set_state().unwrap();
    assert!(state.sole_source && !state.loaded && state.failures > 0);

    // It comes without a request.
    *page.lock().unwrap() = set_of(&[&old]);
    for _ in 0..300 {
        if app.verifier.key_set_state().unwrap().loaded {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (status, _, body) = ask(&router, &old.token(&origin, &clock)).await;
    assert_eq!((status, &body["user_id"], &body["name"]), (StatusCode::OK, &json!("ann"), &json!("Ann")));

    // The new key's first request succeeds, and the old one's tokens go on.
    *page.lock().unwrap() = set_of(&[&new, &old]);
    assert_eq!(ask(&router, &new.token(&origin, &clock)).await.0, StatusCode::OK);
    assert_eq!(ask(&router, &old.token(&origin, &clock)).await.0, StatusCode::OK);

    // While the auth server is away again, known keys go on.
    *page.lock().unwrap() = None;
    assert_eq!(ask(&router, &new.token(&origin, &clock)).await.0, StatusCode::OK);
}
