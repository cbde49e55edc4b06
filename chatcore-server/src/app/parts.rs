//! The parts that run beside the connections, by name.

use std::{
    collections::BTreeSet,
    fs,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context as _, Result};
use chatcore::bot::{BotRules, RuleBot};
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::config::Config;

/// Named tasks. One that ends before it was asked to is a failure of the whole.
pub(super) struct Parts {
    tasks: TaskTracker,
    stop: CancellationToken,
    running: Running,
    failures: (mpsc::Sender<String>, mpsc::Receiver<String>),
}

#[derive(Debug, Clone, Default)]
struct Running(Arc<Mutex<BTreeSet<String>>>);

impl Running {
    fn names(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Parts {
    pub(super) fn new(stop: CancellationToken) -> Self {
        Self {
            tasks: TaskTracker::new(),
            stop,
            running: Running::default(),
            failures: mpsc::channel(1),
        }
    }

    /// Starts a part.
    pub(super) fn spawn(
        &self,
        name: impl Into<String>,
        part: impl Future<Output = Result<()>> + Send + 'static,
    ) {
        let name = name.into();
        self.running.names().insert(name.clone());
        let (running, stop) = (self.running.clone(), self.stop.clone());
        let failures = self.failures.0.clone();
        self.tasks.spawn(async move {
            let ended = part.await;
            running.names().remove(&name);
            let text = match ended {
                Ok(()) if stop.is_cancelled() => return,
                Ok(()) => format!("{name} ended by itself"),
                Err(error) => format!("{name} failed: {error:#}"),
            };
            // The first failure is told; those after it are most likely its consequences.
            if failures.try_send(text.clone()).is_err() {
                tracing::error!(text, "a part ended");
            }
        });
    }

    /// Waits for the first part that ends by itself.
    pub(super) async fn failure(&mut self) -> String {
        match self.failures.1.recv().await {
            Some(failure) => failure,
            // The sender is ours, so this is never reached.
            None => std::future::pending().await,
        }
    }

    /// Asks all to end.
    pub(super) fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
    }

    /// Waits until all have ended.
    pub(super) async fn ended(&self) {
        self.tasks.wait().await;
    }

    /// Those that still run.
    pub(super) fn stragglers(&self) -> Vec<String> {
        self.running.names().iter().cloned().collect()
    }
}

/// The bot of the configured rules, or of those built in.
pub(super) fn bot(config: &Config) -> Result<RuleBot> {
    Ok(RuleBot::try_new(bot_rules(config)?)?)
}

fn bot_rules(config: &Config) -> Result<BotRules> {
    let built_in = include_str!("../../bot.toml");
    let Some(path) = &config.bot_rules else {
        return toml::from_str(built_in).context("the built-in bot_rules can't be read");
    };
    let text = fs::read_to_string(path).with_context(|| {
        format!(
            "bot_rules: {} can't be read; expected a file",
            path.display()
        )
    })?;
    toml::from_str(&text)
        .with_context(|| format!("bot_rules: {} is not as expected", path.display()))
}
