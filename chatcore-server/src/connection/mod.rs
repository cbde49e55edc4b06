//! A connection, whatever carries it: frames of a client in, frames of its session out.

mod convert;
mod inbound;
mod open;
mod outbound;
#[cfg(test)]
mod tests;

pub(crate) use convert::wrong;
pub(crate) use inbound::Inbound;
pub(crate) use open::{Opened, Refusal, parse_hello};
pub(crate) use outbound::{Out, Outbound};

use crate::protocol::{Close, ServerFrame};

/// What the half that listens hands to the half that speaks.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A frame.
    Frame(Box<ServerFrame>),
    /// The end.
    End(Close),
}

/// Answers that wait to be sent. Full: the client's frames wait too.
const ANSWERS_MAX: usize = 64;
