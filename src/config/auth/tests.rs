//! Every start-up refusal names its variable and the cure on one line, and shows no secret.

use super::*;
use crate::auth::pem;
use crate::auth::verifier::Verifier;

/// A sample Ed25519 public key (RFC 8410, section 10.1).
const ED25519: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----";
const SECRET: &str = "q7Zr0gq0n3b8mXcQ1d2pT9vB4kL6sW5yE8uA0iO2fGh=";
const URL: &str = "https://App.example.com/";

fn read_in(environment: Environment, vars: &[(&str, &str)]) -> (AuthConfig, Vec<String>) {
    let mut reader = Reader::new(vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let config = AuthConfig::read(&mut reader, environment);
    assert!(!format!("{config:?}").contains(SECRET));
    let (problems, _) = reader.into_notes();
    for problem in &problems {
        assert!(!problem.contains('\n'), "{problem}");
        for (_, value) in vars.iter().filter(|(name, value)| *name != "JWT_ALGORITHM" && value.len() > 6) {
            assert!(!problem.contains(value), "{problem}");
        }
    }
    (config, problems)
}

fn accepted(vars: &[(&str, &str)]) -> AuthConfig {
    let (config, problems) = read_in(Environment::Production, vars);
    assert!(problems.is_empty(), "{problems:?}");
    assert!(!config.dev_mode());
    assert!(Verifier::new(&config, None).is_ok());
    config
}

/// The only problem of these variables.
fn problem(vars: &[(&str, &str)]) -> String {
    let (_, mut problems) = read_in(Environment::Development, vars);
    assert_eq!(problems.len(), 1, "{vars:?}: {problems:?}");
    problems.remove(0)
}

fn refused(vars: &[(&str, &str)], start: &str, part: &str) {
    let problem = problem(vars);
    assert!(problem.starts_with(start) && problem.contains(part), "{problem}");
}

#[test]
fn nothing_set_is_dev_mode_and_no_start_in_production() {
    let (config, problems) = read_in(Environment::Development, &[]);
    assert!(problems.is_empty() && config.dev_mode());
    let (config, problems) = read_in(Environment::Production, &[]);
    assert!(!config.dev_mode());
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0].starts_with("BETTER_AUTH_URL ") && problems[0].contains("BETTER_AUTH_SECRET"),
        "{problems:?}"
    );
}

#[test]
fn the_documented_set_ups_are_taken() {
    let config = accepted(&[("BETTER_AUTH_SECRET", SECRET)]);
    assert_eq!(config.secret.unwrap().expose(), SECRET);
    assert_eq!(config.user_id_claims.names(), ["sub", "userId", "user_id"]);
    let config = accepted(&[("BETTER_AUTH_SECRET", SECRET), ("BETTER_AUTH_URL", URL)]);
    assert_eq!(config.better_auth_origin(), Some("https://app.example.com"));
    assert!(config.issuers.is_empty(), "what the URL implies is not set by hand");
    accepted(&[("JWT_PUBLIC_KEY", ED25519), ("JWT_ISSUER", "a"), ("JWT_AUDIENCE", "b,c")]);
    let config = accepted(&[("JWT_PUBLIC_KEY", &ED25519.replace('\n', "\\n")), ("BETTER_AUTH_URL", URL)]);
    assert_eq!(config.expected_issuers(), ["https://app.example.com"]);
    assert_eq!(config.expected_audiences(), ["https://app.example.com"]);
    let config =
        accepted(&[("JWT_PUBLIC_KEY", ED25519), ("BETTER_AUTH_URL", URL), ("JWT_AUDIENCE", " b , c ")]);
    assert_eq!(config.expected_issuers(), ["https://app.example.com"]);
    assert_eq!(config.expected_audiences(), ["b", "c"]);
    let both = [
        ("BETTER_AUTH_SECRET", SECRET),
        ("JWT_PUBLIC_KEY", ED25519),
        ("BETTER_AUTH_URL", URL),
        ("JWT_ALGORITHM", "hs256, ed25519"),
    ];
    assert_eq!(accepted(&both).algorithms.unwrap(), [Algorithm::Hs256, Algorithm::EdDsa]);
    accepted(&[
        ("BETTER_AUTH_SECRET", SECRET),
        ("BETTER_AUTH_SESSIONS", "off"),
        ("BETTER_AUTH_URL", URL),
        ("BETTER_AUTH_JWKS_URL", "http://auth:3000/api/auth/jwks"),
    ]);
}

#[test]
fn the_secret_is_taken_as_it_is() {
    let blanks = format!("  {SECRET}  ");
    assert_eq!(accepted(&[("BETTER_AUTH_SECRET", &blanks)]).secret.unwrap().expose(), blanks);
}

#[test]
fn weak_secrets_are_refused() {
    for (secret, part) in [
        ("0123456789abcdef0123456789abcde", "has 31 bytes, at least 32"),
        ("better-auth-secret-12345678901234567890", "public default"),
        ("your-secret-key-minimum-32-characters-long", "placeholder"),
        ("changethis", "placeholder"),
        ("fallback_secret_for_dev", "placeholder"),
        ("FALLBACK_SECRET_FOR_DEV", "placeholder"),
    ] {
        refused(&[("BETTER_AUTH_SECRET", secret)], "BETTER_AUTH_SECRET ", part);
    }
}

#[test]
fn a_pem_that_does_not_parse_is_refused() {
    let names = [("JWT_ISSUER", "a"), ("JWT_AUDIENCE", "b")];
    let weak = pem::public_key(ED25519).map(|_| &ED25519[..60]).unwrap();
    for (text, part) in [
        ("garbage-garbage", "does not parse as PEM"),
        (weak, "does not parse"),
        ("-----BEGIN PRIVATE KEY-----AAAA-----END PRIVATE KEY-----", "private key"),
    ] {
        refused(&[("JWT_PUBLIC_KEY", text), names[0], names[1]], "JWT_PUBLIC_KEY ", part);
    }
}

#[test]
fn a_public_key_needs_issuer_and_audience() {
    let key = ("JWT_PUBLIC_KEY", ED25519);
    refused(&[key], "JWT_PUBLIC_KEY needs JWT_ISSUER and JWT_AUDIENCE:", "BETTER_AUTH_URL");
    refused(&[key, ("JWT_ISSUER", "a")], "JWT_PUBLIC_KEY needs JWT_AUDIENCE:", "aud");
    refused(&[key, ("JWT_AUDIENCE", "a"), ("JWT_ISSUER", " , ")], "JWT_PUBLIC_KEY needs JWT_ISSUER:", "iss");
}

#[test]
fn an_algorithm_needs_its_key() {
    let names = [("JWT_ISSUER", "a"), ("JWT_AUDIENCE", "b")];
    let secret = ("BETTER_AUTH_SECRET", SECRET);
    let key = ("JWT_PUBLIC_KEY", ED25519);
    refused(&[secret, ("JWT_ALGORITHM", "RS256")], "JWT_ALGORITHM names RS256", "JWT_PUBLIC_KEY");
    refused(&[secret, ("JWT_ALGORITHM", "HS256,EdDSA")], "JWT_ALGORITHM names EdDSA", "JWT_PUBLIC_KEY");
    refused(&[key, names[0], names[1], ("JWT_ALGORITHM", "ES256")], "JWT_ALGORITHM names ES256", "fitting");
    refused(
        &[key, names[0], names[1], ("JWT_ALGORITHM", "HS256")],
        "JWT_ALGORITHM names HS256",
        "BETTER_AUTH_SECRET",
    );
    refused(&[("JWT_ALGORITHM", "HS256")], "JWT_ALGORITHM names HS256", "BETTER_AUTH_SECRET");
    for text in ["none", "HS512", "RS256;HS256", ",", "ES256K"] {
        refused(
            &[secret, ("JWT_ALGORITHM", text)],
            "JWT_ALGORITHM must be one or several of HS256, RS256",
            "EdDSA",
        );
    }
}

#[test]
fn a_key_set_is_enough() {
    let config = accepted(&[("BETTER_AUTH_URL", URL)]);
    assert_eq!(config.key_set(), Some("https://app.example.com/api/auth/jwks"));
    let docker = ("BETTER_AUTH_JWKS_URL", "http://auth:3000/api/auth/jwks");
    let config = accepted(&[("BETTER_AUTH_URL", URL), docker]);
    assert_eq!(config.key_set(), Some("http://auth:3000/api/auth/jwks"));
    assert_eq!(config.expected_issuers(), ["https://app.example.com"]);
    accepted(&[docker, ("JWT_ISSUER", "a"), ("JWT_AUDIENCE", "b")]);
    refused(&[docker], "BETTER_AUTH_JWKS_URL needs JWT_ISSUER and JWT_AUDIENCE:", "BETTER_AUTH_URL");
    accepted(&[("BETTER_AUTH_URL", URL), ("JWT_ALGORITHM", "ES512,EdDSA")]);
    refused(
        &[("BETTER_AUTH_URL", URL), ("JWT_ALGORITHM", "HS256")],
        "JWT_ALGORITHM names HS256",
        "BETTER_AUTH_SECRET",
    );
}

#[test]
fn session_tokens_are_opted_in_to_where_they_can_be_looked_up() {
    let secret = ("BETTER_AUTH_SECRET", SECRET);
    assert!(!accepted(&[secret]).sessions);
    let config = accepted(&[secret, ("BETTER_AUTH_URL", URL), ("BETTER_AUTH_SESSIONS", "on")]);
    assert!(config.sessions);
    assert_eq!(config.better_auth.unwrap().session_url, "https://app.example.com/api/auth/get-session");
    refused(
        &[secret, ("BETTER_AUTH_SESSIONS", "on")],
        "BETTER_AUTH_SESSIONS needs BETTER_AUTH_URL",
        "address",
    );
    refused(&[secret, ("BETTER_AUTH_SESSIONS", "perhaps")], "BETTER_AUTH_SESSIONS ", "true or false");
}

#[test]
fn urls_are_web_addresses() {
    let secret = ("BETTER_AUTH_SECRET", SECRET);
    refused(
        &[secret, ("BETTER_AUTH_URL", "localhost:3000")],
        "BETTER_AUTH_URL must start with http",
        "https://",
    );
    refused(
        &[secret, ("BETTER_AUTH_JWKS_URL", "/api/auth/jwks")],
        "BETTER_AUTH_JWKS_URL must start with http",
        "https://",
    );
    refused(
        &[secret, ("BETTER_AUTH_URL", "https://me:pa55word@x.test")],
        "BETTER_AUTH_URL must not contain a user name",
        "",
    );
}

#[test]
fn the_key_set_is_under_the_urls_own_path() {
    for (url, base) in [
        ("https://a.test", "https://a.test/api/auth"),
        ("https://A.test:443/", "https://a.test/api/auth"),
        ("https://a.test/auth/", "https://a.test/auth"),
        ("http://localhost:3000/api/auth?x=/y#z", "http://localhost:3000/api/auth"),
    ] {
        let better_auth = better_auth(url).unwrap();
        assert_eq!(better_auth.key_set_url, format!("{base}/jwks"), "{url}");
        assert_eq!(better_auth.session_url, format!("{base}/get-session"), "{url}");
    }
}

#[test]
fn user_id_claims_are_names() {
    let secret = ("BETTER_AUTH_SECRET", SECRET);
    let config = accepted(&[secret, ("USER_ID_CLAIMS", "sub, user.id")]);
    assert_eq!(config.user_id_claims.names(), ["sub", "user.id"]);
    for text in ["email", "sub,user.email", "EMAIL"] {
        refused(&[secret, ("USER_ID_CLAIMS", text)], "USER_ID_CLAIMS must not name email", "");
    }
    for text in [",", "a..b", ".", "user."] {
        refused(&[secret, ("USER_ID_CLAIMS", text)], "USER_ID_CLAIMS must ", "");
    }
}

#[test]
fn every_problem_is_found_at_once() {
    let (_, problems) = read_in(
        Environment::Production,
        &[
            ("BETTER_AUTH_SECRET", "short"),
            ("JWT_PUBLIC_KEY", "garbage"),
            ("JWT_ALGORITHM", "none"),
            ("BETTER_AUTH_URL", "x"),
        ],
    );
    let names: Vec<_> = problems.iter().filter_map(|problem| problem.split(' ').next()).collect();
    assert_eq!(names, ["BETTER_AUTH_SECRET", "JWT_PUBLIC_KEY", "BETTER_AUTH_URL", "JWT_ALGORITHM"]);
}
