//! Runs one effect from its position in `events`.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    Effect, Work,
    config::EffectsConfig,
    progress::{Item, Progress},
    standing::standing,
};
use crate::{
    decoded::Read,
    engine::{Published, is_final},
    error::{Error, ErrorKind, Result, Retry},
    ids::{Label, Offset, Partition},
    journal::{Consumer, DeadLetter, Delivery, Log, Record},
    ports::Ports,
    record::{Decision, EventRecord, encode},
};

/// Deliveries taken before what is done is committed.
const DELIVERIES_MAX: usize = 64;

type Running = FuturesUnordered<BoxFuture<'static, (Partition, Item)>>;

/// Runs an effect until shutdown.
///
/// # Errors
/// When the journal is closed; failures of the effect itself are retried and dead-lettered.
pub async fn run_effect(
    ports: Ports,
    effect: Arc<dyn Effect>,
    config: EffectsConfig,
    shutdown: CancellationToken,
) -> Result<()> {
    let group = format!("effect-{}", effect.name());
    let Some(mut consumer) = subscribe(&ports, &group, &config, &shutdown).await? else {
        return Ok(());
    };
    let mut runner = Runner {
        ports,
        effect,
        config: Arc::new(config),
        progress: Progress::default(),
        published: BTreeMap::new(),
        running: FuturesUnordered::new(),
        hold: None,
    };
    let ended = runner.run(consumer.as_mut(), &shutdown).await;
    runner.drain(consumer.as_mut()).await;
    consumer.leave().await?;
    ended
}

/// Joins the group, as soon as the journal can be reached; none once `shutdown` is cancelled.
async fn subscribe(
    ports: &Ports,
    group: &str,
    config: &EffectsConfig,
    shutdown: &CancellationToken,
) -> Result<Option<Box<dyn Consumer>>> {
    let mut attempts = 0;
    loop {
        let error = tokio::select! {
            biased;
            () = shutdown.cancelled() => return Ok(None),
            joined = ports.journal.subscribe(Log::Events, group) => match joined {
                Ok(consumer) => return Ok(Some(consumer)),
                Err(error) => error,
            },
        };
        if is_final(&error) {
            return Err(error);
        }
        attempts += 1;
        tracing::warn!(group, %error, "can't read events yet");
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return Ok(None),
            () = sleep(backoff(config, attempts, error.retry())) => {}
        }
    }
}

struct Runner {
    ports: Ports,
    effect: Arc<dyn Effect>,
    config: Arc<EffectsConfig>,
    progress: Progress,
    published: BTreeMap<Partition, Published>,
    running: Running,
    /// After a commit that failed nothing is committed before this.
    hold: Option<Instant>,
}

impl Runner {
    async fn run(
        &mut self,
        consumer: &mut dyn Consumer,
        shutdown: &CancellationToken,
    ) -> Result<()> {
        loop {
            let room = self.progress.open() < self.config.open_max;
            let hold = self.hold;
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(()),
                Some((partition, item)) = self.running.next(), if !self.running.is_empty() => {
                    self.done(partition, &item);
                }
                delivery = consumer.next(), if room => tokio::select! {
                    biased;
                    () = shutdown.cancelled() => return Ok(()),
                    taken = self.take_all(delivery, consumer) => taken?,
                },
                () = until(hold), if hold.is_some() => {}
            }
            if self.hold.is_none_or(|hold| hold <= Instant::now()) {
                self.commit(consumer).await;
            }
        }
    }

    /// Lets what is under way end, within the time for it.
    async fn drain(&mut self, consumer: &mut dyn Consumer) {
        let rest = async {
            while let Some((partition, item)) = self.running.next().await {
                self.progress.done(partition, &item);
            }
        };
        if timeout(self.config.drain, rest).await.is_err() {
            let open = self.running.len();
            tracing::warn!(effect = %self.effect.name(), open, "left over at shutdown");
        }
        self.commit(consumer).await;
    }

    /// Takes what was read, and what else is there already: the busier, the fewer turns and
    /// commits.
    async fn take_all(
        &mut self,
        first: Result<Delivery>,
        consumer: &mut dyn Consumer,
    ) -> Result<()> {
        let mut next = Some(first);
        let mut taken = 0;
        while let Some(delivery) = next {
            match delivery {
                Ok(delivery) => self.take(delivery).await?,
                Err(error) if error.kind() == ErrorKind::Closed => return Err(error),
                Err(error) => {
                    tracing::warn!(effect = %self.effect.name(), %error, "reading events");
                    sleep(self.config.backoff_min).await;
                    return Ok(());
                }
            }
            taken += 1;
            let room = taken < DELIVERIES_MAX && self.progress.open() < self.config.open_max;
            next = if room {
                consumer.next().now_or_never()
            } else {
                None
            };
        }
        Ok(())
    }

    async fn take(&mut self, delivery: Delivery) -> Result<()> {
        match delivery {
            Delivery::Assigned {
                partition,
                committed,
            } => {
                let published = self.standing(partition, committed).await?;
                self.progress.assigned(partition, committed);
                self.published.insert(partition, published);
            }
            Delivery::Revoked { partition } => {
                self.progress.revoked(partition);
                self.published.remove(&partition);
            }
            Delivery::Records { partition, records } => {
                for record in records {
                    self.read(partition, record).await;
                }
            }
        }
        Ok(())
    }

    /// How `events` stood at the offset, as soon as the journal tells.
    async fn standing(&mut self, partition: Partition, upto: Offset) -> Result<Published> {
        let mut attempts = 0;
        loop {
            let error = match standing(&*self.ports.journal, partition, upto).await {
                Ok(published) => return Ok(published),
                Err(error) if error.kind() == ErrorKind::Closed => return Err(error),
                Err(error) => error,
            };
            attempts += 1;
            tracing::warn!(effect = %self.effect.name(), partition = partition.0, %error,
                "can't tell yet how events stand");
            sleep(backoff(&self.config, attempts, error.retry())).await;
        }
    }

    /// Takes a record in. Dropped midway it was not read, and is not passed over by a commit.
    async fn read(&mut self, partition: Partition, record: Record) {
        let mut items = Vec::new();
        match self.config.decoded.read(partition, &record) {
            Ok(Read::Owner(fence)) => {
                let published = self.published.entry(partition).or_default();
                published.take(EventRecord::Owner { fence });
            }
            Ok(Read::Decided(fence, decision)) => {
                let published = self.published.entry(partition).or_default();
                if published.counts(fence, decision.cause) {
                    items = self.items(partition, record.offset, decision);
                }
            }
            Err(error) => {
                tracing::error!(effect = %self.effect.name(), partition = partition.0,
                    offset = record.offset.0, %error, "an event can't be read");
                let letter = self.letter(partition, &record, &error);
                let letters = &self.ports.dead_letters;
                insist(&self.config, || letters.add(letter.clone())).await;
            }
        }
        for item in self.progress.read(partition, record.offset, items) {
            self.start(partition, item);
        }
    }

    fn letter(&self, partition: Partition, record: &Record, error: &Error) -> DeadLetter {
        DeadLetter {
            origin: self.effect.name().clone(),
            partition,
            offset: record.offset,
            reason: reason(error),
            attempts: 1,
            at: self.ports.clock.now(),
            record: record.bytes.clone(),
        }
    }

    fn items(&self, partition: Partition, offset: Offset, decision: Arc<Decision>) -> Vec<Item> {
        let wanted = decision.appended.iter().enumerate();
        let wanted = wanted.filter(|(_, appended)| self.effect.wants(appended));
        wanted
            .map(|(stream, appended)| Item {
                offset,
                stream: appended.stream.clone(),
                work: Work {
                    partition,
                    decision: decision.clone(),
                    stream,
                },
            })
            .collect()
    }

    fn start(&mut self, partition: Partition, item: Item) {
        let (ports, effect) = (self.ports.clone(), self.effect.clone());
        let config = self.config.clone();
        self.running.push(Box::pin(async move {
            perform(&ports, effect.as_ref(), &config, &item).await;
            (partition, item)
        }));
    }

    fn done(&mut self, partition: Partition, item: &Item) {
        if let Some(next) = self.progress.done(partition, item) {
            self.start(partition, next);
        }
    }

    /// Commits what is done. A refused commit means that another member has the partition: it
    /// does the work again, which effects bear. One that failed is tried again after a while, also
    /// when nothing more happens.
    async fn commit(&mut self, consumer: &mut dyn Consumer) {
        self.hold = None;
        for (partition, offset) in self.progress.to_commit() {
            let committed = consumer.commit(partition, offset).await;
            if let Err(error) = &committed {
                tracing::info!(effect = %self.effect.name(), partition = partition.0, %error,
                    "not committed");
            }
            match committed {
                Err(error) if error.kind() != ErrorKind::Conflict => {
                    self.hold = Some(Instant::now() + self.config.backoff_min);
                }
                _ => self.progress.committed(partition, offset),
            }
        }
    }
}

/// Waits until then, or not at all.
async fn until(hold: Option<Instant>) {
    if let Some(hold) = hold {
        sleep_until(hold).await;
    }
}

fn reason(error: &Error) -> Label {
    Label::literal(error.kind().code())
}

/// Tries until it is done or given up; a dead letter is written before it is given up.
async fn perform(ports: &Ports, effect: &dyn Effect, config: &EffectsConfig, item: &Item) {
    let mut attempts = 0;
    let error = loop {
        attempts += 1;
        let tried = timeout(config.try_timeout, effect.run(&item.work)).await;
        let error = match tried {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error,
            Err(_) => Error::new(
                ErrorKind::Unavailable,
                "run an effect within its time limit",
            ),
        };
        tracing::warn!(effect = %effect.name(), stream = %item.stream, attempts, %error,
            "an effect failed");
        let outage = matches!(error.kind(), ErrorKind::Rebuilding | ErrorKind::Overloaded);
        let hopeless = match effect.insists() {
            true => matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Invalid),
            false => matches!(error.retry(), Retry::Never | Retry::Exhausted),
        };
        let patient = outage || effect.insists();
        if hopeless || (attempts >= config.attempts_max && !patient) {
            break error;
        }
        sleep(backoff(config, attempts, error.retry())).await;
    };
    let letter = letter(ports, effect, item, attempts, &error);
    insist(config, || ports.dead_letters.add(letter.clone())).await;
    insist(config, || effect.give_up(&item.work, &letter.reason)).await;
}

fn letter(
    ports: &Ports,
    effect: &dyn Effect,
    item: &Item,
    attempts: u32,
    error: &Error,
) -> DeadLetter {
    DeadLetter {
        origin: effect.name().clone(),
        partition: item.work.partition,
        offset: item.offset,
        reason: reason(error),
        attempts,
        at: ports.clock.now(),
        record: encode(item.work.decision.as_ref()).unwrap_or_default(),
    }
}

/// Repeats what can't be given up; ends when the runner is dropped.
async fn insist<T, F: Future<Output = Result<T>>>(config: &EffectsConfig, act: impl Fn() -> F) {
    let mut attempts = 0;
    while let Err(error) = act().await {
        attempts += 1;
        if error.retry() == Retry::Never {
            tracing::error!(%error, "a given-up effect can't be written down");
            return;
        }
        sleep(backoff(config, attempts, error.retry())).await;
    }
}

fn backoff(config: &EffectsConfig, attempts: u32, retry: Retry) -> Duration {
    let doubled = config
        .backoff_min
        .saturating_mul(1 << attempts.saturating_sub(1).min(16));
    let asked = match retry {
        Retry::Safe { after } => after,
        _ => Duration::ZERO,
    };
    doubled.max(asked).min(config.backoff_max)
}
