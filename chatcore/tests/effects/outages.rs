//! Effects while the store lacks what was published, and while the journal or the store is away.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use chatcore::{
    bot::Bot,
    commands::CommandWriter,
    dialog::{CustomerCommand, Phase},
    effects::{BotEffect, ChannelEffect},
    error::{Error, ErrorKind, Result},
    identity::PlainSealer,
    ids::{Incarnation, Node, Offset, Participant, Partition, StreamId, Target},
    journal::{
        Consumer, DeadLetter, DeadLetters, Delivery, Journal, Log, Pending, Record, Refused,
    },
    ports::Ports,
    record::{Command, CommandRecord, Position, decode},
    store::{Follow, Followed, Page, ReadRange, StoredState, StreamStore},
};
use tokio::time::{Duration, sleep, timeout};

use super::{
    Owner, P, Probe, anna, answers, channel::Messenger, message, opened, ports, rule_bot,
    while_running,
};

/// Fails so many calls, then lets all through.
#[derive(Debug)]
struct Away<T> {
    inner: T,
    fails: AtomicU64,
    committed: Mutex<Vec<Offset>>,
}

impl<T> Away<T> {
    fn new(inner: T, fails: u64) -> Arc<Self> {
        Arc::new(Self {
            inner,
            fails: AtomicU64::new(fails),
            committed: Mutex::default(),
        })
    }

    fn pass(&self, operation: &'static str) -> Result<()> {
        let left = self.fails.load(Ordering::Relaxed);
        if left == 0 {
            return Ok(());
        }
        self.fails.store(left - 1, Ordering::Relaxed);
        Err(Error::new(ErrorKind::Unavailable, operation))
    }
}

#[async_trait::async_trait]
impl StreamStore for Away<Arc<dyn StreamStore>> {
    async fn follow(&self, follow: Follow) -> Result<Followed> {
        self.inner.follow(follow).await
    }

    async fn unfollow(&self, stream: &StreamId, node: &Node) -> Result<()> {
        self.inner.unfollow(stream, node).await
    }

    async fn read(&self, range: ReadRange) -> Result<Page> {
        self.pass("read a stream")?;
        self.inner.read(range).await
    }

    async fn heads(&self, streams: &[StreamId]) -> Result<Vec<Position>> {
        self.inner.heads(streams).await
    }

    async fn routes(&self, stream: &StreamId) -> Result<Vec<Node>> {
        self.inner.routes(stream).await
    }

    async fn load(&self, targets: &[Target]) -> Result<Vec<StoredState>> {
        self.inner.load(targets).await
    }
}

#[async_trait::async_trait]
impl DeadLetters for Away<Arc<dyn DeadLetters>> {
    async fn add(&self, letter: DeadLetter) -> Result<u64> {
        self.pass("add a dead letter")?;
        self.inner.add(letter).await
    }

    async fn list(&self, after: Option<u64>, limit: usize) -> Result<Vec<(u64, DeadLetter)>> {
        self.inner.list(after, limit).await
    }

    async fn remove(&self, number: u64) -> Result<()> {
        self.inner.remove(number).await
    }
}

/// A journal whose commits fail for a while.
#[derive(Debug)]
struct ForgetfulJournal(Arc<Away<Arc<dyn Journal>>>);

#[derive(Debug)]
struct ForgetfulConsumer {
    inner: Box<dyn Consumer>,
    away: Arc<Away<Arc<dyn Journal>>>,
}

#[async_trait::async_trait]
impl Journal for ForgetfulJournal {
    fn partitions(&self) -> u32 {
        self.0.inner.partitions()
    }

    fn incarnation(&self) -> Incarnation {
        self.0.inner.incarnation()
    }

    fn try_append(
        &self,
        log: Log,
        partition: Partition,
        bytes: Bytes,
    ) -> std::result::Result<Pending, Refused> {
        self.0.inner.try_append(log, partition, bytes)
    }

    async fn ready(&self, log: Log, partition: Partition) -> Result<()> {
        self.0.inner.ready(log, partition).await
    }

    async fn subscribe(&self, log: Log, group: &str) -> Result<Box<dyn Consumer>> {
        Ok(Box::new(ForgetfulConsumer {
            inner: self.0.inner.subscribe(log, group).await?,
            away: self.0.clone(),
        }))
    }

    async fn read(
        &self,
        log: Log,
        partition: Partition,
        from: Offset,
        limit: usize,
    ) -> Result<Vec<Record>> {
        self.0.inner.read(log, partition, from, limit).await
    }

    async fn bounds(&self, log: Log, partition: Partition) -> Result<(Offset, Offset)> {
        self.0.inner.bounds(log, partition).await
    }

    async fn trim(&self, log: Log, partition: Partition, before: Offset) -> Result<()> {
        self.0.inner.trim(log, partition, before).await
    }
}

#[async_trait::async_trait]
impl Consumer for ForgetfulConsumer {
    async fn next(&mut self) -> Result<Delivery> {
        self.inner.next().await
    }

    async fn commit(&mut self, partition: Partition, next: Offset) -> Result<()> {
        self.away.pass("commit")?;
        self.inner.commit(partition, next).await?;
        self.away.committed.lock().unwrap().push(next);
        Ok(())
    }

    async fn seek(&mut self, partition: Partition, offset: Offset) -> Result<()> {
        self.inner.seek(partition, offset).await
    }

    fn pause(&mut self, partition: Partition) {
        self.inner.pause(partition);
    }

    fn resume(&mut self, partition: Partition) {
        self.inner.resume(partition);
    }

    async fn leave(self: Box<Self>) -> Result<()> {
        self.inner.leave().await
    }
}

fn customer() -> Participant {
    Participant::Customer(anna())
}

fn bot(ports: &Ports) -> Arc<BotEffect> {
    let bot: Arc<dyn Bot> = Arc::new(rule_bot());
    let commands = CommandWriter::new(ports.journal.clone());
    let sealer = Arc::new(PlainSealer);
    Arc::new(BotEffect::new(bot, sealer, ports.streams.clone(), commands))
}

fn reason(record: &CommandRecord) -> Option<String> {
    match decode(&record.body).unwrap() {
        Command::Customer(CustomerCommand::<chatcore::content::Sealed>::BotAnswer {
            hand_over,
            ..
        }) => hand_over.map(|h| h.reason.to_string()),
        other => panic!("not an answer of the bot: {other:?}"),
    }
}

/// Longer than any delay between tries, and than all tries together.
const LONG: Duration = Duration::from_secs(300);

#[tokio::test(start_paused = true)]
async fn the_bot_waits_for_a_message_that_the_store_has_lost() {
    let ports = ports();
    let mut owner = Owner::new(&ports).await;
    let answers = while_running(&ports, bot(&ports), async {
        owner.happens(Phase::Bot, opened()).await;
        answers(&ports, 1).await;
        let hello = message(Participant::Bot, "Hello");
        owner.happens(Phase::Bot, hello).await;
        let asked = owner.decides(Phase::Bot, message(customer(), "a person please"));
        owner.publish_decision(&asked).await;
        sleep(LONG).await;
        owner.save(&asked).await;
        timeout(LONG, answers(&ports, 2)).await.unwrap()
    })
    .await;
    assert_eq!(reason(&answers[1]).as_deref(), Some("asked"));
    assert!(ports.dead_letters.list(None, 10).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_message_waits_for_a_dialog_that_the_store_has_lost() {
    let ports = ports();
    let mut owner = Owner::new(&ports).await;
    let messenger = Messenger::new("web", []);
    let effect = ChannelEffect::try_new(
        messenger.clone(),
        Arc::new(PlainSealer),
        ports.streams.clone(),
        CommandWriter::new(ports.journal.clone()),
    );
    let sent = while_running(&ports, Arc::new(effect.unwrap()), async {
        let lost = [opened(), message(Participant::Bot, "Hello")];
        let lost = lost.map(|event| owner.decides(Phase::Bot, event));
        for decision in &lost {
            owner.publish_decision(decision).await;
        }
        sleep(LONG).await;
        for decision in &lost {
            owner.save(decision).await;
        }
        timeout(LONG, messenger.sent(1)).await.unwrap()
    })
    .await;
    assert_eq!(sent, [(2, "Hello".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_the_store_is_none_of_an_effects_tries() {
    let mut ports = ports();
    let mut owner = Owner::new(&ports).await;
    ports.streams = Away::new(ports.streams.clone(), 30);
    let answers = while_running(&ports, bot(&ports), async {
        owner.happens(Phase::Bot, opened()).await;
        timeout(10 * LONG, answers(&ports, 1)).await.unwrap()
    })
    .await;
    assert_eq!(
        reason(&answers[0]),
        None,
        "it greets, and hands nobody over"
    );
    assert!(ports.dead_letters.list(None, 10).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_done_is_committed_once_the_journal_is_back() {
    let mut ports = ports();
    let mut owner = Owner::new(&ports).await;
    let away = Away::new(ports.journal.clone(), 3);
    ports.journal = Arc::new(ForgetfulJournal(away.clone()));
    let probe = Probe::new([]);
    while_running(&ports, probe.clone(), async {
        owner.happens(Phase::Bot, opened()).await;
        probe.saw(1).await;
        sleep(LONG).await;
        let (_, end) = ports.journal.bounds(Log::Events, P).await.unwrap();
        let committed = away.committed.lock().unwrap().last().copied();
        assert_eq!(committed, Some(end), "with nothing more to do");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_event_that_can_not_be_buried_yet_does_not_end_the_effect() {
    let mut ports = ports();
    let mut owner = Owner::new(&ports).await;
    ports.dead_letters = Away::new(ports.dead_letters.clone(), 3);
    let probe = Probe::new([]);
    while_running(&ports, probe.clone(), async {
        let unreadable = Bytes::from_static(b"\xff no record");
        let appended = ports.journal.try_append(Log::Events, P, unreadable);
        appended.unwrap().await.unwrap();
        owner.happens(Phase::Bot, opened()).await;
        assert_eq!(timeout(LONG, probe.saw(1)).await.unwrap(), [1]);
    })
    .await;
    assert_eq!(ports.dead_letters.list(None, 10).await.unwrap().len(), 1);
}
