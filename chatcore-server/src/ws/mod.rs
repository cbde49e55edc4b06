//! WebSocket: the upgrade by hand, and the two tasks of a socket.

mod echo;
mod hello;
mod route;
mod socket;
mod upgrade;
mod writer;

pub use echo::echo;
pub(crate) use route::{origin_is_allowed, ws};
pub use upgrade::{Pending, Socket, Upgrade, UpgradeError, socket_config};
