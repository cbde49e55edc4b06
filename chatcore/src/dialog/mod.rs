//! The customer's state machine, pure: the dialogs of one customer, what was said in them, and
//! who owns each.
//!
//! Nothing here does I/O, asks the time or depends on hash order.

mod apply;
mod bodies;
mod command;
mod decide;
mod event;
pub mod limits;
mod reject;
mod state;
#[cfg(test)]
mod tests;

pub use command::{
    CustomerCommand, CustomerTimer, DialogSettings, Due, Grant, Granted, HandOver, Message, Open,
    TransferTo,
};
pub use event::{CustomerEvent, DialogEvent, Phase};
pub use reject::Rejection;
pub use state::{CustomerNote, CustomerState, DialogState, Ownership};
