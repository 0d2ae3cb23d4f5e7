use super::{Folder, SECRET, closed_port};

#[test]
fn a_healthy_set_up_is_well_and_is_left_as_it_is() {
    let folder = Folder::new();
    let vars = [SECRET, ("DATABASE_URL", "sqlite://rows.db")];
    assert_eq!(folder.run(&["migrate", "up"], &vars).code, Some(0));
    let before = folder.files();
    let ran = folder.run(&["doctor"], &vars);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{ran:?}");
    assert!(ran.out.ends_with("\n\nAll is well.\n") && !ran.out.contains('\u{1b}'), "{ran:?}");
    let lines: Vec<_> = ran.out.lines().take_while(|line| !line.is_empty()).collect();
    assert!(lines.len() >= 14 && lines.iter().all(|line| line.starts_with("ok       ")), "{ran:?}");
    assert_eq!(folder.files(), before);
    let findings = folder.doctor(&vars);
    assert_eq!(findings.0.len(), lines.len());
    findings.expect("database", "ok", &["SQLite file rows.db", "SQLite 3."]);
    findings.expect("migrations", "ok", &["all "]);
    findings.expect("key sources", "ok", &["HS256"]);
    findings.expect("data folder", "ok", &["can be written to", "free"]);
}

#[test]
fn a_first_run_is_in_dev_mode_and_nothing_is_made() {
    let folder = Folder::new();
    let findings = folder.doctor(&[]);
    findings.expect("dev mode", "warning", &["this machine only", "BETTER_AUTH_URL"]);
    findings.expect("database", "ok", &["data/creatorvault.db", "will be created"]);
    findings.expect("migrations", "ok", &["pending, applied at the next start"]);
    findings.expect("data folder", "ok", &["will be created"]);
    findings.expect("origins", "ok", &["http://localhost:3000"]);
    assert_eq!(folder.files(), []);
}

#[test]
fn a_running_server_is_recognised_and_its_rows_are_seen() {
    let folder = Folder::new();
    let port = closed_port().to_string();
    let vars = [SECRET, ("PORT", port.as_str())];
    let mut server = std::process::Command::new(env!("CARGO_BIN_EXE_creatorvault"))
        .env_clear()
        .envs(std::env::var_os("LLVM_PROFILE_FILE").map(|file| ("LLVM_PROFILE_FILE", file))) // a measured build writes there
        .envs(vars)
        .current_dir(folder.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let ready = (0..400).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        folder.run(&["healthcheck", "--ready"], &vars).code == Some(0)
    });
    let findings = ready.then(|| folder.doctor(&vars));
    server.kill().unwrap();
    server.wait().unwrap();
    let findings = findings.expect("the server is ready in time");
    findings.expect("listening", "ok", &["listens at PORT"]);
    findings.expect("migrations", "ok", &["all "]);
}

#[test]
fn every_problem_of_the_settings_is_told_and_the_rest_is_looked_at_all_the_same() {
    let folder = Folder::new();
    std::fs::write(folder.path().join(".env"), "WORKERS=none\nthis is canary no setting\n").unwrap();
    let findings = folder.doctor(&[
        ("PORT", "ninety"),
        ("LOG_LEVEL", "loud"),
        ("PROT", "canary"),
        ("DATABASE_URL", "mysql://canary:canary@h/db"),
        SECRET,
    ]);
    findings.expect(
        "settings",
        "problem",
        &[".env line 2", "PORT must", "LOG_LEVEL must", "WORKERS must", "PORT?"],
    );
    for spoiled in ["database", "listening"] {
        findings.expect(spoiled, "warning", &["not looked at"]);
    }
    findings.expect("key sources", "ok", &["HS256"]);
    assert!(!format!("{findings:?}").contains("canary"), "{findings:?}");
}

#[test]
fn a_weak_secret_is_a_problem_with_the_cure() {
    for weak in ["changethis", "better-auth-secret-12345678901234567890", "0123456789abcde"] {
        let findings = Folder::new().doctor(&[("BETTER_AUTH_SECRET", weak)]);
        findings.expect("secret", "problem", &["BETTER_AUTH_SECRET", "openssl rand -base64 32"]);
        assert!(!format!("{findings:?}").contains(weak), "{findings:?}");
    }
    Folder::new().doctor(&[SECRET]).expect("secret", "ok", &["32 bytes"]);
}

#[test]
fn nothing_secret_is_shown_whatever_is_wrong() {
    let folder = Folder::new();
    let port = closed_port();
    let postgres = format!("postgresql://canary:canary@127.0.0.1:{port}/db?flavour=canary");
    let auth = format!("http://127.0.0.1:{port}/?canary");
    let keys = format!("http://127.0.0.1:{port}/jwks?key=canary#canary");
    let pem = "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----";
    let working = [
        ("BETTER_AUTH_SECRET", "canary-q7dK2mZx9vRw4tYb8nLc3hJf6gPs1aQe"),
        ("DATABASE_URL", postgres.as_str()),
        ("DATABASE_DIRECT_URL", postgres.as_str()),
        ("BETTER_AUTH_URL", auth.as_str()),
        ("BETTER_AUTH_JWKS_URL", keys.as_str()),
        ("BETTER_AUTH_SESSIONS", "on"),
        ("REDIS_URL", "redis://:canary@localhost"),
        ("BETTER_AUTH_SECRTE", "canary"),
    ];
    let refused = [
        ("BETTER_AUTH_SECRET", "canary"),
        ("DATABASE_URL", "postgresql://canary:canary@local host/db"),
        ("BETTER_AUTH_URL", "https://canary:canary@auth.example.com"),
        ("BETTER_AUTH_JWKS_URL", "https://canary@auth.example.com/jwks"),
        ("ALLOWED_ORIGINS", "https://canary:canary@app.example.com"),
        ("JWT_PUBLIC_KEY", pem),
    ];
    for vars in [&working[..], &refused] {
        for args in [&["doctor"][..], &["doctor", "--json"]] {
            let ran = folder.run(args, vars);
            assert_eq!(ran.code, Some(1), "{ran:?}");
            assert!(!ran.out.contains("canary") && !ran.err.contains("canary"), "{ran:?}");
        }
    }
}

#[test]
fn slashes_and_production_without_anything() {
    let findings = Folder::new().doctor(&[
        SECRET,
        ("ALLOWED_ORIGINS", "https://app.example.com/"),
        ("JWT_ISSUER", "https://app.example.com/"),
    ]);
    findings.expect(
        "trailing slashes",
        "warning",
        &["JWT_ISSUER ends in a slash", "ALLOWED_ORIGINS: harmless"],
    );
    findings.expect("issuer", "ok", &["https://app.example.com/"]);
    let findings = Folder::new().doctor(&[("ENVIRONMENT", "production")]);
    findings.expect("settings", "problem", &["DATABASE_URL is not set", "BETTER_AUTH_URL"]);
}

#[test]
fn where_rates_are_counted_and_who_is_believed_is_told() {
    let folder = Folder::new();
    let findings = folder.doctor(&[SECRET, ("TRUSTED_PROXIES", "10.0.0.0/8")]);
    findings.expect("rate limit", "ok", &["600/minute", "each server for itself"]);
    findings.expect("proxies", "ok", &["10.0.0.0/8"]);
    let url = format!("redis://:canary-password@127.0.0.1:{}", closed_port());
    let findings = folder.doctor(&[SECRET, ("REDIS_URL", &url)]);
    findings.expect("rate limit", "warning", &["is of no use", "refused", "REDIS_URL"]);
    findings.expect("proxies", "ok", &["TRUSTED_PROXIES"]);
    folder.doctor(&[SECRET, ("RATE_LIMIT", "off")]).expect("rate limit", "warning", &["off", "600/minute"]);
}
