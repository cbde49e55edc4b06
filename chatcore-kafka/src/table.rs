//! A compacted topic of one partition, followed whole: every node has the same values in memory.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use bytes::Bytes;
use chatcore::{
    error::{Error, ErrorKind, Result},
    ids::{Incarnation, Partition},
};
use rdkafka::{
    ClientConfig, Offset as At, TopicPartitionList,
    config::FromClientConfigAndContext as _,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
    message::Message as _,
};
use tokio::sync::Notify;

use crate::{
    error::from_kafka,
    producer::{Place, Producer},
    quiet::Quiet,
    reader::{Keyed, Readers, keyed},
};

const POLL: Duration = Duration::from_millis(200);
/// After an error that does not pass by itself.
const AGAIN: Duration = Duration::from_secs(1);
/// Past this without news, the end is looked for by another reader.
const NO_NEWS: Duration = Duration::from_secs(1);
const PARTITION: Partition = Partition(0);

/// A key's newest value, and the offset of the record that set it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) offset: u64,
    /// None when it was removed.
    pub(crate) bytes: Option<Bytes>,
}

#[derive(Debug, Default)]
struct State {
    values: BTreeMap<String, Value>,
    /// Everything below has been taken in.
    next: u64,
    /// The offset after the last record that set or removed a value.
    changed: u64,
}

impl State {
    fn take(&mut self, Keyed { offset, key, value }: Keyed) {
        if offset < self.next {
            return;
        }
        self.next = offset + 1;
        self.changed = self.next;
        let bytes = value;
        self.values.insert(key, Value { offset, bytes });
    }
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    grown: Notify,
    is_closed: AtomicBool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A table that is followed. Dropped, its thread ends.
pub(crate) struct Table {
    topic: String,
    producer: Arc<Producer>,
    readers: Arc<Readers>,
    shared: Arc<Shared>,
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("topic", &self.topic)
            .field("next", &self.shared.state().next)
            .finish_non_exhaustive()
    }
}

impl Table {
    /// Follows the topic from its start.
    ///
    /// # Errors
    /// `Invalid` for a property that is wrong.
    pub(crate) fn follow(
        config: &ClientConfig,
        topic: String,
        producer: Arc<Producer>,
        readers: Arc<Readers>,
    ) -> Result<Self> {
        const FOLLOW: &str = "follow a table";
        let client = BaseConsumer::from_config_and_context(config, Quiet)
            .map_err(|error| from_kafka(error, FOLLOW))?;
        let shared = Arc::new(Shared::default());
        let (followed, into) = (topic.clone(), Arc::clone(&shared));
        let following = thread::Builder::new().name("kafka-table".to_owned());
        following
            .spawn(move || follow(&client, &followed, &into))
            .map_err(|error| Error::new(ErrorKind::Storage, FOLLOW).with_source(error))?;
        Ok(Self {
            topic,
            producer,
            readers,
            shared,
        })
    }

    /// Waits until everything that is there now has been taken in.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(crate) async fn catch_up(&self) -> Result<()> {
        let bounds = self.readers.bounds(self.topic.clone(), PARTITION);
        let (_, end) = bounds.await?;
        self.reach(end.0).await
    }

    async fn reach(&self, end: u64) -> Result<()> {
        loop {
            let mut grown = std::pin::pin!(self.shared.grown.notified());
            grown.as_mut().enable();
            let next = self.shared.state().next;
            if next >= end {
                return Ok(());
            }
            if tokio::time::timeout(NO_NEWS, grown).await.is_ok() {
                continue;
            }
            // The last records may have been compacted away: then nothing comes any more.
            let into = Arc::clone(&self.shared);
            let all = self
                .readers
                .keyed(self.topic.clone(), PARTITION, move |keyed| {
                    into.state().take(keyed);
                });
            all.await?;
            let mut state = self.shared.state();
            state.next = state.next.max(end);
            drop(state);
            self.shared.grown.notify_waiters();
        }
    }

    /// Sets or removes a value; answers the offset of its record once it is taken in here.
    ///
    /// # Errors
    /// `Unavailable`, `Closed`.
    pub(crate) async fn put(
        &self,
        incarnation: Incarnation,
        key: &str,
        value: Option<&Bytes>,
    ) -> Result<u64> {
        let place = Place {
            topic: &self.topic,
            partition: PARTITION,
            key: Some(key),
        };
        let receipt = self.producer.put(&place, incarnation, value).await?;
        self.reach(receipt.offset.0 + 1).await?;
        Ok(receipt.offset.0)
    }

    /// What is known of a key.
    pub(crate) fn get(&self, key: &str) -> Option<Value> {
        self.shared.state().values.get(key).cloned()
    }

    /// All keys and values, and up to which offset they are told.
    pub(crate) fn all(&self) -> (u64, Vec<(String, Value)>) {
        let state = self.shared.state();
        let values = state.values.iter().map(|(k, v)| (k.clone(), v.clone()));
        (state.next, values.collect())
    }

    /// The offset after the last change that was taken in.
    pub(crate) fn changed(&self) -> u64 {
        self.shared.state().changed
    }

    /// Waits until something at or above this offset was taken in.
    pub(crate) async fn grown_past(&self, next: u64) {
        loop {
            let mut grown = std::pin::pin!(self.shared.grown.notified());
            grown.as_mut().enable();
            if self.shared.state().next > next {
                return;
            }
            grown.await;
        }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        self.shared.is_closed.store(true, Ordering::Release);
    }
}

/// Takes in what comes, until nobody needs it. Blocks.
fn follow(client: &BaseConsumer<Quiet>, topic: &str, shared: &Shared) {
    let assign = || {
        let next = shared.state().next;
        let at = match i64::try_from(next) {
            Ok(next) if next > 0 => At::Offset(next),
            _ => At::Beginning,
        };
        let mut places = TopicPartitionList::with_capacity(1);
        places
            .add_partition_offset(topic, 0, at)
            .and_then(|()| client.assign(&places))
    };
    let mut assigned = assign();
    while !shared.is_closed.load(Ordering::Acquire) {
        let polled = match &assigned {
            Ok(()) => client.poll(POLL),
            Err(error) => Some(Err(error.clone())),
        };
        match polled {
            Some(Ok(message)) => {
                let mut state = shared.state();
                match keyed(&message) {
                    Some(keyed) => state.take(keyed),
                    // Somebody else's: passed over.
                    None => {
                        let next = u64::try_from(message.offset()).map_or(0, |at| at + 1);
                        state.next = state.next.max(next);
                    }
                }
                drop(state);
                shared.grown.notify_waiters();
            }
            None | Some(Err(KafkaError::PartitionEOF(_))) => {}
            Some(Err(error)) if crate::reader::is_passing(&error) => {}
            Some(Err(error)) => {
                tracing::warn!(%error, topic, "a table can't be followed now");
                thread::sleep(AGAIN);
                assigned = assign();
            }
        }
    }
}
