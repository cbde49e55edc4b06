//! The thin reference server of chatcore: configuration, HTTP and WebSocket, tokens, metrics, pages.
//!
//! The program `chatcore-server` is [`app::run`]. A service of its own merges [`routes`] into its
//! `axum` router instead.

pub mod app;
pub mod config;
mod connection;
pub mod dead_letters;
pub mod http;
pub mod identity;
pub mod logs;
pub mod metrics;
pub mod protocol;
pub mod rebuild;
pub mod redact;
pub mod server;
#[cfg(feature = "spec")]
pub mod spec;
pub mod trace;
mod watch;
pub mod ws;

use axum::Router;

use server::Server;

/// Every route of the server: `/ws`, `/api/…`, `/healthz`, `/readyz`, `/lag`, `/metrics` and the
/// pages. Of a worker only the probes and the figures; all else is answered with 503.
///
/// Nothing runs behind your back: drive the chat with `Chat::run`, and [`Server::watch`] if you want
/// to be told how far the partitions are behind; at the end call
/// [`Server::drain`] and wait for [`Server::tasks`], because no HTTP server waits for sockets that
/// were upgraded.
///
/// # What your accept loop must limit
///
/// The routes bound frames, bodies, times after `hello` and what waits for a slow reader. What comes
/// before a route is your accept loop's, as in [`http::accept::serve`], which you may use:
///
/// - **the head of a request**: a deadline of a few seconds and at most 16 KiB. `axum::serve` has no
///   deadline, so that a few hundred slow clients would hold all connections;
/// - **connections**: their number (a permit before `accept`), and new ones a second by address;
/// - **writes**: a deadline, so that a client that stops reading can't hold an answer for ever;
/// - **TLS**: its handshake's deadline (as [`http::accept::Listener::with_tls`] has), and that there is TLS at all: tokens travel in frames;
/// - **HTTP/1.1** for `/ws`: WebSocket over HTTP/2 is not offered.
///
/// ```
/// use std::sync::Arc;
/// use chatcore::{chat::Chat, clock::SystemClock, identity::Authenticator, memory};
/// use chatcore_server::{routes, server::{Server, ServerOptions}};
///
/// fn app(tokens: Arc<dyn Authenticator>) -> chatcore::error::Result<axum::Router> {
///     let chat = Chat::builder(memory::ports(4, Arc::new(SystemClock))).build()?;
///     let server = Server::new(chat, tokens, ServerOptions::default());
///     Ok(axum::Router::new().merge(routes(&server)))
/// }
/// ```
pub fn routes(server: &Server) -> Router {
    http::router(server.clone())
}
