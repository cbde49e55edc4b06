//! HTTP: the accept loop and the routes.

pub mod accept;
pub mod address;
pub(crate) mod answer;
mod api;
mod body;
mod caller;
mod guard;
mod pages;
mod places;
pub(crate) mod probes;
mod revocations;
#[cfg(feature = "spec")]
pub mod spec;
pub(crate) mod streams;
mod timed_io;
pub mod tls;

use axum::{
    Router,
    routing::{get, post},
};

pub use answer::{Failure, FailureBody};

use crate::{protocol::ErrorCode, server::Server, ws::ws};

/// When whoever came to a worker should come again, to another node.
const RETRY_AFTER_MS: u64 = 1_000;

/// Every route of the server; of a worker only what tells how it is.
pub(crate) fn router(server: Server) -> Router {
    let probes = Router::new()
        .route("/healthz", get(probes::healthz))
        .route("/readyz", get(probes::readyz))
        .route("/lag", get(probes::lag))
        .route("/metrics", get(probes::figures));
    let routes = if server.chat().role().takes_sessions() {
        probes.merge(of_sessions(&server))
    } else {
        probes.fallback(worker)
    };
    routes
        .layer(axum::middleware::from_fn(guard::measure))
        .with_state(server)
}

/// What a worker answers to whoever should have gone to a gateway. Not 404, which would be taken
/// for an answer; a balancer tries another node after 503, and a client comes back.
async fn worker() -> Failure {
    let text = "this node is a worker and takes nobody; a gateway does";
    let mut failure = Failure::new(ErrorCode::Unavailable, text);
    failure.error.retry_after_ms = Some(RETRY_AFTER_MS);
    failure
}

fn of_sessions(server: &Server) -> Router<Server> {
    let api = Router::new()
        .route("/api/me", get(api::me))
        .route("/api/dialogs/{id}", get(api::dialog))
        .route("/api/dialogs/{id}/events", get(api::events))
        .route("/api/dialogs/{id}/notes", get(api::notes))
        .route("/api/customers/{id}/dialogs", get(api::dialogs_of))
        .route("/api/closed", get(api::closed))
        .route("/api/demo/people", get(api::demo))
        .route("/api/sign-out", post(revocations::sign_out))
        .route("/api/revocations", post(revocations::revoke))
        .route("/api/stream", post(streams::open))
        .route("/api/stream/{stream_key}", post(streams::post))
        .layer(axum::middleware::from_fn_with_state(
            server.clone(),
            guard::origins,
        ));
    Router::new()
        .merge(api)
        .route("/ws", get(ws))
        .fallback(pages::page)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::{
        body::Body,
        http::{Request, StatusCode, header},
    };
    use chatcore::{
        chat::{Chat, NodeRole},
        clock::SystemClock,
        memory,
    };
    use tokio_util::sync::CancellationToken;
    use tower_service::Service as _;

    use super::*;
    use crate::{
        identity::{JwtAuthenticator, TokenRules},
        server::ServerOptions,
    };

    /// Runs as long as the test.
    fn of(role: NodeRole) -> Router {
        let rules = TokenRules {
            secret: vec![7; 32],
            issuer: None,
            audience: None,
        };
        let tokens = JwtAuthenticator::try_new(rules, Arc::new(SystemClock)).unwrap();
        let chat = Chat::builder(memory::ports(1, Arc::new(SystemClock)));
        let chat = chat.with_role(role).build().unwrap();
        let running = chat.clone();
        tokio_util::task::TaskTracker::new()
            .spawn(async move { running.run(CancellationToken::new()).await });
        router(Server::new(
            chat,
            Arc::new(tokens),
            ServerOptions::default(),
        ))
    }

    #[tokio::test]
    async fn a_worker_answers_probes_and_sends_everybody_else_away() {
        let (mut worker, mut gateway) = (of(NodeRole::Worker), of(NodeRole::Gateway));
        let paths = ["/", "/ws", "/api/me", "/api/dialogs/1", "/api/stream"];
        for path in paths {
            for method in ["GET", "POST", "OPTIONS"] {
                let request = || Request::builder().method(method).uri(path);
                let asked = request().body(Body::empty()).unwrap();
                let answer = worker.call(asked).await.unwrap();
                assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
                assert_eq!(answer.headers()[header::RETRY_AFTER], "1");
                let text = axum::body::to_bytes(answer.into_body(), 1024)
                    .await
                    .unwrap();
                let failure: Failure = serde_json::from_slice(&text).unwrap();
                assert_eq!(failure.error.code, ErrorCode::Unavailable);
                let asked = request().body(Body::empty()).unwrap();
                let answer = gateway.call(asked).await.unwrap();
                assert_ne!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
            }
        }
        for path in ["/healthz", "/readyz"] {
            for router in [&mut worker, &mut gateway] {
                let asked = Request::get(path).body(Body::empty()).unwrap();
                let answer = router.call(asked).await.unwrap();
                assert_eq!(answer.status(), StatusCode::OK);
            }
        }
    }
}
