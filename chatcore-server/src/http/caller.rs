//! Who calls: the bearer token of a request.

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};
use chatcore::identity::Identity;

use super::answer::Failure;
use crate::{
    protocol::{ErrorCode, Secret},
    server::Server,
};

/// The person whose token the request has.
#[derive(Debug)]
pub(super) struct Caller(pub(super) Identity);

impl FromRequestParts<Server> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, server: &Server) -> Result<Self, Failure> {
        let value = parts.headers.get(header::AUTHORIZATION);
        let token = value
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| Secret(token.trim().to_owned()));
        let expected = "expected the header Authorization: Bearer TOKEN";
        let token = token.ok_or_else(|| Failure::new(ErrorCode::Forbidden, expected))?;
        Ok(Self(server.authenticate(&token).await?))
    }
}
