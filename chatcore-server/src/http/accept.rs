//! Our own accept loop. `axum::serve` has no deadline for a request's head, so that a few hundred
//! slow clients would hold every connection.

use std::{io, sync::Arc, time::Duration};

use axum::{Router, body::Body, http::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_service::Service;

use super::timed_io::TimedIo;

/// What a connection may take.
#[derive(Debug, Clone)]
pub struct AcceptLimits {
    /// Most connections at a time, WebSockets included; more wait in the system's backlog.
    pub connections_max: usize,
    /// From the first byte we wait for to the last byte of a request's head.
    pub header_timeout: Duration,
    /// Largest head of a request, in bytes (at least 8192).
    pub header_bytes_max: usize,
    /// How long a write may get nowhere.
    pub write_timeout: Duration,
}

impl Default for AcceptLimits {
    /// 10,000 connections, 5 s for a head of at most 16 KiB, 10 s for a write.
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            header_timeout: Duration::from_secs(5),
            header_bytes_max: 16 * 1024,
            write_timeout: Duration::from_secs(10),
        }
    }
}

/// The place that a connection takes. Kept as a request extension: who upgrades the connection keeps
/// a copy as long as the socket lives.
#[derive(Debug, Clone)]
pub struct ConnectionPermit(
    #[allow(dead_code, reason = "held, never read")] Arc<OwnedSemaphorePermit>,
);

/// Accepts until `shutdown`, then lets what is under way finish. Each connection is a task of
/// `tasks`. Returns when nothing more is accepted; `tasks` says when all have ended.
///
/// # Errors
/// When the listener itself fails. What a single connection does is never one.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: AcceptLimits,
    tasks: TaskTracker,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(limits.connections_max));
    loop {
        let permit = tokio::select! {
            permit = Arc::clone(&places).acquire_owned() => permit,
            () = shutdown.cancelled() => return Ok(()),
        };
        let Ok(permit) = permit else { return Ok(()) };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => return Ok(()),
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = Connection {
                    permit: ConnectionPermit(Arc::new(permit)),
                    router: router.clone(),
                    shutdown: shutdown.clone(),
                };
                tasks.spawn(connection.run(stream, limits.clone()));
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                // Out of file handles, most likely: some will be free again.
                tracing::error!(%error, "could not accept a connection");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

struct Connection {
    permit: ConnectionPermit,
    router: Router,
    shutdown: CancellationToken,
}

impl Connection {
    async fn run(self, stream: TcpStream, limits: AcceptLimits) {
        // Without it a small frame waits for the acknowledgement of the one before.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "could not set TCP_NODELAY");
        }
        let io = TokioIo::new(TimedIo::new(stream, limits.write_timeout));
        let Self {
            permit,
            router,
            shutdown,
        } = self;
        let service = service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(permit.clone());
            router.clone().call(request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_timeout)
            .max_buf_size(limits.header_bytes_max)
            .serve_connection(io, service)
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended");
        }
    }
}
