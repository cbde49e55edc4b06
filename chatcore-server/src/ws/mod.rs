//! WebSocket: the upgrade by hand, and the two tasks of a socket.

mod echo;
mod upgrade;

pub use echo::echo;
pub use upgrade::{Socket, Upgrade, UpgradeError, socket_config};
