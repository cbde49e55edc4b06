//! The cryptography of tokens, by `ring`: HMAC with SHA-256 to sign and to check, RSA, elliptic curves and
//! Ed25519 to check. The library leaves it to a provider, and its own two bring what we don't want
//! (ADR 25).

use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind, EncodingKey,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{ErrorKind, Result},
};
use ring::{
    hmac,
    signature::{self as sign, RsaParameters, RsaPublicKeyComponents, VerificationAlgorithm},
};
use signature::{Error, Signer, Verifier};

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes it this process's provider, unless the embedder has installed another one.
pub(super) fn install() {
    if PROVIDER.install_default().is_err() {
        tracing::trace!("a provider for tokens is installed already");
    }
}

struct Hs256(hmac::Key);

fn hs256(algorithm: Algorithm, family: AlgorithmFamily, secret: &[u8]) -> Result<Hs256> {
    if algorithm != Algorithm::HS256 || family != AlgorithmFamily::Hmac {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    Ok(Hs256(hmac::Key::new(hmac::HMAC_SHA256, secret)))
}

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    Ok(Box::new(hs256(*algorithm, key.family(), key.as_bytes())?))
}

/// A key of its own kind only: one algorithm's key is never read as another's.
fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    let is_of = |family| key.family() == family;
    match key.kind() {
        DecodingKeyKind::SecretOrDer(bytes) => match point(*algorithm) {
            Some((family, how)) if is_of(family) => Ok(Box::new(Public {
                algorithm: *algorithm,
                key: Key::Bytes(how, bytes.clone()),
            })),
            Some(_) => Err(ErrorKind::InvalidAlgorithm.into()),
            None => Ok(Box::new(hs256(*algorithm, key.family(), bytes)?)),
        },
        DecodingKeyKind::RsaModulusExponent { n, e } => {
            let how = rsa(*algorithm).filter(|_| is_of(AlgorithmFamily::Rsa));
            let how = how.ok_or(ErrorKind::InvalidAlgorithm)?;
            let (n, e) = (n.clone(), e.clone());
            Ok(Box::new(Public {
                algorithm: *algorithm,
                key: Key::Rsa(how, RsaPublicKeyComponents { n, e }),
            }))
        }
    }
}

fn point(algorithm: Algorithm) -> Option<(AlgorithmFamily, &'static dyn VerificationAlgorithm)> {
    Some(match algorithm {
        Algorithm::ES256 => (AlgorithmFamily::Ec, &sign::ECDSA_P256_SHA256_FIXED),
        Algorithm::ES384 => (AlgorithmFamily::Ec, &sign::ECDSA_P384_SHA384_FIXED),
        Algorithm::EdDSA => (AlgorithmFamily::Ed, &sign::ED25519),
        _ => return None,
    })
}

/// Keys of less than 2,048 bits are refused by it.
fn rsa(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        Algorithm::RS256 => &sign::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::RS384 => &sign::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::RS512 => &sign::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::PS256 => &sign::RSA_PSS_2048_8192_SHA256,
        Algorithm::PS384 => &sign::RSA_PSS_2048_8192_SHA384,
        Algorithm::PS512 => &sign::RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

/// A public key, and how signatures are checked with it.
struct Public {
    algorithm: Algorithm,
    key: Key,
}

enum Key {
    Bytes(&'static dyn VerificationAlgorithm, Vec<u8>),
    Rsa(&'static RsaParameters, RsaPublicKeyComponents<Vec<u8>>),
}

impl Verifier<Vec<u8>> for Public {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        let checked = match &self.key {
            Key::Bytes(how, key) => {
                sign::UnparsedPublicKey::new(*how, key).verify(message, signature)
            }
            Key::Rsa(how, key) => key.verify(how, message, signature),
        };
        checked.map_err(|_| Error::new())
    }
}

impl JwtVerifier for Public {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Error> {
        Ok(hmac::sign(&self.0, message).as_ref().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        // In constant time.
        hmac::verify(&self.0, message, signature).map_err(|_| Error::new())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}
