//! What the node knows of revocations, and how sure it is of it (I8).
//!
//! The whole of the shared table is in memory, and its changes are taken as they come. That none
//! came says nothing, so the table is also asked for its newest change, every second: whoever has
//! that has missed nothing until it was asked. A node that could not make sure for too long hands
//! nothing out until it has, and sends staff elsewhere.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::{
    sync::Notify,
    time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

use super::Hub;
use crate::{
    clock::Timestamp,
    error::{Error, ErrorKind, Result, Retry},
    identity::{Identity, Proof, REVOKED, Revocation, Revocations, Who},
    journal::Change,
    routing::session::CloseCode,
    sabotage,
};

/// How often the table is asked whether there is more.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// How long the answer may take.
const ASK_MAX: Duration = Duration::from_secs(2);
/// After an error of the table.
const AGAIN: Duration = Duration::from_millis(500);
/// How long whoever calls waits for a node that has just begun.
const BEGINNING: Duration = Duration::from_secs(2);
/// A refused caller comes back after this long.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How often the table is rid of what has lapsed, and of how many at a time.
const LAPSE_EVERY: Duration = Duration::from_secs(3_600);
const LAPSED_AT_ONCE: usize = 1_000;
/// A wall clock that went so much otherwise than time is not believed: it would remove what still
/// matters.
const CLOCK_OFF_MAX: Duration = Duration::from_secs(3_600);

/// What a node knows of revocations.
#[derive(Debug)]
pub(crate) struct Known {
    revocations: Mutex<Revocations>,
    began: Instant,
    /// When it was made sure, in milliseconds after it began; 0 for never.
    sure_at: AtomicU64,
    /// Rings when it is made sure for the first time.
    first: Notify,
}

impl Known {
    pub(super) fn new() -> Self {
        Self {
            revocations: Mutex::default(),
            began: Instant::now(),
            sure_at: AtomicU64::new(0),
            first: Notify::new(),
        }
    }

    fn revocations(&self) -> MutexGuard<'_, Revocations> {
        self.revocations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn len(&self) -> usize {
        self.revocations().len()
    }

    fn is_ever_sure(&self) -> bool {
        self.sure_at.load(Ordering::Relaxed) > 0
    }

    fn unsure_for(&self) -> Duration {
        let sure_at = Duration::from_millis(self.sure_at.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(sure_at)
    }

    pub(super) fn unsure_ms(&self) -> u64 {
        u64::try_from(self.unsure_for().as_millis()).unwrap_or(u64::MAX)
    }

    fn sure_since(&self, asked_at: Instant) {
        let at = asked_at.duration_since(self.began).as_millis();
        let at = u64::try_from(at).unwrap_or(u64::MAX).max(1);
        if self.sure_at.fetch_max(at, Ordering::Relaxed) == 0 {
            self.first.notify_waiters();
        }
    }

    /// Waits until it was made sure once.
    async fn ever_sure(&self) {
        loop {
            let mut first = std::pin::pin!(self.first.notified());
            first.as_mut().enable();
            if self.is_ever_sure() {
                return;
            }
            first.await;
        }
    }
}

/// What the table was asked, and what it said.
type Asked<T> = BoxFuture<'static, (Instant, Result<T>)>;

/// The follower's own part.
struct Follower {
    hub: Arc<Hub>,
    /// Everything up to this was taken.
    version: u64,
    /// Once it is, the node is sure as of then.
    promised: Option<(u64, Instant)>,
    /// How often in a row it was found unsure for too long.
    unsure: u32,
    wall_began: Timestamp,
}

impl Hub {
    /// Follows the shared table until `shutdown`.
    ///
    /// # Cancellation
    /// May be dropped; what the node knows stays, and is soon not sure any more.
    pub(crate) async fn follow_revocations(
        self: Arc<Self>,
        shutdown: CancellationToken,
    ) -> Result<()> {
        let follower = Follower {
            version: 0,
            promised: None,
            unsure: 0,
            wall_began: self.ports.clock.now(),
            hub: self,
        };
        shutdown.run_until_cancelled(follower.run()).await;
        Ok(())
    }

    /// Whether what is handed out now is handed to nobody who was revoked too long ago.
    pub(crate) fn is_sure(&self) -> bool {
        let in_time = || self.known.unsure_for() <= self.config.revocations_unsure_max;
        self.known.is_ever_sure() && (sabotage::on(sabotage::Switch::UnsureServes) || in_time())
    }

    /// Whether a person is let in.
    ///
    /// # Errors
    /// `Forbidden` when revoked, `Unavailable` when the node has not been able to tell for too long.
    pub(crate) fn admit(&self, identity: &Identity) -> Result<()> {
        self.check_revoked(identity)?;
        if self.known.unsure_for() > self.config.revocations_unsure_max {
            return Err(unsure("let a person in"));
        }
        Ok(())
    }

    /// Whether a person who was let in may go on, as far as is known.
    ///
    /// # Errors
    /// `Forbidden` when revoked.
    pub(crate) fn check_revoked(&self, identity: &Identity) -> Result<()> {
        if self.is_ended(identity) && !sabotage::on(sabotage::Switch::RevokedReadmitted) {
            return Err(Error::new(ErrorKind::Forbidden, "let a person in")
                .with_context("reason", "revoked"));
        }
        Ok(())
    }

    /// Whether a call is taken. A node that has just begun gets a moment to read who was revoked.
    ///
    /// # Errors
    /// `Forbidden` when revoked, `Unavailable` when that can't be told.
    pub(crate) async fn admit_call(&self, revoked: impl Fn(&Self) -> bool) -> Result<()> {
        const ADMIT: &str = "let a caller in";
        if !self.known.is_ever_sure() {
            let _ = tokio::time::timeout(BEGINNING, self.known.ever_sure()).await;
        }
        if revoked(self) {
            return Err(Error::new(ErrorKind::Forbidden, ADMIT).with_context("reason", "revoked"));
        }
        if self.is_sure() {
            return Ok(());
        }
        Err(unsure(ADMIT))
    }

    /// Takes a value of the shared table, as it is read, or as this node itself has written it.
    pub(crate) fn take_shared(&self, key: &str, value: Option<&[u8]>) {
        if !key.starts_with(REVOKED) {
            return;
        }
        let taken = self.known.revocations().take(key, value);
        match taken {
            Ok(Some(revocation)) => self.end_revoked(&revocation),
            Ok(None) => {}
            Err(error) => {
                let counter = &self.counters.revocations_unreadable;
                counter.fetch_add(1, Ordering::Relaxed);
                tracing::error!(%error, "a revocation can't be read: whom it means goes on");
            }
        }
    }

    fn end_revoked(&self, revocation: &Revocation) {
        if sabotage::on(sabotage::Switch::RevocationIgnored) {
            return;
        }
        let ends =
            |identity: &Identity| revocation.ends(Some(&identity.participant()), &identity.proof);
        let ended = self.close_where(CloseCode::Revoked, ends);
        tracing::info!(sessions = ended, "revoked");
    }

    pub(crate) fn is_ended(&self, identity: &Identity) -> bool {
        self.known.revocations().ends(identity)
    }

    pub(crate) fn is_proof_ended(&self, proof: &Proof) -> bool {
        self.known.revocations().ends_proof(proof)
    }
}

fn unsure(operation: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, operation)
        .with_retry(Retry::Safe { after: RETRY_AFTER })
        .with_context("reason", "this node can't tell now who was revoked")
}

impl Follower {
    async fn run(mut self) {
        self.read_all().await;
        let mut changes = self.ask_changes();
        let mut newest: Option<Asked<u64>> = None;
        let mut ask = tokio::time::interval(ASK_EVERY);
        ask.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut lapse = tokio::time::interval_at(Instant::now() + LAPSE_EVERY, LAPSE_EVERY);
        lapse.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                (_, changed) = &mut changes => {
                    match changed {
                        Ok(changed) => self.take(changed),
                        Err(error) => {
                            tracing::warn!(%error, "revocations can't be heard of now");
                            tokio::time::sleep(AGAIN).await;
                        }
                    }
                    changes = self.ask_changes();
                }
                (asked_at, answer) = answer_of(&mut newest) => {
                    newest = None;
                    match answer {
                        Ok(version) => self.promised(version, asked_at),
                        Err(error) => {
                            tracing::warn!(%error, "the node can't make sure of revocations");
                        }
                    }
                }
                _ = ask.tick() => {
                    if newest.is_none() {
                        newest = Some(self.ask_newest());
                    }
                    self.mind_unsure();
                }
                _ = lapse.tick() => self.rid_of_lapsed().await,
            }
        }
    }

    /// Reads the whole table, however long it takes.
    async fn read_all(&mut self) {
        loop {
            let asked_at = Instant::now();
            let shared = &self.hub.ports.shared;
            match self.hub.in_time("read revocations", shared.read()).await {
                Ok((version, values)) => {
                    for (key, value) in values {
                        self.hub.take_shared(&key, Some(&value));
                    }
                    self.version = version;
                    return self.sure_since(asked_at);
                }
                Err(error) => tracing::warn!(%error, "revocations can't be read yet"),
            }
            self.mind_unsure();
            tokio::time::sleep(AGAIN).await;
        }
    }

    fn ask_changes(&self) -> Asked<Vec<Change>> {
        let (shared, version) = (Arc::clone(&self.hub.ports.shared), self.version);
        Box::pin(async move { (Instant::now(), shared.changes(version).await) })
    }

    fn ask_newest(&self) -> Asked<u64> {
        let shared = Arc::clone(&self.hub.ports.shared);
        Box::pin(async move {
            let asked_at = Instant::now();
            let answer = tokio::time::timeout(ASK_MAX, shared.newest()).await;
            let late = |_| Err(unsure("ask for the newest change"));
            (asked_at, answer.unwrap_or_else(late))
        })
    }

    fn take(&mut self, changes: Vec<Change>) {
        for change in changes {
            self.hub.take_shared(&change.key, change.value.as_deref());
            self.version = self.version.max(change.version);
        }
        if let Some((version, asked_at)) = self.promised {
            self.promised(version, asked_at);
        }
    }

    /// The table's newest change is this one, as it said after it was asked then.
    fn promised(&mut self, version: u64, asked_at: Instant) {
        if version <= self.version {
            self.promised = None;
            self.sure_since(asked_at);
        } else {
            self.promised = Some((version, asked_at));
        }
    }

    fn sure_since(&mut self, asked_at: Instant) {
        let was_sure = self.hub.is_sure();
        self.hub.known.sure_since(asked_at);
        if !was_sure && self.hub.is_sure() {
            self.unsure = 0;
            // What was held back is told now.
            for mailbox in self.hub.mailboxes_of(|_| true) {
                mailbox.poke();
            }
        }
    }

    /// Sends staff elsewhere once the node has been unsure for too long. Not at the first sight: a
    /// process that stood still gets to ask first, and hands nothing out meanwhile.
    fn mind_unsure(&mut self) {
        if self.hub.known.unsure_for() <= self.hub.config.revocations_unsure_max {
            self.unsure = 0;
            return;
        }
        self.unsure = self.unsure.saturating_add(1);
        if self.unsure < 2 || sabotage::on(sabotage::Switch::UnsureServes) {
            return;
        }
        let is_staff = |identity: &Identity| matches!(identity.who, Who::Staff { .. });
        let ended = self.hub.close_where(CloseCode::Unsure, is_staff);
        if ended > 0 {
            tracing::error!(
                sessions = ended,
                "the node can't tell who was revoked, staff is sent elsewhere"
            );
        }
    }

    /// Removes from the table what has lapsed. Every node does; it is the same to do it twice.
    async fn rid_of_lapsed(&self) {
        let hub = &self.hub;
        let now = hub.ports.clock.now();
        let by_wall = now.since(self.wall_began);
        if by_wall.abs_diff(hub.known.began.elapsed()) > CLOCK_OFF_MAX {
            tracing::warn!("the clock was set: revocations that lapsed stay");
            return;
        }
        let kept = i64::try_from(hub.config.revocations_kept.as_millis()).unwrap_or(i64::MAX);
        let then = Timestamp(now.0.saturating_sub(kept));
        let lapsed = hub.known.revocations().older_than(then);
        for key in lapsed.iter().take(LAPSED_AT_ONCE) {
            let removed = hub.ports.shared.put(key, None);
            if let Err(error) = hub.in_time("remove a revocation", removed).await {
                tracing::warn!(%error, "a revocation that lapsed stays for now");
                return;
            }
        }
    }
}

/// What was asked, if anything was.
async fn answer_of<T>(asked: &mut Option<Asked<T>>) -> (Instant, Result<T>) {
    match asked {
        Some(asked) => asked.await,
        None => std::future::pending().await,
    }
}
