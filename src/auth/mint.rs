//! Makes HS256 tokens: for `token new` and for the demo user of dev mode.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::claims::UserIdClaims;
use crate::config::Secret;
use crate::config::auth::AuthConfig;
use crate::field::timestamp::Timestamp;

/// What a new token says of its bearer. Check the user with [`super::claims::is_user_id`] first: a token for a text
/// that is no user id is refused wherever it is shown.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// The user id.
    pub user: String,
    /// The `email` claim, if it should have one.
    pub email: Option<String>,
    /// The `name` claim, if it should have one.
    pub name: Option<String>,
    /// How long it is valid; whole seconds count.
    pub ttl: Duration,
}

/// A compact JWS (RFC 7515) over HS256 with the user in `sub`, valid from `now`.
pub fn mint(secret: &Secret, claims: NewToken, now: Timestamp) -> String {
    sign(secret, &payload(claims, &UserIdClaims::default(), now))
}

/// As [`mint`], and with what a server of this configuration asks for beyond that: its `iss` and `aud`, and the user in
/// the claim that it prefers.
pub fn mint_for(config: &AuthConfig, secret: &Secret, claims: NewToken, now: Timestamp) -> String {
    let mut payload = payload(claims, &config.user_id_claims, now);
    for (name, values) in [("iss", &config.issuers), ("aud", &config.audiences)] {
        if let Some(value) = values.first() {
            payload.insert(name.to_owned(), json!(value));
        }
    }
    sign(secret, &payload)
}

fn payload(claims: NewToken, places: &UserIdClaims, now: Timestamp) -> Map<String, Value> {
    let NewToken { user, email, name, ttl } = claims;
    let issued = now.micros().div_euclid(1_000_000);
    let expires = issued.saturating_add(i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX));
    let mut payload = Map::new();
    place(&mut payload, places.names().first().map_or("sub", String::as_str), user);
    payload.extend(email.map(|email| ("email".to_owned(), json!(email))));
    payload.extend(name.map(|name| ("name".to_owned(), json!(name))));
    payload.insert("iat".to_owned(), json!(issued));
    payload.insert("exp".to_owned(), json!(expires));
    payload
}

/// Puts the user id where the claim's dotted path leads.
fn place(object: &mut Map<String, Value>, path: &str, user: String) {
    match path.split_once('.') {
        None => {
            object.insert(path.to_owned(), Value::String(user));
        }
        Some((first, rest)) => {
            let mut inner = Map::new();
            place(&mut inner, rest, user);
            object.insert(first.to_owned(), Value::Object(inner));
        }
    }
}

fn sign(secret: &Secret, payload: &Map<String, Value>) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let payload = URL_SAFE_NO_PAD.encode(Value::from(payload.clone()).to_string());
    let signed = format!("{header}.{payload}");
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.expose().as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(aws_lc_rs::hmac::sign(&key, signed.as_bytes()));
    format!("{signed}.{signature}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::refusal::Rejection;
    use crate::auth::samples::{NOW, config_with_secret, now, secret};
    use crate::auth::verifier::Verifier;

    fn new_token() -> NewToken {
        NewToken {
            user: "ann".to_owned(),
            email: Some("ann@example.test".to_owned()),
            name: Some("Ann \"A\" Ä".to_owned()),
            ttl: Duration::from_secs(3_600),
        }
    }

    #[tokio::test]
    async fn a_minted_token_is_accepted_for_its_time() {
        let verifier = Verifier::new(&config_with_secret(), None).unwrap();
        let token = mint(&secret(), new_token(), now(0));
        let verified = verifier.verify(&token, now(10)).await.unwrap();
        assert_eq!(verified.user.as_str(), "ann");
        assert_eq!(verified.email.as_deref(), Some("ann@example.test"));
        assert_eq!(verified.name.as_deref(), Some("Ann \"A\" Ä"));
        assert_eq!(verified.expires_at.micros(), (NOW + 3_600) * 1_000_000);
        let expired = verifier.verify(&token, now(3_630)).await;
        assert!(matches!(expired, Err(Rejection::Refused(refusal)) if refusal.reason == "expired"));
    }

    #[tokio::test]
    async fn a_token_minted_for_a_configuration_has_what_it_asks_for() {
        let mut config = config_with_secret();
        config.issuers = vec!["https://app.example.com".to_owned(), "other".to_owned()];
        config.audiences = vec!["api".to_owned()];
        config.user_id_claims = UserIdClaims::parse(vec!["user.id".to_owned(), "sub".to_owned()]).unwrap();
        let verifier = Verifier::new(&config, None).unwrap();
        let plain = mint(&secret(), new_token(), now(0));
        let refused = verifier.verify(&plain, now(0)).await;
        assert!(matches!(refused, Err(Rejection::Refused(refusal)) if refusal.reason == "wrong_issuer"));
        let token = mint_for(&config, &secret(), new_token(), now(0));
        assert_eq!(verifier.verify(&token, now(0)).await.unwrap().user.as_str(), "ann");
    }
}
