//! Appending as soon as there is room.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep, timeout_at};

use super::{Journal, Log, Pending};
use crate::{
    error::{Error, ErrorKind, Result, Retry},
    ids::Partition,
};

/// The shortest and the longest wait between two tries that were refused.
const WAIT_MIN: Duration = Duration::from_millis(1);
const WAIT_MAX: Duration = Duration::from_secs(2);

/// Appends as soon as there is room; past `end`, if there is one, the last refusal is the answer:
/// nothing was appended then.
///
/// It waits for [`Journal::ready`]; where it is refused all the same, as long as the refusal
/// advises, and twice as long each time after. `may` is asked before each try and stops it with
/// its error. May be dropped at any await: what was not taken by then is not appended.
///
/// # Errors
/// As of [`Journal::try_append`] and of `may`.
pub(crate) async fn append_when_room(
    journal: &dyn Journal,
    (log, partition): (Log, Partition),
    mut bytes: Bytes,
    end: Option<Instant>,
    may: impl Fn() -> Result<()> + Send,
) -> Result<Pending> {
    let mut wait = None;
    loop {
        may()?;
        let refused = match journal.try_append(log, partition, bytes) {
            Ok(pending) => return Ok(pending),
            Err(refused) if refused.error.kind() == ErrorKind::Overloaded => refused,
            Err(refused) => return Err(refused.error),
        };
        bytes = refused.bytes;
        let room = async {
            if let Some(wait) = wait {
                sleep(wait).await;
            }
            journal.ready(log, partition).await
        };
        match end {
            None => room.await?,
            Some(end) => match timeout_at(end, room).await {
                Ok(ready) => ready?,
                Err(_) => return Err(refused.error),
            },
        }
        wait = Some(
            wait.map_or_else(|| advised(&refused.error), |wait| wait * 2)
                .min(WAIT_MAX),
        );
    }
}

fn advised(error: &Error) -> Duration {
    match error.retry() {
        Retry::Safe { after } => after.max(WAIT_MIN),
        _ => WAIT_MAX,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use async_trait::async_trait;

    use super::*;
    use crate::{
        clock::SystemClock,
        ids::{Incarnation, Offset},
        journal::{Consumer, Record, Refused},
        memory::MemoryJournal,
    };

    const PLACE: (Log, Partition) = (Log::Commands, Partition(0));

    /// A journal with room for one record, which counts tries; its `ready` may know nothing.
    #[derive(Debug)]
    struct Narrow {
        inner: MemoryJournal,
        tries: AtomicU32,
        is_ready_blind: bool,
    }

    impl Narrow {
        fn new(is_ready_blind: bool) -> Arc<Self> {
            Arc::new(Self {
                inner: MemoryJournal::bounded(1, Arc::new(SystemClock), 1),
                tries: AtomicU32::new(0),
                is_ready_blind,
            })
        }

        fn tries(&self) -> u32 {
            self.tries.load(Ordering::Relaxed)
        }
    }

    #[async_trait]
    impl Journal for Narrow {
        fn partitions(&self) -> u32 {
            self.inner.partitions()
        }

        fn incarnation(&self) -> Incarnation {
            self.inner.incarnation()
        }

        fn try_append(
            &self,
            log: Log,
            partition: Partition,
            bytes: Bytes,
        ) -> std::result::Result<Pending, Refused> {
            let tries = self.tries.fetch_add(1, Ordering::Relaxed);
            assert!(tries < 100, "it spins");
            self.inner.try_append(log, partition, bytes)
        }

        async fn ready(&self, log: Log, partition: Partition) -> Result<()> {
            match self.is_ready_blind {
                true => Ok(()),
                false => self.inner.ready(log, partition).await,
            }
        }

        async fn subscribe(&self, log: Log, group: &str) -> Result<Box<dyn Consumer>> {
            self.inner.subscribe(log, group).await
        }

        async fn read(
            &self,
            log: Log,
            partition: Partition,
            from: Offset,
            limit: usize,
        ) -> Result<Vec<Record>> {
            self.inner.read(log, partition, from, limit).await
        }

        async fn bounds(&self, log: Log, partition: Partition) -> Result<(Offset, Offset)> {
            self.inner.bounds(log, partition).await
        }

        async fn trim(&self, log: Log, partition: Partition, before: Offset) -> Result<()> {
            self.inner.trim(log, partition, before).await
        }
    }

    async fn append(journal: &Narrow, end: Option<Instant>) -> Result<Pending> {
        append_when_room(journal, PLACE, "x".into(), end, || Ok(())).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_journal_is_waited_for_without_spinning() {
        for (is_ready_blind, most) in [(false, 2), (true, 40)] {
            let journal = Narrow::new(is_ready_blind);
            append(&journal, None).await.unwrap().await.unwrap();
            let freed_after = Duration::from_secs(60);
            let begun = Instant::now();
            let frees = async {
                sleep(freed_after).await;
                let while_full = journal.tries();
                assert!(while_full <= most, "{while_full} tries in a minute");
                journal.trim(PLACE.0, PLACE.1, Offset(1)).await.unwrap();
            };
            let (second, ()) = tokio::join!(append(&journal, None), frees);
            assert_eq!(second.unwrap().await.unwrap().offset, Offset(1));
            assert!(begun.elapsed() <= freed_after + WAIT_MAX * 2);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_wait_ends_with_the_refusal() {
        for is_ready_blind in [false, true] {
            let journal = Narrow::new(is_ready_blind);
            append(&journal, None).await.unwrap().await.unwrap();
            let begun = Instant::now();
            let end = Some(begun + Duration::from_secs(5));
            let error = append(&journal, end).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Overloaded);
            assert!(matches!(error.retry(), Retry::Safe { .. }));
            assert_eq!(begun.elapsed(), Duration::from_secs(5));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_may_not_any_more_appends_nothing() {
        let journal = Narrow::new(false);
        append(&journal, None).await.unwrap().await.unwrap();
        let asked = AtomicU32::new(0);
        let may = || match asked.fetch_add(1, Ordering::Relaxed) {
            0 => Ok(()),
            _ => Err(Error::new(ErrorKind::Forbidden, "append")),
        };
        let waits = append_when_room(journal.as_ref(), PLACE, "x".into(), None, may);
        let frees = async {
            sleep(Duration::from_secs(1)).await;
            journal.trim(PLACE.0, PLACE.1, Offset(1)).await.unwrap();
        };
        let (refused, ()) = tokio::join!(waits, frees);
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Forbidden);
        let bounds = journal.bounds(PLACE.0, PLACE.1).await.unwrap();
        assert_eq!(bounds, (Offset(1), Offset(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_is_dropped_appends_nothing() {
        let journal = Narrow::new(false);
        append(&journal, None).await.unwrap().await.unwrap();
        let dropped = tokio::time::timeout(Duration::from_secs(1), append(&journal, None)).await;
        assert!(dropped.is_err());
        journal.trim(PLACE.0, PLACE.1, Offset(1)).await.unwrap();
        sleep(Duration::from_secs(10)).await;
        let bounds = journal.bounds(PLACE.0, PLACE.1).await.unwrap();
        assert_eq!(bounds, (Offset(1), Offset(1)));
    }
}
