//! Commands that were appended and are not yet durable, in the order of their appends.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use futures_util::FutureExt as _;
use tokio::sync::{Mutex as AsyncMutex, Notify};

use crate::{error::Error, ids::Target, journal::Pending};

/// One append under way.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) target: Target,
    pub(super) n: u64,
    pub(super) pending: Pending,
}

/// What the session is to be told of its appends.
#[derive(Debug)]
pub(super) enum Told {
    Durable {
        target: Target,
        n: u64,
    },
    Refused {
        target: Target,
        n: u64,
        error: Error,
    },
}

/// The window of a session.
#[derive(Debug, Default)]
pub(super) struct Window {
    inner: Mutex<Inner>,
    added: Notify,
    /// The oldest append, held by whoever waits for it.
    oldest: AsyncMutex<Option<InFlight>>,
}

#[derive(Debug, Default)]
struct Inner {
    waiting: VecDeque<InFlight>,
    /// Taken and not yet told.
    under_way: usize,
    /// The newest durable number of each target that is not told yet.
    durable: BTreeMap<Target, u64>,
    refused: VecDeque<(Target, u64, Error)>,
    /// The newest durable number of each target that was told.
    told: BTreeMap<Target, u64>,
    /// After a failed append nothing above it is durable until it was sent again.
    holes: BTreeMap<Target, u64>,
}

impl Window {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends that are not yet durable.
    pub(super) fn under_way(&self) -> usize {
        self.inner().under_way
    }

    /// Takes an append in. Answers whether it has ended already, and there is something to tell.
    pub(super) fn push(&self, mut append: InFlight) -> bool {
        let mut inner = self.inner();
        inner.under_way += 1;
        // The order of appends stays: nobody is before it.
        if inner.under_way == 1
            && let Some(ended) = (&mut append.pending).now_or_never()
        {
            inner.settle(append, ended.map(drop));
            return true;
        }
        inner.waiting.push_back(append);
        drop(inner);
        self.added.notify_one();
        false
    }

    /// Waits until the oldest append has ended. Several may wait; each end is told once. May be
    /// dropped: the oldest one stays the oldest.
    pub(super) async fn settle_oldest(&self) {
        let mut oldest = self.oldest.lock().await;
        while oldest.is_none() {
            *oldest = self.inner().waiting.pop_front();
            if oldest.is_none() {
                self.added.notified().await;
            }
        }
        let Some(append) = oldest.as_mut() else {
            return;
        };
        // Dropped here, it stays the oldest.
        let ended = (&mut append.pending).await;
        if let Some(append) = oldest.take() {
            self.inner().settle(append, ended.map(drop));
        }
    }

    /// An outcome has arrived: everything up to `n` is durable, even if the journal's answer takes
    /// longer than the outcome did. Answers whether that has to be told first.
    pub(super) fn is_news(&self, target: &Target, n: u64) -> bool {
        self.inner().tell(target, n)
    }

    /// What there is to tell.
    pub(super) fn told(&self) -> Option<Told> {
        let mut inner = self.inner();
        while let Some((target, n)) = inner.durable.pop_first() {
            if inner.tell(&target, n) {
                return Some(Told::Durable { target, n });
            }
        }
        let (target, n, error) = inner.refused.pop_front()?;
        Some(Told::Refused { target, n, error })
    }
}

impl Inner {
    /// Whether it was not told yet; it counts as told from now on.
    fn tell(&mut self, target: &Target, n: u64) -> bool {
        let told = self.told.get(target).copied().unwrap_or(0);
        if told < n {
            self.told.insert(target.clone(), n);
        }
        told < n
    }

    fn settle(&mut self, append: InFlight, ended: Result<(), Error>) {
        self.under_way = self.under_way.saturating_sub(1);
        let InFlight { target, n, .. } = append;
        let hole = self.holes.get(&target).copied();
        match ended {
            Err(error) => {
                let lowest = hole.map_or(n, |h| h.min(n));
                self.holes.insert(target.clone(), lowest);
                self.refused.push_back((target, n, error));
            }
            Ok(()) if hole.is_some_and(|h| n > h) => {}
            Ok(()) => {
                self.holes.remove(&target);
                let told = self.durable.entry(target).or_default();
                *told = (*told).max(n);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::Timestamp,
        error::ErrorKind,
        ids::{DeskId, Offset, Partition},
        journal::Receipt,
    };

    fn target() -> Target {
        Target::Desk(DeskId::try_new("main").unwrap())
    }

    fn receipt() -> Receipt {
        Receipt {
            partition: Partition(0),
            offset: Offset(0),
            at: Timestamp(0),
        }
    }

    fn in_flight(n: u64, pending: Pending) -> InFlight {
        InFlight {
            target: target(),
            n,
            pending,
        }
    }

    #[tokio::test]
    async fn durable_is_told_in_order_and_at_once_for_many() {
        let window = Window::default();
        let (first, one) = Pending::new();
        let (second, two) = Pending::new();
        window.push(in_flight(1, one));
        window.push(in_flight(2, two));
        second.send(Ok(receipt())).unwrap();
        assert!(window.told().is_none(), "the first is not durable yet");
        first.send(Ok(receipt())).unwrap();
        window.settle_oldest().await;
        window.settle_oldest().await;
        assert!(matches!(window.told(), Some(Told::Durable { n: 2, .. })));
        assert!(window.told().is_none());
        assert_eq!(window.under_way(), 0);
    }

    #[tokio::test]
    async fn nothing_above_a_failed_append_is_told_as_durable() {
        let window = Window::default();
        for (n, ok) in [(1, true), (2, false), (3, true)] {
            let (settle, pending) = Pending::new();
            window.push(in_flight(n, pending));
            let end = if ok {
                Ok(receipt())
            } else {
                Err(Error::new(ErrorKind::Unavailable, "append"))
            };
            settle.send(end).unwrap();
            window.settle_oldest().await;
        }
        assert!(matches!(window.told(), Some(Told::Durable { n: 1, .. })));
        assert!(matches!(window.told(), Some(Told::Refused { n: 2, .. })));
        assert!(
            window.told().is_none(),
            "3 must not be told while 2 is missing"
        );
        for n in [2, 3] {
            let (settle, pending) = Pending::new();
            window.push(in_flight(n, pending));
            settle.send(Ok(receipt())).unwrap();
            window.settle_oldest().await;
        }
        assert!(matches!(window.told(), Some(Told::Durable { n: 3, .. })));
    }

    #[tokio::test]
    async fn what_an_outcome_has_told_is_not_told_again() {
        let window = Window::default();
        let (settle, pending) = Pending::new();
        window.push(in_flight(1, pending));
        assert!(window.is_news(&target(), 1), "the outcome came first");
        assert!(!window.is_news(&target(), 1));
        settle.send(Ok(receipt())).unwrap();
        window.settle_oldest().await;
        assert!(window.told().is_none());
        assert_eq!(window.under_way(), 0);
    }

    #[tokio::test]
    async fn a_dropped_wait_loses_nothing() {
        let window = Window::default();
        let (settle, pending) = Pending::new();
        window.push(in_flight(1, pending));
        tokio::select! {
            biased;
            () = window.settle_oldest() => panic!("nothing is durable yet"),
            () = std::future::ready(()) => {}
        }
        settle.send(Ok(receipt())).unwrap();
        window.settle_oldest().await;
        assert!(matches!(window.told(), Some(Told::Durable { n: 1, .. })));
    }
}
