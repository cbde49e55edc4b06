//! Who calls: the bearer token of a request.

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};
use chatcore::identity::{Identity, Scope, Service};

use super::answer::Failure;
use crate::{
    protocol::{ErrorCode, Secret},
    server::Server,
};

/// The person whose token the request has, and who was not revoked.
#[derive(Debug)]
pub(super) struct Caller(pub(super) Identity);

impl FromRequestParts<Server> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, server: &Server) -> Result<Self, Failure> {
        let identity = server.authenticate(&bearer(parts)?).await?;
        server.chat().admit(&identity).await?;
        Ok(Self(identity))
    }
}

/// The service whose token the request has, and that was not revoked.
#[derive(Debug)]
pub(super) struct ServiceCaller(Service);

impl ServiceCaller {
    /// Whether it may.
    pub(super) fn check(&self, scope: Scope) -> Result<(), Failure> {
        if self.0.scopes.contains(&scope) {
            return Ok(());
        }
        let text = "this service's token has not the scope that this takes";
        Err(Failure::new(ErrorCode::Forbidden, text))
    }
}

impl FromRequestParts<Server> for ServiceCaller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, server: &Server) -> Result<Self, Failure> {
        let service = server.authenticate_service(&bearer(parts)?).await?;
        server.chat().admit_service(&service).await?;
        Ok(Self(service))
    }
}

fn bearer(parts: &Parts) -> Result<Secret, Failure> {
    let value = parts.headers.get(header::AUTHORIZATION);
    let token = value
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| Secret(token.trim().to_owned()));
    let expected = "expected the header Authorization: Bearer TOKEN";
    token.ok_or_else(|| Failure::new(ErrorCode::Forbidden, expected))
}
