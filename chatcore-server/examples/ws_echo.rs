//! Echoes WebSocket messages through the server's own accept loop and socket limits. The protocol's
//! conformance cases run against it: `cargo xtask websocket`.
//!
//! Listens on the port given as argument, or on a free one, and prints its address.

use std::io::Write as _;

use axum::{
    Extension, Router, body::Body, extract::Request, http::Response, response::IntoResponse,
    routing::get,
};
use chatcore_server::{
    http::accept::{AcceptLimits, ConnectionPermit, serve},
    ws::{Upgrade, echo},
};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let port = std::env::args().nth(1).map_or(Ok(0), |port| port.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let mut output = std::io::stdout();
    writeln!(output, "{}", listener.local_addr()?)?;
    output.flush()?;
    let tasks = TaskTracker::new();
    let router = Router::new()
        .route("/", get(upgrade))
        .layer(Extension(tasks.clone()));
    let limits = AcceptLimits::default();
    serve(listener, router, limits, tasks, CancellationToken::new()).await?;
    Ok(())
}

async fn upgrade(
    Extension(tasks): Extension<TaskTracker>,
    Extension(permit): Extension<ConnectionPermit>,
    mut request: Request,
) -> Response<Body> {
    match Upgrade::try_new(&mut request, None) {
        Err(error) => (error.status(), error.to_string()).into_response(),
        Ok(upgrade) => {
            let (response, pending) = upgrade.split();
            tasks.spawn(async move {
                let _permit = permit;
                if let Some(socket) = pending.socket().await {
                    echo(socket).await;
                }
            });
            response
        }
    }
}
