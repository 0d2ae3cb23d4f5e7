//! Session tokens against an auth server that knows some, forgets them, and fails.

use std::time::Instant;

use serde_json::{Value, json};

use super::*;
use crate::auth::jwks::Pace;
use crate::auth::refusal::reason;
use crate::auth::samples::auth_server::{AuthServer, Play};
use crate::auth::samples::kept_log::KeptLog;
use crate::auth::samples::*;
use crate::auth::verifier::Verifier;

const TOKEN: &str = "abcdefghijklmnopqrstuvwxyz012345";

fn session() -> Value {
    json!({
        "session": {"expiresAt": "2027-01-15T09:00:00.000Z", "token": TOKEN, "userId": "ann"},
        "user": {"id": "ann", "email": "ann@example.test", "name": "Ann", "emailVerified": true},
    })
}

fn verifier_of(server: &AuthServer) -> Verifier {
    let config = AuthConfig { sessions: true, ..config_with_set(&server.origin()) };
    let pace = Pace { timeout: Duration::from_secs(1), ..Pace::default() };
    Verifier::with_pace(&config, None, pace).unwrap()
}

/// Another token of the right form.
fn token(number: usize) -> String {
    format!("{number:032}")
}

async fn verdict(verifier: &Verifier, token: &str, at: i64) -> &'static str {
    match verifier.verify(token, now(at)).await {
        Ok(verified) => {
            assert_eq!(verified.user.as_str(), "ann");
            "ok"
        }
        Err(Rejection::Refused(refusal)) => refusal.reason,
        Err(Rejection::Unavailable { retry_after }) => {
            assert!(retry_after > Duration::ZERO);
            "unavailable"
        }
    }
}

#[tokio::test]
async fn a_session_is_looked_up_and_remembered_for_half_a_minute() {
    let server = AuthServer::start(Play::json(&session())).await;
    let verifier = verifier_of(&server);
    let verified = verifier.verify(TOKEN, now(0)).await.unwrap();
    assert_eq!(verified.email.as_deref(), Some("ann@example.test"));
    assert_eq!(verified.name.as_deref(), Some("Ann"));
    assert_eq!(verified.expires_at, now(3_600));
    for at in [0, 1, 29] {
        assert_eq!(verdict(&verifier, TOKEN, at).await, "ok");
    }
    assert_eq!(server.count(), 1);
    // Signed out there: here no later than half a minute after it was looked up.
    server.play(Play::body("null"));
    assert_eq!(verdict(&verifier, TOKEN, 30).await, reason::SESSION);
    assert_eq!(server.count(), 2);
    assert_eq!(verdict(&verifier, TOKEN, 34).await, reason::SESSION);
    assert_eq!(server.count(), 2, "a browser that goes on asking costs little");
    server.play(Play::json(&session()));
    assert_eq!(verdict(&verifier, TOKEN, 35).await, "ok");
}

#[tokio::test]
async fn a_session_ends_at_its_end() {
    let mut short = session();
    short["session"]["expiresAt"] = json!("2027-01-15T08:00:10Z");
    let server = AuthServer::start(Play::json(&short)).await;
    let verifier = verifier_of(&server);
    assert_eq!(verdict(&verifier, TOKEN, 0).await, "ok");
    assert_eq!(verdict(&verifier, TOKEN, 9).await, "ok");
    assert_eq!(server.count(), 1);
    assert_eq!(verdict(&verifier, TOKEN, 10).await, "ok", "asked again, and the clocks may differ");
    assert_eq!(server.count(), 2);
    assert_eq!(verdict(&verifier, TOKEN, 40).await, reason::EXPIRED);
}

#[tokio::test]
async fn the_token_is_sent_as_cookie_and_bearer() {
    let server = AuthServer::start(Play::json(&session())).await;
    let signed = format!("{TOKEN}.qXv0T2Qy0lLrXbX8nIYl1V3gk9yqT0vJ8k7y7bqX/+Q=");
    assert_eq!(verdict(&verifier_of(&server), &signed, 0).await, "ok");
    assert_eq!(verdict(&verifier_of(&server), TOKEN, 0).await, "ok");
    let requests = server.requests();
    let value = format!("{TOKEN}.qXv0T2Qy0lLrXbX8nIYl1V3gk9yqT0vJ8k7y7bqX%2F%2BQ%3D");
    for part in [
        "GET /api/auth/get-session HTTP/1.1\r\n".to_owned(),
        format!("\r\nauthorization: Bearer {signed}\r\n"),
        format!(
            "\r\ncookie: better-auth.session_token={value}; __Secure-better-auth.session_token={value}\r\n"
        ),
    ] {
        assert!(requests[0].contains(&part), "{part} is not in {}", requests[0]);
    }
    assert!(requests[1].contains(&format!("authorization: Bearer {TOKEN}")));
    assert!(!requests[1].contains("cookie:"), "nobody here can sign it");
    let config = AuthConfig { sessions: true, secret: Some(secret()), ..config_with_set(&server.origin()) };
    assert_eq!(verdict(&Verifier::new(&config, None).unwrap(), TOKEN, 0).await, "ok");
    assert!(server.requests()[2].contains(&format!("cookie: better-auth.session_token={TOKEN}.")));
}

#[tokio::test]
async fn one_question_at_a_time_for_each_token() {
    let server =
        AuthServer::start(Play::Late(Duration::from_millis(100), Box::new(Play::json(&session())))).await;
    let verifier = verifier_of(&server);
    let ask = |token: String| {
        let verifier = verifier.clone();
        tokio::spawn(async move { verdict(&verifier, &token, 0).await })
    };
    let waiting: Vec<_> = (0..50).map(|number| ask(token(number % 2))).collect();
    // A client that goes away does not take the answer with it.
    waiting[0].abort();
    for one in waiting.into_iter().skip(1) {
        assert_eq!(one.await.unwrap(), "ok");
    }
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn an_auth_server_in_trouble_refuses_nobody() {
    let elsewhere = AuthServer::start(Play::json(&session())).await;
    let server = AuthServer::start(Play::json(&session())).await;
    let verifier = verifier_of(&server);
    for (number, trouble) in [
        Play::status(500),
        Play::status(429),
        Play::status(403),
        Play::status(404),
        Play::body("<html>"),
        Play::body("{}"),
        Play::body(format!("{{\"x\":\"{}\"}}", "x".repeat(10 << 20))),
        Play::redirect(&format!("{}/api/auth/get-session", elsewhere.origin())),
        Play::redirect("/api/auth/get-session/"),
        Play::Hang,
        Play::Drip,
    ]
    .into_iter()
    .enumerate()
    {
        server.play(trouble.clone());
        let begin = Instant::now();
        assert_eq!(verdict(&verifier, &token(number), 0).await, "unavailable", "{trouble:.100?}");
        assert!(begin.elapsed() < Duration::from_secs(5));
        server.play(Play::json(&session()));
        assert_eq!(verdict(&verifier, &token(number), 0).await, "ok", "no trouble is remembered");
    }
    server.down().await;
    assert_eq!(verdict(&verifier, TOKEN, 0).await, "unavailable");
    assert_eq!(verdict(&verifier, &token(0), 0).await, "ok", "remembered");
    server.up().await;
    assert_eq!(verdict(&verifier, TOKEN, 0).await, "ok");
    assert_eq!(elsewhere.count(), 0);
}

#[tokio::test]
async fn a_crowd_queues() {
    let server =
        AuthServer::start(Play::Late(Duration::from_millis(20), Box::new(Play::json(&session())))).await;
    let config = AuthConfig { sessions: true, ..config_with_set(&server.origin()) };
    let verifier = Verifier::new(&config, None).unwrap();
    let crowd: Vec<_> = (0..MOST_FLIGHTS + 50)
        .map(|number| {
            let verifier = verifier.clone();
            tokio::spawn(async move { verdict(&verifier, &token(number), 0).await })
        })
        .collect();
    let mut answers = Vec::new();
    for one in crowd {
        answers.push(one.await.unwrap());
    }
    let of = |what| answers.iter().filter(|answer| **answer == what).count();
    assert_eq!((of("ok"), of("unavailable")), (MOST_FLIGHTS, 50));
    assert_eq!(verdict(&verifier, TOKEN, 0).await, "ok");
}

#[tokio::test]
async fn sessions_are_opted_in_to() {
    let server = AuthServer::start(Play::json(&session())).await;
    let off = Verifier::new(&config_with_set(&server.origin()), None).unwrap();
    assert_eq!(verdict(&off, TOKEN, 0).await, reason::SESSION_TOKEN);
    assert_eq!(server.count(), 0);
    let alone = AuthConfig { sessions: true, ..config_with_secret() };
    assert!(
        Verifier::new(&alone, None).unwrap_err().starts_with("BETTER_AUTH_SESSIONS needs BETTER_AUTH_URL")
    );
    // What has another form is no session token: nobody is asked, and nothing slips into a header.
    let on = verifier_of(&server);
    for text in [
        "abcdefghijklmnopqrstuvwxyz01234",
        "abcdefghijklmnopqrstuvwxyz0123456",
        "abcdefghijklmnopqrstuvwxyz01234;",
        "abcdefghijklmnopqrstuvwxyz012345.",
        "abcdefghijklmnopqrstuvwxyz012345.a;b",
        "abcdefghijklmnopqrstuvwxyz012345.a b",
        "abcdefghijklmnopqrstuvwxyz012345.a\r\nX: y",
        "abcdefghijklmnopqrstuvwxyz012345.a.b",
        &format!("{TOKEN}.{}", "a".repeat(129)),
    ] {
        assert_eq!(verdict(&on, text, 0).await, reason::MALFORMED, "{text:?}");
    }
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn no_token_is_in_the_log() {
    let log = KeptLog::keep();
    let server = AuthServer::start(Play::json(&session())).await;
    let verifier = verifier_of(&server);
    assert_eq!(verdict(&verifier, TOKEN, 0).await, "ok");
    server.play(Play::status(500));
    assert_eq!(verdict(&verifier, &token(1), 0).await, "unavailable");
    let lines = log.lines();
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(lines[0].contains("Session verified") && lines[0].contains("user_id=ann"), "{lines:?}");
    assert!(lines[1].contains("/api/auth/get-session") && lines[1].contains("status 500"), "{lines:?}");
    for secret in [TOKEN, &token(1)] {
        assert!(!lines.concat().contains(secret) && !format!("{verifier:?}").contains(secret), "{lines:?}");
    }
}
