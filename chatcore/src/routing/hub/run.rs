//! The hub's one task.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{
    Hub,
    lease::{Lease, Renewed},
};
use crate::{
    error::Result,
    routing::{
        inbox::{Inbox, InboxEvent},
        session::CloseCode,
    },
    store::StoreIdentity,
};

/// Frames handed on before the hub looks at what else it has to do.
const FRAMES_AT_ONCE: usize = 256;
/// Longest pause before a broken inbox is opened again.
const REOPEN_LAST: Duration = Duration::from_secs(5);
/// Signals on their way at once.
const SIGNALS_UNDER_WAY_MAX: usize = 8;
/// How long the last presence and the lease's end may take when the node leaves.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// What ends in the background.
enum Done {
    Work,
    Renewed(Result<(StoreIdentity, bool)>),
    Presence(Result<()>),
    Heads(Result<()>),
    Signal,
    Places,
}

type Background = FuturesUnordered<BoxFuture<'static, Done>>;

/// What of each kind is under way: one at most, but for work.
#[derive(Debug, Default)]
struct UnderWay {
    work: usize,
    renewal: bool,
    presence: bool,
    heads: bool,
    places: bool,
    signals: usize,
    /// Not before then, after a failure.
    presence_at: Option<Instant>,
}

impl Hub {
    /// Drives the way back of this node until `shutdown`, then ends all sessions as draining.
    ///
    /// # Errors
    /// None that passes: the store may come and go. Only when the inbox can't be opened at all
    /// for a reason that repeating can't help.
    pub(crate) async fn run(self: Arc<Self>, shutdown: CancellationToken) -> Result<()> {
        let drained = tokio::select! {
            biased;
            () = shutdown.cancelled() => Ok(()),
            ended = Arc::clone(&self).run_until_closed() => ended,
        };
        self.state().draining = true;
        self.close_where(CloseCode::Draining, |_| true);
        self.state().operators.all_went();
        let goodbye = async {
            if let Err(error) = self.tell_presence().await {
                tracing::warn!(%error, "operators' leave was not journaled; the lease will tell");
            }
            if let Err(error) = self.ports.leases.close(&self.node).await {
                tracing::warn!(%error, "the lease was not given up; it will lapse");
            }
        };
        if tokio::time::timeout(LAST_WORDS, goodbye).await.is_err() {
            tracing::warn!("the node left without its last words");
        }
        drained
    }

    async fn run_until_closed(self: Arc<Self>) -> Result<()> {
        let mut lease = Lease::new();
        let mut inbox = self.open_inbox().await;
        // A route counts only beside a lease.
        lease.note(self.open_first_lease().await);
        let mut background = Background::new();
        let mut under_way = UnderWay::default();
        let third = (self.config.lease_ttl / 3).max(Duration::from_millis(1));
        let mut renewals = tokio::time::interval(third);
        renewals.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut checks = Box::pin(tokio::time::sleep(self.next_check(0)));
        let mut rounds: u64 = 0;
        let mut second = tokio::time::interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.start_work(&background, &mut under_way);
            // The timers are ready now and then only. A storm of work must not keep the inbox
            // waiting, so a frame is taken after each piece of it. What `wake` tells of is done
            // in every round, whatever was ready.
            tokio::select! {
                biased;
                _ = renewals.tick() => {
                    lease.beat(&self);
                    if !under_way.renewal {
                        under_way.renewal = true;
                        let hub = Arc::clone(&self);
                        let renew = async move { Done::Renewed(hub.renew_lease().await) };
                        background.push(renew.boxed());
                    }
                }
                () = &mut checks => {
                    rounds += 1;
                    checks = Box::pin(tokio::time::sleep(self.next_check(rounds)));
                    if !under_way.heads {
                        under_way.heads = true;
                        let hub = Arc::clone(&self);
                        background.push(async move { Done::Heads(hub.check_heads().await) }.boxed());
                    }
                }
                _ = second.tick() => {
                    self.close_slow();
                    self.keep_presence();
                    if self.state().lines.is_due() && !under_way.places {
                        under_way.places = true;
                        let hub = Arc::clone(&self);
                        background.push(hub.tell_places().map(|()| Done::Places).boxed());
                    }
                }
                Some(done) = background.next() => {
                    self.done(done, &mut lease, &mut under_way);
                    if let Some(next) = inbox.next().now_or_never() {
                        self.receive(next, &mut inbox).await;
                    }
                }
                next = inbox.next() => self.receive(next, &mut inbox).await,
                () = self.wake.notified() => {}
            }
        }
    }

    /// Hands on what has arrived, and what else is there already.
    async fn receive(&self, next: Result<InboxEvent>, inbox: &mut Box<dyn Inbox>) {
        let mut next = Some(next);
        let mut taken = 0;
        while let Some(event) = next {
            match event {
                Ok(InboxEvent::Frame(frame)) => self.fan_out(&frame),
                Ok(InboxEvent::Gap) => self.rewrite_all(),
                Err(error) => {
                    tracing::warn!(%error, "the inbox broke, opening it again");
                    *inbox = self.open_inbox().await;
                    self.rewrite_all();
                    return;
                }
            }
            taken += 1;
            next = if taken < FRAMES_AT_ONCE {
                inbox.next().now_or_never()
            } else {
                None
            };
        }
    }

    fn done(&self, done: Done, lease: &mut Lease, under_way: &mut UnderWay) {
        match done {
            Done::Work => under_way.work -= 1,
            Done::Signal => under_way.signals -= 1,
            Done::Places => under_way.places = false,
            Done::Presence(told) => {
                under_way.presence = false;
                if let Err(error) = told {
                    tracing::warn!(%error, "presence was not journaled yet");
                    under_way.presence_at = Some(Instant::now() + Duration::from_secs(1));
                }
            }
            Done::Heads(checked) => {
                under_way.heads = false;
                if let Err(error) = checked {
                    tracing::warn!(%error, "heads could not be checked");
                }
            }
            Done::Renewed(renewed) => {
                under_way.renewal = false;
                match renewed {
                    Ok((identity, opened)) => {
                        let changed = lease.note(identity) == Renewed::Changed;
                        if opened {
                            self.state().operators.forget_told();
                        }
                        if opened || changed {
                            self.rewrite_all();
                        }
                    }
                    Err(error) => tracing::warn!(%error, "the lease was not renewed yet"),
                }
            }
        }
    }

    /// Starts what waits and has room.
    fn start_work(self: &Arc<Self>, background: &Background, under_way: &mut UnderWay) {
        while under_way.work < self.config.work_max {
            let next = self.state().next_work();
            let Some((stream, work)) = next else { break };
            under_way.work += 1;
            let hub = Arc::clone(self);
            background.push(hub.perform(stream, work).map(|()| Done::Work).boxed());
        }
        while under_way.work < self.config.work_max {
            let next = self.state().next_awaiting();
            let Some((stream, sessions)) = next else {
                break;
            };
            under_way.work += 1;
            let hub = Arc::clone(self);
            background.push(
                hub.settle_head(stream, sessions)
                    .map(|()| Done::Work)
                    .boxed(),
            );
        }
        while under_way.signals < SIGNALS_UNDER_WAY_MAX {
            let next = self.state().next_signal();
            let Some(signal) = next else { break };
            under_way.signals += 1;
            let hub = Arc::clone(self);
            background.push(hub.send_signal(signal).map(|()| Done::Signal).boxed());
        }
        let may_tell = under_way.presence_at.is_none_or(|at| at <= Instant::now());
        if !under_way.presence && may_tell && self.has_presence_to_tell() {
            under_way.presence = true;
            under_way.presence_at = None;
            let hub = Arc::clone(self);
            background.push(async move { Done::Presence(hub.tell_presence().await) }.boxed());
        }
    }

    async fn open_first_lease(&self) -> StoreIdentity {
        let mut pause = Duration::from_millis(100);
        loop {
            match self.open_lease().await {
                Ok(identity) => return identity,
                Err(error) => tracing::warn!(%error, "the lease can't be opened yet"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(REOPEN_LAST);
        }
    }

    async fn open_inbox(&self) -> Box<dyn Inbox> {
        let mut pause = Duration::from_millis(100);
        loop {
            match self.ports.inbox.receive(&self.node).await {
                Ok(inbox) => return inbox,
                Err(error) => tracing::warn!(%error, "the inbox can't be opened yet"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(REOPEN_LAST);
        }
    }

    /// Up to a tenth later than the interval, another for each round and node.
    fn next_check(&self, round: u64) -> Duration {
        let interval = self.config.head_check_interval;
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.node.id.as_str().as_bytes());
        hasher.update(&self.node.epoch.0.to_be_bytes());
        hasher.update(&round.to_be_bytes());
        let share = u32::from(hasher.finalize().as_bytes().first().copied().unwrap_or(0));
        interval + interval / 10 * share / 255
    }

    /// Ends the sessions that have been behind for too long.
    fn close_slow(&self) {
        let now = Instant::now();
        let limit = self.config.behind_for_max;
        let slow: Vec<_> = {
            let state = self.state();
            let mailboxes = state.sessions.iter().map(|(id, e)| (*id, &e.mailbox));
            let mut slow: Vec<_> = mailboxes
                .filter(|(_, m)| m.behind_since().is_some_and(|at| now - at > limit))
                .map(|(id, mailbox)| (id, Arc::clone(mailbox)))
                .collect();
            slow.sort_unstable_by_key(|(id, _)| *id);
            slow
        };
        for (_, mailbox) in slow {
            self.counters
                .closed_slow
                .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            mailbox.close(CloseCode::Slow);
        }
    }
}
