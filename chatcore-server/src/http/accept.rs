//! Our own accept loop. `axum::serve` has no deadline for a request's head, so that a few hundred
//! slow clients would hold every connection.

use std::{io, net::IpAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, http::Request, response::IntoResponse};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_service::Service;

use super::{
    address::{ClientAddress, TrustedProxies},
    answer::Failure,
    places::{Place, Places},
    timed_io::TimedIo,
    tls::Tls,
};
use crate::{
    metrics::{Metric, count},
    protocol::ErrorCode,
};

/// When an address with too many requests may try again.
const RETRY_AFTER_MS: u64 = 1_000;

/// What a connection may take.
#[derive(Debug, Clone)]
pub struct AcceptLimits {
    /// Most connections at a time, WebSockets included; more wait in the system's backlog.
    pub connections_max: usize,
    /// Most of them of one address at a time (of IPv6: of one network of 64 bits). Behind a trusted
    /// proxy, whose connections many share, requests and sockets under way instead.
    pub connections_per_address: usize,
    /// How long the handshake of TLS may take; the connection has its place meanwhile.
    pub tls_timeout: Duration,
    /// From the first byte we wait for to the last byte of a request's head.
    pub header_timeout: Duration,
    /// Largest head of a request, in bytes (at least 8192).
    pub header_bytes_max: usize,
    /// How long a write may get nowhere.
    pub write_timeout: Duration,
}

impl Default for AcceptLimits {
    /// 10,000 connections, 1,000 of one address, 5 s for the handshake of TLS, 5 s for a head of at
    /// most 16 KiB, 10 s for a write.
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            connections_per_address: 1_000,
            tls_timeout: Duration::from_secs(5),
            header_timeout: Duration::from_secs(5),
            header_bytes_max: 16 * 1024,
            write_timeout: Duration::from_secs(10),
        }
    }
}

/// The places that a connection takes: of all, and of its address. Kept as a request extension: who
/// upgrades the connection keeps a copy as long as the socket lives.
#[derive(Debug, Clone)]
#[allow(dead_code, reason = "held, never read")]
pub struct ConnectionPermit {
    of_all: Arc<OwnedSemaphorePermit>,
    of_address: Option<Arc<Place>>,
}

/// Where connections come from: plain, or with TLS.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    tls: Option<Arc<Tls>>,
    proxies: TrustedProxies,
}

impl Listener {
    /// Each connection begins with the handshake of TLS.
    #[must_use]
    pub fn with_tls(tcp: TcpListener, tls: Arc<Tls>) -> Self {
        let tls = Some(tls);
        Self {
            tls,
            ..Self::from(tcp)
        }
    }

    /// Believes these about whom they forward.
    #[must_use]
    pub fn with_trusted_proxies(self, proxies: TrustedProxies) -> Self {
        Self { proxies, ..self }
    }

    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }
}

impl From<TcpListener> for Listener {
    /// Plain: behind what ends TLS.
    fn from(tcp: TcpListener) -> Self {
        Self {
            tcp,
            tls: None,
            proxies: TrustedProxies::default(),
        }
    }
}

/// Accepts until `shutdown`, then lets what is under way finish. Each connection is a task of
/// `tasks`. Returns when nothing more is accepted; `tasks` says when all have ended.
///
/// # Errors
/// When the listener itself fails. What a single connection does is never one.
pub async fn serve(
    listener: impl Into<Listener>,
    router: Router,
    limits: AcceptLimits,
    tasks: TaskTracker,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let Listener {
        tcp: listener,
        tls,
        proxies,
    } = listener.into();
    let all = Arc::new(Semaphore::new(limits.connections_max));
    let places = Places::new(limits.connections_per_address);
    loop {
        let permit = tokio::select! {
            permit = Arc::clone(&all).acquire_owned() => permit,
            () = shutdown.cancelled() => return Ok(()),
        };
        let Ok(permit) = permit else { return Ok(()) };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => return Ok(()),
        };
        match accepted {
            Ok((stream, peer)) => {
                let peer = ClientAddress(peer.ip());
                let is_shared = proxies.has(peer.0);
                let of_address = (!is_shared).then(|| places.take(peer));
                if matches!(of_address, Some(None)) {
                    // Closed without a word: an answer would cost what is to be saved.
                    count(Metric::AddressRefused, "at", "connection");
                    continue;
                }
                let connection = Connection {
                    permit: ConnectionPermit {
                        of_all: Arc::new(permit),
                        of_address: of_address.flatten().map(Arc::new),
                    },
                    places: is_shared.then(|| places.clone()),
                    router: router.clone(),
                    shutdown: shutdown.clone(),
                    limits: limits.clone(),
                    peer: peer.0,
                    proxies: proxies.clone(),
                };
                tasks.spawn(connection.run(stream, tls.clone()));
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
    /// Of a connection that many share, for each of its requests.
    places: Option<Places>,
    router: Router,
    shutdown: CancellationToken,
    limits: AcceptLimits,
    peer: IpAddr,
    proxies: TrustedProxies,
}

impl Connection {
    async fn run(self, stream: TcpStream, tls: Option<Arc<Tls>>) {
        // Without it a small frame waits for the acknowledgement of the one before.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "could not set TCP_NODELAY");
        }
        let io = TimedIo::new(stream, self.limits.write_timeout);
        let Some(tls) = tls else {
            return self.speak(io).await;
        };
        let handshake = timeout(self.limits.tls_timeout, tls.accept(io));
        let ended = self
            .shutdown
            .clone()
            .run_until_cancelled_owned(handshake)
            .await;
        match ended {
            Some(Ok(Ok(io))) => self.speak(io).await,
            Some(Ok(Err(error))) => {
                count(Metric::TlsRefused, "reason", "handshake");
                tracing::debug!(%error, "a handshake of TLS failed");
            }
            Some(Err(_)) => count(Metric::TlsRefused, "reason", "timeout"),
            None => {}
        }
    }

    async fn speak(self, io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let io = TokioIo::new(io);
        let Self {
            permit,
            places,
            router,
            shutdown,
            limits,
            peer,
            proxies,
        } = self;
        let service = service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            let address = proxies.client(peer, request.headers());
            let mut permit = permit.clone();
            let mut is_full = false;
            if let Some(places) = &places {
                permit.of_address = places.take(address).map(Arc::new);
                is_full = permit.of_address.is_none();
            }
            request.extensions_mut().insert(permit.clone());
            request.extensions_mut().insert(address);
            let mut router = router.clone();
            async move {
                if is_full {
                    count(Metric::AddressRefused, "at", "request");
                    let text = "too many connections from this address";
                    let failure = Failure::new(ErrorCode::Overloaded, text).after(RETRY_AFTER_MS);
                    return Ok(failure.into_response());
                }
                let answer = router.call(request).await;
                drop(permit);
                answer
            }
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
