//! Where everything is kept: a folder, memory, or a Kafka and a KeyDB that several nodes share.

use std::sync::Arc;

use chatcore::{clock::Clock, error::Result, memory, ports::Ports};
use chatcore_embedded::{Embedded, Options};

#[cfg(all(feature = "kafka", feature = "keydb"))]
use super::shared::SharedStorage;
use crate::{
    config::{Config, Storage},
    server::Service,
};

/// The opened storage.
pub(super) enum Opened {
    Memory(Ports),
    Folder(Embedded),
    #[cfg(all(feature = "kafka", feature = "keydb"))]
    Shared(SharedStorage),
}

/// Opens what the configuration names.
pub(super) async fn open(config: &Config, clock: Arc<dyn Clock>) -> Result<Opened> {
    let partitions = config.partitions.get();
    match &config.storage {
        Storage::Ephemeral => {
            tracing::warn!("everything is kept in memory and lost at the end");
            Ok(Opened::Memory(memory::ports(partitions, clock)))
        }
        Storage::Folder(folder) => {
            let options = Options::new(folder).with_partitions(partitions);
            Embedded::open(options, clock).await.map(Opened::Folder)
        }
        #[cfg(all(feature = "kafka", feature = "keydb"))]
        Storage::Shared(shared) => {
            let opened = SharedStorage::open(shared, partitions, clock).await;
            opened.map(Opened::Shared)
        }
        // The configuration refuses it before.
        #[cfg(not(all(feature = "kafka", feature = "keydb")))]
        Storage::Shared(_) => {
            use chatcore::error::{Error, ErrorKind};
            Err(Error::new(ErrorKind::Invalid, "open the storage")
                .with_context("cause", "this build has no Kafka and no KeyDB"))
        }
    }
}

impl Opened {
    pub(super) fn ports(&self) -> Ports {
        match self {
            Self::Memory(ports) => ports.clone(),
            Self::Folder(embedded) => embedded.ports(),
            #[cfg(all(feature = "kafka", feature = "keydb"))]
            Self::Shared(shared) => shared.ports(),
        }
    }

    /// Those of it that have figures.
    pub(super) fn services(&self) -> Vec<Arc<dyn Service>> {
        match self {
            Self::Memory(_) | Self::Folder(_) => Vec::new(),
            #[cfg(all(feature = "kafka", feature = "keydb"))]
            Self::Shared(shared) => vec![shared.service()],
        }
    }

    /// Writes down what is under way and lets the storage go.
    pub(super) async fn close(self) -> Result<()> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::Folder(embedded) => embedded.close().await,
            #[cfg(all(feature = "kafka", feature = "keydb"))]
            Self::Shared(shared) => {
                shared.close().await;
                Ok(())
            }
        }
    }
}
