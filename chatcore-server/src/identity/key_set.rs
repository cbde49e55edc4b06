//! A set of public keys, as a JSON Web Key Set has them.

use jsonwebtoken::{
    Algorithm, DecodingKey, Validation,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse},
};

use super::{Claims, TokenProblem};

/// A set has at most so many keys.
const KEYS_MAX: usize = 64;

/// What is wrong with a set of keys. Never repeats any of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeySetProblem {
    /// No JSON with `keys`.
    #[error("this is not a JSON Web Key Set: expected {{\"keys\": […]}}")]
    Malformed,
    /// More than we take.
    #[error("a set has at most 64 keys")]
    TooMany,
    /// A secret among public keys: whoever can read the set could sign.
    #[error("the set has a symmetric key (kty oct); it must have public keys alone")]
    Symmetric,
    /// None that checks signatures of tokens.
    #[error(
        "the set has no key that signs tokens: RSA, EC with P-256 or P-384, or OKP with Ed25519, whose use is not enc"
    )]
    NoKey,
}

/// Public keys, each with what may be checked with it.
#[derive(Debug)]
pub(super) struct KeySet(Vec<Key>);

#[derive(Debug)]
struct Key {
    id: Option<String>,
    key: DecodingKey,
    /// Its algorithms, issuer and audience.
    validation: Validation,
}

impl KeySet {
    /// Reads a set. Keys of kinds that we don't know are passed over.
    pub(super) fn parse(text: &[u8], rules: &Validation) -> Result<Self, KeySetProblem> {
        let set: JwkSet = serde_json::from_slice(text).map_err(|_| KeySetProblem::Malformed)?;
        if set.keys.len() > KEYS_MAX {
            return Err(KeySetProblem::TooMany);
        }
        let is_secret = |jwk: &Jwk| matches!(jwk.algorithm, AlgorithmParameters::OctetKey(_));
        if set.keys.iter().any(is_secret) {
            return Err(KeySetProblem::Symmetric);
        }
        let keys: Vec<Key> = set.keys.iter().filter_map(|jwk| key(jwk, rules)).collect();
        if keys.is_empty() {
            return Err(KeySetProblem::NoKey);
        }
        Ok(Self(keys))
    }

    /// The claims of a token that was signed with one of them.
    pub(super) fn decode(&self, token: &str) -> Result<Claims, TokenProblem> {
        let header = jsonwebtoken::decode_header(token)
            .map_err(|error| TokenProblem::from_library(&error))?;
        if header.crit.is_some() {
            return Err(TokenProblem::Critical);
        }
        let key = match &header.kid {
            Some(id) => self.0.iter().find(|key| key.id.as_ref() == Some(id)),
            // Which one it was signed with is not guessed.
            None => self.0.first().filter(|_| self.0.len() == 1),
        };
        let key = key.ok_or(TokenProblem::UnknownKey)?;
        if !key.validation.algorithms.contains(&header.alg) {
            return Err(TokenProblem::Algorithm);
        }
        jsonwebtoken::decode(token, &key.key, &key.validation)
            .map(|decoded| decoded.claims)
            .map_err(|error| TokenProblem::from_library(&error))
    }
}

fn key(jwk: &Jwk, rules: &Validation) -> Option<Key> {
    if matches!(
        jwk.common.public_key_use,
        Some(PublicKeyUse::Encryption | PublicKeyUse::Other(_))
    ) {
        return None;
    }
    let may = algorithms(&jwk.algorithm)?;
    // What the key itself says it is for narrows it down, and never widens it.
    let algorithms: Vec<Algorithm> = match jwk.common.key_algorithm {
        None => may.first().copied().into_iter().collect(),
        Some(named) => {
            let named = Algorithm::try_from(named).ok();
            may.iter().copied().filter(|a| Some(*a) == named).collect()
        }
    };
    if algorithms.is_empty() {
        return None;
    }
    Some(Key {
        id: jwk.common.key_id.clone(),
        key: DecodingKey::from_jwk(jwk).ok()?,
        validation: Validation {
            algorithms,
            ..rules.clone()
        },
    })
}

/// What may be checked with a key of this kind; the first when it does not say.
fn algorithms(kind: &AlgorithmParameters) -> Option<&'static [Algorithm]> {
    use Algorithm as A;
    Some(match kind {
        AlgorithmParameters::RSA(_) => {
            &[A::RS256, A::RS384, A::RS512, A::PS256, A::PS384, A::PS512]
        }
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => &[A::ES256],
            EllipticCurve::P384 => &[A::ES384],
            _ => return None,
        },
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            &[A::EdDSA]
        }
        _ => return None,
    })
}
