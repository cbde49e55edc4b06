//! The real server as a process, over real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may end at once"
)]

mod bad_input;
mod client;
mod dead_letters;
mod dialog;
mod http;
mod lag;
mod leaving;
mod limits;
#[cfg(all(feature = "kafka", feature = "keydb"))]
mod nodes;
mod process;
mod rebuild;
mod redaction;
mod revocation;
mod secrecy;
mod streaming;
mod tls;
mod tokens;
