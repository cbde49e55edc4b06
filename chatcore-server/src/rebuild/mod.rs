//! `chatcore-server rebuild …`: has the views of partitions built again from the journal by the
//! nodes that work for them, and shows how far they are.
//!
//! The program builds nothing itself. It empties a view (`engine::build_anew`) and watches; ended
//! early, it leaves nothing half done, and started again it goes on watching.

#[cfg(all(feature = "kafka", feature = "keydb"))]
mod nodes;
#[cfg(all(feature = "kafka", feature = "keydb"))]
mod progress;

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};
use chatcore::{clock::SystemClock, engine, ids::Partition, ports::Ports};
use chatcore_embedded::{Embedded, Options};

use crate::config::Storage;

/// A look takes no longer.
const WITHIN: Duration = Duration::from_secs(5);

/// `rebuild …` of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Where the views are.
    pub storage: Storage,
    /// The partitions that the journal was created with.
    pub partitions: u32,
    /// Which views.
    pub which: Which,
}

/// Which views are built again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// None: those are watched that are being built anyway.
    Watch,
    /// That of one partition.
    One(u32),
    /// Those of all from this one on, one after the other.
    From(u32),
}

impl Command {
    /// Does it, and tells each step as a line.
    ///
    /// # Errors
    /// A partition that is not there, a store of another journal, services that do not answer, a
    /// folder that is not there or is in use.
    pub async fn run(self, say: impl FnMut(&str)) -> Result<()> {
        let last = self.partitions.saturating_sub(1);
        if let Which::One(n) | Which::From(n) = self.which
            && n > last
        {
            bail!("there is no partition {n}; the last one is {last}");
        }
        match &self.storage {
            Storage::Shared(shared) => self.beside_nodes(shared, say).await,
            Storage::Folder(folder) => self.in_folder(folder, say).await,
            Storage::Ephemeral => bail!("what is kept in memory is built again by a restart"),
        }
    }

    /// The partitions to be built again, in order.
    fn asked(&self) -> Vec<Partition> {
        let numbers = match self.which {
            Which::Watch => 0..0,
            Which::One(n) => n..n.saturating_add(1),
            Which::From(n) => n..self.partitions,
        };
        numbers.map(Partition).collect()
    }

    /// No server has the folder: the next one builds what is not built.
    async fn in_folder(&self, folder: &Path, mut say: impl FnMut(&str)) -> Result<()> {
        let shown = folder.display();
        if !folder.join("format.json").is_file() {
            bail!("there is no data folder at `{shown}`; expected --data FOLDER of a server");
        }
        let options = Options::new(folder).with_partitions(self.partitions);
        let opened = Embedded::open(options, Arc::new(SystemClock)).await;
        let opened = opened.with_context(|| {
            format!("can't open `{shown}`; a server that has it must be stopped first")
        })?;
        let done = self.empty_all(&opened.ports(), &mut say).await;
        opened.close().await?;
        done
    }

    async fn empty_all(&self, ports: &Ports, say: &mut impl FnMut(&str)) -> Result<()> {
        for partition in self.asked() {
            engine::build_anew(ports, partition).await?;
        }
        let lags = engine::lag(ports, WITHIN).await?;
        let left: Vec<_> = lags.iter().filter(|lag| !lag.is_built).collect();
        for lag in &left {
            let partition = lag.partition;
            say(&format!(
                "partition {partition}: is built when the server starts"
            ));
        }
        if left.is_empty() {
            say("every view is built");
        }
        Ok(())
    }

    /// The configuration refuses it before.
    #[cfg(not(all(feature = "kafka", feature = "keydb")))]
    #[allow(clippy::unused_async, reason = "as the one that has a Kafka")]
    async fn beside_nodes(&self, _: &crate::config::Shared, _: impl FnMut(&str)) -> Result<()> {
        bail!("this build has no Kafka and no KeyDB")
    }
}
