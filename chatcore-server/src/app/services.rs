//! The figures of the Kafka and the KeyDB that a node uses.

use std::sync::Arc;

use async_trait::async_trait;
use chatcore_kafka::Kafka;
use chatcore_keydb::KeyDb;
use metrics::{counter, gauge};

use crate::{
    metrics::{Metric, set},
    server::Service,
};

/// What several nodes share, as far as it has figures.
#[derive(Debug)]
pub(super) struct Services {
    pub(super) kafka: Arc<Kafka>,
    pub(super) keydb: Arc<KeyDb>,
}

#[async_trait]
impl Service for Services {
    fn tell(&self) {
        kafka(&self.kafka.figures());
        keydb(&self.keydb.figures());
    }

    async fn ask(&self) {
        match self.keydb.server_figures().await {
            Ok(figures) => server(&figures),
            Err(error) => tracing::debug!(%error, "it is not known how full the store is"),
        }
    }
}

fn kafka(figures: &chatcore_kafka::Figures) {
    set(Metric::KafkaRecords, figures.records);
    set(Metric::KafkaRecordsMax, figures.records_max);
    set(Metric::KafkaBytes, figures.bytes);
    set(Metric::KafkaBytesMax, figures.bytes_max);
    counter!(Metric::KafkaReplaced.name()).absolute(figures.replaced);
    for (group, count) in &figures.assigned {
        #[allow(clippy::cast_precision_loss, reason = "a gauge is a float")]
        gauge!(Metric::KafkaAssigned.name(), "group" => group.clone()).set(*count as f64);
    }
}

fn keydb(figures: &chatcore_keydb::Figures) {
    set(Metric::KeydbUp, usize::from(figures.is_up));
    set(Metric::KeydbConnections, figures.connections);
    let idle = figures.calls_max.saturating_sub(figures.calls);
    for (state, calls) in [
        ("under_way", figures.calls),
        ("idle", idle),
        ("waiting", figures.waiting),
    ] {
        #[allow(clippy::cast_precision_loss, reason = "a gauge is a float")]
        gauge!(Metric::KeydbCalls.name(), "state" => state).set(calls as f64);
    }
    counter!(Metric::KeydbRefused.name()).absolute(figures.refused);
    counter!(Metric::KeydbLate.name()).absolute(figures.late);
    counter!(Metric::KeydbConnects.name()).absolute(figures.connected);
}

fn server(figures: &chatcore_keydb::ServerFigures) {
    let told = [
        (Metric::KeydbClients, Some(figures.connected_clients)),
        (Metric::KeydbClientsMax, figures.clients_max),
        (Metric::KeydbMemory, Some(figures.memory_bytes)),
        (Metric::KeydbMemoryMax, Some(figures.memory_bytes_max)),
    ];
    for (metric, value) in told {
        if let Some(value) = value {
            set(metric, usize::try_from(value).unwrap_or(usize::MAX));
        }
    }
}
