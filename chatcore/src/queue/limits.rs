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
