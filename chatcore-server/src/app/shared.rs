//! The journal on Kafka, the live view on KeyDB, the archive in a folder that all nodes share.

use std::{sync::Arc, time::Duration};

use chatcore::{
    clock::Clock,
    error::{Error, ErrorKind, Result},
    ports::Ports,
};
use chatcore_embedded::FileArchive;
use chatcore_kafka::{Kafka, KafkaConfig, Property};
use chatcore_keydb::{KeyDb, Tls};

use super::services::Services;
use crate::{
    config::{Certificates, Shared},
    server::Service,
};

/// How long the last records may take to become durable.
const CLOSE_MAX: Duration = Duration::from_secs(10);

/// What several nodes share, opened.
pub(super) struct SharedStorage {
    kafka: Arc<Kafka>,
    keydb: Arc<KeyDb>,
    ports: Ports,
}

/// How the journal is reached.
pub(crate) fn kafka(shared: &Shared, partitions: u32) -> KafkaConfig {
    let mut config = KafkaConfig::new(&shared.brokers, &shared.prefix);
    config.partitions = partitions;
    config.replication = shared.replication;
    let properties = shared.properties.iter();
    config.properties = properties
        .map(|(name, value)| (name.clone(), Property(value.0.clone())))
        .collect();
    config
}

/// How the live view is reached.
///
/// # Errors
/// `Invalid` for a URL or certificates that are none.
pub(crate) fn keydb(shared: &Shared, partitions: u32) -> Result<chatcore_keydb::Config> {
    let address = shared.keydb.0.parse().map_err(|error| {
        Error::new(ErrorKind::Invalid, "read keydb_url").with_context("cause", error)
    })?;
    let config = chatcore_keydb::Config::new(address, partitions).with_prefix(&shared.prefix);
    let Certificates { trusted, identity } = &shared.certificates;
    if trusted.is_none() && identity.is_none() {
        return Ok(config);
    }
    let identity = identity.as_ref();
    let identity = identity.map(|(chain, key)| (chain.as_bytes(), key.0.as_bytes()));
    let trusted = trusted.as_ref().map(String::as_bytes);
    Ok(config.with_tls(Tls::new(trusted, identity)?))
}

impl SharedStorage {
    /// Waits for both, each no longer than it may take.
    pub(super) async fn open(
        shared: &Shared,
        partitions: u32,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let archive = Arc::new(FileArchive::new(shared.folder.join("archive")));
        let store = keydb(shared, partitions)?;
        let kafka = Kafka::open(kafka(shared, partitions)).await?;
        archive.belong(kafka.journal().incarnation()).await?;
        let keydb = KeyDb::connect(store, archive.clone()).await?;
        let ports = Ports {
            journal: kafka.journal(),
            snapshots: kafka.snapshots(),
            shared: kafka.shared(),
            dead_letters: kafka.dead_letters(),
            partitions: keydb.clone(),
            streams: keydb.clone(),
            leases: keydb.clone(),
            index: keydb.clone(),
            archive,
            inbox: keydb.clone(),
            clock,
        };
        Ok(Self {
            kafka: Arc::new(kafka),
            keydb,
            ports,
        })
    }

    pub(super) fn ports(&self) -> Ports {
        self.ports.clone()
    }

    pub(super) fn service(&self) -> Arc<dyn Service> {
        Arc::new(Services {
            kafka: Arc::clone(&self.kafka),
            keydb: Arc::clone(&self.keydb),
        })
    }

    /// What was taken becomes durable, as far as the time allows.
    pub(super) async fn close(self) {
        self.kafka.close(CLOSE_MAX).await;
        self.keydb.shutdown().await;
    }
}
