//! What the engine promises, over the ports in process.

mod bench;
mod ledger;
mod losing;
mod parking;
mod running;
mod torn;
mod trimming;
mod unwilling;
