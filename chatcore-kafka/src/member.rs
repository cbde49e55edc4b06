//! A member of a consumer group.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicUsize},
    time::Duration,
};

use async_trait::async_trait;
use chatcore::{
    error::{Error, ErrorKind, Result},
    ids::{Incarnation, Offset, Partition},
    journal::{Consumer, Delivery, Record},
};
use futures_util::FutureExt as _;
use rdkafka::{
    ClientConfig, ClientContext, Offset as At, TopicPartitionList,
    config::{FromClientConfigAndContext as _, RDKafkaLogLevel},
    consumer::{BaseConsumer, Consumer as _, ConsumerContext, StreamConsumer},
    error::KafkaError,
    message::{BorrowedMessage, Message as _},
    types::RDKafkaRespErr,
};
use tokio::{
    sync::{Notify, oneshot},
    task::JoinHandle,
};

use crate::{
    aside::aside,
    error::{ended, from_kafka},
    figures::Counted,
    quiet,
    reader::{incarnation, is_passing, record},
};

const READ: &str = "read the journal as a member of a group";
/// Messages taken at a time before they are handed on.
const AT_ONCE: usize = 1024;
/// Longest wait for the brokers' answer about a position.
const LOOK_UP: Duration = Duration::from_secs(10);
/// Longest wait for the goodbye.
const GOODBYE: Duration = Duration::from_secs(10);

/// What the group decided.
#[derive(Debug)]
enum Change {
    Assign(Vec<Partition>),
    Revoke(Vec<Partition>),
    Failed(String),
}

/// Told by the client when the group shares the partitions anew.
struct Rebalances {
    changes: Mutex<VecDeque<Change>>,
    changed: Notify,
}

impl Rebalances {
    fn push(&self, change: Change) {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        changes.push_back(change);
        drop(changes);
        self.changed.notify_one();
    }

    fn pop(&self) -> Option<Change> {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        changes.pop_front()
    }
}

impl ClientContext for Rebalances {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        quiet::log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        quiet::note(&error, reason);
    }
}

impl ConsumerContext for Rebalances {
    /// What is assigned is taken over later, where it is known from which offset on: a position that
    /// was never written must not become the end by itself. What is revoked goes at once: whoever
    /// works with it can't commit it any more, and its save is refused once the next owner saves.
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        error: RDKafkaRespErr,
        places: &mut TopicPartitionList,
    ) {
        match error {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                let partitions = partitions(places);
                // The group waits for an answer, be it that there is nothing to take.
                if partitions.is_empty()
                    && let Err(error) = consumer.incremental_assign(places)
                {
                    tracing::warn!(%error, "the group was not answered");
                }
                self.push(Change::Assign(partitions));
            }
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => {
                if let Err(error) = consumer.incremental_unassign(places) {
                    tracing::warn!(%error, "partitions could not be given up");
                }
                self.push(Change::Revoke(partitions(places)));
            }
            other => self.push(Change::Failed(format!("{other:?}"))),
        }
    }

    fn commit_callback(&self, result: Result<(), KafkaError>, _: &TopicPartitionList) {
        if let Err(error) = result {
            tracing::debug!(%error, "positions were not written");
        }
    }
}

fn partitions(places: &TopicPartitionList) -> Vec<Partition> {
    let places = places.elements();
    let numbers = places
        .iter()
        .filter_map(|p| u32::try_from(p.partition()).ok());
    numbers.map(Partition).collect()
}

type Client = StreamConsumer<Rebalances>;
/// Of each partition: where the group stands, and where to begin.
type Positions = Vec<(Partition, i64)>;

/// A partition that this member has.
#[derive(Debug)]
struct Held {
    /// The offset of the record that is to come.
    next: Offset,
    is_paused: bool,
    _counted: Counted,
    /// What came and was not handed on.
    records: Vec<Record>,
}

/// A member of a group.
pub(crate) struct Member {
    client: Option<Arc<Client>>,
    topic: String,
    incarnation: Incarnation,
    held: BTreeMap<Partition, Held>,
    /// Given to this member, and not taken over yet.
    coming: BTreeSet<Partition>,
    /// Asks where those begin.
    asking: Option<JoinHandle<Result<Positions>>>,
    told: VecDeque<Delivery>,
    assigned: Arc<AtomicUsize>,
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member")
            .field("topic", &self.topic)
            .field("held", &self.held.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl Member {
    /// # Errors
    /// `Invalid` for a property that is wrong; `Unavailable`.
    pub(crate) fn join(
        config: &ClientConfig,
        topic: String,
        incarnation: Incarnation,
        assigned: Arc<AtomicUsize>,
    ) -> Result<Self> {
        let rebalances = Rebalances {
            changes: Mutex::default(),
            changed: Notify::new(),
        };
        let client = Client::from_config_and_context(config, rebalances)
            .map_err(|error| from_kafka(error, "join a group of the journal"))?;
        let joined = client.subscribe(&[&topic]);
        joined.map_err(|error| from_kafka(error, "join a group of the journal"))?;
        Ok(Self {
            client: Some(Arc::new(client)),
            topic,
            incarnation,
            held: BTreeMap::new(),
            coming: BTreeSet::new(),
            asking: None,
            told: VecDeque::new(),
            assigned,
        })
    }

    fn client(&self) -> Result<Arc<Client>> {
        self.client.clone().ok_or_else(|| ended(READ))
    }

    fn place(&self, partition: Partition, at: At) -> Result<TopicPartitionList> {
        let number = i32::try_from(partition.0).map_err(|_| not_held(partition))?;
        let mut places = TopicPartitionList::with_capacity(1);
        places
            .add_partition_offset(&self.topic, number, at)
            .map_err(|error| from_kafka(error, READ))?;
        Ok(places)
    }

    fn take_told(&mut self) -> Option<Delivery> {
        if let Some(told) = self.told.pop_front() {
            return Some(told);
        }
        let (partition, held) = self
            .held
            .iter_mut()
            .find(|(_, held)| !held.is_paused && !held.records.is_empty())?;
        Some(Delivery::Records {
            partition: *partition,
            records: std::mem::take(&mut held.records),
        })
    }

    /// Takes in what the group decided.
    fn take_changes(&mut self, client: &Client) -> Result<()> {
        while let Some(change) = client.context().pop() {
            match change {
                Change::Assign(partitions) => self.coming.extend(partitions),
                Change::Revoke(partitions) => {
                    for partition in partitions {
                        self.coming.remove(&partition);
                        if self.held.remove(&partition).is_some() {
                            self.told.push_back(Delivery::Revoked { partition });
                        }
                    }
                }
                Change::Failed(cause) => {
                    return Err(
                        Error::new(ErrorKind::Unavailable, READ).with_context("cause", cause)
                    );
                }
            }
        }
        Ok(())
    }

    /// Asks where partitions begin that are coming, and takes them over.
    async fn take_over(&mut self, client: &Arc<Client>) -> Result<()> {
        if self.asking.is_none() {
            let (client, topic) = (Arc::clone(client), self.topic.clone());
            let coming: Vec<_> = self.coming.iter().copied().collect();
            self.asking = Some(tokio::task::spawn_blocking(move || {
                positions(&client, &topic, &coming)
            }));
        }
        let Some(asking) = self.asking.as_mut() else {
            return Ok(());
        };
        let answered = asking.await;
        self.asking = None;
        let mut places = TopicPartitionList::new();
        let mut positions = answered.map_err(|_| ended(READ))??;
        // Revoked meanwhile, maybe.
        positions.retain(|(partition, _)| self.coming.contains(partition));
        for (partition, committed) in &positions {
            let number = i32::try_from(partition.0).map_err(|_| not_held(*partition))?;
            places
                .add_partition_offset(&self.topic, number, At::Offset(*committed))
                .map_err(|error| from_kafka(error, READ))?;
        }
        client
            .incremental_assign(&places)
            .map_err(|error| from_kafka(error, READ))?;
        for (partition, committed) in positions {
            self.coming.remove(&partition);
            let next = Offset(u64::try_from(committed).unwrap_or(0));
            let held = Held {
                next,
                is_paused: false,
                _counted: Counted::new(&self.assigned),
                records: Vec::new(),
            };
            self.held.insert(partition, held);
            self.told.push_back(Delivery::Assigned {
                partition,
                committed: next,
            });
        }
        Ok(())
    }

    fn take_in(&mut self, message: Result<BorrowedMessage<'_>, KafkaError>) -> Result<()> {
        let message = match message {
            Ok(message) => message,
            Err(error) if is_passing(&error) => return Ok(()),
            Err(error) => return Err(from_kafka(error, READ).with_context("topic", &self.topic)),
        };
        let partition = Partition(u32::try_from(message.partition()).unwrap_or(u32::MAX));
        let Some(held) = self.held.get_mut(&partition) else {
            // On its way while the partition went.
            return Ok(());
        };
        let record = record(&message);
        // Fetched before a seek, a pause or a hand-over.
        if record.offset < held.next {
            return Ok(());
        }
        if record.offset > held.next {
            return Err(Error::new(ErrorKind::Corrupt, READ)
                .with_context("topic", &self.topic)
                .with_context("partition", partition)
                .with_context("missing from", held.next)
                .with_context("to before", record.offset));
        }
        check_incarnation(&message, self.incarnation)?;
        held.next = record.offset.next();
        held.records.push(record);
        Ok(())
    }
}

/// Where the group stands; where it never stood, the start.
fn positions(client: &Client, topic: &str, coming: &[Partition]) -> Result<Positions> {
    let error = |error| from_kafka(error, "ask where a group stands");
    let mut places = TopicPartitionList::with_capacity(coming.len());
    for partition in coming {
        let number = i32::try_from(partition.0).map_err(|_| not_held(*partition))?;
        places.add_partition(topic, number);
    }
    let committed = client.committed_offsets(places, LOOK_UP).map_err(error)?;
    let mut positions = Vec::with_capacity(coming.len());
    for place in committed.elements() {
        let partition = Partition(u32::try_from(place.partition()).unwrap_or(u32::MAX));
        place.error().map_err(error)?;
        let at = match place.offset() {
            At::Offset(at) => at,
            _ => {
                let bounds = client.fetch_watermarks(topic, place.partition(), LOOK_UP);
                bounds.map_err(error)?.0
            }
        };
        positions.push((partition, at));
    }
    Ok(positions)
}

/// # Errors
/// `Invalid` when a record names another incarnation: the topic was made anew under our feet.
fn check_incarnation(message: &BorrowedMessage<'_>, ours: Incarnation) -> Result<()> {
    match incarnation(message) {
        Some(other) if other != ours => Err(Error::new(ErrorKind::Invalid, READ)
            .with_context("topic", message.topic())
            .with_context("partition", message.partition())
            .with_context("offset", message.offset())
            .with_context("cause", "the record is of another journal")),
        _ => Ok(()),
    }
}

fn not_held(partition: Partition) -> Error {
    Error::new(ErrorKind::Conflict, READ)
        .with_context("partition", partition)
        .with_context("cause", "it is not this member's")
}

#[async_trait]
impl Consumer for Member {
    async fn next(&mut self) -> Result<Delivery> {
        loop {
            let client = self.client()?;
            self.take_changes(&client)?;
            if let Some(told) = self.take_told() {
                return Ok(told);
            }
            if !self.coming.is_empty() {
                self.take_over(&client).await?;
                continue;
            }
            tokio::select! {
                biased;
                () = client.context().changed.notified() => {}
                message = client.recv() => {
                    self.take_in(message)?;
                    for _ in 0..AT_ONCE {
                        match client.recv().now_or_never() {
                            Some(message) => self.take_in(message)?,
                            None => break,
                        }
                    }
                }
            }
        }
    }

    async fn commit(&mut self, partition: Partition, next: Offset) -> Result<()> {
        let client = self.client()?;
        self.take_changes(&client)?;
        if !self.held.contains_key(&partition) {
            return Err(not_held(partition));
        }
        let at = i64::try_from(next.0).map_err(|_| not_held(partition))?;
        // Noted here, and written with the next of the client's own writes.
        let noted = client.store_offsets(&self.place(partition, At::Offset(at))?);
        noted.map_err(|error| from_kafka(error, "commit").with_context("partition", partition))
    }

    async fn seek(&mut self, partition: Partition, offset: Offset) -> Result<()> {
        const SEEK: &str = "seek";
        let client = self.client()?;
        self.take_changes(&client)?;
        let Some(is_paused) = self.held.get(&partition).map(|held| held.is_paused) else {
            return Err(not_held(partition));
        };
        let at = i64::try_from(offset.0).map_err(|_| not_held(partition))?;
        let place = self.place(partition, At::Offset(at))?;
        let (asked, topic) = (Arc::clone(&client), self.topic.clone());
        let number = i32::try_from(partition.0).map_err(|_| not_held(partition))?;
        let bounds =
            tokio::task::spawn_blocking(move || asked.fetch_watermarks(&topic, number, LOOK_UP));
        let (first, _) = bounds
            .await
            .map_err(|_| ended(SEEK))?
            .map_err(|error| from_kafka(error, SEEK))?;
        if at < first {
            return Err(Error::new(ErrorKind::NotFound, SEEK)
                .with_context("partition", partition)
                .with_context("offset", offset)
                .with_context("first kept", first));
        }
        // Given back and taken again: nothing that was fetched before comes after it.
        let moved = client
            .incremental_unassign(&place)
            .and_then(|()| client.incremental_assign(&place));
        moved.map_err(|error| from_kafka(error, SEEK))?;
        if is_paused {
            self.pause(partition);
        }
        if let Some(held) = self.held.get_mut(&partition) {
            held.next = offset;
            held.records.clear();
        }
        Ok(())
    }

    fn pause(&mut self, partition: Partition) {
        self.set_paused(partition, true);
    }

    fn resume(&mut self, partition: Partition) {
        self.set_paused(partition, false);
    }

    async fn leave(mut self: Box<Self>) -> Result<()> {
        let Some(client) = self.client.take() else {
            return Ok(());
        };
        const LEAVE: &str = "leave a group of the journal";
        // Not a task that blocks: the runtime would wait for one that never ends.
        let (left, goodbye) = oneshot::channel();
        aside("kafka-member", move || {
            client.unsubscribe();
            drop(client);
            // Nobody waits for it any more, maybe.
            let _ = left.send(());
        });
        match tokio::time::timeout(GOODBYE, goodbye).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Error::new(ErrorKind::Unavailable, LEAVE)),
        }
    }
}

impl Member {
    fn set_paused(&mut self, partition: Partition, is_paused: bool) {
        let Some(held) = self.held.get_mut(&partition) else {
            return;
        };
        held.is_paused = is_paused;
        let (Some(client), Ok(place)) = (&self.client, self.place(partition, At::Invalid)) else {
            return;
        };
        let done = match is_paused {
            true => client.pause(&place),
            false => client.resume(&place),
        };
        if let Err(error) = done {
            // Nothing is handed on all the same; only fetched.
            tracing::warn!(%error, %partition, "fetching was not paused or resumed");
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // It waits for the brokers: not on a thread that drives tasks.
        if let Some(client) = self.client.take() {
            aside("kafka-member", move || drop(client));
        }
    }
}
