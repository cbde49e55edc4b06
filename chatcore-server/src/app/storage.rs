//! Where everything is kept: a folder, or memory.

use std::sync::Arc;

use chatcore::{clock::Clock, error::Result, memory, ports::Ports};
use chatcore_embedded::{Embedded, Options};

use crate::config::{Config, Storage};

/// The opened storage.
pub(super) enum Opened {
    Memory(Ports),
    Folder(Embedded),
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
    }
}

impl Opened {
    pub(super) fn ports(&self) -> Ports {
        match self {
            Self::Memory(ports) => ports.clone(),
            Self::Folder(embedded) => embedded.ports(),
        }
    }

    /// Writes down what is under way and lets the folder go.
    pub(super) async fn close(self) -> Result<()> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::Folder(embedded) => embedded.close().await,
        }
    }
}
