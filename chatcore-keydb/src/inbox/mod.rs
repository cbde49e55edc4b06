//! The nodes' inboxes: a channel each, published to on the primary.
//!
//! The answer to a publish says how many received it: nobody means that the route is stale, known
//! in the same round trip. Who publishes can't know that a queue at the other end is full.

mod payload;
mod queue;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use chatcore::{
    error::{Error, ErrorKind, Result},
    ids::Node,
    routing::{Inbox, NodeFrame, NodeInbox},
};
use futures_util::StreamExt as _;
use redis::{
    Msg, Pipeline,
    aio::{PubSubSink, PubSubStream},
};
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use self::queue::{Sender, queue};
use crate::{
    KeyDb,
    command::command,
    error::{from_connecting, unsent},
    link::{Generation, Link, dial_subscriber},
    reply::integer,
};

const SEND: &str = "send to a node";
const RECEIVE: &str = "receive frames";
/// Wait after a subscription that failed.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// The inboxes of this process: a later one replaces an earlier one of the same node.
#[derive(Debug, Default)]
pub(crate) struct Receivers(Mutex<BTreeMap<Node, CancellationToken>>);

impl Receivers {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Node, CancellationToken>> {
        // Every change is made whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn replace(&self, node: &Node, subscription: CancellationToken) {
        if let Some(former) = self.lock().insert(node.clone(), subscription) {
            former.cancel();
        }
    }

    /// A node of this process that does not receive any more: the server may not know it yet.
    fn has_ended(&self, node: &Node) -> bool {
        self.lock()
            .get(node)
            .is_some_and(CancellationToken::is_cancelled)
    }

    pub(crate) fn close(&self) {
        for subscription in self.lock().values() {
            subscription.cancel();
        }
    }
}

#[async_trait]
impl NodeInbox for KeyDb {
    async fn send(&self, node: &Node, frames: Vec<Arc<NodeFrame>>) -> Result<()> {
        let nobody = || Error::new(ErrorKind::NotFound, SEND).with_context("node", &node.id);
        if self.receivers.has_ended(node) {
            return Err(nobody());
        }
        let messages = payload::encode(&frames)?;
        if messages.is_empty() {
            return Ok(());
        }
        let channel = self.keys.inbox(node);
        let mut publishes = Pipeline::with_capacity(messages.len());
        for message in messages {
            let mut publish = command("PUBLISH");
            publish.arg(&channel).arg(message);
            publishes.add_command(publish);
        }
        for answer in self.link.run(SEND, &publishes).await? {
            if integer(SEND, answer)? == 0 {
                return Err(nobody());
            }
        }
        Ok(())
    }

    async fn receive(&self, node: &Node) -> Result<Box<dyn Inbox>> {
        let ended = CancellationToken::new();
        let (sender, queue) = queue(ended.clone());
        self.receivers.replace(node, ended.clone());
        let (ready, is_ready) = oneshot::channel();
        let subscription = Subscription {
            link: Arc::downgrade(&self.link),
            channel: self.keys.inbox(node),
            sender,
            ready: Some(ready),
        };
        self.link.spawn(async move {
            tokio::select! {
                biased;
                () = ended.cancelled() => {}
                () = subscription.run() => {}
            }
        });
        let config = self.link.config();
        let wait = config.primary_wait_max + 2 * config.connect_max;
        match timeout(wait, is_ready).await {
            Ok(Ok(())) => Ok(Box::new(queue)),
            Ok(Err(_)) => Err(Error::new(ErrorKind::Closed, RECEIVE)),
            Err(_) => Err(unsent(RECEIVE, "no subscription in time")),
        }
    }
}

/// Keeps a node subscribed to its channel.
struct Subscription {
    link: std::sync::Weak<Link>,
    channel: String,
    sender: Sender,
    ready: Option<oneshot::Sender<()>>,
}

impl Subscription {
    /// Until the link is closed; who drops it ends it.
    async fn run(mut self) {
        loop {
            // Only held while it is used: it goes with the store.
            let Some(link) = self.link.upgrade() else {
                return;
            };
            match self.subscribe(&link).await {
                Ok((generation, sink, messages)) => {
                    drop(link);
                    match self.ready.take() {
                        Some(ready) => drop(ready.send(())),
                        // What was sent in between is lost; whoever asks now is told nothing
                        // before the subscription stands again.
                        None => self.sender.gap(),
                    }
                    self.forward(&generation, sink, messages).await;
                    tracing::warn!(channel = %self.channel, "the subscription broke");
                }
                Err(error) if error.kind() == ErrorKind::Closed => return,
                Err(error) => {
                    tracing::debug!(%error, channel = %self.channel, "not subscribed yet");
                    sleep(AGAIN_AFTER).await;
                }
            }
        }
    }

    async fn subscribe(&self, link: &Link) -> Result<(Watched, PubSubSink, PubSubStream)> {
        let config = link.config();
        let generation = link.generation(RECEIVE, config.primary_wait_max).await?;
        let login = config.address.login.as_ref();
        let connection = dial_subscriber(config, &generation.server, login).await?;
        let (mut sink, messages) = connection.split();
        let subscribed = timeout(config.answer_max, sink.subscribe(&self.channel)).await;
        subscribed
            .map_err(|_| unsent(RECEIVE, "no answer in time"))?
            .map_err(|error| from_connecting(RECEIVE, error))?;
        let watched = Watched {
            generation,
            every: config.watch_every,
            answer_max: config.answer_max,
        };
        Ok((watched, sink, messages))
    }

    /// Until the connection, or the primary, is lost.
    async fn forward(&self, watched: &Watched, mut sink: PubSubSink, mut messages: PubSubStream) {
        let pings = async {
            // A connection that is half open says nothing: only an answer shows that it lives.
            loop {
                sleep(watched.every).await;
                let ping = timeout(watched.answer_max, sink.ping::<redis::Value>()).await;
                if !matches!(ping, Ok(Ok(_))) {
                    return;
                }
            }
        };
        // The library's own queue in between has no bound: so nothing here waits for the receiver.
        let frames = async {
            while let Some(message) = messages.next().await {
                self.put(&message);
            }
        };
        tokio::select! {
            biased;
            () = watched.generation.until_given_up() => {}
            () = frames => {}
            () = pings => {}
        }
    }

    fn put(&self, message: &Msg) {
        match payload::decode(message.get_payload_bytes()) {
            Ok(frames) => {
                for (frame, bytes) in frames {
                    self.sender.put(frame, bytes);
                }
            }
            // Of a newer version, perhaps: what it says is read from the store.
            Err(error) => {
                tracing::warn!(%error, channel = %self.channel, "a message was dropped");
                self.sender.gap();
            }
        }
    }
}

/// What a subscription goes with, and how it is watched.
struct Watched {
    generation: Arc<Generation>,
    every: Duration,
    answer_max: Duration,
}
