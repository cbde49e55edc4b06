//! Tokens: who somebody is, from a signed JSON Web Token.

mod claims;
mod demo;
mod jwks;
mod key_set;
mod problem;
mod provider;

pub use claims::{Audience, Claims, Role};
pub use demo::{DEMO_DESK, DemoPerson, demo_desk, demo_people, kept_secret};
pub use jwks::{JwksAuthenticator, JwksRules};
pub use key_set::KeySetProblem;
pub use problem::TokenProblem;

use std::sync::Arc;

use async_trait::async_trait;
use chatcore::{
    clock::Clock,
    error::{Error, ErrorKind, Result},
    identity::{Authenticator, Identity, Service},
};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};

/// Longest token, in bytes.
pub const TOKEN_BYTES_MAX: usize = 4 * 1024;
/// Shortest secret, in bytes: what HS256 needs to be as strong as its hash.
pub const SECRET_BYTES_MIN: usize = 32;
/// Longest name, in characters.
pub const NAME_CHARS_MAX: usize = 100;

/// Which tokens are taken.
#[derive(Clone)]
pub struct TokenRules {
    /// The shared secret of HS256, at least [`SECRET_BYTES_MIN`] bytes.
    pub secret: Vec<u8>,
    /// The only issuer, if one is named.
    pub issuer: Option<String>,
    /// The only audience, if one is named.
    pub audience: Option<String>,
}

impl std::fmt::Debug for TokenRules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenRules")
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}

/// Checks tokens signed with HS256 and a shared secret. Any other algorithm is refused, `none` and
/// those of public keys too.
pub struct JwtAuthenticator {
    key: DecodingKey,
    signing: EncodingKey,
    validation: Validation,
    rules: TokenRules,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for JwtAuthenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JwtAuthenticator")
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

impl JwtAuthenticator {
    /// From the rules.
    ///
    /// # Errors
    /// `Invalid` when the secret is shorter than [`SECRET_BYTES_MIN`].
    pub fn try_new(rules: TokenRules, clock: Arc<dyn Clock>) -> Result<Self> {
        if rules.secret.len() < SECRET_BYTES_MIN {
            return Err(Error::new(ErrorKind::Invalid, "take the secret for tokens")
                .with_context("bytes", rules.secret.len())
                .with_context("at least", SECRET_BYTES_MIN));
        }
        provider::install();
        let mut validation = Validation::new(Algorithm::HS256);
        // Our clock judges `exp` and `nbf`, below.
        validation.validate_exp = false;
        validation.leeway = 0;
        validation.set_required_spec_claims(&["exp"]);
        if let Some(issuer) = &rules.issuer {
            validation.set_issuer(&[issuer]);
            validation.required_spec_claims.insert("iss".to_owned());
        }
        if let Some(audience) = &rules.audience {
            validation.set_audience(&[audience]);
            validation.required_spec_claims.insert("aud".to_owned());
        }
        Ok(Self {
            key: DecodingKey::from_secret(&rules.secret),
            signing: EncodingKey::from_secret(&rules.secret),
            validation,
            rules,
            clock,
        })
    }

    /// Who the token belongs to, or what is wrong with it.
    ///
    /// # Errors
    /// [`TokenProblem`], which never repeats the token.
    pub fn verify(&self, token: &str) -> std::result::Result<Identity, TokenProblem> {
        self.claims(token)?.identity()
    }

    /// Which service the token belongs to, or what is wrong with it.
    ///
    /// # Errors
    /// [`TokenProblem`]; also for the token of a person.
    pub fn verify_service(&self, token: &str) -> std::result::Result<Service, TokenProblem> {
        self.claims(token)?.service()
    }

    /// The claims of a token that holds now.
    fn claims(&self, token: &str) -> std::result::Result<Claims, TokenProblem> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenProblem::TooLong);
        }
        let decoded = jsonwebtoken::decode::<Claims>(token, &self.key, &self.validation)
            .map_err(|error| TokenProblem::from_library(&error))?;
        if decoded.header.crit.is_some() {
            return Err(TokenProblem::Critical);
        }
        decoded.claims.holds_at(self.clock.now())
    }

    /// A token with these claims, signed with our own secret; issuer and audience are set.
    ///
    /// # Errors
    /// `Internal` when it can't be signed.
    pub fn sign(&self, mut claims: Claims) -> Result<String> {
        claims.iss.clone_from(&self.rules.issuer);
        claims.aud = self.rules.audience.clone().map(Audience::One);
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.signing)
            .map_err(|e| Error::new(ErrorKind::Internal, "sign a token").with_source(e))
    }
}

#[async_trait]
impl Authenticator for JwtAuthenticator {
    async fn authenticate(&self, token: &str) -> Result<Identity> {
        self.verify(token).map_err(refused)
    }

    async fn authenticate_service(&self, token: &str) -> Result<Service> {
        self.verify_service(token).map_err(refused)
    }
}

fn refused(problem: TokenProblem) -> Error {
    Error::new(ErrorKind::Forbidden, "check a token").with_source(problem)
}

#[cfg(test)]
mod tests;
