//! Shared secrets that are no secrets: too short, published, or a placeholder that was never replaced.

/// An HMAC-SHA-256 key has at least the size of the hash (RFC 7518 section 3.2), in bytes.
const SHORTEST: usize = 32;

/// What Better Auth uses when nothing is set; everybody knows it.
const PUBLIC_DEFAULT: &str = "better-auth-secret-12345678901234567890";

/// The digits that people type until a length check is content.
const DIGITS: &str = "12345678901234567890123456789012";

/// Parts that only placeholders have, as they stand in templates and tutorials: lower case, words joined by `-`.
const PLACEHOLDERS: [&str; 32] = [
    "your-secret",
    "your-super-secret",
    "your-better-auth",
    "your-jwt-secret",
    "your-auth-secret",
    "your-shared-secret",
    "your-random-secret",
    "your-very-",
    "your-256-bit",
    "your-32-",
    "your-key-here",
    "secret-here",
    "change-me",
    "changeme",
    "change-this",
    "changethis",
    "change-in-production",
    "replace-me",
    "replace-this",
    "replace-with",
    "placeholder",
    "fallback-secret",
    "default-secret",
    "super-secret-key",
    "supersecretkey",
    "my-secret-key",
    "minimum-32-char",
    "min-32-char",
    "at-least-32-char",
    "secret-at-least-256-bits",
    "generate-with-openssl",
    "openssl-rand",
];

/// What is wrong with a shared secret, and the cure; never a part of it.
pub(super) fn problem(secret: &str) -> Option<String> {
    const CURE: &str = "make one with: openssl rand -base64 32, and set the same in the front-end";
    let plain: String = secret.trim().chars().map(plain).collect();
    if plain == PUBLIC_DEFAULT {
        return Some(format!("is the public default that everybody knows: {CURE}"));
    }
    if plain == DIGITS || PLACEHOLDERS.iter().any(|part| plain.contains(part)) {
        return Some(format!("is a placeholder from a template, not a secret: {CURE}"));
    }
    if plain.trim_start_matches('-').starts_with("begin-") {
        return Some("holds a PEM text: a public key belongs into JWT_PUBLIC_KEY".to_owned());
    }
    if secret.len() < SHORTEST {
        return Some(format!("has {} bytes, at least {SHORTEST} are needed: {CURE}", secret.len()));
    }
    secret.trim().is_empty().then(|| format!("is blank: {CURE}"))
}

/// One spelling for `_`, blanks and case.
fn plain(c: char) -> char {
    match c {
        '_' | ' ' => '-',
        c => c.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::problem;

    #[test]
    fn placeholders_are_refused_in_any_case() {
        for secret in [
            "better-auth-secret-12345678901234567890",
            "Better-Auth-Secret-12345678901234567890",
            "your-secret-key-minimum-32-characters-long",
            "YOUR_SECRET_KEY_MINIMUM_32_CHARACTERS_LONG",
            "changethis",
            "fallback_secret_for_dev",
            "your-super-secret-jwt-key-change-in-production",
            "a-string-secret-at-least-256-bits-long",
            "your-256-bit-secret",
            "<your better auth secret, 32 bytes or more>",
            "please-CHANGE-ME-please-change-me-please",
            "12345678901234567890123456789012",
            "replace-with-openssl-rand-base64-32-output",
        ] {
            let problem = problem(secret).expect(secret);
            assert!(!problem.contains(secret), "{problem}");
            assert!(problem.contains("openssl rand -base64 32"), "{problem}");
        }
    }

    #[test]
    fn short_ones_and_pem_texts_are_refused() {
        assert!(problem("0123456789abcdef0123456789abcde").expect("31 bytes").starts_with("has 31 bytes"));
        assert_eq!(problem("0123456789abcdef0123456789abcdef"), None);
        assert_eq!(problem("sechzehn Zeichen ß ä ö ü €€€"), None, "bytes count, not characters");
        assert!(problem("                                        ").is_some());
        let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
        assert!(problem(pem).expect("a PEM").contains("JWT_PUBLIC_KEY"));
    }

    #[test]
    fn real_secrets_are_taken() {
        for secret in
            ["q7Zr0gq0n3b8mXcQ1d2pT9vB4kL6sW5yE8uA0iO2fGh=", "correct horse battery staple and a bit more"]
        {
            assert_eq!(problem(secret), None);
        }
    }
}
