//! The names.

use metrics::{describe_counter, describe_gauge, describe_histogram};

macro_rules! metrics {
    ($($name:ident: $kind:ident, $text:literal, $help:literal;)+) => {
        /// A metric of the server.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Metric {
            $(#[doc = $help] $name,)+
        }

        impl Metric {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Its name, for life.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }

            pub(super) fn describe(self) {
                match self {
                    $(Self::$name => describe!($kind, $text, $help),)+
                }
            }
        }
    };
}

macro_rules! describe {
    (Counter, $name:literal, $help:literal) => {
        describe_counter!($name, $help)
    };
    (Gauge, $name:literal, $help:literal) => {
        describe_gauge!($name, $help)
    };
    (Histogram, $name:literal, $help:literal) => {
        describe_histogram!($name, $help)
    };
}

metrics! {
    Sessions: Gauge, "chatcore_sessions",
        "Connections that have a session, by transport";
    FramesIn: Counter, "chatcore_frames_in_total",
        "Frames taken from clients, by kind";
    FramesOut: Counter, "chatcore_frames_out_total",
        "Frames sent to clients, by kind";
    Refused: Counter, "chatcore_refused_total",
        "Frames and requests that were not taken, by code";
    Closed: Counter, "chatcore_connections_closed_total",
        "Connections closed by the server, by reason";
    TokensRefused: Counter, "chatcore_tokens_refused_total",
        "Tokens that were not valid, by reason";
    TlsRefused: Counter, "chatcore_tls_refused_total",
        "Connections that ended in the handshake of TLS, by reason";
    AddressRefused: Counter, "chatcore_address_refused_total",
        "Connections and requests refused as their address had too many, by what";
    PersonLimited: Counter, "chatcore_person_limited_total",
        "Sessions, commands and requests refused as their person had too many";
    AdmitSeconds: Histogram, "chatcore_admit_seconds",
        "From the arrival of a command until it is appended or refused";
    Requests: Counter, "chatcore_http_requests_total",
        "Requests over HTTP, by route and status";
    RequestSeconds: Histogram, "chatcore_http_request_seconds",
        "How long a request over HTTP took, by route";
    Streams: Gauge, "chatcore_streams_followed",
        "Streams that this node follows";
    Mismatches: Counter, "chatcore_history_mismatches_total",
        "Histories that differed from the store's; each is an alarm";
    Unopened: Counter, "chatcore_frames_unopened_total",
        "Frames that could not be opened, and were read later";
    RouteRewrites: Counter, "chatcore_route_rewrites_total",
        "Times that all routes were written again";
    ClosedSlow: Counter, "chatcore_sessions_closed_slow_total",
        "Sessions closed because they read too slowly";
    Revocations: Gauge, "chatcore_revocations",
        "Revocations that this node holds";
    RevocationsUnreadable: Counter, "chatcore_revocations_unreadable_total",
        "Revocations that could not be read; each is an alarm";
    RevocationsUnsure: Gauge, "chatcore_revocations_unsure_seconds",
        "How long ago this node made sure that it knows of all revocations; past 10 it serves no staff";
    LagRecords: Gauge, "chatcore_lag_records",
        "Commands not applied or not committed, by partition";
    LagSeconds: Gauge, "chatcore_lag_seconds",
        "How long the oldest of them waits, by partition";
    LagAge: Gauge, "chatcore_lag_age_seconds",
        "How old the oldest figure of lag is";
    Built: Gauge, "chatcore_partition_built",
        "Whether a partition's view is whole, by partition";
    Ready: Gauge, "chatcore_ready",
        "Whether this node should get work";
    KeydbUp: Gauge, "chatcore_keydb_up",
        "Whether there is a primary of the store: 1 or 0";
    KeydbConnections: Gauge, "chatcore_keydb_connections",
        "Connections of this node to the primary, beside those of its inboxes";
    KeydbConnects: Counter, "chatcore_keydb_connects_total",
        "How often a primary was connected to";
    KeydbCalls: Gauge, "chatcore_keydb_calls",
        "Room for calls to the store, by state: under_way, idle, waiting for room";
    KeydbRefused: Counter, "chatcore_keydb_calls_refused_total",
        "Calls refused, as too many were under way";
    KeydbLate: Counter, "chatcore_keydb_answers_late_total",
        "Calls whose answer was late";
    KeydbClients: Gauge, "chatcore_keydb_clients",
        "Connections of all clients of the store's primary";
    KeydbClientsMax: Gauge, "chatcore_keydb_clients_max",
        "How many connections the store's primary takes";
    KeydbMemory: Gauge, "chatcore_keydb_memory_bytes",
        "Memory that the store's primary uses";
    KeydbMemoryMax: Gauge, "chatcore_keydb_memory_bytes_max",
        "How much it may use; 0 without a bound";
    KafkaRecords: Gauge, "chatcore_kafka_pending_records",
        "Records taken and not durable yet";
    KafkaRecordsMax: Gauge, "chatcore_kafka_pending_records_max",
        "How many there may be";
    KafkaBytes: Gauge, "chatcore_kafka_pending_bytes",
        "Bytes of records taken and not durable yet";
    KafkaBytesMax: Gauge, "chatcore_kafka_pending_bytes_max",
        "How many there may be";
    KafkaReplaced: Counter, "chatcore_kafka_producers_replaced_total",
        "How often the producer failed and was made anew";
    KafkaAssigned: Gauge, "chatcore_kafka_assigned_partitions",
        "Partitions that this node reads, by group";
}
