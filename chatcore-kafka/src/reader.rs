//! Reading without a group. The client blocks, so a few readers are kept, each used by one thread
//! at a time.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use chatcore::{
    clock::Timestamp,
    error::{Error, ErrorKind, Result},
    ids::{Incarnation, Offset, Partition},
    journal::Record,
};
use rdkafka::{
    ClientConfig, Offset as At, TopicPartitionList,
    config::FromClientConfigAndContext as _,
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode as Code},
    message::{BorrowedMessage, Headers as _, Message as _},
};
use tokio::{sync::Semaphore, time::Instant};

use crate::{
    aside::aside,
    error::{ended, from_kafka},
    producer::INCARNATION,
    quiet::Quiet,
};

/// Readers at once.
const READERS_MAX: usize = 8;
/// Past this without anything new, the brokers are away.
const STALLED: Duration = Duration::from_secs(10);
/// Longest wait for where a partition begins and ends: whoever asks has something else to do.
const ASK_MAX: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(200);
/// Past this nobody goes on where a reader stands: it fetches no more.
const STANDS: Duration = Duration::from_secs(2);

/// A message with a key, as tables have them.
pub(crate) struct Keyed {
    pub(crate) offset: u64,
    pub(crate) key: String,
    pub(crate) value: Option<Bytes>,
}

/// A few readers for all topics.
pub(crate) struct Readers {
    config: ClientConfig,
    idle: Mutex<Vec<Reader>>,
    permits: Semaphore,
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readers").finish_non_exhaustive()
    }
}

/// Topic, partition, offset.
type Standing = (String, i32, i64);

/// A client, and where it stands. As long as it stands somewhere it fetches what comes there.
struct Reader {
    client: BaseConsumer<Quiet>,
    at: Option<Standing>,
    since: Instant,
}

impl Readers {
    pub(crate) fn new(config: ClientConfig) -> Arc<Self> {
        Arc::new(Self {
            config,
            idle: Mutex::default(),
            permits: Semaphore::new(READERS_MAX),
        })
    }

    /// Does it with a reader, best with the one that stands where it is to go on.
    async fn with<T: Send + 'static>(
        self: &Arc<Self>,
        stands: Option<Standing>,
        operation: &'static str,
        act: impl FnOnce(&mut Reader) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let _permit = self.permits.acquire().await.map_err(|_| ended(operation))?;
        let this = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || {
            let mut reader = match this.take(stands.as_ref()) {
                Some(reader) => reader,
                None => Reader::new(&this.config)?,
            };
            let done = act(&mut reader);
            if done.is_err() {
                // It is not known where it stands.
                reader.at = None;
                reader.unassign();
            }
            this.lock().push(reader);
            done
        });
        done.await.map_err(|_| ended(operation))?
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Reader>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, stands: Option<&Standing>) -> Option<Reader> {
        let mut idle = self.lock();
        for reader in idle.iter_mut().filter(|r| r.since.elapsed() > STANDS) {
            reader.rest();
        }
        let fits = idle.iter().position(|r| r.at.as_ref() == stands);
        match fits {
            Some(found) if stands.is_some() => Some(idle.swap_remove(found)),
            _ => idle.pop(),
        }
    }

    /// At most `limit` records from `from` on; fewer at the end, as of now.
    ///
    /// # Errors
    /// `NotFound` when they were trimmed away; `Unavailable`, `Corrupt`.
    pub(crate) async fn records(
        self: &Arc<Self>,
        topic: String,
        partition: Partition,
        from: Offset,
        limit: usize,
    ) -> Result<Vec<Record>> {
        const READ: &str = "read the journal";
        let (partition, from) = (number(partition, READ)?, offset(from, READ)?);
        let stands = (topic.clone(), partition, from);
        self.with(Some(stands), READ, move |reader| {
            let mut records = Vec::new();
            if limit == 0 {
                return Ok(records);
            }
            let ended = reader.scan(&topic, partition, from, |message| {
                records.push(record(message));
                records.len() < limit
            });
            if limit == 1 {
                // Nobody pages by one: it was a look at one record.
                reader.rest();
            }
            match ended {
                Ok(()) => Ok(records),
                // Past the end there is nothing; before the start it is gone.
                Err(KafkaError::MessageConsumption(Code::AutoOffsetReset)) => {
                    let (first, next) = reader.bounds(&topic, partition)?;
                    match from < first {
                        true => Err(Error::new(ErrorKind::NotFound, READ)
                            .with_context("topic", topic)
                            .with_context("offset", from)
                            .with_context("first kept", first)),
                        false if from >= next => Ok(Vec::new()),
                        false => Err(Error::new(ErrorKind::Unavailable, READ)),
                    }
                }
                Err(error) => Err(from_kafka(error, READ).with_context("topic", topic)),
            }
        })
        .await
    }

    /// Which journal the record at this offset names, if it names one.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(crate) async fn incarnation(
        self: &Arc<Self>,
        topic: String,
        partition: Partition,
        at: Offset,
    ) -> Result<Option<Incarnation>> {
        const READ: &str = "read whose a topic is";
        let (partition, from) = (number(partition, READ)?, offset(at, READ)?);
        self.with(None, READ, move |reader| {
            let mut named = None;
            let scanned = reader.scan(&topic, partition, from, |message| {
                named = incarnation(message);
                false
            });
            scanned.map_err(|error| from_kafka(error, READ).with_context("topic", topic))?;
            reader.rest();
            Ok(named)
        })
        .await
    }

    /// All that is kept of a partition of a table, in order, from `from` on or from the start.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub(crate) async fn keyed(
        self: &Arc<Self>,
        topic: String,
        partition: Partition,
        mut each: impl FnMut(Keyed) + Send + 'static,
    ) -> Result<()> {
        const READ: &str = "read a table";
        let partition = number(partition, READ)?;
        self.with(None, READ, move |reader| {
            let (first, _) = reader.bounds(&topic, partition)?;
            let scanned = reader.scan(&topic, partition, first, |message| {
                if let Some(keyed) = keyed(message) {
                    each(keyed);
                }
                true
            });
            scanned.map_err(|error| from_kafka(error, READ).with_context("topic", topic))
        })
        .await
    }

    /// The first offset that is kept, and the next one.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(crate) async fn bounds(
        self: &Arc<Self>,
        topic: String,
        partition: Partition,
    ) -> Result<(Offset, Offset)> {
        const ASK: &str = "ask for the bounds of a partition";
        let partition = number(partition, ASK)?;
        let bounds = self.with(None, ASK, move |reader| reader.bounds(&topic, partition));
        let (first, next) = bounds.await?;
        let offset = |at: i64| Offset(u64::try_from(at).unwrap_or(0));
        Ok((offset(first), offset(next)))
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        let readers = std::mem::take(&mut *self.lock());
        aside("kafka-readers", move || drop(readers));
    }
}

impl Reader {
    fn new(config: &ClientConfig) -> Result<Self> {
        let client = BaseConsumer::from_config_and_context(config, Quiet);
        Ok(Self {
            client: client.map_err(|error| from_kafka(error, "make a reader"))?,
            at: None,
            since: Instant::now(),
        })
    }

    /// Stands nowhere from now on.
    fn rest(&mut self) {
        if self.at.take().is_some() {
            self.unassign();
        }
    }

    fn unassign(&self) {
        if let Err(error) = self.client.unassign() {
            // It fetches for nobody until it is used again.
            tracing::warn!(%error, "a reader goes on fetching");
        }
    }

    fn bounds(&self, topic: &str, partition: i32) -> Result<(i64, i64)> {
        let bounds = self.client.fetch_watermarks(topic, partition, ASK_MAX);
        bounds.map_err(|error| {
            from_kafka(error, "ask for the bounds of a partition").with_context("topic", topic)
        })
    }

    /// Hands on what there is from `from` to the end, or until `each` says that it is enough.
    fn scan(
        &mut self,
        topic: &str,
        partition: i32,
        from: i64,
        mut each: impl FnMut(&BorrowedMessage<'_>) -> bool,
    ) -> Result<(), KafkaError> {
        let mut goes_on = self
            .at
            .take()
            .is_some_and(|(t, p, at)| t == topic && p == partition && at == from);
        if !goes_on {
            self.assign(topic, partition, from)?;
        }
        let mut heard = Instant::now();
        let mut next = from;
        loop {
            match self.client.poll(POLL) {
                Some(Ok(message)) => {
                    heard = Instant::now();
                    next = message.offset() + 1;
                    if !each(&message) {
                        self.at = Some((topic.to_owned(), partition, next));
                        self.since = Instant::now();
                        return Ok(());
                    }
                }
                // Told before this scan began, maybe: the end is somewhere else by now.
                Some(Err(KafkaError::PartitionEOF(_))) if goes_on => {
                    goes_on = false;
                    self.assign(topic, partition, next)?;
                }
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    self.unassign();
                    return Ok(());
                }
                Some(Err(error)) if is_passing(&error) => {}
                Some(Err(error)) => return Err(error),
                None => {}
            }
            if heard.elapsed() > STALLED {
                return Err(KafkaError::MessageConsumption(Code::OperationTimedOut));
            }
        }
    }
}

impl Reader {
    fn assign(&self, topic: &str, partition: i32, from: i64) -> Result<(), KafkaError> {
        let mut places = TopicPartitionList::with_capacity(1);
        places.add_partition_offset(topic, partition, At::Offset(from))?;
        self.client.assign(&places)
    }
}

/// Connections come and go by themselves.
pub(crate) fn is_passing(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::BrokerTransportFailure
                | Code::AllBrokersDown
                | Code::Resolve
                | Code::OperationTimedOut
                | Code::NotLeaderForPartition
                | Code::LeaderNotAvailable
                | Code::NotCoordinator
                | Code::CoordinatorNotAvailable
                | Code::CoordinatorLoadInProgress
        )
    )
}

pub(crate) fn record(message: &BorrowedMessage<'_>) -> Record {
    Record {
        offset: Offset(u64::try_from(message.offset()).unwrap_or(0)),
        at: Timestamp(message.timestamp().to_millis().unwrap_or(0)),
        bytes: message
            .payload()
            .map(Bytes::copy_from_slice)
            .unwrap_or_default(),
    }
}

/// Which journal a record names; none for what we did not write.
pub(crate) fn incarnation(message: &BorrowedMessage<'_>) -> Option<Incarnation> {
    let headers = message.headers()?;
    let named = headers.iter().find(|header| header.key == INCARNATION)?;
    let named = named.value?.try_into().ok()?;
    Some(Incarnation(u64::from_be_bytes(named)))
}

/// None for what no table of ours wrote: it has no key, or one that is not text.
pub(crate) fn keyed(message: &BorrowedMessage<'_>) -> Option<Keyed> {
    let key = std::str::from_utf8(message.key()?).ok()?;
    Some(Keyed {
        offset: u64::try_from(message.offset()).ok()?,
        key: key.to_owned(),
        value: message.payload().map(Bytes::copy_from_slice),
    })
}

fn number(partition: Partition, operation: &'static str) -> Result<i32> {
    i32::try_from(partition.0).map_err(|_| {
        Error::new(ErrorKind::NotFound, operation).with_context("partition", partition)
    })
}

fn offset(at: Offset, operation: &'static str) -> Result<i64> {
    i64::try_from(at.0)
        .map_err(|_| Error::new(ErrorKind::NotFound, operation).with_context("offset", at))
}
