//! How effects are run.

use std::time::Duration;

use crate::decoded::Decoded;

/// How effects are run.
#[derive(Debug, Clone)]
pub struct EffectsConfig {
    /// Pieces of work under way or waiting in an effect; past it nothing more is read.
    pub open_max: usize,
    /// The time limit of a try.
    pub try_timeout: Duration,
    /// Tries before it is given up.
    pub attempts_max: u32,
    /// The delay after the first failed try; it doubles with each.
    pub backoff_min: Duration,
    /// The longest delay.
    pub backoff_max: Duration,
    /// How long work under way may take after shutdown began; then it is dropped and done again
    /// at the next start.
    pub drain: Duration,
    /// Effects that run with clones of one configuration decode each event once, and none that the
    /// engine of their chat published.
    pub(crate) decoded: Decoded,
}

impl Default for EffectsConfig {
    /// 1,000 pieces, 10 s a try, 8 tries, 200 ms to 30 s between them, 5 s to drain.
    fn default() -> Self {
        Self {
            open_max: 1_000,
            try_timeout: Duration::from_secs(10),
            attempts_max: 8,
            backoff_min: Duration::from_millis(200),
            backoff_max: Duration::from_secs(30),
            drain: Duration::from_secs(5),
            decoded: Decoded::default(),
        }
    }
}
