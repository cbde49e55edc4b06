//! Beside the nodes that run: they build, this asks and watches.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::Result;
use chatcore::{
    clock::SystemClock,
    engine::{self, Anew, Lag},
    ids::Partition,
    memory,
    ports::Ports,
};
use chatcore_kafka::Kafka;
use chatcore_keydb::KeyDb;
use tokio::time::Instant;

use super::{Command, WITHIN, Which, progress::Progress};
use crate::{app::shared, config::Shared};

/// Between two looks.
const EVERY: Duration = Duration::from_millis(500);

impl Command {
    /// Has what is asked for built, and watches.
    pub(super) async fn beside_nodes(
        &self,
        services: &Shared,
        mut say: impl FnMut(&str),
    ) -> Result<()> {
        let mut config = shared::kafka(services, self.partitions);
        // A wrong prefix must not make a journal.
        config.create_topics = false;
        let kafka = Kafka::open(config).await?;
        let memory = memory::ports(self.partitions, Arc::new(SystemClock));
        let config = shared::keydb(services, self.partitions)?;
        let keydb = KeyDb::connect(config, memory.archive.clone()).await?;
        let ports = Ports {
            journal: kafka.journal(),
            partitions: keydb.clone(),
            ..memory
        };
        let done = self.build_all(&ports, &mut say).await;
        kafka.close(Duration::ZERO).await;
        keydb.shutdown().await;
        done
    }

    async fn build_all(&self, ports: &Ports, say: &mut impl FnMut(&str)) -> Result<()> {
        if self.which == Which::Watch {
            return watch(ports, None, say).await;
        }
        for partition in self.asked() {
            match engine::build_anew(ports, partition).await? {
                Anew::Begun => say(&format!("partition {partition}: its view is empty now")),
                Anew::UnderWay => say(&format!("partition {partition}: is being built already")),
            }
            if let Which::From(_) = self.which {
                let on = format!("ended early, `rebuild --all --from {partition}` goes on");
                say(&format!("partition {partition}: {on}"));
            }
            watch(ports, Some(partition), say).await?;
        }
        Ok(())
    }
}

/// Tells how far one partition is, or all that are not built, until they are.
async fn watch(ports: &Ports, only: Option<Partition>, say: &mut impl FnMut(&str)) -> Result<()> {
    let mut building: BTreeMap<Partition, Progress> = BTreeMap::new();
    loop {
        let now = Instant::now();
        match engine::lag(ports, WITHIN).await {
            Ok(lags) if is_whole(&lags, ports, only) => {
                let mut is_built = true;
                for lag in lags
                    .iter()
                    .filter(|l| only.is_none_or(|p| p == l.partition))
                {
                    is_built &= lag.is_built;
                    // Of those that nobody asked for only what is built meanwhile is told.
                    if only.is_none() && lag.is_built && !building.contains_key(&lag.partition) {
                        continue;
                    }
                    let progress = building.entry(lag.partition);
                    let progress = progress.or_insert_with(|| Progress::new(lag, now));
                    if let Some(line) = progress.line(lag, now) {
                        say(&line);
                    }
                }
                if is_built {
                    if building.is_empty() {
                        say("every view is built");
                    }
                    return Ok(());
                }
            }
            Ok(_) => say("the journal does not tell how far all partitions are; asking again"),
            Err(error) => say(&format!("{error}; asking again")),
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Whether all that is asked about was told.
fn is_whole(lags: &[Lag], ports: &Ports, only: Option<Partition>) -> bool {
    match only {
        Some(partition) => lags.iter().any(|lag| lag.partition == partition),
        None => u32::try_from(lags.len()) == Ok(ports.journal.partitions()),
    }
}
