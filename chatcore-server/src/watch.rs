//! What a node looks at every few seconds, so that whoever asks is answered at once: how far the
//! partitions are behind, whether it is ready, and the figures of the services that it uses.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chatcore::{
    clock::Timestamp,
    engine::{self, Lag},
    ids::Partition,
};
use futures_util::future::join_all;
use serde::Serialize;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{http::probes, metrics, server::Server};

/// Between two looks. One begins after the former has ended, so that slow answers never pile up.
const EVERY: Duration = Duration::from_secs(5);
/// What is not known by then is left as it was.
const WITHIN: Duration = Duration::from_secs(4);
/// Commands may wait so long before somebody should know.
const BEHIND_AFTER: Duration = Duration::from_secs(10);
/// Figures may be so old before somebody should know.
const OLD_AFTER: Duration = Duration::from_secs(20);
/// Partitions that are named one by one.
const NAMED_MAX: usize = 8;

/// How far every partition is behind, of all nodes together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "spec", derive(utoipa::ToSchema))]
pub(crate) struct LagReport {
    /// How old the oldest of the figures is, in milliseconds.
    age_ms: u64,
    /// By partition, those that are known.
    partitions: Vec<PartitionLag>,
}

/// How far one partition is behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "spec", derive(utoipa::ToSchema))]
pub(crate) struct PartitionLag {
    /// Its number.
    partition: u32,
    /// Whether its view is whole; it is not while it is built again.
    built: bool,
    /// Where its commands end.
    end: u64,
    /// The offset after the last command whose outcome is saved.
    applied: u64,
    /// The offset after the last command whose outcome is saved, emitted and committed.
    committed: u64,
    /// Commands whose outcome is not saved.
    unapplied: u64,
    /// How long the oldest of them waits, in milliseconds; null when it is not known.
    unapplied_ms: Option<u64>,
    /// Commands whose outcome is not committed.
    uncommitted: u64,
    /// How long the oldest of them waits, in milliseconds; null when it is not known.
    uncommitted_ms: Option<u64>,
}

/// What was seen last.
#[derive(Debug, Default)]
pub(crate) struct Watch(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    /// None as long as nobody looks.
    begun: Option<Timestamp>,
    partitions: u32,
    lags: BTreeMap<Partition, (Lag, Timestamp)>,
}

impl Seen {
    /// How old the oldest figure is; of a partition that is not known yet, since the first look.
    fn age(&self, now: Timestamp) -> Option<Duration> {
        let begun = self.begun?;
        let known = self.lags.values().map(|(_, at)| *at).min();
        let is_whole = u32::try_from(self.lags.len()) == Ok(self.partitions);
        let oldest = known.filter(|_| is_whole).unwrap_or(begun);
        Some(now.since(oldest))
    }
}

impl Watch {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, now: Timestamp, partitions: u32) {
        let mut seen = self.seen();
        seen.begun.get_or_insert(now);
        seen.partitions = partitions;
    }

    fn note(&self, lags: Vec<Lag>, now: Timestamp) {
        let mut seen = self.seen();
        for lag in lags {
            seen.lags.insert(lag.partition, (lag, now));
        }
    }

    /// How old the oldest figure is; none as long as nobody looks.
    pub(crate) fn age(&self, now: Timestamp) -> Option<Duration> {
        self.seen().age(now)
    }

    /// All that is known; none as long as nothing is.
    pub(crate) fn report(&self, now: Timestamp) -> Option<LagReport> {
        let seen = self.seen();
        let age_ms = millis(seen.age(now)?);
        let partitions: Vec<_> = seen.lags.values().map(|(lag, at)| told(lag, *at)).collect();
        (!partitions.is_empty()).then_some(LagReport { age_ms, partitions })
    }

    /// What somebody should know, in words.
    pub(crate) fn behind(&self, now: Timestamp) -> Vec<String> {
        let seen = self.seen();
        let Some(age) = seen.age(now) else {
            return Vec::new();
        };
        let mut behind = Vec::new();
        if age >= OLD_AFTER {
            behind.push(format!("lag: not known for {} s", age.as_secs()));
        }
        let late = seen.lags.values().filter_map(|(lag, at)| late(lag, *at));
        let mut late = late.fuse();
        behind.extend(late.by_ref().take(NAMED_MAX));
        match late.count() {
            0 => {}
            more => behind.push(format!("and {more} other partitions")),
        }
        behind
    }
}

fn told(lag: &Lag, at: Timestamp) -> PartitionLag {
    let waits = |lag: u64, since: Option<Timestamp>| match lag {
        0 => Some(0),
        _ => since.map(|since| millis(at.since(since))),
    };
    PartitionLag {
        partition: lag.partition.0,
        built: lag.is_built,
        end: lag.end.0,
        applied: lag.applied.0,
        committed: lag.committed.0,
        unapplied: lag.unapplied(),
        unapplied_ms: waits(lag.unapplied(), lag.unapplied_since),
        uncommitted: lag.uncommitted(),
        uncommitted_ms: waits(lag.uncommitted(), lag.uncommitted_since),
    }
}

fn late(lag: &Lag, at: Timestamp) -> Option<String> {
    let partition = lag.partition;
    let waits = lag.unapplied_since.map(|since| at.since(since));
    match waits.filter(|waits| *waits >= BEHIND_AFTER) {
        Some(waits) => Some(format!(
            "partition {partition}: {} commands wait, the oldest for {} s",
            lag.unapplied(),
            waits.as_secs()
        )),
        None if !lag.is_built => Some(format!("partition {partition}: its view is not built")),
        None => None,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Server {
    /// Looks every few seconds how far the partitions are behind and whether the node is ready, for
    /// `/lag`, `/readyz` and `/metrics`; ends with `until`. Each look is bounded in time, and the
    /// next one begins after it.
    ///
    /// # Cancellation
    /// Reads only; may be dropped.
    pub async fn watch(&self, until: CancellationToken) {
        let journal = &self.chat().ports().journal;
        self.watched().begin(self.now(), journal.partitions());
        while until.run_until_cancelled(self.look()).await.is_some() {
            let pause = tokio::time::sleep(EVERY);
            if until.run_until_cancelled(pause).await.is_none() {
                return;
            }
        }
    }

    async fn look(&self) {
        let ports = self.chat().ports();
        let services = self.options().services.iter().map(|service| service.ask());
        let asked = timeout(WITHIN, join_all(services));
        // A service that is late has no new figures this time.
        let (lags, why, _) = tokio::join!(
            engine::lag(ports, WITHIN),
            probes::why_not_ready(self),
            asked
        );
        metrics::ready(why.is_empty());
        match lags {
            Ok(lags) => {
                let now = self.now();
                for lag in &lags {
                    metrics::lag(lag, now);
                }
                self.watched().note(lags, now);
            }
            Err(error) => tracing::debug!(%error, "it is not known how far the partitions are"),
        }
    }
}

#[cfg(test)]
mod tests {
    use chatcore::ids::Offset;

    use super::*;

    fn lag(partition: u32, applied: u64, since: Option<i64>) -> Lag {
        Lag {
            partition: Partition(partition),
            end: Offset(10),
            applied: Offset(applied),
            committed: Offset(applied),
            is_built: true,
            unapplied_since: since.map(Timestamp),
            uncommitted_since: since.map(Timestamp),
        }
    }

    #[test]
    fn before_the_first_look_nothing_is_known() {
        let watch = Watch::default();
        assert_eq!(watch.report(Timestamp(0)), None);
        assert_eq!(watch.age(Timestamp(0)), None);
        assert!(watch.behind(Timestamp(0)).is_empty());
        watch.begin(Timestamp(0), 1);
        assert_eq!(watch.report(Timestamp(0)), None);
    }

    #[test]
    fn a_partition_that_is_not_told_of_any_more_makes_the_figures_old() {
        let watch = Watch::default();
        watch.begin(Timestamp(0), 2);
        watch.note(vec![lag(0, 10, None)], Timestamp(5_000));
        assert_eq!(watch.age(Timestamp(6_000)), Some(Duration::from_secs(6)));
        watch.note(vec![lag(0, 10, None), lag(1, 10, None)], Timestamp(6_000));
        assert_eq!(watch.age(Timestamp(6_000)), Some(Duration::ZERO));
        watch.note(vec![lag(0, 10, None)], Timestamp(30_000));
        assert_eq!(watch.age(Timestamp(30_000)), Some(Duration::from_secs(24)));
        assert_eq!(watch.behind(Timestamp(30_000)), ["lag: not known for 24 s"]);
    }

    #[test]
    fn those_who_wait_for_long_are_told_and_the_rest_is_counted() {
        let watch = Watch::default();
        watch.begin(Timestamp(0), 20);
        let mut lags = vec![lag(0, 8, Some(19_000)), lag(1, 7, Some(5_000))];
        lags.push(Lag {
            is_built: false,
            ..lag(2, 10, None)
        });
        watch.note(lags, Timestamp(20_000));
        let behind = [
            "lag: not known for 20 s",
            "partition 1: 3 commands wait, the oldest for 15 s",
            "partition 2: its view is not built",
        ];
        assert_eq!(watch.behind(Timestamp(20_000)), behind);
        let report = watch.report(Timestamp(20_000)).unwrap();
        let waits: Vec<_> = report
            .partitions
            .iter()
            .map(|p| (p.unapplied, p.unapplied_ms))
            .collect();
        assert_eq!(waits, [(2, Some(1_000)), (3, Some(15_000)), (0, Some(0))]);
        let many = (0..20).map(|n| lag(n, 0, Some(0))).collect();
        watch.note(many, Timestamp(20_000));
        let behind = watch.behind(Timestamp(20_000));
        assert_eq!(behind.len(), NAMED_MAX + 1);
        assert_eq!(behind[NAMED_MAX], "and 12 other partitions");
    }
}
