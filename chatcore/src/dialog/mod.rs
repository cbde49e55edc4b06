//! The customer's state machine, pure: the dialogs of one customer, what was said in them, and
//! who owns each.
//!
//! Nothing here does I/O, asks the time or depends on hash order.

mod bodies;
mod command;
mod event;
pub mod limits;
mod reject;

pub use command::{
    CustomerCommand, CustomerTimer, DialogSettings, Due, Grant, Granted, HandOver, Message, Open,
    TransferTo,
};
pub use event::{CustomerEvent, DialogEvent, Phase};
pub use reject::Rejection;
