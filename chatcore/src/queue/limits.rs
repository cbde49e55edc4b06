//! The limits of a desk's state.

/// Most dialogs that wait on one desk.
pub const WAITING_MAX: usize = 100_000;
/// Most operators of one desk.
pub const OPERATORS_MAX: usize = 5_000;
/// Most queues of one desk.
pub const QUEUES_MAX: usize = 500;
/// Candidates named beside the chosen one.
pub const NEXT_MAX: usize = 4;
/// Added to the priority of a dialog whose operator vanished.
pub const LOST_BOOST: u8 = 50;
/// Nodes remembered per operator; one more is not, as its operator is reachable anyway.
pub const NODES_MAX: usize = 64;
/// Grants that matching makes in one step; it goes on in the next.
pub const MATCH_MAX: usize = 256;
/// Grants that are sent again in one step.
pub const RESEND_MAX: usize = 256;
/// Grants that are asked about in one step of a reconcile.
pub const CONFIRM_MAX: usize = 256;
