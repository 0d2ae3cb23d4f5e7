use super::*;
use crate::config::Config;

/// Of the form that real secrets have.
const SECRET: &str = "q7dK2mZx9vRw4tYb8nLc3hJf6gPs1aQe";

fn examined(vars: &[(&str, &str)]) -> Examined {
    Config::examine_vars(vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

fn statuses(findings: &[Finding]) -> Vec<Status> {
    findings.iter().map(|finding| finding.status).collect()
}

#[test]
fn every_problem_and_warning_is_a_finding_of_its_own() {
    let found = settings(&examined(&[("PORT", "ninety"), ("WORKERS", "0"), ("PROT", "1")]));
    assert_eq!(statuses(&found), [Status::Problem, Status::Problem, Status::Warning]);
    assert!(found.iter().all(|finding| finding.cure.is_some()));
    let well = settings(&examined(&[("PORT", "8001"), ("HOME", "/")]));
    assert_eq!(well, [Finding::ok("settings", "development; set: PORT")]);
}

#[test]
fn a_secret_is_refused_doubted_or_taken_and_never_shown() {
    let of = |text: &str| {
        let examined = examined(&[("BETTER_AUTH_SECRET", text)]);
        let found = secret(&examined).unwrap();
        let told = format!("{found:?} {:?}", settings(&examined));
        assert!(text.trim().len() < 8 || !told.contains(text.trim()), "{told}");
        found.status
    };
    assert_eq!(of("changethis"), Status::Problem);
    assert_eq!(of("short"), Status::Problem);
    assert_eq!(of("better-auth-secret-12345678901234567890"), Status::Problem);
    assert_eq!(of(&"abcabcab".repeat(8)), Status::Warning);
    assert_eq!(of(&format!("{SECRET}\n")), Status::Warning);
    assert_eq!(of(SECRET), Status::Ok);
    assert!(secret(&examined(&[])).is_none());
}

#[test]
fn dev_mode_is_explained_and_not_guessed_from_a_refused_key() {
    assert_eq!(dev_mode(&examined(&[])).status, Status::Warning);
    assert_eq!(dev_mode(&examined(&[("BETTER_AUTH_SECRET", SECRET)])).detail, "off: a key source is set");
    assert_eq!(dev_mode(&examined(&[("BETTER_AUTH_SECRET", "changethis")])).detail, "not looked at");
}

#[test]
fn origins_are_those_in_force() {
    let production = [("ENVIRONMENT", "production"), ("DATABASE_URL", "sqlite:///x.db")];
    let of = |more: &[(&str, &str)]| origins(&examined(&[&production, more].concat()));
    let found = of(&[
        ("BETTER_AUTH_URL", "https://App.example.com/"),
        ("ALLOWED_ORIGINS", "https://b-*.example.com/"),
    ]);
    assert_eq!(found, [Finding::ok("origins", "https://b-*.example.com, https://app.example.com")]);
    assert_eq!(statuses(&of(&[("BETTER_AUTH_SECRET", SECRET)])), [Status::Warning]);
    let local = of(&[("BETTER_AUTH_SECRET", SECRET), ("ALLOWED_ORIGINS", "http://localhost:3000")]);
    assert_eq!(statuses(&local), [Status::Ok, Status::Warning]);
    let development = origins(&examined(&[]));
    assert!(development[0].detail.contains("http://localhost:3000"), "{development:?}");
}

#[test]
fn slashes_are_told_apart_by_whether_they_matter() {
    let of = |vars: &[(&str, &str)]| trailing_slashes(&examined(vars));
    assert_eq!(of(&[("BETTER_AUTH_URL", "https://a.test")]), [Finding::ok("trailing slashes", "none")]);
    let harmless =
        of(&[("BETTER_AUTH_URL", "https://a.test/"), ("ALLOWED_ORIGINS", "https://a.test, https://b.test/")]);
    assert_eq!(statuses(&harmless), [Status::Ok]);
    assert!(harmless[0].detail.starts_with("BETTER_AUTH_URL, ALLOWED_ORIGINS: harmless"), "{harmless:?}");
    for (name, value) in [
        ("JWT_ISSUER", "https://a.test/"),
        ("JWT_AUDIENCE", "x,https://a.test/"),
        ("BETTER_AUTH_JWKS_URL", "https://a.test/jwks/?canary"),
        ("DATABASE_URL", "postgresql://ann:canary@h/db/"),
    ] {
        let found = of(&[(name, value)]);
        assert_eq!(statuses(&found), [Status::Warning], "{name}");
        assert!(found[0].detail.starts_with(name) && !found[0].detail.contains("canary"), "{found:?}");
    }
}

#[test]
fn an_origin_of_this_machine_is_known_by_its_whole_host() {
    assert!(is_local("http://localhost:3000") && is_local("https://127.0.0.1") && is_local("http://[::1]:1"));
    assert!(!is_local("http://localhost.example.com") && !is_local("https://127.0.0.10"));
}

#[test]
fn logs_that_say_too_much_or_too_little_warn() {
    assert_eq!(logs(&examined(&[])).status, Status::Ok);
    assert_eq!(logs(&examined(&[("DEBUG", "true")])).status, Status::Warning);
    assert_eq!(logs(&examined(&[("LOG_LEVEL", "error")])).status, Status::Warning);
}
