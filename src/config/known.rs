//! The names of all variables, so that a slip of the finger does not pass unseen.

use super::Reader;

/// What this version acts on.
const ACTED_ON: &[&str] = &[
    "ALLOWED_ORIGINS",
    "AUTO_MIGRATE",
    "BETTER_AUTH_JWKS_URL",
    "BETTER_AUTH_SECRET",
    "BETTER_AUTH_SESSIONS",
    "BETTER_AUTH_URL",
    "BODY_LIMIT",
    "DATABASE_ACQUIRE_TIMEOUT",
    "DATABASE_DIRECT_URL",
    "DATABASE_POOL_OVERFLOW",
    "DATABASE_POOL_SIZE",
    "DATABASE_PREPARED",
    "DATABASE_RLS",
    "DATABASE_SCHEMA",
    "DATABASE_STATEMENT_TIMEOUT",
    "DATABASE_URL",
    "DEBUG",
    "DELETE_STATUS",
    "ENVIRONMENT",
    "HOST",
    "JWT_ALGORITHM",
    "JWT_AUDIENCE",
    "JWT_ISSUER",
    "JWT_PUBLIC_KEY",
    "LOG_FORMAT",
    "LOG_LEVEL",
    "METRICS_ADDRESS",
    "NEON_DATABASE_URL",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_SERVICE_NAME",
    "PORT",
    "RATE_LIMIT",
    "REDIS_URL",
    "REQUEST_TIMEOUT",
    "REQUIRE_IF_MATCH",
    "SHUTDOWN_DELAY",
    "SHUTDOWN_GRACE",
    "TODO_COMPLETED_FIELD",
    "TODO_ERRORS",
    "TODO_IDS",
    "TODO_LIST",
    "TODO_PUT",
    "TRUSTED_PROXIES",
    "USER_ID_CLAIMS",
    "WORKERS",
];

/// Whether a variable of that name is one of ours.
pub(super) fn is_known(name: &str) -> bool {
    ACTED_ON.contains(&name)
}

/// Warns of names one edit away from a known one.
pub(super) fn warn(reader: &mut Reader) {
    let unknown: Vec<String> = reader.names().filter(|name| !is_known(name)).map(str::to_owned).collect();
    for name in unknown {
        if let Some(meant) = ACTED_ON.iter().find(|known| one_edit_apart(&name, known)) {
            reader.warning(
                &name,
                format_args!("is no variable of this server and is ignored: did you mean {meant}?"),
            );
        }
    }
}

/// Whether one inserted, dropped or changed character, or two swapped neighbours, make the one out of the other.
fn one_edit_apart(a: &str, b: &str) -> bool {
    let (a, b) = if a.len() <= b.len() { (a.as_bytes(), b.as_bytes()) } else { (b.as_bytes(), a.as_bytes()) };
    let same = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    match b.len() - a.len() {
        0 if same == a.len() => false,
        0 => {
            let swapped = same + 1 < a.len() && a[same] == b[same + 1] && a[same + 1] == b[same];
            a[same + 1..] == b[same + 1..] || (swapped && a[same + 2..] == b[same + 2..])
        }
        1 => a[same..] == b[same + 1..],
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warnings(vars: &[(&str, &str)]) -> Vec<String> {
        let mut reader = Reader::new(vars.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())));
        warn(&mut reader);
        reader.into_notes().1
    }

    #[test]
    fn knows_one_edit_from_none_and_from_two() {
        for (a, b) in
            [("PORTS", "PORT"), ("PRT", "PORT"), ("PART", "PORT"), ("PROT", "PORT"), ("XPORT", "PORT")]
        {
            assert!(one_edit_apart(a, b) && one_edit_apart(b, a), "{a} {b}");
        }
        for (a, b) in [("PORT", "PORT"), ("POTS", "PORT"), ("TROP", "PORT"), ("HOME", "HOST"), ("", "PORT")] {
            assert!(!one_edit_apart(a, b) && !one_edit_apart(b, a), "{a} {b}");
        }
    }

    #[test]
    fn no_two_known_names_are_one_edit_apart() {
        for name in ACTED_ON {
            assert!(ACTED_ON.iter().all(|other| !one_edit_apart(name, other)), "{name}");
        }
    }

    #[test]
    fn names_the_variable_that_was_meant() {
        let found = warnings(&[("DATABASE_ULR", "canary"), ("SHELL", "/bin/sh")]);
        let expected =
            "DATABASE_ULR is no variable of this server and is ignored: did you mean DATABASE_URL?";
        assert_eq!(found, [expected]);
    }

    #[test]
    fn the_sample_file_documents_what_is_acted_on_and_nothing_else() {
        let sample = include_str!("../../.env.example");
        let mut documented: Vec<_> = sample
            .lines()
            .filter_map(|line| line.strip_prefix('#')?.split_once('=').map(|(name, _)| name))
            .filter(|name| {
                !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
            })
            .collect();
        documented.sort_unstable();
        documented.dedup();
        assert_eq!(documented, ACTED_ON);
        assert!(
            sample.lines().all(|line| line.is_empty() || line.starts_with('#')),
            "nothing is set by a plain copy"
        );
    }
}
