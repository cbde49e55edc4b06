//! Tokens: who somebody is, from a signed JSON Web Token.

mod demo;
mod hmac_only;
mod problem;

pub use demo::{DEMO_DESK, DemoPerson, demo_desk, demo_people, kept_secret};
pub use problem::TokenProblem;

use std::sync::Arc;

use async_trait::async_trait;
use chatcore::{
    clock::{Clock, Timestamp},
    error::{Error, ErrorKind, Result},
    identity::{Assurance, Authenticator, Identity, Proof, Scope, Service, Who},
    ids::{CustomerId, DeskId, ServiceId, SignInId, StaffId, TokenId},
    routing::LONGEST_TOKEN_LIFE,
};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

/// Longest token, in bytes.
pub const TOKEN_BYTES_MAX: usize = 4 * 1024;
/// Shortest secret, in bytes: what HS256 needs to be as strong as its hash.
pub const SECRET_BYTES_MIN: usize = 32;
/// Longest name, in characters.
pub const NAME_CHARS_MAX: usize = 100;

/// The claims of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The id of the customer, staff member or service.
    pub sub: String,
    /// What they are here.
    pub role: Role,
    /// The name that others see; a service needs none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The desk; of staff only, where it must be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desk: Option<String>,
    /// How surely; signed in when absent.
    #[serde(default = "authenticated")]
    pub assurance: Assurance,
    /// Ends then, in seconds since 1970: at most 31 days after it was issued.
    pub exp: u64,
    /// When it was issued, in seconds since 1970. Without it, it counts as older than any
    /// revocation of its person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iat: Option<u64>,
    /// Its own name, by which it can be revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// The name of the sign-in that it came of, by which all of its tokens can be revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// What a service may do, parted by spaces; of services only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Not before this, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<u64>,
    /// Who made it; checked when the configuration names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// For whom; checked when the configuration names one, and refused when it names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aud: Option<String>,
}

impl Claims {
    /// Of somebody who has signed in, named as they are identified, until then.
    #[must_use]
    pub fn new(sub: &str, role: Role, expires_at: Timestamp) -> Self {
        Self {
            sub: sub.to_owned(),
            role,
            name: sub.to_owned(),
            desk: None,
            assurance: Assurance::Authenticated,
            exp: u64::try_from(expires_at.0 / 1000).unwrap_or_default(),
            iat: None,
            jti: None,
            sid: None,
            scope: None,
            nbf: None,
            iss: None,
            aud: None,
        }
    }
}

fn authenticated() -> Assurance {
    Assurance::Authenticated
}

/// What somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "spec", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Writes their own dialogs.
    Customer,
    /// Serves a desk's queues.
    Operator,
    /// Also assigns, takes over and sees all of the desk.
    Supervisor,
    /// A system of the bank: calls what its scopes allow, and opens no session.
    Service,
}

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
        hmac_only::install();
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
        let claims = self.claims(token)?;
        let chars = claims.name.chars().count();
        if chars == 0 || chars > NAME_CHARS_MAX || claims.name.chars().any(char::is_control) {
            return Err(TokenProblem::Claim { name: "name" });
        }
        Ok(Identity {
            who: who(&claims)?,
            assurance: claims.assurance,
            expires_at: from_seconds(claims.exp),
            proof: proof(&claims),
            name: claims.name,
        })
    }

    /// Which service the token belongs to, or what is wrong with it.
    ///
    /// # Errors
    /// [`TokenProblem`]; also for the token of a person.
    pub fn verify_service(&self, token: &str) -> std::result::Result<Service, TokenProblem> {
        let claims = self.claims(token)?;
        if claims.role != Role::Service {
            return Err(TokenProblem::NoService);
        }
        let scopes = claims.scope.as_deref().unwrap_or_default();
        Ok(Service {
            id: ServiceId::try_new(&claims.sub).map_err(|_| TokenProblem::Claim { name: "sub" })?,
            // Those of other systems mean nothing here.
            scopes: scopes.split_whitespace().filter_map(scope).collect(),
            expires_at: from_seconds(claims.exp),
            proof: proof(&claims),
        })
    }

    /// The claims of a token that holds now.
    fn claims(&self, token: &str) -> std::result::Result<Claims, TokenProblem> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenProblem::TooLong);
        }
        let claims = jsonwebtoken::decode::<Claims>(token, &self.key, &self.validation)
            .map_err(|error| TokenProblem::from_library(&error))?
            .claims;
        let now = self.clock.now();
        let expires_at = from_seconds(claims.exp);
        if expires_at <= now {
            return Err(TokenProblem::Expired);
        }
        if claims.nbf.is_some_and(|from| from_seconds(from) > now) {
            return Err(TokenProblem::NotYet);
        }
        let issued_at = claims.iat.map_or(now, from_seconds);
        if expires_at.since(issued_at) > LONGEST_TOKEN_LIFE {
            return Err(TokenProblem::LivesTooLong);
        }
        Ok(claims)
    }

    /// A token with these claims, signed with our own secret; issuer and audience are set.
    ///
    /// # Errors
    /// `Internal` when it can't be signed.
    pub fn sign(&self, mut claims: Claims) -> Result<String> {
        claims.iss.clone_from(&self.rules.issuer);
        claims.aud.clone_from(&self.rules.audience);
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.signing)
            .map_err(|e| Error::new(ErrorKind::Internal, "sign a token").with_source(e))
    }
}

#[async_trait]
impl Authenticator for JwtAuthenticator {
    async fn authenticate(&self, token: &str) -> Result<Identity> {
        self.verify(token).map_err(|problem| {
            Error::new(ErrorKind::Forbidden, "check a token").with_source(problem)
        })
    }

    async fn authenticate_service(&self, token: &str) -> Result<Service> {
        self.verify_service(token).map_err(|problem| {
            Error::new(ErrorKind::Forbidden, "check a service's token").with_source(problem)
        })
    }
}

fn proof(claims: &Claims) -> Proof {
    Proof {
        token: claims.jti.as_deref().map(TokenId::named),
        sign_in: claims.sid.as_deref().map(SignInId::named),
        issued_at: claims.iat.map(from_seconds),
    }
}

fn scope(name: &str) -> Option<Scope> {
    (name == "chatcore:revoke").then_some(Scope::Revoke)
}

fn who(claims: &Claims) -> std::result::Result<Who, TokenProblem> {
    let wrong = |name| move |_| TokenProblem::Claim { name };
    match (claims.role, &claims.desk) {
        (Role::Customer, _) => CustomerId::try_new(&claims.sub)
            .map(Who::Customer)
            .map_err(wrong("sub")),
        (Role::Service, _) => Err(TokenProblem::NoPerson),
        (_, None) => Err(TokenProblem::Claim { name: "desk" }),
        (role, Some(desk)) => Ok(Who::Staff {
            id: StaffId::try_new(&claims.sub).map_err(wrong("sub"))?,
            desk: DeskId::try_new(desk).map_err(wrong("desk"))?,
            supervisor: role == Role::Supervisor,
        }),
    }
}

fn from_seconds(seconds: u64) -> Timestamp {
    Timestamp(i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
