//! `token`: mint one to try the API with, or learn why one is refused.

use std::io::Read;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::{Failure, complain, say, settings};
use crate::auth::caller::is_reserved;
use crate::auth::claims::is_user_id;
use crate::auth::dev::dev_secret;
use crate::auth::explain::explain;
use crate::auth::mint::{NewToken, mint_for};
use crate::auth::verifier::Verifier;
use crate::clock::Clock;
use crate::config::{Config, Secret, parse_duration};

/// Mint a token to try the API with, or explain why this server takes or refuses one
#[derive(Debug, Subcommand)]
pub(super) enum Token {
    New(New),
    Check(Check),
}

/// Mint a token, in dev mode or with BETTER_AUTH_SECRET
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  creatorvault token new --user ann
  creatorvault token new --user ann --email ann@example.com --name 'Ann Lee' --ttl 15m
  curl -H \"Authorization: Bearer $(creatorvault token new --user ann)\" http://localhost:8000/api/v1/users/me")]
pub(super) struct New {
    /// The user's id, as the front-end's tokens carry it in `sub`
    #[arg(long, value_name = "ID", value_parser = user)]
    user: String,
    /// How long it is good for: 90s, 15m, 1h …
    #[arg(long, default_value = "1h", value_parser = ttl)]
    ttl: Duration,
    /// The `email` claim
    #[arg(long)]
    email: Option<String>,
    /// The `name` claim
    #[arg(long)]
    name: Option<String>,
}

/// Explain, claim by claim and without any network, why this server would take or refuse a token
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  creatorvault token check eyJhbGciOi…
  pbpaste | creatorvault token check -     a dash reads it from standard input, out of sight of the shell's history

Exit codes: 0 accepted, 1 refused.")]
pub(super) struct Check {
    /// The token, with or without `Bearer ` before it; `-` reads standard input
    #[arg(value_name = "JWT")]
    token: String,
}

impl Token {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::New(new) => new.run(),
            Self::Check(check) => check.run(),
        }
    }
}

impl New {
    fn run(self) -> Result<(), Failure> {
        let config = settings()?;
        let secret = signing_secret(&config)?;
        if config.auth.dev_mode() {
            complain("dev mode: only this server takes the token, and only as long as it is in dev mode");
        }
        let new = NewToken { user: self.user, email: self.email, name: self.name, ttl: self.ttl };
        say(&mint_for(&config.auth, &secret, new, Clock::system().now()));
        Ok(())
    }
}

impl Check {
    fn run(self) -> Result<(), Failure> {
        let config = settings()?;
        let token = if self.token == "-" { standard_input()? } else { self.token };
        let dev = if config.auth.dev_mode() { Some(dev_secret(config.data_dir())?) } else { None };
        let verdict = explain(&Verifier::new(&config.auth, dev)?, &token, Clock::system().now());
        verdict.lines.iter().for_each(|line| say(line));
        if verdict.accepted { Ok(()) } else { Err(Failure(Vec::new())) }
    }
}

/// What this server's shared-secret tokens are signed with.
fn signing_secret(config: &Config) -> Result<Secret, Failure> {
    if config.auth.dev_mode() {
        return Ok(dev_secret(config.data_dir())?);
    }
    config.auth.secret.clone().ok_or_else(|| {
        let cure = "token new needs BETTER_AUTH_SECRET: with JWT_PUBLIC_KEY alone only the holder of the private key \
                    can sign, so ask the front-end for a token";
        Failure::from(cure.to_owned())
    })
}

fn standard_input() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin()
        .take(64 * 1024)
        .read_to_string(&mut text)
        .map_err(|error| format!("standard input: {error}"))?;
    Ok(text.trim().to_owned())
}

fn user(text: &str) -> Result<String, String> {
    if is_reserved(text) {
        Err("must not be a word of the API's paths: no request of such a user is answered".to_owned())
    } else if is_user_id(text) {
        Ok(text.to_owned())
    } else {
        Err("must be 1 to 255 characters without control characters".to_owned())
    }
}

fn ttl(text: &str) -> Result<Duration, String> {
    let ttl = parse_duration(text)?;
    if ttl < Duration::from_secs(1) { Err("must be at least 1s".to_owned()) } else { Ok(ttl) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_what_a_token_may_carry() {
        assert!(user("ann").is_ok() && user(&"é".repeat(255)).is_ok());
        assert!(user("").is_err() && user("a\nb").is_err() && user(&"a".repeat(256)).is_err());
    }

    #[test]
    fn a_token_lives_at_least_a_second() {
        assert_eq!(ttl("15m"), Ok(Duration::from_secs(900)));
        assert!(ttl("0").is_err() && ttl("999ms").is_err() && ttl("soon").is_err());
    }
}
