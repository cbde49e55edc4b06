//! From an HTTP request to a WebSocket, by hand: with our own buffers, limits and deadline.

use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header},
};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{handshake::derive_accept_key, protocol::Role, protocol::WebSocketConfig},
};

use crate::protocol::FRAME_BYTES_MAX;

/// A WebSocket over an upgraded connection.
pub type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Most bytes that wait in a socket's write buffer before a write is refused.
const WRITE_BUFFER_BYTES_MAX: usize = 1024 * 1024;
/// What a socket's read buffer starts with: several frames as people write them. The library's own
/// default is 128 KiB, and what an idle socket would cost.
const READ_BUFFER_BYTES: usize = 2 * 1024;
/// Frames are written together up to this. The buffer takes room only as it is needed.
const WRITE_BUFFER_BYTES: usize = 4 * 1024;
/// How long after our answer the connection may take to become a WebSocket.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);

/// The limits and buffers of every socket.
#[must_use]
pub fn socket_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
        .max_message_size(Some(FRAME_BYTES_MAX))
        .max_frame_size(Some(FRAME_BYTES_MAX))
}

/// Why a request can't become a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UpgradeError {
    /// Not a GET over HTTP/1.1 with `Connection: upgrade` and `Upgrade: websocket`.
    #[error("expected a WebSocket upgrade: GET over HTTP/1.1 with Connection: upgrade")]
    NotUpgrade,
    /// Another version than 13, or no key.
    #[error("expected Sec-WebSocket-Version: 13 and a Sec-WebSocket-Key")]
    Version,
    /// The subprotocol was not offered.
    #[error("expected the subprotocol {expected} among Sec-WebSocket-Protocol")]
    Subprotocol {
        /// The one that is spoken here.
        expected: &'static str,
    },
    /// A page of another site.
    #[error("this origin is not allowed; the server's configuration names those that are")]
    Origin,
}

impl UpgradeError {
    /// The HTTP status that says so.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::NotUpgrade => StatusCode::UPGRADE_REQUIRED,
            Self::Version | Self::Subprotocol { .. } => StatusCode::BAD_REQUEST,
            Self::Origin => StatusCode::FORBIDDEN,
        }
    }
}

/// A request that may become a WebSocket.
#[derive(Debug)]
pub struct Upgrade {
    on_upgrade: OnUpgrade,
    accept_key: String,
    subprotocol: Option<&'static str>,
}

impl Upgrade {
    /// Checks the request. With a subprotocol, it must be among those offered.
    ///
    /// # Errors
    /// [`UpgradeError`].
    pub fn try_new(
        request: &mut Request<Body>,
        subprotocol: Option<&'static str>,
    ) -> Result<Self, UpgradeError> {
        let headers = request.headers();
        let wants = request.method() == Method::GET
            && request.version() == Version::HTTP_11
            && has_token(headers, header::CONNECTION, "upgrade")
            && has_token(headers, header::UPGRADE, "websocket");
        if !wants {
            return Err(UpgradeError::NotUpgrade);
        }
        let version = headers.get(header::SEC_WEBSOCKET_VERSION);
        let key = headers.get(header::SEC_WEBSOCKET_KEY);
        let (Some(b"13"), Some(key)) = (version.map(HeaderValue::as_bytes), key) else {
            return Err(UpgradeError::Version);
        };
        if let Some(expected) = subprotocol
            && !has_token(headers, header::SEC_WEBSOCKET_PROTOCOL, expected)
        {
            return Err(UpgradeError::Subprotocol { expected });
        }
        let accept_key = derive_accept_key(key.as_bytes());
        let on_upgrade = request
            .extensions_mut()
            .remove::<OnUpgrade>()
            .ok_or(UpgradeError::NotUpgrade)?;
        Ok(Self {
            on_upgrade,
            accept_key,
            subprotocol,
        })
    }

    /// The answer that switches protocols, and what to await after it was sent.
    #[must_use]
    pub fn split(self) -> (Response<Body>, Pending) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        if let Ok(key) = HeaderValue::try_from(self.accept_key) {
            headers.insert(header::SEC_WEBSOCKET_ACCEPT, key);
        }
        if let Some(name) = self.subprotocol {
            headers.insert(
                header::SEC_WEBSOCKET_PROTOCOL,
                HeaderValue::from_static(name),
            );
        }
        (response, Pending(self.on_upgrade))
    }
}

/// A connection that is about to become a WebSocket.
#[derive(Debug)]
pub struct Pending(OnUpgrade);

impl Pending {
    /// The socket; none if the connection ended, or took longer than its deadline.
    pub async fn socket(self) -> Option<Socket> {
        let upgraded = timeout(UPGRADE_TIMEOUT, self.0).await.ok()?.ok()?;
        let io = TokioIo::new(upgraded);
        Some(WebSocketStream::from_raw_socket(io, Role::Server, Some(socket_config())).await)
    }
}

/// Whether one of the header's comma-separated words is this one.
fn has_token(headers: &HeaderMap, name: header::HeaderName, word: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|item| item.trim().eq_ignore_ascii_case(word))
}
