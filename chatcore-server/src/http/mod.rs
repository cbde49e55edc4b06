//! HTTP: the accept loop and the routes.

pub mod accept;
mod timed_io;
