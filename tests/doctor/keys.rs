use super::auth_server::{Answer, KEYS, always, answering};
use super::{Findings, Folder, SECRET, closed_port};

/// The findings with that auth server as the only source of keys.
fn with(origin: &str) -> Findings {
    Folder::new().doctor(&[("BETTER_AUTH_URL", origin)])
}

#[test]
fn a_good_key_set_is_listed_with_ids_and_algorithms() {
    let origin = answering(|path| (path == "/api/auth/jwks").then(|| Answer::ok(KEYS)));
    let findings = with(&format!("{origin}/"));
    findings.expect("key set", "warning", &["1 key: ", "first", "EdDSA", "other", "use is not sig"]);
    findings.expect("algorithms", "ok", &["EdDSA"]);
    findings.expect("clock", "ok", &["at most"]);
    findings.expect("issuer", "ok", &[&origin, "from BETTER_AUTH_URL"]);
    findings.expect("audience", "ok", &[&origin]);
    findings.expect("origins", "ok", &[&origin]);
    findings.expect("trailing slashes", "ok", &["BETTER_AUTH_URL: harmless"]);
    findings.expect("sessions", "ok", &["off", "/api/auth/token"]);
}

#[test]
fn a_clock_that_is_wrong_is_told() {
    for (ahead, status, side) in [
        (60, "problem", "ahead of"),
        (-60, "problem", "behind"),
        (12, "warning", "ahead of"),
        (-12, "warning", "behind"),
        (3, "ok", "at most"),
    ] {
        let findings = with(&always(Answer { ahead: Some(ahead), ..Answer::ok(KEYS) }));
        findings.expect("clock", status, &[side]);
    }
    with(&always(Answer { ahead: None, ..Answer::ok(KEYS) })).expect("clock", "warning", &["not compared"]);
}

#[test]
fn the_clock_is_compared_even_where_there_is_no_key_set() {
    let findings = with(&always(Answer { status: "404 Not Found", ahead: Some(60), ..Answer::ok("no") }));
    findings.expect("key set", "problem", &["404", "jwt() plugin"]);
    findings.expect("clock", "problem", &["ahead of"]);
}

#[test]
fn what_is_no_key_set_is_a_problem_with_its_cure() {
    let html = Answer {
        headers: "Content-Type: text/html\r\n".to_owned(),
        ..Answer::ok("<!doctype html><title>canary</title>")
    };
    let broken = Answer { status: "500 Internal Server Error", ..Answer::ok("canary") };
    let elsewhere = Answer {
        status: "302 Found",
        headers: "Location: http://localhost:1/jwks\r\n".to_owned(),
        ..Answer::ok("")
    };
    for (answer, parts) in [
        (html, ["is no key set", "put BETTER_AUTH_URL right"]),
        (broken, ["status 500", "log"]),
        (Answer::ok(r#"{"keys":[]}"#), ["no key that can check", "sign in once"]),
        (Answer::ok(&" ".repeat(10_000_000)), ["longer than 512 KiB", "start the auth server"]),
        (elsewhere, ["redirects to another host", "leads to"]),
    ] {
        let findings = with(&always(answer));
        findings.expect("key set", "problem", &parts);
        assert!(!format!("{findings:?}").contains("canary"), "{findings:?}");
    }
}

#[test]
fn an_auth_server_that_is_away_or_silent_is_told_in_time() {
    let away = format!("http://127.0.0.1:{}", closed_port());
    with(&away).expect("key set", "problem", &["refused", "BETTER_AUTH_JWKS_URL"]);
    let silent = answering(|_| None);
    with(&silent).expect("key set", "problem", &["no answer within 3 seconds"]);
    // Beside another source of keys it is no problem yet.
    let both = Folder::new().doctor(&[("BETTER_AUTH_URL", &away), SECRET]);
    both.expect("key set", "warning", &["other key sources"]);
    both.expect("algorithms", "ok", &["HS256"]);
}

#[test]
fn the_sessions_route_is_asked_where_session_tokens_are_taken() {
    let better_auth = answering(|path| match path {
        "/api/auth/jwks" => Some(Answer::ok(KEYS)),
        "/api/auth/get-session" => Some(Answer::ok("null")),
        _ => None,
    });
    let on =
        |origin: &str| Folder::new().doctor(&[("BETTER_AUTH_URL", origin), ("BETTER_AUTH_SESSIONS", "on")]);
    on(&better_auth).expect("sessions", "ok", &["on", "/api/auth/get-session"]);
    let page = always(Answer::ok("<html>"));
    on(&page).expect("sessions", "problem", &["none of Better Auth's", "BETTER_AUTH_SESSIONS=off"]);
}

#[test]
fn keys_are_fetched_where_they_are_said_to_be() {
    let origin = answering(|path| (path == "/keys").then(|| Answer::ok(KEYS)));
    let url = format!("{origin}/keys");
    let findings = Folder::new()
        .doctor(&[("BETTER_AUTH_URL", "https://app.example.com"), ("BETTER_AUTH_JWKS_URL", url.as_str())]);
    findings.expect("key set", "warning", &[&url, "first"]);
    findings.expect("issuer", "ok", &["https://app.example.com"]);
    let narrowed = Folder::new().doctor(&[
        ("BETTER_AUTH_URL", "https://app.example.com"),
        ("BETTER_AUTH_JWKS_URL", url.as_str()),
        ("JWT_ALGORITHM", "RS256"),
    ]);
    narrowed.expect("key set", "problem", &["no key that can check", "JWT_ALGORITHM leaves it out"]);
}
