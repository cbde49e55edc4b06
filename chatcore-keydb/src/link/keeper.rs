//! The one task that finds the primary, and finds it again.

use std::{sync::Arc, time::Duration};

use chatcore::error::{Error, ErrorKind, Result, Retry};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{generation::Generation, resolve};
use crate::{address::Found, config::Config};

/// First wait after a failure; it doubles.
const WAIT_MIN: Duration = Duration::from_millis(50);
const WAIT_MAX: Duration = Duration::from_secs(1);

/// What is known of the primary.
#[derive(Debug, Default)]
pub(super) struct State {
    generation: Option<Arc<Generation>>,
    /// Why there is none.
    trouble: Option<(ErrorKind, String)>,
    /// How often there was one.
    pub(super) connected: u64,
}

impl State {
    pub(super) fn live(&self) -> Option<Arc<Generation>> {
        let generation = self.generation.as_ref()?;
        (!generation.is_given_up()).then(|| Arc::clone(generation))
    }

    /// Waiting does not help at a start: somebody has to change something.
    pub(super) fn is_hopeless(&self) -> bool {
        self.trouble
            .as_ref()
            .is_some_and(|(kind, _)| *kind != ErrorKind::Unavailable)
    }

    /// Why nothing can be done now; nothing was.
    pub(super) fn why(&self, operation: &'static str) -> Error {
        let (kind, text) = match &self.trouble {
            Some((kind, text)) => (*kind, text.as_str()),
            None => (ErrorKind::Unavailable, "no primary yet"),
        };
        let error = Error::new(kind, operation).with_context("cause", text);
        if kind == ErrorKind::Unavailable {
            return error.with_retry(Retry::Safe { after: WAIT_MAX });
        }
        error
    }
}

/// Keeps the link to the primary.
#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) config: Arc<Config>,
    pub(super) state: watch::Sender<State>,
    pub(super) tasks: TaskTracker,
    pub(super) shutdown: CancellationToken,
}

impl Keeper {
    /// Until the shutdown.
    pub(super) async fn run(self) {
        let mut failures = 0;
        loop {
            let round = async {
                let began = Instant::now();
                match self.connect().await {
                    Ok(generation) => {
                        self.watch(&generation).await;
                        // What does not last is no success: else a server that answers once and
                        // hangs up would be dialled without a pause.
                        let lasted = began.elapsed() > WAIT_MAX;
                        failures = if lasted { 0 } else { failures + 1 };
                    }
                    Err(error) => {
                        failures += 1;
                        self.note(&error);
                    }
                }
                sleep(pause(failures)).await;
            };
            tokio::select! {
                biased;
                () = self.shutdown.cancelled() => break,
                () = round => {}
            }
        }
        if let Some(generation) = self.state.borrow().live() {
            generation.close();
        }
    }

    async fn connect(&self) -> Result<Arc<Generation>> {
        let server = resolve::primary(&self.config).await?;
        let generation = Generation::open(&self.config, server, &self.tasks).await?;
        let generation = Arc::new(generation);
        tracing::info!(server = %generation.server, "connected to the store's primary");
        self.state.send_modify(|state| {
            state.generation = Some(Arc::clone(&generation));
            state.trouble = None;
            state.connected += 1;
        });
        Ok(generation)
    }

    fn note(&self, error: &Error) {
        tracing::warn!(%error, "no primary of the store");
        let kind = match error.kind() {
            kind @ (ErrorKind::Forbidden | ErrorKind::Invalid) => kind,
            _ => ErrorKind::Unavailable,
        };
        self.state.send_modify(|state| {
            state.generation = None;
            state.trouble = Some((kind, error.to_string()));
        });
    }

    /// Looks from time to time whether this still is the primary, until it is not.
    async fn watch(&self, generation: &Generation) {
        loop {
            tokio::select! {
                biased;
                () = generation.until_given_up() => return,
                () = sleep(self.config.watch_every) => {}
            }
            let Some(mut connection) = generation.connection() else {
                return;
            };
            if let Err(error) = resolve::check_role(&self.config, &mut connection).await {
                generation.give_up(&error);
                return;
            }
            if let Found::BySentinels { .. } = self.config.address.found
                && let Ok(named) = resolve::primary(&self.config).await
                && named != generation.server
            {
                generation.give_up(&format_args!("the Sentinels name {named}"));
                return;
            }
        }
    }
}

/// With full jitter, so that the nodes do not come back as one.
fn pause(failures: u32) -> Duration {
    let longest = WAIT_MIN * 2_u32.saturating_pow(failures.min(8));
    let longest = longest.min(WAIT_MAX);
    let random = getrandom::u32().unwrap_or(u32::MAX);
    longest.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_bounded() {
        for failures in [0, 1, 5, 100, u32::MAX] {
            assert!(pause(failures) <= WAIT_MAX);
        }
    }
}
