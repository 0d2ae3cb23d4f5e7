//! Logs: `LOG_LEVEL`, `LOG_FORMAT`, `DEBUG`.

use super::{Environment, Reader};

/// From which level on a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Everything, requests to the health endpoints too.
    Debug,
    /// Requests and events.
    Info,
    /// What deserves a look.
    Warning,
    /// What failed.
    Error,
}

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object per line.
    Json,
    /// For eyes, with colours.
    Pretty,
}

/// The log settings.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// `LOG_LEVEL`, else what `DEBUG` implies, else info.
    pub level: Level,
    /// `LOG_FORMAT`; unset: pretty on a terminal, JSON elsewhere.
    pub format: Option<Format>,
    /// `DEBUG=true`: answers may say more (why a token was refused).
    pub debug: bool,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: Level::Info, format: None, debug: false }
    }
}

impl LogConfig {
    /// Reads the log settings; what is wrong with them is noted in `reader`.
    pub fn read(reader: &mut Reader, environment: Environment) -> Self {
        let debug = reader.switch("DEBUG", false);
        if debug && environment == Environment::Production {
            reader.problem("DEBUG", "must not be true in production: unset it, or set LOG_LEVEL=debug");
        }
        let level = if debug { Level::Debug } else { Level::Info };
        Self {
            level: reader.parse("LOG_LEVEL", level, parse_level),
            format: reader.parse("LOG_FORMAT", None, |text| parse_format(text).map(Some)),
            debug,
        }
    }
}

fn parse_level(text: &str) -> Result<Level, String> {
    match text.to_ascii_lowercase().as_str() {
        "debug" => Ok(Level::Debug),
        "info" => Ok(Level::Info),
        "warning" | "warn" => Ok(Level::Warning),
        "error" => Ok(Level::Error),
        _ => Err("must be debug, info, warning or error".to_owned()),
    }
}

fn parse_format(text: &str) -> Result<Format, String> {
    match text.to_ascii_lowercase().as_str() {
        "json" => Ok(Format::Json),
        "pretty" => Ok(Format::Pretty),
        _ => Err("must be json or pretty".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)], environment: Environment) -> (LogConfig, String) {
        let mut reader =
            Reader::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let config = LogConfig::read(&mut reader, environment);
        (config, format!("{reader:?}"))
    }

    #[test]
    fn debug_sets_the_level_unless_the_level_is_set() {
        let level = |pairs| read(pairs, Environment::Development).0.level;
        assert_eq!(level(&[]), Level::Info);
        assert_eq!(level(&[("DEBUG", "true")]), Level::Debug);
        assert_eq!(level(&[("DEBUG", "true"), ("LOG_LEVEL", "WARNING")]), Level::Warning);
        assert_eq!(level(&[("LOG_LEVEL", "Error")]), Level::Error);
    }

    #[test]
    fn debug_is_refused_in_production() {
        assert!(
            read(&[("DEBUG", "true")], Environment::Production)
                .1
                .contains("DEBUG must not be true in production")
        );
        assert!(!read(&[("DEBUG", "false")], Environment::Production).1.contains("must not"));
        assert!(!read(&[("DEBUG", "true")], Environment::Development).1.contains("must not"));
    }

    #[test]
    fn format_is_unset_json_or_pretty() {
        let format = |pairs| read(pairs, Environment::Development).0.format;
        assert_eq!(format(&[]), None);
        assert_eq!(format(&[("LOG_FORMAT", "JSON")]), Some(Format::Json));
        assert_eq!(format(&[("LOG_FORMAT", "pretty")]), Some(Format::Pretty));
        let problems = read(&[("LOG_FORMAT", "xml"), ("LOG_LEVEL", "loud")], Environment::Development).1;
        assert!(problems.contains("LOG_FORMAT must be json or pretty"));
        assert!(problems.contains("LOG_LEVEL must be debug, info, warning or error"));
    }
}
