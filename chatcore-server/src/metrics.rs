//! What is measured: the names, and how they are rendered. Labels never name a person, a dialog or
//! a session.

use std::time::Duration;

use chatcore::{
    engine::EngineStats,
    error::{Error, ErrorKind, Result},
    routing::HubStats,
};
use metrics::{
    Counter, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::protocol::{ClientFrame, ServerFrame};

/// A metric of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Connections with a session, by transport.
    Sessions,
    /// Frames of clients, by kind.
    FramesIn,
    /// Frames to clients, by kind.
    FramesOut,
    /// Frames and requests that were not taken, by code.
    Refused,
    /// Connections closed, by reason.
    Closed,
    /// Tokens refused, by reason.
    TokensRefused,
    /// From a command's arrival until it is appended or refused, in seconds.
    AdmitSeconds,
    /// Requests over HTTP, by route and status.
    Requests,
    /// How long a request took, in seconds, by route.
    RequestSeconds,
    /// Streams that the node follows.
    Streams,
    /// Histories that differed from the store's; each is an alarm.
    Mismatches,
    /// Frames that could not be opened, and were read later.
    Unopened,
    /// Times that all routes were written again.
    RouteRewrites,
    /// Sessions closed because they read too slowly.
    ClosedSlow,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Sessions,
        Self::FramesIn,
        Self::FramesOut,
        Self::Refused,
        Self::Closed,
        Self::TokensRefused,
        Self::AdmitSeconds,
        Self::Requests,
        Self::RequestSeconds,
        Self::Streams,
        Self::Mismatches,
        Self::Unopened,
        Self::RouteRewrites,
        Self::ClosedSlow,
    ];

    /// Its name, for life.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sessions => "chatcore_sessions",
            Self::FramesIn => "chatcore_frames_in_total",
            Self::FramesOut => "chatcore_frames_out_total",
            Self::Refused => "chatcore_refused_total",
            Self::Closed => "chatcore_connections_closed_total",
            Self::TokensRefused => "chatcore_tokens_refused_total",
            Self::AdmitSeconds => "chatcore_admit_seconds",
            Self::Requests => "chatcore_http_requests_total",
            Self::RequestSeconds => "chatcore_http_request_seconds",
            Self::Streams => "chatcore_streams_followed",
            Self::Mismatches => "chatcore_history_mismatches_total",
            Self::Unopened => "chatcore_frames_unopened_total",
            Self::RouteRewrites => "chatcore_route_rewrites_total",
            Self::ClosedSlow => "chatcore_sessions_closed_slow_total",
        }
    }

    fn help(self) -> &'static str {
        match self {
            Self::Sessions => "Connections that have a session, by transport",
            Self::FramesIn => "Frames taken from clients, by kind",
            Self::FramesOut => "Frames sent to clients, by kind",
            Self::Refused => "Frames and requests that were not taken, by code",
            Self::Closed => "Connections closed by the server, by reason",
            Self::TokensRefused => "Tokens that were not valid, by reason",
            Self::AdmitSeconds => "From the arrival of a command until it is appended or refused",
            Self::Requests => "Requests over HTTP, by route and status",
            Self::RequestSeconds => "How long a request over HTTP took, by route",
            Self::Streams => "Streams that this node follows",
            Self::Mismatches => "Histories that differed from the store's; each is an alarm",
            Self::Unopened => "Frames that could not be opened, and were read later",
            Self::RouteRewrites => "Times that all routes were written again",
            Self::ClosedSlow => "Sessions closed because they read too slowly",
        }
    }

    fn describe(self) {
        match self {
            Self::Sessions | Self::Streams => describe_gauge!(self.name(), self.help()),
            Self::AdmitSeconds | Self::RequestSeconds => {
                describe_histogram!(self.name(), self.help());
            }
            _ => describe_counter!(self.name(), self.help()),
        }
    }
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
}

/// What the engine counts: `chatcore_engine_…_total`.
pub(crate) fn engine(stats: &EngineStats) {
    for (name, value) in stats.all() {
        counter!(format!("chatcore_engine_{name}_total")).absolute(value);
    }
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
