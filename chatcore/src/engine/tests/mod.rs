//! What the engine promises, over the ports in process.

mod ledger;
mod parking;
