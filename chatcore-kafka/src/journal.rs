//! The journal.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use chatcore::{
    error::{Error, ErrorKind, Result},
    ids::{Incarnation, Offset, Partition},
    journal::{Consumer, Journal, Log, Pending, Record, Refused},
};
use rdkafka::{
    Offset as At, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
};

use crate::{
    about::{About, topic},
    config::KafkaConfig,
    error::from_kafka,
    figures::Assigned,
    member::Member,
    producer::Place,
    producers::Producers,
    reader::Readers,
};

const TRIM_MAX: Duration = Duration::from_secs(30);

/// [`Journal`] on two topics of Kafka.
pub struct KafkaJournal {
    pub(crate) config: KafkaConfig,
    pub(crate) commands: String,
    pub(crate) events: String,
    pub(crate) about: Arc<About>,
    pub(crate) producers: Producers,
    pub(crate) readers: Arc<Readers>,
    pub(crate) admin: AdminClient<DefaultClientContext>,
    pub(crate) assigned: Assigned,
}

impl fmt::Debug for KafkaJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaJournal")
            .field("commands", &self.commands)
            .field("incarnation", &self.about.incarnation)
            .finish_non_exhaustive()
    }
}

impl KafkaJournal {
    fn topic(&self, log: Log) -> &str {
        match log {
            Log::Commands => &self.commands,
            Log::Events => &self.events,
        }
    }

    fn known(&self, partition: Partition, operation: &'static str) -> Result<()> {
        if partition.0 < self.config.partitions {
            return Ok(());
        }
        Err(Error::new(ErrorKind::NotFound, operation)
            .with_context("partition", partition)
            .with_context("partitions", self.config.partitions))
    }
}

#[async_trait]
impl Journal for KafkaJournal {
    fn partitions(&self) -> u32 {
        self.config.partitions
    }

    fn incarnation(&self) -> Incarnation {
        self.about.incarnation
    }

    fn try_append(
        &self,
        log: Log,
        partition: Partition,
        bytes: Bytes,
    ) -> std::result::Result<Pending, Refused> {
        if let Err(error) = self.known(partition, "append to the journal") {
            return Err(Refused { bytes, error });
        }
        let place = Place {
            topic: self.topic(log),
            partition,
            key: None,
        };
        let producer = self.producers.of(log);
        producer.append(&place, self.about.incarnation, bytes)
    }

    async fn ready(&self, log: Log, partition: Partition) -> Result<()> {
        self.known(partition, "append to the journal")?;
        self.producers.of(log).ready().await
    }

    async fn subscribe(&self, log: Log, group: &str) -> Result<Box<dyn Consumer>> {
        let config = self.config.member(log, group);
        let member = Member::join(
            &config,
            topic(&self.config, log),
            self.about.incarnation,
            self.assigned.of(group),
        )?;
        Ok(Box::new(member))
    }

    async fn read(
        &self,
        log: Log,
        partition: Partition,
        from: Offset,
        limit: usize,
    ) -> Result<Vec<Record>> {
        self.known(partition, "read the journal")?;
        let topic = self.topic(log).to_owned();
        self.readers.records(topic, partition, from, limit).await
    }

    async fn bounds(&self, log: Log, partition: Partition) -> Result<(Offset, Offset)> {
        self.known(partition, "ask for the bounds of a partition")?;
        let topic = self.topic(log).to_owned();
        let bounds = self.readers.bounds(topic, partition).await?;
        if self.about.is_news(log, partition) {
            self.about.note_end(log, partition, bounds.1).await?;
        }
        Ok(bounds)
    }

    async fn trim(&self, log: Log, partition: Partition, before: Offset) -> Result<()> {
        const TRIM: &str = "trim the journal";
        self.known(partition, TRIM)?;
        // Noted first: a trimmed partition is never taken for one that was made anew.
        self.about.note_end(log, partition, before).await?;
        let (Ok(number), Ok(at)) = (i32::try_from(partition.0), i64::try_from(before.0)) else {
            return Err(Error::new(ErrorKind::Invalid, TRIM).with_context("offset", before));
        };
        let mut places = TopicPartitionList::with_capacity(1);
        places
            .add_partition_offset(self.topic(log), number, At::Offset(at))
            .map_err(|error| from_kafka(error, TRIM))?;
        let options = AdminOptions::new().operation_timeout(Some(TRIM_MAX));
        let deleted = self.admin.delete_records(&places, &options).await;
        let deleted = deleted.map_err(|error| from_kafka(error, TRIM))?;
        for place in deleted.elements() {
            place.error().map_err(|error| from_kafka(error, TRIM))?;
        }
        Ok(())
    }
}
