use super::*;
use crate::auth::probe::PublishedKey;
use crate::cli::doctor::finding::Status;
use crate::config::Config;

fn examined(vars: &[(&str, &str)]) -> Examined {
    Config::examine_vars(vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

const SECRET: (&str, &str) = ("BETTER_AUTH_SECRET", "q7dK2mZx9vRw4tYb8nLc3hJf6gPs1aQe");
const URL: (&str, &str) = ("BETTER_AUTH_URL", "https://app.example.com");

fn sight(status: Option<u16>, found: Result<Published, &str>) -> Sight<Published> {
    Sight { status, ahead: None, found: found.map_err(str::to_owned) }
}

fn set(count: usize) -> Published {
    let key = |n: usize| PublishedKey { id: Some(format!("\"k{n}\"")), algorithms: vec![Algorithm::EdDsa] };
    Published { keys: (0..count).map(key).collect(), dropped: Vec::new() }
}

#[test]
fn clocks_may_differ_a_little() {
    for (ahead, status) in [
        (0, Status::Ok),
        (-5_000, Status::Ok),
        (5_001, Status::Warning),
        (-30_000, Status::Warning),
        (30_001, Status::Problem),
        (i64::MIN, Status::Problem),
    ] {
        assert_eq!(clock_skew(Some(ahead)).status, status, "{ahead}");
    }
    assert!(clock_skew(Some(-90_000)).detail.contains("90 seconds behind"));
    assert!(clock_skew(Some(600_000)).detail.contains("10 minutes ahead of"));
    assert_eq!(clock_skew(None).status, Status::Warning);
}

#[test]
fn a_missing_key_set_is_a_problem_where_nothing_else_checks_tokens() {
    let missing = sight(Some(404), Err("there is no key set at this address (status 404)"));
    let sole = key_set(&examined(&[URL]), &missing);
    assert_eq!(sole[0].status, Status::Problem);
    assert!(sole[0].cure.as_deref().unwrap().contains("jwt() plugin"));
    let beside = key_set(&examined(&[URL, SECRET]), &missing);
    assert_eq!(beside[0].status, Status::Warning);
    let named = [URL, SECRET, ("BETTER_AUTH_JWKS_URL", "http://auth:3000/jwks?canary")];
    let named = key_set(&examined(&named), &missing);
    assert_eq!(named[0].status, Status::Problem);
    assert!(named[0].detail.starts_with("http://auth:3000/jwks:"), "{named:?}");
}

#[test]
fn keys_are_listed_with_what_they_check_and_why_others_are_not_used() {
    let examined = examined(&[URL]);
    let found = key_set(&examined, &sight(Some(200), Ok(set(2))));
    assert!(found[0].detail.ends_with("holds 2 keys: \"k0\" EdDSA; \"k1\" EdDSA"), "{found:?}");
    let many = key_set(&examined, &sight(Some(200), Ok(set(200))));
    assert!(many[0].detail.contains("200 keys") && many[0].detail.len() < 300, "{many:?}");
    let odd = Published { dropped: vec!["\"old\": use is not sig".to_owned()], ..set(1) };
    let odd = key_set(&examined, &sight(Some(200), Ok(odd)));
    assert_eq!((odd[0].status, odd[1].status), (Status::Ok, Status::Warning));
    assert_eq!(key_set(&examined, &sight(Some(200), Ok(set(0))))[0].status, Status::Problem);
}

#[test]
fn every_failure_has_its_cure() {
    let auth = examined(&[URL]).config.auth;
    for (status, reason, part) in [
        (None, "it redirects to another host, which is not followed", "leads to"),
        (Some(307), "it redirects more than three times", "leads to"),
        (Some(401), "the answer has status 401", "without a login"),
        (Some(503), "the answer has status 503", "log"),
        (Some(200), "the answer is no key set: it is no JSON", "/api/auth"),
        (None, "invalid peer certificate: UnknownIssuer", "certificate"),
        (None, "Connection refused (os error 111)", "BETTER_AUTH_JWKS_URL"),
    ] {
        let cure = cure::of_key_set(&auth, &sight(status, Err(reason)), reason);
        assert!(cure.contains(part), "{reason}: {cure}");
    }
}

#[test]
fn algorithms_are_those_that_some_key_checks() {
    let of = |vars: &[(&str, &str)], set: Option<Sight<Published>>| algorithms(&examined(vars), set.as_ref());
    assert_eq!(of(&[], None).detail, "HS256");
    assert_eq!(of(&[URL, SECRET], Some(sight(Some(200), Ok(set(1))))).detail, "HS256, EdDSA");
    let narrowed = of(&[URL, SECRET, ("JWT_ALGORITHM", "EdDSA")], Some(sight(Some(200), Ok(set(1)))));
    assert!(narrowed.detail.starts_with("EdDSA (JWT_ALGORITHM"), "{narrowed:?}");
    let unknown = of(&[URL], Some(sight(None, Err("Connection refused"))));
    assert_eq!(unknown.status, Status::Warning);
}

#[test]
fn sources_are_named_and_an_impossible_set_up_is_told() {
    let found = sources(&examined(&[URL, SECRET]));
    assert!(found.detail.contains("HS256") && found.detail.contains("https://app.example.com/api/auth/jwks"));
    assert!(sources(&examined(&[])).detail.contains("dev mode"));
}
