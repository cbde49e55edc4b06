//! What a token says, and what we make of it.

use std::time::Duration;

use chatcore::{
    clock::Timestamp,
    identity::{Assurance, Identity, Proof, Scope, Service, StaffRole, Who},
    ids::{CustomerId, DeskId, ServiceId, SignInId, StaffId, TokenId},
    routing::LONGEST_TOKEN_LIFE,
};
use serde::{Deserialize, Serialize};

use super::{NAME_CHARS_MAX, TokenProblem};

/// So far may the clock that tokens are issued by be ahead of ours.
const CLOCK_SKEW_MAX: Duration = Duration::from_secs(10);

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
    pub aud: Option<Audience>,
}

/// For whom a token was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// For one.
    One(String),
    /// For any of them.
    Many(Vec<String>),
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

    /// Whether they hold now. Our clock judges: an end without leeway, a beginning with
    /// [`CLOCK_SKEW_MAX`].
    pub(super) fn holds_at(self, now: Timestamp) -> Result<Self, TokenProblem> {
        let expires_at = from_seconds(self.exp);
        if expires_at <= now {
            return Err(TokenProblem::Expired);
        }
        let latest = now.plus(CLOCK_SKEW_MAX);
        // Who is issued a token in days to come would be past each revocation until then.
        let begins = [self.nbf, self.iat];
        if begins
            .into_iter()
            .flatten()
            .any(|at| from_seconds(at) > latest)
        {
            return Err(TokenProblem::NotYet);
        }
        let issued_at = self.iat.map_or(now, from_seconds);
        if expires_at.since(issued_at) > LONGEST_TOKEN_LIFE {
            return Err(TokenProblem::LivesTooLong);
        }
        Ok(self)
    }

    /// The person.
    pub(super) fn identity(self) -> Result<Identity, TokenProblem> {
        let chars = self.name.chars().count();
        if chars == 0 || chars > NAME_CHARS_MAX || self.name.chars().any(char::is_control) {
            return Err(TokenProblem::Claim { name: "name" });
        }
        Ok(Identity {
            who: who(&self)?,
            assurance: self.assurance,
            expires_at: from_seconds(self.exp),
            proof: proof(&self),
            name: self.name,
        })
    }

    /// The service.
    pub(super) fn service(self) -> Result<Service, TokenProblem> {
        if self.role != Role::Service {
            return Err(TokenProblem::NoService);
        }
        let scopes = self.scope.as_deref().unwrap_or_default();
        Ok(Service {
            id: ServiceId::try_new(&self.sub).map_err(|_| TokenProblem::Claim { name: "sub" })?,
            // Those of other systems mean nothing here.
            scopes: scopes.split_whitespace().filter_map(scope).collect(),
            expires_at: from_seconds(self.exp),
            proof: proof(&self),
        })
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
    /// As a supervisor, but takes nothing away that others wrote.
    ChiefSpecialist,
    /// Sees all of the desk, and does nothing.
    Auditor,
    /// A system of the bank: calls what its scopes allow, and opens no session.
    Service,
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

fn who(claims: &Claims) -> Result<Who, TokenProblem> {
    let wrong = |name| move |_| TokenProblem::Claim { name };
    match (claims.role, &claims.desk) {
        (Role::Customer, _) => CustomerId::try_new(&claims.sub)
            .map(Who::Customer)
            .map_err(wrong("sub")),
        (Role::Service, _) => Err(TokenProblem::NoPerson),
        (Role::Operator, desk) => staff(claims, desk, StaffRole::Operator),
        (Role::Supervisor, desk) => staff(claims, desk, StaffRole::Supervisor),
        (Role::ChiefSpecialist, desk) => staff(claims, desk, StaffRole::ChiefSpecialist),
        (Role::Auditor, desk) => staff(claims, desk, StaffRole::Auditor),
    }
}

fn staff(claims: &Claims, desk: &Option<String>, role: StaffRole) -> Result<Who, TokenProblem> {
    let wrong = |name| TokenProblem::Claim { name };
    // Whoever speaks for the bank has signed in.
    if claims.assurance < Assurance::Authenticated {
        return Err(wrong("assurance"));
    }
    let desk = desk.as_ref().ok_or(wrong("desk"))?;
    Ok(Who::Staff {
        id: StaffId::try_new(&claims.sub).map_err(|_| wrong("sub"))?,
        desk: DeskId::try_new(desk).map_err(|_| wrong("desk"))?,
        role,
    })
}

fn from_seconds(seconds: u64) -> Timestamp {
    Timestamp(i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX))
}
