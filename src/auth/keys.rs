//! The trust sources: a shared secret, and public keys with what each may check. A token never chooses between them:
//! HS256 is checked by the shared secret alone, everything else by public keys alone.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::ParsedPublicKey;

use super::algorithm::{Algorithm, names};
use super::refusal::{Refusal, reason, shown};
use crate::config::Secret;

/// A token without a `kid` is tried with at most so many keys.
const MOST_TRIES: usize = 8;

/// The shared secret as an HMAC key.
pub struct SharedSecret(hmac::Key);

impl SharedSecret {
    /// The secret's UTF-8 bytes as they are; never decoded.
    pub fn new(secret: &Secret) -> Self {
        Self::of_bytes(secret.expose().as_bytes())
    }

    /// A secret that is no text.
    pub fn of_bytes(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// Whether `signature` is the whole HMAC of `message`, compared in constant time.
    fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        hmac::verify(&self.0, message, signature).is_ok()
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// What kind of public key it is; the kind decides which algorithms it may check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA with a modulus of 2048 to 8192 bits.
    Rsa,
    /// The NIST curve P-256.
    P256,
    /// The NIST curve P-384.
    P384,
    /// The NIST curve P-521.
    P521,
    /// Ed25519.
    Ed25519,
}

impl KeyKind {
    /// The algorithms that a key of this kind may check.
    pub fn algorithms(self) -> &'static [Algorithm] {
        use Algorithm::{EdDsa, Es256, Es384, Es512, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        match self {
            Self::Rsa => &[Rs256, Rs384, Rs512, Ps256, Ps384, Ps512],
            Self::P256 => &[Es256],
            Self::P384 => &[Es384],
            Self::P521 => &[Es512],
            Self::Ed25519 => &[EdDsa],
        }
    }
}

/// A public key, parsed once, with the algorithms that it may check. Cheap to clone.
#[derive(Clone)]
pub struct PublicKey {
    kind: KeyKind,
    key_id: Option<String>,
    material: Arc<[u8]>,
    checks: Arc<[(Algorithm, ParsedPublicKey)]>,
}

/// The same key, with the same id, for the same algorithms.
impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        let algorithms = |key: &Self| key.checks.iter().map(|(algorithm, _)| *algorithm).collect::<Vec<_>>();
        (self.kind, &self.key_id, &self.material) == (other.kind, &other.key_id, &other.material)
            && algorithms(self) == algorithms(other)
    }
}

impl Eq for PublicKey {}

impl PublicKey {
    /// A key from its bytes: for RSA PKCS#1 DER (RFC 8017) or SubjectPublicKeyInfo (RFC 5280), for a curve the SEC 1
    /// point, for Ed25519 its 32 bytes.
    /// With `key_id`, only tokens of that `kid` (or without one) are checked by it. With `only`, it checks those of its
    /// kind's algorithms alone.
    ///
    /// # Errors
    /// Why the bytes are no such key.
    pub fn new(
        kind: KeyKind,
        material: &[u8],
        key_id: Option<String>,
        only: Option<&[Algorithm]>,
    ) -> Result<Self, String> {
        let mut checks = Vec::new();
        for algorithm in kind.algorithms() {
            let Some(verification) = algorithm.verification() else { continue };
            let key = ParsedPublicKey::new(verification, material)
                .map_err(|_| format!("is not a valid {kind:?} public key"))?;
            if only.is_none_or(|only| only.contains(algorithm)) {
                checks.push((*algorithm, key));
            }
        }
        Ok(Self { kind, key_id, material: material.into(), checks: checks.into() })
    }

    /// The key's kind.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The same key, checking no other algorithms than these.
    #[must_use]
    pub fn narrowed(&self, only: &[Algorithm]) -> Self {
        let checks = self.checks.iter().filter(|(algorithm, _)| only.contains(algorithm)).cloned().collect();
        Self { kind: self.kind, key_id: self.key_id.clone(), material: Arc::clone(&self.material), checks }
    }

    /// The key's own id.
    pub(super) fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Whether the key may check this algorithm.
    pub(super) fn takes(&self, algorithm: Algorithm) -> bool {
        self.checks.iter().any(|(own, _)| *own == algorithm)
    }

    fn signed(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let check = self.checks.iter().find(|(own, _)| *own == algorithm);
        check.is_some_and(|(_, key)| key.verify_sig(message, signature).is_ok())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey")
            .field("kind", &self.kind)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

/// Which source a token's trust comes from; it decides which claims are required.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// The shared secret.
    SharedSecret,
    /// A public key.
    PublicKey,
}

/// The keys that were configured, and which algorithms a fetched set of keys may add.
#[derive(Debug, Default)]
pub struct KeyRing {
    secret: Option<SharedSecret>,
    keys: Vec<PublicKey>,
    fetched: Vec<Algorithm>,
}

impl KeyRing {
    /// A ring of these keys.
    pub fn new(secret: Option<SharedSecret>, keys: Vec<PublicKey>) -> Self {
        Self { secret, keys, fetched: Vec::new() }
    }

    /// The same ring, beside which a set of keys for these algorithms is fetched. HS256 is never one of them.
    #[must_use]
    pub fn with_fetched(self, algorithms: &[Algorithm]) -> Self {
        let fetched = algorithms.iter().copied().filter(|algorithm| *algorithm != Algorithm::Hs256).collect();
        Self { fetched, ..self }
    }

    /// The algorithms that a token may name here.
    pub fn algorithms(&self) -> Vec<Algorithm> {
        super::algorithm::ALL.into_iter().filter(|algorithm| self.allows(*algorithm)).collect()
    }

    fn allows(&self, algorithm: Algorithm) -> bool {
        match algorithm {
            Algorithm::Hs256 => self.secret.is_some(),
            other => self.fetched.contains(&other) || self.keys.iter().any(|key| key.takes(other)),
        }
    }

    /// The algorithm that a token's `alg` names, and the source that may check it.
    ///
    /// # Errors
    /// The name means nothing here, or no key of this ring may check it.
    pub fn source(&self, name: &str) -> Result<(Algorithm, Trust), Refusal> {
        let Some(algorithm) = Algorithm::named(name).filter(|algorithm| self.allows(*algorithm)) else {
            let detail = format!("alg is {}, accepted here: {}", shown(name), names(&self.algorithms()));
            return Err(Refusal::invalid(reason::ALGORITHM, detail));
        };
        let trust = match algorithm {
            Algorithm::Hs256 => Trust::SharedSecret,
            _ => Trust::PublicKey,
        };
        Ok((algorithm, trust))
    }

    /// Whether a newer set of keys may have what checks this algorithm.
    pub(super) fn fetches(&self, algorithm: Algorithm) -> bool {
        self.fetched.contains(&algorithm)
    }

    /// Checks a signature with those of the configured and the `fetched` keys that may check it.
    ///
    /// # Errors
    /// No key answers to the `kid`, or none of those that do made the signature.
    pub fn check(
        &self,
        algorithm: Algorithm,
        key_id: Option<&str>,
        signed: Signed<'_>,
        fetched: &[PublicKey],
    ) -> Result<(), Refusal> {
        if algorithm == Algorithm::Hs256 {
            let good =
                self.secret.as_ref().is_some_and(|secret| secret.signed(signed.message, signed.signature));
            let doubt = || Refusal::invalid(reason::SIGNATURE, "not signed with this server's shared secret");
            return if good { Ok(()) } else { Err(doubt()) };
        }
        let fitting = || self.keys.iter().chain(fetched).filter(|key| key.takes(algorithm));
        // Keys of that id first: so many without any id must not take their turn.
        let named = fitting().filter(|key| key_id.is_none() || key.key_id() == key_id);
        let nameless = fitting().filter(|key| key_id.is_some() && key.key_id().is_none());
        let mut candidates = named.chain(nameless).take(MOST_TRIES).peekable();
        if candidates.peek().is_none() {
            let detail = match key_id {
                Some(key_id) => format!("no {algorithm} key has the kid {}", shown(key_id)),
                None => format!("there is no {algorithm} key"),
            };
            return Err(Refusal::invalid(reason::KEY_ID, detail));
        }
        if candidates.any(|key| key.signed(algorithm, signed.message, signed.signature)) {
            return Ok(());
        }
        Err(Refusal::invalid(reason::SIGNATURE, format!("not signed with a {algorithm} key of this server")))
    }
}

/// What was signed, and with which result.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'t> {
    /// The bytes that the signature covers.
    pub message: &'t [u8],
    /// The signature.
    pub signature: &'t [u8],
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::samples::Signer;

    fn signed(signature: &[u8]) -> Signed<'_> {
        Signed { message: b"message", signature }
    }

    #[test]
    fn a_key_with_an_id_checks_only_its_own_tokens() {
        let (one, two) = (Signer::ed25519(), Signer::ed25519());
        let ring = KeyRing::new(
            None,
            vec![one.public_key(Some("one")), two.public_key(Some("two")), two.public_key(None)],
        );
        let signature = one.sign(b"message");
        let check =
            |key_id| ring.check(Algorithm::EdDsa, key_id, signed(&signature), &[]).map_err(|r| r.reason);
        assert_eq!(check(Some("one")), Ok(()));
        assert_eq!(check(None), Ok(()), "without a kid every fitting key is tried");
        assert_eq!(check(Some("two")), Err(reason::SIGNATURE));
        assert_eq!(check(Some("three")), Err(reason::SIGNATURE), "the key without an id was tried");
        let named = KeyRing::new(None, vec![one.public_key(Some("one"))]);
        let refusal = named.check(Algorithm::EdDsa, Some("three"), signed(&signature), &[]).unwrap_err();
        assert_eq!(refusal.reason, reason::KEY_ID);
    }

    #[test]
    fn fetched_keys_join_and_crowds_of_nameless_ones_do_not_hide_the_named_one() {
        let (ours, other) = (Signer::ed25519(), Signer::ed25519());
        let ring = KeyRing::new(None, Vec::new()).with_fetched(&[Algorithm::EdDsa, Algorithm::Hs256]);
        assert_eq!(ring.algorithms(), [Algorithm::EdDsa], "a fetched key is never an HMAC key");
        let mut fetched = vec![other.public_key(None); 20];
        let signature = ours.sign(b"message");
        let check = |fetched: &[PublicKey], key_id| {
            ring.check(Algorithm::EdDsa, key_id, signed(&signature), fetched).map_err(|r| r.reason)
        };
        assert_eq!(check(&[], Some("k")), Err(reason::KEY_ID));
        assert_eq!(check(&[], None), Err(reason::KEY_ID));
        fetched.push(ours.public_key(Some("k")));
        assert_eq!(check(&fetched, Some("k")), Ok(()));
        assert_eq!(check(&fetched, Some("other")), Err(reason::SIGNATURE));
        assert_eq!(check(&fetched, None), Err(reason::SIGNATURE), "at most eight keys are tried");
        fetched.insert(7, ours.public_key(None));
        assert_eq!(check(&fetched, None), Ok(()));
    }

    #[test]
    fn the_source_is_chosen_by_the_algorithm_alone() {
        let secret = SharedSecret::new(&Secret::new("an hmac secret that is long enough"));
        let ring = KeyRing::new(Some(secret), vec![Signer::ed25519().public_key(None)]);
        assert_eq!(ring.source("HS256").unwrap(), (Algorithm::Hs256, Trust::SharedSecret));
        assert_eq!(ring.source("EdDSA").unwrap(), (Algorithm::EdDsa, Trust::PublicKey));
        assert_eq!(ring.source("Ed25519").unwrap(), (Algorithm::EdDsa, Trust::PublicKey));
        for name in ["none", "None", "", "hs256", "HS384", "RS256", "ES256", "eddsa", "HS256 ", "ES256K"] {
            assert_eq!(ring.source(name).unwrap_err().reason, reason::ALGORITHM, "{name}");
        }
    }

    #[test]
    fn a_narrowed_key_checks_nothing_else() {
        let key = Signer::rsa().public_key(None);
        assert_eq!(KeyRing::new(None, vec![key.clone()]).algorithms().len(), 6);
        let ring = KeyRing::new(None, vec![key.narrowed(&[Algorithm::Ps256, Algorithm::EdDsa])]);
        assert_eq!(ring.algorithms(), [Algorithm::Ps256]);
    }

    #[test]
    fn debug_shows_no_key() {
        let ring =
            KeyRing::new(Some(SharedSecret::new(&Secret::new("canary-canary-canary-canary-canary"))), vec![]);
        let text = format!("{ring:?}");
        assert!(!text.contains("canary"), "{text}");
    }
}
