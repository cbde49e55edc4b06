//! Signing out, and revoking others.

use axum::{
    Json,
    extract::{Request, State},
};
use chatcore::{
    clock::Timestamp,
    identity::{Revoked, Scope},
    ids::{Participant, SignInId, TokenId},
};
use serde::{Deserialize, Serialize};

use super::{
    answer::Failure,
    body,
    caller::{Caller, ServiceCaller},
};
use crate::{protocol::ErrorCode, server::Server};

/// A body has at most so many bytes.
const BYTES_MAX: usize = 4 * 1024;

/// What is revoked: exactly one of the three.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "spec", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct Revoke {
    /// Every token of a customer or staff member that was issued until now, and in the five seconds
    /// that come.
    #[cfg_attr(feature = "spec", schema(schema_with = super::spec::participant))]
    person: Option<Participant>,
    /// Every token with this `sid`.
    sign_in: Option<String>,
    /// The token with this `jti`.
    token: Option<String>,
}

impl Revoke {
    fn what(self) -> Option<Revoked> {
        let is_one = |person: &Participant| {
            matches!(person, Participant::Customer(_) | Participant::Staff(_))
        };
        match (self.person, self.sign_in, self.token) {
            (Some(person), None, None) if is_one(&person) => Some(Revoked::Person(person)),
            (None, Some(sid), None) if !sid.is_empty() => {
                Some(Revoked::SignIn(SignInId::named(&sid)))
            }
            (None, None, Some(jti)) if !jti.is_empty() => {
                Some(Revoked::Token(TokenId::named(&jti)))
            }
            _ => None,
        }
    }
}

/// It is written down: every node that can reach the journal acts on it within two seconds.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "spec", derive(utoipa::ToSchema))]
pub(crate) struct IsRevoked {
    /// When, in milliseconds since 1970.
    #[cfg_attr(feature = "spec", schema(value_type = i64))]
    revoked_at: Timestamp,
}

/// Ends the caller's sign-in on every node: all tokens with the `sid` of this one; of a token
/// without a `sid` the token itself, by its `jti`.
#[cfg_attr(feature = "spec", utoipa::path(
    post, path = "/api/sign-out", security(("token" = [])),
    responses((status = 200, body = IsRevoked), (status = "4XX", body = Failure)),
))]
pub(super) async fn sign_out(
    State(server): State<Server>,
    Caller(identity): Caller,
) -> Result<Json<IsRevoked>, Failure> {
    let proof = identity.proof;
    let sign_in = proof.sign_in.map(Revoked::SignIn);
    let what = sign_in.or_else(|| proof.token.map(Revoked::Token));
    let nameless = "this token has neither sid nor jti, so that it can't be revoked by itself";
    let what = what.ok_or_else(|| Failure::new(ErrorCode::Invalid, nameless))?;
    write_down(&server, what).await
}

/// Revokes a person, a sign-in or a token. For services with the scope `chatcore:revoke`.
#[cfg_attr(feature = "spec", utoipa::path(
    post, path = "/api/revocations", security(("token" = [])), request_body = Revoke,
    responses((status = 200, body = IsRevoked), (status = "4XX", body = Failure)),
))]
pub(super) async fn revoke(
    State(server): State<Server>,
    caller: ServiceCaller,
    request: Request,
) -> Result<Json<IsRevoked>, Failure> {
    caller.check(Scope::Revoke)?;
    let body = body::text(request, BYTES_MAX).await?;
    let expected = r#"expected one of {"person": {"customer": ID}}, {"person": {"staff": ID}}, {"sign_in": SID} and {"token": JTI}"#;
    let what = serde_json::from_str(&body).ok().and_then(Revoke::what);
    let what = what.ok_or_else(|| Failure::new(ErrorCode::Invalid, expected))?;
    write_down(&server, what).await
}

async fn write_down(server: &Server, what: Revoked) -> Result<Json<IsRevoked>, Failure> {
    let revoked_at = server.chat().revoke(what).await?.at;
    Ok(Json(IsRevoked { revoked_at }))
}
