//! What is measured: the names, and how they are rendered. Labels never name a person, a dialog or
//! a session.

mod names;

use std::time::Duration;

pub use names::Metric;

use chatcore::{
    clock::Timestamp,
    engine::{EngineStats, Lag},
    error::{Error, ErrorKind, Result},
    routing::HubStats,
};
use metrics::{Counter, Histogram, counter, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::protocol::{ClientFrame, ServerFrame};

/// Sets a gauge.
#[cfg(all(feature = "kafka", feature = "keydb"))]
pub(crate) fn set(metric: Metric, value: usize) {
    #[allow(clippy::cast_precision_loss, reason = "a gauge is a float")]
    gauge!(metric.name()).set(value as f64);
}

/// Counts one, under a label.
pub(crate) fn count(metric: Metric, label: &'static str, value: &'static str) {
    counter!(metric.name(), label => value).increment(1);
}

/// The metrics of every frame, looked up once: a look-up costs more than a frame may.
#[derive(Debug)]
pub(crate) struct FrameMeters {
    taken: Vec<(&'static str, Counter)>,
    told: Vec<(&'static str, Counter)>,
    admit: Histogram,
}

impl FrameMeters {
    /// Of the recorder that is installed now.
    pub(crate) fn new() -> Self {
        let counters = |metric: Metric, kinds: &[&'static str]| {
            let counter = |kind: &&'static str| (*kind, counter!(metric.name(), "kind" => *kind));
            kinds.iter().map(counter).collect()
        };
        Self {
            taken: counters(Metric::FramesIn, &ClientFrame::KINDS),
            told: counters(Metric::FramesOut, &ServerFrame::KINDS),
            admit: histogram!(Metric::AdmitSeconds.name()),
        }
    }

    /// A frame of a client.
    pub(crate) fn taken(&self, frame: &ClientFrame) {
        increment(&self.taken, frame.kind());
    }

    /// A frame to a client.
    pub(crate) fn told(&self, frame: &ServerFrame) {
        increment(&self.told, frame.kind());
    }

    /// How long a command took from its arrival until it was appended or refused.
    pub(crate) fn admitted(&self, took: Duration) {
        self.admit.record(took.as_secs_f64());
    }
}

fn increment(counters: &[(&'static str, Counter)], kind: &'static str) {
    if let Some((_, counter)) = counters.iter().find(|(known, _)| *known == kind) {
        counter.increment(1);
    }
}

/// A request over HTTP is done. `route` is the pattern, never the path itself.
pub(crate) fn request(route: String, status: u16, seconds: f64) {
    let status = status.to_string();
    counter!(Metric::Requests.name(), "route" => route.clone(), "status" => status).increment(1);
    histogram!(Metric::RequestSeconds.name(), "route" => route).record(seconds);
}

/// What the node's hub counts.
pub(crate) fn hub(stats: &HubStats) {
    let figure = |metric: Metric, value: u64| {
        counter!(metric.name()).absolute(value);
    };
    #[allow(clippy::cast_precision_loss, reason = "a gauge is a float")]
    gauge!(Metric::Streams.name()).set(stats.streams as f64);
    figure(Metric::Mismatches, stats.mismatches);
    figure(Metric::Unopened, stats.unopened);
    figure(Metric::RouteRewrites, stats.rewrites);
    figure(Metric::ClosedSlow, stats.closed_slow);
    figure(Metric::PersonLimited, stats.limited);
    figure(Metric::RevocationsUnreadable, stats.revocations_unreadable);
    #[allow(clippy::cast_precision_loss, reason = "a gauge is a float")]
    gauge!(Metric::Revocations.name()).set(stats.revocations as f64);
    let unsure = Duration::from_millis(stats.revocations_unsure_ms);
    gauge!(Metric::RevocationsUnsure.name()).set(unsure.as_secs_f64());
}

/// What the engine counts: `chatcore_engine_…_total`.
pub(crate) fn engine(stats: &EngineStats) {
    for (name, value) in stats.all() {
        counter!(format!("chatcore_engine_{name}_total")).absolute(value);
    }
}

/// How far a partition was behind at this time.
pub(crate) fn lag(lag: &Lag, at: Timestamp) {
    let partition = lag.partition.to_string();
    let behind = [
        ("applied", lag.unapplied(), lag.unapplied_since),
        ("commit", lag.uncommitted(), lag.uncommitted_since),
    ];
    for (against, records, since) in behind {
        let of = |metric: Metric| gauge!(metric.name(), "partition" => partition.clone(), "against" => against);
        #[allow(clippy::cast_precision_loss, reason = "a gauge is a float")]
        of(Metric::LagRecords).set(records as f64);
        match since {
            Some(since) => of(Metric::LagSeconds).set(at.since(since).as_secs_f64()),
            None if records == 0 => of(Metric::LagSeconds).set(0.0),
            // Not known this time: as it was.
            None => {}
        }
    }
    gauge!(Metric::Built.name(), "partition" => partition).set(flag(lag.is_built));
}

/// How old the figures of lag are.
pub(crate) fn lag_age(age: Duration) {
    gauge!(Metric::LagAge.name()).set(age.as_secs_f64());
}

/// Whether the node should get work.
pub(crate) fn ready(is_ready: bool) {
    gauge!(Metric::Ready.name()).set(flag(is_ready));
}

fn flag(is: bool) -> f64 {
    f64::from(u8::from(is))
}

/// A session, counted as long as this lives.
#[derive(Debug)]
pub(crate) struct OpenSession(&'static str);

impl OpenSession {
    pub(crate) fn new(transport: &'static str) -> Self {
        gauge!(Metric::Sessions.name(), "transport" => transport).increment(1.0);
        Self(transport)
    }
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        gauge!(Metric::Sessions.name(), "transport" => self.0).decrement(1.0);
    }
}

/// From half a millisecond to ten seconds.
const BUCKETS: [f64; 13] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

/// Makes Prometheus this process's recorder. Its handle renders `/metrics`; call its `run_upkeep`
/// every few seconds, or histograms grow between scrapes.
///
/// # Errors
/// `Conflict` when the process has a recorder already.
pub fn install() -> Result<PrometheusHandle> {
    let failed = |text: String| {
        Error::new(ErrorKind::Conflict, "install the recorder of metrics")
            .with_context("cause", text)
    };
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)
        .map_err(|error| failed(error.to_string()))?
        .build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(|error| failed(error.to_string()))?;
    for metric in Metric::ALL {
        metric.describe();
    }
    Ok(handle)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All words of a text that name a metric.
    fn named(text: &str) -> Vec<&str> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let words = text.split(|c: char| !is_part(c));
        words.filter(|word| word.starts_with("chatcore_")).collect()
    }

    #[test]
    fn alert_rules_and_the_guide_name_metrics_that_there_are() {
        let mut known: Vec<String> = Metric::ALL.iter().map(|m| m.name().to_owned()).collect();
        let engine = EngineStats::default().all();
        known.extend(
            engine
                .iter()
                .map(|(n, _)| format!("chatcore_engine_{n}_total")),
        );
        let alerts = named(include_str!("../../../deploy/alerts.yaml"));
        assert!(alerts.len() >= 7, "{alerts:?}");
        let guide = named(include_str!("../../../docs/guide/operations.md"));
        for name in alerts.iter().chain(&guide) {
            assert!(known.iter().any(|k| k == name), "there is no {name}");
        }
    }
}
