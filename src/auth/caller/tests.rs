//! From a request's header and path to its caller, through a real router.

use std::io;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::auth::jwks::Pace;
use crate::auth::refusal::RefusalKind;
use crate::auth::samples::auth_server::{AuthServer, Play};
use crate::auth::samples::kept_log::KeptLog;
use crate::auth::samples::*;
use crate::config::auth::AuthConfig;

#[derive(Clone)]
struct State {
    verifier: Verifier,
    clock: Clock,
}

impl FromRef<State> for Verifier {
    fn from_ref(state: &State) -> Self {
        state.verifier.clone()
    }
}

impl FromRef<State> for Clock {
    fn from_ref(state: &State) -> Self {
        state.clock.clone()
    }
}

/// Answers with the caller's user id.
async fn who(caller: Caller) -> String {
    caller.user.to_string()
}

fn router() -> Router {
    let verifier = Verifier::new(&config_with_secret(), None).unwrap();
    Router::new()
        .route("/api/{user_id}/tasks", get(who))
        .route("/api/{user_id}/tasks/{id}", get(who))
        .route("/api/tasks", get(who))
        .nest("/api/v1/{user_id}", Router::new().route("/ideas", get(who)))
        .fallback(who)
        .with_state(State { verifier, clock: Clock::held(now(0)) })
}

fn token_of(user: &str) -> String {
    hs256_claims(&payload_with(json!({"sub": user})))
}

/// The answer's status and either the user or the error.
async fn ask(path: &str, authorization: &[&[u8]]) -> (StatusCode, Result<String, ApiError>) {
    let mut request = Request::get(path);
    for value in authorization {
        request = request.header(AUTHORIZATION, *value);
    }
    let response = router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status();
    if let Some(error) = response.extensions().get::<ApiError>().cloned() {
        return (status, Err(error));
    }
    let bytes = axum::body::to_bytes(response.into_body(), 9_999).await.unwrap();
    (status, Ok(String::from_utf8(bytes.to_vec()).unwrap()))
}

async fn status_for(path: &str, user: &str) -> u16 {
    let bearer = format!("Bearer {}", token_of(user));
    let (status, answer) = ask(path, &[bearer.as_bytes()]).await;
    if let Ok(text) = answer {
        assert_eq!(text, user, "{path}");
    }
    status.as_u16()
}

async fn refusal_of(authorization: &[&[u8]]) -> (RefusalKind, &'static str) {
    match ask("/api/ann/tasks", authorization).await {
        (StatusCode::UNAUTHORIZED, Err(ApiError::Unauthorized(refusal))) => (refusal.kind, refusal.reason),
        (status, answer) => panic!("{status} {answer:?}"),
    }
}

#[tokio::test]
async fn the_owner_gets_in() {
    for path in [
        "/api/ann/tasks",
        "/api/ann/tasks/1",
        "/api/me/tasks",
        "/api/tasks",
        "/api/v1/ann/ideas",
        "/api/v1/me/ideas",
    ] {
        assert_eq!(status_for(path, "ann").await, 200, "{path}");
    }
    assert_eq!(status_for("/api/a%6En/tasks", "ann").await, 200, "one percent-decoding");
    assert_eq!(status_for("/api/%6de/tasks", "ann").await, 200);
    for (path, user) in [
        ("/api/a%2Fb/tasks", "a/b"),
        ("/api/a+b/tasks", "a+b"),
        ("/api/a%20b/tasks", "a b"),
        ("/api/a%2541/tasks", "a%41"),
        ("/api/%C3%84/tasks", "Ä"),
        ("/api/auth0|x@y/tasks", "auth0|x@y"),
    ] {
        assert_eq!(status_for(path, user).await, 200, "{path}");
    }
}

#[tokio::test]
async fn another_path_than_the_own_is_forbidden() {
    for (path, user) in [
        ("/api/bob/tasks", "ann"),
        ("/api/bob/tasks/1", "ann"),
        ("/api/v1/bob/ideas", "ann"),
        ("/api/Ann/tasks", "ann"),
        ("/api/ann./tasks", "ann"),
        ("/api/ann%20/tasks", "ann"),
        ("/api/ann%0A/tasks", "ann"),
        ("/api/a%252Fb/tasks", "a/b"),
        ("/api/a%256En/tasks", "ann"),
        ("/api/a+b/tasks", "a b"),
        ("/api/A%CC%88/tasks", "Ä"),
        ("/api/Me/tasks", "ann"),
        ("/api/an/tasks", "ann"),
        ("/api/anna/tasks", "ann"),
    ] {
        assert_eq!(status_for(path, user).await, 403, "{path} for {user}");
    }
}

#[tokio::test]
async fn a_routes_name_is_nobodys_id() {
    for user in ["v1", "tasks", "ideas", "users", "me"] {
        for path in [format!("/api/{user}/tasks"), "/api/me/tasks".to_owned(), "/api/v1/me/ideas".to_owned()]
        {
            assert_eq!(status_for(&path, user).await, 403, "{path}");
        }
        assert_eq!(status_for("/api/tasks", user).await, 403, "{user}");
    }
    assert_eq!(status_for("/api/V1/tasks", "V1").await, 200);
}

#[tokio::test]
async fn a_bad_path_comes_before_the_token_and_the_token_before_the_owner() {
    for path in [
        "/api/%/tasks",
        "/api/%4/tasks",
        "/api/%zz/tasks",
        "/api/%FF/tasks",
        "/api/a%00/tasks",
        "/api/ann/tasks/%C3",
        "/api/v1/a%00b/ideas",
        "/nowhere/%FF",
        "/nowhere/%00",
    ] {
        let (status, answer) = ask(path, &[]).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}");
        assert!(matches!(answer, Err(ApiError::BadRequest(_))), "{path}");
    }
    let (status, _) = ask("/api/bob/tasks", &[b"Bearer x"]).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let (status, _) = ask("/nowhere", &[]).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "a route without parameters at all");
}

#[tokio::test]
async fn the_header_is_read_as_it_is_written() {
    let token = token_of("ann");
    for value in [
        format!("Bearer {token}"),
        format!("bearer {token}"),
        format!("BEARER {token}"),
        format!("Bearer   {token} "),
    ] {
        assert_eq!(ask("/api/ann/tasks", &[value.as_bytes()]).await.1.unwrap(), "ann", "{value}");
    }
    for value in
        ["", " ", "Bearer", "Bearer ", "bearer   ", "Basic YTpi", "Digest", &token, &format!("Token {token}")]
    {
        let (kind, _) = refusal_of(&[value.as_bytes()]).await;
        assert_eq!(kind, RefusalKind::Missing, "{value:?}");
    }
    assert_eq!(refusal_of(&[]).await, (RefusalKind::Missing, reason::MISSING));
    assert_eq!(refusal_of(&[b"Basic YTpi"]).await, (RefusalKind::Missing, reason::SCHEME));
    let good = format!("Bearer {token}");
    assert_eq!(
        refusal_of(&[good.as_bytes(), good.as_bytes()]).await,
        (RefusalKind::Invalid, reason::SEVERAL)
    );
    let listed = format!("Bearer {token}, Bearer {token}");
    assert_eq!(refusal_of(&[listed.as_bytes()]).await, (RefusalKind::Invalid, reason::MALFORMED));
    assert_eq!(refusal_of(&[b"Bearer \xff"]).await, (RefusalKind::Invalid, reason::MALFORMED));
    assert_eq!(refusal_of(&[b"Bearer undefined"]).await, (RefusalKind::Invalid, reason::MALFORMED));
    let long = format!("Bearer {}", "a".repeat(16 * 1024));
    assert_eq!(refusal_of(&[long.as_bytes()]).await, (RefusalKind::Invalid, reason::TOO_LONG));
    let old = format!("Bearer {}", hs256_claims(&payload_with(json!({"exp": NOW - 31}))));
    assert_eq!(refusal_of(&[old.as_bytes()]).await, (RefusalKind::Expired, reason::EXPIRED));
}

#[tokio::test]
async fn the_challenge_says_whether_a_token_was_sent() {
    for (value, challenge) in [(None, "Bearer"), (Some("Bearer x"), "Bearer error=\"invalid_token\"")] {
        let mut request = Request::get("/api/ann/tasks");
        if let Some(value) = value {
            request = request.header(AUTHORIZATION, value);
        }
        let response = router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.headers()["www-authenticate"], challenge);
    }
}

#[tokio::test]
async fn the_log_finds_the_user_and_the_handler_its_deadline() {
    let deadline = Instant::now() + Duration::from_secs(7);
    let state =
        State { verifier: Verifier::new(&config_with_secret(), None).unwrap(), clock: Clock::held(now(0)) };
    let handler = move |caller: Caller| async move {
        assert_eq!(caller.deadline, deadline);
        assert_eq!(caller.token_expires_at, now(900));
        assert_eq!(caller.email, None);
    };
    let router = Router::new().route("/api/{user_id}/tasks", get(handler)).with_state(state);
    for (path, token, user, status) in [
        ("/api/me/tasks", token_of("ann"), Some("ann"), 200),
        ("/api/bob/tasks", token_of("ann"), Some("ann"), 403),
        ("/api/ann/tasks", "x".to_owned(), None, 401),
    ] {
        let seen = SeenUser::default();
        let request = Request::get(path).header(AUTHORIZATION, format!("Bearer {token}"));
        let request =
            request.extension(seen.clone()).extension(Deadline(deadline)).body(Body::empty()).unwrap();
        assert_eq!(router.clone().oneshot(request).await.unwrap().status().as_u16(), status);
        assert_eq!(seen.get().map(UserId::as_str), user, "{path}");
    }
}

#[tokio::test]
async fn refusals_are_logged_each_and_successes_once() -> io::Result<()> {
    let log = KeptLog::keep();
    let router = router();
    let tokens = [
        token_of("ann"),
        token_of("ann"),
        "canary.canary.canary".to_owned(),
        hs256_claims(&json!({"exp": 1})),
    ];
    for token in &tokens {
        let request = Request::get("/api/me/tasks").header(AUTHORIZATION, format!("Bearer {token}"));
        let _answer = router.clone().oneshot(request.body(Body::empty()).map_err(io::Error::other)?).await;
    }
    let lines = log.lines();
    let expected = [
        "DEBUG message=Token verified user_id=ann",
        "WARN message=Authentication failed reason=\"malformed_token\" detail=",
        "WARN message=Authentication failed reason=\"expired\" detail=\"expired",
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, start) in lines.iter().zip(expected) {
        assert!(line.starts_with(start), "{line}");
        assert!(!line.contains("canary") && !line.contains(tokens[3].rsplit('.').next().unwrap()), "{line}");
    }
    Ok(())
}

#[tokio::test]
async fn an_auth_server_that_does_not_answer_is_503_and_not_401() {
    let server = AuthServer::start(Play::status(500)).await;
    let verifier = Verifier::new(&config_with_set(&server.origin()), None).unwrap();
    let state = State { verifier, clock: Clock::held(now(0)) };
    let router = Router::new().route("/api/{user_id}/tasks", get(who)).with_state(state);
    let signer = Signer::ed25519();
    let ask = |path: &str| {
        let bearer = format!("Bearer {}", signer.claims(&payload()));
        let request = Request::get(path).header(AUTHORIZATION, bearer).body(Body::empty()).unwrap();
        router.clone().oneshot(request)
    };
    let response = ask("/api/ann/tasks").await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["retry-after"], "5");
    assert!(!response.headers().contains_key("www-authenticate"));
    server.play(Play::keys(&[signer.jwk("k1")]));
    assert_eq!(ask("/api/ann/tasks").await.unwrap().status(), StatusCode::OK);
    assert_eq!(ask("/api/bob/tasks").await.unwrap().status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn every_refused_token_of_the_corpus_is_401_and_one_line_of_the_log() {
    let corpus: Value = serde_json::from_str(include_str!("../../../tests/corpus/tokens.json")).unwrap();
    let server = AuthServer::start(Play::json(&json!({"keys": corpus["keys"]}))).await;
    let config = AuthConfig { secret: Some(secret()), ..config_with_set(&server.origin()) };
    let pace = Pace { between: Duration::ZERO, ..Pace::default() };
    let verifier = Verifier::with_pace(&config, None, pace).unwrap();
    let state = State { verifier, clock: Clock::held(now(0)) };
    let router = Router::new().route("/api/{user_id}/tasks", get(who)).with_state(state);
    let mut refused = 0;
    for one in corpus["tokens"].as_array().unwrap() {
        let (about, token) = (&one["about"], one["token"].as_str().unwrap());
        let log = KeptLog::keep();
        let request = Request::get("/api/me/tasks").header(AUTHORIZATION, format!("Bearer {token}"));
        let response = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        if one["verdict"] == "ok" {
            assert_eq!(response.status(), StatusCode::OK, "{about}");
            continue;
        }
        refused += 1;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{about}");
        assert_eq!(response.headers()["www-authenticate"], "Bearer error=\"invalid_token\"", "{about}");
        // Beside it stands what the fetched set looks like, once.
        let all = log.lines();
        let lines: Vec<_> = all.iter().filter(|line| line.contains("Authentication failed")).collect();
        let reason = format!("WARN message=Authentication failed reason={}", one["verdict"]);
        assert!(lines.len() == 1 && lines[0].starts_with(&reason), "{about}: {all:#?}");
        for part in token.split('.').filter(|part| part.len() > 20) {
            assert!(all.iter().all(|line| !line.contains(part)), "{about}: {all:#?}");
        }
    }
    assert!(refused > 300);
}

/// Lets so many strangers through, and then nobody.
struct Few(std::sync::atomic::AtomicUsize);

impl gate::Gate for Few {
    fn user(self: Arc<Self>, _user: &UserId) -> gate::Asked {
        gate::Asked::Now(Ok(()))
    }

    fn stranger(self: Arc<Self>) -> gate::Asked {
        let taken = self.0.fetch_update(
            std::sync::atomic::Ordering::SeqCst,
            std::sync::atomic::Ordering::SeqCst,
            |left| left.checked_sub(1),
        );
        gate::Asked::Now(taken.map(drop).map_err(|_| TooMany(Duration::from_secs(7))))
    }

    fn may_ask(&self) -> Verdict {
        let left = self.0.load(std::sync::atomic::Ordering::SeqCst);
        if left > 0 { Ok(()) } else { Err(TooMany(Duration::from_secs(7))) }
    }

    fn client(&self) -> Option<std::net::IpAddr> {
        None
    }
}

fn behind(few: usize, verifier: Verifier) -> impl AsyncFn(&str) -> StatusCode {
    let gate: Arc<dyn gate::Gate> = Arc::new(Few(few.into()));
    let state = State { verifier, clock: Clock::held(now(0)) };
    let router = Router::new().route("/api/{user_id}/tasks", get(who)).with_state(state);
    async move |token: &str| {
        let request = Request::get("/api/me/tasks").header(AUTHORIZATION, format!("Bearer {token}"));
        let request = request.extension(AtGate(Arc::clone(&gate))).body(Body::empty()).unwrap();
        router.clone().oneshot(request).await.unwrap().status()
    }
}

#[tokio::test]
async fn past_its_limit_an_address_makes_nobody_ask_about_sessions() {
    let log = KeptLog::keep();
    let session = json!({"user": {"id": "ann"}});
    let server = AuthServer::start(Play::json(&session)).await;
    let config = AuthConfig { sessions: true, ..config_with_set(&server.origin()) };
    let ask = behind(2, Verifier::new(&config, None).unwrap());
    let token = |number: usize| format!("{number:032}");
    assert_eq!(ask(&token(0)).await, StatusCode::OK);
    server.play(Play::status(500));
    let (troubled, many) = (StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS);
    for (number, status) in [(1, troubled), (2, troubled), (3, many), (4, many)] {
        assert_eq!(ask(&token(number)).await, status, "{number}");
    }
    assert_eq!(server.count(), 3, "the auth server was left alone");
    assert_eq!(log.lines().iter().filter(|line| line.starts_with("WARN")).count(), 2, "and so was the log");
    assert_eq!(ask(&token(0)).await, StatusCode::OK, "who is known is not limited by an address");
}

#[tokio::test]
async fn past_its_limit_an_address_makes_nobody_ask_for_keys_and_fills_no_log() {
    let log = KeptLog::keep();
    let signer = Signer::ed25519();
    let server = AuthServer::start(Play::keys(&[signer.jwk("k1")])).await;
    let pace = Pace { between: Duration::ZERO, ..Pace::default() };
    let ask = behind(1, Verifier::with_pace(&config_with_set(&server.origin()), None, pace).unwrap());
    let good = signer.claims(&payload());
    assert_eq!(ask(&good).await, StatusCode::OK);
    let strange = Signer::ed25519().claims_by("k9", &payload());
    assert_eq!(ask(&strange).await, StatusCode::UNAUTHORIZED);
    let fetched = server.count();
    for token in [strange.as_str(), "no.token.atall"] {
        assert_eq!(ask(token).await, StatusCode::TOO_MANY_REQUESTS);
    }
    assert_eq!(server.count(), fetched);
    assert_eq!(ask(&good).await, StatusCode::OK);
    let told: Vec<_> =
        log.lines().into_iter().filter(|line| line.contains("Authentication failed")).collect();
    assert!(told.len() == 2 && told[0].starts_with("WARN") && told[1].starts_with("DEBUG"), "{told:#?}");
}
