//! What a token's payload must say (RFC 7519 section 4.1): each rule apart, so that it can be checked and explained.

use serde_json::{Map, Value};

use super::issuer;
use super::refusal::{Refusal, reason, shown};
use crate::field::timestamp::Timestamp;

/// How far the clocks of the issuer and of this server may be apart.
const LEEWAY: i64 = 30 * MICROS;
const MICROS: i64 = 1_000_000;

/// What `exp` is cut to, in microseconds: from the year 0001 to 9999-12-30T22:00:00Z, the last instant that every
/// offset can write.
const INSTANTS: (i64, i64) = (-62_135_596_800 * MICROS, 253_402_207_200 * MICROS);

/// Where the user id stands: names of claims in order of preference; `user.id` looks inside `user`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserIdClaims(Vec<String>);

impl Default for UserIdClaims {
    fn default() -> Self {
        Self(["sub", "userId", "user_id"].map(str::to_owned).to_vec())
    }
}

impl UserIdClaims {
    /// These claims, the first one preferred.
    ///
    /// # Errors
    /// The rule that a name breaks, to be put after the variable's name.
    pub fn parse(names: Vec<String>) -> Result<Self, String> {
        if names.is_empty() {
            return Err("must name at least one claim, such as sub".to_owned());
        }
        if names
            .iter()
            .any(|name| name.eq_ignore_ascii_case("email") || name.to_ascii_lowercase().ends_with(".email"))
        {
            return Err("must not name email: an address changes hands, a user id does not".to_owned());
        }
        if names.iter().any(|name| name.split('.').any(str::is_empty)) {
            return Err("must be claim names separated by commas, such as sub,userId,user.id".to_owned());
        }
        Ok(Self(names))
    }

    /// The names, the preferred one first.
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

/// What the payload of a token from one trust source must say.
#[derive(Debug, Clone, Default)]
pub(super) struct Expected {
    /// `iss` must be one of these; empty: not looked at.
    pub(super) issuers: Vec<String>,
    /// `aud` must name one of these; empty: not looked at.
    pub(super) audiences: Vec<String>,
}

/// A payload.
#[derive(Debug)]
pub(super) struct Claims(pub(super) Map<String, Value>);

impl Claims {
    /// `exp`, which must be there and not have passed by more than the leeway.
    pub(super) fn expiry(&self, now: Timestamp) -> Result<Timestamp, Refusal> {
        let bad = |text| Refusal::invalid(reason::EXPIRY, text);
        let value = self.0.get("exp").ok_or_else(|| bad("there is no exp"))?;
        let expiry = instant(value).ok_or_else(|| bad("exp is not a number"))?;
        if now.micros() >= expiry.micros().saturating_add(LEEWAY) {
            let ago = now.micros().saturating_sub(expiry.micros()) / MICROS;
            return Err(Refusal::expired(format!("expired {ago} seconds ago")));
        }
        Ok(expiry)
    }

    /// `nbf`, which may be missing and must not be further ahead than the leeway.
    pub(super) fn not_before(&self, now: Timestamp) -> Result<(), Refusal> {
        let Some(value) = self.0.get("nbf") else { return Ok(()) };
        let start = instant(value)
            .ok_or_else(|| Refusal::invalid(reason::NOT_BEFORE, "nbf is not a number"))?
            .micros();
        if start > now.micros().saturating_add(LEEWAY) {
            let ahead = start.saturating_sub(now.micros()) / MICROS;
            return Err(Refusal::invalid(reason::NOT_YET, format!("valid only in {ahead} seconds")));
        }
        Ok(())
    }

    /// By how many seconds `iat` lies in the future; clocks differ, so this is told and not refused.
    pub(super) fn issued_ahead(&self, now: Timestamp) -> Option<i64> {
        let ahead = instant(self.0.get("iat")?)?.micros().saturating_sub(now.micros());
        (ahead > LEEWAY).then_some(ahead / MICROS)
    }

    /// `iss`: one plain string of the expected ones.
    pub(super) fn issuer(&self, expected: &Expected) -> Result<(), Refusal> {
        if expected.issuers.is_empty() {
            return Ok(());
        }
        let refusal = |actual: String| {
            let detail = format!("expected {}, the token has {actual}", any_of(&expected.issuers));
            Err(Refusal::invalid(reason::ISSUER, detail))
        };
        match self.0.get("iss") {
            None => refusal("no iss".to_owned()),
            Some(Value::String(actual)) => match expected.issuers.iter().any(|one| issuer::same(one, actual))
            {
                true => Ok(()),
                false => refusal(shown(actual)),
            },
            Some(_) => refusal("an iss that is not a string".to_owned()),
        }
    }

    /// `aud`: a string or an array of strings, one of which is expected.
    pub(super) fn audience(&self, expected: &Expected) -> Result<(), Refusal> {
        if expected.audiences.is_empty() {
            return Ok(());
        }
        let refusal = |actual: String| {
            let detail = format!("expected {}, the token has {actual}", any_of(&expected.audiences));
            Err(Refusal::invalid(reason::AUDIENCE, detail))
        };
        let Some(value) = self.0.get("aud") else { return refusal("no aud".to_owned()) };
        let Some(actual) = texts(value) else {
            return refusal("an aud that is neither a string nor an array of strings".to_owned());
        };
        let named = |one: &str| expected.audiences.iter().any(|expected| issuer::same(expected, one));
        if actual.iter().any(|one| named(one)) { Ok(()) } else { refusal(any_of(&actual)) }
    }

    /// No `cnf`: its holder would have to prove a key, which a bearer token cannot.
    pub(super) fn unbound(&self) -> Result<(), Refusal> {
        match self.0.contains_key("cnf") {
            true => Err(Refusal::invalid(reason::BOUND, "the token has cnf, so it is no bearer token")),
            false => Ok(()),
        }
    }

    /// The user id and the claim that has it.
    pub(super) fn user_id<'c>(&self, claims: &'c UserIdClaims) -> Result<(String, &'c str), Refusal> {
        let mut found: Option<(String, &str)> = None;
        for name in claims.names() {
            let Some(value) = self.at(name) else { continue };
            let text = user_text(value).ok_or_else(|| {
                let rule = "must be a non-empty text of at most 255 characters without control characters";
                Refusal::invalid(reason::USER, format!("{name} {rule}"))
            })?;
            match &found {
                None => found = Some((text, name)),
                Some((first, _)) if *first == text => {}
                Some((_, first)) => {
                    return Err(Refusal::invalid(reason::USERS, format!("{first} and {name} differ")));
                }
            }
        }
        found.ok_or_else(|| {
            Refusal::invalid(
                reason::NO_USER,
                format!("none of the claims {} is there", claims.names().join(", ")),
            )
        })
    }

    /// A claim that only describes the user: the payload's own, else the one beside a place where user ids are looked
    /// for (`user.email` beside `user.id`). A text that no address or name has (control characters, more than 320
    /// characters: RFC 5321 allows 64 + 1 + 255) is as good as none; it must not make a request fail.
    pub(super) fn describing(&self, name: &str, claims: &UserIdClaims) -> Option<String> {
        let places = claims.names().iter().filter_map(|claim| claim.rsplit_once('.'));
        let beside = || places.map(|(place, _)| format!("{place}.{name}")).find_map(|path| self.at(&path));
        describing_text(self.0.get(name).or_else(beside)?)
    }

    /// A claim by its name, or by the dotted path to it.
    fn at(&self, name: &str) -> Option<&Value> {
        if let Some(value) = self.0.get(name) {
            return Some(value);
        }
        let (first, rest) = name.split_once('.')?;
        rest.split('.').try_fold(self.0.get(first)?, |value, step| value.get(step))
    }
}

/// A NumericDate (RFC 7519 section 2), cut to what a [`Timestamp`] holds.
fn instant(value: &Value) -> Option<Timestamp> {
    let micros = match value.as_i64() {
        Some(seconds) => seconds.saturating_mul(MICROS),
        // `as` saturates, which is what is wanted of a number beyond all years.
        None => (value.as_f64().filter(|seconds| seconds.is_finite())? * 1e6) as i64,
    };
    Some(Timestamp::from_micros(micros.clamp(INSTANTS.0, INSTANTS.1)))
}

/// A string, or all strings of an array of nothing else.
fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

/// Names for a message; a token may bring a thousand.
fn any_of(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        [one] => shown(one),
        many => many.iter().take(5).map(|name| shown(name)).collect::<Vec<_>>().join(" or "),
    }
}

/// A text that describes a user, if the value is one.
pub(super) fn describing_text(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    (text.chars().count() <= 320 && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

/// The user id that a claim holds, if it holds one.
pub(super) fn user_text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_i64() || number.is_u64() => number.to_string(),
        _ => return None,
    };
    is_user_id(&text).then_some(text)
}

/// Whether a text can be a user id: 1–255 characters, none of them a control character.
pub fn is_user_id(text: &str) -> bool {
    !text.is_empty() && text.chars().nth(255).is_none() && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A claim's value, likely or not.
    fn any_claim() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "\\PC{0,8}|a{250,260}|[a-c]".prop_map(Value::String),
            prop::collection::vec("[a-c]{0,3}".prop_map(Value::String), 0..4).prop_map(Value::Array),
            prop::collection::btree_map("id|email|name", "[a-c]".prop_map(Value::String), 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    }

    proptest! {
        #[test]
        fn no_claims_panic_at_any_time(
            claims in prop::collection::btree_map("exp|nbf|iat|iss|aud|cnf|sub|userId|user_id|user|email|name", any_claim(), 0..12),
            now in prop_oneof![any::<i64>().prop_map(|n| n.clamp(INSTANTS.0, INSTANTS.1)), Just(INSTANTS.0), Just(INSTANTS.1)],
        ) {
            let claims = Claims(claims.into_iter().collect());
            let now = Timestamp::from_micros(now);
            let expected = Expected { issuers: vec!["a".to_owned()], audiences: vec!["b".to_owned()] };
            if let Ok(expiry) = claims.expiry(now) {
                prop_assert!(expiry.micros() > now.micros().saturating_sub(LEEWAY));
            }
            let _ = (claims.not_before(now), claims.issued_ahead(now), claims.unbound());
            prop_assert_eq!(claims.issuer(&expected).is_ok(), claims.0.get("iss") == Some(&Value::from("a")));
            let named = claims.0.get("aud").and_then(texts).is_some_and(|texts| texts.iter().any(|text| text == "b"));
            prop_assert_eq!(claims.audience(&expected).is_ok(), named);
            let names = UserIdClaims::parse(["sub", "userId", "user_id", "user.id"].map(str::to_owned).to_vec()).unwrap();
            if let Ok((user, name)) = claims.user_id(&names) {
                prop_assert!(is_user_id(&user));
                prop_assert_eq!(claims.at(name).and_then(user_text), Some(user));
            }
            for text in [claims.describing("email", &names), claims.describing("name", &names)].into_iter().flatten() {
                prop_assert!(text.chars().count() <= 320);
            }
        }

        #[test]
        fn an_instant_is_its_seconds(seconds in -62_135_596_800_i64..253_402_207_200, millis in 0_i32..1000) {
            let whole = Timestamp::from_micros(seconds * MICROS);
            prop_assert_eq!(instant(&Value::from(seconds)), Some(whole));
            let parts = instant(&Value::from(seconds as f64 + f64::from(millis) / 1000.0)).unwrap();
            prop_assert!((parts.micros() - whole.micros() - i64::from(millis) * 1000).abs() <= 32, "{:?}", parts);
        }
    }
}
