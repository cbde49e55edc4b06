//! The network between a node and what it talks to: cut, one-way, slow.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    fired::{Fired, Kind},
    rng::Rng,
};
use crate::error::{Error, ErrorKind, Result};

/// How long a call waits for a cut link before it fails.
const CUT_TIMEOUT_MS: u64 = 2_000;
/// How often it looks whether the link is back.
const LOOK_MS: u64 = 100;

/// What is wrong with a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// Nothing.
    #[default]
    None,
    /// Nothing gets through.
    Cut,
    /// Of so many of a thousand calls the request is lost.
    LosesRequests(u64),
    /// Of so many of a thousand calls the answer is lost: they were done.
    LosesReplies(u64),
    /// Each call takes up to this long, in milliseconds.
    Slow(u64),
}

/// What happens to one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Goes,
    Waits(u64),
    RequestLost,
    ReplyLost,
    Cut,
}

/// One link of one node.
#[derive(Debug)]
pub(super) struct Link {
    state: Mutex<State>,
    pub(super) fired: Arc<Fired>,
}

#[derive(Debug)]
struct State {
    rng: Rng,
    trouble: Trouble,
}

impl Link {
    pub(super) fn new(rng: Rng, fired: Arc<Fired>) -> Self {
        let trouble = Trouble::None;
        Self {
            state: Mutex::new(State { rng, trouble }),
            fired,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, trouble: Trouble) {
        self.state().trouble = trouble;
    }

    pub(super) fn is_cut(&self) -> bool {
        self.state().trouble == Trouble::Cut
    }

    /// What happens to the next call.
    pub(super) fn fate(&self) -> Fate {
        let mut state = self.state();
        let State { rng, trouble } = &mut *state;
        match *trouble {
            Trouble::Cut => Fate::Cut,
            Trouble::LosesRequests(chance) if rng.permille(chance) => {
                self.fired.count(Kind::RequestLost);
                Fate::RequestLost
            }
            Trouble::LosesReplies(chance) if rng.permille(chance) => {
                self.fired.count(Kind::ReplyLost);
                Fate::ReplyLost
            }
            Trouble::Slow(most) => {
                self.fired.count(Kind::Slow);
                Fate::Waits(rng.below(most + 1))
            }
            // Most calls take no time that counts, so that steps of one moment stay together.
            _ if rng.permille(100) => Fate::Waits(1 + rng.below(4)),
            _ => Fate::Goes,
        }
    }

    /// Whether something that takes no answer gets through, now.
    pub(super) fn lets_through(&self) -> bool {
        match self.fate() {
            Fate::Goes | Fate::Waits(_) | Fate::ReplyLost => true,
            Fate::RequestLost => false,
            Fate::Cut => {
                self.fired.count(Kind::Cut);
                false
            }
        }
    }

    /// Makes a call over the link.
    pub(super) async fn pass<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        match self.fate() {
            Fate::Goes => call.await,
            Fate::Waits(ms) => {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                call.await
            }
            Fate::RequestLost => {
                tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
                Err(lost(operation, "the request was lost"))
            }
            Fate::ReplyLost => {
                // What the call itself answers is not known to the caller either.
                let _ = call.await;
                tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
                Err(lost(operation, "the reply was lost"))
            }
            Fate::Cut => {
                self.fired.count(Kind::Cut);
                if self.wait_for_repair().await {
                    call.await
                } else {
                    Err(lost(operation, "the link is cut"))
                }
            }
        }
    }

    async fn wait_for_repair(&self) -> bool {
        for _ in 0..CUT_TIMEOUT_MS / LOOK_MS {
            tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
            if !self.is_cut() {
                return true;
            }
        }
        false
    }
}

/// The error of a call that came to nothing, as far as its caller knows.
pub(super) fn lost(operation: &'static str, cause: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, operation).with_context("cause", cause)
}
