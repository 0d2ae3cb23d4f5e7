//! How the findings are written.

use std::io::{IsTerminal, stdout};

use super::finding::{Finding, Status};

/// One line each, aligned, the cure below; at the end how many are not well. In colour on a terminal alone.
pub(super) fn text(findings: &[Finding]) -> String {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    lines(findings, !plain && stdout().is_terminal())
}

/// An array of `{check, status, detail, cure}`.
pub(super) fn json(findings: &[Finding]) -> String {
    serde_json::to_string_pretty(findings).unwrap_or_else(|_| "[]".to_owned())
}

fn lines(findings: &[Finding], colour: bool) -> String {
    let width = findings.iter().map(|finding| finding.check.chars().count()).max().unwrap_or_default();
    let mut lines = Vec::new();
    for Finding { check, status, detail, cure } in findings {
        lines.push(format!("{}  {check:width$}  {detail}", painted(*status, colour)));
        if let Some(cure) = cure {
            lines.push(format!("{:7}  {:width$}  cure: {cure}", "", ""));
        }
    }
    lines.push(String::new());
    lines.push(sum(findings));
    lines.join("\n")
}

fn painted(status: Status, colour: bool) -> String {
    let name = status.name();
    let number = match status {
        Status::Ok => 32,
        Status::Warning => 33,
        Status::Problem => 31,
    };
    if colour { format!("\u{1b}[{number}m{name:7}\u{1b}[0m") } else { format!("{name:7}") }
}

fn sum(findings: &[Finding]) -> String {
    let count = |status: Status, one: &str| match findings
        .iter()
        .filter(|finding| finding.status == status)
        .count()
    {
        0 => None,
        1 => Some(format!("1 {one}")),
        many => Some(format!("{many} {one}s")),
    };
    let told: Vec<_> = [count(Status::Problem, "problem"), count(Status::Warning, "warning")]
        .into_iter()
        .flatten()
        .collect();
    if told.is_empty() { "All is well.".to_owned() } else { format!("{}.", told.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings() -> Vec<Finding> {
        vec![Finding::ok("a", "fine"), Finding::problem("longer", "broken", "mend it")]
    }

    #[test]
    fn lines_are_aligned_and_bare() {
        let text = lines(&findings(), false);
        let expected =
            "ok       a       fine\nproblem  longer  broken\n                 cure: mend it\n\n1 problem.";
        assert_eq!(text, expected);
        assert!(lines(&findings(), true).contains("\u{1b}[31mproblem\u{1b}[0m  longer"));
    }

    #[test]
    fn json_has_four_members_each() {
        let json: serde_json::Value = serde_json::from_str(&json(&findings())).unwrap();
        assert_eq!(
            json[0],
            serde_json::json!({"check": "a", "status": "ok", "detail": "fine", "cure": null})
        );
        assert_eq!(json[1]["cure"], "mend it");
    }

    #[test]
    fn the_sum_counts() {
        assert_eq!(sum(&findings()[..1]), "All is well.");
        let warning = Finding::warning("x", "y", "z");
        assert_eq!(sum(&[warning.clone(), warning]), "2 warnings.");
    }
}
