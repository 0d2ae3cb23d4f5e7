//! Reads variables one by one and collects what is wrong with them.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Reads variables and collects what is wrong with them.
pub struct Reader {
    vars: BTreeMap<String, String>,
    pub(super) problems: Vec<String>,
    warnings: Vec<String>,
}

impl fmt::Debug for Reader {
    /// The names only: any value may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("names", &self.vars.keys()).field("problems", &self.problems).finish()
    }
}

impl Reader {
    /// A reader of the given variables.
    pub fn new(vars: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { vars: vars.into_iter().collect(), problems: Vec::new(), warnings: Vec::new() }
    }

    /// The names of all variables that are set, empty ones too, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.vars.keys().map(String::as_str)
    }

    /// The value of a variable, trimmed; an empty one counts as unset.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// The value exactly as it was set, for secrets; an empty one counts as unset.
    pub fn verbatim(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Notes a problem; the text completes "NAME …" and says the cure.
    pub fn problem(&mut self, name: &str, text: impl fmt::Display) {
        self.problems.push(format!("{name} {text}"));
    }

    /// Notes something that is no reason not to start; the text completes "NAME …" and says the cure.
    pub fn warning(&mut self, name: &str, text: impl fmt::Display) {
        self.warnings.push(format!("{name} {text}"));
    }

    /// What was noted: problems, and what is only worth a warning.
    pub fn into_notes(self) -> (Vec<String>, Vec<String>) {
        (self.problems, self.warnings)
    }

    /// As [`Reader::into_notes`], for who goes on reading.
    pub(super) fn take_notes(&mut self) -> (Vec<String>, Vec<String>) {
        (std::mem::take(&mut self.problems), std::mem::take(&mut self.warnings))
    }

    /// Parses a variable, or takes the default where it is unset or wrong (which is noted).
    pub fn parse<T>(&mut self, name: &str, default: T, parse: impl FnOnce(&str) -> Result<T, String>) -> T {
        let Some(parsed) = self.text(name).map(parse) else { return default };
        parsed.unwrap_or_else(|text| {
            self.problem(name, text);
            default
        })
    }

    /// A duration: `500ms`, `5s`, `2m`, `1h` or a plain number of seconds.
    pub fn duration(&mut self, name: &str, default: Duration) -> Duration {
        self.parse(name, default, parse_duration)
    }

    /// A size: `64KiB`, `1MiB` or plain bytes.
    pub fn size(&mut self, name: &str, default: usize) -> usize {
        self.parse(name, default, parse_size)
    }

    /// A switch: `true`/`false`, `on`/`off`, `1`/`0`, `yes`/`no`, any case.
    pub fn switch(&mut self, name: &str, default: bool) -> bool {
        self.parse(name, default, parse_switch)
    }

    /// A comma-separated list, trimmed, without empty parts.
    pub fn list(&self, name: &str) -> Vec<String> {
        self.text(name)
            .map(|text| {
                text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
            })
            .unwrap_or_default()
    }
}

/// `500ms`, `5s`, `2m`, `1h` or a plain number of seconds.
///
/// # Errors
/// The rule, when the text is none of these.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || "must be a duration such as 500ms, 5s, 2m, or a number of seconds".to_owned();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let millis = match unit.trim() {
        "ms" => Some(number),
        "" | "s" => number.checked_mul(1_000),
        "m" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
        _ => None,
    };
    millis.map(Duration::from_millis).ok_or_else(wrong)
}

/// `64KiB`, `1MiB`, `1GiB` or plain bytes.
///
/// # Errors
/// The rule, when the text is none of these.
pub fn parse_size(text: &str) -> Result<usize, String> {
    let wrong = || "must be a size such as 64KiB, 1MiB, or a number of bytes".to_owned();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: usize = number.parse().map_err(|_| wrong())?;
    let factor = match unit.trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(wrong()),
    };
    number.checked_mul(factor).ok_or_else(wrong)
}

/// `true`/`false`, `on`/`off`, `1`/`0`, `yes`/`no`, any case.
///
/// # Errors
/// The rule, when the text is none of these.
pub fn parse_switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "on" | "1" | "yes" => Ok(true),
        "false" | "off" | "0" | "no" => Ok(false),
        _ => Err("must be on or off (true or false)".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_duration_is_its_number_times_its_unit(number: u64, blank in " ?", unit in prop::sample::select(vec![
            ("", 1000_u128), ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000),
        ])) {
            let meant = u128::from(number) * unit.1;
            let read = parse_duration(&format!("{number}{blank}{}", unit.0)).ok();
            prop_assert_eq!(read.map(|time| time.as_millis()), Some(meant).filter(|ms| *ms <= u128::from(u64::MAX)));
        }

        #[test]
        fn a_size_is_its_number_times_its_unit(number: u64, blank in " ?", unit in prop::sample::select(vec![
            ("", 1_u128), ("B", 1), ("KiB", 1024), ("MiB", 1024 * 1024), ("GiB", 1024 * 1024 * 1024),
        ])) {
            let meant = usize::try_from(u128::from(number) * unit.1).ok();
            prop_assert_eq!(parse_size(&format!("{number}{blank}{}", unit.0)).ok(), meant);
        }

        #[test]
        fn arbitrary_values_are_read_or_refused_without_being_repeated(
            text in "[+-]?[0-9]{0,25}[. ]?([kKMGimsh]|Zq9Xw7|é){0,4}|\\PC{0,40}",
        ) {
            let told = [parse_duration(&text).err(), parse_size(&text).err(), parse_switch(&text).err()];
            for told in told.into_iter().flatten() {
                prop_assert!(told.len() < 100 && !told.contains("Zq9Xw7"), "{}", told);
            }
        }
    }
}
