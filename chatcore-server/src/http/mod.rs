//! HTTP: the accept loop and the routes.

pub mod accept;
pub(crate) mod answer;
mod api;
mod body;
mod caller;
mod guard;
mod pages;
pub(crate) mod probes;
#[cfg(feature = "spec")]
pub mod spec;
pub(crate) mod streams;
mod timed_io;

use axum::{
    Router,
    routing::{get, post},
};

pub use answer::{Failure, FailureBody};

use crate::{server::Server, ws::ws};

/// Every route of the server.
pub(crate) fn router(server: Server) -> Router {
    let api = Router::new()
        .route("/api/me", get(api::me))
        .route("/api/dialogs/{id}", get(api::dialog))
        .route("/api/dialogs/{id}/events", get(api::events))
        .route("/api/dialogs/{id}/notes", get(api::notes))
        .route("/api/customers/{id}/dialogs", get(api::dialogs_of))
        .route("/api/closed", get(api::closed))
        .route("/api/demo/people", get(api::demo))
        .route("/api/stream", post(streams::open))
        .route("/api/stream/{stream_key}", post(streams::post))
        .layer(axum::middleware::from_fn_with_state(
            server.clone(),
            guard::origins,
        ));
    Router::new()
        .merge(api)
        .route("/ws", get(ws))
        .route("/healthz", get(probes::healthz))
        .route("/readyz", get(probes::readyz))
        .route("/lag", get(probes::lag))
        .route("/metrics", get(probes::figures))
        .fallback(pages::page)
        .layer(axum::middleware::from_fn(guard::measure))
        .with_state(server)
}
