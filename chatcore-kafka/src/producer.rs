//! Appending: one client for all topics, bounded, in order, without holes.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use bytes::Bytes;
use chatcore::{
    clock::Timestamp,
    error::{Error, ErrorKind, Result},
    ids::{Incarnation, Offset, Partition},
    journal::{Pending, Receipt, Refused},
};
use rdkafka::{
    ClientConfig, ClientContext,
    config::{FromClientConfigAndContext as _, RDKafkaLogLevel},
    error::KafkaError,
    message::{Header, Message as _, OwnedHeaders},
    producer::{
        BaseRecord, DeliveryResult, Producer as _, ProducerContext, PurgeConfig, ThreadedProducer,
    },
    util::Timeout,
};
use tokio::sync::{Notify, oneshot};

use crate::{aside::aside, error::from_kafka, figures::Figures, quiet};

const APPEND: &str = "append to the journal";
/// Names the journal's incarnation in each record.
pub(crate) const INCARNATION: &str = "journal";
/// How long a client that is given up may take to tell what became of its records.
const LAST_REPORTS: Duration = Duration::from_secs(5);
/// Between two tries to make a new client.
const ANEW_EVERY: Duration = Duration::from_secs(1);

/// What is told of a record that was sent, and what room it takes.
#[derive(Debug)]
pub(crate) struct Sent {
    settle: oneshot::Sender<Result<Receipt>>,
    partition: Partition,
    bytes: usize,
}

/// What is not durable yet.
#[derive(Debug)]
struct Room {
    records_max: usize,
    bytes_max: usize,
    records: AtomicUsize,
    bytes: AtomicUsize,
    freed: Notify,
}

impl Room {
    fn is_there(&self) -> bool {
        self.records.load(Ordering::Acquire) < self.records_max
            && self.bytes.load(Ordering::Acquire) < self.bytes_max
    }

    /// A single record of any size is taken when nothing else is under way.
    fn take(&self, bytes: usize) -> bool {
        let (done, now) = (Ordering::AcqRel, Ordering::Acquire);
        let one_more = |n: usize| (n < self.records_max).then_some(n + 1);
        let more = |n: usize| (n == 0 || n + bytes <= self.bytes_max).then_some(n + bytes);
        if self.records.fetch_update(done, now, one_more).is_err() {
            return false;
        }
        let fits = self.bytes.fetch_update(done, now, more).is_ok();
        if !fits {
            // Nobody is woken: whoever waits for room would try in vain, or wake itself.
            self.records.fetch_sub(1, done);
        }
        fits
    }

    fn free(&self, bytes: usize) {
        self.records.fetch_sub(1, Ordering::AcqRel);
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
        self.freed.notify_waiters();
    }
}

/// Told by the client what became of its records.
struct Reports {
    room: Arc<Room>,
    /// Nothing more is taken by this client: after a record that failed, none may follow.
    is_broken: AtomicBool,
    /// Makes another client then.
    producer: Weak<Producer>,
}

impl Reports {
    fn give_up(&self) {
        self.is_broken.store(true, Ordering::Release);
        if let Some(producer) = self.producer.upgrade() {
            producer.replace();
        }
    }
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        quiet::log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "the journal's producer");
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<Sent>;

    fn delivery(&self, result: &DeliveryResult<'_>, sent: Box<Sent>) {
        let Sent {
            settle,
            partition,
            bytes,
        } = *sent;
        let told = match result {
            Ok(message) => Ok(Receipt {
                partition,
                offset: Offset(u64::try_from(message.offset()).unwrap_or(0)),
                at: Timestamp(message.timestamp().to_millis().unwrap_or(0)),
            }),
            Err((error, _)) => {
                // Before the failure is told: what is taken from then on comes after it.
                self.give_up();
                Err(from_kafka(error.clone(), APPEND))
            }
        };
        self.room.free(bytes);
        // Nobody waits for it any more: it is durable or not all the same.
        let _ = settle.send(told);
    }
}

type Client = ThreadedProducer<Reports>;

/// Appends to partitions. Dropped, it tells those that wait that it is not known what became of
/// their records.
pub(crate) struct Producer {
    room: Arc<Room>,
    config: ClientConfig,
    /// None while a new one is made.
    client: Mutex<Option<Arc<Client>>>,
    /// How often it was made anew.
    replaced: AtomicU64,
    is_closed: AtomicBool,
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let records = self.room.records.load(Ordering::Relaxed);
        f.debug_struct("Producer")
            .field("not_durable", &records)
            .finish_non_exhaustive()
    }
}

/// Where a record goes, and how.
pub(crate) struct Place<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: Partition,
    pub(crate) key: Option<&'a str>,
}

impl Producer {
    /// # Errors
    /// `Invalid` for a property that is not known or wrong.
    pub(crate) fn new(
        config: ClientConfig,
        records_max: usize,
        bytes_max: usize,
    ) -> Result<Arc<Self>> {
        let room = Arc::new(Room {
            records_max,
            bytes_max,
            records: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            freed: Notify::new(),
        });
        let producer = Arc::new(Self {
            room,
            config,
            client: Mutex::new(None),
            replaced: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
        });
        let client = producer.connect()?;
        *producer.client() = Some(client);
        Ok(producer)
    }

    fn client(&self) -> MutexGuard<'_, Option<Arc<Client>>> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What of the journal's figures are the producer's.
    pub(crate) fn figures(&self) -> Figures {
        Figures {
            records: self.room.records.load(Ordering::Relaxed),
            records_max: self.room.records_max,
            bytes: self.room.bytes.load(Ordering::Relaxed),
            bytes_max: self.room.bytes_max,
            replaced: self.replaced.load(Ordering::Relaxed),
            ..Figures::default()
        }
    }

    /// The client that takes records now.
    ///
    /// # Errors
    /// `Closed`; `Overloaded` while one that failed is replaced.
    fn usable(&self) -> Result<Arc<Client>> {
        if self.is_closed.load(Ordering::Acquire) {
            return Err(Error::new(ErrorKind::Closed, APPEND));
        }
        let client = self.client().clone();
        client
            .filter(|client| !client.context().is_broken.load(Ordering::Acquire))
            .ok_or_else(|| {
                Error::new(ErrorKind::Overloaded, APPEND)
                    .with_context("cause", "the producer failed and is made anew")
            })
    }

    /// Takes a record, or hands it back.
    ///
    /// # Errors
    /// `Overloaded` when full, or while a client that failed is replaced; `Closed`; `Invalid` when
    /// it is too large.
    #[allow(
        clippy::result_large_err,
        reason = "the bytes are handed back by value"
    )]
    pub(crate) fn append(
        self: &Arc<Self>,
        place: &Place<'_>,
        incarnation: Incarnation,
        bytes: Bytes,
    ) -> std::result::Result<Pending, Refused> {
        let (settle, pending) = Pending::new();
        match self.send(place, incarnation, Some(&bytes), settle) {
            Ok(()) => Ok(pending),
            Err(error) => Err(Refused { bytes, error }),
        }
    }

    fn send(
        self: &Arc<Self>,
        place: &Place<'_>,
        Incarnation(incarnation): Incarnation,
        value: Option<&Bytes>,
        settle: oneshot::Sender<Result<Receipt>>,
    ) -> Result<()> {
        let partition = i32::try_from(place.partition.0).map_err(|_| no_such_partition(place))?;
        let bytes = value.map_or(0, Bytes::len) + place.key.map_or(0, str::len);
        let client = self.usable()?;
        if !self.room.take(bytes) {
            return Err(Error::new(ErrorKind::Overloaded, APPEND)
                .with_context("records under way", self.room.records_max));
        }
        let sent = Box::new(Sent {
            settle,
            partition: place.partition,
            bytes,
        });
        let headers = OwnedHeaders::new_with_capacity(1).insert(Header {
            key: INCARNATION,
            value: Some(&incarnation.to_be_bytes()),
        });
        let mut record = BaseRecord::<str, [u8], _>::with_opaque_to(place.topic, sent)
            .partition(partition)
            .headers(headers);
        if let Some(key) = place.key {
            record = record.key(key);
        }
        if let Some(value) = value {
            record = record.payload(value);
        }
        client.send(record).map_err(|(error, _)| {
            self.room.free(bytes);
            if matches!(
                error.rdkafka_error_code(),
                Some(rdkafka::types::RDKafkaErrorCode::Fatal)
            ) {
                client.context().give_up();
                return Error::new(ErrorKind::Overloaded, APPEND).with_source(error);
            }
            from_kafka(error, APPEND)
        })
    }

    /// Appends with a key and waits until it is durable; none as the value removes the key.
    ///
    /// # Errors
    /// As [`append`](Self::append), and what became of it.
    pub(crate) async fn put(
        self: &Arc<Self>,
        place: &Place<'_>,
        incarnation: Incarnation,
        value: Option<&Bytes>,
    ) -> Result<Receipt> {
        self.put_later(place, incarnation, value).await?.await
    }

    /// Takes it when there is room; durable when what is answered resolves.
    ///
    /// # Errors
    /// `Closed`, `Invalid`.
    pub(crate) async fn put_later(
        self: &Arc<Self>,
        place: &Place<'_>,
        incarnation: Incarnation,
        value: Option<&Bytes>,
    ) -> Result<Pending> {
        loop {
            // Not `ready`: there may be room for a small one and not for this one.
            let mut freed = std::pin::pin!(self.room.freed.notified());
            freed.as_mut().enable();
            let (settle, pending) = Pending::new();
            match self.send(place, incarnation, value, settle) {
                Ok(()) => return Ok(pending),
                Err(error) if error.kind() == ErrorKind::Overloaded => freed.await,
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until a record would be taken.
    ///
    /// # Errors
    /// `Closed`.
    pub(crate) async fn ready(&self) -> Result<()> {
        loop {
            let mut freed = std::pin::pin!(self.room.freed.notified());
            freed.as_mut().enable();
            match self.usable() {
                Ok(_) if self.room.is_there() => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Closed => return Err(error),
                _ => freed.await,
            }
        }
    }

    /// Ends a client that failed, and makes another: on a thread of its own, as both may take long.
    fn replace(self: &Arc<Self>) {
        let is_broken =
            |client: &mut Arc<Client>| client.context().is_broken.load(Ordering::Acquire);
        let Some(failed) = self.client().take_if(is_broken) else {
            return;
        };
        tracing::error!("the journal's producer failed, another one is made");
        self.replaced.fetch_add(1, Ordering::Relaxed);
        let this = Arc::clone(self);
        aside("kafka-producer", move || {
            end(&failed);
            drop(failed);
            while !this.is_closed.load(Ordering::Acquire) {
                match this.connect() {
                    Ok(made) => {
                        *this.client() = Some(made);
                        break;
                    }
                    Err(error) => tracing::error!(%error, "no producer"),
                }
                thread::sleep(ANEW_EVERY);
            }
            this.room.freed.notify_waiters();
        });
    }

    fn connect(self: &Arc<Self>) -> Result<Arc<Client>> {
        let reports = Reports {
            room: Arc::clone(&self.room),
            is_broken: AtomicBool::new(false),
            producer: Arc::downgrade(self),
        };
        let client = ThreadedProducer::from_config_and_context(&self.config, reports);
        client
            .map(Arc::new)
            .map_err(|error| from_kafka(error, "make a producer"))
    }

    /// Takes nothing more, and waits until what was taken is durable, no longer than `limit`; what
    /// is not by then fails with its fate unknown. Blocks.
    pub(crate) fn close(&self, limit: Duration) {
        self.is_closed.store(true, Ordering::Release);
        let client = self.client().take();
        self.room.freed.notify_waiters();
        if let Some(client) = client {
            if client.flush(Timeout::After(limit)).is_err() {
                tracing::warn!("left with records whose fate is not known");
            }
            end(&client);
        }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.is_closed.store(true, Ordering::Release);
        if let Some(client) = self.client().take() {
            // It joins a thread: not on one that drives tasks.
            aside("kafka-producer", move || end(&client));
        }
    }
}

/// Lets a client tell of each record that is left that it failed.
fn end(client: &Client) {
    client.purge(PurgeConfig::default().queue().inflight());
    if let Err(error) = client.flush(Timeout::After(LAST_REPORTS)) {
        tracing::warn!(%error, "a producer did not tell what became of its records");
    }
}

fn no_such_partition(place: &Place<'_>) -> Error {
    Error::new(ErrorKind::NotFound, APPEND).with_context("partition", place.partition)
}

#[cfg(test)]
mod tests {
    use std::future::Future as _;

    use super::*;

    fn room() -> Room {
        Room {
            records_max: 2,
            bytes_max: 100,
            records: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            freed: Notify::new(),
        }
    }

    #[test]
    fn room_is_bounded_in_records_and_bytes_and_one_of_any_size_fits_alone() {
        let room = room();
        assert!(room.take(1_000));
        assert!(!room.take(1));
        room.free(1_000);
        assert!(room.take(60) && !room.take(60) && room.take(40));
        assert!(!room.take(0), "a third record");
    }

    #[test]
    fn who_finds_no_room_wakes_nobody() {
        let room = room();
        assert!(room.take(60));
        let mut freed = std::pin::pin!(room.freed.notified());
        freed.as_mut().enable();
        assert!(!room.take(60));
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(freed.as_mut().poll(&mut cx).is_pending());
        room.free(60);
        assert!(freed.as_mut().poll(&mut cx).is_ready());
    }
}
