//! Whether it lives, whether it should get work, and its figures.

use std::time::Duration;

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderValue, Response, StatusCode, header},
    response::IntoResponse,
};
use chatcore::{ids::Partition, journal::Log};
use serde::Serialize;
use tokio::time::timeout;

use super::answer::Failure;
use crate::{metrics, protocol::ErrorCode, server::Server, watch::LagReport};

/// A part that does not answer within this is not ready.
const PART_TIMEOUT: Duration = Duration::from_secs(1);

/// Whether the node should get work.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "spec", derive(utoipa::ToSchema))]
pub(crate) struct Readiness {
    /// Whether it should.
    ready: bool,
    /// Why not, by part; empty when ready.
    why: Vec<String>,
    /// Partitions that are behind. It is no reason to be not ready: sessions of this node wait as
    /// well as those of any other, and none of them gets on by moving.
    behind: Vec<String>,
}

/// The process lives. Says nothing of what is behind it.
#[cfg_attr(feature = "spec", utoipa::path(
    get, path = "/healthz", responses((status = 200, body = String)),
))]
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether the node should get work, and why not.
#[cfg_attr(feature = "spec", utoipa::path(
    get, path = "/readyz",
    responses((status = 200, body = Readiness), (status = 503, body = Readiness)),
))]
pub(super) async fn readyz(State(server): State<Server>) -> Response<Body> {
    let why = why_not_ready(&server).await;
    let behind = server.watched().behind(server.now());
    let ready = why.is_empty();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(Readiness { ready, why, behind })).into_response()
}

/// What keeps the node from getting work; each part is asked for a second at most.
pub(crate) async fn why_not_ready(server: &Server) -> Vec<String> {
    let mut why = Vec::new();
    if server.is_draining() {
        why.push("draining: this node is leaving".to_owned());
    }
    if server.chat().role().takes_sessions() && !server.chat().knows_revocations() {
        why.push("revocations: this node can't tell now who was revoked".to_owned());
    }
    let ports = server.chat().ports();
    let works_only = !server.chat().role().takes_sessions();
    let journal = async {
        // A gateway is of use as long as it may append. A worker must reach the journal to read it.
        if works_only {
            ports.journal.bounds(Log::Commands, Partition(0)).await?;
        }
        ports.journal.ready(Log::Commands, Partition(0)).await
    };
    let (journal, store) = tokio::join!(
        timeout(PART_TIMEOUT, journal),
        timeout(PART_TIMEOUT, ports.leases.identity()),
    );
    for (part, answer) in [("journal", journal), ("store", store.map(|s| s.map(drop)))] {
        match answer {
            Ok(Ok(())) => {}
            Ok(Err(error)) => why.push(format!("{part}: {}", error.kind().code())),
            Err(_) => why.push(format!("{part}: no answer within 1 s")),
        }
    }
    why
}

/// How far every partition is behind: of the whole deployment, whichever node is asked.
#[cfg_attr(feature = "spec", utoipa::path(
    get, path = "/lag",
    responses((status = 200, body = LagReport), (status = 503, body = Failure)),
))]
pub(super) async fn lag(State(server): State<Server>) -> Result<Json<LagReport>, Failure> {
    let report = server.watched().report(server.now());
    let unknown = "how far the partitions are is not known yet";
    let unknown = || Failure::new(ErrorCode::Unavailable, unknown);
    report.map(Json).ok_or_else(unknown)
}

/// The figures, in Prometheus' text format.
#[cfg_attr(feature = "spec", utoipa::path(
    get, path = "/metrics", responses((status = 200, body = String)),
))]
pub(super) async fn figures(State(server): State<Server>) -> Response<Body> {
    let Some(handle) = &server.options().metrics else {
        let text = "this process has no recorder of metrics";
        return Failure::new(ErrorCode::NotFound, text).into_response();
    };
    metrics::hub(&server.chat().stats());
    metrics::engine(&server.chat().engine_stats());
    for service in &server.options().services {
        service.tell();
    }
    if let Some(age) = server.watched().age(server.now()) {
        metrics::lag_age(age);
    }
    let mut response = handle.render().into_response();
    let format = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, format);
    response
}
