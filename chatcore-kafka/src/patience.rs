//! Waiting for brokers that do not answer, while the journal is opened.

use std::{fmt::Display, time::Duration};

use chatcore::error::{Error, ErrorKind, Result};
use tokio::time::{Instant, sleep, timeout_at};

const TRY_EVERY: Duration = Duration::from_millis(500);
/// So long a wait is no news: topics that were just made show up by and by.
const USUAL: Duration = Duration::from_secs(3);

/// How long opening waits, all its questions together.
#[derive(Debug)]
pub(crate) struct Patience {
    until: Instant,
    brokers: String,
}

impl Patience {
    pub(crate) fn new(limit: Duration, brokers: &str) -> Self {
        Self {
            until: Instant::now() + limit,
            brokers: brokers.to_owned(),
        }
    }

    /// Tries until it is not for want of brokers that it fails, or the time is over. What is tried
    /// is dropped when the time is over, and may be tried again after it was done in part.
    ///
    /// # Errors
    /// What it failed with last; `Unavailable` when it never ended.
    pub(crate) async fn insist<T>(
        &self,
        operation: &'static str,
        attempt: impl AsyncFn() -> Result<T>,
    ) -> Result<T> {
        let mut last = None;
        let begun = Instant::now();
        loop {
            let Ok(tried) = timeout_at(self.until, attempt()).await else {
                let waited = || Error::new(ErrorKind::Unavailable, operation);
                return Err(self.told(last.unwrap_or_else(waited)));
            };
            match tried {
                Err(error) if error.kind() == ErrorKind::Unavailable => {
                    if Instant::now() + TRY_EVERY >= self.until {
                        return Err(self.told(error));
                    }
                    self.tell(&error, begun.elapsed() >= USUAL);
                    last = Some(error);
                    sleep(TRY_EVERY).await;
                }
                done => return done,
            }
        }
    }

    fn tell(&self, error: &dyn Display, is_news: bool) {
        let brokers = &self.brokers;
        if is_news {
            tracing::warn!(%error, brokers, "waiting for Kafka");
        } else {
            tracing::info!(%error, brokers, "waiting for Kafka");
        }
    }

    fn told(&self, error: Error) -> Error {
        error.with_context("brokers", &self.brokers)
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, future::pending};

    use super::*;

    const ASK: &str = "ask";

    fn patience() -> Patience {
        Patience::new(Duration::from_secs(10), "k:9092")
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_for_want_of_brokers_is_tried_again_until_they_answer() {
        let tries = Cell::new(0);
        let patience = patience();
        let asked = patience.insist(ASK, async || {
            tries.set(tries.get() + 1);
            match tries.get() {
                1..=5 => Err(Error::new(ErrorKind::Unavailable, ASK)),
                answered => Ok(answered),
            }
        });
        assert_eq!(asked.await.unwrap(), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_wrong_is_told_at_once() {
        let begun = Instant::now();
        let patience = patience();
        let asked = patience.insist::<()>(ASK, async || Err(Error::new(ErrorKind::Invalid, ASK)));
        assert_eq!(asked.await.unwrap_err().kind(), ErrorKind::Invalid);
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_is_one_for_all_questions_and_what_hangs_is_left() {
        let (patience, begun) = (patience(), Instant::now());
        let slow = patience.insist(ASK, async || {
            sleep(Duration::from_secs(8)).await;
            Ok(())
        });
        slow.await.unwrap();
        let hung = patience.insist::<()>(ASK, async || pending().await);
        let error = hung.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains("k:9092"), "{error}");
        assert_eq!(begun.elapsed(), Duration::from_secs(10));
    }
}
