//! The live view over the Redis protocol: KeyDB, Valkey or Redis, alone or with Sentinel.
//!
//! [`KeyDb`] implements chatcore's `PartitionStore`, `StreamStore`, `LeaseStore`, `IndexStore` and
//! `NodeInbox`. All that it keeps can be lost: the journal is the truth, and the view is built
//! from it again.
//!
//! - **One atomic step is one script.** Each stands in a file of its own, in `src/lua`, and checks
//!   everything before its first write. All keys of a partition share a hash tag.
//! - **The connection is strict.** A few multiplexed connections lead to what is the primary now;
//!   whatever looks like a former one has all of them closed and the primary found again.
//! - **Only what KeyDB 6.3 has.** [`COMMANDS`] lists every command; a test reads the scripts and
//!   the source against it.
//!
//! `docs/guide/keydb.md` has the keys, what bounds them, and the settings of the server that a promise
//! rests on; `docs/adr/0021` says why it is made so.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use chatcore::{clock::SystemClock, memory};
//! use chatcore_keydb::{Config, KeyDb};
//!
//! # async fn start() -> chatcore::error::Result<()> {
//! let archive = memory::ports(12, Arc::new(SystemClock)).archive;
//! let config = Config::new("redis://127.0.0.1:6379".parse()?, 12).with_prefix("chat");
//! let store = KeyDb::connect(config, archive).await?;
//! assert!(store.figures().is_up);
//! store.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod address;
mod command;
mod config;
mod error;
mod inbox;
mod info;
mod keydb;
mod keys;
mod link;
mod reply;
mod script;
mod store;
mod tls;

pub use address::{Address, Found, HostPort, Login, Secret};
pub use command::COMMANDS;
pub use config::Config;
pub use info::ServerFigures;
pub use keydb::KeyDb;
pub use link::Figures;
pub use tls::Tls;
