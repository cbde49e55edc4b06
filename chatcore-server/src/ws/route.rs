//! `GET /ws`.

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, Response, header},
    response::IntoResponse,
};

use super::{Upgrade, UpgradeError, socket};
use crate::{
    http::{accept::ConnectionPermit, answer::Failure},
    protocol::{ErrorCode, SUBPROTOCOL, Wrong},
    server::Server,
};

pub(crate) async fn ws(State(server): State<Server>, mut request: Request) -> Response<Body> {
    if server.is_draining() {
        let wrong = Wrong::new(ErrorCode::Unavailable, "this node is leaving; come back");
        return Failure::from(wrong).into_response();
    }
    if !origin_is_allowed(request.headers(), &server.options().origins) {
        return refuse(UpgradeError::Origin);
    }
    let upgrade = match Upgrade::try_new(&mut request, Some(SUBPROTOCOL)) {
        Ok(upgrade) => upgrade,
        Err(error) => return refuse(error),
    };
    // Held as long as the socket lives; an embedder's accept loop may have none.
    let permit = request.extensions().get::<ConnectionPermit>().cloned();
    let headers = request.headers().clone();
    let (response, pending) = upgrade.split();
    let tasks = server.tasks().clone();
    tasks.spawn(async move {
        let _permit = permit;
        if let Some(socket) = pending.socket().await {
            socket::run(server, socket, headers).await;
        }
    });
    response
}

fn refuse(error: UpgradeError) -> Response<Body> {
    let mut response = error.to_string().into_response();
    *response.status_mut() = error.status();
    response
}

/// A browser always names the page's origin. It must be our own, or one of those configured;
/// otherwise any page could speak with what the browser lets it have.
pub(crate) fn origin_is_allowed(headers: &HeaderMap, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let Ok(origin) = origin.to_str() else {
        return false;
    };
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let own = origin.split_once("://").map(|(_, host)| host);
    (own.is_some() && own == host) || allowed.iter().any(|one| one == origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_and_the_configured_origins_are_allowed() {
        let allowed = ["https://bank.example".to_owned()];
        let table = [
            (None, true),
            (Some("http://chat.example:8080"), true),
            (Some("https://bank.example"), true),
            (Some("https://bank.example.evil"), false),
            (Some("http://chat.example"), false),
            (Some("null"), false),
        ];
        for (origin, expected) in table {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, "chat.example:8080".parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            assert_eq!(
                origin_is_allowed(&headers, &allowed),
                expected,
                "{origin:?}"
            );
        }
    }
}
