//! What dev mode says on the first screen: one request to paste, where to look, and how to leave dev mode. It goes to
//! standard error, so that standard output stays one JSON object a line.

use std::net::SocketAddr;

use crate::http::docs::{Demo, connect, curl};

/// The text for a server that listens there. Every line says that it is dev mode; what is meant to be pasted says it
/// in a place that the shell, the settings file or JavaScript skips.
pub(super) fn text(address: SocketAddr, demo: &Demo) -> String {
    let base = format!("http://{address}");
    // On one line, so that one paste is one command in any shell.
    let curl = curl(&base, &demo.token).replace(" \\\n  ", " ").replacen("curl ", "curl -A 'dev mode' ", 1);
    let said = |line: &str| format!("dev mode | {line}").trim_end().to_owned();
    let mut lines = vec![
        said(
            "CreatorVault runs with no key source: it answers on this machine only and signs its own tokens.",
        ),
        said(""),
        said(&format!(
            "Paste this to create a task as the user \"{}\" (good for {} hours):",
            demo.user,
            Demo::HOURS
        )),
        curl,
        said(""),
        said(&format!("Look around:  {base}/      what this is, and the token again")),
        said(&format!("              {base}/docs  every operation to try, signed in already")),
        said(&format!("              {base}/redoc the same, to read")),
        said(""),
        said("Connect a Better Auth front-end: six lines, each says where it goes."),
    ];
    lines.extend(connect(&base));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> Vec<String> {
        let demo = Demo { user: "demo", token: "aa.bb.cc".to_owned() };
        text("127.0.0.1:8123".parse().unwrap(), &demo).lines().map(str::to_owned).collect()
    }

    #[test]
    fn every_line_says_that_it_is_dev_mode() {
        for line in lines() {
            assert!(line.contains("dev mode"), "{line}");
        }
    }

    #[test]
    fn the_request_is_one_paste_with_the_token() {
        let lines = lines();
        let curls: Vec<_> = lines.iter().filter(|line| line.starts_with("curl ")).collect();
        assert_eq!(curls.len(), 1);
        assert!(curls[0].contains("http://127.0.0.1:8123/api/tasks") && curls[0].contains("Bearer aa.bb.cc"));
        assert!(!curls[0].contains('\\') && !curls[0].contains('#'));
    }

    #[test]
    fn six_lines_connect_a_front_end() {
        let lines = lines();
        let start = lines.iter().position(|line| line.contains("Connect a Better Auth")).unwrap();
        assert_eq!(lines.len() - start - 1, 6);
    }
}
